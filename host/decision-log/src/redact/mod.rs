//! A call as it is logged: what a policy can see of it, with what is secret taken out.
//!
//! [`known`] says what can carry a secret in a call of any operation, [`portcullis_config::redaction`] what the operator said beside that; `body`
//! and `target` write the parts of a call, by [`words`].

mod body;
pub mod known;
mod place;
mod plan;
mod splice;
mod target;
#[cfg(test)]
mod tests;
pub mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use portcullis_config::redaction::{Redaction, Rule};
use portcullis_docker::target::Target;
use portcullis_docker::wire::Call;
use portcullis_docker::{DockerRequest, operation};
use portcullis_document::write_text;
use portcullis_model::Request;
use portcullis_model::view::MountKind;

use self::body::Body;
use self::place::Redacted;
use crate::event::About;

pub use self::target::path;

/// A call has no more bytes than this in a record.
pub(super) const MOST: usize = 56 << 10;
/// The body of a plugin call of more bytes than this is left out.
const LARGE: usize = 256 << 10;

/// Takes out what is secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redactor {
    /// Places of which nothing is logged.
    pub redact: Vec<Rule>,
    /// Places that are logged though they can carry a secret.
    pub keep: Vec<Rule>,
}

/// The parts of a call.
#[derive(Clone, Copy)]
struct Parts<'a> {
    operation: Option<&'a str>,
    uri: &'a str,
    headers: &'a [(String, String)],
    authentication: Option<&'a str>,
    certificates: &'a [String],
    request: Option<&'a DockerRequest>,
    /// Whether its body may have been left out.
    is_bodiless: bool,
}

// === impl Redactor ===

impl From<Redaction> for Redactor {
    fn from(Redaction { redact, keep }: Redaction) -> Self {
        Self { redact, keep }
    }
}

impl Redactor {
    /// Appends JSON of a [`RequestRecord`](crate::record::RequestRecord), or `null`. `size` is the plugin
    /// call's, in bytes.
    pub fn request(&self, about: &About, size: usize, out: &mut String) {
        let start = out.len();
        if let Some(parts) = Parts::of(about) {
            for is_bodiless in [size > LARGE, true] {
                self.parts(Parts { is_bodiless: parts.is_bodiless || is_bodiless, ..parts }, out);
                if out.len() - start <= MOST {
                    return;
                }
                out.truncate(start);
            }
        }
        out.push_str("null");
    }

    fn parts(&self, parts: Parts<'_>, out: &mut String) {
        let Parts { operation, uri, headers, authentication, certificates, request, is_bodiless } = parts;
        let mut redacted = Redacted::default();
        let (uri, is_redacted) = target::target(self, operation, uri);
        if is_redacted {
            redacted.push("/uri");
        }
        out.push_str("{\"uri\":");
        write_text(&uri, out);
        self.headers(operation, headers, &mut redacted, out);
        if let Some(authentication) = authentication {
            out.push_str(",\"authentication\":");
            write_text(authentication, out);
        }
        texts("certificates", certificates.iter().map(String::as_str), out);
        let (mut is_without_body, mut is_unresolved) = (is_bodiless, false);
        if let Some(request) = request {
            if let (Some(body), Some(shape), false) = (request.body(), request.shape(), is_bodiless) {
                out.push_str(",\"body\":");
                let operation = request.operation();
                let is_ruled = self.redact.iter().chain(&self.keep).any(|rule| rule.is_of_body(operation));
                let is_spliced =
                    !is_ruled && !request.has_unknown_members() && splice::splice(operation, body, out, &mut redacted);
                if !is_spliced {
                    Body::new(self, out, &mut redacted).write(operation, body.root(), shape);
                }
            }
            is_without_body &= request.shape().is_some();
            is_unresolved = request.has_unasked_binds();
            resolved(request, out);
        }
        if !redacted.json().is_empty() {
            out.extend([",\"redacted\":[", redacted.json(), "]"]);
        }
        let left_out = [("/body", is_without_body), ("/resolved", is_unresolved)];
        texts("left_out", left_out.into_iter().filter_map(|(part, is_left_out)| is_left_out.then_some(part)), out);
        out.push('}');
    }

