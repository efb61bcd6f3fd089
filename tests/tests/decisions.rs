//! Decisions as they are made, and those that were: `portcullis logs`, `why`, and the routes that both ask.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use portcullis_tests::caller::Caller;
use portcullis_tests::command::Finished;
use portcullis_tests::error::Doing;
use portcullis_tests::portcullis::{self, Config, Portcullis};
use portcullis_tests::{Error, Result, http, plugin, wait};
use serde_json::{Value, json};

const CI: &str = "[[match]]\nuser = \"ci\"\n";

/// A stream of events.
struct Events {
    lines: std::io::Lines<BufReader<UnixStream>>,
}

/// An event's kind, ID and data.
type Event = (String, String, String);

// === impl Events ===

impl Events {
    /// Asks for the stream, and waits until it begins.
    fn of(host: &Portcullis, path: &str, headers: &[(&str, &str)]) -> Result<Self> {
        let mut stream = UnixStream::connect(host.config().admin_socket()).doing("connecting")?;
        stream.set_read_timeout(Some(wait::DEADLINE)).doing("setting the time")?;
        let headers = [headers, &[("Connection", "close")]].concat();
        stream.write_all(&http::request("GET", path, &headers, b"")).doing("asking")?;
        let mut lines = BufReader::new(stream).lines();
        let status = line(&mut lines)?.unwrap_or_default();
        if !status.contains("200") {
            return Err(Error::Unexpected(status));
        }
        while line(&mut lines)?.is_some_and(|header| !header.is_empty()) {}
        Ok(Self { lines })
    }

    /// The next event; none at the end of the stream.
    fn next(&mut self) -> Result<Option<Event>> {
        let (mut kind, mut id, mut data) = (String::new(), String::new(), String::new());
        while let Some(line) = line(&mut self.lines)? {
            // Sizes of chunks are lines of their own, and no fields.
            match line.split_once(": ") {
                Some(("event", value)) => value.clone_into(&mut kind),
                Some(("id", value)) => value.clone_into(&mut id),
                Some(("data", value)) => value.clone_into(&mut data),
                _ if line.is_empty() && !data.is_empty() => return Ok(Some((kind, id, data))),
                _ => {}
            }
        }
        Ok(None)
    }

    /// The reasons or answers of so many decisions.
    fn decisions(&mut self, count: usize) -> Result<Vec<Value>> {
        let mut decisions = Vec::new();
        while decisions.len() < count {
            let (kind, id, data) = self.next()?.ok_or_else(|| Error::Unexpected("the stream has ended".to_owned()))?;
            assert_eq!(kind, "decision", "{data}");
            let record: Value = serde_json::from_str(&data).map_err(|error| Error::Unexpected(error.to_string()))?;
            assert_eq!(text(&record, "id"), id);
            decisions.push(record);
        }
        Ok(decisions)
    }
}

fn line(lines: &mut std::io::Lines<BufReader<UnixStream>>) -> Result<Option<String>> {
    lines.next().transpose().doing("reading the stream").map(|line| line.map(|line| line.trim_end().to_owned()))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn users(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| text(record, "user")).collect()
}

fn list(host: &Portcullis, user: &str) -> Result<bool> {
    Ok(Caller::named(user).list(&host.socket())?.allow)
}

/// A command at this host's admin socket.
fn run(host: &Portcullis, arguments: &[&str]) -> Result<Finished> {
    let socket = host.config().admin_socket().display().to_string();
    portcullis::run(&[arguments, &["--admin-socket", &socket]].concat())
}

/// What the short command shows, each a record.
fn shown(host: &Portcullis, arguments: &[&str]) -> Result<Vec<Value>> {
    let finished = run(host, &[&["logs", "--no-follow"][..], arguments].concat())?;
    assert_eq!(finished.code(), Some(0), "{finished:?}");
    finished
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).map_err(|error| Error::Unexpected(error.to_string())))
        .collect()
}

