//! Documents of a host that runs: read and changed at the admin socket, active when that is answered, and kept in the folder.

mod disk;
mod places;
mod tenants;
mod writers;

use std::fs;
use std::path::Path;

use portcullis_tests::http::{self, Answer};
use portcullis_tests::portcullis::Portcullis;
use portcullis_tests::{Error, Result};
use serde_json::Value;

const TENANT: &str = "[[match]]\nuser = \"alice\"\n[limits]\ndata_bytes = 200\n";
const MERGE_PATCH: (&str, &str) = ("content-type", "application/merge-patch+json");
const YAML: (&str, &str) = ("content-type", "application/yaml");

/// One call, and what is expected of its answer: the status, and a piece of the body.
type Step<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);

fn io(error: std::io::Error) -> Error {
    Error::Unexpected(error.to_string())
}

fn send(host: &Portcullis, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Result<Answer> {
    http::send(&host.config().admin_socket(), &http::request(method, path, headers, body.as_bytes()))
}

fn get(host: &Portcullis, path: &str) -> Result<(Value, String)> {
    let answer = send(host, "GET", path, &[], "")?;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    Ok((answer.json()?, answer.header("etag").unwrap_or_default().to_owned()))
}

fn go_through(host: &Portcullis, steps: &[Step<'_>]) -> Result<()> {
    for (method, path, headers, body, status, told) in steps {
        let answer = send(host, method, path, headers, body)?;
        let text = answer.text();
        assert_eq!(answer.status, *status, "{method} {path} {headers:?} {body}: {text}");
        assert!(text.contains(told), "{method} {path} {headers:?} {body}: {text}");
    }
    Ok(())
}

fn on_disk(host: &Portcullis, file: &str) -> Result<String> {
    fs::read_to_string(host.config().path().join(file)).map_err(io)
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).map_err(io)?.flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    Ok(names)
}
