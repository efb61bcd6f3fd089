//! Copying a value into an arena of its own.

use super::arena::{Arena, Node, Span};
use super::builder::{Builder, Mark};
use super::walk::{Step, Walk};
use super::{Kind, Value};

struct Copier {
    builder: Builder,
    open: Vec<Open>,
    root: Node,
}

/// A list or object that is being copied.
struct Open {
    mark: Mark,
    /// The key whose value is being copied; none in a list.
    key: Option<Span>,
}

pub(super) fn copy(value: Value<'_>) -> (Arena, Node) {
    copy_steps(Walk::new(value))
}

/// As [`copy`], but without the members that are null, on all levels down to the lists: what RFC 7396 makes of a patch
/// where there is nothing to be patched.
pub(super) fn copy_without_nulls(value: Value<'_>) -> (Arena, Node) {
    let mut walk = Walk::new(value);
    let mut lists = 0_usize;
    copy_steps(std::iter::from_fn(|| {
        loop {
            let step = walk.next()?;
            match step {
                Step::Key(_) if lists == 0 && walk.peek().is_some_and(|value| value.kind() == Kind::Null) => {
                    walk.pass();
                    continue;
                }
                Step::Open(Kind::List) => lists += 1,
                Step::Close(Kind::List) => lists = lists.saturating_sub(1),
                Step::Key(_) | Step::Scalar(_) | Step::Open(_) | Step::Close(_) => {}
            }
            return Some(step);
        }
    }))
}

fn copy_steps<'a>(steps: impl Iterator<Item = Step<'a>>) -> (Arena, Node) {
    let mut copier = Copier { builder: Builder::default(), open: Vec::new(), root: Node::NULL };
    for step in steps {
        copier.take(step);
    }
    (copier.builder.finish_arena(), copier.root)
}

// === impl Copier ===

impl Copier {
    fn take(&mut self, step: Step<'_>) {
        match step {
            Step::Key(key) => {
                let key = self.builder.unescaped(key);
                if let Some(open) = self.open.last_mut() {
                    open.key = Some(key);
                }
            }
            Step::Scalar(value) => {
                let node = self.scalar(value);
                self.put(node);
            }
            Step::Open(_) => self.open.push(Open { mark: self.builder.mark(), key: None }),
            Step::Close(kind) => {
                let Some(Open { mark, .. }) = self.open.pop() else { return };
                let node = match kind {
                    Kind::List => self.builder.close_list(mark),
                    Kind::Null | Kind::Boolean | Kind::Number | Kind::Text | Kind::Object => {
                        self.builder.close_distinct_object("", mark)
                    }
                };
                self.put(node);
            }
        }
    }

    fn scalar(&mut self, value: Value<'_>) -> Node {
        if let Some(text) = value.as_str() {
            return Node::text(self.builder.unescaped(text));
        }
        if let Some(number) = value.number_text() {
            return Node::number(self.builder.unescaped(number));
        }
        value.as_bool().map_or(Node::NULL, Node::boolean)
    }

    fn put(&mut self, node: Node) {
        match self.open.last() {
            Some(Open { key: Some(key), .. }) => self.builder.member(*key, node),
            Some(Open { key: None, .. }) => self.builder.item(node),
            None => self.root = node,
        }
    }
}
