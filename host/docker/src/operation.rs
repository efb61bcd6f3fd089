//! The daemon's operations, and which one a call is.

mod path;
#[cfg(test)]
mod tests;

use portcullis_model::Access;

use crate::json::{Shape, shapes};

pub use self::path::{Parameters, Piece};

/// One route of the daemon.
#[derive(Debug)]
pub struct Operation {
    /// The ID in the Engine API; in parentheses where its description has none.
    pub id: &'static str,
    pub method: &'static str,
    pub path: &'static [Piece],
    pub access: Access,
    pub body: Body,
    /// Query parameters of which the daemon reads every value.
    pub repeatable: &'static [&'static str],
}

/// What an operation does with the body of a call.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// Decodes it as JSON.
    Json(Shape),
    /// Reads it as a stream; no plugin is shown it.
    Tar,
    /// Reads it as a stream where the query says so, and nothing otherwise.
    Import,
    /// Decodes credentials from it; no plugin is shown it.
    Credentials(Shape),
    /// Reads nothing but a form, whose fields come before the query's.
    Parameters,
    None,
}

include!(concat!(env!("OUT_DIR"), "/routes.rs"));

/// The operation that the daemon's router finds, and the parts of the path that it names. The path is decoded, and has
/// no version.
pub fn find(method: &str, path: &str) -> Option<(&'static Operation, Parameters)> {
    let routes = OPERATIONS.iter().filter(|operation| operation.method == method);
    let mut found = routes.filter_map(|operation| Some((operation, path::matches(operation.path, path)?)));
    found.next()
}
