//! What replaying came to.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::outcome::{Answered, Kind};

/// Changes of more kinds than this are only counted.
const MAX_GROUPS: usize = 10_000;
/// Damaged lines that are named.
const MAX_DAMAGED: usize = 20;
/// Where there is no user, operation or tenant.
const NOBODY: &str = "-";

/// What would change.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Decisions that were asked about again, and wanted.
    pub replayed: u64,
    pub unchanged: u64,
    pub changed: u64,
    /// Changed ones, by how.
    pub kinds: BTreeMap<Kind, u64>,
    /// Of the changed ones, and of the others: a policy looked at something that is not as it was.
    pub uncertain_changed: u64,
    pub uncertain_unchanged: u64,
    /// Decisions whose caller belongs to another tenant now.
    pub moved: u64,
    /// Times of the first and the last decision that was replayed.
    pub first: Option<String>,
    pub last: Option<String>,
    pub skipped: Skipped,
    /// Lines that are damaged, the first few by name.
    pub damaged: Vec<Damaged>,
    /// The most frequent first.
    pub changes: Vec<Change>,
    /// Changes that are in none of `changes`: there were too many kinds.
    pub ungrouped: u64,
}

/// What was not asked about, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Decisions that nobody wanted to see.
    pub filtered: u64,
    /// Nothing of the call is in the record: it could not be read, or was too large.
    pub without_call: u64,
    /// Denied by what has nothing to do with rules: there was no room, or the host, its log or its data failed.
    pub by_circumstance: u64,
    /// Lines that are no decisions.
    pub other_lines: u64,
    pub damaged_lines: u64,
}

/// A line that is damaged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Damaged {
    pub file: String,
    pub line: u64,
    pub problem: String,
}

/// One kind of change: the same operation by the same user from one answer to another.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    pub kind: Kind,
    pub operation: String,
    pub user: String,
    /// Whose it is now.
    pub tenant: String,
    pub was: Answered,
    pub now: Answered,
    pub count: u64,
    /// Of these, in which a policy looked at something that is not as it was.
    pub uncertain: u64,
    /// IDs of the first ones.
    pub examples: Vec<String>,
}

/// What makes changes the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    kind: Kind,
    operation: String,
    user: String,
    tenant: String,
    was: Answered,
    now: Answered,
}

#[derive(Clone, Debug, Default)]
struct Group {
    count: u64,
    uncertain: u64,
    /// By the place in the log.
    examples: BTreeMap<u64, String>,
}

/// One decision that was asked about again.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Its place in the log.
    pub(crate) place: u64,
    pub(crate) id: String,
    pub(crate) operation: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) differs: Option<(Kind, Answered, Answered)>,
    pub(crate) is_uncertain: bool,
    pub(crate) is_moved: bool,
}

/// Counts what one lane came to.
#[derive(Debug)]
pub(crate) struct Count {
    /// How many IDs of each change are kept.
    examples: usize,
    replayed: u64,
    uncertain: [u64; 2],
    moved: u64,
    ungrouped: u64,
    kinds: BTreeMap<Kind, u64>,
    groups: BTreeMap<Key, Group>,
}

// === impl Count ===

impl Count {
    pub(crate) fn new(examples: usize) -> Self {
        Self {
            examples,
            replayed: 0,
            uncertain: [0; 2],
            moved: 0,
            ungrouped: 0,
            kinds: BTreeMap::new(),
            groups: BTreeMap::new(),
        }
    }

    pub(crate) fn add(&mut self, asked: Asked) {
        let Asked { place, id, operation, user, tenant, differs, is_uncertain, is_moved } = asked;
        self.replayed += 1;
        self.moved += u64::from(is_moved);
        let [changed, unchanged] = &mut self.uncertain;
        *if differs.is_some() { changed } else { unchanged } += u64::from(is_uncertain);
        let Some((kind, was, now)) = differs else { return };
        *self.kinds.entry(kind).or_default() += 1;
        let text = |text: Option<String>| text.unwrap_or_else(|| NOBODY.to_owned());
        let key = Key { kind, operation: text(operation), user: text(user), tenant: text(tenant), was, now };
        if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(&key) {
            self.ungrouped += 1;
            return;
        }
        let group = self.groups.entry(key).or_default();
        group.count += 1;
        group.uncertain += u64::from(is_uncertain);
        group.examples.insert(place, id);
        trim(&mut group.examples, self.examples);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.replayed += other.replayed;
        self.moved += other.moved;
        self.ungrouped += other.ungrouped;
        self.uncertain.iter_mut().zip(other.uncertain).for_each(|(sum, more)| *sum += more);
        for (kind, count) in other.kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
        for (key, more) in other.groups {
            let group = self.groups.entry(key).or_default();
            group.count += more.count;
            group.uncertain += more.uncertain;
            group.examples.extend(more.examples);
            trim(&mut group.examples, self.examples);
        }
    }

