//! Going through a value from its beginning to its end, without recursion: it may be nested deeper than a thread's stack.

use super::value::{Items, Members};
use super::{Kind, Value};

/// The steps of a value, in the order of its JSON.
pub(super) struct Walk<'a> {
    next: Option<Value<'a>>,
    open: Vec<Open<'a>>,
}

pub(super) enum Step<'a> {
    /// A member begins; its value is next.
    Key(&'a str),
    /// A value that holds no others.
    Scalar(Value<'a>),
    /// A list, or else an object, begins.
    Open(Kind),
    Close(Kind),
}

enum Open<'a> {
    List(Items<'a>),
    Object(Members<'a>),
}

// === impl Walk ===

impl<'a> Walk<'a> {
    pub(super) fn new(root: Value<'a>) -> Self {
        Self { next: Some(root), open: Vec::new() }
    }

    /// How many lists and objects are open.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// The value whose key was the last step.
    pub(super) fn peek(&self) -> Option<Value<'a>> {
        self.next
    }

    /// Goes on after the value whose key was the last step.
    pub(super) fn pass(&mut self) {
        self.next = None;
    }

    #[inline]
    fn enter(&mut self, value: Value<'a>) -> Step<'a> {
        let kind = value.kind();
        match kind {
            Kind::List => self.open.push(Open::List(Items::of(value))),
            Kind::Object => self.open.push(Open::Object(Members::of(value))),
            Kind::Null | Kind::Boolean | Kind::Number | Kind::Text => return Step::Scalar(value),
        }
        Step::Open(kind)
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Step<'a>;

    #[inline]
    fn next(&mut self) -> Option<Step<'a>> {
        if let Some(value) = self.next.take() {
            return Some(self.enter(value));
        }
        let kind = match self.open.last_mut()? {
            Open::List(items) => match items.next() {
                Some(item) => return Some(self.enter(item)),
                None => Kind::List,
            },
            Open::Object(members) => match members.next() {
                Some((key, value)) => {
                    self.next = Some(value);
                    return Some(Step::Key(key));
                }
                None => Kind::Object,
            },
        };
        self.open.pop();
        Some(Step::Close(kind))
    }
}
