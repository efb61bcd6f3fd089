//! A throwaway dockerd, with a containerd, images, and a plugin folder of its own.
//!
//! It runs in mount and PID namespaces of its own. So the plugin has its ordinary place and name
//! (`/run/docker/plugins/portcullis.sock`) without touching a Docker that is already there, and nothing survives the
//! first process in there: no containerd, no shim, no container, no mount. Its network is its own too, and with it every
//! bridge that it makes. What it listens on by TCP is a socket of ours that it is given, as systemd gives one: no port has to be
//! free twice, and no address has to be reached in its network.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::cleanup::Cleanup;
use crate::error::{Doing, Error, Result};
use crate::http;
use crate::log::Log;
use crate::process::Process;
use crate::release::Release;
use crate::scratch::Scratch;
use crate::tls::Authority;
use crate::{cgroups, images, wait};

/// Arguments: the folder to show as `/run/docker/plugins`, then the command. A socket on standard input is passed on as systemd
/// passes one: as descriptor 3, with the ID of the process that is meant.
const IN_NAMESPACE: &str = r#"set -e
plugins=$1; shift
mount -t tmpfs tmpfs /run
mkdir -p /run/docker/plugins
mount --bind "$plugins" /run/docker/plugins
busybox ip link set lo up
exec 3<&0 </dev/null
export LISTEN_PID=$$ LISTEN_FDS=1
exec "$@""#;
/// Where a daemon with a network of its own has its listener for callers with certificates.
const IN_ITS_NETWORK: &str = "127.0.0.1:2376";

/// How dockerd is to be started.
#[derive(Debug, Default)]
pub struct Setup {
    release: Release,
    plugin: Option<Plugin>,
    authority: Option<Authority>,
    bridge: bool,
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
    release: Release,
    plugin: Option<String>,
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
    /// Starts this release, rather than the one that is installed.
    pub fn release(mut self, release: Release) -> Self {
        self.release = release;
        self
    }

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

    /// Has the bridge that containers are in who ask for no network, in a network of its own: [`Dockerd::network`] is where callers
    /// reach its listener for certificates, and the ports that it publishes.
    pub fn with_bridge(mut self) -> Self {
        self.bridge = true;
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
        let release = self.release;
        let unguarded = Self::default().release(release).launch(&scratch, &cgroup, None)?;
        images::import(&scratch, &socket(&scratch))?;
        let (process, tls) = if self.plugin.is_none() && self.authority.is_none() {
            (unguarded, None)
        } else {
            unguarded.terminate(wait::DEADLINE)?;
            let listener = (!self.bridge).then(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
            let listener = listener.transpose().doing("listening on a port")?;
            let address = listener.as_ref().map(TcpListener::local_addr).transpose().doing("asking for the port")?;
            let address = address.map_or_else(|| IN_ITS_NETWORK.to_owned(), |address| address.to_string());
            let process = self.launch(&scratch, &cgroup, listener)?;
            (process, self.authority.map(|authority| Tls { address, authority }))
        };
        let plugin = self.plugin.map(|plugin| plugin.name);
        Ok(Dockerd { process, scratch, release, plugin, tls, _cgroups })
    }

    fn launch(&self, scratch: &Scratch, cgroup: &str, listener: Option<TcpListener>) -> Result<Process> {
        let config = self.write_config(scratch, cgroup)?;
        let plugins = match &self.plugin {
            Some(plugin) => plugin.folder.clone(),
            None => scratch.folder("no-plugins")?,
        };
        let (dockerd, programs) = (self.release.dockerd()?, self.release.programs()?);
        let path = |name: &str| scratch.path().join(name);
        let process = Process::start("dockerd", "unshare", |command| {
            command.env("PATH", programs);
            command.args(["--mount", "--net", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]);
            command.args(["sh", "-c", IN_NAMESPACE, "sh"]).arg(plugins).arg(dockerd);
            command.arg("--config-file").arg(config);
            command.arg("--data-root").arg(path("data")).arg("--exec-root").arg(path("exec"));
            command.arg("--pidfile").arg(path("pid"));
            command.args(["--iptables=false", "--ip6tables=false"]);
            command.args((!self.bridge).then_some("--bridge=none"));
            command.arg("--host").arg(format!("unix://{}", socket(scratch).display()));
            if let Some(authority) = &self.authority {
                let host = if listener.is_some() { "fd://".to_owned() } else { format!("tcp://{IN_ITS_NETWORK}") };
                listener.map(|listener| command.stdin(Stdio::from(OwnedFd::from(listener))));
                let pem = |name: &str| authority.path().join(name);
                command.args(["--host", &host, "--tlsverify"]).arg("--tlscacert").arg(pem("ca.pem"));
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

    pub fn release(&self) -> Release {
        self.release
    }

    pub fn socket(&self) -> PathBuf {
        socket(&self.scratch)
    }

    /// Where callers with certificates connect.
    pub fn tls(&self) -> Result<&Tls> {
        self.tls.as_ref().ok_or_else(|| Error::Unexpected("this dockerd was started without TLS".to_owned()))
    }

    /// Puts the plugin into the daemon's chain, or takes it out, while the daemon runs.
    pub fn guard(&self, on: bool) -> Result<()> {
        let path = self.scratch.path().join("daemon.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).doing_to("reading", &path)?)
            .map_err(|error| Error::Unexpected(format!("`{}`: {error}", path.display())))?;
        let plugins: Vec<&String> = self.plugin.iter().filter(|_| on).collect();
        config.as_object_mut().map(|config| config.insert("authorization-plugins".to_owned(), json!(plugins)));
        fs::write(&path, config.to_string()).doing_to("writing", &path)?;
        let mark = self.log().mark();
        self.process.signal(Signal::HUP)?;
        let reloaded = |line: &str| line.contains("Reloaded configuration").then_some(());
        self.process.wait_for_line(mark, "the daemon's new configuration", reloaded)?;
        // Some releases write that line before they change the chain. No plugin of ours lets such a path pass.
        let probe = http::request("POST", "/v1.41/containers/%ff/kill", &[], b"");
        wait::until("the plugin in the daemon's chain, or out of it", wait::DEADLINE, || {
            let answer = http::send(&self.socket(), &probe).ok()?;
            (answer.text().contains("authorization denied by plugin") == on).then_some(())
        })
    }

    /// Its network namespace: `nsenter --net=PATH`. `unshare`, which waits for it, is in the same.
    pub fn network(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/net", self.process.id()))
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
    let answered = wait::until(what, wait::DEADLINE, || {
        let ended = process.ended().map(|status| Err(status.to_string()));
        ended.or_else(|| http::send(socket, &ping).ok().map(Ok))
    });
    let log = process.log().tail(30);
    match answered {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(status)) => Err(Error::Ended { program: "dockerd".to_owned(), status, what: what.to_owned(), log }),
        Err(_) => Err(Error::TimedOut { what: what.to_owned(), after: wait::DEADLINE, log }),
    }
}

fn cgroup_name(scratch: &Path) -> String {
    scratch.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
