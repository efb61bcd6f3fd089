//! Secrets through every operation that can carry one: they are in no sink.

use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use portcullis_docker::json::Shape;
use portcullis_docker::operation::{Body, OPERATIONS, Piece};
use portcullis_tests::log::Log;
use portcullis_tests::portcullis::Portcullis;
use portcullis_tests::{Result, wait};
use serde_json::{Value, json};

use crate::{ask, call, io, log_of, with_file};

const SECRET: &str = "hunter2";
const IN_BASE64: &str = "aHVudGVyMg==";

/// Members that hold a secret where they are what their name says: a secret's name, or a word of a command.
fn body(shape: Shape, name: &str) -> Value {
    let secret = format!("KEY={SECRET}");
    let carries = [
        "Env",
        "env",
        "Cmd",
        "Entrypoint",
        "Command",
        "Args",
        "Test",
        "OnBuild",
        "JoinToken",
        "UnlockKey",
        "SigningCAKey",
        "password",
        "auth",
        "identitytoken",
        "registrytoken",
        "username",
        "serveraddress",
        "Secret",
        "",
    ];
    match shape {
        Shape::Text if carries.contains(&name) => json!(secret),
        Shape::Text => json!(format!("https://joe:{SECRET}@example/")),
        Shape::Base64 if name == "Data" => json!(IN_BASE64),
        Shape::Base64 => json!(""),
        Shape::Texts => json!(["program", body(Shape::Text, name)]),
        // The first word of a command is a program.
        Shape::List(Shape::Text) => json!(["program", body(Shape::Text, name)]),
        Shape::List(shape) => json!([body(*shape, name)]),
        Shape::Pair(shape) => json!([body(*shape, name), body(*shape, name)]),
        Shape::Map(shape) => json!({ "my-token": body(*shape, ""), "o": "a=b,password=hunter2" })
            .as_object()
            .filter(|_| matches!(shape, Shape::Text))
            .map_or_else(|| json!({ "x": body(*shape, "") }), |members| Value::Object(members.clone())),
        Shape::Structure(structure) => Value::Object(
            structure
                .fields
                .iter()
                .filter(|field| !field.stray && !["Capabilities", "CheckpointDir"].contains(&field.name))
                .map(|field| (field.name.to_owned(), body(field.shape, field.name)))
                .collect(),
        ),
        Shape::Boolean => json!(false),
        Shape::Integer(_) => json!(1),
        Shape::Float32 => json!(0.5),
        Shape::Any | Shape::Unknown => json!(SECRET),
    }
}

fn path(pieces: &[Piece]) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Literal(literal) => (*literal).to_owned(),
        Piece::Segment(_) | Piece::Rest { .. } => "x".to_owned(),
    };
    pieces.iter().map(piece).collect()
}

fn query(id: &str) -> String {
    let of_operation = match id {
        "ImageBuild" => {
            "&buildargs={\"A\":\"hunter2\"}&labels={\"token\":\"hunter2\"}&remote=https://u:hunter2@h/?a=hunter2"
        }
        "ImageCreate" => "&fromSrc=https://u:hunter2@h/&changes=ENV+A%3Dhunter2",
        "ImageCommit" => "&changes=ENV%20A=hunter2",
        "ContainerCreate" => "&name=x",
        _ => "&filters={\"label\":[\"token=hunter2\"]}",
    };
    format!("?what-nobody-knows=hunter2{of_operation}")
}

/// A journal that takes whatever is sent to it.
fn journal(socket: UnixDatagram) -> Arc<Mutex<Vec<String>>> {
    let entries = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&entries);
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 20];
        while let Ok(length) = socket.recv(&mut buffer) {
            let entry = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
            taken.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        }
    });
    entries
}

fn ask_all(host: &Portcullis) -> Result<usize> {
    let headers = json!({
        "X-Registry-Auth": SECRET, "X-Registry-Config": SECRET, "Authorization": format!("Bearer {SECRET}"),
        "Cookie": SECRET, "X-Vault-Token": SECRET,
    });
    let mut asked = 0;
    for operation in OPERATIONS.iter() {
        let uri = format!("/v1.44{}{}", path(operation.path), query(operation.id));
        let body = match operation.body {
            Body::Json(shape) | Body::Credentials(shape) => Some(body(shape, "")),
            Body::Tar | Body::Import | Body::Parameters | Body::None => None,
        };
        // Once as it is, and once so that a host rule refuses it.
        for uri in [uri.clone(), uri.replace("/v1.44", "/v1.12"), uri.replace('?', ";?")] {
            ask(host, &call(operation.method, &uri, &headers, body.as_ref()))?;
            asked += 1;
        }
    }
    Ok(asked)
}

#[test]
fn no_secret_of_any_operation_is_in_any_sink() -> Result<()> {
    let config = with_file("sinks = [\"stderr\", \"stdout\", \"file\", \"journald\"]\nsync = false", "")?;
    let socket = config.path().join("journal.sock");
    let entries = journal(UnixDatagram::bind(&socket).map_err(io)?);
    let config = config.toml(&format!("[decision_log.journald]\nsocket = {socket:?}"));
    let host = config.toml("[limits]\ncall_bytes = \"6MiB\"").policy("allow-all")?.start()?;
    let asked = ask_all(&host)?;
    let log = log_of(host.config());
    let records = wait::until("every record", wait::DEADLINE, || log.records().ok().filter(|all| all.len() == asked))?;
    let seen: BTreeSet<_> = records.iter().filter_map(|record| record.operation.clone()).collect();
    let missing: Vec<_> = OPERATIONS.iter().map(|operation| operation.id).filter(|id| !seen.contains(*id)).collect();
    assert!(missing.is_empty(), "{missing:?} were not read so far");
    let with_body =
        records.iter().filter(|record| record.request.as_ref().is_some_and(|call| call.body.is_some())).count();
    assert!(with_body >= 20, "only {with_body} bodies were logged");
    let taken = || entries.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let journal = wait::until("every entry", wait::DEADLINE, || Some(taken()).filter(|all| all.len() >= asked))?;
    let entry = journal.iter().find(|entry| entry.contains("\nPORTCULLIS_OPERATION=SecretCreate\n"));
    assert!(entry.is_some_and(|entry| entry.contains("\nPORTCULLIS_RECORD={")), "{entry:?}");
    host.process().terminate(wait::DEADLINE)?;
    let lines = host.process().log().since(Log::START).into_iter().chain(log.lines()?).chain(journal);
    for line in lines {
        assert!(!line.contains(SECRET) && !line.contains(IN_BASE64), "{line}");
    }
    Ok(())
}
