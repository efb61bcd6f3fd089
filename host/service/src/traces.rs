//! Traces of decisions: made when a decision is over, of what was measured anyway.
//!
//! ```text
//! authz ┬ parse     the plugin call, as far as it takes to see whose it is
//!       ├ wait      for one of the tenant's places
//!       ├ read      the call in it, as dockerd reads it
//!       ├ policy    one for each, in turn
//!       └ log
//! ```

use std::time::{Duration, SystemTime};

use portcullis_decision_log::{About, Times};
use portcullis_model::decision::{Mode, Origin, Spent};
use portcullis_model::{Cause, Decision, PolicyName, TenantName, Verdict};
use portcullis_policies::Tenant;
use portcullis_telemetry::otlp::exporter::{Exporter, Item};
use portcullis_telemetry::otlp::ids::Ids;
use portcullis_telemetry::otlp::json::{Attribute, Resource, Scope, nanoseconds};
use serde::Serialize;

/// Samples decisions, and hands over what is to be sent of them.
#[derive(Debug)]
pub struct Tracer {
    exporter: Exporter<Box<Trace>>,
    ids: Ids,
    /// Of 2^64, how many are sampled.
    sampled: u64,
}

/// What is sent of one decision. Neither the caller's name nor anything of what was asked is in it, but for the operation.
#[derive(Debug)]
pub struct Trace {
    id: (u64, u64),
    root: u64,
    /// When it was answered, and the time until then.
    end: SystemTime,
    in_all: Duration,
    times: Times,
    tenant: Option<TenantName>,
    operation: Option<String>,
    is_allowed: bool,
    cause: &'static str,
    /// The host or a policy failed.
    is_failure: bool,
    generation: u64,
    policies: Vec<Asked>,
    link: Option<Link>,
}

#[derive(Debug)]
struct Asked {
    policy: PolicyName,
    origin: Origin,
    mode: Mode,
    verdict: &'static str,
    took: Duration,
    spent: Spent,
}

/// A span of the caller's, by its own word: whoever reads the trace may follow it, and nothing else comes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Link {
    trace_id: String,
    span_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    resource_spans: [ResourceSpans<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: Resource,
    scope_spans: [ScopeSpans<'a>; 1],
}

#[derive(Serialize)]
struct ScopeSpans<'a> {
    scope: Scope,
    spans: Vec<Span<'a>>,
}

/// `opentelemetry/proto/trace/v1/trace.proto`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Span<'a> {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    parent_span_id: String,
    name: &'static str,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<Attribute<'a>>,
    #[serde(skip_serializing_if = "<[Link]>::is_empty")]
    links: &'a [Link],
    status: Status,
}

#[derive(Serialize)]
struct Status {
    code: u8,
}

/// What a trace holds while it waits, roughly, beside its policies.
const TRACE_BYTES: usize = 512;

// Of `SpanKind` and `StatusCode`.
const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
const UNSET: u8 = 0;
const ERROR: u8 = 2;

// === impl Tracer ===

impl Tracer {
    /// `sample` is the part of decisions that are traced, from 0 to 1.
    pub fn new(exporter: Exporter<Box<Trace>>, sample: f64) -> Self {
        // A float that is too large becomes the largest number.
        Self { exporter, ids: Ids::new(), sampled: (sample * u64::MAX as f64) as u64 }
    }

    /// What is to be sent of a decision, if it is one of those.
    pub fn sample(
        &self,
        decision: &Decision,
        about: &About,
        tenant: Option<&Tenant>,
        times: &Times,
    ) -> Option<Box<Trace>> {
        if self.sampled == 0 || self.ids.next() > self.sampled {
            return None;
        }
        Some(Box::new(Trace {
            id: (self.ids.next(), self.ids.next()),
            root: self.ids.next(),
            end: SystemTime::UNIX_EPOCH,
            in_all: Duration::ZERO,
            times: *times,
            tenant: tenant.map(|tenant| tenant.name.clone()),
            operation: about.subject().operation.map(str::to_owned),
            is_allowed: decision.answer.is_allow(),
            cause: decision.cause.kind(),
            is_failure: matches!(decision.cause, Cause::Fault { .. } | Cause::Internal | Cause::Data),
            generation: decision.generation.0,
            policies: decision.opinions.iter().map(Asked::of).collect(),
            link: about.header("traceparent").and_then(Link::parse),
        }))
    }

    pub fn send(&self, mut trace: Box<Trace>, is_kept: bool, in_all: Duration) {
        (trace.end, trace.in_all) = (SystemTime::now(), in_all);
        if !is_kept {
            (trace.is_allowed, trace.cause, trace.is_failure) = (false, Cause::Log.kind(), true);
        }
        self.exporter.offer(trace);
    }
}

impl Item for Box<Trace> {
    fn bytes(&self) -> usize {
        TRACE_BYTES + self.policies.len() * size_of::<Asked>()
    }
}

impl Asked {
    fn of(opinion: &portcullis_model::Opinion) -> Self {
        let verdict = match &opinion.judgement {
            Ok(Verdict::Allow) => "allow",
            Ok(Verdict::Deny(_)) => "deny",
            Ok(Verdict::Abstain) => "abstain",
            Err(fault) => fault.kind().as_str(),
        };
        let portcullis_model::Opinion { policy, origin, mode, took, spent, .. } = opinion;
        Self { policy: policy.clone(), origin: *origin, mode: *mode, verdict, took: *took, spent: *spent }
    }
}

