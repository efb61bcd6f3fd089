//! Documents of a host that runs: read and changed at the admin socket, in force when that is answered, and kept in the folder.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;

use portcullis_tests::caller::Caller;
use portcullis_tests::cleanup::Cleanup;
use portcullis_tests::command::Finished;
use portcullis_tests::http::{self, Answer};
use portcullis_tests::portcullis::{self, Config, Portcullis};
use portcullis_tests::{Error, Result, wait};
use serde_json::{Value, json};

const TENANT: &str = "[[match]]\nuser = \"alice\"\n[limits]\ndata_bytes = 200\n";
const JSON_PATCH: (&str, &str) = ("content-type", "application/json-patch+json");
const MERGE_PATCH: (&str, &str) = ("content-type", "application/merge-patch+json");
const YAML: (&str, &str) = ("content-type", "application/yaml");

/// One call, and what is expected of its answer: the status, and a piece of the body.
type Step<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);

/// A host one of whose folders is a small disk. That is let go first.
struct OnSmallDisk {
    _disk: Cleanup,
    host: Portcullis,
}

fn io(error: std::io::Error) -> Error {
    Error::Unexpected(error.to_string())
}

fn send(host: &Portcullis, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Result<Answer> {
    http::send(&host.config().admin_socket(), &http::request(method, path, headers, body.as_bytes()))
}

fn get(host: &Portcullis, path: &str) -> Result<(Value, String)> {
    let answer = send(host, "GET", path, &[], "")?;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    Ok((answer.json()?, answer.header("etag").unwrap_or_default().to_owned()))
}

fn go_through(host: &Portcullis, steps: &[Step<'_>]) -> Result<()> {
    for (method, path, headers, body, status, told) in steps {
        let answer = send(host, method, path, headers, body)?;
        let text = answer.text();
        assert_eq!(answer.status, *status, "{method} {path} {headers:?} {body}: {text}");
        assert!(text.contains(told), "{method} {path} {headers:?} {body}: {text}");
    }
    Ok(())
}

fn run(host: &Portcullis, arguments: &[&str]) -> Result<Finished> {
    let socket = host.config().admin_socket().display().to_string();
    portcullis::run(&[arguments, &["--admin-socket", &socket]].concat())
}

fn on_disk(host: &Portcullis, file: &str) -> Result<String> {
    fs::read_to_string(host.config().path().join(file)).map_err(io)
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).map_err(io)?.flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    Ok(names)
}

fn mount(folder: &Path, size: &str) -> Result<Cleanup> {
    let run = |program: &str, arguments: &[&str], folder: &Path| {
        let status = std::process::Command::new(program).args(arguments).arg(folder).status();
        status.map_err(io).and_then(|status| {
            if status.success() { Ok(()) } else { Err(Error::Unexpected(format!("{program}: {status}"))) }
        })
    };
    Cleanup::of(|| {
        run("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"], folder)?;
        let folder = folder.to_owned();
        Ok(((), move || drop(run("umount", &["--lazy"], &folder))))
    })
    .map(|((), disk)| disk)
}

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

