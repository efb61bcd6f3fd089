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
    /// Without the ID of the decision.
    #[serde(default)]
    pub msg: String,
    #[serde(default)]
    pub err: String,
    /// The short ID of the decision, which stands in brackets at the end of what the caller is told of a denial.
    #[serde(skip)]
    pub id: String,
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

/// What a caller is told, and the short ID of the decision at its end; an empty one where there is none.
pub fn split_id(told: &str) -> (&str, &str) {
    let is_id = |id: &str| id.len() == 10 && id.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    let split = told.strip_suffix(']').and_then(|told| told.rsplit_once(" ["));
    split.filter(|(_, id)| is_id(id)).unwrap_or((told, ""))
}

impl Reply {
    /// Only an answer with status 200 is a decision for dockerd.
    pub fn read(answer: &Answer) -> Result<Self> {
        if answer.status != 200 {
            return Err(Error::Unexpected(format!("status {}: {}", answer.status, answer.text())));
        }
        let reply: Self = serde_json::from_slice(&answer.body)
            .map_err(|error| Error::Unexpected(format!("{error}: {}", answer.text())))?;
        Ok(reply.split())
    }

    /// Takes the ID off the message; what has none stays as it is.
    fn split(self) -> Self {
        let (msg, id) = split_id(&self.msg);
        Self { msg: msg.to_owned(), id: id.to_owned(), ..self }
    }
}
