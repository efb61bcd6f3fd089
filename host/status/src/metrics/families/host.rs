//! The host itself.

use std::fmt;
use std::sync::atomic::Ordering;

use portcullis_engine::{CONTRACT, RUNTIME};

use crate::metrics::families::{bytes, family, seconds};
use crate::metrics::page::{Family, Page};
use crate::metrics::scrape::Scrape;

const BUILD: Family = family("portcullis_build_info", "Always 1; its labels say what runs");
const INSTANCES: Family = family("portcullis_instances", "Instances of policies that run");
const POOL: Family = family("portcullis_instances_limit", "Instances of policies that can run at once");
const LONG: Family = family("portcullis_long_runs", "Instances that run longer than a millisecond, and take turns");
const STUCK: Family =
    family("portcullis_stuck_lookups", "Lookups of mounts' paths that a file system does not answer, each on a thread");
const MODULES: Family = family("portcullis_compiled_modules", "Distinct policy files whose code is held");
const LOST: Family =
    family("portcullis_log_lines_dropped", "Lines of the host's log that were lost: its reader is too slow");
const RECORDS: Family =
    family("portcullis_records", "Records of decisions, by each sink written or lost; calls refused for want of one");
const REQUESTS: Family = family("portcullis_admin_requests", "Calls of the admin API");
const EXPORTED: Family =
    family("portcullis_exported", "Traces and logs for collectors: those that arrived, and those that did not");
const CERTIFICATE: Family =
    seconds("portcullis_certificate_end", "When a certificate of the admin API ends, in Unix time");
const CPU: Family = seconds("process_cpu", "CPU time of the process");
const RESIDENT: Family = bytes("process_resident_memory", "Memory of the process that is in RAM");
const VIRTUAL: Family =
    bytes("process_virtual_memory", "Addresses of the process, most of them reserved for instances");
const THREADS: Family = family("process_threads", "Threads of the process");
const START: Family = seconds("process_start_time", "When the process began, in Unix time");
const OPEN: Family = family("process_open_fds", "Open file descriptors");
const MOST: Family = family("process_max_fds", "File descriptors that may be open");

pub(crate) fn write(scrape: &Scrape, page: &mut Page<'_>) -> fmt::Result {
    let build = [("version", env!("CARGO_PKG_VERSION")), ("contract", CONTRACT), ("runtime", RUNTIME)];
    page.gauges(&BUILD, [(build, 1_u32)])?;
    let sandbox = scrape.sandbox;
    page.gauges(&INSTANCES, [([], sandbox.instances)])?;
    page.gauges(&POOL, [([], sandbox.pool)])?;
    page.gauges(&LONG, [([], sandbox.long_runs)])?;
    let stuck = scrape.sources.authorizer.evaluator().stuck();
    page.gauges(&STUCK, [([], u32::try_from(stuck.len()).unwrap_or(u32::MAX))])?;
    page.gauges(&MODULES, [([], sandbox.codes)])?;
    page.counters(&LOST, [([], scrape.sources.log.dropped())])?;
    let records = scrape.sources.authorizer.log().statistics();
    let results = [("written", &records.written), ("lost", &records.lost), ("refused", &records.refused)];
    page.counters(&RECORDS, results.map(|(result, count)| ([("result", result)], count.load(Ordering::Relaxed))))?;
    let requests = scrape.sources.requests.read();
    let requests =
        requests.iter().map(|(route, status, count)| ([("route", *route), ("status", status.as_str())], *count));
    page.counters(&REQUESTS, requests)?;
    let exports = scrape.sources.exports.iter();
    let exported = exports.flat_map(|(signal, exported)| {
        exported.read().map(|(result, count)| ([("signal", *signal), ("result", result)], count))
    });
    page.counters(&EXPORTED, exported)?;
    let ends = scrape.sources.reporter.ends();
    page.gauges(&CERTIFICATE, ends.iter().map(|end| ([("file", end.key)], end.at)))?;
    process(scrape, page)
}

fn process(scrape: &Scrape, page: &mut Page<'_>) -> fmt::Result {
    let process = &scrape.process;
    page.seconds_counter(&CPU, process.cpu_seconds)?;
    page.gauges(&RESIDENT, process.resident_bytes.map(|value| ([], value)))?;
    page.gauges(&VIRTUAL, process.virtual_bytes.map(|value| ([], value)))?;
    page.gauges(&THREADS, process.threads.map(|value| ([], value)))?;
    page.gauges(&START, process.start_seconds.map(|value| ([], value)))?;
    page.gauges(&OPEN, process.open_fds.map(|value| ([], value)))?;
    page.gauges(&MOST, process.max_fds.map(|value| ([], value)))
}
