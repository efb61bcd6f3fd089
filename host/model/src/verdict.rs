//! What one policy says.

use crate::printable::is_unprintable;

/// A denial's reason, as the caller is shown it: one line of printable text, at most [`Reason::MAX`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reason(String);

/// What one policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allow,
    Deny(Reason),
    /// The policy has nothing to say about this call.
    Abstain,
}

// === impl Reason ===

impl Reason {
    /// In bytes of UTF-8.
    pub const MAX: usize = 512;
    const CUT: &str = "…";
    /// What a tag takes at most.
    const TAG: usize = 32;

    /// Makes any text a reason. Control characters (a terminal would obey them), and the invisible ones that reorder
    /// text, become spaces; runs of spaces one; what is too long is cut at a character and marked.
    pub fn new(text: &str) -> Self {
        let mut reason = String::with_capacity(text.len().min(Self::MAX));
        let mut gap = false;
        for c in text.chars() {
            if c.is_whitespace() || is_unprintable(c) {
                gap = !reason.is_empty();
                continue;
            }
            let needed = c.len_utf8() + usize::from(gap);
            if reason.len() + needed > Self::MAX {
                Self::cut(&mut reason);
                break;
            }
            if std::mem::take(&mut gap) {
                reason.push(' ');
            }
            reason.push(c);
        }
        Self(reason)
    }

    fn cut(reason: &mut String) {
        while reason.len() + Self::CUT.len() > Self::MAX && reason.pop().is_some() {}
        reason.push_str(Self::CUT);
    }

    /// The same followed by ` [tag]`, cut so far that both fit. The tag is a few printable characters, and never cut.
    pub fn tagged(&self, tag: &str) -> Self {
        let mut text = self.cut_to(Self::MAX.saturating_sub(tag.len() + 3));
        text.extend([" [", tag, "]"]);
        Self(text)
    }

    /// The same followed by `; remark`, which is a reason of its own and never cut, cut so far that a tag fits, too.
    pub fn with_remark(&self, remark: &Self) -> Self {
        let mut text = self.cut_to(Self::MAX.saturating_sub(remark.0.len() + 2 + Self::TAG));
        text.extend(["; ", remark.as_str()]);
        Self(text)
    }

    fn cut_to(&self, room: usize) -> String {
        let mut text = String::with_capacity(Self::MAX.min(self.0.len() + Self::MAX - room));
        text.push_str(&self.0);
        if text.len() > room {
            while text.len() + Self::CUT.len() > room && text.pop().is_some() {}
            text.push_str(Self::CUT);
        }
        text
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_printable_line() {
        let cases = [
            ("no privileged containers", "no privileged containers"),
            ("  two\n\nlines\t", "two lines"),
            ("\u{1b}[31mred\u{1b}[0m", "[31mred [0m"),
            ("evil\u{202e}txt", "evil txt"),
            ("", ""),
            ("\n\n", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(Reason::new(text).as_str(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_tag_is_never_cut() {
        let tag = "7Q2M9X4KPD";
        assert_eq!(Reason::new("a: no").tagged(tag).as_str(), "a: no [7Q2M9X4KPD]");
        for text in ["x".repeat(499), "x".repeat(500), "é".repeat(400), "x".repeat(10_000)] {
            let tagged = Reason::new(&text).tagged(tag);
            assert!(tagged.as_str().len() <= Reason::MAX, "{tagged}");
            assert!(tagged.as_str().len() > Reason::MAX - 8, "{tagged}");
            assert!(tagged.as_str().ends_with(" [7Q2M9X4KPD]"), "{tagged}");
            assert_eq!(tagged.as_str().contains('…'), text.len() > Reason::MAX - 13, "{tagged}");
        }
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character_and_marked() {
        for text in ["x".repeat(10_000), "é".repeat(10_000), "xy ".repeat(10_000)] {
            let reason = Reason::new(&text);
            assert!(reason.as_str().len() <= Reason::MAX);
            assert!(reason.as_str().len() > Reason::MAX - 8);
            assert!(reason.as_str().ends_with('…'));
        }
        let full = "x".repeat(Reason::MAX);
        assert_eq!(Reason::new(&full).as_str(), full);
    }
}
