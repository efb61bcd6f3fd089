//! Where in which document.

use percent_encoding::percent_decode_str;

use crate::manage::ManageError;

/// The longest name of a document: with its extension, and with what stands before it while it is written, it is a file's name.
const MAX_NAME: usize = 200;

/// A document, and a place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DocumentPath {
    /// The file's, without its extension.
    pub(crate) name: String,
    /// An RFC 6901 pointer from the document's root.
    pub(crate) pointer: String,
}

// === impl DocumentPath ===

impl DocumentPath {
    /// Of what follows `/v1/data/` in a path: an RFC 6901 pointer, each token percent-encoded, whose first token is the document.
    pub(crate) fn of_path(path: &str) -> Result<Self, ManageError> {
        let mut tokens = path.split('/').map(token);
        let name = unescaped(&tokens.next().unwrap_or_else(|| Ok(String::new()))?);
        let pointer = tokens.map(|token| Ok(format!("/{}", token?))).collect::<Result<String, ManageError>>()?;
        check(&name)?;
        Ok(Self { name, pointer })
    }
}

/// A token as it stands in a pointer. A slash that was percent-encoded is part of a key.
fn token(segment: &str) -> Result<String, ManageError> {
    let malformed = |what: &str| ManageError::Malformed(format!("`{segment}` in the path {what}"));
    let token = percent_decode_str(segment).decode_utf8().map_err(|_| malformed("is not UTF-8"))?;
    let token = token.replace('/', "~1");
    let is_escaped = |at: usize| token.get(at + 1..).is_some_and(|rest| rest.starts_with(['0', '1']));
    if !token.match_indices('~').all(|(at, _)| is_escaped(at)) {
        return Err(malformed("is no part of a JSON pointer: a `~` is written `~0`, and a `/` in a key `~1`"));
    }
    Ok(token)
}

fn unescaped(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

fn check(name: &str) -> Result<(), ManageError> {
    let is_good = !name.is_empty()
        && name.len() <= MAX_NAME
        && !name.starts_with('.')
        && !name.contains(|c: char| c == '/' || c.is_control());
    if is_good {
        return Ok(());
    }
    let shown: String = name.chars().take(64).collect();
    Err(ManageError::Malformed(format!(
        "`{}` is not a document's name: 1 to {MAX_NAME} bytes, no `/` or control character, and no `.` at its beginning",
        shown.escape_debug()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_document_and_a_pointer() {
        for (path, name, pointer) in [
            ("users", "users", ""),
            ("users/alice", "users", "/alice"),
            ("users/a~1b/c~0d", "users", "/a~1b/c~0d"),
            ("users/a%2Fb", "users", "/a~1b"),
            ("users/%7E1", "users", "/~1"),
            ("users/", "users", "/"),
            ("users//x", "users", "//x"),
            ("us%65rs/%C3%A9", "users", "/é"),
            ("a.b c/-", "a.b c", "/-"),
            ("x~0", "x~", ""),
        ] {
            let place = DocumentPath::of_path(path).expect(path);
            assert_eq!((place.name.as_str(), place.pointer.as_str()), (name, pointer), "{path}");
        }
    }

    #[test]
    fn what_is_no_name_and_no_pointer_is_refused() {
        let long = "x".repeat(MAX_NAME + 1);
        for path in [
            "",
            ".",
            "..",
            ".hidden",
            "/x",
            "..%2Fx",
            "a%2Fb",
            "a~1b",
            "%2e%2e",
            "a%00",
            "a%0A",
            "%ff",
            "users/%ff",
            "users/~",
            "users/~2",
            "users/%7E",
            &long,
        ] {
            assert!(matches!(DocumentPath::of_path(path), Err(ManageError::Malformed(_))), "{path}");
        }
    }
}
