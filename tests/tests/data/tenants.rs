//! Documents of tenants, and the command for all of them.

use std::fs;

use portcullis_tests::Result;
use portcullis_tests::command::Finished;
use portcullis_tests::portcullis::{self, Config, Portcullis};

use crate::{TENANT, go_through, io, names};

fn run(host: &Portcullis, arguments: &[&str]) -> Result<Finished> {
    let socket = host.config().admin_socket().display().to_string();
    portcullis::run(&[arguments, &["--admin-socket", &socket]].concat())
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
        (vec!["data", "put", "/users", &users], 0, "users is active since generation "),
        (vec!["data", "patch", "/users/alice", &patch], 0, "users is active"),
        (vec!["data", "patch", "/users", &merge, "--merge", "--json"], 0, "\"etag\": \""),
        (vec!["data", "get", "/users"], 0, r#"{"alice":{"role":"admin"},"a/b":1}"#),
        (vec!["data", "get", "/users/a~1b"], 0, "1"),
        (vec!["data", "get"], 0, r#"{"users":{"#),
        (vec!["data", "ls"], 0, "DOCUMENT"),
        (vec!["data", "ls", "--json"], 0, "\"bytes\": "),
        (vec!["data", "put", "/x", &merge, "--tenant", "ci"], 0, "x is active"),
        (vec!["data", "get", "/x", "--tenant", "ci"], 0, r#"{"a/b":1}"#),
        (vec!["data", "rm", "/users/alice"], 0, "users is active"),
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
