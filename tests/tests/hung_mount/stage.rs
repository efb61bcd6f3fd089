//! A host with two tenants, and a mount that can be made to hang.

use std::fs;
use std::path::PathBuf;

use portcullis_tests::caller::Caller;
use portcullis_tests::hung_mount::HungMount;
use portcullis_tests::plugin::{self, Reply};
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::scratch::Scratch;
use portcullis_tests::{Error, Result, http};
use serde_json::{Value, json};

/// The mount goes first: what hangs on it must end before its folder can be removed.
pub(crate) struct Stage {
    pub(crate) mount: HungMount,
    pub(crate) host: Portcullis,
    pub(crate) folders: Folders,
}

/// What is mounted, and a folder that always answers.
pub(crate) struct Folders {
    scratch: Scratch,
}

// === impl Folders ===

impl Folders {
    pub(crate) fn new() -> Result<Self> {
        let scratch = Scratch::new()?;
        for folder in ["source", "hung", "fine"] {
            scratch.folder(folder)?;
        }
        Ok(Self { scratch })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    pub(crate) fn mount(&self) -> Result<HungMount> {
        HungMount::over(&self.path("hung"), &self.path("source"))
    }
}

// === impl Stage ===

impl Stage {
    /// Both tenants may mount either folder, to be read.
    pub(crate) fn set() -> Result<Self> {
        let folders = Folders::new()?;
        fs::create_dir(folders.path("source/there")).map_err(|error| Error::Unexpected(error.to_string()))?;
        let settings = format!(
            "[settings]\nallow = [{{ source = {:?}, submounts = false }}, {{ source = {:?}, submounts = false }}]\n",
            folders.path("hung"),
            folders.path("fine")
        );
        let config = Config::new()?
            .policy("bind-mounts")?
            .file("policies/bind-mounts.toml", settings.as_bytes())?
            .listener("a", "tenant = \"a\"\n")
            .listener("b", "tenant = \"b\"\n")
            .tenant("a", "")?
            .tenant("b", "")?;
        let mount = folders.mount()?;
        Ok(Self { mount, host: config.start()?, folders })
    }

    /// Asks whether a tenant may create a container that mounts this.
    pub(crate) fn create(&self, tenant: &str, folder: &str) -> Result<Reply> {
        let source = self.folders.path(folder);
        let body = json!({ "Image": "x", "HostConfig": { "Binds": [format!("{}:/x:ro", source.display())] } });
        let body = body.to_string();
        let caller = Caller::anybody()
            .header("Content-Type", "application/json")
            .header("Content-Length", &body.len().to_string());
        let call = caller.call("POST", "/v1.44/containers/create", body.as_bytes());
        plugin::ask(&self.host.config().socket_of(tenant), &call)
    }

    /// A call of the admin API.
    pub(crate) fn admin(&self, method: &str, path: &str, body: &[u8]) -> Result<Value> {
        admin(&self.host, method, path, body)
    }
}

pub(crate) fn admin(host: &Portcullis, method: &str, path: &str, body: &[u8]) -> Result<Value> {
    let request = http::request(method, path, &[("content-type", "application/json")], body);
    let answer = http::send(&host.config().admin_socket(), &request)?;
    match answer.status {
        200..300 => answer.json(),
        status => Err(Error::Unexpected(format!("{method} {path}: {status}: {}", answer.text()))),
    }
}
