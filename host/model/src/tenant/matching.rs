//! One way to belong to a tenant.

use thiserror::Error;

use super::attribute::{Attribute, Mask};
use super::caller::Subject;
use super::pattern::Pattern;

/// One `[[match]]` of a tenant: it holds for a caller who has, for each attribute that it names, a value that one of the
/// patterns fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The strongest first, each once, none without a pattern; at least one.
    wanted: Vec<(Attribute, Vec<Pattern>)>,
}

/// A match that would hold for everybody or nobody, or that says a thing twice.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadMatch {
    #[error("a match must name something that the caller must have")]
    Nothing,
    #[error("`{0}` must have a value")]
    NoValue(Attribute),
    /// Names of headers that differ in case only are one.
    #[error("`{0}` is named twice")]
    Twice(Attribute),
}

// === impl Match ===

impl Match {
    /// Of an attribute's patterns one must fit, in whatever order they are given.
    pub fn new(wanted: impl IntoIterator<Item = (Attribute, Vec<Pattern>)>) -> Result<Self, BadMatch> {
        let mut wanted: Vec<_> = wanted.into_iter().collect();
        wanted.sort_by(|(a, _), (b, _)| a.cmp(b));
        if wanted.is_empty() {
            return Err(BadMatch::Nothing);
        }
        if let Some((attribute, _)) = wanted.iter().find(|(_, patterns)| patterns.is_empty()) {
            return Err(BadMatch::NoValue(attribute.clone()));
        }
        let mut neighbours = wanted.iter().zip(wanted.iter().skip(1));
        if let Some(((twice, _), _)) = neighbours.find(|((a, _), (b, _))| a == b) {
            return Err(BadMatch::Twice(twice.clone()));
        }
        Ok(Self { wanted })
    }

    /// The strongest attribute first.
    pub fn wanted(&self) -> impl Iterator<Item = (&Attribute, &[Pattern])> {
        self.wanted.iter().map(|(attribute, patterns)| (attribute, patterns.as_slice()))
    }

    pub(super) fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.wanted.iter().map(|(attribute, _)| attribute)
    }

    /// None where it does not name the attribute.
    pub(super) fn patterns(&self, attribute: &Attribute) -> Option<&[Pattern]> {
        self.wanted().find_map(|(own, patterns)| (own == attribute).then_some(patterns))
    }

    pub(super) fn mask(&self) -> Mask {
        Mask::of(self.attributes())
    }

    /// Whether it holds as far as the caller is known.
    pub(super) fn may_hold(&self, subject: &Subject<'_>) -> bool {
        self.wanted().filter(|(attribute, _)| subject.knows(attribute)).all(|(attribute, patterns)| {
            subject.values(attribute).any(|value| patterns.iter().any(|pattern| pattern.matches(value)))
        })
    }
}
