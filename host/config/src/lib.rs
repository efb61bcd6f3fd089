//! What the operator configured: a folder with `portcullis.toml`, `policies/`, `data/`, and the same of each tenant in
//! `tenants/`.

mod admin;
mod decision_log;
pub mod document;
pub mod fs;
mod host_file;
mod limits;
pub mod policy_edit;
mod policy_file;
pub mod problem;
mod quota;
mod reader;
pub mod redaction;
mod restart;
mod setting;
mod telemetry;
mod tenant_file;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use portcullis_docker::Rules;
use portcullis_model::decision::DefaultVerdict;
use portcullis_model::{PolicyName, TenantName};

use crate::fs::{Containment, Root};

pub use admin::{AdminListener, Client, Proof, Rights, Scope, TlsFiles, Token};
pub use decision_log::{DecisionLogSettings, FileSettings, JOURNAL, OnFull, SinkSettings};
pub use policy_file::PolicyFile;
pub use problem::{Problem, Problems};
pub use quota::Quota;
pub use reader::nearest;
pub use telemetry::{MetricsConfig, TracesConfig};
pub use tenant_file::{TenantFile, Vocabulary};

/// The folder's file.
pub const FILE: &str = "portcullis.toml";
/// How long the folder of policies may take to be looked at before the host starts.
const FOLDER_ANSWERS: Duration = Duration::from_secs(10);
pub const POLICIES: &str = "policies";
pub const DATA: &str = "data";
/// The folder of the tenants' folders, and the file in each.
pub const TENANTS: &str = "tenants";
pub const TENANT_FILE: &str = "tenant.toml";

/// What `portcullis.toml` says, with everything that it leaves out.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder.
    pub dir: PathBuf,
    /// What policies keep.
    pub state_dir: PathBuf,
    /// Compiled policies.
    pub cache_dir: PathBuf,
    /// Where the host answers its operator.
    pub admin_socket: PathBuf,
    /// Where it answers others, by TCP.
    pub admin: Option<AdminListener>,
    /// Of the tenant `default`.
    pub default: DefaultVerdict,
    /// Whether `/_ping` is allowed without asking.
    pub exempt_ping: bool,
    pub rules: Rules,
    /// The headers by which callers may be told apart: something before the daemon sets them.
    pub trusted_headers: Vec<String>,
    pub listeners: Vec<Listener>,
    pub limits: HostLimits,
    pub decision_log: DecisionLogSettings,
    pub metrics: MetricsConfig,
    /// None traces nothing.
    pub traces: Option<TracesConfig>,
}

/// One plugin socket: dockerd knows it by its file's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    pub name: String,
    pub socket: PathBuf,
    /// The users that may connect.
    pub allow_uids: Vec<u32>,
    /// Whose callers all of its callers are.
    pub tenant: Option<TenantName>,
}

/// What the host itself may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostLimits {
    /// Connections of one listener; one more waits to be accepted.
    pub connections: u32,
    /// Bytes of one plugin call.
    pub call_bytes: u64,
    /// Bytes of all large plugin calls that are held at once.
    pub calls_bytes: u64,
    /// Bytes of memory that all large calls hold at once when they are read.
    pub large_calls_memory: u64,
    /// From the first byte of a call to its last.
    pub read_timeout: Duration,
    /// How long a connection may be idle. dockerd keeps its own for 30 s, and must be the one to close them.
    pub idle_timeout: Duration,
    /// From a call that is read to its answer.
    pub decision_timeout: Duration,
    /// Policies that run at once.
    pub instances: u32,
    /// How long calls that are under way may take when the host is told to stop.
    pub shutdown_grace: Duration,
}

impl Default for HostLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            call_bytes: 6 << 20,
            calls_bytes: 64 << 20,
            large_calls_memory: 512 << 20,
            read_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(120),
            decision_timeout: Duration::from_secs(5),
            instances: 128,
            shutdown_grace: Duration::from_secs(5),
        }
    }
}

impl Listener {
    pub const DEFAULT_SOCKET: &str = "/run/docker/plugins/portcullis.sock";
    /// What fits into a `sockaddr_un`, the closing NUL left out.
    pub const MAX_SOCKET_PATH: usize = 107;
}

impl Default for Listener {
    fn default() -> Self {
        Self { name: "docker".into(), socket: Self::DEFAULT_SOCKET.into(), allow_uids: vec![0], tenant: None }
    }
}

impl Config {
    pub const ADMIN_SOCKET: &str = "/run/portcullis/admin.sock";

    /// Reads a folder's `portcullis.toml`, and checks that what it names can be there.
    pub fn read(dir: &Path) -> Result<Self, Problems> {
        Self::read_and_check(dir, |_| Problems::default())
    }

