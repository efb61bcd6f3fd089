//! The admin socket, and the commands that speak to it: what is active is told, and changed through the same folders.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};

use portcullis_tests::caller::Caller;
use portcullis_tests::command::Finished;
use portcullis_tests::openapi::Document;
use portcullis_tests::plugin::Reply;
use portcullis_tests::portcullis::{self, Config, Portcullis};
use portcullis_tests::{Error, Result, artifacts, http, plugin};
use serde_json::{Value, json};

const CALL: &[u8] = br#"{"RequestMethod":"GET","RequestUri":"/v1.41/containers/json","User":"alice"}"#;
const TENANT: &str = "grants = [\"state\"]\n[[match]]\nuser = \"alice\"\n";

/// A command at this host's admin socket.
fn run(host: &Portcullis, arguments: &[&str]) -> Result<Finished> {
    let socket = host.config().admin_socket().display().to_string();
    portcullis::run(&[arguments, &["--admin-socket", &socket]].concat())
}

fn json(finished: &Finished) -> Result<Value> {
    assert_eq!(finished.code(), Some(0), "{finished:?}");
    serde_json::from_str(&finished.stdout).map_err(|error| Error::Unexpected(format!("{error}: {finished:?}")))
}

fn ask(host: &Portcullis) -> Result<Reply> {
    plugin::ask(&host.socket(), CALL)
}

/// Every answer is as the document says.
fn send(host: &Portcullis, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<(u16, Value)> {
    let socket = host.config().admin_socket();
    let reply = http::send(&socket, &http::request(method, path, headers, body))?;
    Document::of(&socket)?.check(method, path, &reply)?;
    Ok((reply.status, reply.json().unwrap_or(Value::Null)))
}

fn file_of(package: &str) -> Result<String> {
    Ok(artifacts::policy(package)?.display().to_string())
}

#[test]
fn status_tells_what_is_active_what_is_not_and_what_became_of_calls() -> Result<()> {
    let config = Config::new()?.policy("allow-all")?.tenant("ci", TENANT)?.tenant_policy("ci", "deny-all")?;
    let host = config.tenant("bad", "default = 3\n")?.start()?;
    ask(&host)?;
    let status = json(&run(&host, &["status", "--json"])?)?;
    assert_eq!(status["is_sound"], json!(false), "{status:#}");
    assert_eq!(status["problems"][0]["name"], json!("bad"), "{status:#}");
    assert_eq!(status["policies"][0]["name"], json!("allow-all"), "{status:#}");
    let tenants: Vec<_> = status["tenants"].as_array().into_iter().flatten().collect();
    let names: Vec<_> = tenants.iter().map(|tenant| &tenant["name"]).collect();
    assert_eq!(names, [&json!("ci"), &json!("default")]);
    let ci = tenants[0];
    assert_eq!((&ci["decisions"], &ci["denials"], &ci["faults"]), (&json!(1), &json!(1), &json!(0)), "{ci:#}");
    assert!(ci["p99_us"].as_u64() > Some(0), "{ci:#}");
    assert!(ci["policies"][0]["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")), "{ci:#}");

    let table = run(&host, &["status"])?;
    for text in ["TENANT", "ci", "deny-all", "not active: tenant bad", "tenant.toml:1"] {
        assert!(table.stdout.contains(text), "{text} is not in\n{}", table.stdout);
    }
    let one = run(&host, &["status", "--tenant", "ci"])?;
    assert!(!one.stdout.contains("default "), "{}", one.stdout);
    assert_eq!(run(&host, &["status", "--tenant", "nobody"])?.code(), Some(1));
    Ok(())
}

#[test]
fn policies_are_put_fetched_and_removed_and_the_folder_shows_it() -> Result<()> {
    let host = Config::new()?.tenant("ci", TENANT)?.start()?;
    let path = host.config().path().to_owned();
    assert!(!ask(&host)?.allow);
    let put = run(&host, &["policy", "put", &file_of("allow-all")?, "--tenant", "ci", "--name", "open", "--json"])?;
    let digest = json(&put)?["digest"].as_str().unwrap_or_default().to_owned();
    assert!(ask(&host)?.allow, "active when it is answered");
    let file = path.join("tenants/ci/policies/open.wasm");
    assert_eq!(fs::read(&file).ok(), Some(artifacts::policy_bytes("allow-all")?));

    let fetched = path.join("fetched.wasm");
    let output = fetched.display().to_string();
    let get = run(&host, &["policy", "get", "open", "--tenant", "ci", "--output", &output])?;
    assert_eq!(get.code(), Some(0), "{get:?}");
    assert_eq!(fs::read(&fetched).ok(), fs::read(&file).ok());
    assert!(run(&host, &["policy", "ls", "--tenant", "ci"])?.stdout.contains(&digest));

    // Of two writers one wins, and the other is told.
    let deny = file_of("deny-all")?;
    let first = ["policy", "put", &deny, "--tenant", "ci", "--name", "open", "--if-match", &digest];
    assert_eq!(run(&host, &first)?.code(), Some(0));
    let second = run(&host, &first)?;
    assert_eq!(second.code(), Some(1));
    assert!(second.stderr.contains("is not what the caller takes it for"), "{second:?}");
    assert!(!ask(&host)?.allow);

    assert_eq!(run(&host, &["policy", "rm", "open", "--tenant", "ci"])?.code(), Some(0));
    assert!(!file.exists());
    let gone = run(&host, &["policy", "rm", "open", "--tenant", "ci"])?;
    assert!(gone.stderr.contains("there is no policy `open`"), "{gone:?}");
    Ok(())
}

