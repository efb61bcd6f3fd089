//! Finding the rows whose patterns may fit a value, without looking at the others.

use std::collections::HashMap;

use super::pattern::Pattern;

/// Rows by their patterns for one attribute. Values without a wildcard are found by themselves, patterns by what each
/// text that they fit begins or ends with, whichever is longer. What it costs to find them grows with the number of
/// different lengths of these, not with the number of rows; patterns that begin and end with a wildcard are always found.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    exact: Rows,
    prefixes: Affixes,
    suffixes: Affixes,
}

type Rows = HashMap<Box<str>, Vec<usize>>;

#[derive(Clone, Debug, Default)]
struct Affixes {
    /// In bytes, each once.
    lengths: Vec<usize>,
    rows: Rows,
}

// === impl Index ===

impl Index {
    pub(super) fn insert(&mut self, pattern: &Pattern, row: usize) {
        if pattern.is_literal() {
            add(&mut self.exact, pattern.as_str(), row);
        } else if pattern.prefix().len() >= pattern.suffix().len() {
            self.prefixes.insert(pattern.prefix(), row);
        } else {
            self.suffixes.insert(pattern.suffix(), row);
        }
    }

    /// All rows with a pattern that fits the value, and maybe some others; one may come more than once.
    pub(super) fn find<'a>(&'a self, value: &'a str) -> impl Iterator<Item = &'a [usize]> {
        let exact = self.exact.get(value).map(Vec::as_slice);
        let prefixes = self.prefixes.find(|length| value.get(..length));
        let suffixes = self.suffixes.find(|length| value.get(value.len().checked_sub(length)?..));
        exact.into_iter().chain(prefixes).chain(suffixes)
    }
}

// === impl Affixes ===

impl Affixes {
    fn insert(&mut self, affix: &str, row: usize) {
        if !self.lengths.contains(&affix.len()) {
            self.lengths.push(affix.len());
        }
        add(&mut self.rows, affix, row);
    }

    fn find<'a>(&'a self, cut: impl Fn(usize) -> Option<&'a str>) -> impl Iterator<Item = &'a [usize]> {
        self.lengths.iter().filter_map(move |length| self.rows.get(cut(*length)?).map(Vec::as_slice))
    }
}

/// Rows come in their order: those of one text next to each other, once.
fn add(rows: &mut Rows, text: &str, row: usize) {
    let rows = rows.entry(text.into()).or_default();
    if rows.last() != Some(&row) {
        rows.push(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pattern of row N.
    type Naming = fn(usize) -> String;

    /// The rows found among a thousand of the same kind.
    #[test]
    fn few_rows_are_found_among_many() {
        let kinds: [(&str, Naming, &str, &[usize]); 6] = [
            ("exact", |n| format!("team-{n}"), "team-77", &[77]),
            ("beginnings", |n| format!("team-{n}-*"), "team-77-build", &[77]),
            ("ends", |n| format!("*-team-{n}"), "build-team-77", &[77]),
            ("longer beginnings", |n| format!("team-{n}-*-x"), "team-77-a-x", &[77]),
            ("longer ends", |n| format!("x?-team-{n}"), "xa-team-77", &[77]),
            ("none", |n| format!("é{n}?é"), "🦀", &[]),
        ];
        for (kind, pattern, value, expected) in kinds {
            let mut index = Index::default();
            for row in 0..1000 {
                index.insert(&Pattern::new(&pattern(row)).expect("is a pattern"), row);
            }
            assert_eq!(index.find(value).collect::<Vec<_>>().concat(), expected, "{kind}");
        }
    }

    #[test]
    fn rows_of_one_text_are_found_together() {
        let mut index = Index::default();
        for (row, text) in [(0, "a*"), (0, "a?"), (1, "a*b"), (2, "*"), (2, "ab"), (3, "*x*")] {
            index.insert(&Pattern::new(text).expect("is a pattern"), row);
        }
        assert_eq!(index.find("ab").map(<[usize]>::to_vec).collect::<Vec<_>>(), [vec![2], vec![0, 1], vec![2, 3]]);
    }
}
