//! What lies beside a policy is read and changed over the admin API: checked as it is loaded, with its comments kept, and active
//! when it is answered.

use std::fs;
use std::path::PathBuf;

use portcullis_tests::plugin::Reply;
use portcullis_tests::portcullis::{self, Config, Portcullis};
use portcullis_tests::{Error, Result, artifacts, guests, http, plugin};
use serde_json::{Value, json};

const CALL: &[u8] = br#"{"RequestMethod":"GET","RequestUri":"/v1.41/containers/json","User":"alice"}"#;
const TENANT: &str = "[limits]\ndeadline = \"50ms\"\n[[match]]\nuser = \"alice\"\n";
const JSON: (&str, &str) = ("content-type", "application/json");

/// An answer: its status, its tag, what it says.
struct Answer(u16, String, Value);

fn send(host: &Portcullis, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer> {
    let reply = http::send(&host.config().admin_socket(), &http::request(method, path, headers, body))?;
    let tag = reply.header("etag").unwrap_or_default().to_owned();
    Ok(Answer(reply.status, tag, reply.json().unwrap_or(Value::Null)))
}

/// Is done, and tells its tag.
fn done(host: &Portcullis, method: &str, path: &str, body: &Value) -> Result<String> {
    let Answer(status, tag, answer) = send(host, method, path, &[JSON], body.to_string().as_bytes())?;
    assert!(matches!(status, 200 | 201 | 204), "{method} {path} {body}: {status} {answer}");
    Ok(tag)
}

fn got(host: &Portcullis, path: &str) -> Result<Value> {
    let Answer(status, _, answer) = send(host, "GET", path, &[], b"")?;
    assert_eq!(status, 200, "{path}: {answer}");
    Ok(answer)
}

fn ask(host: &Portcullis) -> Result<Reply> {
    plugin::ask(&host.socket(), CALL)
}

fn file(host: &Portcullis, name: &str) -> PathBuf {
    host.config().path().join(name)
}

fn text(host: &Portcullis, name: &str) -> Result<String> {
    fs::read_to_string(file(host, name)).map_err(|error| Error::Unexpected(format!("{name}: {error}")))
}

#[test]
fn what_is_written_is_read_replaced_changed_and_removed_and_active_when_it_is_answered() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.policy("deny-all")?.start()?;
    let path = "/v1/policies/deny-all/config";
    assert_eq!(got(&host, path)?, json!({}));
    assert!(!ask(&host)?.allow);
    let Answer(status, tag, answer) = send(&host, "PUT", path, &[], br#"{"mode": "observe"}"#)?;
    assert_eq!((status, &answer["active"]), (201, &json!(true)), "{answer}");
    assert!(ask(&host)?.allow, "active when it is answered");
    assert_eq!(got(&host, path)?, json!({ "mode": "observe" }));

    // A person goes on with the file, and what that person wrote stays.
    host.drop_settings(
        "deny-all",
        "# on trial\nmode = \"observe\" # until Monday\n\n[limits]\n# slow\ndeadline = \"9ms\"\n",
    )?;
    done(&host, "PATCH", path, &json!({ "mode": "enforce", "limits": { "log_lines": 5 }, "settings": { "a": [1] } }))?;
    assert!(!ask(&host)?.allow);
    let expected = "# on trial\nmode = \"enforce\" # until Monday\n\n[limits]\n# slow\ndeadline = \"9ms\"\nlog_lines = 5\n\n[settings]\na = [1]\n";
    assert_eq!(text(&host, "policies/deny-all.toml")?, expected);
    done(&host, "PATCH", path, &json!({ "limits": null, "settings": { "a": null } }))?;
    assert_eq!(got(&host, path)?, json!({ "mode": "enforce", "settings": {} }));

    let effective = got(&host, "/v1/policies/deny-all/config?effective=true")?;
    assert_eq!((&effective["mode"], &effective["grants"]), (&json!("enforce"), &json!([])), "{effective}");
    assert_eq!((&effective["limits"]["deadline"], &effective["limits"]["memory"]), (&json!("20ms"), &json!(32 << 20)));
    // What is told can be written.
    done(&host, "PUT", path, &effective)?;

    let mismatch = [("if-match", tag.as_str())];
    for method in ["PUT", "PATCH", "DELETE"] {
        let Answer(status, _, answer) = send(&host, method, path, &mismatch, b"{}")?;
        assert_eq!(status, 412, "{method}: {answer}");
        assert!(answer["error"].as_str().is_some_and(|error| error.contains("sha256:")), "{answer}");
    }
    let Answer(status, ..) = send(&host, "PUT", path, &[("if-none-match", "*")], b"{}")?;
    assert_eq!(status, 412);
    done(&host, "DELETE", path, &Value::Null)?;
    assert!(!file(&host, "policies/deny-all.toml").exists());
    assert_eq!(send(&host, "DELETE", path, &[], b"")?.0, 404);
    Ok(())
}

#[test]
fn a_denial_carries_the_operators_message_and_help() -> Result<()> {
    let toml = b"message = \"ask before you run\"\nhelp = \"#docker, https://wiki.example/docker\"\n";
    let host = Config::new()?.policy("deny-all")?.file("policies/deny-all.toml", toml)?.start()?;
    let path = "/v1/policies/deny-all/config";
    let told = ask(&host)?.msg;
    let remark = "; ask before you run; help: #docker, https://wiki.example/docker";
    assert!(told.starts_with("deny-all: ") && told.ends_with(remark), "{told}");
    let without = told.replace(remark, "");

    // Each alone, and neither; while the host runs.
    done(&host, "PATCH", path, &json!({ "message": null }))?;
    assert_eq!(ask(&host)?.msg, format!("{without}; help: #docker, https://wiki.example/docker"));
    done(&host, "PUT", path, &json!({ "message": "ask" }))?;
    assert_eq!(ask(&host)?.msg, format!("{without}; ask"));
    assert_eq!(got(&host, &format!("{path}?effective=true"))?["message"], json!("ask"));
    for wrong in [json!({ "help": "" }), json!({ "message": "a\u{7}b" }), json!({ "help": "x".repeat(161) })] {
        let Answer(status, _, answer) = send(&host, "PATCH", path, &[], wrong.to_string().as_bytes())?;
        assert_eq!(status, 422, "{answer}");
    }
    assert_eq!(ask(&host)?.msg, format!("{without}; ask"));
    done(&host, "PUT", path, &json!({}))?;
    assert_eq!(ask(&host)?.msg, without);

    // One that allows says nothing.
    let host = Config::new()?.policy("allow-all")?.file("policies/allow-all.toml", toml)?.start()?;
    assert!(ask(&host)?.allow);
    Ok(())
}

#[test]
fn the_short_forms_change_one_part() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.policy("deny-all")?.start()?;
    done(&host, "PUT", "/v1/policies/deny-all/settings", &json!({ "a": { "b": 1 }, "c": 2 }))?;
    for (body, allowed) in
        [("observe", true), (r#"{"mode": "enforce"}"#, false), ("\"observe\"", true), ("enforce\n", false)]
    {
        let Answer(status, _, answer) = send(&host, "PUT", "/v1/policies/deny-all/mode", &[], body.as_bytes())?;
        assert_eq!((status, ask(&host)?.allow), (200, allowed), "{body}: {answer}");
    }
    assert_eq!(got(&host, "/v1/policies/deny-all/settings")?, json!({ "a": { "b": 1 }, "c": 2 }));
    done(&host, "PUT", "/v1/policies/deny-all/settings", &json!({ "a": {} }))?;
    assert_eq!(got(&host, "/v1/policies/deny-all/config")?, json!({ "mode": "enforce", "settings": { "a": {} } }));
    assert_eq!(got(&host, "/v1/policies/allow-all/settings")?, json!({}));
    for body in ["", "{}", "{\"mode\": \"observe\", \"x\": 1}", "[]"] {
        let Answer(status, _, answer) = send(&host, "PUT", "/v1/policies/deny-all/mode", &[], body.as_bytes())?;
        assert!(matches!(status, 400 | 422), "{body}: {status} {answer}");
    }
    assert_eq!(send(&host, "PUT", "/v1/policies/deny-all/mode", &[], b"obsrve")?.0, 422);
    Ok(())
}

#[test]
fn every_mistake_is_told_at_once_and_nothing_is_changed() -> Result<()> {
    let config = Config::new()?.policy("say-hello")?;
    let host = config.file("policies/say-hello.toml", b"grants = [\"state\"]\n")?.start()?;
    let path = "/v1/policies/say-hello/config";
    let wrong = json!({
        "mod": "observe", "mode": "watch", "grants": ["state", "net"],
        "limits": { "deadline": "1h", "memory": "1GiB" }, "settings": 3,
    });
    let Answer(status, _, answer) = send(&host, "PUT", path, &[], wrong.to_string().as_bytes())?;
    assert_eq!(status, 422, "{answer}");
    let told = answer["error"].as_str().unwrap_or_default();
    for part in [
        "did you mean `mode`",
        "is `watch`",
        "`net`",
        "`[limits] deadline`",
        "`[limits] memory`",
        "`settings` is an integer",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let cases: [(&str, &str, &[u8], u16, &str); 9] = [
        ("PUT", path, b"", 400, "not JSON"),
        ("PUT", path, b"[]", 400, "expected an object"),
        ("PUT", path, br#"{"mode": "observe", "mode": "enforce"}"#, 400, "not JSON"),
        ("PUT", path, br#"{"settings": {"a": null, "b": [null]}}"#, 422, "`/settings/b/0` is null"),
        ("PUT", path, b"{}", 422, "could not be loaded"),
        ("DELETE", path, b"", 422, "could not be loaded"),
        ("PUT", "/v1/policies/..%2Fx/config", b"{}", 400, "not a policy name"),
        ("GET", "/v1/policies/nothing/config", b"", 404, "there is no policy `nothing`"),
        ("GET", "/v1/tenants/nobody/policies/x/config", b"", 404, "nobody"),
    ];
    for (method, path, body, expected, told) in cases {
        let Answer(status, _, answer) = send(&host, method, path, &[], body)?;
        assert_eq!(status, expected, "{method} {path}: {answer}");
        assert!(answer["error"].as_str().is_some_and(|error| error.contains(told)), "{method} {path}: {answer}");
    }
    let patch = [("content-type", "application/json-patch+json")];
    assert_eq!(send(&host, "PATCH", path, &patch, b"[]")?.0, 415);
    assert_eq!(text(&host, "policies/say-hello.toml")?, "grants = [\"state\"]\n");
    Ok(())
}

#[test]
fn a_tenant_gets_no_more_than_it_may_have() -> Result<()> {
    let host = Config::new()?.tenant("ci", TENANT)?.tenant_policy("ci", "allow-all")?.start()?;
    let path = "/v1/tenants/ci/policies/allow-all/config";
    let wrong = json!({ "grants": ["log"], "limits": { "deadline": "51ms" } });
    let Answer(status, _, answer) = send(&host, "PUT", path, &[], wrong.to_string().as_bytes())?;
    let told = answer["error"].as_str().unwrap_or_default();
    assert!(status == 422 && told.contains("not granted") && told.contains("50 ms"), "{answer}");
    done(&host, "PUT", path, &json!({ "limits": { "deadline": "40ms" }, "mode": "observe" }))?;
    assert!(!ask(&host)?.allow, "an observed allow does not count");
    let effective = got(&host, "/v1/tenants/ci/policies/allow-all/config?effective=true")?;
    assert_eq!(effective["limits"]["deadline"], json!("40ms"), "{effective}");
    Ok(())
}

/// A policy that needs a grant cannot be put without; its configuration comes first.
#[test]
fn a_configuration_may_come_before_its_policy() -> Result<()> {
    let host = Config::new()?.start()?;
    let hello = artifacts::policy_bytes("say-hello")?;
    assert_eq!(send(&host, "PUT", "/v1/policies/hello", &[], &hello)?.0, 422);
    let config = br#"{"grants": ["state"], "mode": "observe"}"#;
    let Answer(status, _, answer) = send(&host, "PUT", "/v1/policies/hello/config", &[], config)?;
    assert_eq!((status, &answer["active"]), (201, &json!(false)), "{answer}");
    assert_eq!(got(&host, "/v1/policies/hello/config")?["grants"], json!(["state"]));
    assert_eq!(send(&host, "GET", "/v1/policies/hello", &[], b"")?.0, 404);
    assert_eq!(send(&host, "PUT", "/v1/policies/hello", &[], &hello)?.0, 201);
    assert_eq!(got(&host, "/v1/policies/hello")?["is_observed"], json!(true));
    assert_eq!(send(&host, "DELETE", "/v1/policies/hello", &[], b"")?.0, 204);
    assert!(!file(&host, "policies/hello.toml").exists());
    Ok(())
}

#[test]
fn writers_of_one_policy_take_turns() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.start()?;
    let bytes = artifacts::policy_bytes("allow-all")?;
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let (host, bytes) = (&host, &bytes);
            scope.spawn(move || -> Result<()> {
                for turn in 0..5 {
                    let key = format!("w{writer}t{turn}");
                    done(host, "PATCH", "/v1/policies/allow-all/config", &json!({ "settings": { key: turn } }))?;
                    assert_eq!(send(host, "PUT", "/v1/policies/allow-all", &[], bytes)?.0, 200);
                }
                Ok(())
            });
        }
    });
    let settings = got(&host, "/v1/policies/allow-all/settings")?;
    assert_eq!(settings.as_object().map(serde_json::Map::len), Some(40), "no change is lost: {settings}");
    Ok(())
}

/// Putting what is there already changes nothing, unless it is not there any more.
#[test]
fn putting_a_policy_again_is_idempotent_and_mends_what_others_broke() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.start()?;
    let (bytes, wasm) = (artifacts::policy_bytes("allow-all")?, file(&host, "policies/allow-all.wasm"));
    let io = |error: std::io::Error| Error::Unexpected(error.to_string());
    let put = |bytes: &[u8]| send(&host, "PUT", "/v1/policies/allow-all", &[], bytes);
    let changed = || fs::metadata(&wasm).and_then(|file| file.modified()).map_err(io);
    let before = changed()?;
    let Answer(status, _, first) = put(&bytes)?;
    assert_eq!((status, changed()?), (200, before), "nothing is written");
    assert_eq!(put(&bytes)?.2["generation"], first["generation"]);

    // Replaced by something broken, the last good one is active, and the file is not it.
    let mark = host.mark();
    host.config().put("policies/allow-all.wasm", b"broken")?;
    host.wait_for(mark, "the trouble", |record| record.level() == "ERROR")?;
    assert!(ask(&host)?.allow);
    assert_eq!(put(&bytes)?.0, 200);
    assert_eq!(fs::read(&wasm).map_err(io)?, bytes);
    assert_eq!(got(&host, "/v1/status")?["is_sound"], json!(true));

    // Replaced by another good one behind the host's back: either way, what was put last is active.
    host.config().put("policies/allow-all.wasm", &artifacts::policy_bytes("deny-all")?)?;
    assert_eq!(put(&bytes)?.0, 200);
    assert!(ask(&host)?.allow);
    assert_eq!(fs::read(&wasm).map_err(io)?, bytes);
    Ok(())
}

