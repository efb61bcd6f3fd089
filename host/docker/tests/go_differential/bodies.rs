//! Bodies, beside `encoding/json`.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_docker::json::Shape;
use portcullis_docker::operation::{Body, OPERATIONS, Operation, Piece};
use portcullis_docker::wire::Call;
use portcullis_docker::{NoResolve, Reader, Rules};
use portcullis_model::Request as _;

use crate::go::{self, Counts, Extent};
use crate::random::Random;
use crate::{generate, project};

struct Case {
    operation: &'static Operation,
    shape: Shape,
    body: Vec<u8>,
}

#[test]
fn every_body_is_read_to_the_value_that_go_decodes_or_refused() {
    let Some(extent) = go::extent() else { return };
    let reader = Reader::new(Rules::default(), Arc::new(NoResolve));
    let mut counts = Counts::default();
    go::compare(
        "bodies",
        "bodies.json",
        || Box::new(cases(extent)),
        |case| (case.operation.id, &case.body),
        |case, answer| compare(&reader, case, answer, &mut counts),
    );
    println!("bodies, {extent:?}: {counts:?}");
    assert!(counts.same as u64 > extent.count / 4, "too few were read for this to prove anything: {counts:?}");
    assert!(counts.refused_by_both > 0 && counts.refused_by_us_only > 0, "{counts:?}");
}

fn compare(reader: &Reader, case: &Case, answer: &str, counts: &mut Counts) {
    let ours = reader.read(call(case));
    let shown = || format!("{}:\n{}", case.operation.id, String::from_utf8_lossy(&case.body));
    let request = match (&ours, answer) {
        (Err(_), "-") => return counts.refused_by_both += 1,
        (Err(_), _) => return counts.refused_by_us_only += 1,
        (Ok(_), "-") => panic!("Go refuses what was read here: {}", shown()),
        (Ok(request), _) => request,
    };
    let read = project::decoded(request.body().expect("has a body").root(), case.shape);
    let theirs: serde_json::Value = serde_json::from_str(answer).expect("Go writes JSON");
    assert_eq!(read, theirs, "read here (left), decoded by Go (right): {}", shown());
    counts.same += 1;
}

fn call(case: &Case) -> Call {
    let pieces =
        case.operation.path.iter().map(|piece| if let Piece::Literal(literal) = piece { literal } else { "x" });
    Call {
        method: case.operation.method.to_owned(),
        uri: pieces.collect(),
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: Some(case.body.clone()).filter(|body| !body.is_empty()),
        ..Call::default()
    }
}

fn cases(extent: Extent) -> impl Iterator<Item = Case> {
    let operations: Vec<(&'static Operation, Shape)> = OPERATIONS
        .iter()
        .filter_map(|operation| if let Body::Json(shape) = operation.body { Some((operation, shape)) } else { None })
        .collect();
    let create = *operations.iter().find(|(operation, _)| operation.id == "ContainerCreate").expect("is one");
    let captured = captured();
    let mut random = Random(extent.seed);
    (0..extent.count).map(move |number| {
        let is_captured = number % 16 == 0;
        let (operation, shape) = if is_captured { create } else { *random.pick(&operations) };
        let mut body = if is_captured { random.pick(&captured).clone() } else { generate::body(&mut random, shape) };
        if is_captured {
            (0..=random.below(3)).for_each(|_| generate::mutate(&mut random, &mut body));
        }
        Case { operation, shape, body }
    })
}

/// Bodies of real creates.
fn captured() -> Vec<Vec<u8>> {
    let lines = include_str!("../data/plugin-calls.jsonl").lines();
    let lines = lines.map(|line| serde_json::from_str::<serde_json::Value>(line).expect("is JSON"));
    lines.filter_map(|line| STANDARD.decode(line["call"]["RequestBody"].as_str()?).ok()).collect()
}
