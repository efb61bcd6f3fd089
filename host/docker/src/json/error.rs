//! Why a JSON text was not read.

use std::string::FromUtf8Error;

use super::Counted;

/// Where and why reading ended. Lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct JsonError {
    pub line: usize,
    pub column: usize,
    pub problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("the text ends too early")]
    End,
    #[error("`{0}` does not belong here")]
    Unexpected(char),
    #[error("something follows the value")]
    Trailing,
    #[error("this is not UTF-8")]
    NotUtf8,
    #[error("this is not a number")]
    Number,
    #[error("this is not an escape")]
    Escape,
    #[error("a control character stands in a string")]
    Control,
    #[error("more than 10,000 levels are nested")]
    Depth,
    #[error("the text has more than 512 MiB")]
    Size,
    #[error("the key `{0}` is there twice")]
    Repeated(String),
    #[error("there are more than {} {}", .0.most(), .0.name())]
    TooMany(Counted),
    #[error("`{member}` must be {expected}")]
    Type { member: String, expected: &'static str },
}

/// A [`JsonError`] that does not yet know its line.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) at: usize,
    pub(super) problem: Problem,
}

// === impl Failure ===

impl Failure {
    pub(super) fn locate(self, text: &[u8]) -> JsonError {
        let before = text.get(..self.at).unwrap_or(text);
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let characters = before.iter().skip(line_start).filter(|byte| **byte & 0xC0 != 0x80).count();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        JsonError { line, column: characters + 1, problem: self.problem }
    }
}

pub(super) fn not_utf8(error: &FromUtf8Error) -> JsonError {
    Failure { at: error.utf8_error().valid_up_to(), problem: Problem::NotUtf8 }.locate(error.as_bytes())
}
