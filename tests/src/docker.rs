//! The real `docker` command, as one caller: with a configuration and, where it has one, a certificate of its own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::artifacts;
use crate::command::Finished;
use crate::dockerd::{Dockerd, Tls};
use crate::error::{Doing, Result};
use crate::release::Release;
use crate::scratch::Scratch;

/// How often a line is run once more that has printed nothing.
const AGAIN: usize = 5;

/// A caller of one daemon.
#[derive(Debug)]
pub struct Docker {
    environment: Vec<(&'static str, String)>,
    /// Its `HOME` and `DOCKER_CONFIG`.
    home: Scratch,
}

// === impl Docker ===

impl Docker {
    /// A caller through the daemon's unix socket: dockerd does not know who it is.
    pub fn new(dockerd: &Dockerd) -> Result<Self> {
        Self::on_socket(&dockerd.socket())
    }

    pub(crate) fn on_socket(socket: &Path) -> Result<Self> {
        artifacts::installed("docker")?;
        let environment = vec![("DOCKER_HOST", format!("unix://{}", socket.display()))];
        Ok(Self { environment, home: Scratch::new()? })
    }

    /// A caller who proves by certificate who it is, by a subject such as `/CN=alice`.
    pub fn with_certificate(tls: &Tls, subject: &str) -> Result<Self> {
        artifacts::installed("docker")?;
        let certificate = tls.authority.client(subject)?;
        let environment = vec![
            ("DOCKER_HOST", format!("tcp://{}", tls.address)),
            ("DOCKER_TLS_VERIFY", "1".to_owned()),
            ("DOCKER_CERT_PATH", certificate.display().to_string()),
        ];
        Ok(Self { environment, home: Scratch::new()? })
    }

    /// Sends a header with every call, by the configuration file that `docker` has for it.
    pub fn header(self, name: &str, value: &str) -> Result<Self> {
        let path = self.home.path().join("config.json");
        fs::write(&path, json!({ "HttpHeaders": { name: value } }).to_string()).doing_to("writing", &path)?;
        Ok(self)
    }

    /// Gives `docker` a plugin of its own, such as `docker-buildx`.
    pub fn plugin(self, name: &str) -> Result<Self> {
        let path = self.home.folder("cli-plugins")?.join(name);
        symlink(Release::cli_plugin(name)?, &path).doing_to("linking", &path)?;
        Ok(self)
    }

    /// `docker ARGUMENTS`.
    pub fn run(&self, arguments: &[&str]) -> Result<Finished> {
        Finished::of(&mut self.command(arguments))
    }

    /// A line of shell, as a person would type it.
    pub fn shell(&self, line: &str) -> Result<Finished> {
        Finished::of(self.arrange("sh").args(["-c", line]))
    }

    /// The same, of a line that prints something. dockerd forgets what a container wrote that was not read two seconds after its end,
    /// as it happens on a busy machine: then the line is run again.
    pub fn shell_that_prints(&self, line: &str) -> Result<Finished> {
        let mut finished = self.shell(line)?;
        for _ in 0..AGAIN {
            if !finished.status.success() || !finished.stdout.is_empty() {
                break;
            }
            finished = self.shell(line)?;
        }
        Ok(finished)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.arrange("docker");
        command.args(arguments);
        command
    }

    /// Nothing of the user's own Docker settings is seen.
    fn arrange(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let foreign = std::env::vars_os().map(|(name, _)| name);
        foreign.filter(|name| name.to_string_lossy().starts_with("DOCKER_")).for_each(|name| {
            command.env_remove(name);
        });
        command.env("HOME", self.home.path()).env("DOCKER_CONFIG", self.home.path());
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        command
    }
}