#[test]
fn a_tenant_has_documents_of_its_own_within_its_limit() -> Result<()> {
    let config = Config::new()?.policy("allow-all")?.tenant("ci", TENANT)?;
    let host = config.file("data/users.json", b"{\"of\":\"host\"}")?.start()?;
    let long = format!("\"{}\"", "x".repeat(150));
    let path = "/v1/tenants/ci/data/users";
    go_through(
        &host,
        &[
            ("GET", path, &[], "", 404, "there is no document `users`"),
            ("PUT", path, &[], "{\"of\":\"ci\"}", 201, ""),
            ("GET", path, &[], "", 200, "{\"of\":\"ci\"}"),
            ("GET", "/v1/data/users", &[], "", 200, "{\"of\":\"host\"}"),
            ("GET", "/v1/tenants/ci/data", &[], "", 200, r#"{"users":{"of":"ci"}}"#),
            ("PUT", "/v1/tenants/ci/data/a", &[], &long, 201, ""),
            ("PUT", "/v1/tenants/ci/data/b", &[], &long, 413, "all documents together would have more than 200 bytes"),
            ("PUT", "/v1/tenants/ci/data/users/x", &[], &long, 413, "more than 200 bytes"),
            ("PUT", "/v1/tenants/ci/data/b", &[], &"1".repeat(300), 413, "at most 200 bytes"),
            ("GET", path, &[], "", 200, "{\"of\":\"ci\"}"),
            ("PUT", "/v1/tenants/nobody/data/x", &[], "1", 404, "there is no tenant `nobody`"),
            ("GET", "/v1/tenants/..%2Fci/data/x", &[], "", 400, "is not a tenant's name"),
        ],
    )?;
    assert_eq!(names(&host.config().path().join("tenants/ci/data"))?, ["a.json", "users.json"]);
    Ok(())
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
fn nothing_is_written_where_a_tenants_folder_leads_out() -> Result<()> {
    let host = Config::new()?.tenant("ci", TENANT)?.start()?;
    let (path, outside) = (host.config().path().join("tenants/ci/data"), host.config().path().join("outside"));
    fs::create_dir(&outside).map_err(io)?;
    fs::write(outside.join("secret.json"), "1").map_err(io)?;
    fs::remove_dir(&path).map_err(io)?;
    std::os::unix::fs::symlink(&outside, &path).map_err(io)?;
    for (method, name) in [("PUT", "x"), ("PUT", "secret"), ("DELETE", "secret")] {
        let answer = send(&host, method, &format!("/v1/tenants/ci/data/{name}"), &[], "2")?;
        assert_eq!(answer.status, 500, "{method} {name}: {}", answer.text());
    }
    assert_eq!(send(&host, "GET", "/v1/tenants/ci/data/secret", &[], "")?.status, 404);
    assert_eq!((names(&outside)?.len(), on_disk(&host, "outside/secret.json")?.as_str()), (1, "1"));
    Ok(())
}

#[test]
fn what_was_acknowledged_outlives_a_crash_and_what_a_crash_left_is_in_nobodys_way() -> Result<()> {
    let mut host = Config::new()?.policy("allow-all")?.start()?;
    for turn in 0..5 {
        let (value, file) = (turn.to_string(), host.config().path().join("data/.incoming-n.json"));
        go_through(&host, &[("PUT", "/v1/data/n", &[], &value, if turn == 0 { 201 } else { 200 }, "")])?;
        host.crash_and_restart_after(|| fs::write(&file, "half of").map_err(io))?;
        assert_eq!(get(&host, "/v1/data")?.0, json!({ "n": turn }));
    }
    go_through(&host, &[("PUT", "/v1/data/n", &[], "9", 200, "")])?;
    assert_eq!(names(&host.config().path().join("data"))?, ["n.json"]);
    Ok(())
}

#[test]
fn a_full_disk_is_told_and_outlived() -> Result<()> {
    let config = Config::new()?.policy("allow-all")?;
    let disk = mount(&config.path().join("data"), "256k")?;
    let full = OnSmallDisk { host: config.start()?, _disk: disk };
    let host = &full.host;
    go_through(host, &[("PUT", "/v1/data/n", &[], "[1]", 201, "")])?;
    let (before, tag) = get(host, "/v1/data/n")?;
    let filler = host.config().path().join("data/filler");
    fs::write(&filler, vec![0; 200 << 10]).map_err(io)?;
    let large = format!("\"{}\"", "x".repeat(100 << 10));
    go_through(
        host,
        &[
            ("PUT", "/v1/data/n", &[], &large, 507, "there is no room for it"),
            ("PUT", "/v1/data/n/-", &[], &large, 507, "No space left"),
            ("PUT", "/v1/data/new", &[], &large, 507, "there is no room"),
        ],
    )?;
    assert_eq!(get(host, "/v1/data/n")?, (before, tag));
    assert_eq!(on_disk(host, "data/n.json")?, "[1]");
    assert_eq!(names(&host.config().path().join("data"))?, ["filler", "n.json"]);
    assert!(Caller::named("alice").list(&host.socket())?.allow);
    fs::remove_file(&filler).map_err(io)?;
    go_through(host, &[("PUT", "/v1/data/n/-", &[], &large, 200, ""), ("GET", "/v1/data/n/0", &[], "", 200, "1")])
}

#[test]
fn what_somebody_wrote_by_hand_is_not_lost() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.file("data/n.json", b"{\"a\":1}")?.start()?;
    for turn in 0..10 {
        // Not read yet, or just so, when the change comes.
        host.config().put("data/n.json", json!({ "by-hand": turn }).to_string().as_bytes())?;
        let value = turn.to_string();
        go_through(&host, &[("PUT", "/v1/data/n/by-host", &[], &value, 200, "")])?;
        assert_eq!(get(&host, "/v1/data/n")?.0, json!({ "by-hand": turn, "by-host": turn }));
    }
    host.config().put("data/n.json", b"{broken")?;
    go_through(
        &host,
        &[
            ("PUT", "/v1/data/n/x", &[], "1", 409, "document `n` is not as its file has it"),
            ("GET", "/v1/data/n/by-hand", &[], "", 200, "9"),
            ("GET", "/v1/data?list", &[], "", 200, "line 1, column 2"),
            ("PUT", "/v1/data/n", &[], "{}", 200, ""),
            ("PUT", "/v1/data/n/x", &[], "1", 200, ""),
        ],
    )
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

#[test]
fn of_two_files_with_one_name_neither_is_taken() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.file("data/n.json", b"1")?.start()?;
    host.config().put("data/n.yml", b"2")?;
    wait::until("trouble", wait::PATIENCE, || {
        let listed = send(&host, "GET", "/v1/data?list", &[], "").ok()?.text();
        listed.contains("remove one of them").then_some(())
    })?;
    let (yes, both) = ("`n.json` and `n.yml` are both document `n`", &[][..]);
    go_through(
        &host,
        &[
            ("GET", "/v1/data/n", both, "", 200, "1"),
            ("PUT", "/v1/data/n", both, "3", 409, yes),
            ("PATCH", "/v1/data/n", &[MERGE_PATCH], "3", 409, yes),
            ("DELETE", "/v1/data/n", both, "", 200, ""),
            ("GET", "/v1/data/n", both, "", 404, ""),
        ],
    )?;
    assert_eq!(names(&host.config().path().join("data"))?, [] as [&str; 0]);
    host.config().put("data/n.json", b"1")?;
    host.config().put("data/n.yml", b"2")?;
    host.config().remove("data/n.json")?;
    host.hang_up()?;
    assert_eq!(get(&host, "/v1/data/n")?.0, json!(2));
    Ok(())
}

#[test]
fn a_change_is_not_read_again() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.start()?;
    let users: serde_json::Map<_, _> =
        (0..100_000).map(|n| (format!("user-{n:06}"), json!({ "role": "reader" }))).collect();
    go_through(&host, &[("PUT", "/v1/data/users", &[], &Value::from(users).to_string(), 201, "")])?;
    let read_before = read_bytes(&host)?;
    go_through(&host, &[("PUT", "/v1/data/users/user-000007/role", &[], "\"admin\"", 200, "")])?;
    let read = read_bytes(&host)? - read_before;
    let size = fs::metadata(host.config().path().join("data/users.json")).map_err(io)?.len();
    assert!(read < size / 2, "{read} bytes were read for a change of a document of {size}");
    let large = send(&host, "GET", "/v1/data/users", &[], "")?;
    assert_eq!((large.status, large.body.len() as u64), (200, size));
    Ok(())
}

