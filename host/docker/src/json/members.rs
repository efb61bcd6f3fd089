//! Which field of a structure a key is.

use super::{Field, Structure, fold};

/// What was seen of a structure.
#[derive(Clone, Copy)]
pub(super) struct Members {
    of: &'static Structure,
    /// The field that most likely comes next: clients write them in the order of the structure.
    next: u8,
    unknown: u8,
    /// One bit a field; no structure has more than 128, which a test checks.
    seen: u128,
}

/// What a key is to a structure.
pub(super) enum Taken {
    Field {
        field: &'static Field,
        exact: bool,
    },
    /// No field: the daemon reads it as nothing.
    Unknown,
    /// A field that was there before.
    Repeated,
}

// === impl Members ===

impl Members {
    pub(super) fn new(of: &'static Structure) -> Self {
        Self { of, next: 0, unknown: 0, seen: 0 }
    }

    /// How many keys were no field, at most 255.
    pub(super) fn unknown(&self) -> u8 {
        self.unknown
    }

    /// Takes the field that most likely comes next, if its name and a quote are next; with the name's length.
    pub(super) fn take_expected(&mut self, rest: &[u8]) -> Option<(usize, Taken)> {
        let field = self.of.fields.get(usize::from(self.next))?;
        if rest.strip_prefix(field.name.as_bytes())?.first() != Some(&b'"') {
            return None;
        }
        Some((field.name.len(), self.take_field(usize::from(self.next), field, true)))
    }

    /// Takes the field of this name: exactly it, or else what folds to it, as Go does.
    pub(super) fn take(&mut self, key: &str) -> Taken {
        let (before, after) = self.of.fields.split_at_checked(usize::from(self.next)).unwrap_or((self.of.fields, &[]));
        let exact = |fields: &'static [Field]| fields.iter().position(|field| field.name == key);
        let position = exact(after).map(|position| position + before.len()).or_else(|| exact(before));
        if let Some((position, field)) = position.and_then(|position| Some((position, self.of.fields.get(position)?))) {
            return self.take_field(position, field, true);
        }
        let folded = self.of.fields.iter().enumerate().find(|(_, field)| fold::matches(key, field.name));
        if let Some((position, field)) = folded {
            return self.take_field(position, field, false);
        }
        self.unknown = self.unknown.saturating_add(1);
        Taken::Unknown
    }

    fn take_field(&mut self, position: usize, field: &'static Field, exact: bool) -> Taken {
        let bit = 1_u128.checked_shl(position as u32).unwrap_or_default();
        if self.seen & bit != 0 {
            return Taken::Repeated;
        }
        self.seen |= bit;
        self.next = position as u8 + 1;
        Taken::Field { field, exact }
    }
}
