//! A body as it is logged.

use std::borrow::Cow;
use std::ops::Range;

use portcullis_config::redaction::Rule;
use portcullis_docker::json::{Field, Shape};
use portcullis_document::{Kind, Value, write_text};

use super::Redactor;
use super::known::{self, How};
use super::place::{Key, Redacted};
use super::words::{self, Command, REDACTED};

/// Writes one body, `'v`.
pub(super) struct Body<'a, 'v> {
    redactor: &'a Redactor,
    out: &'a mut String,
    redacted: &'a mut Redacted,
    /// The keys that lead to where it is.
    keys: Vec<Key<'v>>,
    /// The operator's rules that may yet come to a place below; the deeper that place, the later they stand.
    rules: Vec<Running<'a>>,
    /// Where what is written of the body is too much.
    end: usize,
}

/// A rule, some parts of whose pointer have matched.
#[derive(Clone, Copy)]
struct Running<'a> {
    rule: &'a Rule,
    matched: usize,
    effect: Effect,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Redact,
    Keep,
}

/// What is known of a place.
#[derive(Clone, Copy)]
struct Position {
    shape: Shape,
    how: How,
    /// The operator has said that nothing is to be taken out here that he does not name.
    is_kept: bool,
    /// Where its rules begin in [`Body::rules`].
    rules: usize,
}

impl<'a, 'v> Body<'a, 'v> {
    pub(super) fn new(redactor: &'a Redactor, out: &'a mut String, redacted: &'a mut Redacted) -> Self {
        let end = out.len() + super::MOST;
        Self { redactor, out, redacted, keys: Vec::new(), rules: Vec::new(), end }
    }

    pub(super) fn write(&mut self, operation: &str, root: Value<'v>, shape: Shape) {
        for (rules, effect) in [(&self.redactor.redact, Effect::Redact), (&self.redactor.keep, Effect::Keep)] {
            let of_operation = rules.iter().filter(|rule| rule.is_of_body(operation));
            self.rules.extend(of_operation.map(|rule| Running { rule, matched: 0, effect }));
        }
        let how = known::body(operation);
        self.value(root, Position { shape, how, is_kept: false, rules: 0 });
    }

    fn value(&mut self, value: Value<'v>, place: Position) {
        match (value.kind(), place.how) {
            // Nothing is there to be hidden.
            (Kind::Null, _) => self.out.push_str("null"),
            (_, How::Hidden) => self.hide(),
            // Whatever is below, no rule says anything about it; and it can be nested as deep as it likes.
            _ if place.is_kept && matches!(place.shape, Shape::Any | Shape::Unknown) => value.write_json(self.out),
            (Kind::List, _) => self.list(value, place),
            (Kind::Object, _) => self.object(value, place),
            (Kind::Text, how) => self.text(value.as_str().unwrap_or_default(), how),
            (Kind::Boolean | Kind::Number, _) => value.write_json(self.out),
        }
    }

