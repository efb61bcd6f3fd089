//! The matches that name the same attributes, and those of them that hold.

use super::attribute::Attribute;
use super::caller::Subject;
use super::index::Index;
use super::matching::Match;
use crate::name::TenantName;

/// One match of one tenant.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// The tenant's place among all.
    pub(super) tenant: usize,
    pub(super) name: TenantName,
    pub(super) wanted: Match,
}

/// Matches that name the same attributes.
#[derive(Clone, Debug)]
pub(super) struct Table {
    rows: Vec<Row>,
    columns: Vec<Column>,
}

#[derive(Clone, Debug)]
struct Column {
    attribute: Attribute,
    index: Index,
}

// === impl Table ===

impl Table {
    /// All rows name these attributes and no others.
    pub(super) fn new(attributes: &[Attribute], rows: Vec<Row>) -> Self {
        let columns = attributes.iter().map(|attribute| Column::new(attribute, &rows)).collect();
        Self { rows, columns }
    }

    pub(super) fn names_certificate(&self) -> bool {
        self.columns.iter().any(|column| column.attribute.is_of_certificate())
    }

    /// The rows that hold as far as the caller is known, some more than once. Only the candidates of the column with the
    /// fewest are looked at.
    pub(super) fn holding<'a>(&'a self, subject: Subject<'a>) -> impl Iterator<Item = &'a Row> {
        let known = self.columns.iter().filter(|column| subject.knows(&column.attribute));
        let fewest = known.min_by_key(|column| column.find(&subject).map(<[usize]>::len).sum::<usize>());
        let all = if fewest.is_none() { 0..self.rows.len() } else { 0..0 };
        let candidates = fewest.into_iter().flat_map(move |column| column.find(&subject)).flatten().copied();
        candidates.chain(all).filter_map(|row| self.rows.get(row)).filter(move |row| row.wanted.may_hold(&subject))
    }
}

// === impl Column ===

impl Column {
    fn new(attribute: &Attribute, rows: &[Row]) -> Self {
        let mut index = Index::default();
        for (number, row) in rows.iter().enumerate() {
            for pattern in row.wanted.patterns(attribute).unwrap_or_default() {
                index.insert(pattern, number);
            }
        }
        Self { attribute: attribute.clone(), index }
    }

    /// Rows that may hold, in pieces.
    fn find<'a>(&'a self, subject: &Subject<'a>) -> impl Iterator<Item = &'a [usize]> + use<'a> {
        subject.values(&self.attribute).flat_map(|value| self.index.find(value))
    }
}
