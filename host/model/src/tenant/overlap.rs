//! Matches of two tenants that one caller could satisfy.

use std::collections::BTreeMap;
use std::fmt;

use super::attribute::{Attribute, Mask};
use super::matching::Match;
use super::pattern::Pattern;
use super::table::Row;
use crate::name::TenantName;

/// Two tenants with equally strong matches that one caller could satisfy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The one that was given first.
    pub first: TenantName,
    pub second: TenantName,
    /// What each names: "user `ci-*` and user `ci-admin`".
    pub what: String,
    /// What a caller would have for both to hold: the strongest attribute first.
    pub witness: Vec<(Attribute, String)>,
}

/// A pattern on the narrowest attribute, as the others are compared with it.
struct Entry<'a> {
    row: &'a Row,
    /// None where the rows have no attribute in common.
    pattern: Option<&'a Pattern>,
}

/// All pairs of tenants that overlap, each once, by its strongest matches; in the order in which tenants were given.
pub(super) fn overlaps(rows: &[Row]) -> Vec<Overlap> {
    let mut by_mask: BTreeMap<Mask, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        by_mask.entry(row.wanted.mask()).or_default().push(row);
    }
    let mut found = BTreeMap::new();
    for equally_strong in by_mask.values().rev() {
        add_overlaps(equally_strong, &mut found);
    }
    found.into_values().collect()
}

/// Two patterns can only overlap where what one begins with also begins with what the other does, so in the order of
/// their beginnings each has to be compared with the few that come next.
fn add_overlaps(rows: &[&Row], found: &mut BTreeMap<(usize, usize), Overlap>) {
    let entries = entries(rows);
    for (number, entry) in entries.iter().enumerate() {
        let later = entries.iter().skip(number + 1);
        for other in later.take_while(|other| other.prefix().starts_with(entry.prefix())) {
            if entry.row.tenant == other.row.tenant || !entry.may_overlap(other) {
                continue;
            }
            let is_in_order = entry.row.tenant < other.row.tenant;
            let (first, second) = if is_in_order { (entry.row, other.row) } else { (other.row, entry.row) };
            let pair = (first.tenant, second.tenant);
            if !found.contains_key(&pair)
                && let Some(overlap) = Overlap::new(first, second)
            {
                found.insert(pair, overlap);
            }
        }
    }
}

/// The patterns of all rows for the attribute that tells them apart best, by their beginnings.
fn entries<'a>(rows: &[&'a Row]) -> Vec<Entry<'a>> {
    let of = |attribute: &Attribute| {
        let of_row = |row: &&'a Row| {
            let row: &'a Row = row;
            let patterns = row.wanted.patterns(attribute)?;
            Some(patterns.iter().map(move |pattern| Entry { row, pattern: Some(pattern) }))
        };
        let mut entries: Vec<_> = rows.iter().map(of_row).collect::<Option<Vec<_>>>()?.into_iter().flatten().collect();
        entries.sort_by_key(|entry| entry.prefix());
        Some(entries)
    };
    let candidates = rows.first().into_iter().flat_map(|row| row.wanted.attributes()).filter_map(of);
    let of_the_narrowest = candidates.max_by_key(|entries| entries.chunk_by(|a, b| a.prefix() == b.prefix()).count());
    of_the_narrowest.unwrap_or_else(|| rows.iter().map(|row| Entry { row, pattern: None }).collect())
}

// === impl Overlap ===

impl Overlap {
    fn new(first: &Row, second: &Row) -> Option<Self> {
        let (mut of_first, mut of_second, mut witness) = (Vec::new(), Vec::new(), Vec::new());
        for attribute in both(&first.wanted, &second.wanted) {
            let (a, b) = (first.wanted.patterns(attribute), second.wanted.patterns(attribute));
            let (a, b, value) = common(a, b)?;
            of_first.extend(a.map(|pattern| format!("{attribute} `{pattern}`")));
            of_second.extend(b.map(|pattern| format!("{attribute} `{pattern}`")));
            witness.push((attribute.clone(), value));
        }
        let what = format!("{} and {}", of_first.join(" with "), of_second.join(" with "));
        Some(Self { first: first.name.clone(), second: second.name.clone(), what, witness })
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, second, what, witness } = self;
        write!(f, "tenants `{first}` and `{second}` overlap: {what} both hold for a caller with ")?;
        for (number, (attribute, value)) in witness.iter().enumerate() {
            let separator = if number == 0 { "" } else { ", " };
            write!(f, "{separator}{attribute} `{value}`")?;
        }
        Ok(())
    }
}

/// What either names, the strongest first.
fn both<'a>(first: &'a Match, second: &'a Match) -> Vec<&'a Attribute> {
    let mut attributes: Vec<_> = first.attributes().chain(second.attributes()).collect();
    attributes.sort();
    attributes.dedup();
    attributes
}

/// Two patterns and a value that they fit: where only one match names the attribute, any value of that one.
fn common<'a>(
    first: Option<&'a [Pattern]>,
    second: Option<&'a [Pattern]>,
) -> Option<(Option<&'a Pattern>, Option<&'a Pattern>, String)> {
    match (first, second) {
        (Some(first), Some(second)) => {
            first.iter().find_map(|a| second.iter().find_map(|b| a.common(b).map(|value| (Some(a), Some(b), value))))
        }
        (Some([a, ..]), None) => Some((Some(a), None, a.common(a)?)),
        (None, Some([b, ..])) => Some((None, Some(b), b.common(b)?)),
        (Some([]), None) | (None, Some([]) | None) => None,
    }
}

// === impl Entry ===

impl<'a> Entry<'a> {
    fn prefix(&self) -> &'a str {
        self.pattern.map_or("", Pattern::prefix)
    }

    fn may_overlap(&self, other: &Self) -> bool {
        self.pattern.zip(other.pattern).is_none_or(|(a, b)| a.may_overlap(b))
    }
}
