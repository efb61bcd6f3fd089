//! The decision log: every decision is in it, nothing secret is, and no failure loses what must be kept.

mod file;
mod journal;
mod kept;
mod kinds;
mod schema;
mod secrets;

use portcullis_tests::Result;
use portcullis_tests::decisions::LogFile;
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::{Error, plugin};
use serde_json::{Value, json};

/// The file of a host with a `file` sink.
fn log_of(config: &Config) -> LogFile {
    LogFile::new(config.path().join("logs").join("decisions.log"))
}

/// A configuration with a `file` sink, and more of its tables.
fn with_file(decision_log: &str, file: &str) -> Result<Config> {
    let config = Config::new()?;
    let path = log_of(&config).path().to_owned();
    Ok(config.toml(&format!("[decision_log]\n{decision_log}\n[decision_log.file]\npath = {path:?}\n{file}")))
}

/// A plugin call, as dockerd posts it.
fn call(method: &str, uri: &str, headers: &Value, body: Option<&Value>) -> Vec<u8> {
    let mut headers = headers.clone();
    let mut call = json!({ "RequestMethod": method, "RequestUri": uri });
    if let Some(body) = body {
        let body = body.to_string();
        if let Some(headers) = headers.as_object_mut() {
            headers.insert("Content-Type".to_owned(), "application/json".into());
            headers.insert("Content-Length".to_owned(), body.len().to_string().into());
        }
        set(&mut call, "RequestBody", base64_simd::STANDARD.encode_to_string(&body).into());
    }
    set(&mut call, "RequestHeaders", headers);
    call.to_string().into_bytes()
}

fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

/// A call that can be told from every other one by its path.
fn numbered(number: usize) -> Vec<u8> {
    call("GET", &format!("/v1.44/containers/c{number}/json"), &json!({}), None)
}

fn ask(host: &Portcullis, call: &[u8]) -> Result<plugin::Reply> {
    plugin::ask(&host.socket(), call)
}

fn io(error: std::io::Error) -> Error {
    Error::Unexpected(error.to_string())
}
