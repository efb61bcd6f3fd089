//! Where the built things are: beside this program, in cargo's target folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Doing, Error, Result};

/// The `portcullis` binary.
pub fn portcullis() -> Result<PathBuf> {
    let path = target()?.join("release/portcullis");
    built(path, "the `portcullis` binary", "build")
}

/// The program of `make demo`.
pub fn demo() -> Result<PathBuf> {
    let path = target()?.join("release/demo");
    built(path, "the demo", "build")
}

/// The `.wasm` file of a policy of this repository, by its package's name.
pub fn policy(package: &str) -> Result<PathBuf> {
    let file = format!("{}.wasm", package.replace('-', "_"));
    let path = target()?.join("wasm32-unknown-unknown/guest").join(file);
    built(path, &format!("the policy `{package}`"), "policies")
}

/// The bytes of a policy of this repository.
pub fn policy_bytes(package: &str) -> Result<Vec<u8>> {
    let path = policy(package)?;
    fs::read(&path).doing_to("reading", &path)
}

/// The fuzzer of HTTP interfaces that are described, in a folder of its own.
pub fn schemathesis() -> Result<PathBuf> {
    let path = target()?.join("schemathesis/bin/schemathesis");
    built(path, "schemathesis", "setup")
}

/// A program of Prometheus, in a folder of its own.
pub fn prometheus(program: &str) -> Result<PathBuf> {
    let path = target()?.join("prometheus/usr/bin").join(program);
    built(path, &format!("`{program}`"), "setup")
}

/// A file of a release of Docker that is not installed, in a folder of its own.
pub fn docker(release: &str, file: &str) -> Result<PathBuf> {
    let path = target()?.join("docker").join(release).join(file);
    built(path, &format!("Docker {release}"), "setup")
}

/// Where the real clients of Docker are: `node`, `python` and `skopeo`.
pub fn clients() -> Result<PathBuf> {
    let path = target()?.join("clients");
    for (part, what) in [("node", "dockerode and what else is of node"), ("python", "docker-py"), ("skopeo", "skopeo")]
    {
        built(path.join(part).join("made-from.txt"), what, "clients")?;
    }
    Ok(path)
}

/// A program that the machine must have.
pub fn installed(program: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .ok_or_else(|| Error::NotInstalled { program: program.to_owned() })
}

/// Tests are in `TARGET/release/deps`, programs in `TARGET/release`.
fn target() -> Result<PathBuf> {
    let program = std::env::current_exe().doing("finding this program")?;
    let release = program.ancestors().find(|folder| folder.ends_with("release"));
    release.and_then(Path::parent).map(Path::to_owned).ok_or_else(|| {
        Error::Unexpected(format!("`{}` is not a release build: `make test` makes one", program.display()))
    })
}

fn built(path: PathBuf, what: &str, target: &'static str) -> Result<PathBuf> {
    if path.is_file() { Ok(path) } else { Err(Error::NotBuilt { what: what.to_owned(), path, target }) }
}
