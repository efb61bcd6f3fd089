//! The real `portcullis` binary on a configuration folder of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::command::Finished;
use crate::error::{Doing, Error, Result};
use crate::log::{Log, Mark};
use crate::process::Process;
use crate::scratch::Scratch;
use crate::{artifacts, guests, wait};

/// The plugin's name, as dockerd has it.
pub const NAME: &str = "portcullis";

/// For a busy machine, where each call may take its time. Tests that have `[limits]` of their own say there what they need.
const UNHURRIED: &str = "[limits]\ndecision_timeout = \"60s\"\n";

/// A configuration folder: what `portcullis serve --config` reads.
#[derive(Debug)]
pub struct Config {
    scratch: Scratch,
    /// More of `portcullis.toml`, and of its listener.
    extra: String,
    extra_of_listener: String,
    /// Listeners beside the one of the daemon: the name, and more of its table.
    listeners: Vec<(String, String)>,
}

/// A running host. It is killed when this is dropped.
#[derive(Debug)]
pub struct Portcullis {
    process: Process,
    config: Config,
}

/// One line of the log.
#[derive(Clone, Debug)]
pub struct Record(Value);

// === impl Config ===

impl Config {
    pub fn new() -> Result<Self> {
        let scratch = Scratch::new()?;
        for folder in ["policies", "data", "plugins"] {
            scratch.folder(folder)?;
        }
        Ok(Self { scratch, extra: String::new(), extra_of_listener: String::new(), listeners: Vec::new() })
    }

    /// Appends to `portcullis.toml`.
    pub fn toml(mut self, text: &str) -> Self {
        self.extra.push_str(text);
        self.extra.push('\n');
        self
    }

    /// Appends to the listener in it.
    pub fn listener_toml(mut self, text: &str) -> Self {
        self.extra_of_listener.push_str(text);
        self
    }

    /// Adds a listener; [`Self::socket_of`] says where it answers.
    pub fn listener(mut self, name: &str, toml: &str) -> Self {
        self.listeners.push((name.to_owned(), toml.to_owned()));
        self
    }

    /// Makes a tenant's folder, with this `tenant.toml`.
    pub fn tenant(self, name: &str, toml: &str) -> Result<Self> {
        self.put_tenant(name, toml)?;
        Ok(self)
    }

    /// The same of a host that runs: the folder comes in one step.
    pub fn put_tenant(&self, name: &str, toml: &str) -> Result<()> {
        let scratch = self.path().join(format!("incoming-{name}"));
        for folder in ["policies", "data"] {
            fs::create_dir_all(scratch.join(folder)).doing_to("making", &scratch)?;
        }
        fs::write(scratch.join("tenant.toml"), toml).doing_to("writing", &scratch)?;
        let tenants = self.path().join("tenants");
        fs::create_dir_all(&tenants).doing_to("making", &tenants)?;
        fs::rename(&scratch, tenants.join(name)).doing_to("putting in place", &tenants)
    }

    /// Puts a policy of this repository into a tenant's folder, under the name of its package.
    pub fn tenant_policy(self, tenant: &str, package: &str) -> Result<Self> {
        self.file(&format!("tenants/{tenant}/policies/{package}.wasm"), &artifacts::policy_bytes(package)?)
    }

    /// Puts a policy of this repository into `policies/`, under the name of its package.
    pub fn policy(self, package: &str) -> Result<Self> {
        let file = format!("policies/{package}.wasm");
        self.file(&file, &artifacts::policy_bytes(package)?)
    }

    /// Gives a tenant a policy `name` that denies everything and says these words.
    pub fn tenant_says(self, tenant: &str, words: &str) -> Result<Self> {
        self.file(&format!("tenants/{tenant}/policies/name.wasm"), &guests::that_says(words)?)
    }

    /// Puts any file into the folder.
    pub fn file(self, name: &str, bytes: &[u8]) -> Result<Self> {
        self.put(name, bytes)?;
        Ok(self)
    }

    /// Starts the host and waits until it is ready.
    pub fn start(self) -> Result<Portcullis> {
        self.start_with(&[])
    }

    /// The same, with more arguments of `serve`.
    pub fn start_with(self, arguments: &[&str]) -> Result<Portcullis> {
        let path = self.write()?;
        let process = launch(&path, arguments)?;
        Ok(Portcullis { process, config: self })
    }

