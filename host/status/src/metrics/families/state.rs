//! What policies keep.

use std::fmt;

use portcullis_model::TenantName;
use portcullis_state::Usage;

use crate::metrics::families::{NO_TENANT, bytes, family, seconds};
use crate::metrics::page::{Family, Page};
use crate::metrics::scrape::Scrape;

const AVAILABLE: Family = family("portcullis_state_available", "Whether what policies keep is to be had: 1 or 0");
const FREE: Family = bytes("portcullis_state_free", "Room on the store's disk");
const KEYS: Family = family("portcullis_state_keys", "Keys that are kept");
const BYTES: Family = bytes("portcullis_state", "Keys and values that are kept");
const COMMITS: Family = family("portcullis_state_commits", "Transactions, by whether they are on the disk");
const CHANGES: Family = family("portcullis_state_changes", "Changes that are on the disk; many share a transaction");
const TOOK: Family = seconds("portcullis_state_commit_duration", "Transactions: nearly all of it is the disk's");

pub(crate) fn write(scrape: &Scrape, page: &mut Page<'_>) -> fmt::Result {
    let store = &scrape.sources.store;
    page.gauges(&AVAILABLE, [([], u32::from(store.problem().or_else(|| store.write_problem()).is_none()))])?;
    page.gauges(&FREE, scrape.sources.reporter.inspector().free().map(|free| ([], free)))?;
    let kept = kept(scrape);
    page.gauges(&KEYS, kept.iter().map(|(tenant, usage)| ([("tenant", *tenant)], usage.keys)))?;
    page.gauges(&BYTES, kept.iter().map(|(tenant, usage)| ([("tenant", *tenant)], usage.bytes)))?;
    let commits = store.writes();
    let results = commits.iter().flat_map(|commits| [("done", commits.done()), ("failed", commits.failed())]);
    page.counters(&COMMITS, results.map(|(result, count)| ([("result", result)], count)))?;
    page.counters(&CHANGES, commits.map(|commits| ([], commits.changes())))?;
    page.histograms(&TOOK, commits.map(|commits| ([], commits.took())))
}

/// By active tenant, and of all others together; nothing where the store does not answer.
fn kept(scrape: &Scrape) -> Vec<(&str, Usage)> {
    let Some(kept) = &scrape.kept else { return Vec::new() };
    let tenants = &scrape.snapshot.tenants;
    let mut sums: Vec<_> = tenants.iter().map(|tenant| (tenant.name.as_str(), Usage::default())).collect();
    let mut others = Usage::default();
    for (tenant, usage) in kept {
        let place =
            TenantName::new(tenant).ok().and_then(|name| tenants.binary_search_by(|other| other.name.cmp(&name)).ok());
        match place.and_then(|place| sums.get_mut(place)) {
            Some((_, sum)) => *sum = *usage,
            None => others = others.plus(*usage),
        }
    }
    sums.push((NO_TENANT, others));
    sums
}
