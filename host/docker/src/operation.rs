//! The daemon's operations, and which one a call is.

mod path;
#[cfg(test)]
mod tests;

use portcullis_model::Access;

use crate::json::{Shape, shapes};
use crate::target::ApiVersion;

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
    /// Whether daemons up to 20.10 decode the body whatever its `Content-Type`.
    pub any_type: bool,
    /// Below this version, old daemons do something else.
    pub since: Option<ApiVersion>,
    pub query: Query,
}

/// The query parameters that the daemon reads for an operation.
#[derive(Clone, Copy, Debug)]
pub enum Query {
    Known {
        /// Those of which it reads the first value.
        first: &'static [&'static str],
        /// Those of which it reads every value.
        every: &'static [&'static str],
    },
    /// Nobody knows: any of them, the first value.
    Unknown,
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

// === impl Query ===

impl Query {
    /// Whether the daemon reads only the first value of this parameter.
    pub(crate) fn reads_first_of(self, name: &str) -> bool {
        match self {
            Self::Known { first, .. } => first.contains(&name),
            Self::Unknown => true,
        }
    }

    /// Whether the daemon reads no parameter at all.
    pub(crate) fn is_none(self) -> bool {
        matches!(self, Self::Known { first: [], every: [] })
    }
}

include!(concat!(env!("OUT_DIR"), "/routes.rs"));

/// The operation that the daemon's router finds, and the parts of the path that it names. The path is decoded, and has
/// no version.
pub fn find(method: &str, path: &str) -> Option<(&'static Operation, Parameters)> {
    let routes = OPERATIONS.iter().filter(|operation| operation.method == method);
    let mut found = routes.filter_map(|operation| Some((operation, path::matches(operation.path, path)?)));
    found.next()
}
