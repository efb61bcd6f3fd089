//! Exceptions, which are the operator's data: a list, `data/exceptions.json`.
//!
//! ```json
//! [
//!     { "user": "ops", "controls": ["privileged", "host-paths"], "why": "debugging" },
//!     { "image": "docker.io/prom/node-exporter", "label": "team=monitoring", "controls": ["host-network"] }
//! ]
//! ```
//!
//! An exception applies if the call fits all that it names. It is looked at only where there is an objection. The user is
//! proved; image and label are what the caller wrote.

use portcullis_policy::view::{Image, Labelled};
use portcullis_policy::{Document, Kind as JsonKind, Value};

use crate::call::{Call, Kind};
use crate::controls;

const KEYS: [&str; 5] = ["user", "image", "label", "controls", "why"];

/// Whether the objection of a control to this call is excepted. An error is a mistake in the list: what was meant is not known.
pub(crate) fn cover(call: &Call<'_>, data: &Document, control: &str) -> Result<bool, String> {
    let list = data.at(["exceptions"]);
    match list.kind() {
        None => return Ok(false),
        Some(JsonKind::Array) => {}
        Some(_) => return Err("`exceptions` must be a list".to_owned()),
    }
    // All of them are read, so that a mistake shows at the first denial and not years later.
    let mut is_covered = false;
    for (exception, number) in list.items().zip(1..) {
        let fits = applies(call, &exception, control).map_err(|expected| format!("entry {number} {expected}"))?;
        is_covered |= fits;
    }
    Ok(is_covered)
}

fn applies(call: &Call<'_>, exception: &Value<'_>, control: &str) -> Result<bool, String> {
    let keys = exception.keys().ok_or("must be an object")?;
    if let Some(unknown) = keys.iter().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(format!("has `{unknown}`; known are {}", crate::text::listed(&KEYS)));
    }
    let names = exception.at(["controls"]).texts().ok_or("must have a list of texts as `controls`")?;
    if let Some(unknown) = names.iter().find(|name| !controls::NAMES.contains(&name.as_str())) {
        return Err(format!("names the control `{unknown}`, which there is not"));
    }
    let (user, image, label) = (text(exception, "user")?, text(exception, "image")?, text(exception, "label")?);
    if user.is_none() && image.is_none() && label.is_none() {
        return Err(
            "must have a `user`, an `image` or a `label`; to turn a control off for all, use the setting `off`"
                .to_owned(),
        );
    }
    let fits_user = |user: String| call.request.user().is_some_and(|of_call| of_call == user);
    Ok(names.iter().any(|name| name == control)
        && user.is_none_or(fits_user)
        && image.is_none_or(|pattern| call.request.image().is_some_and(|image| fits_image(&pattern, &image)))
        && label.is_none_or(|label| has_label(call, &label)))
}

/// A text that is not empty, if there is one.
fn text(exception: &Value<'_>, key: &str) -> Result<Option<String>, String> {
    let value = exception.at([key]);
    match value.text() {
        Some(text) if !text.is_empty() => Ok(Some(text)),
        None if !value.exists() => Ok(None),
        Some(_) | None => Err(format!("must have a text as `{key}`")),
    }
}

/// `docker.io/library/alpine`, with `:TAG` or `@sha256:…` if they matter.
fn fits_image(pattern: &str, image: &Image) -> bool {
    let (name, digest) = match pattern.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (pattern, None),
    };
    let (name, tag) = match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        Some(_) | None => (name, None),
    };
    name == image.name()
        && tag.is_none_or(|tag| image.tag.as_deref() == Some(tag))
        && digest.is_none_or(|digest| image.digest.as_deref() == Some(digest))
}

/// `NAME`, or `NAME=VALUE`; of the container, or the service or its containers.
fn has_label(call: &Call<'_>, wanted: &str) -> bool {
    if !matches!(call.kind, Kind::Create | Kind::Service) {
        return false;
    }
    let (name, value) = match wanted.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (wanted, None),
    };
    let fits = |label: &portcullis_policy::view::Label| {
        label.of != Labelled::Volume && label.name == name && value.is_none_or(|value| label.value == value)
    };
    call.request.labels().iter().any(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_fits_by_name_and_by_what_else_the_pattern_has() {
        let image = |tag: Option<&str>, digest: Option<&str>| Image {
            registry: "localhost:5000".to_owned(),
            repository: "team/app".to_owned(),
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        };
        for (pattern, tag, digest, expected) in [
            ("localhost:5000/team/app", Some("1"), None, true),
            ("localhost:5000/team/app", None, Some("sha256:aa"), true),
            ("localhost:5000/team/app:1", Some("1"), None, true),
            ("localhost:5000/team/app:1", Some("2"), None, false),
            ("localhost:5000/team/app:1", None, Some("sha256:aa"), false),
            ("localhost:5000/team/app@sha256:aa", None, Some("sha256:aa"), true),
            ("localhost:5000/team/app@sha256:aa", Some("1"), None, false),
            ("localhost:5000/team/app2", Some("1"), None, false),
            ("localhost:5000/team", Some("1"), None, false),
            ("team/app", Some("1"), None, false),
        ] {
            assert_eq!(fits_image(pattern, &image(tag, digest)), expected, "{pattern} {tag:?} {digest:?}");
        }
    }
}
