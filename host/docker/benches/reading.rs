//! What it costs to read a body as the daemon does, beside `serde_json` into a `Value` on the same bytes.

#![expect(clippy::expect_used, reason = "a bench may end where its input is not right")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use portcullis_docker::json::{self, Shape};
use portcullis_docker::operation::{self, Body};
use portcullis_docker::wire::Call;
use portcullis_docker::{NoResolve, Reader, Rules};

criterion_group!(benches, reading, looking_up);
criterion_main!(benches);

/// Both sides also drop what they read.
fn reading(criterion: &mut Criterion) {
    let reader = Reader::new(Rules::default(), Arc::new(NoResolve));
    for (name, body) in [("2 KB create", small()), ("900 KiB create", large())] {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(body.len() as u64));
        assert!(reader.read(call(&body)).is_ok(), "a call that is refused is not read to its end");
        group.bench_function("serde_json value", |bencher| {
            bencher.iter_batched(
                || body.clone(),
                |body| serde_json::from_slice::<serde_json::Value>(&body).map(drop),
                BatchSize::SmallInput,
            );
        });
        group.bench_function("portcullis document", |bencher| {
            bencher.iter_batched(|| body.clone(), |body| json::read(body, create()).map(drop), BatchSize::SmallInput);
        });
        group.bench_function("portcullis request, every rule checked", |bencher| {
            bencher.iter_batched(|| call(&body), |call| reader.read(call).map(drop), BatchSize::SmallInput);
        });
        group.finish();
    }
}

fn call(body: &[u8]) -> Call {
    let header = |name: &str, value: String| (name.to_owned(), value);
    Call {
        method: "POST".to_owned(),
        uri: "/v1.41/containers/create?name=web1".to_owned(),
        headers: vec![
            header("Content-Length", body.len().to_string()),
            header("Content-Type", "application/json".to_owned()),
            header("User-Agent", "Docker-Client/28.2.2 (linux)".to_owned()),
        ],
        body: Some(body.to_vec()),
        ..Call::default()
    }
}

fn looking_up(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pointer");
    for (name, body, pointer) in [
        ("2 KB create", small(), "/HostConfig/Mounts/0/Target"),
        ("900 KiB create", large(), "/HostConfig/Mounts/1000/Target"),
        ("900 KiB create, label", large(), "/Labels/com.example.label.0777"),
    ] {
        let document = json::read(body, create()).expect("is read");
        assert!(document.pointer(pointer).is_some(), "{pointer}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| document.pointer(black_box(pointer)).map(|value| value.as_str()))
        });
    }
    let members: String = (0..1_000_000).map(|number| format!("\"user{number}\":{number},")).collect();
    let million = json::read(format!("{{{members}\"last\":0}}"), Shape::Any).expect("is read");
    let pointers: Vec<String> = (0..1_000_000).step_by(13).map(|number| format!("/user{number}")).collect();
    let mut next = pointers.iter().cycle();
    group.bench_function("1,000,000 members", |bencher| {
        bencher.iter(|| million.pointer(next.next().expect("never ends")).map(|value| value.as_i64()));
    });
    group.finish();
}

fn create() -> Shape {
    let (operation, _) = operation::find("POST", "/containers/create").expect("is an operation");
    if let Body::Json(shape) = operation.body { shape } else { Shape::Any }
}

/// A body that the docker CLI sent.
fn small() -> Vec<u8> {
    include_bytes!("create.json").to_vec()
}

/// The same with an environment, labels and mounts of 300 KiB each.
fn large() -> Vec<u8> {
    let mut env = String::new();
    for number in 0..6000 {
        _ = write!(env, "\"SERVICE_{number:04}_URL=https://service-{number:04}.example.com/\",");
    }
    let mut labels = String::new();
    for number in 0..5000 {
        _ = write!(labels, "\"com.example.label.{number:04}\":\"the value of label number {number:04}\",");
    }
    let mut mounts = String::new();
    for number in 0..3000 {
        _ = write!(
            mounts,
            "{{\"Type\":\"bind\",\"Source\":\"/srv/data/{number:04}\",\"Target\":\"/data/{number:04}\",\"ReadOnly\":true,\"BindOptions\":{{\"Propagation\":\"rprivate\"}}}},",
        );
    }
    let body = String::from_utf8(small()).expect("is text");
    let body = body.replacen("\"Env\":[", &format!("\"Env\":[{env}"), 1);
    let body = body.replacen("\"Labels\":{", &format!("\"Labels\":{{{labels}"), 1);
    body.replacen("\"Mounts\":[", &format!("\"Mounts\":[{mounts}"), 1).into_bytes()
}
