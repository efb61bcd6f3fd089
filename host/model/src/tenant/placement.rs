//! The tenant of a caller.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use thiserror::Error;

use super::attribute::{Attribute, Mask};
use super::caller::{Caller, Subject};
use super::matching::Match;
use super::overlap::{Overlap, overlaps};
use super::table::{Row, Table};
use crate::name::TenantName;
use crate::request::UnreadableCertificate;

/// All tenants' matches, for finding the one tenant of a caller.
///
/// What it costs to find it does not grow with the number of tenants, as long as they are told apart by values without
/// wildcards, or by patterns that begin or end with different texts. It does grow with the number of different sets of
/// attributes that matches name: at most 63, and more only where matches name different headers.
#[derive(Clone, Debug, Default)]
pub struct Placement {
    /// The strongest first.
    groups: Vec<Group>,
}

/// Why it cannot be told which tenant a caller belongs to. `Display` is for the operator.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unplaced {
    /// Matches of both hold, and none is stronger; more tenants may be in it.
    #[error("the caller belongs to tenant `{first}` and to tenant `{second}`")]
    Ambiguous { first: TenantName, second: TenantName },
    /// A match depends on it.
    #[error("the tenant of the caller depends on a certificate: {0}")]
    Certificate(#[from] UnreadableCertificate),
}

/// Equally strong matches: more than one table only where they name different headers.
#[derive(Clone, Debug)]
struct Group {
    tables: Vec<Table>,
    names_certificate: bool,
}

// === impl Placement ===

impl Placement {
    /// A tenant is known by its place among all, so each must be given once; one without a match is nobody's. The error
    /// has every pair of tenants that one caller could belong to, once.
    pub fn new(tenants: impl IntoIterator<Item = (TenantName, Vec<Match>)>) -> Result<Self, Vec<Overlap>> {
        let tenants = tenants.into_iter().enumerate();
        let rows: Vec<Row> = tenants
            .flat_map(|(tenant, (name, matches))| {
                matches.into_iter().map(move |wanted| Row { tenant, name: name.clone(), wanted })
            })
            .collect();
        let overlaps = overlaps(&rows);
        if overlaps.is_empty() { Ok(Self::of(rows)) } else { Err(overlaps) }
    }

    fn of(rows: Vec<Row>) -> Self {
        let mut by_mask: BTreeMap<Reverse<Mask>, BTreeMap<Vec<Attribute>, Vec<Row>>> = BTreeMap::new();
        for row in rows {
            let attributes = row.wanted.attributes().cloned().collect();
            by_mask.entry(Reverse(row.wanted.mask())).or_default().entry(attributes).or_default().push(row);
        }
        let groups = by_mask.into_values().map(|tables| {
            Group::new(tables.into_iter().map(|(attributes, rows)| Table::new(&attributes, rows)).collect())
        });
        Self { groups: groups.collect() }
    }

    /// The caller's tenant, by its place in the order in which they were given; none where no match holds.
    ///
    /// The strongest matches that hold decide. Where they name something of the certificate, it is read as soon as the
    /// rest of one of them holds.
    pub fn find(&self, caller: &dyn Caller) -> Result<Option<usize>, Unplaced> {
        let mut subject = Subject::new(caller);
        for group in &self.groups {
            if group.names_certificate && !subject.knows_certificate() {
                if group.holding(subject).next().is_none() {
                    continue;
                }
                subject.read_certificate()?;
            }
            if let Some(tenant) = group.tenant(subject)? {
                return Ok(Some(tenant));
            }
        }
        Ok(None)
    }
}

// === impl Group ===

impl Group {
    fn new(tables: Vec<Table>) -> Self {
        let names_certificate = tables.iter().any(Table::names_certificate);
        Self { tables, names_certificate }
    }

    fn tenant(&self, subject: Subject<'_>) -> Result<Option<usize>, Unplaced> {
        let mut holding = self.holding(subject);
        let Some(row) = holding.next() else { return Ok(None) };
        match holding.find(|other| other.tenant != row.tenant) {
            None => Ok(Some(row.tenant)),
            Some(other) => {
                let (first, second) = if row.tenant < other.tenant { (row, other) } else { (other, row) };
                Err(Unplaced::Ambiguous { first: first.name.clone(), second: second.name.clone() })
            }
        }
    }

    fn holding<'a>(&'a self, subject: Subject<'a>) -> impl Iterator<Item = &'a Row> {
        self.tables.iter().flat_map(move |table| table.holding(subject))
    }
}

// === impl Unplaced ===

impl Unplaced {
    /// For the caller: it names no tenant.
    pub fn public_message(&self) -> &'static str {
        match self {
            Self::Ambiguous { .. } => "it cannot be told whose rules are to be asked",
            Self::Certificate(_) => "a certificate of the caller cannot be read",
        }
    }
}