    /// Writes `portcullis.toml` and says where the folder is, for those who start the host themselves.
    pub fn write(&self) -> Result<PathBuf> {
        let toml = format!(
            "state_dir = {state:?}\ncache_dir = {cache:?}\nadmin_socket = {admin:?}\n{extra}\n{limits}\
             [[listener]]\nname = \"docker\"\nsocket = {socket:?}\n{extra_of_listener}\n",
            state = self.scratch.path().join("state"),
            cache = cache()?,
            admin = self.admin_socket(),
            extra = self.extra,
            limits = if self.extra.contains("[limits]") { "" } else { UNHURRIED },
            socket = self.socket(),
            extra_of_listener = self.extra_of_listener,
        );
        let listeners = self.listeners.iter().map(|(name, more)| {
            format!("[[listener]]\nname = {name:?}\nsocket = {:?}\n{more}\n", self.socket_of(name))
        });
        let toml: String = std::iter::once(toml).chain(listeners).collect();
        self.put("portcullis.toml", toml.as_bytes())?;
        Ok(self.path().to_owned())
    }

    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// Where the plugin's socket is: `/run/docker/plugins` for the daemon.
    pub fn plugin_folder(&self) -> PathBuf {
        self.path().join("plugins")
    }

    pub fn socket(&self) -> PathBuf {
        self.plugin_folder().join(format!("{NAME}.sock"))
    }

    /// Where the host answers its operator.
    pub fn admin_socket(&self) -> PathBuf {
        self.path().join("admin.sock")
    }

    /// Where one of the other listeners answers.
    pub fn socket_of(&self, listener: &str) -> PathBuf {
        self.plugin_folder().join(format!("{listener}.sock"))
    }

    /// Puts a file in place in one step, by rename.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path().join(name);
        let half_written = self.path().join("incoming");
        fs::write(&half_written, bytes).doing_to("writing", &half_written)?;
        fs::rename(&half_written, &path).doing_to("putting in place", &path)
    }

    pub fn remove(&self, name: &str) -> Result<()> {
        let path = self.path().join(name);
        fs::remove_file(&path).doing_to("removing", &path)
    }
}

// === impl Portcullis ===

impl Portcullis {
    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn process(&self) -> &Process {
        &self.process
    }

    pub fn socket(&self) -> PathBuf {
        self.config.socket()
    }

    /// Drops a policy of this repository into the folder, under the name of its package.
    pub fn drop_in(&self, package: &str) -> Result<Record> {
        self.drop_policy(package, &artifacts::policy_bytes(package)?)
    }

    /// Each of these changes one file, and gives the record of the generation in which that is active.
    pub fn drop_policy(&self, name: &str, wasm: &[u8]) -> Result<Record> {
        let file = format!("policies/{name}.wasm");
        self.change("policy loaded", name, |config| config.put(&file, wasm))
    }

    /// `policies/NAME.toml`, where `policies/NAME.wasm` is there already.
    pub fn drop_settings(&self, name: &str, toml: &str) -> Result<Record> {
        let file = format!("policies/{name}.toml");
        self.change("policy loaded", name, |config| config.put(&file, toml.as_bytes()))
    }

    pub fn remove_policy(&self, name: &str) -> Result<Record> {
        let file = format!("policies/{name}.wasm");
        self.change("policy removed: its file was deleted", name, |config| config.remove(&file))
    }

    pub fn drop_data(&self, name: &str, json: &str) -> Result<Record> {
        let file = format!("data/{name}.json");
        self.change("data loaded", name, |config| config.put(&file, json.as_bytes()))
    }

    /// Changes the folder, waits until the log says `message` of `name`, and then until that is published.
    fn change(&self, message: &str, name: &str, change: impl FnOnce(&Config) -> Result<()>) -> Result<Record> {
        let mark = self.mark();
        change(&self.config)?;
        let mut taken = false;
        let published = self.process.wait_for_line(mark, &format!("`{message}` of `{name}`"), |line| {
            let record = Record::parse(line)?;
            let is_its = record.field("name").and_then(Value::as_str) == Some(name);
            if is_its && record.level() == "ERROR" {
                return Some(Err(Error::Unexpected(line.to_owned())));
            }
            taken |= is_its && record.message() == message;
            (taken && record.message() == "generation published").then_some(Ok(record))
        });
        published?
    }

    /// Where the log ends now.
    pub fn mark(&self) -> Mark {
        self.process.log().mark()
    }

    /// The first record after `mark` that matches.
    pub fn wait_for(&self, mark: Mark, what: &str, matches: impl Fn(&Record) -> bool) -> Result<Record> {
        self.process.wait_for_line(mark, what, |line| Record::parse(line).filter(&matches))
    }

    /// Every record after `mark`.
    pub fn records(&self, mark: Mark) -> Vec<Record> {
        self.process.log().since(mark).iter().filter_map(|line| Record::parse(line)).collect()
    }

    /// Has everything looked at again, and waits until what was found is active.
    pub fn hang_up(&self) -> Result<()> {
        let mark = self.mark();
        self.process.signal(Signal::HUP)?;
        self.wait_for(mark, "the end of the reload", |record| record.message() == "reloaded").map(drop)
    }

    /// Ends it by SIGTERM, and starts it again on the same folder.
    pub fn restart(&mut self) -> Result<()> {
        let status = self.process.terminate(wait::DEADLINE)?;
        Self::ended_well(&self.process, status)?;
        self.process = launch(self.config.path(), &[])?;
        Ok(())
    }

