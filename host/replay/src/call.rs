//! A call, made again from its record.

use std::borrow::Cow;
use std::collections::BTreeMap;

use portcullis_decision_log::record::{DecisionRecord, RequestRecord};
use portcullis_docker::wire::Call;
use portcullis_docker::{HostRule, Resolve, Resolved, Rules, clean_path};

/// The rules that look at a body.
const OF_BODIES: [HostRule; 9] = [
    HostRule::BodyWithheld,
    HostRule::FormBody,
    HostRule::StartBody,
    HostRule::MalformedBody,
    HostRule::AmbiguousBody,
    HostRule::RootHostConfig,
    HostRule::LegacyCapabilities,
    HostRule::PluginName,
    HostRule::Oversized,
];

/// What was written down of a call, so that it can be asked about again.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) call: Call,
    pub(crate) paths: RecordedPaths,
    pub(crate) missing: Missing,
}

/// What is not as it was in the call itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Missing {
    /// The body is not there, though there was one.
    pub(crate) has_no_body: bool,
    /// Where in the body values were replaced, as pointers that begin with `/body`.
    pub(crate) in_body: Vec<String>,
    pub(crate) in_query: bool,
    /// Headers of which the value was replaced.
    pub(crate) headers: Vec<String>,
    /// Nobody had asked where mounts lead.
    pub(crate) mounts: bool,
}

/// Where paths led when the call was made; what is not told led where it is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct RecordedPaths(BTreeMap<String, Option<Resolved>>);

// === impl Recorded ===

impl Recorded {
    /// None where nothing was written down of the call.
    pub(crate) fn of(record: DecisionRecord) -> Option<Self> {
        let missing = Missing::of(record.request.as_ref()?);
        let RequestRecord { uri, headers, authentication, certificates, body, resolved, links, missing: gone, .. } =
            record.request?;
        // A value always has JSON.
        let body = body.map(|body| serde_json::to_vec(&body).unwrap_or_default());
        let mut call = Call {
            method: record.method?.into_owned(),
            uri,
            headers,
            body,
            user: record.user.map(Cow::into_owned),
            authentication,
            certificates: certificates.into(),
        };
        state_length(&mut call);
        Some(Self { call, paths: RecordedPaths::new(resolved, links, gone), missing })
    }

    /// The rules by which it can be read: of a body that is not there, nothing can be said.
    pub(crate) fn rules(&self, rules: &Rules) -> Rules {
        let mut rules = rules.clone();
        if self.missing.has_no_body {
            OF_BODIES.into_iter().for_each(|rule| rules.disable(rule));
        }
        rules
    }
}

/// Whether this rule refused a body that is not in the record.
pub(crate) fn is_of_bodies(rule: HostRule) -> bool {
    OF_BODIES.contains(&rule)
}

/// The canonical body has another length than what was sent.
fn state_length(call: &mut Call) {
    let Some(length) = call.body.as_ref().map(Vec::len) else { return };
    let stated = call.headers.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    if let Some((_, value)) = stated {
        *value = length.to_string();
    }
}

// === impl Missing ===

