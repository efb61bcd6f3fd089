//! What a record says of the call itself, outside of the call.

use crate::event::{About, Subject};
use crate::redact;

/// No text of the caller's own has more bytes than this.
const LONG: usize = 4 << 10;

/// Copied, so that it can be told to every sink after the call is gone.
#[derive(Debug, Default)]
pub(crate) struct LoggedSubject {
    pub(crate) operation: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) certificate: Option<String>,
}

// === impl LoggedSubject ===

impl LoggedSubject {
    pub(crate) fn of(about: &About) -> Self {
        let Subject { operation, method, path, user } = about.subject();
        Self {
            operation: operation.map(str::to_owned),
            method: method.map(cut),
            path: path.map(|path| cut(&redact::path(path))),
            user: user.map(cut),
            certificate: about.certificate().map(str::to_owned),
        }
    }
}

/// What a caller can make as long as they like.
fn cut(text: &str) -> String {
    if text.len() <= LONG {
        return text.to_owned();
    }
    let kept = text.get(..text.floor_char_boundary(LONG)).unwrap_or_default();
    format!("{kept}…")
}