#[test]
fn a_policy_that_was_never_good_can_be_replaced_and_is_there() -> Result<()> {
    let host = Config::new()?.file("policies/x.wasm", b"broken")?.start()?;
    assert!(!ask(&host)?.allow);
    let bytes = artifacts::policy_bytes("allow-all")?;
    let config = br#"{"mode": "enforce"}"#;
    let Answer(status, _, answer) = send(&host, "PUT", "/v1/policies/x/config", &[], config)?;
    assert!(
        status == 422 && answer["error"].as_str().is_some_and(|error| error.contains("not WebAssembly")),
        "{answer}"
    );
    assert_eq!(send(&host, "PUT", "/v1/policies/x", &[("if-none-match", "*")], &bytes)?.0, 412);
    assert_eq!(send(&host, "PUT", "/v1/policies/x", &[("if-match", "*")], &bytes)?.0, 200);
    assert!(ask(&host)?.allow);
    // One whose grants were forgotten is mended by its configuration.
    let mark = host.mark();
    host.config().put("policies/hello.wasm", &artifacts::policy_bytes("say-hello")?)?;
    host.wait_for(mark, "the trouble", |record| record.level() == "ERROR")?;
    done(&host, "PUT", "/v1/policies/hello/config", &json!({ "grants": ["state"] }))?;
    assert_eq!(got(&host, "/v1/status")?["is_sound"], json!(true));
    assert_eq!(send(&host, "PUT", "/v1/policies/says", &[], &guests::that_says("no")?)?.0, 201);
    Ok(())
}

