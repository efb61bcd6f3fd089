//! Changing one place of a document.

use std::borrow::Cow;
use std::sync::Arc;

use super::arena::Arena;
use super::bounds::{Bounds, Budget, Measure};
use super::pointer::{position, split_first};
use super::tree::{List, Object, Tree};
use super::value::Members;
use super::{ChangeCount, Document, Kind, MAX_DEPTH, Node, Value, flatten};

/// How much of a value is shown in an error, in bytes.
const SHOWN: usize = 64;

/// Why a document was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{pointer}`: {why}")]
pub struct ChangeError {
    pub pointer: String,
    pub why: Why,
}

/// What is wrong with a change. Values are cut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("this is not a JSON pointer")]
    NotPointer,
    #[error("nothing at `{at}`")]
    Nothing { at: String },
    #[error("`{at}` is {kind}, and holds nothing")]
    Scalar { at: String, kind: Kind },
    #[error("`{token}` is not a position in the list at `{at}`")]
    NotPosition { at: String, token: String },
    #[error("the list at `{at}` has {len} items")]
    PastEnd { at: String, len: usize },
    #[error("the whole document cannot be removed")]
    Root,
    #[error("`{from}` cannot be moved into itself")]
    IntoItself { from: String },
    #[error("expected {expected}, found {found}")]
    Differs { expected: String, found: String },
    #[error("more than {MAX_DEPTH} levels would be nested")]
    Depth,
    #[error("the document would have more than {most} bytes")]
    Size { most: usize },
    #[error("the patch copies, moves and replaces more than {most} bytes altogether; use several patches")]
    Work { most: usize },
    #[error("nobody waits for it any longer")]
    Over,
}

/// What becomes of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A member is there afterwards, whether or not it was before; so is an item, and the end of a list is a place.
    Set,
    /// As [`Change::Set`], but an item goes before the one that was there: RFC 6902's `add`.
    Add,
    /// As [`Change::Set`], but something must be there before.
    Replace,
}

/// A document on which changes are made, one after the other.
pub(crate) struct Draft<'b> {
    root: Tree,
    change_count: ChangeCount,
    budget: Budget<'b>,
}

/// A value to be put into a document.
#[derive(Clone)]
pub(crate) struct Graft {
    tree: Tree,
    measure: Measure,
}

/// A pointer's tokens, each with where it ends.
#[derive(Clone, Debug)]
pub(crate) struct Way<'p> {
    pointer: &'p str,
    tokens: Vec<(Cow<'p, str>, usize)>,
}

/// An object that a merge patch is changing, and what of the patch is still to come.
struct Merging<'a> {
    object: Object,
    key: &'a str,
    patch: Members<'a>,
}

// === impl Document ===

impl Document {
    /// This document, with `value` at an RFC 6901 pointer. It shares everything with both.
    pub fn set(&self, pointer: &str, value: &Self) -> Result<Self, ChangeError> {
        self.change(pointer, Change::Set, value)
    }

    pub fn change(&self, pointer: &str, change: Change, value: &Self) -> Result<Self, ChangeError> {
        let way = Way::new(pointer)?;
        let graft = Graft { tree: value.root.clone(), measure: Measure::of(value.root()) };
        let mut draft = Draft::of(self, Bounds::default());
        draft.change_count.children += value.change_count.children;
        draft.put(&way, change, graft).map_err(|why| way.error(why))?;
        Ok(draft.finish())
    }

    /// This document without what is at an RFC 6901 pointer.
    pub fn remove(&self, pointer: &str) -> Result<Self, ChangeError> {
        let way = Way::new(pointer)?;
        let mut draft = Draft::of(self, Bounds::default());
        draft.remove(&way).map_err(|why| way.error(why))?;
        Ok(draft.finish())
    }
}

// === impl Draft ===

impl<'b> Draft<'b> {
    pub(crate) fn of(document: &Document, bounds: Bounds<'b>) -> Self {
        let budget = Budget::new(&document.change_count, bounds);
        Self { root: document.root.clone(), change_count: document.change_count, budget }
    }

    pub(crate) fn finish(self) -> Document {
        Document { root: self.root, change_count: self.change_count }
    }

    pub(crate) fn put(&mut self, way: &Way<'_>, change: Change, graft: Graft) -> Result<(), Why> {
        self.budget.follow(way.tokens.len())?;
        if way.tokens.len() + graft.measure.depth > MAX_DEPTH {
            return Err(Why::Depth);
        }
        let mut change_count = self.change_count;
        let (root, old) = put(&self.root, way, change, graft.tree)?;
        let key = if old.is_none() { way.last_len() } else { 0 };
        change_count.bytes = change_count.bytes.saturating_add(key + graft.measure.bytes);
        change_count.drop_value(self.budget.measured(old.as_ref())?);
        self.budget.check_size(&change_count)?;
        change_count.changes += 1;
        (self.root, self.change_count) = (root, change_count);
        Ok(())
    }

