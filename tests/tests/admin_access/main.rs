//! Who may use the admin API, and what becomes of those who may not: by TCP with tokens and certificates, and at the unix
//! socket.

mod commands;
mod crowd;
mod matrix;
mod mistakes;
mod reload;
mod tenants;
mod wire;

use portcullis_tests::admin::{self, Door};
use portcullis_tests::http::{self, Answer};
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::tls::Authority;
use portcullis_tests::{Error, Result};

/// Of the host, with every scope.
const ROOT: &str = "token-of-the-whole-host";
/// Of the tenant `ci`, with every scope.
const CI: &str = "token-of-ci";
const ALL: &[&str] = &["read", "data", "policies"];

const CI_TOML: &str = "grants = [\"state\"]\n[[match]]\nuser = \"alice\"\n";
const OPS_TOML: &str = "grants = [\"state\"]\n[[match]]\nuser = \"olga\"\n";

/// A host with the tenants `ci` and `ops`, and these tables below `[admin]`.
fn host(authority: &Authority, tables: &str) -> Result<(Portcullis, Door)> {
    let config = Config::new()?.policy("allow-all")?.tenant("ci", CI_TOML)?.tenant("ops", OPS_TOML)?;
    start(config, authority, tables)
}

fn start(config: Config, authority: &Authority, tables: &str) -> Result<(Portcullis, Door)> {
    let listen = if tables.contains("[[admin.client]]") { admin::listen_to_clients } else { admin::listen };
    let host = config.toml(&(listen(authority) + tables)).start()?;
    let door = Door::of(&host, authority)?;
    Ok((host, door))
}

/// The two tokens that most tests need.
fn tokens() -> String {
    admin::token("root", ROOT, ALL, None) + &admin::token("ci-deployer", CI, ALL, Some("ci"))
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn ask(door: &Door, method: &str, path: &str, token: &str) -> Result<Answer> {
    door.send(&http::request(method, path, &[("Authorization", &bearer(token))], b""))
}

fn io(error: std::io::Error) -> Error {
    Error::Unexpected(error.to_string())
}
