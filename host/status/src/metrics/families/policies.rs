//! What is active, and how it came to be.

use std::collections::BTreeMap;
use std::fmt;

use portcullis_model::TenantName;
use portcullis_policies::{IGNORED, Layer, PERMISSIONS};

use crate::health::Readiness;
use crate::metrics::families::{NO_TENANT, bytes, family, seconds};
use crate::metrics::page::{Family, Page};
use crate::metrics::scrape::Scrape;

const READY: Family =
    family("portcullis_ready", "Whether nothing but policies denies calls: 1 or 0, as /v1/health/ready");
const GENERATION: Family = family("portcullis_generation", "The number of the active generation");
const TENANTS: Family = family("portcullis_tenants", "Active tenants");
const POLICIES: Family = family("portcullis_policies", "Active policies, loaded or broken: the latter deny every call");
const PROBLEMS: Family =
    family("portcullis_problems", "What lies in folders and is not active, and what is wrong with them, by what it is");
const FINDINGS: Family =
    family("portcullis_findings", "What is wrong, as /v1/health/ready has it, by whether calls are denied for it");
const DATA: Family = bytes("portcullis_data", "The files of active documents");
const DOCUMENTS: Family = family("portcullis_documents", "Active documents");
const SWAPS: Family = family("portcullis_swaps", "Files that were loaded, and files that could not be");
const PUBLISH: Family =
    seconds("portcullis_publish_duration", "From the notice that a folder changed to its being active");
const COMPILE: Family =
    seconds("portcullis_compile_duration", "Compiling a policy, or finding what was compiled before");
const COMPILATIONS: Family =
    family("portcullis_compilations", "Policies that were compiled, or found in the cache on disk");

/// What a trouble can be about.
const WHATS: [&str; 6] = ["policy", "data", "tenant", "folder", IGNORED, PERMISSIONS];

/// What can be wrong beside them.
const FOUND: [&str; 6] = ["configuration", "socket", "certificate", "state", "cache", "log"];

pub(crate) fn write(scrape: &Scrape, page: &mut Page<'_>) -> fmt::Result {
    page.gauges(&READY, [([], u32::from(scrape.readiness.is_ready))])?;
    page.gauges(&GENERATION, [([], scrape.snapshot.generation.0)])?;
    page.gauges(&TENANTS, [([], scrape.snapshot.tenants.len())])?;
    let counts = layers(scrape).flat_map(|(tenant, layer)| {
        let broken = layer.members.iter().filter(|member| member.policy.is_err()).count();
        let loaded = layer.members.len() - broken;
        [("loaded", loaded), ("broken", broken)]
            .map(|(status, count)| ([("tenant", tenant), ("status", status)], count))
    });
    page.gauges(&POLICIES, counts)?;
    page.gauges(&PROBLEMS, problems(scrape))?;
    page.gauges(&FINDINGS, findings(scrape))?;
    let data_bytes = |layer: &Layer| layer.documents.values().map(|kept| kept.file.size()).sum::<u64>();
    page.gauges(&DATA, layers(scrape).map(|(tenant, layer)| ([("tenant", tenant)], data_bytes(layer))))?;
    let documents = |layer: &Layer| layer.data.as_ref().map_or(0, |data| data.names().len());
    page.gauges(&DOCUMENTS, layers(scrape).map(|(tenant, layer)| ([("tenant", tenant)], documents(layer))))?;
    let swaps = &scrape.sources.swaps;
    page.counters(&SWAPS, swaps.read().map(|(what, result, count)| ([("what", what), ("result", result)], count)))?;
    page.histograms(&PUBLISH, [([], &swaps.publish_time)])?;
    page.histograms(&COMPILE, [([], &swaps.compile_time)])?;
    let (all, cached) = (scrape.sandbox.compilations, scrape.sandbox.cached);
    let compilations = [("compiled", all.saturating_sub(cached)), ("found", cached)];
    page.counters(&COMPILATIONS, compilations.map(|(result, count)| ([("result", result)], count as u64)))
}

/// The host's own folder, and each tenant's.
fn layers(scrape: &Scrape) -> impl Iterator<Item = (&str, &Layer)> {
    let tenants = scrape.snapshot.tenants.iter().map(|tenant| (tenant.name.as_str(), &tenant.layer));
    std::iter::once((NO_TENANT, &scrape.snapshot.host)).chain(tenants)
}

/// Of the host and each active tenant, and of all others together. What is sound has none.
fn problems(scrape: &Scrape) -> impl Iterator<Item = ([(&'static str, &str); 2], u32)> {
    let active = |name: &TenantName| scrape.snapshot.tenants.iter().any(|tenant| tenant.name == *name);
    let mut counts: BTreeMap<(&str, &str), u32> = WHATS.iter().map(|what| ((NO_TENANT, *what), 0)).collect();
    for (name, issues) in &*scrape.issues {
        let tenant = name.as_ref().filter(|name| active(name)).map_or(NO_TENANT, TenantName::as_str);
        for issue in issues {
            *counts.entry((tenant, issue.what)).or_default() += 1;
        }
    }
    counts.into_iter().map(|((tenant, what), count)| ([("tenant", tenant), ("what", what)], count))
}

/// How much is wrong, by what it is; of what is always there, 0 where nothing is.
fn findings(scrape: &Scrape) -> impl Iterator<Item = ([(&'static str, &str); 2], u32)> {
    let Readiness { denying, warnings, .. } = &scrape.readiness;
    let mut counts: BTreeMap<(&str, &str), u32> = FOUND.iter().map(|what| (("warning", *what), 0)).collect();
    for (severity, findings) in [("denying", denying), ("warning", warnings)] {
        for finding in findings {
            *counts.entry((severity, finding.what.as_str())).or_default() += 1;
        }
    }
    counts.into_iter().map(|((severity, what), count)| ([("severity", severity), ("what", what)], count))
}