    fn headers(
        &self,
        operation: Option<&str>,
        headers: &[(String, String)],
        redacted: &mut Redacted,
        out: &mut String,
    ) {
        for (at, (name, value)) in headers.iter().enumerate() {
            let (value, is_redacted) = target::header(self, operation, name, value);
            if is_redacted {
                redacted.push(&format!("/headers/{at}/1"));
            }
            out.push_str(if at == 0 { ",\"headers\":[[" } else { ",[" });
            write_text(name, out);
            out.push(',');
            write_text(&value, out);
            out.push(']');
        }
        if !headers.is_empty() {
            out.push(']');
        }
    }
}

// === impl Parts ===

impl<'a> Parts<'a> {
    fn of(about: &'a About) -> Option<Self> {
        let of_call = |operation, call: &'a Call| Self {
            operation,
            uri: &call.uri,
            headers: &call.headers,
            authentication: call.authentication.as_deref(),
            certificates: call.certificates.texts(),
            request: None,
            is_bodiless: !matches!(call.method.as_str(), "GET" | "HEAD"),
        };
        Some(match about {
            About::Nothing => return None,
            About::Call(call) => of_call(operation(call), call),
            About::Refused(refusal) => of_call(refusal.operation, &refusal.call),
            About::Request(request) => Self {
                // What no rule keeps out although no daemon knows it.
                operation: Some(request.operation()).filter(|operation| *operation != "(Unknown)"),
                uri: request.uri(),
                headers: request.headers(),
                authentication: request.authentication(),
                certificates: request.certificate_texts(),
                request: Some(request),
                is_bodiless: false,
            },
        })
    }
}

/// What a call would be that was not read any further.
fn operation(call: &Call) -> Option<&'static str> {
    let target = Target::parse(&call.uri).ok()?;
    operation::find(&call.method, &target.path).map(|(operation, _)| operation.id)
}

/// A member that is a list of texts, unless that is empty.
fn texts<'t>(name: &str, texts: impl Iterator<Item = &'t str>, out: &mut String) {
    let mut is_first = true;
    for text in texts {
        if std::mem::take(&mut is_first) {
            // A text takes all that is written.
            let _ = write!(out, ",\"{name}\":[");
        } else {
            out.push(',');
        }
        write_text(text, out);
    }
    if !is_first {
        out.push(']');
    }
}

/// Where paths of mounts led that do not lead where they are written, if a policy asked.
fn resolved(request: &DockerRequest, out: &mut String) {
    let binds = request.known_mounts().iter().filter(|mount| mount.kind == MountKind::Bind);
    let elsewhere = binds.filter(|mount| mount.resolved.as_deref() != Some(&mount.source));
    let paths: BTreeMap<&str, Option<&str>> =
        elsewhere.map(|mount| (mount.source.as_str(), mount.resolved.as_deref())).collect();
    for (at, (path, resolved)) in paths.iter().enumerate() {
        out.push_str(if at == 0 { ",\"resolved\":{" } else { "," });
        write_text(path, out);
        out.push(':');
        match resolved {
            Some(resolved) => write_text(resolved, out),
            None => out.push_str("null"),
        }
    }
    if !paths.is_empty() {
        out.push('}');
    }
    links(request, out);
    let binds = request.known_mounts().iter().filter(|mount| mount.missing);
    texts("missing", binds.map(|mount| &*mount.source).collect::<BTreeSet<_>>().into_iter(), out);
}

/// The symlinks on the way of mounts, by their paths.
fn links(request: &DockerRequest, out: &mut String) {
    let linked = request.known_mounts().iter().filter(|mount| !mount.links.is_empty());
    let links: BTreeMap<&str, &[String]> = linked.map(|mount| (mount.source.as_str(), &*mount.links)).collect();
    for (at, (path, links)) in links.iter().enumerate() {
        out.push_str(if at == 0 { ",\"links\":{" } else { "," });
        write_text(path, out);
        out.push(':');
        for (at, link) in links.iter().enumerate() {
            out.push(if at == 0 { '[' } else { ',' });
            write_text(link, out);
        }
        out.push(']');
    }
    if !links.is_empty() {
        out.push('}');
    }
}
