//! A tenant's folder: every mistake in it is told with its place and how to mend it, and nothing that a tenant does in
//! its own reaches outside, or keeps others from being served.

mod flood;
mod hostile;
mod links;
mod mistakes;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis_tests::caller::Caller;
use portcullis_tests::command::Finished;
use portcullis_tests::log::Mark;
use portcullis_tests::plugin::Reply;
use portcullis_tests::portcullis::{Config, Portcullis, Record};
use portcullis_tests::{Error, Result, guests, wait};

/// The unix user of a tenant.
const TENANT: u32 = 1001;
/// Another tenant, whose policy says its name and whose document nobody else may see.
const OTHER: &str = "other";
const OF_OTHER: &str = "name: other";

/// A host with one tenant who goes on whatever others do.
fn host() -> Result<Portcullis> {
    let config = Config::new()?
        .tenant(OTHER, &tenant_toml(OTHER, ""))?
        .tenant_says(OTHER, OTHER)?
        .file("tenants/other/data/version.json", br#"{"number": 7}"#)?;
    // A tenant's user must get to its folder.
    fs::set_permissions(config.path(), fs::Permissions::from_mode(0o755)).map_err(io)?;
    config.start()
}

/// Whoever has the tenant's name belongs to it, and is allowed what nobody denies.
fn tenant_toml(tenant: &str, more: &str) -> String {
    format!("default = \"allow\"\nmatch = [{{ user = \"{tenant}\" }}]\n{more}")
}

fn ask(host: &Portcullis, user: &str) -> Result<Reply> {
    Caller::named(user).list(&host.socket())
}

fn assert_other_goes_on(host: &Portcullis, note: &str) -> Result<()> {
    assert_eq!(ask(host, OTHER)?.msg, OF_OTHER, "{note}");
    Ok(())
}

fn folder(host: &Portcullis, tenant: &str) -> PathBuf {
    host.config().path().join("tenants").join(tenant)
}

/// Makes a tenant's folder that belongs to the tenant's user, but for `tenant.toml`; has `arrange` fill it, and puts it in
/// place in one step.
fn put_tenant(host: &Portcullis, tenant: &str, toml: &str, arrange: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    // As deep as the place where it will be, so that relative symlinks lead to the same.
    let staging = host.config().path().join("staging");
    let staged = staging.join(tenant);
    for path in [staged.clone(), staged.join("policies"), staged.join("data")] {
        fs::create_dir_all(&path).map_err(io)?;
        chown(&path, Some(TENANT), Some(TENANT)).map_err(io)?;
    }
    fs::write(staged.join("tenant.toml"), toml).map_err(io)?;
    arrange(&staged)?;
    fs::rename(&staged, folder(host, tenant)).map_err(io)
}

/// A line of shell in a folder, by a user who has no rights but those of the tenant.
fn as_tenant(folder: &Path, line: &str) -> Result<()> {
    let user = format!("--reuid={TENANT}");
    let group = format!("--regid={TENANT}");
    Finished::well(
        Command::new("setpriv").args([&user, &group, "--clear-groups", "sh", "-ec", line]).current_dir(folder),
    )
    .map(drop)
}

/// The same by root, for what a tenant might have brought about by other means.
fn as_root(folder: &Path, line: &str) -> Result<()> {
    Finished::well(Command::new("sh").args(["-ec", line]).current_dir(folder)).map(drop)
}

/// Waits until something of a tenant is told, and gives its `problem`.
fn problem_of(host: &Portcullis, mark: Mark, tenant: &str, message: &str) -> Result<String> {
    let what = format!("`{message}` of `{tenant}`");
    let is_its = |record: &Record| record.is_of(tenant) && record.message() == message;
    Ok(host.wait_for(mark, &what, is_its)?.text("problem").to_owned())
}

/// Waits until a tenant's caller is answered so.
fn wait_for_answer(host: &Portcullis, user: &str, is_right: impl Fn(&Reply) -> bool) -> Result<()> {
    let what = format!("the answer for `{user}`");
    wait::until(&what, wait::DEADLINE, || ask(host, user).is_ok_and(|reply| is_right(&reply)).then_some(()))
}

fn says(words: &str) -> Result<Vec<u8>> {
    guests::that_says(words)
}

fn io(error: std::io::Error) -> Error {
    Error::Unexpected(error.to_string())
}
