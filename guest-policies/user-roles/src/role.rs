//! Roles: lists of operations and groups that are allowed or denied.

use portcullis_policy::{Access, Document, Kind, Request};

use crate::operations::{group_of, is_group};

/// A call, as roles speak of it.
pub(crate) struct Called {
    operation: String,
    group: Option<&'static str>,
    /// It changes nothing, and gives no more than a look.
    is_look: bool,
}

/// What the roles of a user come to.
pub(crate) enum Outcome {
    Allowed,
    /// The role and its entry that deny it.
    Denied(String, String),
    /// None allows it. What they do allow.
    NotAllowed(Vec<String>),
}

/// The two lists of a role.
const LISTS: [&str; 2] = ["allow", "deny"];

/// What all of a user's roles say: one that denies outweighs all that allow. An error is a mistake in the data.
pub(crate) fn decide(data: &Document, roles: &[String], called: &Called) -> Result<Outcome, String> {
    let mut allowed = Vec::new();
    let mut denied = None;
    let mut is_allowed = false;
    for name in roles {
        check(data, name)?;
        for entry in list(data, name, "allow")? {
            is_allowed |= covers(&entry, called).ok_or_else(|| unknown(name, &entry))?;
            allowed.push(entry);
        }
        for entry in list(data, name, "deny")? {
            if covers(&entry, called).ok_or_else(|| unknown(name, &entry))? {
                denied = denied.or(Some((name.clone(), entry)));
            }
        }
    }
    Ok(match denied {
        Some((role, entry)) => Outcome::Denied(role, entry),
        None if is_allowed => Outcome::Allowed,
        None => Outcome::NotAllowed(allowed),
    })
}

/// Whether an entry covers a call: an operation, a group, `all`, or one of these two with `:read`. None where it is nothing of
/// that.
fn covers(entry: &str, called: &Called) -> Option<bool> {
    let (name, is_wide) = match entry.strip_suffix(":read") {
        Some(name) => (name, called.is_look),
        None => (entry, true),
    };
    if name == "all" {
        return Some(is_wide);
    }
    if is_group(name) {
        return Some(is_wide && called.group == Some(name));
    }
    group_of(entry).map(|_| called.operation == entry)
}

fn check(data: &Document, name: &str) -> Result<(), String> {
    let role = data.at(["roles", name]);
    if role.kind() != Some(Kind::Object) {
        return Err(format!("there is no role `{name}` in the operator's data"));
    }
    match role.keys().unwrap_or_default().iter().find(|key| !LISTS.contains(&key.as_str())) {
        Some(key) => Err(format!("the role `{name}` has `{key}`; a role has `allow` and `deny`")),
        None => Ok(()),
    }
}

fn list(data: &Document, name: &str, list: &str) -> Result<Vec<String>, String> {
    let list_of_role = data.at(["roles", name, list]);
    if !list_of_role.exists() {
        return Ok(Vec::new());
    }
    list_of_role.texts().ok_or_else(|| format!("`{list}` of the role `{name}` must be a list of operations and groups"))
}

fn unknown(role: &str, entry: &str) -> String {
    format!("the role `{role}` names `{entry}`, which is no operation and no group of operations")
}

// === impl Called ===

impl Called {
    pub(crate) fn new(request: &Request, is_more_than_a_look: bool) -> Self {
        let operation = request.operation();
        let group = group_of(&operation);
        Self { operation, group, is_look: request.access() == Access::Read && !is_more_than_a_look }
    }
}