    pub(crate) fn remove(&mut self, way: &Way<'_>) -> Result<(), Why> {
        self.budget.follow(way.tokens.len())?;
        let (old, key) = self.take(way)?;
        self.change_count.drop_value(self.budget.measured(Some(&old))? + key);
        self.change_count.changes += 1;
        Ok(())
    }

    pub(crate) fn copy(&mut self, from: &Way<'_>, to: &Way<'_>) -> Result<(), Why> {
        self.budget.follow(from.tokens.len())?;
        let tree = at(&self.root, from, from.tokens.len())?;
        let measure = self.budget.measure(tree.value())?;
        self.put(to, Change::Add, Graft { tree, measure })
    }

    /// As removing and adding, but nothing of the value is looked at, unless it goes deeper.
    pub(crate) fn shift(&mut self, from: &Way<'_>, to: &Way<'_>) -> Result<(), Why> {
        if from.leads_past(to) {
            return Err(Why::IntoItself { from: from.pointer.to_owned() });
        }
        if from.tokens.is_empty() {
            return Ok(());
        }
        self.budget.follow(from.tokens.len() + to.tokens.len())?;
        let before = self.root.clone();
        let moved = self.take(from).and_then(|(tree, key)| {
            let is_deeper = to.tokens.len() > from.tokens.len();
            let depth = if is_deeper { self.budget.measure(tree.value())?.depth } else { 0 };
            if to.tokens.len() + depth > MAX_DEPTH {
                return Err(Why::Depth);
            }
            put(&self.root, to, Change::Add, tree).map(|(root, old)| (root, old, key))
        });
        match moved {
            Ok((root, old, key)) => {
                self.root = root;
                let new_key = if old.is_none() { to.last_len() } else { 0 };
                self.change_count.bytes = self.change_count.bytes.saturating_add(new_key).saturating_sub(key);
                self.change_count.drop_value(self.budget.measured(old.as_ref())?);
                self.change_count.changes += 1;
                Ok(())
            }
            Err(why) => {
                self.root = before;
                Err(why)
            }
        }
    }

    pub(crate) fn test(&mut self, way: &Way<'_>, expected: Value<'_>) -> Result<(), Why> {
        self.budget.follow(way.tokens.len())?;
        let found = at(&self.root, way, way.tokens.len())?;
        if found.value() == expected {
            return Ok(());
        }
        Err(Why::Differs { expected: expected.beginning(SHOWN), found: found.value().beginning(SHOWN) })
    }

    /// RFC 7396.
    pub(crate) fn merge(&mut self, patch: Value<'_>) -> Result<(), Why> {
        let Some(object) = Object::of(&self.root).filter(|_| patch.kind() == Kind::Object) else {
            let old = std::mem::replace(&mut self.root, Graft::without_nulls(patch).tree);
            self.change_count.bytes += Measure::of(self.root.value()).bytes;
            self.change_count.drop_value(self.budget.measured(Some(&old))?);
            self.change_count.changes += 1;
            return self.budget.check_size(&self.change_count);
        };
        let mut change_count = self.change_count;
        let mut above = Vec::new();
        let mut merging = Merging { object, key: "", patch: Members::of(patch) };
        loop {
            let Some((key, value)) = merging.patch.next() else {
                let Merging { object, key, .. } = merging;
                let tree = Tree::Object(Arc::new(object));
                let Some(parent) = above.pop() else {
                    (self.root, self.change_count) = (tree, change_count);
                    return Ok(());
                };
                merging = parent;
                merging.object.put(key, tree);
                continue;
            };
            let old = merging.object.member(key);
            if value.kind() == Kind::Object
                && let Some(object) = old.as_ref().and_then(Object::of)
            {
                above.push(merging);
                merging = Merging { object, key, patch: Members::of(value) };
                continue;
            }
            change_count.changes += 1;
            if value.kind() == Kind::Null {
                merging.object.remove(key);
                change_count.bytes = change_count.bytes.saturating_sub(old.as_ref().map_or(0, |_| key_len(key)));
            } else {
                let Graft { tree, measure } = Graft::without_nulls(value);
                let new_key = if old.is_none() { key.len() + 4 } else { 0 };
                change_count.bytes = change_count.bytes.saturating_add(new_key + measure.bytes);
                merging.object.put(key, tree);
            }
            change_count.drop_value(self.budget.measured(old.as_ref())?);
            self.budget.check_size(&change_count)?;
        }
    }