    fn list(&mut self, value: Value<'v>, place: Position) {
        let shape = match place.shape {
            Shape::List(shape) | Shape::Pair(shape) => *shape,
            Shape::Texts => Shape::Text,
            // The shape says that there is no list: whatever this is, nobody knows it.
            Shape::Any
            | Shape::Unknown
            | Shape::Boolean
            | Shape::Text
            | Shape::Base64
            | Shape::Integer(_)
            | Shape::Float32
            | Shape::Map(_)
            | Shape::Structure(_) => return self.hide(),
        };
        let mut command = Command::default();
        self.out.push('[');
        for (at, item) in value.items().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            let how = match (place.how, at) {
                (How::FirstWord, 0) => How::Plain,
                (How::FirstWord, _) => How::Hidden,
                (how, _) => how,
            };
            self.child(Key::Item(at), item, Position { shape, how, ..place }, |body, text| {
                if how == How::Command { body.put(text, command.word(text)) } else { body.text(text, how) }
            });
        }
        self.out.push(']');
    }

    fn object(&mut self, value: Value<'v>, place: Position) {
        self.out.push('{');
        let mut next_field = 0;
        for (at, (key, member)) in value.members().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            write_text(key, self.out);
            self.out.push(':');
            // Most of what is sent is empty, and nothing is there to be hidden. Of what the operator names it is not even
            // told that it is empty.
            if let Some(empty) = empty(member).filter(|_| self.rules.len() == place.rules) {
                self.out.push_str(empty);
                next_field += 1;
                continue;
            }
            let (shape, how) = match place.shape {
                Shape::Structure(structure) => match field(structure.fields, key, &mut next_field) {
                    Some(field) => (field.shape, known::member(structure.name, key)),
                    // What no daemon has may be anything.
                    None => (Shape::Unknown, How::Hidden),
                },
                Shape::Map(shape) if place.how == How::Values || words::is_secret(key) => (*shape, How::Hidden),
                Shape::Map(shape) => (*shape, How::Named),
                Shape::Any
                | Shape::Unknown
                | Shape::Boolean
                | Shape::Text
                | Shape::Base64
                | Shape::Integer(_)
                | Shape::Float32
                | Shape::Texts
                | Shape::List(_)
                | Shape::Pair(_) => (Shape::Unknown, How::Hidden),
            };
            self.child(Key::Member(key), member, Position { shape, how, ..place }, |body, text| body.text(text, how));
        }
        self.out.push('}');
    }

    /// A member or item; `place` is its own, but for the rules, which are those of what it is in. `text` writes it where
    /// it is a text of which no rule of the operator says anything.
    fn child(&mut self, key: Key<'v>, value: Value<'v>, place: Position, text: impl FnOnce(&mut Self, &str)) {
        // A body that does not fit is left out, whatever else is in it.
        if self.out.len() > self.end {
            return;
        }
        let rules = self.rules.len();
        let (redacts, keeps) = self.step(key, place.rules..rules);
        let is_kept = place.is_kept || keeps;
        let how = match (redacts, is_kept) {
            (Some(true), _) => How::Assignments,
            (Some(false), _) => How::Hidden,
            (None, true) => How::Plain,
            (None, false) => place.how,
        };
        self.keys.push(key);
        match value.as_str() {
            Some(own) if how == place.how && !is_kept => {
                if how == How::Hidden {
                    self.hide();
                } else {
                    text(self, own);
                }
            }
            // What is kept is kept whole.
            Some(own) if how == How::Plain => write_text(own, self.out),
            _ => self.value(value, Position { how, is_kept, rules, ..place }),
        }
        self.keys.pop();
        self.rules.truncate(rules);
    }

    /// Adds the rules that go on after this key. Whether one ends here that takes out, and then if only of an
    /// assignment's value; and whether one that keeps.
    fn step(&mut self, key: Key<'_>, before: Range<usize>) -> (Option<bool>, bool) {
        let (mut redacts, mut keeps) = (None, false);
        if before.is_empty() {
            return (redacts, keeps);
        }
        let key = key.text();
        for at in before {
            let Some(running) = self.rules.get(at).copied() else { break };
            match (running.rule.step(running.matched, &key), running.effect) {
                (None, _) => {}
                (Some(false), _) => self.rules.push(Running { matched: running.matched + 1, ..running }),
                // Of two, the one that takes more.
                (Some(true), Effect::Redact) => {
                    redacts = Some(redacts.unwrap_or(true) && running.rule.is_assignment);
                }
                (Some(true), Effect::Keep) => keeps = true,
            }
        }
        (redacts, keeps)
    }

    fn text(&mut self, text: &str, how: How) {
        self.put(text, how.take(text));
    }

    fn put(&mut self, text: &str, written: Cow<'_, str>) {
        write_text(&written, self.out);
        if *written != *text {
            self.redacted.push_body(&self.keys);
        }
    }

    fn hide(&mut self) {
        write_text(REDACTED, self.out);
        self.redacted.push_body(&self.keys);
    }
}

/// What is written for a value that is empty.
fn empty(value: Value<'_>) -> Option<&'static str> {
    match value.kind() {
        Kind::Null => Some("null"),
        Kind::Text => (value.as_str() == Some("")).then_some("\"\""),
        Kind::List => (value.len() == Some(0)).then_some("[]"),
        Kind::Object => (value.len() == Some(0)).then_some("{}"),
        Kind::Boolean | Kind::Number => None,
    }
}

/// The field of that name; the next one is the likeliest to be asked for after it.
fn field<'f>(fields: &'f [Field], name: &str, next: &mut usize) -> Option<&'f Field> {
    let is_it = |(_, field): &(usize, &Field)| field.name == name;
    let guess = fields.get(*next).map(|field| (*next, field)).filter(is_it);
    let (at, field) = guess.or_else(|| fields.iter().enumerate().find(is_it))?;
    *next = at + 1;
    Some(field)
}