    /// The whole; what is not counted here is in `read`.
    pub(crate) fn report(self, read: Report) -> Report {
        let changed = self.kinds.values().sum();
        let [uncertain_changed, uncertain_unchanged] = self.uncertain;
        let mut changes: Vec<_> = self.groups.into_iter().map(|(key, group)| Change::of(key, group)).collect();
        // Stable: of equally frequent ones, by what they are.
        changes.sort_by_key(|change| (change.kind, std::cmp::Reverse(change.count)));
        Report {
            replayed: self.replayed,
            unchanged: self.replayed - changed,
            changed,
            kinds: self.kinds,
            uncertain_changed,
            uncertain_unchanged,
            moved: self.moved,
            changes,
            ungrouped: self.ungrouped,
            ..read
        }
    }
}

fn trim(examples: &mut BTreeMap<u64, String>, most: usize) {
    while examples.len() > most {
        examples.pop_last();
    }
}

// === impl Change ===

impl Change {
    fn of(key: Key, group: Group) -> Self {
        let Key { kind, operation, user, tenant, was, now } = key;
        let Group { count, uncertain, examples } = group;
        Self { kind, operation, user, tenant, was, now, count, uncertain, examples: examples.into_values().collect() }
    }
}

// === impl Report ===

impl Report {
    pub(crate) fn add_damaged(&mut self, damaged: Damaged) {
        self.skipped.damaged_lines += 1;
        if self.damaged.len() < MAX_DAMAGED {
            self.damaged.push(damaged);
        }
    }

    /// Widens the time to hold this one.
    pub(crate) fn add_time(&mut self, timestamp: &str) {
        if self.first.as_deref().is_none_or(|first| timestamp < first) {
            self.first = Some(timestamp.to_owned());
        }
        if self.last.as_deref().is_none_or(|last| timestamp > last) {
            self.last = Some(timestamp.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(place: u64, user: &str, differs: bool) -> Asked {
        let now = Answered::Deny { reason: "a: no".to_owned() };
        Asked {
            place,
            id: format!("id{place}"),
            operation: Some("ContainerCreate".to_owned()),
            user: Some(user.to_owned()),
            tenant: None,
            differs: differs.then_some((Kind::NowDenied, Answered::Allow, now)),
            is_uncertain: place == 7,
            is_moved: false,
        }
    }

    #[test]
    fn lanes_come_to_one_report_whatever_their_order() {
        let count = |places: &[u64]| {
            let mut count = Count::new(2);
            for place in places {
                count.add(asked(*place, if place % 2 == 0 { "ann" } else { "bob" }, *place > 2));
            }
            count
        };
        let mut one = count(&[1, 4, 7, 9]);
        one.merge(count(&[2, 3, 5, 8]));
        let mut other = count(&[2, 3, 5, 8]);
        other.merge(count(&[1, 4, 7, 9]));
        let reports = [one, other].map(|count| count.report(Report::default()));
        for report in &reports {
            let message: Vec<_> =
                report.changes.iter().map(|change| (change.user.as_str(), change.count, &change.examples)).collect();
            let bob = vec!["id3".to_owned(), "id5".to_owned()];
            let ann = vec!["id4".to_owned(), "id8".to_owned()];
            assert_eq!(message, [("bob", 4, &bob), ("ann", 2, &ann)]);
            assert_eq!((report.replayed, report.unchanged, report.changed), (8, 2, 6));
            assert_eq!((report.uncertain_changed, report.uncertain_unchanged), (1, 0));
            assert_eq!(report.kinds, BTreeMap::from([(Kind::NowDenied, 6)]));
        }
    }

    #[test]
    fn changes_of_too_many_kinds_are_counted() {
        let mut count = Count::new(1);
        for place in 0..=MAX_GROUPS as u64 {
            count.add(asked(place, &format!("user{place}"), true));
        }
        let report = count.report(Report::default());
        assert_eq!((report.changed, report.ungrouped, report.changes.len()), (MAX_GROUPS as u64 + 1, 1, MAX_GROUPS));
    }
}