/// A policy of a few MB: with a section that means nothing.
fn large_policy() -> Result<Vec<u8>> {
    const NAME: &[u8] = b"\x07padding";
    let (mut wasm, padding) = (artifacts::policy_bytes("allow-all")?, vec![b'x'; 8 << 20]);
    let mut size = NAME.len() + padding.len();
    wasm.push(0);
    while size >= 0x80 {
        wasm.push((size & 0x7f) as u8 | 0x80);
        size >>= 7;
    }
    wasm.push(size as u8);
    wasm.extend_from_slice(NAME);
    wasm.extend_from_slice(&padding);
    Ok(wasm)
}

#[test]
fn a_large_file_shows_how_far_it_is_on_a_terminal_and_nowhere_else() -> Result<()> {
    let host = Config::new()?.start()?;
    let (folder, socket) = (host.config().path(), host.config().admin_socket().display().to_string());
    let (file, fetched) = (folder.join("large.wasm"), folder.join("fetched.wasm"));
    let io = |error: std::io::Error| Error::Unexpected(error.to_string());
    fs::write(&file, large_policy()?).map_err(io)?;
    let quiet = run(&host, &["policy", "put", &file.display().to_string()])?;
    assert_eq!((quiet.code(), quiet.stderr.as_str()), (Some(0), ""), "{quiet:?}");
    let binary = artifacts::portcullis()?;
    let (binary, output) = (binary.display(), fetched.display());
    for (arguments, word) in [
        (format!("policy put {} --name other", file.display()), "sending"),
        (format!("policy get large --output {output}"), "receiving"),
    ] {
        let shown = format!("stty cols 100; {binary} {arguments} --admin-socket {socket}");
        let shown = Finished::of(Command::new("script").args(["-qec", &shown, "/dev/null"]).stdin(Stdio::null()))?;
        assert_eq!(shown.code(), Some(0), "{shown:?}");
        assert!(shown.stdout.contains(word) && shown.stdout.contains("8."), "{shown:?}");
    }
    assert_eq!(fs::read(&fetched).map_err(io)?, large_policy()?);
    Ok(())
}

#[test]
fn what_is_no_policy_is_refused_with_the_reason_and_leaves_the_good_one() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.tenant("ci", TENANT)?.start()?;
    let path = "/v1/policies/allow-all";
    let cases: [(&[u8], u16, &str); 2] =
        [(b"not wasm", 422, "not WebAssembly (8 bytes)"), (b"\0asm\x0d\0\x01\0\xff", 422, "not valid WebAssembly")];
    for (bytes, expected, told) in cases {
        let (status, answer) = send(&host, "PUT", path, &[], bytes)?;
        assert_eq!(status, expected, "{answer}");
        assert!(answer["error"].as_str().is_some_and(|error| error.contains(told)), "{answer}");
    }
    let (status, answer) =
        send(&host, "PUT", "/v1/tenants/ci/policies/x", &[], &artifacts::policy_bytes("say-hello")?)?;
    assert_eq!(status, 422, "{answer}");
    assert!(answer["error"].as_str().is_some_and(|error| error.contains("which needs `grants")), "{answer}");
    assert!(ask(&host)?.allow);
    let wrong = [
        ("PUT", "/v1/policies/..%2Fx", 400),
        ("PUT", "/v1/tenants/..%2Fci/policies/x", 400),
        ("PUT", "/v1/tenants/nobody/policies/x", 404),
        ("GET", "/v1/policies/nothing", 404),
        ("PATCH", path, 405),
        ("GET", "/v2/status", 404),
    ];
    for (method, path, expected) in wrong {
        let (status, answer) = send(&host, method, path, &[], b"")?;
        assert_eq!(status, expected, "{method} {path}: {answer}");
        assert!(answer["error"].is_string(), "{method} {path}: {answer}");
    }
    let tags = [("if-none-match", "*", 412), ("if-match", "\"x\"", 412), ("if-none-match", "\"x\"", 400)];
    for (header, value, expected) in tags {
        let (status, answer) = send(&host, "PUT", path, &[(header, value)], &artifacts::policy_bytes("deny-all")?)?;
        assert_eq!(status, expected, "{header}: {value}: {answer}");
    }
    Ok(())
}

