//! What would be answered is asked of a host that runs and offline, in one shape, and leaves no trace.

use portcullis_tests::caller::Caller;
use portcullis_tests::portcullis::{self, Config, Portcullis};
use portcullis_tests::{Error, Result, guests, http};
use serde_json::{Value, json};

const CI: &str = "[[match]]\nuser = \"ci\"\n";
const STATE: &[u8] = b"grants = [\"state\"]\n";

fn post(host: &Portcullis, path: &str, question: &str) -> Result<(u16, Value)> {
    let request = http::request("POST", path, &[], question.as_bytes());
    let reply = http::send(&host.config().admin_socket(), &request)?;
    Ok((reply.status, reply.json()?))
}

fn asked(host: &Portcullis, path: &str, question: &Value) -> Result<Value> {
    let (status, answer) = post(host, path, &question.to_string())?;
    assert_eq!(status, 200, "{question}: {answer}");
    Ok(answer)
}

fn create(image: &str) -> Value {
    json!({ "method": "POST", "path": "/v1.44/containers/create", "body": { "Image": image } })
}

fn decisions(host: &Portcullis) -> Result<Value> {
    let reply = http::send(&host.config().admin_socket(), &http::request("GET", "/v1/status", &[], b""))?;
    let tenants = reply.json()?.get("tenants").cloned().unwrap_or_default();
    Ok(tenants.as_array().into_iter().flatten().map(|tenant| tenant["decisions"].clone()).collect())
}

#[test]
fn an_answer_tells_which_policies_said_what_with_which_data() -> Result<()> {
    let config = Config::new()?.policy("seccomp")?.policy("user-roles")?;
    let host = config
        .file("policies/user-roles.toml", b"mode = \"observe\"\n[settings]\nuser_header = \"Authz-User\"\n")?
        .file("data/users.json", br#"{"bob": {"readOnly": true}}"#)?
        .tenant("ci", CI)?
        .file("tenants/ci/data/own.json", b"[1]")?
        .start()?;
    let question = json!({
        "method": "POST", "path": "/v1.44/containers/create", "headers": { "Authz-User": "bob" },
        "body": { "Image": "alpine", "HostConfig": { "SecurityOpt": ["seccomp:unconfined"] } },
    });
    let answer = asked(&host, "/v1/decide", &question)?;
    let told = "seccomp: a container without a seccomp profile is not allowed";
    let parts = [("answer", "deny"), ("cause", "denied"), ("reason", told), ("tenant", "default")];
    for (part, expected) in parts.into_iter().chain([("operation", "ContainerCreate")]) {
        assert_eq!(answer[part], json!(expected), "{part}: {answer:#}");
    }
    let [seccomp, roles] = [&answer["policies"][0], &answer["policies"][1]];
    assert_eq!(
        (&seccomp["policy"], &seccomp["verdict"], &seccomp["mode"]),
        (&json!("seccomp"), &json!("deny"), &json!("enforce"))
    );
    assert!(seccomp["digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")), "{answer:#}");
    assert_eq!(
        (&roles["verdict"], &roles["mode"], &roles["origin"]),
        (&json!("deny"), &json!("observe"), &json!("host"))
    );
    assert!(answer["generation"].as_u64() > Some(0) && answer["explain"].is_null(), "{answer:#}");
    let users = json!({ "name": "users", "origin": "host", "bytes": answer["documents"][0]["bytes"] });
    assert_eq!(answer["documents"], json!([users]), "{answer:#}");
    assert!(users["bytes"].as_u64() > Some(10), "{answer:#}");

    let explained = asked(&host, "/v1/tenants/ci/decide?explain=true", &question)?;
    assert_eq!(explained["explain"]["request"]["operation"], json!("ContainerCreate"), "{explained:#}");
    assert_eq!(explained["documents"][0]["origin"], json!("tenant"), "{explained:#}");
    let refused = asked(&host, "/v1/decide?explain=true", &json!({ "method": "GET", "path": "/nothing" }))?;
    assert_eq!((&refused["cause"], &refused["rule"]), (&json!("rule"), &json!("unknown-operation")), "{refused:#}");
    assert_eq!(refused["explain"]["refused_by"][0]["rule"], json!("unknown-operation"), "{refused:#}");
    Ok(())
}

