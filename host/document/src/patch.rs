//! Changing a document by a list of operations (RFC 6902, JSON Patch) or by example (RFC 7396, JSON Merge Patch).
//!
//! The patch is a document too. All of it is done or nothing: a document never changes, and the new one shares with the
//! old one what the patch does not touch.

use std::borrow::Cow;

use crate::document::{Bounds, Change, ChangeError, Document, Draft, Graft, Kind, Value, Way};

pub use crate::document::Why;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

/// Why a document was not patched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    #[error("a patch is a list of operations, and this is {0}")]
    NotList(Kind),
    /// Operations count from 0, as in the list.
    #[error("operation {index}: {problem}")]
    Operation { index: usize, problem: Problem },
}

/// What is wrong with one operation of a patch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("an operation is an object, and this is {0}")]
    NotObject(Kind),
    #[error("`{member}` is missing")]
    Missing { member: &'static str },
    #[error("`{member}` must be a text, and is {found}")]
    NotText { member: &'static str, found: Kind },
    #[error("there is no operation `{0}`")]
    Unknown(String),
    #[error("`{member}` is no JSON pointer: `{pointer}`")]
    NotPointer { member: &'static str, pointer: String },
    #[error("`{operation}` at `{pointer}`: {why}")]
    Change { operation: &'static str, pointer: String, why: Why },
}

/// One operation of RFC 6902, section 4.
enum Operation<'p> {
    Put { change: Change, value: Value<'p> },
    Remove,
    Move { from: Cow<'p, str> },
    Copy { from: Cow<'p, str> },
    Test { value: Value<'p> },
}

/// `document` after every operation of `patch`, in their order.
pub fn apply(document: &Document, patch: &Document) -> Result<Document, PatchError> {
    apply_at(document, "", patch, Bounds::default())
}

/// As [`apply`], with pointers that begin at the value to which `at` leads. `at` must be a JSON pointer. It costs what the
/// operations cost, however large that value is, and no more than a few times the document.
pub fn apply_at(document: &Document, at: &str, patch: &Document, bounds: Bounds<'_>) -> Result<Document, PatchError> {
    let operations = patch.root();
    if operations.kind() != Kind::List {
        return Err(PatchError::NotList(operations.kind()));
    }
    let mut draft = Draft::of(document, bounds);
    for (index, operation) in operations.items().enumerate() {
        let done = carry_out(operation, at, patch, &mut draft);
        done.map_err(|problem| PatchError::Operation { index, problem })?;
    }
    Ok(draft.finish())
}

/// `document`, with the members of `patch` over its own, on all levels; what is null in `patch` is removed.
pub fn merge(document: &Document, patch: &Document) -> Result<Document, ChangeError> {
    merge_at(document, "", patch, Bounds::default())
}

/// As [`merge`], of the value to which `at` leads, and which is made where only its place is there.
pub fn merge_at(document: &Document, at: &str, patch: &Document, bounds: Bounds<'_>) -> Result<Document, ChangeError> {
    let way = Way::new(at)?;
    let mut draft = Draft::of(document, bounds);
    draft.merge_at(&way, patch.root()).map_err(|why| way.error(why))?;
    Ok(draft.finish())
}

fn carry_out(operation: Value<'_>, at: &str, patch: &Document, draft: &mut Draft<'_>) -> Result<(), Problem> {
    if operation.kind() != Kind::Object {
        return Err(Problem::NotObject(operation.kind()));
    }
    let pointer = pointer(operation, at, "path")?;
    let path = way(&pointer, "path")?;
    let operation = Operation::of(operation, at)?;
    let done = match &operation {
        Operation::Put { change, value } => draft.put(&path, *change, Graft::of(*value, patch)),
        Operation::Remove => draft.remove(&path),
        Operation::Move { from } => draft.shift(&way(from, "from")?, &path),
        Operation::Copy { from } => draft.copy(&way(from, "from")?, &path),
        Operation::Test { value } => draft.test(&path, *value),
    };
    let operation = operation.name();
    done.map_err(|why| Problem::Change { operation, pointer: pointer.into_owned(), why })
}

// === impl PatchError ===

impl PatchError {
    /// Whether the patch is one, and only does not fit the document.
    pub fn is_of_document(&self) -> bool {
        matches!(self, Self::Operation { problem: Problem::Change { .. }, .. })
    }

    /// Why the document was not changed, where the patch is one.
    pub fn why(&self) -> Option<&Why> {
        match self {
            Self::Operation { problem: Problem::Change { why, .. }, .. } => Some(why),
            Self::Operation { .. } | Self::NotList(_) => None,
        }
    }

    /// Whether the document is not what the patch's `test` takes it for.
    pub fn is_test(&self) -> bool {
        matches!(self, Self::Operation { problem: Problem::Change { operation: "test", .. }, .. })
    }
}

// === impl Operation ===

impl<'p> Operation<'p> {
    fn of(operation: Value<'p>, at: &str) -> Result<Self, Problem> {
        let value = || operation.get("value").ok_or(Problem::Missing { member: "value" });
        Ok(match text(operation, "op")? {
            "add" => Self::Put { change: Change::Add, value: value()? },
            "replace" => Self::Put { change: Change::Replace, value: value()? },
            "remove" => Self::Remove,
            "move" => Self::Move { from: pointer(operation, at, "from")? },
            "copy" => Self::Copy { from: pointer(operation, at, "from")? },
            "test" => Self::Test { value: value()? },
            unknown => return Err(Problem::Unknown(unknown.to_owned())),
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Put { change: Change::Add | Change::Set, .. } => "add",
            Self::Put { change: Change::Replace, .. } => "replace",
            Self::Remove => "remove",
            Self::Move { .. } => "move",
            Self::Copy { .. } => "copy",
            Self::Test { .. } => "test",
        }
    }
}

/// A member's pointer, from the root.
fn pointer<'p>(operation: Value<'p>, at: &str, member: &'static str) -> Result<Cow<'p, str>, Problem> {
    let pointer = text(operation, member)?;
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return Err(Problem::NotPointer { member, pointer: pointer.to_owned() });
    }
    Ok(if at.is_empty() { Cow::Borrowed(pointer) } else { Cow::Owned(format!("{at}{pointer}")) })
}

fn way<'p>(pointer: &'p str, member: &'static str) -> Result<Way<'p>, Problem> {
    Way::new(pointer).map_err(|_| Problem::NotPointer { member, pointer: pointer.to_owned() })
}

fn text<'p>(operation: Value<'p>, member: &'static str) -> Result<&'p str, Problem> {
    let value = operation.get(member).ok_or(Problem::Missing { member })?;
    value.as_str().ok_or(Problem::NotText { member, found: value.kind() })
}