#[test]
fn nothing_is_written_where_a_tenant_leads_out_of_its_folder() -> Result<()> {
    let host = Config::new()?.tenant("ci", TENANT)?.start()?;
    let (path, outside) = (host.config().path().join("tenants/ci/policies"), host.config().path().join("outside"));
    let io = |error: std::io::Error| Error::Unexpected(error.to_string());
    fs::create_dir(&outside).map_err(io)?;
    fs::remove_dir(&path).map_err(io)?;
    std::os::unix::fs::symlink(&outside, &path).map_err(io)?;
    let (status, answer) =
        send(&host, "PUT", "/v1/tenants/ci/policies/x", &[], &artifacts::policy_bytes("allow-all")?)?;
    assert!(status >= 500, "{answer}");
    assert_eq!(fs::read_dir(&outside).map_err(io)?.count(), 0);
    Ok(())
}

#[test]
fn a_tenant_goes_on_with_what_was_put_into_its_folder() -> Result<()> {
    let host = Config::new()?.tenant("ci", TENANT)?.start()?;
    let policies = host.config().path().join("tenants/ci/policies");
    let io = |error: std::io::Error| Error::Unexpected(error.to_string());
    std::os::unix::fs::chown(&policies, Some(1001), Some(1001)).map_err(io)?;
    assert_eq!(run(&host, &["policy", "put", &file_of("allow-all")?, "--tenant", "ci"])?.code(), Some(0));
    let written = fs::metadata(policies.join("allow_all.wasm")).map_err(io)?;
    assert_eq!((written.uid(), written.permissions().mode() & 0o777), (1001, 0o640));
    Ok(())
}

#[test]
fn what_is_kept_is_listed_and_cleared() -> Result<()> {
    let config = Config::new()?.policy("say-hello")?.file("policies/say-hello.toml", b"grants = [\"state\"]\n")?;
    let host = config.policy("allow-all")?.tenant("ci", TENANT)?.start()?;
    assert!(Caller::named("alice").create(&host.socket(), "hello-world")?.allow);
    let kept = json(&run(&host, &["state", "ls", "--json"])?)?;
    let space = &kept["spaces"][0];
    assert_eq!(
        (&space["tenant"], &space["policy"], &space["origin"]),
        (&json!("ci"), &json!("say-hello"), &json!("host")),
        "{kept}"
    );
    assert!(space["keys"].as_u64() > Some(0), "{kept}");
    let (status, keys) = send(&host, "GET", "/v1/tenants/ci/state/host/say-hello", &[], b"")?;
    assert_eq!(status, 200, "{keys}");
    assert!(keys["keys"][0]["key"].is_string(), "{keys}");
    let of = ["--tenant", "ci", "--policy", "say-hello"];
    let listed = run(&host, &[&["state", "ls"], &of[..]].concat())?;
    assert_eq!(listed.stdout, "KEY         BYTES\nsaid-hello      4\n", "{listed:?}");
    let value = run(&host, &[&["state", "get", "said-hello"], &of[..]].concat())?;
    assert_eq!(value.stdout, "key      said-hello\nbytes    4\ntext     true\nbase64   dHJ1ZQ==\n", "{value:?}");
    let value = json(&run(&host, &[&["state", "get", "said-hello", "--json"], &of[..]].concat())?)?;
    assert_eq!((&value["text"], &value["counter"]), (&json!("true"), &Value::Null), "{value}");
    let missing = run(&host, &[&["state", "get", "a/b c"], &of[..]].concat())?;
    assert!(missing.stderr.contains("there is no key `a/b c`"), "{missing:?}");
    let one = run(&host, &[&["state", "clear", "--key", "said-hello"], &of[..]].concat())?;
    assert_eq!(one.stdout, "cleared 1 keys, 14 bytes\n", "{one:?}");
    assert!(Caller::named("alice").create(&host.socket(), "hello-world")?.allow, "it is said again");
    let others = run(&host, &["state", "clear", "--tenant", "default"])?;
    assert!(others.stdout.starts_with("cleared 0 keys"), "{others:?}");
    let cleared = run(&host, &["state", "clear", "--tenant", "ci", "--policy", "say-hello"])?;
    assert!(cleared.stdout.starts_with("cleared ") && !cleared.stdout.starts_with("cleared 0"), "{cleared:?}");
    assert_eq!(json(&run(&host, &["state", "ls", "--json"])?)?["spaces"], json!([]));
    let nothing = json(&run(&host, &["--json", "state", "clear", "--tenant", "ci"])?)?;
    assert_eq!(nothing, json!({ "keys": 0, "bytes": 0 }));
    assert!(run(&host, &["state", "reset"])?.stdout.contains("nothing was set aside"));
    Ok(())
}

