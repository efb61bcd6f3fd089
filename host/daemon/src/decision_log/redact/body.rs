//! A body as it is logged.

use std::borrow::Cow;

use portcullis_docker::json::{Field, Shape};
use portcullis_model::document::{Kind, Value, write_text};

use super::Redactor;
use super::known::{self, How};
use super::rule::{Progress, Rule};
use super::words::{self, Command, REDACTED};

/// Writes one body.
pub(super) struct Body<'a> {
    pub(super) redactor: &'a Redactor,
    pub(super) out: &'a mut String,
    /// JSON pointers to what was taken out.
    pub(super) redacted: &'a mut Vec<String>,
    /// To where it is.
    pub(super) pointer: String,
}

/// What is known of a place.
#[derive(Clone)]
struct Place {
    shape: Shape,
    how: How,
    /// The operator's rules that may yet come to a place below.
    redact: Vec<Progress>,
    keep: Vec<Progress>,
    /// The operator has said that nothing is to be taken out here that he does not name.
    is_kept: bool,
}

impl Body<'_> {
    pub(super) fn write(&mut self, operation: &str, root: Value<'_>, shape: Shape) {
        let begin = |rules: &[Rule]| {
            let of_operation = |(at, rule): (usize, &Rule)| rule.is_of_body(operation).then_some((at, 0));
            rules.iter().enumerate().filter_map(of_operation).collect()
        };
        let (redact, keep) = (begin(&self.redactor.redact), begin(&self.redactor.keep));
        let how = known::body(operation);
        self.value(root, Place { shape, how, redact, keep, is_kept: false });
    }

    fn value(&mut self, value: Value<'_>, place: Place) {
        match (value.kind(), place.how) {
            // Nothing is there to be hidden.
            (Kind::Null, _) => self.out.push_str("null"),
            (_, How::Hidden) => self.hide(),
            // Whatever is below, no rule says anything about it; and it can be nested as deep as it likes.
            _ if place.is_kept && matches!(place.shape, Shape::Any | Shape::Unknown) => value.write_json(self.out),
            (Kind::List, how) => self.list(value, how, &place),
            (Kind::Object, how) => self.object(value, how, &place),
            (Kind::Text, how) => self.text(value.as_str().unwrap_or_default(), how),
            (Kind::Boolean | Kind::Number, _) => value.write_json(self.out),
        }
    }

    fn list(&mut self, value: Value<'_>, how: How, place: &Place) {
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
            let how = match (how == How::FirstWord, at) {
                (true, 0) => How::Plain,
                (true, _) => How::Hidden,
                (false, _) => how,
            };
            let key = at.to_string();
            self.child(&key, item, Place { shape, how, ..place.clone() }, |body, text| {
                let word = if how == How::Command { command.word(text) } else { Cow::Borrowed(text) };
                if how == How::Command { body.put(text, word) } else { body.text(text, how) }
            });
        }
        self.out.push(']');
    }

    fn object(&mut self, value: Value<'_>, how: How, place: &Place) {
        self.out.push('{');
        let mut next_field = 0;
        for (at, (key, member)) in value.members().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            write_text(key, self.out);
            self.out.push(':');
            let (shape, how) = match place.shape {
                Shape::Structure(structure) => match field(structure.fields, key, &mut next_field) {
                    Some(field) => (field.shape, known::member(structure.name, key)),
                    // What no daemon has may be anything.
                    None => (Shape::Unknown, How::Hidden),
                },
                Shape::Map(shape) if how == How::Values || words::is_secret(key) => (*shape, How::Hidden),
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
            self.child(key, member, Place { shape, how, ..place.clone() }, |body, text| body.text(text, how));
        }
        self.out.push('}');
    }

    /// A member or item. `text` writes it where it is a text of which no rule of the operator says anything.
    fn child(&mut self, key: &str, value: Value<'_>, place: Place, text: impl FnOnce(&mut Self, &str)) {
        let end = self.pointer.len();
        self.pointer.push('/');
        push_escaped(&mut self.pointer, key);
        let redactor = self.redactor;
        let (redact, redacts) = step(&redactor.redact, &place.redact, key);
        let (keep, keeps) = step(&redactor.keep, &place.keep, key);
        let is_kept = place.is_kept || keeps.is_some();
        let how = match (redacts, is_kept) {
            (Some(true), _) => How::Assignments,
            (Some(false), _) => How::Hidden,
            (None, true) => How::Plain,
            (None, false) => place.how,
        };
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
            _ => self.value(value, Place { how, redact, keep, is_kept, ..place }),
        }
        self.pointer.truncate(end);
    }

    fn text(&mut self, text: &str, how: How) {
        let written = match how {
            How::Plain | How::Command | How::FirstWord => words::address(text),
            How::Hidden | How::Values => Cow::Borrowed(REDACTED),
            How::Assignments => words::assignment(text),
            How::Named => words::options(text),
            How::Instructions => words::instruction(text),
        };
        self.put(text, written);
    }

    fn put(&mut self, text: &str, written: Cow<'_, str>) {
        write_text(&written, self.out);
        if *written != *text {
            self.redacted.push(self.pointer.clone());
        }
    }

    fn hide(&mut self) {
        write_text(REDACTED, self.out);
        self.redacted.push(self.pointer.clone());
    }
}

/// The rules that go on after this key; and whether one ends here, and then if it is only of an assignment's value.
fn step(rules: &[Rule], before: &[Progress], key: &str) -> (Vec<Progress>, Option<bool>) {
    let (mut after, mut ends) = (Vec::new(), None);
    for (at, matched) in before {
        let Some(rule) = rules.get(*at) else { continue };
        match rule.step(*matched, key) {
            None => {}
            Some(false) => after.push((*at, matched + 1)),
            // Of two, the one that takes more.
            Some(true) => ends = Some(ends.unwrap_or(true) && rule.is_assignment),
        }
    }
    (after, ends)
}

/// The field of that name; the next one is the likeliest to be asked for after it.
fn field<'f>(fields: &'f [Field], name: &str, next: &mut usize) -> Option<&'f Field> {
    let (before, after) = fields.split_at_checked(*next)?;
    let found = after.iter().chain(before).enumerate().find(|(_, field)| field.name == name);
    let (distance, field) = found?;
    *next = (*next + distance + 1) % fields.len();
    Some(field)
}

pub(super) fn push_escaped(pointer: &mut String, key: &str) {
    for c in key.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}
