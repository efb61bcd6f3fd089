//! A throwaway dockerd, with a containerd, images, and a plugin folder of its own.
//!
//! It runs in mount and PID namespaces of its own. So the plugin has its ordinary place and name
//! (`/run/docker/plugins/portcullis.sock`) without touching a Docker that is already there, and nothing survives the
//! first process in there: no containerd, no shim, no container, no mount. Where it need not be reached by TCP, its network
//! is its own too, and with it every bridge that it makes.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cleanup::Cleanup;
use crate::error::{Doing, Error, Result};
use crate::http;
use crate::log::Log;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::tls::Authority;
use crate::{artifacts, cgroups, images, wait};

/// Arguments: the folder to show as `/run/docker/plugins`, then the command.
const IN_NAMESPACE: &str = r#"set -e
plugins=$1; shift
mount -t tmpfs tmpfs /run
mkdir -p /run/docker/plugins
mount --bind "$plugins" /run/docker/plugins
exec "$@""#;

/// How dockerd is to be started.
#[derive(Debug, Default)]
pub struct Setup {
    plugin: Option<Plugin>,
    authority: Option<Authority>,
}

#[derive(Debug)]
struct Plugin {
    name: String,
    folder: PathBuf,
}

/// A running dockerd. It ends, with everything that it started and wrote, when this is dropped.
#[derive(Debug)]
pub struct Dockerd {
    process: Process,
    scratch: Scratch,
    tls: Option<Tls>,
    _cgroups: Cleanup,
}

/// The listener for callers with certificates.
#[derive(Debug)]
pub struct Tls {
    pub address: String,
    pub authority: Authority,
}

// === impl Setup ===

impl Setup {
    /// Asks the plugin `name`, whose socket is `FOLDER/NAME.sock`, about every call.
    pub fn guarded_by(mut self, name: &str, folder: &Path) -> Self {
        self.plugin = Some(Plugin { name: name.to_owned(), folder: folder.to_owned() });
        self
    }

    /// Listens on TCP as well, for callers with a certificate of this authority.
    pub fn with_tls(mut self, authority: Authority) -> Self {
        self.authority = Some(authority);
        self
    }

    /// Starts it, with the images `alpine` and `hello-world`. They are imported before the plugin is asked anything.
    pub fn start(self) -> Result<Dockerd> {
        let scratch = Scratch::new()?;
        let cgroup = cgroup_name(scratch.path());
        let _cgroups = Cleanup::new({
            let cgroup = cgroup.clone();
            move || cgroups::remove(&cgroup)
        });
        let unguarded = Self::default().launch(&scratch, &cgroup)?;
        images::import(&scratch, &socket(&scratch))?;
        let (process, tls) = if self.plugin.is_none() && self.authority.is_none() {
            (unguarded, None)
        } else {
            unguarded.terminate(wait::PATIENCE)?;
            let process = self.launch(&scratch, &cgroup)?;
            let tls = self.authority.map(|authority| tls(&process, authority)).transpose()?;
            (process, tls)
        };
        Ok(Dockerd { process, scratch, tls, _cgroups })
    }

    fn launch(&self, scratch: &Scratch, cgroup: &str) -> Result<Process> {
        let config = self.write_config(scratch, cgroup)?;
        let plugins = match &self.plugin {
            Some(plugin) => plugin.folder.clone(),
            None => scratch.folder("no-plugins")?,
        };
        let dockerd = artifacts::installed("dockerd")?;
        let path = |name: &str| scratch.path().join(name);
        let process = Process::start("dockerd", "unshare", |command| {
            command.args(["--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]);
            if self.authority.is_none() {
                command.arg("--net");
            }
            command.args(["sh", "-c", IN_NAMESPACE, "sh"]).arg(plugins).arg(dockerd);
            command.arg("--config-file").arg(config);
            command.arg("--data-root").arg(path("data")).arg("--exec-root").arg(path("exec"));
            command.arg("--pidfile").arg(path("pid"));
            command.args(["--bridge=none", "--iptables=false", "--ip6tables=false"]);
            command.arg("--host").arg(format!("unix://{}", socket(scratch).display()));
            if let Some(authority) = &self.authority {
                let pem = |name: &str| authority.path().join(name);
                command.args(["--host", "tcp://127.0.0.1:0", "--tlsverify"]).arg("--tlscacert").arg(pem("ca.pem"));
                command.arg("--tlscert").arg(pem("server.pem")).arg("--tlskey").arg(pem("server.key"));
            }
        })?;
        wait_until_it_answers(&process, &socket(scratch))?;
        Ok(process)
    }

    /// The plugin is set here and never by flag: a flag's chain is empty after the daemon's first SIGHUP.
    fn write_config(&self, scratch: &Scratch, cgroup: &str) -> Result<PathBuf> {
        let plugins: Vec<&str> = self.plugin.iter().map(|plugin| plugin.name.as_str()).collect();
        let config = json!({
            "authorization-plugins": plugins,
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "cgroup-parent": format!("/{cgroup}"),
        });
        let path = scratch.path().join("daemon.json");
        fs::write(&path, config.to_string()).doing_to("writing", &path)?;
        Ok(path)
    }
}

// === impl Dockerd ===

impl Dockerd {
    pub fn setup() -> Setup {
        Setup::default()
    }

    pub fn socket(&self) -> PathBuf {
        socket(&self.scratch)
    }

    /// Where callers with certificates connect.
    pub fn tls(&self) -> Result<&Tls> {
        self.tls.as_ref().ok_or_else(|| Error::Unexpected("this dockerd was started without TLS".to_owned()))
    }

    pub fn log(&self) -> &Log {
        self.process.log()
    }

    pub fn process(&self) -> &Process {
        &self.process
    }
}

fn socket(scratch: &Scratch) -> PathBuf {
    scratch.path().join("docker.sock")
}

fn wait_until_it_answers(process: &Process, socket: &Path) -> Result<()> {
    let what = "dockerd's first answer";
    let ping = http::request("GET", "/_ping", &[], b"");
    let answered = wait::until(what, wait::PATIENCE, || {
        let ended = process.ended().map(|status| Err(status.to_string()));
        ended.or_else(|| http::send(socket, &ping).ok().map(Ok))
    });
    let log = process.log().tail(30);
    match answered {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(status)) => Err(Error::Ended { program: "dockerd".to_owned(), status, what: what.to_owned(), log }),
        Err(_) => Err(Error::TimedOut { what: what.to_owned(), after: wait::PATIENCE, log }),
    }
}

/// The kernel chose the port; dockerd says which.
fn tls(process: &Process, authority: Authority) -> Result<Tls> {
    let address = process.wait_for_line(Log::START, "dockerd's TLS listener", |line| {
        let (_, rest) = line.split_once("API listen on 127.0.0.1:")?;
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some(format!("127.0.0.1:{port}"))
    })?;
    Ok(Tls { address, authority })
}

fn cgroup_name(scratch: &Path) -> String {
    scratch.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