#[test]
fn keys_are_listed_page_by_page() -> Result<()> {
    let spy = artifacts::policy_bytes("spy")?;
    let config = Config::new()?
        .file("policies/spy.wasm", &spy)?
        .file("policies/spy.toml", b"grants = [\"state\", \"log\"]\n")?;
    let host = config.policy("allow-all")?.start()?;
    let asked = plugin::ask(&host.socket(), CALL)?;
    let path = "/v1/tenants/default/state/host/spy";
    let (_, all) = send(&host, "GET", path, &[], b"")?;
    let names = |page: &Value| -> Vec<String> {
        let keys = page["keys"].as_array().into_iter().flatten();
        keys.filter_map(|key| Some(key["key"].as_str()?.to_owned())).collect()
    };
    assert!(names(&all).len() > 1 && all["next"].is_null(), "{asked:?}: {all}");
    let (mut found, mut next) = (Vec::new(), String::new());
    loop {
        let (status, page) = send(&host, "GET", &format!("{path}?limit=1{next}"), &[], b"")?;
        assert_eq!((status, names(&page).len()), (200, 1), "{page}");
        found.extend(names(&page));
        let Some(last) = page["next"].as_str() else { break };
        assert_eq!(found.last().map(String::as_str), Some(last));
        next = format!("&after={}", last.replace('/', "%2F"));
    }
    assert_eq!(found, names(&all));
    Ok(())
}

#[test]
fn a_damaged_store_is_set_aside_until_the_operator_gives_it_up() -> Result<()> {
    let config = Config::new()?.policy("say-hello")?.file("policies/say-hello.toml", b"grants = [\"state\"]\n")?;
    let mut host = config.start()?;
    assert!(Caller::named("alice").create(&host.socket(), "hello-world")?.allow);
    let store = host.config().path().join("state/state.redb");
    let io = |error: std::io::Error| Error::Unexpected(error.to_string());
    host.crash_and_restart_after(|| fs::write(&store, b"damaged").map_err(io))?;
    assert!(!ask(&host)?.allow);
    let list = run(&host, &["state", "ls"])?;
    assert_eq!(list.code(), Some(1));
    assert!(list.stderr.contains("portcullis state reset"), "{list:?}");
    assert!(!store.exists());
    let reset = run(&host, &["state", "reset"])?;
    assert!(reset.stdout.contains("given up: "), "{reset:?}");
    assert_eq!(run(&host, &["state", "ls"])?.code(), Some(0));
    let lost = fs::read_dir(host.config().path().join("state")).map_err(io)?;
    let lost = lost.filter_map(|entry| fs::read(entry.ok()?.path()).ok()).filter(|bytes| bytes == b"damaged");
    assert_eq!(lost.count(), 1, "what was damaged is still there");
    Ok(())
}

#[test]
fn a_reload_tries_again_what_was_broken() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.start()?;
    let done = run(&host, &["reload"])?;
    assert_eq!(done.code(), Some(0), "{done:?}");
    assert!(done.stdout.starts_with("generation ") && done.stdout.ends_with(" is active\n"), "{done:?}");
    Ok(())
}

#[test]
fn only_root_and_the_hosts_own_user_may_ask() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.start()?;
    let socket = host.config().admin_socket();
    let io = |error: std::io::Error| Error::Unexpected(error.to_string());
    assert_eq!(fs::metadata(&socket).map_err(io)?.permissions().mode() & 0o777, 0o600);
    // Should somebody open it to others, they are refused all the same.
    for folder in [socket.as_path(), host.config().path()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).map_err(io)?;
    }
    let socket = socket.display().to_string();
    let refused = portcullis::run_as(1001, &["status", "--admin-socket", &socket])?;
    assert_eq!(refused.code(), Some(1), "{refused:?}");
    assert!(refused.stderr.contains("only root and the user that runs the host may ask here"), "{refused:?}");
    Ok(())
}

#[test]
fn a_host_that_does_not_run_is_told() -> Result<()> {
    let config = Config::new()?;
    let socket = config.admin_socket().display().to_string();
    let refused = portcullis::run(&["status", "--admin-socket", &socket])?;
    assert_eq!(refused.code(), Some(1));
    assert!(refused.stderr.contains("is the host running?"), "{refused:?}");
    Ok(())
}