// === impl Link ===

impl Link {
    /// `00-TRACE-SPAN-FLAGS` (W3C Trace Context, section 3.2); later versions may have more after it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let version = hex(parts.next()?, 2).filter(|version| version != "ff")?;
        let not_zero = |id: &String| id.bytes().any(|digit| digit != b'0');
        let trace_id = hex(parts.next()?, 32).filter(not_zero)?;
        let span_id = hex(parts.next()?, 16).filter(not_zero)?;
        hex(parts.next()?, 2)?;
        (version != "00" || parts.next().is_none()).then_some(Self { trace_id, span_id })
    }
}

fn hex(text: &str, length: usize) -> Option<String> {
    let is_hex = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    (text.len() == length && text.bytes().all(is_hex)).then(|| text.to_owned())
}

/// The body of a call with these traces.
pub fn encode(traces: &[Box<Trace>]) -> Vec<u8> {
    let spans = traces.iter().flat_map(|trace| trace.spans()).collect();
    let scope_spans = [ScopeSpans { scope: Scope::own(), spans }];
    let request = Request { resource_spans: [ResourceSpans { resource: Resource::own(), scope_spans }] };
    // Texts and numbers always have JSON.
    serde_json::to_vec(&request).unwrap_or_default()
}

// === impl Trace ===

impl Trace {
    fn spans(&self) -> Vec<Span<'_>> {
        let start = self.end - self.in_all;
        let Times { whole, parse, wait, read, .. } = self.times;
        let mut spans = vec![self.authz(start)];
        let mut at = start;
        for (name, took) in [("parse", parse), ("wait", wait), ("read", read.saturating_sub(parse))] {
            spans.push(self.child(spans.len(), name, (at, took), Vec::new()));
            at += took;
        }
        for asked in &self.policies {
            spans.push(self.child(spans.len(), "policy", (at, asked.took), asked.attributes()));
            at += asked.took;
        }
        let logged = (start + whole, self.in_all.saturating_sub(whole));
        spans.push(self.child(spans.len(), "log", logged, Vec::new()));
        spans
    }

    fn authz(&self, start: SystemTime) -> Span<'_> {
        let mut attributes = vec![
            Attribute::text("portcullis.answer", if self.is_allowed { "allow" } else { "deny" }),
            Attribute::text("portcullis.cause", self.cause),
            Attribute::number("portcullis.generation", self.generation),
        ];
        attributes.extend(self.tenant.as_ref().map(|tenant| Attribute::text("portcullis.tenant", tenant.as_str())));
        attributes.extend(self.operation.as_ref().map(|name| Attribute::text("portcullis.operation", name)));
        Span {
            parent_span_id: String::new(),
            kind: SERVER,
            links: self.link.as_slice(),
            status: Status { code: if self.is_failure { ERROR } else { UNSET } },
            ..self.child(0, "authz", (start, self.in_all), attributes)
        }
    }

    /// The span at this place; the first is the root.
    fn child<'a>(
        &'a self,
        place: usize,
        name: &'static str,
        (start, took): (SystemTime, Duration),
        attributes: Vec<Attribute<'a>>,
    ) -> Span<'a> {
        Span {
            trace_id: format!("{:016x}{:016x}", self.id.0, self.id.1),
            // Spans of one trace need only differ from each other.
            span_id: format!("{:016x}", self.root.wrapping_add(place as u64).max(1)),
            parent_span_id: format!("{:016x}", self.root.max(1)),
            name,
            kind: INTERNAL,
            start_time_unix_nano: nanoseconds(start),
            end_time_unix_nano: nanoseconds(start + took),
            attributes,
            links: &[],
            status: Status { code: UNSET },
        }
    }
}

impl Asked {
    fn attributes(&self) -> Vec<Attribute<'_>> {
        let micros = |took: Duration| u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let mode = match self.mode {
            Mode::Enforce => "enforce",
            Mode::Observe => "observe",
        };
        vec![
            Attribute::text("portcullis.policy", self.policy.as_str()),
            Attribute::text("portcullis.origin", self.origin.as_str()),
            Attribute::text("portcullis.mode", mode),
            Attribute::text("portcullis.verdict", self.verdict),
            Attribute::number("portcullis.queue_us", micros(self.spent.waiting)),
            Attribute::number("portcullis.start_us", micros(self.spent.starting)),
            Attribute::number("portcullis.decide_us", micros(self.spent.deciding)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_a_link_if_it_is_one() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let link = Some(Link { trace_id: trace.into(), span_id: span.into() });
        assert_eq!(Link::parse(&format!("00-{trace}-{span}-01")), link);
        assert_eq!(Link::parse(&format!("cc-{trace}-{span}-01-more")), link);
        for bad in [
            String::new(),
            "00".into(),
            format!("00-{trace}-{span}"),
            format!("00-{trace}-{span}-01-more"),
            format!("ff-{trace}-{span}-01"),
            format!("00-{}-{span}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{}-{span}-01", trace.to_uppercase()),
            format!("00-{trace}x-{span}-01"),
            format!("00-{trace}-{span}-é"),
        ] {
            assert_eq!(Link::parse(&bad), None, "{bad}");
        }
    }
}