fn get(host: &Portcullis, path: &str) -> Result<(u16, Value)> {
    let answer = http::send(&host.config().admin_socket(), &http::request("GET", path, &[], b""))?;
    Ok((answer.status, answer.json().unwrap_or(Value::Null)))
}

/// What one caller is told, and the ID that stood at the end of it.
fn told(host: &Portcullis, user: &str) -> Result<(String, String)> {
    let reply = Caller::named(user).list(&host.socket())?;
    Ok((reply.msg, reply.id))
}

#[test]
fn a_stream_has_every_decision_that_is_wanted_and_resumes_where_it_broke_off() -> Result<()> {
    let config = Config::new()?.policy("allow-all")?.tenant("ci", CI)?.tenant_says("ci", "no")?;
    let host = config.start()?;
    let mut all = Events::of(&host, "/v1/decisions", &[])?;
    let mut of_tenant = Events::of(&host, "/v1/tenants/ci/decisions", &[])?;
    let mut denied = Events::of(&host, "/v1/decisions?answer=deny", &[])?;
    let mut of_ann = Events::of(&host, "/v1/decisions?user=ann&operation=ContainerList", &[])?;
    for user in ["ann", "ci", "bob", "ci"] {
        list(&host, user)?;
    }
    let heard = all.decisions(4)?;
    assert_eq!(users(&heard), ["ann", "ci", "bob", "ci"]);
    assert_eq!(users(&of_tenant.decisions(2)?), ["ci", "ci"]);
    assert_eq!(users(&denied.decisions(2)?), ["ci", "ci"]);
    assert_eq!(users(&of_ann.decisions(1)?), ["ann"]);
    drop(all);
    // What was decided while nobody listened comes first, then what is decided now.
    list(&host, "carol")?;
    let id = heard.get(1).map(|record| text(record, "id")).unwrap_or_default();
    let mut resumed = Events::of(&host, "/v1/decisions", &[("last-event-id", id)])?;
    assert_eq!(users(&resumed.decisions(3)?), ["bob", "ci", "carol"]);
    list(&host, "dave")?;
    assert_eq!(users(&resumed.decisions(1)?), ["dave"]);
    // One that is not known: everything that is held, and a word about the gap.
    let mut lost = Events::of(&host, "/v1/decisions?user=ann", &[("last-event-id", "0000000000")])?;
    let gap = lost.next()?.map(|(kind, _, data)| (kind, data));
    assert_eq!(gap, Some(("lost".to_owned(), r#"{"lost":null}"#.to_owned())));
    assert_eq!(users(&lost.decisions(1)?), ["ann"]);
    let mut last = Events::of(&host, "/v1/decisions?last=2&follow=false&user=ci", &[])?;
    assert_eq!(last.decisions(2)?.len(), 2);
    assert_eq!(last.next()?, None, "it ends by itself");
    Ok(())
}

#[test]
fn streams_end_with_the_host_and_are_bounded() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.start()?;
    let mut streams = Vec::new();
    let refused = loop {
        match Events::of(&host, "/v1/decisions", &[]) {
            Ok(stream) => streams.push(stream),
            Err(error) => break error,
        }
        assert!(streams.len() <= 1000, "there is no bound");
    };
    assert!(refused.to_string().contains("503"), "{refused}");
    assert!(list(&host, "ann")?, "who decides is not held up");
    let last = streams.pop();
    drop(last);
    wait::until("room for one more", wait::DEADLINE, || Events::of(&host, "/v1/decisions", &[]).ok())?;
    host.process().signal(rustix::process::Signal::TERM)?;
    for stream in &mut streams {
        while stream.next()?.is_some() {}
    }
    Ok(())
}

#[test]
fn a_decision_is_found_by_its_id_or_the_end_of_it_and_by_no_other_tenant() -> Result<()> {
    let config = Config::new()?.tenant("ci", CI)?.tenant_says("ci", "no")?.tenant("web", "")?;
    let host = config.start()?;
    let (message, short) = told(&host, "ci")?;
    assert_eq!((message.as_str(), short.len()), ("name: no", 10));
    let record = wait::until("the record", wait::DEADLINE, || {
        get(&host, &format!("/v1/decisions/{short}")).ok().filter(|(status, _)| *status == 200)
    })?
    .1;
    let id = text(&record, "id");
    assert!(id.ends_with(&short), "{record:#}");
    for (path, status) in [
        (format!("/v1/decisions/{id}"), 200),
        (format!("/v1/decisions/{}", short.to_lowercase()), 200),
        (format!("/v1/tenants/ci/decisions/{short}"), 200),
        (format!("/v1/tenants/web/decisions/{short}"), 404),
        (format!("/v1/tenants/..%2fci/decisions/{short}"), 400),
        ("/v1/decisions/0000000000".to_owned(), 404),
        ("/v1/decisions/nonsense".to_owned(), 400),
    ] {
        let (found, answer) = get(&host, &path)?;
        assert_eq!(found, status, "{path}: {answer}");
        assert!(status != 200 || answer == record, "{path}: {answer}");
    }
    Ok(())
}

#[test]
fn what_is_no_longer_held_is_found_in_the_hosts_own_file() -> Result<()> {
    let config = Config::new()?.tenant("ci", CI)?.tenant_says("ci", "no")?.tenant("web", "")?;
    let file = config.path().join("decisions.log");
    let table = format!(
        "[decision_log]\nsinks = [\"file\"]\nrecent = 0\n[decision_log.file]\npath = {:?}\n",
        file.display().to_string()
    );
    let host = config.toml(&table).start()?;
    let (_, short) = told(&host, "ci")?;
    wait::until("the record in the file", wait::DEADLINE, || {
        std::fs::read_to_string(&file).ok().filter(|text| text.contains(&short))
    })?;
    for (tenant, status) in [("", 200), ("/tenants/ci", 200), ("/tenants/web", 404)] {
        let (found, answer) = get(&host, &format!("/v1{tenant}/decisions/{short}"))?;
        assert_eq!(found, status, "{tenant}: {answer}");
    }
    // Rotated since.
    let rotated = file.with_extension("log.1");
    std::fs::rename(&file, &rotated).doing_to("renaming", &file)?;
    host.hang_up()?;
    let story = run(&host, &["why", &short])?;
    assert_eq!(story.code(), Some(0), "{story:?}");
    assert!(story.stdout.contains("name: no"), "{story:?}");
    let story = portcullis::run(&["why", &short, "--file", &rotated.display().to_string()])?;
    assert_eq!(story.code(), Some(0), "{story:?}");
    Ok(())
}

#[test]
fn logs_shows_what_is_wanted_of_a_host_and_of_a_file() -> Result<()> {
    let observed = "mode = \"observe\"\n";
    let config = Config::new()?.policy("allow-all")?.policy("deny-all")?;
    let host = config
        .file("policies/deny-all.toml", observed.as_bytes())?
        .tenant("ci", CI)?
        .tenant_says("ci", "no")?
        .start()?;
    for user in ["ann", "ci", "bob"] {
        list(&host, user)?;
    }
    wait::until("three records", wait::DEADLINE, || shown(&host, &[]).ok().filter(|all| all.len() == 3))?;
    let cases: [(&[&str], &[&str]); 8] = [
        (&[], &["ann", "ci", "bob"]),
        (&["--last", "1"], &["bob"]),
        (&["--tenant", "ci"], &["ci"]),
        (&["--user", "bob"], &["bob"]),
        (&["--operation", "ContainerCreate"], &[]),
        (&["--answer", "deny"], &["ci"]),
        (&["--answer", "would-deny"], &["ann", "bob"]),
        (&["--policy", "name"], &["ci"]),
    ];
    let lines = wait::until("three lines", wait::DEADLINE, || {
        let lines = host.process().log().since(portcullis_tests::log::Log::START);
        let decisions = lines.iter().filter(|line| line.contains("\"message\":\"decision\"")).count();
        (decisions == 3).then_some(lines)
    })?;
    let file = host.config().path().join("decisions.log");
    std::fs::write(&file, lines.join("\n")).doing_to("writing", &file)?;
    let name = file.display().to_string();
    for (arguments, expected) in cases {
        assert_eq!(users(&shown(&host, arguments)?), expected, "{arguments:?}");
        let of_file: &[&str] = &["logs", "--file", &name];
        let finished = portcullis::run(&[of_file, arguments].concat())?;
        let records: Vec<Value> = finished.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        assert_eq!(users(&records), expected, "{arguments:?}: {finished:?}");
    }
    // Who follows is told when it is over.
    let follower = follow(&host)?;
    list(&host, "dave")?;
    wait::until("the record", wait::DEADLINE, || shown(&host, &["--user", "dave"]).ok().filter(|all| all.len() == 1))?;
    host.process().signal(rustix::process::Signal::TERM)?;
    let output = follower.wait_with_output().doing("waiting for `logs`")?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(stdout.contains("dave"), "{output:?}");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("the host ended the stream"), "{output:?}");
    Ok(())
}

/// `portcullis logs`, which has shown something already.
fn follow(host: &Portcullis) -> Result<std::process::Child> {
    let mut command = std::process::Command::new(portcullis_tests::artifacts::portcullis()?);
    command.args(["logs", "--json", "--admin-socket"]).arg(host.config().admin_socket());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().doing("starting `logs`")?;
    let mut byte = [0];
    let first = child.stdout.as_mut().map(|stdout| stdout.read_exact(&mut byte));
    first.transpose().doing("reading from `logs`")?;
    Ok(child)
}

/// The story of a decision of this host.
fn story(host: &Portcullis, id: &str) -> Result<String> {
    wait::until("the record", wait::DEADLINE, || {
        get(host, &format!("/v1/decisions/{id}")).ok().filter(|(status, _)| *status == 200)
    })?;
    let finished = run(host, &["why", id])?;
    assert_eq!(finished.code(), Some(0), "{finished:?}");
    assert!(!finished.stdout.contains('\u{1b}'), "no colour where there is no terminal");
    Ok(finished.stdout)
}

/// The newest decision's ID, which an allowed caller is not shown.
fn newest(host: &Portcullis, cause: &str) -> Result<String> {
    wait::until("the newest decision", wait::DEADLINE, || {
        let shown = shown(host, &["--last", "1"]).ok()?;
        shown.first().filter(|record| text(record, "cause") == cause).map(|record| text(record, "id").to_owned())
    })
}

fn assert_told(story: &str, texts: &[&str]) {
    for text in texts {
        assert!(story.contains(text), "{text} is not in\n{story}");
    }
}

#[test]
fn why_tells_the_story_of_every_cause() -> Result<()> {
    let config = Config::new()?
        .policy("allow-all")?
        .tenant("denies", "[[match]]\nuser = \"denies\"\n")?
        .tenant_says("denies", "not here")?
        .tenant("fails", "[[match]]\nuser = \"fails\"\n")?
        .file("tenants/fails/policies/bad.wasm", b"no policy")?
        .tenant("watched", "mode = \"observe\"\n[[match]]\nuser = \"watched\"\n")?
        .tenant_says("watched", "not yet")?;
    let host = config.start()?;

    assert!(list(&host, "ann")?);
    let told = story(&host, &newest(&host, "allowed")?)?;
    assert_told(
        &told,
        &[
            "allowed  ContainerList",
            "who      ann",
            "GET /containers/json",
            "tenant   default: the caller belongs to no other tenant",
        ],
    );
    assert_told(&told, &["allow-all (host-wide): allow", "so       allowed: a policy allowed it, and none denied"]);
    assert_told(&told, &["at listener docker", "told     nothing", "to read the call", "generation 2"]);

    let (_, id) = self::told(&host, "denies")?;
    let told = story(&host, &id)?;
    assert_told(
        &told,
        &["denied  ContainerList", &format!("[{id}]"), "tenant   denies", "name (the tenant's): deny: not here"],
    );
    assert_told(&told, &["so       denied: name denied it", &format!("told     name: not here [{id}]")]);

    let (_, id) = self::told(&host, "fails")?;
    let told = story(&host, &id)?;
    assert_told(&told, &["bad (the tenant's): failed (not-loadable)", "so       denied: bad gave no verdict"]);
    assert_told(&told, &["file (could not be read)"]);

    assert!(list(&host, "watched")?);
    let told = story(&host, &newest(&host, "allowed")?)?;
    assert_told(
        &told,
        &["tenant   watched", "which is only observed", "name (the tenant's, only observed): deny: not yet"],
    );
    assert_told(&told, &["would    if nothing were only observed, the call would have been denied: name: not yet"]);

    let cases = [
        (
            json!({ "RequestMethod": "GET", "RequestUri": "/v1.44/nothing" }),
            "rule",
            "by the host rule `unknown-operation`",
        ),
        (json!({ "RequestMethod": "GET", "RequestUri": "/_ping" }), "exempt", "without asking a policy: it is a ping"),
    ];
    for (call, cause, told) in cases {
        plugin::ask(&host.socket(), call.to_string().as_bytes())?;
        assert_told(&story(&host, &newest(&host, cause)?)?, &[told, "asked    no policy"]);
    }
    plugin::ask(&host.socket(), b"no call")?;
    let told = story(&host, &newest(&host, "bad-call")?)?;
    assert_told(
        &told,
        &[
            "a call that could not be read",
            "the log keeps nothing of this call's content",
            "the plugin call itself could not be read",
        ],
    );
    Ok(())
}

#[test]
fn why_tells_of_what_was_read_and_what_is_not_in_the_log() -> Result<()> {
    let host = Config::new()?.policy("bind-mounts")?.start()?;
    let link = host.config().path().join("link");
    std::os::unix::fs::symlink("/etc", &link).doing_to("linking", &link)?;
    let bind = format!("{}:/x", link.display());
    let body = json!({ "Image": "alpine", "Env": ["TOKEN=secret"], "HostConfig": { "Binds": [bind] } }).to_string();
    let call = json!({
        "RequestMethod": "POST", "RequestUri": "/v1.44/containers/create",
        "RequestHeaders": { "Content-Type": "application/json", "Content-Length": body.len().to_string() },
        "RequestBody": base64_simd::STANDARD.encode_to_string(body),
    });
    assert!(!plugin::ask(&host.socket(), call.to_string().as_bytes())?.allow);
    let told = story(&host, &newest(&host, "denied")?)?;
    assert_told(&told, &["unknown: dockerd named no user", "link leads to /etc", "TOKEN=[redacted]"]);
    assert_told(&told, &["redacted, because it may be secret: /body/Env/0"]);
    assert!(!told.contains("secret\""), "{told}");
    Ok(())
}

#[test]
fn what_is_no_id_or_is_not_there_is_told() -> Result<()> {
    let host = Config::new()?.start()?;
    let empty = host.config().path().join("empty.log");
    std::fs::write(&empty, "").doing_to("writing", &empty)?;
    let file = empty.display().to_string();
    for (arguments, code, told) in [
        (vec!["why", "nonsense"], 2, "is no decision's ID"),
        (vec!["why", "0000000000"], 1, "no decision `0000000000` is among the last ones"),
        (vec!["why", "0000000000", "--file", &file], 1, "no decision `0000000000` is in the log"),
    ] {
        let finished = run(&host, &arguments)?;
        assert_eq!(finished.code(), Some(code), "{finished:?}");
        assert!(finished.stderr.contains(told), "{finished:?}");
    }
    Ok(())
}