#[test]
fn a_question_leaves_no_trace() -> Result<()> {
    let config = Config::new()?.policy("say-hello")?.file("policies/say-hello.toml", STATE)?;
    let host = config.start()?;
    let (mark, before) = (host.mark(), decisions(&host)?);
    for _ in 0..3 {
        assert_eq!(asked(&host, "/v1/decide", &create("hello-world"))?["answer"], json!("allow"));
        assert_eq!(asked(&host, "/v1/decide", &create("alpine"))?["answer"], json!("deny"));
    }
    assert_eq!(decisions(&host)?, before);
    assert!(!Caller::anybody().create(&host.socket(), "alpine")?.allow, "hello was never said");
    host.wait_for(mark, "the call", |record| record.message() == "decision")?;
    let logged = host.records(mark).iter().filter(|record| record.message() == "decision").count();
    assert_eq!(logged, 1, "only the call itself is logged");
    // What is kept is seen, though.
    assert!(Caller::anybody().create(&host.socket(), "hello-world")?.allow);
    assert_eq!(asked(&host, "/v1/decide", &create("alpine"))?["answer"], json!("allow"));
    Ok(())
}

#[test]
fn whose_a_call_is_is_found_out_or_said() -> Result<()> {
    let config = Config::new()?.listener("build", "tenant = \"ci\"\n").tenant("ci", CI)?.tenant_says("ci", "ci")?;
    let host = config.tenant_says("ci", "ci")?.policy("allow-all")?.start()?;
    let call = |user: &str| json!({ "method": "GET", "path": "/containers/json", "user": user });
    let cases = [
        ("/v1/decide", call("ci"), "ci", "deny"),
        ("/v1/decide", call("alice"), "default", "allow"),
        ("/v1/tenants/ci/decide", call("alice"), "ci", "deny"),
        ("/v1/tenants/default/decide", call("ci"), "default", "allow"),
        ("/v1/decide?listener=build", call("alice"), "ci", "deny"),
        ("/v1/decide", json!({ "RequestMethod": "GET", "RequestUri": "/containers/json", "User": "ci" }), "ci", "deny"),
    ];
    for (path, question, tenant, expected) in cases {
        let answer = asked(&host, path, &question)?;
        assert_eq!((&answer["tenant"], &answer["answer"]), (&json!(tenant), &json!(expected)), "{path} {question}");
    }
    let mut described = call("alice");
    described["listener"] = json!("build");
    assert_eq!(asked(&host, "/v1/decide", &described)?["tenant"], json!("ci"));
    Ok(())
}

