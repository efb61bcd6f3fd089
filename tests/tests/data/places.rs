//! Documents, place by place: what is read, changed and patched, and what is refused.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use portcullis_tests::caller::Caller;
use portcullis_tests::portcullis::Config;
use portcullis_tests::{Result, http};

use crate::{MERGE_PATCH, TENANT, YAML, get, go_through, io, names, on_disk, send};

const JSON_PATCH: (&str, &str) = ("content-type", "application/json-patch+json");

#[test]
fn documents_are_read_and_changed_place_by_place() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.start()?;
    go_through(
        &host,
        &[
            ("GET", "/v1/data", &[], "", 200, "{}"),
            ("GET", "/v1/data/users", &[], "", 404, "there is no document `users`"),
            ("PUT", "/v1/data/users", &[], r#"{"alice": {"n": 1.50}, "list": [1]}"#, 201, r#""name":"users""#),
            ("GET", "/v1/data/users", &[], "", 200, r#"{"alice":{"n":1.50},"list":[1]}"#),
            ("GET", "/v1/data/users/alice/n", &[], "", 200, "1.50"),
            ("GET", "/v1/data/users/nobody", &[], "", 404, "nothing at `/nobody` in the document `users`"),
            ("PUT", "/v1/data/users/bob", &[], "true", 200, "generation"),
            ("PUT", "/v1/data/users/list/-", &[], "2", 200, ""),
            ("PUT", "/v1/data/users/list/0", &[], "0", 200, ""),
            ("PUT", "/v1/data/users/list/9", &[], "0", 404, "the list at `/list` has 2 items"),
            ("PUT", "/v1/data/users/a/b", &[], "1", 404, "nothing at `/a`"),
            ("PUT", "/v1/data/users/bob/b", &[], "1", 422, "`/bob` is true or false, and holds nothing"),
            ("PUT", "/v1/data/nobody/b", &[], "1", 404, "there is no document `nobody`"),
            ("PUT", "/v1/data/users/a%2Fb", &[], "1", 200, ""),
            ("PUT", "/v1/data/users/a~1c/", &[], "1", 404, "nothing at `/a~1c`"),
            ("GET", "/v1/data/users/a~1b", &[], "", 200, "1"),
            ("DELETE", "/v1/data/users/a~1b", &[], "", 200, "etag"),
            ("DELETE", "/v1/data/users/a~1b", &[], "", 404, "nothing at `/a~1b`"),
            ("GET", "/v1/data", &[], "", 200, r#"{"users":{"alice":{"n":1.50},"list":[0,2],"bob":true}}"#),
            ("GET", "/v1/data?list", &[], "", 200, r#""name":"users""#),
            ("PUT", "/v1/data/users", &[], "\n {\"a\" 1}", 422, "the body is not JSON: line 2, column 7: `1` does not"),
            ("PUT", "/v1/data/users", &[], r#"{"a":1,"a":2}"#, 422, "the key `a` is there twice"),
            ("PUT", "/v1/data/users", &[("content-length", "9999999999")], "", 413, "at most"),
            ("POST", "/v1/data/users", &[], "1", 405, "method"),
            ("DELETE", "/v1/data/users", &[], "", 200, r#""etag":null"#),
            ("DELETE", "/v1/data/users", &[], "", 404, "there is no document `users`"),
            ("GET", "/v1/data", &[], "", 200, "{}"),
        ],
    )?;
    assert_eq!(names(&host.config().path().join("data"))?, [] as [&str; 0]);
    Ok(())
}

#[test]
fn a_head_is_answered_without_the_value() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.file("data/n.json", b"[1,2,3]")?.start()?;
    let mut stream = UnixStream::connect(host.config().admin_socket()).map_err(io)?;
    let call = http::request("HEAD", "/v1/data/n", &[("connection", "close")], b"");
    stream.write_all(&call).map_err(io)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(io)?;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains("etag: \"") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );
    Ok(())
}

#[test]
fn patches_fit_or_change_nothing() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.start()?;
    let list = ("content-type", "application/json; charset=utf-8");
    go_through(
        &host,
        &[
            (
                "PATCH",
                "/v1/data/users",
                &[JSON_PATCH],
                r#"[{"op":"add","path":"/a","value":1}]"#,
                404,
                "there is no document",
            ),
            ("PATCH", "/v1/data/users/a", &[MERGE_PATCH], "{}", 404, "there is no document"),
            ("PATCH", "/v1/data/users", &[JSON_PATCH], r#"[{"op":"add","path":"","value":{"a":{"b":1}}}]"#, 201, ""),
            ("PATCH", "/v1/data/other", &[MERGE_PATCH], r#"{"x":{"y":1,"z":null}}"#, 201, ""),
            ("GET", "/v1/data/other", &[], "", 200, r#"{"x":{"y":1}}"#),
            (
                "PATCH",
                "/v1/data/users",
                &[list],
                r#"[{"op":"test","path":"/a/b","value":1},{"op":"add","path":"/c","value":[]}]"#,
                200,
                "",
            ),
            ("PATCH", "/v1/data/users/a", &[JSON_PATCH], r#"[{"op":"replace","path":"/b","value":2}]"#, 200, ""),
            ("PATCH", "/v1/data/users/d", &[MERGE_PATCH], r#"{"e":1}"#, 200, ""),
            ("GET", "/v1/data/users", &[], "", 200, r#"{"a":{"b":2},"c":[],"d":{"e":1}}"#),
            (
                "PATCH",
                "/v1/data/users",
                &[JSON_PATCH],
                r#"[{"op":"add","path":"/f","value":1},{"op":"remove","path":"/x"}]"#,
                422,
                "operation 1: `remove` at `/x`: nothing at `/x`",
            ),
            (
                "PATCH",
                "/v1/data/users",
                &[JSON_PATCH],
                r#"[{"op":"test","path":"/a/b","value":1}]"#,
                409,
                "operation 0: `test` at `/a/b`: expected 1, found 2",
            ),
            (
                "PATCH",
                "/v1/data/users/x",
                &[JSON_PATCH],
                r#"[{"op":"replace","path":"/b","value":2}]"#,
                404,
                "nothing at `/x`",
            ),
            ("PATCH", "/v1/data/users", &[JSON_PATCH], r#"{"op":"add"}"#, 400, "a patch is a list of operations"),
            (
                "PATCH",
                "/v1/data/users",
                &[JSON_PATCH],
                r#"[{"op":"add","path":"/x"}]"#,
                400,
                "operation 0: `value` is missing",
            ),
            (
                "PATCH",
                "/v1/data/users",
                &[JSON_PATCH],
                r#"[{"op":"put","path":"/x"}]"#,
                400,
                "there is no operation `put`",
            ),
            ("PATCH", "/v1/data/users", &[JSON_PATCH], "[", 400, "the patch is not JSON: line 1, column 2"),
            ("PATCH", "/v1/data/users", &[("content-type", "text/plain")], "[]", 415, "application/merge-patch+json"),
            ("PATCH", "/v1/data/users", &[], "[]", 415, "application/json-patch+json"),
            ("GET", "/v1/data/users", &[], "", 200, r#"{"a":{"b":2},"c":[],"d":{"e":1}}"#),
        ],
    )
}

#[test]
fn names_that_lead_elsewhere_are_refused() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.start()?;
    let before = names(host.config().path())?;
    let long = format!("/v1/data/{}", "x".repeat(201));
    for path in [
        "/v1/data/..%2Fx",
        "/v1/data/%2e%2e",
        "/v1/data/.hidden",
        "/v1/data/.incoming-x",
        "/v1/data/a%2Fb",
        "/v1/data/a~1b",
        "/v1/data/%00",
        "/v1/data/%ff",
        "/v1/data//x",
        "/v1/data/x/~2",
        &long,
    ] {
        go_through(&host, &[("PUT", path, &[], "1", 400, ""), ("GET", path, &[], "", 400, "")])?;
    }
    assert_eq!(names(host.config().path())?, before);
    assert_eq!(names(&host.config().path().join("data"))?, [] as [&str; 0]);
    Ok(())
}

#[test]
fn a_document_may_be_yaml() -> Result<()> {
    let text = "# who may what\nalice: {readOnly: false}\n";
    let host = Config::new()?.policy("user-roles")?.file("data/users.yaml", text.as_bytes())?.start()?;
    assert!(Caller::named("alice").create(&host.socket(), "alpine")?.allow);
    go_through(
        &host,
        &[
            ("GET", "/v1/data/users", &[], "", 200, r#"{"alice":{"readOnly":false}}"#),
            ("PUT", "/v1/data/users", &[YAML], "alice: {readOnly: true} # for now\n", 200, ""),
        ],
    )?;
    assert_eq!(on_disk(&host, "data/users.yaml")?, "alice: {readOnly: true} # for now\n");
    assert!(!Caller::named("alice").create(&host.socket(), "alpine")?.allow);
    go_through(&host, &[("PATCH", "/v1/data/users/alice", &[MERGE_PATCH], r#"{"readOnly":false}"#, 200, "")])?;
    // One file, whatever happens in between; JSON is YAML, too.
    assert_eq!(names(&host.config().path().join("data"))?, ["users.yaml"]);
    assert_eq!(on_disk(&host, "data/users.yaml")?, r#"{"alice":{"readOnly":false}}"#);
    assert!(Caller::named("alice").create(&host.socket(), "alpine")?.allow);
    go_through(
        &host,
        &[
            ("PUT", "/v1/data/new", &[YAML], "a: [1, x]\n", 201, ""),
            ("PUT", "/v1/data/new/b", &[YAML], "- 2\n", 200, ""),
            ("GET", "/v1/data/new", &[], "", 200, r#"{"a":[1,"x"],"b":[2]}"#),
            ("PUT", "/v1/data/bad", &[YAML], "a: 1\na: 2\n", 422, "the body is not YAML: "),
            ("PUT", "/v1/data/bad", &[YAML], "a: !x 2\n", 422, "tags"),
            ("PUT", "/v1/data/json", &[], "[1]", 201, ""),
            ("PUT", "/v1/data/json", &[YAML], "- 2\n", 200, ""),
        ],
    )?;
    assert_eq!(names(&host.config().path().join("data"))?, ["json.json", "new.yaml", "users.yaml"]);
    assert_eq!(on_disk(&host, "data/json.json")?, "[2]");
    Ok(())
}

/// What costs more than it says is refused, whichever way it comes.
#[test]
fn documents_and_patches_that_would_cost_much_are_refused_and_change_nothing() -> Result<()> {
    const WORK: &str = "copies, moves and replaces more than 67108864 bytes altogether";
    const DEEP: &str = "more than 255 lists and objects are nested at line 1 column";
    let large = format!(r#"{{"a":[{}],"b":0}}"#, vec!["1234567"; 100_000].join(","));
    let small = format!(r#"{{"a":["{}"]}}"#, "x".repeat(60));
    let host = Config::new()?.tenant("ci", TENANT)?.start()?;
    go_through(&host, &[("PUT", "/v1/data/large", &[], &large, 201, "")])?;
    go_through(&host, &[("PUT", "/v1/tenants/ci/data/small", &[], &small, 201, "")])?;
    let many = |operation: &str, times| format!("[{}]", vec![operation; times].join(","));
    let copies = many(r#"{"op":"copy","from":"/a","path":"/b"}"#, 2000);
    let moves = many(r#"{"op":"move","from":"/a","path":"/b"},{"op":"copy","from":"/b","path":"/a"}"#, 2000);
    let doubling = many(r#"{"op":"copy","from":"/a","path":"/a/-"}"#, 4);
    let (before, tag) = get(&host, "/v1/data/large")?;
    for (method, path, header, body, status, told) in [
        ("PATCH", "/v1/data/large", JSON_PATCH, copies, 422, WORK),
        ("PATCH", "/v1/data/large", JSON_PATCH, moves, 422, WORK),
        ("PATCH", "/v1/tenants/ci/data/small", JSON_PATCH, doubling, 413, "would have more than 200 bytes"),
        ("PUT", "/v1/data/new", YAML, "{".repeat(1 << 20), 422, DEEP),
        ("PUT", "/v1/data/new", YAML, "- ".repeat(1 << 19), 422, DEEP),
    ] {
        let answer = send(&host, method, path, &[header], &body)?;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        assert!(answer.text().contains(told), "{method} {path}: {}", answer.text());
    }
    assert_eq!(get(&host, "/v1/data/large")?, (before, tag));
    Ok(())
}
