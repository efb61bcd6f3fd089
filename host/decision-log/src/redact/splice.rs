//! A body as it is logged, made of its source text: what is taken out is replaced in it, and all the rest is copied.
//!
//! That takes a part of the time that writing each value takes, and what clients send is nearly always spelt so.
//! [`Body`](super::body::Body) writes the same text, and is asked where this cannot.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr, memchr_iter};
use portcullis_document::{Document, Kind, Value};

use super::place::{Key, Redacted};
use super::plan::Plan;
use super::words::{self, Command, REDACTED};

/// Writes one body, `'v`.
struct Splice<'a, 'v> {
    source: &'v str,
    /// All before this is written.
    from: usize,
    out: &'a mut String,
    redacted: &'a mut Redacted,
    /// The keys that lead to where it is.
    keys: Vec<Key<'v>>,
}

/// Appends the body with what is secret taken out, and JSON pointers to that. False where it cannot, and nothing is
/// appended: the text is no JSON that could be copied, or what is to be replaced does not lie in it as it is.
pub(super) fn splice(operation: &str, document: &Document, out: &mut String, redacted: &mut Redacted) -> bool {
    let (Some(source), Some(plan)) = (document.verbatim(), Plan::of(operation)) else { return false };
    if source.len() > super::MOST || document.has_escaped(b'@') {
        return false;
    }
    let before = (out.len(), redacted.json().len());
    let mut splice = Splice { source, from: 0, out, redacted, keys: Vec::with_capacity(8) };
    let done = splice.value(plan, document.root()).and_then(|()| splice.copy_to(source.len()));
    if done.is_none() {
        out.truncate(before.0);
        redacted.truncate(before.1);
    }
    done.is_some()
}

// === impl Splice ===