#[test]
fn what_is_no_question_is_told() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.start()?;
    let good = r#"{"method":"GET","path":"/containers/json"}"#;
    let cases = [
        ("/v1/decide", "", 400, "not JSON"),
        ("/v1/decide", r#"{"method":"GET"}"#, 400, "no `path`"),
        ("/v1/decide", r#"{"method":"GET","path":"/","usr":"bob"}"#, 400, "`usr`"),
        ("/v1/decide?explian=true", good, 400, "explain=true"),
        ("/v1/decide?listener=x", good, 422, "there are: docker"),
        ("/v1/tenants/nobody/decide", good, 404, "nobody"),
        ("/v1/tenants/No!/decide", good, 400, "not a tenant's name"),
    ];
    for (path, question, expected, told) in cases {
        let (status, answer) = post(&host, path, question)?;
        assert_eq!(status, expected, "{path} {question}: {answer}");
        assert!(answer["error"].as_str().is_some_and(|error| error.contains(told)), "{path} {question}: {answer}");
    }
    let bad_call = asked(&host, "/v1/decide", &json!({ "RequestMethod": "GET" }))?;
    assert_eq!((&bad_call["cause"], &bad_call["tenant"]), (&json!("bad-call"), &Value::Null), "{bad_call:#}");
    Ok(())
}

/// Asking takes turns of its own: few are answered at once, few more wait, and calls that are made go on meanwhile.
#[test]
fn asking_does_not_starve_deciding() -> Result<()> {
    let slow = "[limits]\ndeadline = \"500ms\"\n[[match]]\nuser = \"slow\"\n";
    let config = Config::new()?.policy("allow-all")?.tenant("slow", slow)?;
    let host = config.file("tenants/slow/policies/spin.wasm", &guests::wasm("spin")?)?.start()?;
    let question = json!({ "method": "GET", "path": "/containers/json" }).to_string();
    let answers = std::thread::scope(|scope| {
        let ask = || post(&host, "/v1/tenants/slow/decide", &question);
        let questions: Vec<_> = (0..40).map(|_| scope.spawn(ask)).collect();
        for _ in 0..20 {
            assert!(Caller::named("alice").list(&host.socket())?.allow);
        }
        let answers = questions.into_iter().map(|question| question.join().unwrap_or_else(|_| panic!("no answer")));
        answers.collect::<Result<Vec<_>>>()
    })?;
    let (answered, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, _)| *status == 200);
    // Four at once and twelve that wait; who comes late may find room again.
    assert!((4..40).contains(&answered.len()), "{} of 40 were answered", answered.len());
    assert!(answered.iter().all(|(_, answer)| answer["policies"][1]["verdict"] == json!("deadline")), "{answered:?}");
    for (status, answer) in refused {
        assert_eq!(status, 503, "{answer}");
        assert!(answer["error"].as_str().is_some_and(|error| error.contains("too many questions at once")), "{answer}");
    }
    Ok(())
}

#[test]
fn the_command_asks_both_and_they_agree() -> Result<()> {
    let config = Config::new()?.policy("user-roles")?.file("data/users.json", br#"{"bob": {"readOnly": true}}"#)?;
    let host = config.file("body.json", br#"{"Image": "alpine"}"#)?.start()?;
    let folder = host.config().path().display().to_string();
    let (body, socket) = (format!("{folder}/body.json"), host.config().admin_socket().display().to_string());
    let create = ["--user", "bob", "POST", "/v1.44/containers/create", "--body", &body];
    let list = ["--user", "bob", "GET", "/v1.44/containers/json", "--explain"];
    for (question, code) in [(&create[..], 3), (&list[..], 0)] {
        let ask = |how: &[&str]| portcullis::run(&[&["decide"], how, question, &["--json"]].concat());
        let (live, offline) = (ask(&["--live", "--admin-socket", &socket])?, ask(&["--config", &folder])?);
        assert_eq!((live.code(), offline.code()), (Some(code), Some(code)), "{live:?} {offline:?}");
        let read = |text: &str| {
            let mut answer: Value =
                serde_json::from_str(text).map_err(|error| Error::Unexpected(format!("{error}: {text}")))?;
            // The host that runs has read its tenants after its own folder.
            answer["generation"] = Value::Null;
            answer["policies"][0]["took_us"] = Value::Null;
            Ok::<_, Error>(answer)
        };
        assert_eq!(read(&live.stdout)?, read(&offline.stdout)?);
    }
    let text = portcullis::run(&[&["decide", "--live", "--admin-socket", &socket], &create[..]].concat())?;
    let told =
        "deny (denied): user-roles: `bob` may only read, and ContainerCreate changes something\n  tenant default\n";
    assert!(text.stdout.starts_with(told), "{text:?}");
    let header = ["GET", "/v1.44/containers/json", "--header", "no header"];
    assert_eq!(portcullis::run(&[&["decide", "--config", &folder], &header[..]].concat())?.code(), Some(2));
    let both = ["decide", "--request", &body, "GET", "/"];
    assert_eq!(portcullis::run(&both)?.code(), Some(2));
    Ok(())
}
