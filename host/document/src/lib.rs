//! JSON that the host holds, and changes of it.
//!
//! What is read lies in one flat arena, with no tree of allocations. [`Builder`] is how a reader makes a [`Document`],
//! from the leaves up; [`Value`] is how it is read. [`patch`] changes one by a list of operations or by example: the new
//! document shares with the old one what was not changed.

mod document;
pub mod patch;

pub use document::{
    Bounds, Builder, Change, ChangeError, Document, Duplicate, Kind, MAX_DEPTH, MAX_TEXT, Mark, Node, Pattern, Span,
    Value, Why, fits, split_first, write_text,
};