impl Missing {
    fn of(request: &RequestRecord) -> Self {
        let is_below = |pointer: &String, root: &str| {
            pointer.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let header = |pointer: &String| {
            let at = pointer.strip_prefix("/headers/")?.split('/').next()?.parse::<usize>().ok()?;
            request.headers.get(at).map(|(name, _)| name.clone())
        };
        Self {
            has_no_body: request.body.is_none() && request.left_out.iter().any(|pointer| pointer == "/body"),
            in_body: request.redacted.iter().filter(|pointer| is_below(pointer, "/body")).cloned().collect(),
            in_query: request.redacted.iter().any(|pointer| is_below(pointer, "/uri")),
            headers: request.redacted.iter().filter_map(header).collect(),
            mounts: request.left_out.iter().any(|pointer| pointer == "/resolved"),
        }
    }
}

// === impl RecordedPaths ===

impl RecordedPaths {
    /// A path with `..` is also asked for without: where it led was only told where both led there.
    fn new(
        resolved: BTreeMap<String, Option<String>>,
        links: BTreeMap<String, Vec<String>>,
        missing: Vec<String>,
    ) -> Self {
        let mut paths: BTreeMap<_, _> =
            resolved.into_iter().map(|(path, led)| (path, led.map(Resolved::plain))).collect();
        let as_written = |path: &str| Some(Resolved::plain(clean_path(path)));
        for (path, links) in links {
            let led = paths.entry(path.clone()).or_insert_with(|| as_written(&path));
            led.iter_mut().for_each(|led| led.links.clone_from(&links));
        }
        for path in missing {
            let led = paths.entry(path.clone()).or_insert_with(|| as_written(&path));
            led.iter_mut().for_each(|led| led.missing = true);
        }
        for (path, led) in paths.clone() {
            paths.entry(clean_path(&path)).or_insert(led);
        }
        Self(paths)
    }
}

impl Resolve for RecordedPaths {
    fn resolve(&self, path: &str) -> Option<Resolved> {
        match self.0.get(path) {
            Some(led) => led.clone(),
            None => Some(Resolved::plain(clean_path(path))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(request: serde_json::Value) -> DecisionRecord<'static> {
        let record = json!({
            "timestamp": "", "level": "INFO", "message": "decision", "id": "", "answer": "allow", "cause": "allowed",
            "mode": "enforce", "tenant": "ci", "listener": "docker", "generation": 1, "operation": "ContainerCreate",
            "method": "POST", "path": "/containers/create", "user": "ann", "took_us": 1, "read_us": 1, "wait_us": 0,
            "ask_us": 0, "policies": [], "request": request,
        });
        serde_json::from_value(record).expect("a record")
    }

    #[test]
    fn a_call_is_made_again() {
        let request = json!({
            "uri": "/v1.44/containers/create?name=x", "headers": [["Content-Length", "999"], ["X-Team", "[redacted]"]],
            "authentication": "TLS", "certificates": ["PEM"], "body": { "Image": "x", "Env": ["A=[redacted]"] },
            "resolved": { "/a/../b": "/elsewhere" }, "links": { "/a/../b": ["/a"], "/d/../e": ["/d"] }, "missing": ["/f/"],
            "redacted": ["/body/Env/0", "/headers/1/1"],
        });
        let Recorded { call, paths, missing } = Recorded::of(record(request)).expect("a call");
        assert_eq!((call.method.as_str(), call.uri.as_str()), ("POST", "/v1.44/containers/create?name=x"));
        assert_eq!((call.user.as_deref(), call.authentication.as_deref()), (Some("ann"), Some("TLS")));
        let body = call.body.clone().unwrap_or_default();
        assert_eq!(call.header("content-length"), Some(body.len().to_string().as_str()));
        let headers = vec!["X-Team".to_owned()];
        assert_eq!(missing, Missing { in_body: vec!["/body/Env/0".to_owned()], headers, ..Missing::default() });
        let linked = |led: &str, link: &str| Resolved { links: vec![link.to_owned()], ..Resolved::plain(led) };
        for (path, led) in [
            ("/a/../b", linked("/elsewhere", "/a")),
            ("/b", linked("/elsewhere", "/a")),
            ("/c/./d/", Resolved::plain("/c/d")),
            ("/d/../e", linked("/e", "/d")),
            ("/f/", Resolved { missing: true, ..Resolved::plain("/f") }),
        ] {
            assert_eq!(paths.resolve(path), Some(led), "{path}");
        }
    }

    #[test]
    fn what_is_missing_is_known() {
        let none = Recorded::of(record(json!(null)));
        assert!(none.is_none(), "nothing was written down");
        let cases = [
            (json!({ "uri": "/x" }), Missing::default()),
            (json!({ "uri": "/x", "left_out": ["/body"] }), Missing { has_no_body: true, ..Missing::default() }),
            (json!({ "uri": "/x", "left_out": ["/resolved"] }), Missing { mounts: true, ..Missing::default() }),
            (json!({ "uri": "/x", "redacted": ["/uri"] }), Missing { in_query: true, ..Missing::default() }),
            (json!({ "uri": "/x", "redacted": ["/bodyguard"] }), Missing::default()),
            (
                json!({ "uri": "/x", "redacted": ["/body/DriverOpts/o"] }),
                Missing { in_body: vec!["/body/DriverOpts/o".to_owned()], ..Missing::default() },
            ),
        ];
        for (request, missing) in cases {
            let recorded = Recorded::of(record(request.clone())).expect("a call");
            assert_eq!(recorded.missing, missing, "{request}");
            let rules = recorded.rules(&Rules::default());
            assert_eq!(rules.is_enabled(HostRule::BodyWithheld), !missing.has_no_body);
            assert!(rules.is_enabled(HostRule::OldApiVersion));
        }
    }
}
