//! Several who change documents at once, and the decisions that see it.

use std::thread;

use portcullis_tests::caller::Caller;
use portcullis_tests::portcullis::{Config, Portcullis};
use portcullis_tests::{Error, Result};
use serde_json::{Value, json};

use crate::{MERGE_PATCH, get, go_through, io, on_disk, send};

#[test]
fn of_two_who_change_one_document_the_second_is_told() -> Result<()> {
    let mut host = Config::new()?.policy("allow-all")?.start()?;
    let path = "/v1/data/counter";
    let put = |host: &Portcullis, header: &str, tag: &str, body: &str| send(host, "PUT", path, &[(header, tag)], body);
    assert_eq!(put(&host, "if-match", "*", "0")?.status, 412);
    assert_eq!(put(&host, "if-none-match", "*", "1")?.status, 201);
    assert_eq!(put(&host, "if-none-match", "*", "1")?.status, 412);
    let (_, tag) = get(&host, path)?;
    assert_eq!(send(&host, "GET", path, &[("if-none-match", &tag)], "")?.status, 304);
    let changed = put(&host, "if-match", &tag, "2")?;
    assert_eq!(changed.status, 200, "{}", changed.text());
    let (_, next) = get(&host, path)?;
    assert_eq!(changed.header("etag"), Some(next.as_str()));
    for (method, headers, body) in [
        ("PUT", vec![("if-match", tag.as_str())], "3"),
        ("PATCH", vec![("if-match", tag.as_str()), MERGE_PATCH], "3"),
        ("DELETE", vec![("if-match", tag.as_str())], ""),
    ] {
        let refused = send(&host, method, path, &headers, body)?;
        assert_eq!(refused.status, 412, "{method}: {}", refused.text());
        assert!(refused.text().contains(next.trim_matches('"')), "the tag is told: {}", refused.text());
    }
    assert_eq!(put(&host, "if-none-match", &next, "3")?.status, 400);
    assert_eq!(send(&host, "GET", path, &[("if-none-match", &tag)], "")?.status, 200);
    // It outlives a crash.
    host.crash_and_restart()?;
    assert_eq!(get(&host, path)?, (json!(2), next.clone()));
    let (_, all) = get(&host, "/v1/data")?;
    assert_eq!(send(&host, "GET", "/v1/data", &[("if-none-match", &all)], "")?.status, 304);
    // Two at once.
    let statuses: Vec<_> = thread::scope(|scope| {
        let writers: Vec<_> = (10..12)
            .map(|value| {
                let (host, next) = (&host, &next);
                scope.spawn(move || put(host, "if-match", next, &value.to_string()).map(|answer| answer.status))
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap_or(Ok(0))).collect::<Result<_>>()
    })?;
    assert!(statuses == [200, 412] || statuses == [412, 200], "{statuses:?}");
    Ok(())
}

#[test]
fn no_change_is_lost_among_many_writers() -> Result<()> {
    const WRITERS: u64 = 16;
    const TIMES: u64 = 5;
    let host = Config::new()?.policy("allow-all")?.file("data/sum.json", b"{\"n\":0}")?.start()?;
    let add = |writer: u64| -> Result<()> {
        for _ in 0..TIMES {
            loop {
                let (value, tag) = get(&host, "/v1/data/sum")?;
                let next = value["n"].as_u64().unwrap_or_default() + 1;
                // Some put, some patch: what holds for one holds for all.
                let (method, kind) =
                    if writer.is_multiple_of(2) { ("PUT", ("x", "y")) } else { ("PATCH", MERGE_PATCH) };
                let answer = send(
                    &host,
                    method,
                    "/v1/data/sum",
                    &[("if-match", &tag), kind],
                    &json!({ "n": next }).to_string(),
                )?;
                match answer.status {
                    200 => break,
                    412 => {}
                    _ => return Err(Error::Unexpected(answer.text())),
                }
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || add(writer))).collect();
        let panicked = |_| Err(Error::Unexpected("a writer panicked".into()));
        writers.into_iter().try_for_each(|writer| writer.join().unwrap_or_else(panicked))
    })?;
    assert_eq!(get(&host, "/v1/data/sum/n")?.0, json!(WRITERS * TIMES));
    Ok(())
}

#[test]
fn changes_that_wait_together_are_all_made() -> Result<()> {
    const WRITERS: usize = 64;
    let host = Config::new()?.policy("allow-all")?.file("data/all.json", b"{}")?.start()?;
    thread::scope(|scope| {
        let put = |writer: usize| {
            let path = format!("/v1/data/all/writer-{writer}");
            let host = &host;
            move || go_through(host, &[("PUT", &path, &[], "1", 200, "generation")])
        };
        let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(put(writer))).collect();
        let panicked = |_| Err(Error::Unexpected("a writer panicked".into()));
        writers.into_iter().try_for_each(|writer| writer.join().unwrap_or_else(panicked))
    })?;
    let (all, _) = get(&host, "/v1/data/all")?;
    assert_eq!(all.as_object().map(|all| all.len()), Some(WRITERS));
    let written: Value = serde_json::from_str(&on_disk(&host, "data/all.json")?).map_err(|error| io(error.into()))?;
    assert_eq!(written, all);
    Ok(())
}

#[test]
fn decisions_see_what_was_changed_when_it_is_answered() -> Result<()> {
    let config = Config::new()?.policy("user-roles")?.file("data/users.json", br#"{"bob":{"readOnly":true}}"#)?;
    let host = config.tenant("ci", "[[match]]\nuser = \"carol\"\n")?.start()?;
    let may = |user: &str| Caller::named(user).create(&host.socket(), "alpine").map(|reply| reply.allow);
    assert!(!may("bob")?);
    go_through(&host, &[("PATCH", "/v1/data/users/bob", &[MERGE_PATCH], r#"{"readOnly":false}"#, 200, "")])?;
    assert!(may("bob")?);
    for turn in 0..20 {
        let (value, expected) = if turn % 2 == 0 { ("true", false) } else { ("false", true) };
        go_through(&host, &[("PUT", "/v1/data/users/bob/readOnly", &[], value, 200, "")])?;
        assert_eq!(may("bob")?, expected, "{turn}");
    }
    go_through(&host, &[("DELETE", "/v1/data/users/bob", &[], "", 200, "")])?;
    assert!(!may("bob")?);
    Ok(())
}
