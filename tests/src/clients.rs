//! Real clients of Docker: their programs in `tests/clients`, what `scripts/clients` has installed for them, and what they are given.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::artifacts;
use crate::command::Finished;
use crate::dockerd::Dockerd;
use crate::error::{Doing, Error, Result};
use crate::release::Release;
use crate::scratch::Scratch;
use crate::tls::Authority;

/// Longer than any of them takes on a loaded machine.
const DEADLINE: &str = "900";
const DOCKERFILE: &str = "FROM alpine\nARG A\nENV A=$A\nRUN true\n";

/// A client, as `clients.yaml` has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    #[serde(rename = "client")]
    pub name: String,
    /// In what Portcullis says of the forbidden step.
    pub denied: String,
    /// What the client prints of it beside that.
    #[serde(default)]
    pub also: Vec<String>,
    /// The releases of dockerd that it can speak to. Left out: all.
    #[serde(default)]
    only: Vec<Release>,
}

/// The folders of a client's certificates, as `DOCKER_CERT_PATH` wants them.
#[derive(Clone, Debug)]
pub struct Certificates {
    user: PathBuf,
    reader: PathBuf,
}

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    Ordinary,
    Forbidden,
}

/// Where the clients work: folders that they may have mounted, `www` to be read and `work/CLIENT/project` to be written.
#[derive(Debug)]
pub struct Folders {
    scratch: Scratch,
}

/// Every client.
pub fn all() -> Result<Vec<Client>> {
    let path = folder().join("clients.yaml");
    let text = fs::read_to_string(&path).doing_to("reading", &path)?;
    serde_yaml_ng::from_str(&text).map_err(|error| Error::Unexpected(format!("`{}`: {error}", path.display())))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

// === impl Client ===

impl Client {
    /// The user that its certificate names.
    pub fn user(&self) -> &str {
        &self.name
    }

    /// The user who may only read.
    pub fn reader(&self) -> String {
        format!("{}-reader", self.name)
    }

    pub fn speaks_to(&self, release: Release) -> bool {
        self.only.is_empty() || self.only.contains(&release)
    }

    /// Makes its certificates; the authority does that for one at a time.
    pub fn certificates(&self, authority: &Authority) -> Result<Certificates> {
        let of = |user: &str| authority.client(&format!("/CN={user}"));
        Ok(Certificates { user: of(self.user())?, reader: of(&self.reader())? })
    }

    /// Does its work in the daemon's network, where the ports that it publishes are.
    pub fn run(&self, work: Work, dockerd: &Dockerd, who: &Certificates, place: &Folders) -> Result<Finished> {
        let home = Scratch::new()?;
        let plugins = home.folder("cli-plugins")?.join("docker-compose");
        symlink(Release::cli_plugin("docker-compose")?, &plugins).doing_to("linking", &plugins)?;
        let (tls, installed) = (dockerd.tls()?, artifacts::clients()?);
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", dockerd.network().display())).args(["timeout", DEADLINE]);
        command.arg(folder().join(&self.name).join(work.program())).current_dir(home.path());
        command.env_clear().env("PATH", programs(&installed)?).env("LANG", "C.UTF-8");
        command.env("HOME", home.path()).env("DOCKER_CONFIG", home.path());
        command.env("DOCKER_HOST", format!("tcp://{}", tls.address)).env("DOCKER_TLS_VERIFY", "1");
        command.env("DOCKER_CERT_PATH", &who.user).env("READER_CERT_PATH", &who.reader);
        command.env("PAGES", place.pages()).env("WORK", place.work(self));
        command.env("NODE_PATH", installed.join("node/node_modules"));
        command.env("ANSIBLE_COLLECTIONS_PATH", installed.join("python/collections"));
        command.env("LD_LIBRARY_PATH", libraries(&installed)?);
        // Its reaper is an image of a registry's.
        command.env("TESTCONTAINERS_RYUK_DISABLED", "true");
        Finished::of(command.stdin(Stdio::null()))
    }
}

/// Those of the clients first.
fn programs(installed: &Path) -> Result<OsString> {
    let folders = ["python/bin", "node/node_modules/.bin", "skopeo/usr/bin"].map(|folder| installed.join(folder));
    let own = std::env::var_os("PATH").unwrap_or_default();
    joined(folders.into_iter().chain(std::env::split_paths(&own)))
}

/// skopeo's, in the folders that Debian has for this machine's kind.
fn libraries(installed: &Path) -> Result<OsString> {
    let kind = format!("{}-linux-gnu", std::env::consts::ARCH);
    joined(["skopeo/usr/lib", "skopeo/lib"].map(|folder| installed.join(folder).join(&kind)).into_iter())
}

fn joined(folders: impl Iterator<Item = PathBuf>) -> Result<OsString> {
    std::env::join_paths(folders).map_err(|error| Error::Unexpected(error.to_string()))
}

// === impl Work ===

impl Work {
    fn program(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::Forbidden => "forbidden",
        }
    }
}

// === impl Folders ===

impl Folders {
    pub fn new(clients: &[Client]) -> Result<Self> {
        let place = Self { scratch: Scratch::new()? };
        let page = place.scratch.folder("www")?.join("index.html");
        fs::write(&page, "welcome\n").doing_to("writing", &page)?;
        for client in clients {
            let context = place.work(client).join("context");
            for folder in [&context, &place.project(client)] {
                fs::create_dir_all(folder).doing_to("making", folder)?;
            }
            let file = context.join("Dockerfile");
            fs::write(&file, DOCKERFILE).doing_to("writing", &file)?;
        }
        Ok(place)
    }

    /// The folder's own name, which no other run has.
    pub fn name(&self) -> String {
        self.scratch.path().file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub fn pages(&self) -> PathBuf {
        self.scratch.path().join("www")
    }

    /// The settings of `bind-mounts` under which these clients work. Docker 20.10 and clients before API 1.44 do not make read-only
    /// what is mounted below.
    pub fn allowed(&self, clients: &[Client]) -> String {
        let writable =
            clients.iter().map(|client| format!("    {{ source = {:?}, writable = true }},\n", self.project(client)));
        let writable: String = writable.collect();
        format!("[settings]\nallow = [\n    {{ source = {:?}, submounts = false }},\n{writable}]\n", self.pages())
    }

    fn work(&self, client: &Client) -> PathBuf {
        self.scratch.path().join("work").join(&client.name)
    }

    /// The folder of a client's that it may have mounted, to be written too.
    pub fn project(&self, client: &Client) -> PathBuf {
        self.work(client).join("project")
    }
}