    /// As [`Self::merge`], of what is at the end of `way`, or is to be there.
    pub(crate) fn merge_at(&mut self, way: &Way<'_>, patch: Value<'_>) -> Result<(), Why> {
        self.budget.follow(way.tokens.len())?;
        if way.tokens.is_empty() {
            return self.merge(patch);
        }
        if way.tokens.len() + Measure::of(patch).depth > MAX_DEPTH {
            return Err(Why::Depth);
        }
        let is_there = self.root.value().pointer(way.pointer).is_some();
        let root = if is_there { at(&self.root, way, way.tokens.len())? } else { Document::default().root };
        let outer = std::mem::replace(&mut self.root, root);
        self.merge(patch)?;
        let (root, _) = put(&outer, way, Change::Set, self.root.clone())?;
        self.root = root;
        if !is_there {
            self.change_count.bytes = self.change_count.bytes.saturating_add(way.last_len());
            self.change_count.changes += 1;
        }
        self.budget.check_size(&self.change_count)
    }

    /// Takes out what is at the end of `way`, and says how long its key is.
    fn take(&mut self, way: &Way<'_>) -> Result<(Tree, usize), Why> {
        let mut key = 0;
        let (root, old) = change(&self.root, way, |holder, token| match (Object::of(holder), List::of(holder)) {
            (Some(mut object), _) => {
                let old = holder.member(token).ok_or_else(|| way.nothing(way.tokens.len()))?;
                object.remove(token);
                key = key_len(token);
                Ok((Tree::Object(Arc::new(object)), Some(old)))
            }
            (None, Some(mut list)) => {
                let index = way.existing(token, way.tokens.len(), list.len())?;
                let old = holder.item(index);
                list.remove(index);
                Ok((Tree::List(Arc::new(list)), old))
            }
            (None, None) => Err(way.scalar(way.tokens.len() - 1, holder)),
        })?;
        self.root = root;
        old.map(|old| (old, key)).ok_or_else(|| way.nothing(way.tokens.len()))
    }
}

// === impl ChangeCount ===

impl ChangeCount {
    fn drop_value(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.dropped_bytes = self.dropped_bytes.saturating_add(bytes);
    }
}

// === impl Graft ===

impl Graft {
    /// A value of `patch`. It is copied, so that the patch is not kept for its sake, unless it is most of it.
    pub(crate) fn of(value: Value<'_>, patch: &Document) -> Self {
        let measure = Measure::of(value);
        let tree = match (&patch.root, value.as_flat()) {
            (Tree::Flat(arena, _), Some((of, node)))
                if measure.bytes > patch.change_count.bytes / 2 && std::ptr::eq(&**arena, of) =>
            {
                Tree::Flat(arena.clone(), node)
            }
            _ => copied(flatten::copy(value)),
        };
        Self { tree, measure }
    }

    fn without_nulls(value: Value<'_>) -> Self {
        let tree = copied(flatten::copy_without_nulls(value));
        let measure = Measure::of(tree.value());
        Self { tree, measure }
    }
}

// === impl Way ===

impl<'p> Way<'p> {
    pub(crate) fn new(pointer: &'p str) -> Result<Self, ChangeError> {
        let mut tokens = Vec::new();
        let mut rest = pointer;
        loop {
            match split_first(rest) {
                Some(Some((token, tail))) => {
                    tokens.push((token, pointer.len() - tail.len()));
                    rest = tail;
                }
                Some(None) => return Ok(Self { pointer, tokens }),
                None => return Err(ChangeError { pointer: pointer.to_owned(), why: Why::NotPointer }),
            }
        }
    }

    pub(crate) fn error(&self, why: Why) -> ChangeError {
        ChangeError { pointer: self.pointer.to_owned(), why }
    }

    /// What a member of this key takes besides its value.
    fn last_len(&self) -> usize {
        self.tokens.last().map_or(0, |(token, _)| token.len() + 4)
    }

    /// Whether `other` leads to something in what this leads to.
    fn leads_past(&self, other: &Self) -> bool {
        let (ours, others) = (&self.tokens, &other.tokens);
        ours.len() < others.len() && ours.iter().zip(others).all(|((our, _), (other, _))| our == other)
    }

    /// The pointer to the end of the first `len` tokens.
    fn up_to(&self, len: usize) -> String {
        let end = len.checked_sub(1).and_then(|last| self.tokens.get(last)).map_or(0, |(_, end)| *end);
        self.pointer.get(..end).unwrap_or_default().to_owned()
    }

    fn nothing(&self, len: usize) -> Why {
        Why::Nothing { at: self.up_to(len) }
    }