#[test]
fn the_commands_do_the_same() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.policy("deny-all")?.start()?;
    let (folder, socket) = (host.config().path().to_owned(), host.config().admin_socket().display().to_string());
    host.config().put("config.json", br#"{"settings": {"a": 1}}"#)?;
    let json_file = folder.join("config.json").display().to_string();
    let run = |arguments: &[&str]| portcullis::run(&[&["policy"], arguments, &["--admin-socket", &socket]].concat());
    let mode = run(&["mode", "deny-all", "observe"])?;
    assert!(mode.stdout.contains("is active since generation"), "{mode:?}");
    assert!(ask(&host)?.allow);
    let tag = mode.stdout.trim().rsplit_once(' ').map(|(_, tag)| tag.to_owned()).unwrap_or_default();
    assert_eq!(run(&["config", "set", "deny-all", &json_file, "--merge", "--if-match", &tag])?.code(), Some(0));
    assert_eq!(run(&["config", "set", "deny-all", &json_file, "--merge", "--if-match", &tag])?.code(), Some(1));
    let says = |finished: &str| serde_json::from_str::<Value>(finished).unwrap_or_default();
    assert_eq!(
        says(&run(&["config", "get", "deny-all"])?.stdout),
        json!({ "mode": "observe", "settings": { "a": 1 } })
    );
    assert_eq!(says(&run(&["settings", "deny-all"])?.stdout), json!({ "a": 1 }));
    assert_eq!(says(&run(&["config", "get", "deny-all", "--effective"])?.stdout)["limits"]["deadline"], json!("20ms"));
    assert_eq!(run(&["settings", "deny-all", &json_file])?.code(), Some(0));
    assert_eq!(run(&["config", "rm", "deny-all"])?.code(), Some(0));
    assert!(!ask(&host)?.allow);
    assert!(run(&["config", "set", "new", &json_file])?.stdout.contains("waits for the policy"));
    Ok(())
}
