//! A text with wildcards.

use std::fmt;
use std::str::Chars;

use thiserror::Error;

mod common;
#[cfg(test)]
mod tests;

/// A text with wildcards: `*` stands for any run of characters, also none, and `?` for one character. Everything else
/// stands for itself, upper and lower case apart. There is no escape: `?` also fits a `?` or `*` in a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// No `*` follows another.
    text: Box<str>,
    /// Bytes before the first wildcard: all of them where there is none.
    prefix: usize,
    /// Bytes after the last wildcard: likewise.
    suffix: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadPattern {
    #[error("a value must not be empty: `*` stands for any")]
    Empty,
    #[error("a value must not be longer than {} bytes", Pattern::MAX)]
    TooLong,
    #[error("a value must have no control characters: {0:?}")]
    Control(String),
}

const WILDCARDS: [char; 2] = [RUN, ONE];
const RUN: char = '*';
const ONE: char = '?';

// === impl Pattern ===

impl Pattern {
    /// In bytes.
    pub const MAX: usize = 512;

    pub fn new(text: &str) -> Result<Self, BadPattern> {
        if text.is_empty() {
            return Err(BadPattern::Empty);
        }
        if text.len() > Self::MAX {
            return Err(BadPattern::TooLong);
        }
        if text.contains(char::is_control) {
            return Err(BadPattern::Control(text.to_owned()));
        }
        let mut single = String::with_capacity(text.len());
        for c in text.chars() {
            if c != RUN || !single.ends_with(RUN) {
                single.push(c);
            }
        }
        let prefix = single.find(WILDCARDS).unwrap_or(single.len());
        let suffix = single.rfind(WILDCARDS).map_or(single.len(), |last| single.len() - last - 1);
        Ok(Self { text: single.into(), prefix, suffix })
    }

    /// It has no wildcard, and fits one text only: its own.
    pub fn is_literal(&self) -> bool {
        self.prefix == self.text.len()
    }

    /// Whether it fits the whole text. The time is at most the product of both lengths.
    pub fn matches(&self, text: &str) -> bool {
        if self.is_literal() {
            return text == self.as_str();
        }
        text.strip_prefix(self.prefix())
            .and_then(|rest| rest.strip_suffix(self.suffix()))
            .is_some_and(|rest| fits(self.wild().chars(), rest.chars()))
    }

    /// Whether there is a text that both fit.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.common(other).is_some()
    }

    /// A text that both fit, if there is one.
    pub fn common(&self, other: &Self) -> Option<String> {
        if !self.may_overlap(other) {
            return None;
        }
        match (self.is_literal(), other.is_literal()) {
            (true, _) => other.matches(self.as_str()).then(|| self.text.to_string()),
            (_, true) => self.matches(other.as_str()).then(|| other.text.to_string()),
            (false, false) => common::text(self.as_str(), other.as_str()),
        }
    }

    /// As it was written, but for repeated `*`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What each text that it fits begins with.
    pub(super) fn prefix(&self) -> &str {
        self.text.get(..self.prefix).unwrap_or_default()
    }

    /// What each text that it fits ends with.
    pub(super) fn suffix(&self) -> &str {
        self.text.get(self.text.len() - self.suffix..).unwrap_or_default()
    }

    /// From the first wildcard to the last.
    fn wild(&self) -> &str {
        self.text.get(self.prefix..self.text.len() - self.suffix).unwrap_or_default()
    }

    /// False for most patterns that do not overlap, at little cost.
    pub(super) fn may_overlap(&self, other: &Self) -> bool {
        let ((a, b), (c, d)) = ((self.prefix(), other.prefix()), (self.suffix(), other.suffix()));
        (a.starts_with(b) || b.starts_with(a)) && (c.ends_with(d) || d.ends_with(c))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Each run takes as little as it can, and only the last one is ever made longer: when what follows it is reached, no
/// other length of an earlier run can do better.
fn fits(mut pattern: Chars<'_>, mut text: Chars<'_>) -> bool {
    // What follows the last run, and the text from where that was tried.
    let mut last_run: Option<(Chars<'_>, Chars<'_>)> = None;
    loop {
        match (pattern.next(), text.clone().next()) {
            (None, None) => return true,
            (Some(RUN), _) if pattern.as_str().is_empty() => return true,
            (Some(RUN), _) => last_run = Some((pattern.clone(), text.clone())),
            // A longer run would leave even less of the text.
            (Some(_), None) => return false,
            (Some(wanted), Some(c)) if wanted == ONE || wanted == c => _ = text.next(),
            (_, Some(_)) => {
                let Some((after, from)) = &mut last_run else { return false };
                from.next();
                (pattern, text) = (after.clone(), from.clone());
            }
        }
    }
}