    /// The same, with what `check` finds wrong in what was read: every mistake is told at once.
    pub fn read_and_check(dir: &Path, check: impl FnOnce(&Self) -> Problems) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let config = Self::read_file(dir, &mut problems);
        check_folder(dir, &mut problems);
        problems.0.extend(config.as_ref().map(check).unwrap_or_default().0);
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(problems),
        }
    }

    /// Only `portcullis.toml`, as it is now.
    pub fn read_again(dir: &Path) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        match Self::read_file(dir, &mut problems) {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(problems),
        }
    }

    /// What can be read of it, and everything that is wrong with the file and the folder of policies.
    pub fn read_to_check(dir: &Path) -> (Self, Problems) {
        let mut problems = Problems::default();
        let config = Self::read_file(dir, &mut problems);
        if let Err(error) = std::fs::read_dir(dir.join(POLICIES)) {
            no_folder(&dir.join(POLICIES), &error, &mut problems);
        }
        let defaults = || host_file::read(dir, &dir.join(FILE), "", &mut Problems::default());
        (config.unwrap_or_else(defaults), problems)
    }

    /// Where the host of a folder answers its operator, whatever else is wrong in the folder: a host that runs can be
    /// asked about it.
    pub fn read_admin_socket(dir: &Path) -> Result<PathBuf, Problems> {
        let mut problems = Problems::default();
        let path = dir.join(FILE);
        let socket = match std::fs::read_to_string(&path) {
            Ok(text) => host_file::admin_socket(&path, &text, &mut problems),
            // A folder that is not there is a slip of the pen, and another host's socket would not be meant.
            Err(error) if !dir.is_dir() => {
                problems.add(dir, None, format!("cannot be read: {error}"), "`--config` names the host's folder");
                None
            }
            Err(_) => None,
        };
        if problems.is_empty() {
            Ok(socket.unwrap_or_else(|| PathBuf::from(Self::ADMIN_SOCKET)))
        } else {
            Err(problems)
        }
    }

    fn read_file(dir: &Path, problems: &mut Problems) -> Option<Self> {
        let path = dir.join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => Some(host_file::read(dir, &path, &text, problems)),
            Err(error) => {
                let missing = "an empty file takes every default; `--config` names its folder";
                let help = help(&error, missing, "expected a text file");
                problems.add(&path, None, format!("cannot be read: {error}"), help);
                None
            }
        }
    }
}

/// A folder of policies must be there: without one, every call is denied, and nobody means that. What lies beside the
/// policies must be right, too; whether a policy itself can be loaded is not the configuration's to say, and what is
/// wrong with a tenant is the tenant's alone.
///
/// A folder that does not answer is not looked at: the host starts, and denies what it cannot read.
fn check_folder(dir: &Path, problems: &mut Problems) {
    let (done, checked) = std::sync::mpsc::channel();
    let folder = dir.to_owned();
    let check = move || {
        let mut problems = Problems::default();
        check_policies(&folder, &mut problems);
        // An error means that nobody waits any more.
        let _ = done.send(problems);
    };
    let found = match std::thread::Builder::new().name("check".into()).spawn(check) {
        Ok(_) => checked.recv_timeout(FOLDER_ANSWERS).unwrap_or_default(),
        Err(error) => {
            problems.add(dir, None, format!("no thread to look at it: {error}"), "raise the limit of threads");
            Problems::default()
        }
    };
    problems.0.extend(found.0);
}

fn check_policies(dir: &Path, problems: &mut Problems) {
    let policies = dir.join(POLICIES);
    match Root::open(&policies, Containment::Open).and_then(|root| root.list(".", "wasm")) {
        Ok(names) => names.iter().for_each(|name| check_policy(name, &policies, problems)),
        Err(error) => no_folder(&policies, &error, problems),
    }
}

fn no_folder(policies: &Path, error: &std::io::Error, problems: &mut Problems) {
    let missing = "make the folder and put policies (`.wasm` files) into it";
    let help = help(error, missing, "expected a folder of `.wasm` files");
    problems.add(policies, None, format!("cannot be read: {error}"), help);
}

fn check_policy(name: &str, policies: &Path, problems: &mut Problems) {
    if let Err(error) = PolicyName::new(name) {
        problems.add(&policies.join(format!("{name}.wasm")), None, error.to_string(), "rename the file");
    }
    let settings = policies.join(format!("{name}.toml"));
    match std::fs::read_to_string(&settings) {
        Ok(text) => {
            let read = PolicyFile::read(&settings, &text, &Quota::of_host());
            problems.0.extend(read.err().unwrap_or_default().0);
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => {
            let help = help(&error, "", "expected a text file");
            problems.add(&settings, None, format!("cannot be read: {error}"), help);
        }
    }
}

fn help(error: &std::io::Error, missing: &'static str, other: &'static str) -> &'static str {
    if error.kind() == ErrorKind::NotFound {
        missing
    } else if error.kind() == ErrorKind::PermissionDenied {
        "run as root, or let this user read it"
    } else {
        other
    }
}