    /// Starts another host on the same folder, which wants to take the place of this one, and does not wait for it.
    pub fn start_next(&self) -> Result<Process> {
        start(self.config.path(), &["--take-over"])
    }

    /// Starts another host on the same folder, which takes the place of this one.
    pub fn hand_over(&mut self) -> Result<()> {
        let next = launch(self.config.path(), &["--take-over"])?;
        let old = std::mem::replace(&mut self.process, next);
        let status = old.wait_for_end(wait::DEADLINE)?;
        Self::ended_well(&old, status)
    }

    fn ended_well(process: &Process, status: ExitStatus) -> Result<()> {
        if status.success() {
            return Ok(());
        }
        Err(Error::Unexpected(format!("the host ended with {status}:\n{}", process.log().tail(20))))
    }

    /// Ends it as a crash would, and starts it again on the same folder.
    pub fn crash_and_restart(&mut self) -> Result<()> {
        self.crash_and_restart_after(|| Ok(()))
    }

    /// The same; `meanwhile` happens while it is down.
    pub fn crash_and_restart_after(&mut self, meanwhile: impl FnOnce() -> Result<()>) -> Result<()> {
        self.process.kill();
        meanwhile()?;
        self.process = launch(self.config.path(), &[])?;
        Ok(())
    }

    /// The most memory that it has held so far, in KiB.
    pub fn peak_memory(&self) -> Result<u64> {
        let path = PathBuf::from(format!("/proc/{}/status", self.process.id()));
        let status = fs::read_to_string(&path).doing_to("reading", &path)?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = peak.and_then(|text| text.split_whitespace().next()?.parse().ok());
        number.ok_or_else(|| Error::Unexpected(format!("no VmHWM in `{}`", path.display())))
    }
}

// === impl Record ===

impl Record {
    fn parse(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok().filter(Value::is_object).map(Self)
    }

    pub fn message(&self) -> &str {
        self.field("message").and_then(Value::as_str).unwrap_or_default()
    }

    pub fn level(&self) -> &str {
        self.text("level")
    }

    /// A field's text; none is empty.
    pub fn text(&self, name: &str) -> &str {
        self.field(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether a tenant is named, and it is this one.
    pub fn is_of(&self, tenant: &str) -> bool {
        self.text("tenant") == tenant
    }

    /// A field, whether it stands at the top or under `fields`.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.0.get(name).or_else(|| self.0.get("fields")?.get(name))
    }
}

/// `portcullis ARGUMENTS`, for commands that end by themselves. It gets the exit code 124 when it does not.
pub fn run(arguments: &[&str]) -> Result<Finished> {
    Finished::of(command_that_ends("timeout", &[]).arg(artifacts::portcullis()?).args(arguments))
}

/// The same, by a root who may not pass over the permissions of files.
pub fn run_without_override(arguments: &[&str]) -> Result<Finished> {
    run_by(&["--bounding-set=-dac_override,-dac_read_search"], arguments)
}

/// The same, by another user.
pub fn run_as(user: u32, arguments: &[&str]) -> Result<Finished> {
    run_by(&[&format!("--reuid={user}"), "--clear-groups"], arguments)
}

/// Runs a copy of the binary where everybody reaches it: the repository may lie in a folder that is its owner's alone.
fn run_by(who: &[&str], arguments: &[&str]) -> Result<Finished> {
    let scratch = Scratch::new()?;
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).doing_to("opening", scratch.path())?;
    let binary = scratch.path().join(NAME);
    // By a process of its own: a file that this process holds open to be written cannot be run.
    Finished::well(Command::new("install").args(["-m", "755"]).arg(artifacts::portcullis()?).arg(&binary))?;
    Finished::of(command_that_ends("setpriv", &[who, &["timeout"]].concat()).arg(&binary).args(arguments))
}

fn command_that_ends(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).arg(wait::DEADLINE.as_secs().to_string()).stdin(Stdio::null());
    command
}

fn start(config: &Path, more: &[&str]) -> Result<Process> {
    let binary = artifacts::portcullis()?;
    Process::start("portcullis", &binary.to_string_lossy(), |command| {
        command.arg("serve").arg("--config").arg(config).args(more);
    })
}

fn launch(config: &Path, more: &[&str]) -> Result<Process> {
    let process = start(config, more)?;
    process.wait_for_line(Log::START, "portcullis is ready", |line| {
        Record::parse(line).filter(|record| record.message() == "ready")
    })?;
    Ok(process)
}

/// Compiled policies are kept from run to run, beside the build.
fn cache() -> Result<PathBuf> {
    let path = artifacts::portcullis()?.with_file_name("portcullis-cache");
    fs::create_dir_all(&path).doing_to("making", &path)?;
    Ok(path)
}
