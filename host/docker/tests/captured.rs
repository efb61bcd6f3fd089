//! Calls that a real dockerd sent while the docker CLI was used: none may be refused.

use std::sync::Arc;

use portcullis_docker::{NoResolve, Reader, Rules, wire};
use portcullis_model::Request as _;

#[derive(serde::Deserialize)]
struct Line {
    endpoint: String,
    call: Option<serde_json::Value>,
}

#[test]
fn no_call_of_the_docker_cli_is_refused() {
    let reader = Reader::new(Rules::default(), Arc::new(NoResolve));
    let lines = include_str!("data/plugin-calls.jsonl").lines();
    let lines: Vec<Line> = lines.map(|line| serde_json::from_str(line).expect("is a line")).collect();
    assert_eq!(lines.len(), 55);
    let mut creates = 0;
    for Line { endpoint, call } in lines.iter().filter(|line| line.call.is_some()) {
        let bytes = serde_json::to_vec(call).expect("is JSON");
        let call = wire::read_call(&bytes).expect("is a call");
        let shown = format!("{endpoint} {} {}", call.method, call.uri);
        let body = call.body.clone();
        let request = reader.read(call).unwrap_or_else(|refusal| panic!("{shown}: {refusal}"));
        if let Some(body) = body {
            creates += 1;
            assert_eq!(request.operation(), "ContainerCreate");
            // The CLI writes canonical names in compact JSON, so reading changes nothing.
            let document = request.body().expect("has a body").root().to_json();
            assert_eq!(document, String::from_utf8_lossy(&body).trim_end(), "{shown}");
        }
    }
    assert_eq!(creates, 8);
}
