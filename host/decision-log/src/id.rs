//! What a decision is called.

use std::time::{SystemTime, UNIX_EPOCH};

use ulid::Ulid;

/// A decision's ID: a [ULID](https://github.com/ulid/spec), the time in milliseconds and 80 random bits. IDs of later
/// milliseconds sort later; within one, in no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DecisionId(Ulid);

/// A text that is neither an ID nor a short ID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no decision's ID: those are 26 letters and digits, of which callers are shown the last 10")]
pub struct BadDecisionId(pub String);

/// What a decision can be looked for by: its ID, or the end of it that callers are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted(String);

// === impl DecisionId ===

impl DecisionId {
    /// Characters of an ID.
    pub const LEN: usize = ulid::ULID_LEN;
    /// Characters of a short ID.
    pub const SHORT: usize = 10;

    /// The ID of a call that arrived then. No lock, and no call of the kernel.
    pub fn new(at: SystemTime) -> Self {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let milliseconds = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        Self(Ulid::from_parts(milliseconds, fastrand::u128(..)))
    }

    /// Of an ID's text, what the caller is shown.
    pub fn short_of(id: &str) -> &str {
        id.get(Self::LEN - Self::SHORT..).unwrap_or(id)
    }

    /// The text of it, in `buffer`.
    pub fn text<'b>(&self, buffer: &'b mut [u8; Self::LEN]) -> &'b str {
        self.0.array_to_str(buffer)
    }

    /// What the caller is shown, in `buffer`: the last characters.
    pub fn short<'b>(&self, buffer: &'b mut [u8; Self::LEN]) -> &'b str {
        Self::short_of(self.text(buffer))
    }
}

impl std::fmt::Display for DecisionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text(&mut [0; Self::LEN]))
    }
}

// === impl Wanted ===

impl Wanted {
    /// Reads an ID or a short ID, in either case of letters, and in the brackets in which callers are shown it.
    pub fn new(text: &str) -> Result<Self, BadDecisionId> {
        let id = text.trim().trim_start_matches('[').trim_end_matches(']').to_ascii_uppercase();
        // Crockford's alphabet.
        let is_digit = |c: char| c.is_ascii_alphanumeric() && !matches!(c, 'I' | 'L' | 'O' | 'U');
        let is_long_enough = matches!(id.len(), DecisionId::LEN | DecisionId::SHORT);
        if is_long_enough && id.chars().all(is_digit) { Ok(Self(id)) } else { Err(BadDecisionId(text.to_owned())) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is that decision's whole ID or its end.
    pub fn is(&self, id: &str) -> bool {
        id.ends_with(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::time::Duration;

    #[test]
    fn ids_sort_by_time_and_differ() {
        let at = UNIX_EPOCH + Duration::from_millis(1_764_000_000_000);
        let earlier: HashSet<String> = (0..10_000).map(|_| DecisionId::new(at).to_string()).collect();
        assert_eq!(earlier.len(), 10_000);
        let later = DecisionId::new(at + Duration::from_millis(1)).to_string();
        assert!(earlier.iter().all(|id| *id < later && id.len() == DecisionId::LEN));
        let short: HashSet<&str> = earlier.iter().filter_map(|id| id.get(16..)).collect();
        assert_eq!(short.len(), 10_000);
    }

    #[test]
    fn an_id_is_found_by_all_of_it_or_its_end() {
        let id = DecisionId::new(UNIX_EPOCH + Duration::from_secs(1_764_000_000));
        let (mut buffer, whole) = ([0; DecisionId::LEN], id.to_string());
        let short = id.short(&mut buffer).to_owned();
        for text in [whole.clone(), short.clone(), short.to_lowercase(), format!("[{short}]"), format!(" {whole}\n")] {
            assert_eq!(Wanted::new(&text).map(|wanted| wanted.is(&whole)), Ok(true), "{text}");
        }
        assert_eq!(Wanted::new("7Q2M9X4KPD").map(|wanted| wanted.is(&whole)), Ok(false));
        for text in ["", "7Q2M9X4KP", "7Q2M9X4KPDA", "7Q2M9X4KPU", "seccomp: n", "[]"] {
            assert_eq!(Wanted::new(text), Err(BadDecisionId(text.to_owned())), "{text}");
        }
    }
}
