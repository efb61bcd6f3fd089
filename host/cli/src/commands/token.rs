//! `portcullis token`

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustls::crypto::ring;
use sha2::{Digest as _, Sha256};

use crate::args::Token;
use crate::exit::Exit;
use crate::out::{self, fail, note};

/// By which tools that look for secrets in files can know one.
const PREFIX: &str = "portcullis_";
const BYTES: usize = 32;

pub(crate) fn run(args: &Token) -> Exit {
    token(args).into()
}

fn token(args: &Token) -> Result<(), Exit> {
    let mut random = [0; BYTES];
    let source = ring::default_provider().secure_random;
    source.fill(&mut random).map_err(|_| fail(Exit::Failed, "the system gives no random numbers"))?;
    let token = format!("{PREFIX}{}", hex(&random));
    match &args.output {
        Some(path) => write(path, &token).map_err(|error| fail(Exit::Failed, unwritten(path, &error)))?,
        None => note!("The token, which is shown once and kept nowhere:\n\n  {token}\n"),
    }
    note!("To be added to portcullis.toml of the host, and then `portcullis reload`:\n");
    out::bytes(table(args, &token).as_bytes());
    Ok(())
}

fn unwritten(path: &Path, error: &std::io::Error) -> String {
    let path = path.display();
    if error.kind() == ErrorKind::AlreadyExists {
        return format!(
            "{path}: is there already, and a token never replaces a file\n  help: choose another name, or remove the file \
             if nobody uses the token in it"
        );
    }
    format!("{path}: the token cannot be written there: {error}")
}

/// A new file that only its owner can read.
fn write(path: &Path, token: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{token}")
}

/// What the host has to know of it.
fn table(args: &Token, token: &str) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let scopes: Vec<_> = args.scope.iter().map(|scope| quoted(scope)).collect();
    let tenant =
        args.tenant.as_ref().map(|tenant| format!("tenant = {}\n", quoted(tenant.as_str()))).unwrap_or_default();
    format!(
        "[[admin.token]]\nname = {}\nsha256 = \"{}\"\nscopes = [{}]\n{tenant}",
        quoted(&args.name),
        hex(&Sha256::digest(token)),
        scopes.join(", "),
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
