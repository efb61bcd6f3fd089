//! Marks that were found, and where.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};

const MARK: &str = "leak-";

/// By place. Shown as `place=mark,mark place=mark`, sorted.
#[derive(Debug, Default)]
pub(crate) struct Finds(BTreeMap<&'static str, BTreeSet<String>>);

impl Finds {
    /// Takes every mark of a text.
    pub(crate) fn look(&mut self, place: &'static str, text: &str) {
        let is_of_mark = |c: char| c.is_ascii_alphanumeric() || c == '-';
        for (start, _) in text.match_indices(MARK) {
            let mark = text.get(start..).unwrap_or_default();
            let mark = mark.split(|c| !is_of_mark(c)).next().unwrap_or_default();
            self.0.entry(place).or_default().insert(mark.to_owned());
        }
    }
}

impl Display for Finds {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (number, (place, marks)) in self.0.iter().enumerate() {
            let marks = marks.iter().map(String::as_str).collect::<Vec<_>>().join(",");
            let space = if number == 0 { "" } else { " " };
            write!(f, "{space}{place}={marks}")?;
        }
        Ok(())
    }
}
