//! The plugin protocol, from dockerd's side.

use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::http::{self, Answer};

pub const REQUEST: &str = "/AuthZPlugin.AuthZReq";
pub const RESPONSE: &str = "/AuthZPlugin.AuthZRes";

/// What a plugin replies, strictly: dockerd would take much more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Reply {
    pub allow: bool,
    #[serde(default)]
    pub msg: String,
    #[serde(default)]
    pub err: String,
}

/// The bytes of one call.
pub fn call(endpoint: &str, body: &[u8]) -> Vec<u8> {
    let headers = [("Accept", "application/vnd.docker.plugins.v1.2+json"), ("User-Agent", "Go-http-client/1.1")];
    http::request("POST", endpoint, &headers, body)
}

/// Asks whether a call may be made.
pub fn ask(socket: &Path, body: &[u8]) -> Result<Reply> {
    Reply::read(&http::send(socket, &call(REQUEST, body))?)
}

impl Reply {
    /// Only an answer with status 200 is a decision for dockerd.
    pub fn read(answer: &Answer) -> Result<Self> {
        if answer.status != 200 {
            return Err(Error::Unexpected(format!("status {}: {}", answer.status, answer.text())));
        }
        serde_json::from_slice(&answer.body).map_err(|error| Error::Unexpected(format!("{error}: {}", answer.text())))
    }
}
