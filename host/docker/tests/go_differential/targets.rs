//! Request targets, beside `net/url` and the daemon's routes as regular expressions.

use std::collections::BTreeMap;

use portcullis_docker::operation::{self, OPERATIONS, Piece};
use portcullis_docker::target::{ApiVersion, Target};
use serde_json::{Value as Json, json};

use crate::generate;
use crate::go::{self, Counts, Extent};
use crate::random::Random;

struct Case {
    method: &'static str,
    uri: String,
}

#[test]
fn every_target_is_the_operation_that_go_routes_it_to_or_refused() {
    let Some(extent) = go::extent() else { return };
    let mut counts = Counts::default();
    go::compare(
        "targets",
        "operations.tsv",
        || Box::new(cases(extent)),
        |case| (case.method, case.uri.as_bytes()),
        |case, answer| compare(case, answer, &mut counts),
    );
    println!("targets, {extent:?}: {counts:?}");
    assert!(counts.same as u64 > extent.count / 4, "too few were read for this to prove anything: {counts:?}");
    assert!(counts.refused_by_both > 0 && counts.refused_by_us_only > 0, "{counts:?}");
}

fn compare(case: &Case, answer: &str, counts: &mut Counts) {
    let Case { method, uri } = case;
    let ours = Target::parse(uri).ok().and_then(|target| {
        let (operation, parameters) = operation::find(method, &target.path)?;
        let named = operation.path.iter().filter_map(|piece| match piece {
            Piece::Segment(name) | Piece::Rest { name, .. } => Some((*name, parameters.get(&target.path, name)?)),
            Piece::Literal(_) => None,
        });
        let mut query = BTreeMap::<&str, Vec<&str>>::new();
        target.query.iter().for_each(|(name, value)| query.entry(name).or_default().push(value));
        let version = target.version.map(|version| version.to_string());
        Some(json!({
            "Operation": operation.id,
            "Version": version.unwrap_or_default(),
            "Path": target.path,
            "Parameters": named.collect::<BTreeMap<_, _>>(),
            "Query": query,
        }))
    });
    let ours = match (ours, answer) {
        (None, "-") => return counts.refused_by_both += 1,
        (None, _) => return counts.refused_by_us_only += 1,
        (Some(_), "-") => panic!("Go refuses what was read here: {method} {uri:?}"),
        (Some(ours), _) => ours,
    };
    let mut theirs: Json = serde_json::from_str(answer).expect("Go writes JSON");
    let version = theirs["Version"].as_str().and_then(|text| text.parse::<ApiVersion>().ok());
    theirs["Version"] = json!(version.map(|version| version.to_string()).unwrap_or_default());
    assert_eq!(ours, theirs, "read here (left), routed by Go (right): {method} {uri:?}");
    counts.same += 1;
}

fn cases(extent: Extent) -> impl Iterator<Item = Case> {
    let mut random = Random(extent.seed);
    (0..extent.count).map(move |_| {
        let operation = random.pick(OPERATIONS);
        let method =
            if random.once_in(20) { *random.pick(&["GET", "POST", "HEAD", "PATCH", "get"]) } else { operation.method };
        Case { method, uri: generate::target(&mut random, operation.path) }
    })
}
