//! The JSON reader beside Go's own `encoding/json`: a body that Go decodes is read to the same value or refused, and one
//! that Go refuses is refused.
//!
//! Needs `go` (Debian: `golang-go`). `PORTCULLIS_SKIP_GO=1` leaves it out; `PORTCULLIS_GO_SEED` and `PORTCULLIS_GO_BODIES`
//! choose other bodies, and how many.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "it is a test, and ends where it fails"
)]

mod generate;
mod project;
mod random;

use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::{env, thread};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_docker::json::Shape;
use portcullis_docker::operation::{Body, OPERATIONS, Operation, Piece};
use portcullis_docker::wire::Call;
use portcullis_docker::{NoResolve, Reader, Rules};
use portcullis_model::Request as _;
use random::Random;

#[derive(Debug, Default)]
struct Counts {
    same: usize,
    refused_by_both: usize,
    refused_by_us_only: usize,
}

struct Case {
    operation: &'static Operation,
    shape: Shape,
    body: Vec<u8>,
}

#[test]
fn every_body_is_read_to_the_value_that_go_decodes_or_refused() {
    if env::var_os("PORTCULLIS_SKIP_GO").is_some() {
        return eprintln!("left out: PORTCULLIS_SKIP_GO is set");
    }
    let number = |name, default| env::var(name).map_or(default, |text| text.parse().expect("is a number"));
    let (seed, bodies) = (number("PORTCULLIS_GO_SEED", 20_261_123), number("PORTCULLIS_GO_BODIES", 100_000));

    let mut go = Command::new(go_program())
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/data/bodies.json"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the Go program starts");
    let stdin = go.stdin.take().expect("is piped");
    let writer = thread::spawn(move || write_all(stdin, seed, bodies));
    let stdout = BufReader::new(go.stdout.take().expect("is piped"));

    let reader = Reader::new(Rules::default(), Arc::new(NoResolve));
    let mut counts = Counts::default();
    let mut lines = stdout.lines();
    for case in cases(seed, bodies) {
        let line = lines.next().expect("Go answers every body").expect("is text");
        compare(&reader, &case, &line, &mut counts);
    }
    writer.join().expect("all bodies were written");
    assert!(go.wait().expect("ends").success());

    println!("{bodies} bodies with seed {seed}: {counts:?}");
    assert!(counts.same > bodies as usize / 4, "too few bodies were read for this to prove anything: {counts:?}");
    assert!(counts.refused_by_both > 0 && counts.refused_by_us_only > 0, "{counts:?}");
}

fn compare(reader: &Reader, case: &Case, line: &str, counts: &mut Counts) {
    let ours = reader.read(call(case));
    let (request, theirs) = match (&ours, line) {
        (Err(_), "-") => return counts.refused_by_both += 1,
        (Err(_), _) => return counts.refused_by_us_only += 1,
        (Ok(_), "-") => {
            let body = String::from_utf8_lossy(&case.body);
            panic!("{}: Go refuses what was read here:\n{body}", case.operation.id);
        }
        (Ok(request), theirs) => (request, theirs),
    };
    let read = project::decoded(request.body().expect("has a body").root(), case.shape);
    let theirs: serde_json::Value = serde_json::from_str(theirs).expect("Go writes JSON");
    let body = String::from_utf8_lossy(&case.body);
    assert_eq!(read, theirs, "{}: read here (left), decoded by Go (right):\n{body}", case.operation.id);
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

/// The same bodies each time: once for Go, once for us, so that they need not be kept.
fn cases(seed: u64, bodies: u64) -> impl Iterator<Item = Case> {
    let operations: Vec<(&'static Operation, Shape)> = OPERATIONS
        .iter()
        .filter_map(|operation| if let Body::Json(shape) = operation.body { Some((operation, shape)) } else { None })
        .collect();
    let captured = captured();
    let mut random = Random(seed);
    (0..bodies).map(move |number| {
        if number % 16 == 0 {
            let mut body = random.pick(&captured).clone();
            (0..=random.below(3)).for_each(|_| generate::mutate(&mut random, &mut body));
            let (operation, shape) =
                *operations.iter().find(|(operation, _)| operation.id == "ContainerCreate").expect("is one");
            return Case { operation, shape, body };
        }
        let (operation, shape) = *random.pick(&operations);
        Case { operation, shape, body: generate::body(&mut random, shape) }
    })
}

/// Bodies of real creates.
fn captured() -> Vec<Vec<u8>> {
    let lines = include_str!("../data/plugin-calls.jsonl").lines();
    let lines = lines.map(|line| serde_json::from_str::<serde_json::Value>(line).expect("is JSON"));
    lines.filter_map(|line| STANDARD.decode(line["call"]["RequestBody"].as_str()?).ok()).collect()
}

fn write_all(stdin: ChildStdin, seed: u64, bodies: u64) {
    let mut stdin = BufWriter::with_capacity(1 << 20, stdin);
    for case in cases(seed, bodies) {
        writeln!(stdin, "{}\t{}", case.operation.id, STANDARD.encode(&case.body)).expect("Go reads");
    }
}

fn go_program() -> PathBuf {
    let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("go-differential");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/go_differential/main.go");
    let built = Command::new("go").args(["build", "-o"]).arg(&program).arg(source).env("GO111MODULE", "off").status();
    match built {
        Ok(status) if status.success() => program,
        Ok(status) => panic!("`go build` of {source} failed: {status}"),
        Err(error) => {
            panic!("`go` does not start: {error}; install golang-go, or leave this out with PORTCULLIS_SKIP_GO=1")
        }
    }
}