impl<'v> Splice<'_, 'v> {
    /// None where the body cannot be spliced.
    fn value(&mut self, plan: &Plan, value: Value<'v>) -> Option<()> {
        match (plan, value.kind()) {
            (Plan::Clear, _) | (_, Kind::Null) => {}
            (Plan::Hidden, _) => self.hide(value)?,
            (Plan::Text(how), Kind::Text) => self.text(value, |text| how.take(text))?,
            (Plan::List(plan), Kind::List) => self.list(value, |splice, _, item| splice.value(plan, item))?,
            (Plan::Command, Kind::List) => {
                let mut command = Command::default();
                self.list(value, |splice, _, word| splice.text(word, |text| command.word(text)))?;
            }
            (Plan::FirstWord, Kind::List) => {
                self.list(value, |splice, at, word| if at == 0 { Some(()) } else { splice.hide(word) })?;
            }
            (Plan::Map(plan), Kind::Object) => {
                for (key, member) in value.members_where(|member| !member.is_empty()) {
                    let plan = if words::is_secret(key) { &Plan::Hidden } else { &**plan };
                    self.child(Key::Member(key), |splice| splice.value(plan, member))?;
                }
            }
            (Plan::Structure(members), Kind::Object) => {
                for (key, member) in value.members_where(|member| members.may_take(member)) {
                    if let Some(plan) = members.get(key) {
                        self.child(Key::Member(key), |splice| splice.value(plan, member))?;
                    }
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn list(&mut self, list: Value<'v>, mut each: impl FnMut(&mut Self, usize, Value<'v>) -> Option<()>) -> Option<()> {
        list.items().enumerate().try_for_each(|(at, item)| self.child(Key::Item(at), |splice| each(splice, at, item)))
    }

    fn child(&mut self, key: Key<'v>, write: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        self.keys.push(key);
        write(self)?;
        self.keys.pop();
        Some(())
    }

    fn hide(&mut self, value: Value<'v>) -> Option<()> {
        match value.kind() {
            Kind::Null => Some(()),
            Kind::Text => self.replace(value, REDACTED),
            Kind::Number => self.replace(value, &format!("\"{REDACTED}\"")),
            Kind::Boolean | Kind::List | Kind::Object => None,
        }
    }

    fn text(&mut self, value: Value<'v>, take: impl FnOnce(&'v str) -> Cow<'v, str>) -> Option<()> {
        if value.kind() == Kind::Null {
            return Some(());
        }
        let text = value.as_str()?;
        let written = take(text);
        if *written == *text { Some(()) } else { self.replace(value, &written) }
    }

    /// What is written has nothing in it that would have to be escaped, if the text has not.
    fn replace(&mut self, value: Value<'v>, written: &str) -> Option<()> {
        let Range { start, end } = value.place()?;
        self.copy_to(start)?;
        self.out.push_str(written);
        self.from = end;
        self.redacted.push_body(&self.keys);
        Some(())
    }

    /// Copies what is before that place. None where somebody logs in there in an address, or that cannot be told.
    fn copy_to(&mut self, end: usize) -> Option<()> {
        let copied = self.source.get(self.from..end)?;
        let mut places = memchr_iter(b'@', copied.as_bytes());
        if places.any(|at| memchr(b'\\', self.source.as_bytes()).is_some() || has_login(copied, at)) {
            return None;
        }
        self.out.push_str(copied);
        Some(())
    }
}

/// Whether the text around that place, which has no escapes, is the value of a login's address.
fn has_login(json: &str, at: usize) -> bool {
    let Some((before, after)) = json.split_at_checked(at) else { return true };
    let (Some(start), Some(len)) = (before.rfind('"'), after.find('"')) else { return true };
    let is_key = after.get(len + 1..).is_some_and(|rest| rest.starts_with(':'));
    let text = json.get(start + 1..at + len).unwrap_or_default();
    !is_key && *words::address(text) != *text
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;
    use portcullis_docker::json::{self, Shape};
    use portcullis_docker::operation::{Body, OPERATIONS};
    use serde_json::{Map, Value, json};

    use super::super::Redactor;
    use super::super::body::Body as Written;
    use super::*;

    #[rustfmt::skip]
    const TEXTS: [&str; 20] = [
        "", "a", "KEY=hunter2", "password=x,addr=y", "https://joe:x@host/y", "a@b", "//", "u@h//", "//u@h", "a \"b\" c",
        "a && b", "é@ü", "--password", "-x", "RUN curl", "//\u{1}@", "=", "token=//a@b", "sh -c pass", "\\@//",
    ];
    const KEYS: [&str; 8] = ["my-secret", "a", "com.docker/x~y", "//joe:x@host", "\"q\"", "password", "80/tcp", "é"];

    /// A body of a shape, with little in it that is always there.
    fn body(shape: Shape, rng: &mut Rng, depth: usize) -> Value {
        let few = |rng: &mut Rng| if depth > 3 { 0..1 } else { 0..rng.usize(1..4) };
        match shape {
            _ if rng.u8(..) < 20 => Value::Null,
            Shape::Text => rng.choice(TEXTS).map(Value::from).unwrap_or_default(),
            Shape::Base64 => json!("aHVudGVyMg=="),
            Shape::Boolean => json!(rng.bool()),
            Shape::Integer(_) => json!(rng.u16(..)),
            Shape::Float32 => json!(0.5),
            Shape::Texts => few(rng).map(|_| body(Shape::Text, rng, depth)).collect(),
            Shape::List(item) => few(rng).map(|_| body(*item, rng, depth + 1)).collect(),
            Shape::Pair(item) => (0..2).map(|_| body(*item, rng, depth + 1)).collect(),
            Shape::Map(value) => {
                let key = |rng: &mut Rng| rng.choice(KEYS).unwrap_or_default().to_owned();
                Value::Object(few(rng).map(|_| (key(rng), body(*value, rng, depth + 1))).collect())
            }
            Shape::Structure(structure) => {
                let mut members = Map::new();
                for field in structure.fields.iter().filter(|field| !field.stray) {
                    if rng.u8(..) < 140 {
                        members.insert(field.name.to_owned(), body(field.shape, rng, depth + 1));
                    }
                }
                Value::Object(members)
            }
            Shape::Any | Shape::Unknown => json!({ "a": ["hunter2"] }),
        }
    }

    #[test]
    fn what_is_spliced_is_what_is_written() {
        const EACH: u64 = 400;
        let (mut spliced, mut all, mut taken) = (0, 0, 0);
        for operation in OPERATIONS.iter() {
            let Body::Json(shape) = operation.body else { continue };
            for seed in 0..EACH {
                let mut rng = Rng::with_seed(seed);
                // As Go's encoder writes it.
                let text = body(shape, &mut rng, 0).to_string().replace('&', "\\u0026");
                let document = json::read(text.as_str(), shape).unwrap_or_else(|error| panic!("{error}: {text}"));
                let (mut out, mut redacted) = ("before".to_owned(), Redacted::default());
                all += 1;
                if !splice(operation.id, &document, &mut out, &mut redacted) {
                    assert!(out == "before" && redacted.json().is_empty(), "{text}");
                    continue;
                }
                let (mut expected, mut pointers) = ("before".to_owned(), Redacted::default());
                let redactor = Redactor::default();
                Written::new(&redactor, &mut expected, &mut pointers).write(operation.id, document.root(), shape);
                let value = |text: &str| text.strip_prefix("before").and_then(|text| serde_json::from_str(text).ok());
                assert_eq!(value(&out), value(&expected), "{text}");
                assert!(value(&out).is_some_and(|_: Value| true), "{out}");
                assert_eq!(redacted.json(), pointers.json(), "{text}");
                spliced += 1;
                taken += redacted.json().matches("/body").count();
            }
        }
        assert!(3 * spliced > all && taken > 1_000, "{taken} were taken out of {spliced} of {all}");
    }
}