/// What a process has read so far, of files and sockets.
fn read_bytes(host: &Portcullis) -> Result<u64> {
    let path = PathBuf::from(format!("/proc/{}/io", host.process().id()));
    let text = fs::read_to_string(path).map_err(io)?;
    let line = text.lines().find_map(|line| line.strip_prefix("rchar: "));
    line.and_then(|number| number.parse().ok()).ok_or(Error::Unexpected(text))
}

#[test]
fn the_command_does_the_same() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.tenant("ci", TENANT)?.start()?;
    let file = |name: &str, text: &str| -> Result<String> {
        let path = host.config().path().join(name);
        fs::write(&path, text).map_err(io)?;
        Ok(path.display().to_string())
    };
    let users = file("users.yaml", "alice: {role: reader}\n")?;
    let patch = file("patch.json", r#"[{"op":"replace","path":"/role","value":"admin"}]"#)?;
    let merge = file("merge.json", r#"{"a/b":1}"#)?;
    for (arguments, code, out) in [
        (vec!["data", "put", "/users", &users], 0, "users is in force since generation "),
        (vec!["data", "patch", "/users/alice", &patch], 0, "users is in force"),
        (vec!["data", "patch", "/users", &merge, "--merge", "--json"], 0, "\"etag\": \""),
        (vec!["data", "get", "/users"], 0, r#"{"alice":{"role":"admin"},"a/b":1}"#),
        (vec!["data", "get", "/users/a~1b"], 0, "1"),
        (vec!["data", "get"], 0, r#"{"users":{"#),
        (vec!["data", "ls"], 0, "DOCUMENT"),
        (vec!["data", "ls", "--json"], 0, "\"bytes\": "),
        (vec!["data", "put", "/x", &merge, "--tenant", "ci"], 0, "x is in force"),
        (vec!["data", "get", "/x", "--tenant", "ci"], 0, r#"{"a/b":1}"#),
        (vec!["data", "rm", "/users/alice"], 0, "users is in force"),
        (vec!["data", "rm", "/users", "--if-match", "another"], 1, "is not what the caller takes it for"),
        (vec!["data", "rm", "/users"], 0, "users is removed since generation "),
        (vec!["data", "rm", "/users"], 1, "there is no document `users`"),
        (vec!["data", "get", "users"], 2, "did you mean `/users`?"),
        (vec!["data", "rm", ""], 2, "name one"),
        (vec!["data", "put", "/x", "/nowhere"], 1, "/nowhere"),
    ] {
        let finished = run(&host, &arguments)?;
        assert_eq!(finished.code(), Some(code), "{arguments:?}: {finished:?}");
        let told = if code == 0 { &finished.stdout } else { &finished.stderr };
        assert!(told.contains(out), "{arguments:?}: {finished:?}");
    }
    Ok(())
}