    fn scalar(&self, len: usize, holder: &Tree) -> Why {
        Why::Scalar { at: self.up_to(len), kind: holder.value().kind() }
    }

    /// The position of an item that is there, in a list of `items`, from the token that is the `len`-th.
    fn existing(&self, token: &str, len: usize, items: usize) -> Result<usize, Why> {
        match self.place(token, len, items)? {
            index if index < items => Ok(index),
            _ if token == "-" => Err(self.nothing(len)),
            _ => Err(Why::PastEnd { at: self.up_to(len - 1), len: items }),
        }
    }

    /// The position of an item, or the end of the list.
    fn place(&self, token: &str, len: usize, items: usize) -> Result<usize, Why> {
        if token == "-" {
            return Ok(items);
        }
        let at = || self.up_to(len - 1);
        match position(token) {
            Some(index) if index <= items => Ok(index),
            Some(_) => Err(Why::PastEnd { at: at(), len: items }),
            None => Err(Why::NotPosition { at: at(), token: token.to_owned() }),
        }
    }
}

/// What a key takes that is written without escapes, and no longer.
fn key_len(key: &str) -> usize {
    key.len() + 3
}

/// What is at the end of the first `len` tokens of `way`.
fn at(root: &Tree, way: &Way<'_>, len: usize) -> Result<Tree, Why> {
    let mut tree = root.clone();
    for (passed, (token, _)) in way.tokens.iter().enumerate().take(len) {
        tree = child(&tree, way, token, passed + 1)?;
    }
    Ok(tree)
}

/// What `holder` has at the `len`-th token of `way`.
fn child(holder: &Tree, way: &Way<'_>, token: &str, len: usize) -> Result<Tree, Why> {
    let value = holder.value();
    let found = match value.kind() {
        Kind::Object => holder.member(token),
        Kind::List => holder.item(way.existing(token, len, value.len().unwrap_or_default())?),
        Kind::Null | Kind::Boolean | Kind::Number | Kind::Text => return Err(way.scalar(len - 1, holder)),
    };
    found.ok_or_else(|| way.nothing(len))
}

fn put(root: &Tree, way: &Way<'_>, how: Change, value: Tree) -> Result<(Tree, Option<Tree>), Why> {
    if way.tokens.is_empty() {
        return Ok((value, Some(root.clone())));
    }
    let len = way.tokens.len();
    change(root, way, |holder, token| match (Object::of(holder), List::of(holder)) {
        (Some(mut object), _) => {
            let old = holder.member(token);
            if old.is_none() && how == Change::Replace {
                return Err(way.nothing(len));
            }
            object.put(token, value);
            Ok((Tree::Object(Arc::new(object)), old))
        }
        (None, Some(mut list)) => {
            let index = match how {
                Change::Replace => way.existing(token, len, list.len())?,
                Change::Set | Change::Add => way.place(token, len, list.len())?,
            };
            let old = if how == Change::Add { None } else { holder.item(index) };
            match old {
                Some(_) => list.put(index, value),
                None => list.insert(index, value),
            }
            Ok((Tree::List(Arc::new(list)), old))
        }
        (None, None) => Err(way.scalar(len - 1, holder)),
    })
}

/// Has `edit` change what holds the end of `way`, and with it all that leads there. `edit` is given the holder and the
/// last token, and answers with the new holder and what it took out.
fn change(
    root: &Tree,
    way: &Way<'_>,
    edit: impl FnOnce(&Tree, &str) -> Result<(Tree, Option<Tree>), Why>,
) -> Result<(Tree, Option<Tree>), Why> {
    let Some(((last, _), leading)) = way.tokens.split_last() else { return Err(Why::Root) };
    let mut above = Vec::with_capacity(leading.len());
    let mut holder = root.clone();
    for (passed, (token, _)) in leading.iter().enumerate() {
        let next = child(&holder, way, token, passed + 1)?;
        above.push((std::mem::replace(&mut holder, next), token));
    }
    let (mut tree, old) = edit(&holder, last)?;
    for (holder, token) in above.into_iter().rev() {
        tree = with(&holder, token, tree);
    }
    Ok((tree, old))
}

/// `holder`, with another value in a place that it has.
fn with(holder: &Tree, token: &str, value: Tree) -> Tree {
    if let Some(mut object) = Object::of(holder) {
        object.put(token, value);
        return Tree::Object(Arc::new(object));
    }
    match (List::of(holder), position(token)) {
        (Some(mut list), Some(index)) => {
            list.put(index, value);
            Tree::List(Arc::new(list))
        }
        _ => holder.clone(),
    }
}

fn copied((arena, root): (Arena, Node)) -> Tree {
    Tree::Flat(Arc::new(arena), root)
}
