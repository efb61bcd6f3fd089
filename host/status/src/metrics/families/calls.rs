//! What became of calls.

use std::fmt;

use portcullis_model::decision::Mode;
use portcullis_policies::Member;
use portcullis_policies::tenant::Counters;

use crate::metrics::families::{NO_TENANT, bytes, family, seconds};
use crate::metrics::page::{Family, Labels, Page};
use crate::metrics::scrape::Scrape;

const DECISIONS: Family = family("portcullis_decisions", "Decisions, by the answer and its cause");
const TOOK: Family = seconds("portcullis_decision_duration", "From a call's last byte to its answer");
const PHASES: Family = seconds(
    "portcullis_phase_duration",
    "Parts of decisions: read the call, wait for a place, and for each policy queue for an instance, start it, decide; log",
);
const FAULTS: Family = family("portcullis_faults", "Policies that did not answer properly, by the kind of fault");
const WOULD_DENY: Family =
    family("portcullis_would_deny", "Calls that were allowed, and denied had everything counted that is only observed");
const SAID: Family = family("portcullis_policy_verdicts", "What each policy said since it was loaded");
const LINES: Family = family("portcullis_policy_log_lines_dropped", "Lines of policies that were over a limit");
const IN_FLIGHT: Family = family("portcullis_decisions_in_flight", "Decisions that are being made");
const WAITING: Family = family("portcullis_decisions_waiting", "Calls that wait for a place");
const LIMIT: Family = family("portcullis_decisions_limit", "Decisions that may be in flight");
const MEMORY: Family = bytes("portcullis_policy_memory", "Memory of the policies that run");

pub(crate) fn write(scrape: &Scrape, page: &mut Page<'_>) -> fmt::Result {
    let tallies = || tallies(scrape);
    page.counters(
        &DECISIONS,
        tallies().flat_map(|(tenant, counters)| {
            counters.calls().decisions().map(move |count| {
                let labels = [
                    ("tenant", tenant),
                    ("operation", count.operation),
                    ("answer", count.answer),
                    ("cause", count.cause),
                ];
                (labels, count.count)
            })
        }),
    )?;
    page.histograms(&TOOK, tallies().map(|(tenant, counters)| ([("tenant", tenant)], counters.calls().took())))?;
    let phases = scrape.sources.authorizer.recorder().phases().read();
    page.histograms(&PHASES, phases.map(|(phase, histogram)| ([("phase", phase)], histogram)))?;
    page.counters(
        &FAULTS,
        tallies().flat_map(|(tenant, counters)| {
            counters.calls().faults().map(move |(kind, count)| ([("tenant", tenant), ("kind", kind)], count))
        }),
    )?;
    let of_tenants = || tallies().filter(|(tenant, _)| *tenant != NO_TENANT);
    page.counters(&WOULD_DENY, of_tenants().map(|(tenant, counters)| ([("tenant", tenant)], counters.would_deny())))?;
    page.counters(&SAID, members(scrape).flat_map(|(tenant, member)| said(tenant, member)))?;
    page.counters(
        &LINES,
        of_tenants().map(|(tenant, counters)| ([("tenant", tenant)], counters.calls().lines_dropped())),
    )?;
    rooms(scrape, page)
}

/// How full tenants are.
fn rooms(scrape: &Scrape, page: &mut Page<'_>) -> fmt::Result {
    let tenants =
        || scrape.snapshot.tenants.iter().map(|tenant| ([("tenant", tenant.name.as_str())], &tenant.resources));
    page.gauges(&IN_FLIGHT, tenants().map(|(labels, resources)| (labels, resources.admission.load().0)))?;
    page.gauges(&WAITING, tenants().map(|(labels, resources)| (labels, resources.admission.load().1)))?;
    page.gauges(&LIMIT, tenants().map(|(labels, resources)| (labels, resources.admission.limit())))?;
    page.gauges(&MEMORY, tenants().map(|(labels, resources)| (labels, resources.budget.memory())))
}

/// Every tenant's, and that of calls that are nobody's.
fn tallies(scrape: &Scrape) -> impl Iterator<Item = (&str, &Counters)> {
    let tenants = scrape.snapshot.tenants.iter();
    let tenants = tenants.map(|tenant| (tenant.name.as_str(), &*tenant.resources.counters));
    tenants.chain([(NO_TENANT, scrape.sources.authorizer.unmatched())])
}

/// Every policy, and whose it is.
fn members(scrape: &Scrape) -> impl Iterator<Item = (&str, &Member)> {
    let host = scrape.snapshot.host.members.iter().map(|member| (NO_TENANT, &**member));
    let tenants = scrape.snapshot.tenants.iter();
    let own = tenants.flat_map(|tenant| tenant.layer.members.iter().map(|member| (tenant.name.as_str(), &**member)));
    host.chain(own)
}

fn said<'a>(tenant: &'a str, member: &'a Member) -> impl Iterator<Item = (Labels<'a, 4>, u64)> {
    let mode = match member.file.mode {
        Mode::Enforce => "enforce",
        Mode::Observe => "observe",
    };
    member.said.read().into_iter().map(move |(verdict, count)| {
        ([("tenant", tenant), ("policy", member.name.as_str()), ("mode", mode), ("verdict", verdict)], count)
    })
}
