//! Calls that a real dockerd sent while the docker CLI and other clients were used: none may be refused.

use std::collections::BTreeMap;
use std::path::Path;
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

#[derive(serde::Deserialize)]
struct Captured {
    method: String,
    uri: String,
    headers: BTreeMap<String, String>,
    body: Option<String>,
}

/// dockerode, compose, Ansible and others, as `make capture-clients` wrote their calls down.
#[test]
fn no_call_of_a_real_client_is_refused() {
    let reader = Reader::new(Rules::default(), Arc::new(NoResolve));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/ordinary/clients");
    let (mut count, mut refused) = (0, Vec::new());
    let entries =
        |folder: &Path| std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    for path in entries(&folder).flat_map(|release| entries(&release)) {
        for line in std::fs::read_to_string(&path).expect("calls").lines() {
            let Captured { method, uri, mut headers, body } = serde_json::from_str(line).expect("a call");
            // What stands for the folder's name is shorter or longer than what stood there.
            if let Some((length, body)) = headers.get_mut("Content-Length").zip(body.as_ref()) {
                *length = body.len().to_string();
            }
            let shown = format!("{}: {method} {uri}", path.display());
            let (headers, body) = (headers.into_iter().collect(), body.map(String::into_bytes));
            let call = wire::Call { method, uri, headers, body, ..wire::Call::default() };
            refused.extend(reader.read(call).err().map(|refusal| format!("{shown}: {refusal}")));
            count += 1;
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(count > 200, "only {count} calls");
}
