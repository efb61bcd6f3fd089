//! Two tenants whose policies look everywhere for what is the other's: none of it is ever in an answer, a log line or an
//! error. Marks (`leak-rose-…`, `leak-blue-…`) lie everywhere that a tenant has something; what a policy may find is
//! known to the letter, so a mark of its own that it does not find is a failure too.
//!
//! | policy | file | looks at |
//! |---|---|---|
//! | `05-host-spy`, for both tenants | `guests/spy` | request, documents, settings, state |
//! | `10-spy` | `guests/spy` | the same, as the tenant's own |
//! | `20-memory` | `guests/spy/memory.wat` | memory of earlier instances |
//! | `30-instance` | `guests/spy/instance.wat` | their table, globals and segments |
//! | `40-handles` | `guests/spy/handles.wat` | handles that it was not given |
//!
//! Both tenants have the same files, so they share the code and the places where instances were.

#![expect(clippy::indexing_slicing, reason = "JSON has a value, or null, at every name")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use portcullis_tests::http::Connection;
use portcullis_tests::log::Log;
use portcullis_tests::plugin::{self, REQUEST, Reply};
use portcullis_tests::portcullis::{Config, Portcullis, Record};
use portcullis_tests::{Error, Result, artifacts, guests, wait};
use serde_json::{Value, json};

const TENANTS: [&str; 2] = ["rose", "blue"];
const DECISIONS: usize = 10_000;
const CLIENTS: usize = 8;
const GUESTS: [&str; 3] = ["handles", "instance", "memory"];
/// Nothing is to end at a bound that a busy machine reaches.
const ROOMY: &str = "deadline = \"5s\"\nlog_lines_per_second = 1000000\n";

/// One call, by its number: whose it is, and how it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Call {
    number: usize,
    ending: Ending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Ordinary,
    /// The spies panic with what they found.
    Panic,
    /// The guest that filled its memory traps.
    Trap,
    /// It runs to its deadline.
    Spin,
    /// No policy is asked: a rule of the host refuses the call.
    Refused,
    /// It is not even JSON.
    Malformed,
}

// === impl Call ===

impl Call {
    fn new(number: usize) -> Self {
        let ending = match number % 200 / 2 {
            10 | 60 => Ending::Panic,
            20 | 70 => Ending::Trap,
            30 => Ending::Spin,
            40 | 80 => Ending::Refused,
            50 | 90 => Ending::Malformed,
            _ => Ending::Ordinary,
        };
        Self { number, ending }
    }

    /// They alternate.
    fn tenant(self) -> &'static str {
        TENANTS.get(self.number % 2).copied().unwrap_or_default()
    }

    /// Whether its policies are asked.
    fn is_asked(self) -> bool {
        !matches!(self.ending, Ending::Refused | Ending::Malformed)
    }

    fn mark(self, place: &str) -> String {
        format!("leak-{}-{place}{}", self.tenant(), self.number)
    }

    /// What dockerd would post. Every other one of a tenant has a mark in its path, the others in their query.
    fn body(self) -> Vec<u8> {
        let version = if self.ending == Ending::Refused { "v1.10" } else { "v1.44" };
        let (target, mark) = (self.mark("t"), self.mark("b"));
        let (uri, body) = if self.number % 4 < 2 {
            let labels = json!({ mark.clone(): mark, "a/b~c": mark });
            let body = json!({ "Image": mark, "User": mark, "Labels": labels, "HostConfig": { "Binds": ["/x:/y"] } });
            (format!("/{version}/containers/create?name={target}"), body)
        } else {
            (format!("/{version}/containers/{target}/exec"), json!({ "Cmd": [mark], "User": mark }))
        };
        let mut headers = json!({
            "Content-Type": "application/json",
            "Content-Length": body.to_string().len().to_string(),
            "X-Team": self.tenant(),
            "X-Secret": secret(self.tenant()),
            "X-Call": self.mark("c"),
            "X-Forge": self.forged().to_string(),
        });
        match self.ending {
            Ending::Panic => headers["X-Spy"] = "panic".into(),
            Ending::Trap => headers["X-End"] = "trap".into(),
            Ending::Spin => headers["X-End"] = "spin".into(),
            Ending::Ordinary | Ending::Refused | Ending::Malformed => {}
        }
        let call = json!({
            "User": self.mark("u"),
            "UserAuthNMethod": "TLS",
            "RequestMethod": "POST",
            "RequestUri": uri,
            "RequestHeaders": headers,
            "RequestBody": base64_simd::STANDARD.encode_to_string(body.to_string()),
        });
        let mut bytes = call.to_string().into_bytes();
        if self.ending == Ending::Malformed {
            bytes.truncate(bytes.len() / 2);
        }
        bytes
    }

    /// Numbers of handles: the small ones one after the other, and large ones from all over.
    fn forged(self) -> u32 {
        let turn = u32::try_from(self.number / 2).unwrap_or_default();
        if turn.is_multiple_of(2) { turn / 2 } else { turn.wrapping_mul(2_654_435_761) }
    }

    /// All that a policy may find, and is to find; what the spies of both kinds see differs in data and settings.
    fn finds(self, is_host_wide: bool) -> String {
        let tenant = self.tenant();
        let whose = if is_host_wide { "host" } else { tenant };
        let marks = |marks: &[String]| marks.iter().cloned().collect::<BTreeSet<_>>();
        let mut data = marks(&["leak-host-data".to_owned()]);
        if is_host_wide {
            data.insert("leak-host-hidden".to_owned());
        } else {
            data.extend([format!("leak-{tenant}-data"), format!("leak-{tenant}-own")]);
        }
        let request = [self.mark("b"), self.mark("c"), self.mark("t"), self.mark("u"), secret(tenant)];
        let places = BTreeMap::from([
            ("body", marks(&[self.mark("b")])),
            ("data", data),
            ("request", marks(&request)),
            ("settings", marks(&[format!("leak-{whose}-settings")])),
            ("state", marks(&[secret(tenant)])),
        ]);
        let shown = places
            .into_iter()
            .map(|(place, marks)| format!("{place}={}", marks.into_iter().collect::<Vec<_>>().join(",")));
        shown.collect::<Vec<_>>().join(" ")
    }
}

fn secret(tenant: &str) -> String {
    format!("leak-{tenant}-header")
}

// === the host ===

/// Tenants and whose calls belong to each, told by a header; each also has a listener of its own.
fn config(tenants: &[(&str, &[&str])]) -> Result<Config> {
    let mut config = Config::new()?
        .toml("trusted_headers = [\"X-Team\"]\nmin_api_version = \"1.24\"")
        .file("data/host.json", &document("leak-host-data"))?
        // Both tenants have a document of this name, which lies over it.
        .file("data/secrets.json", &document("leak-host-hidden"))?
        .file("policies/05-host-spy.wasm", &artifacts::policy_bytes("spy")?)?
        .file("policies/05-host-spy.toml", &spy_toml("observe", "host"))?;
    for (tenant, teams) in tenants {
        config = with_tenant(config, tenant, teams)?;
    }
    Ok(config)
}

fn with_tenant(config: Config, tenant: &str, teams: &[&str]) -> Result<Config> {
    let matched = format!("[[match]]\nheader = {{ X-Team = {teams:?} }}\n");
    let file = |name: &str| format!("tenants/{tenant}/{name}");
    let mut config = config
        .listener(tenant, &format!("tenant = {tenant:?}\n"))
        .tenant(tenant, &format!("grants = [\"log\", \"state\"]\n{matched}[limits]\n{ROOMY}"))?
        .file(&file("data/secrets.json"), &document(&format!("leak-{tenant}-data")))?
        .file(&file(&format!("data/own-{tenant}.json")), &document(&format!("leak-{tenant}-own")))?
        .file(&file("policies/10-spy.wasm"), &artifacts::policy_bytes("spy")?)?
        .file(&file("policies/10-spy.toml"), &spy_toml("enforce", tenant))?
        .file(&file("policies/20-memory.toml"), b"[limits]\ndeadline = \"50ms\"\n")?;
    for (name, guest) in [("20-memory", "memory"), ("30-instance", "instance"), ("40-handles", "handles")] {
        config = config.file(&file(&format!("policies/{name}.wasm")), &guests::wasm(&format!("spy/{guest}"))?)?;
    }
    Ok(config)
}

fn document(mark: &str) -> Vec<u8> {
    json!({ "mark": mark }).to_string().into_bytes()
}

fn spy_toml(mode: &str, whose: &str) -> Vec<u8> {
    let mark = format!("[settings]\nmark = \"leak-{whose}-settings\"\n");
    format!("mode = {mode:?}\ngrants = [\"log\", \"state\"]\n[limits]\ndeadline = \"5s\"\n{mark}").into_bytes()
}

// === asking ===

/// Asks from several connections at once. Half of the clients put both tenants' calls on one connection; the others
/// go to each tenant's own listener.
fn ask_all(host: &Portcullis) -> Result<()> {
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|client| scope.spawn(move || ask_as(host, client))).collect();
        clients
            .into_iter()
            .try_for_each(|client| client.join().unwrap_or_else(|_| Err(unexpected("a client panicked"))))
    })
}

fn ask_as(host: &Portcullis, client: usize) -> Result<()> {
    let mut connections: BTreeMap<PathBuf, Connection> = BTreeMap::new();
    let share = DECISIONS / CLIENTS;
    for call in (client * share..(client + 1) * share).map(Call::new) {
        let socket = if client.is_multiple_of(2) { host.socket() } else { host.config().socket_of(call.tenant()) };
        let connection = match connections.remove(&socket) {
            Some(connection) => connection,
            None => Connection::open(&socket)?,
        };
        let connection = connections.entry(socket).or_insert(connection);
        connection.write(&plugin::call(REQUEST, &call.body()))?;
        let answer = connection.read()?;
        check_reply(call, &Reply::read(&answer)?)?;
    }
    Ok(())
}

fn check_reply(call: Call, reply: &Reply) -> Result<()> {
    let foreign = foreign_marks(&reply.msg, Some(call.tenant()));
    let is_right = match call.ending {
        Ending::Ordinary | Ending::Trap | Ending::Spin => reply.msg == format!("10-spy: {}", call.finds(false)),
        Ending::Panic => reply.msg == "10-spy: the policy failed",
        Ending::Refused => reply.msg.contains("old-api-version"),
        // Whatever is said of it.
        Ending::Malformed => true,
    };
    if reply.allow || !is_right || !foreign.is_empty() {
        return Err(unexpected(&format!("{call:?} was told {reply:?}; expected {}", call.finds(false))));
    }
    Ok(())
}

/// How often the host-wide spy and the tenant's own were asked for a tenant, as they kept it.
fn ask_counts(host: &Portcullis, tenant: &str) -> Result<[usize; 2]> {
    let headers = json!({ "X-Team": tenant, "X-Spy": "count", "X-Forge": "0", "X-Secret": secret(tenant) });
    let call = json!({ "RequestMethod": "GET", "RequestUri": "/v1.44/info", "RequestHeaders": headers });
    let mark = host.mark();
    plugin::ask(&host.socket(), call.to_string().as_bytes())?;
    let is_it =
        |record: &Record| record.message() == "decision" && record.field("path").is_some_and(|path| path == "/info");
    let decision = host.wait_for(mark, "a decision of the spies", is_it)?;
    let count = |policy: usize| {
        let reason = decision.field("policies")?.get(policy)?.get("reason")?.as_str()?;
        reason.strip_prefix("count ")?.parse().ok()
    };
    match (count(0), count(1)) {
        (Some(of_host), Some(of_tenant)) => Ok([of_host, of_tenant]),
        _ => Err(unexpected(&format!("no counts in {decision:?}"))),
    }
}

/// Has the host complain of a tenant's files, with marks in them; the last good ones stay.
fn break_files(host: &Portcullis, tenant: &str) -> Result<()> {
    let broken = format!("leak-{tenant}-broken");
    let settings = format!("mode = \"{broken}\"\n\"{broken}\" = 1\n");
    for (file, text) in [("policies/10-spy.toml", settings), ("data/secrets.json", format!("{{\"{broken}\": {broken}"))]
    {
        let mark = host.mark();
        host.config().put(&format!("tenants/{tenant}/{file}"), text.as_bytes())?;
        let is_told =
            |record: &Record| record.level() == "ERROR" && record.field("tenant").is_some_and(|is| is == tenant);
        host.wait_for(mark, &format!("a complaint about {file} of {tenant}"), is_told)?;
    }
    Ok(())
}

// === checking ===

/// Every mark in a text.
fn marks(text: &str) -> impl Iterator<Item = &str> {
    let is_of_mark = |c: char| c.is_ascii_alphanumeric() || c == '-';
    text.match_indices("leak-").filter_map(move |(start, _)| text.get(start..)?.split(|c| !is_of_mark(c)).next())
}

/// Marks that are neither the host's nor this tenant's; without a tenant, those of any.
fn foreign_marks(text: &str, tenant: Option<&str>) -> Vec<String> {
    let is_own = |mark: &str| {
        let whose = mark.split('-').nth(1);
        whose == Some("host") || (tenant.is_some() && whose == tenant)
    };
    marks(text).filter(|mark| !is_own(mark)).map(str::to_owned).collect()
}

/// The numbers of the calls whose marks are in a text.
fn numbers(text: &str) -> BTreeSet<usize> {
    let number = |mark: &str| {
        let last = mark.rsplit('-').next()?;
        last.trim_start_matches(|c: char| c.is_ascii_alphabetic()).parse().ok()
    };
    marks(text).filter_map(number).collect()
}

/// A line of the log holds marks of its tenant only, and of one call only. Gives the call of a decision.
fn check_line(line: &str) -> Result<Option<Call>> {
    let record: Value = serde_json::from_str(line).map_err(|error| unexpected(&format!("{error}: {line}")))?;
    let foreign = foreign_marks(line, record["tenant"].as_str());
    let numbers = numbers(line);
    if !foreign.is_empty() || numbers.len() > 1 {
        return Err(unexpected(&format!("{foreign:?}, calls {numbers:?}, in the line {line}")));
    }
    let call = numbers.first().copied().map(Call::new).filter(|_| record["message"] == "decision");
    if let Some(call) = call.filter(|call| call.is_asked()) {
        check_policies(call, &record).map_err(|problem| unexpected(&format!("{problem}, in the line {line}")))?;
    }
    Ok(call)
}

/// Every policy said what it was to say, and found all that is its own.
fn check_policies(call: Call, record: &Value) -> Result<(), String> {
    let spied = |is_host_wide| match call.ending {
        Ending::Panic => ("panic", None),
        Ending::Ordinary | Ending::Trap | Ending::Spin | Ending::Refused | Ending::Malformed => {
            ("deny", Some(call.finds(is_host_wide)))
        }
    };
    let memory = match call.ending {
        Ending::Trap => "trap",
        Ending::Spin => "deadline",
        Ending::Ordinary | Ending::Panic | Ending::Refused | Ending::Malformed => "allow",
    };
    let expected = [
        ("05-host-spy", spied(true)),
        ("10-spy", spied(false)),
        ("20-memory", (memory, None)),
        ("30-instance", ("allow", None)),
    ];
    let said = record["policies"].as_array().map(Vec::as_slice).unwrap_or_default();
    for ((policy, (verdict, reason)), said) in expected.into_iter().zip(said) {
        let is_reason = reason.is_none_or(|reason| said["reason"] == reason);
        if said["policy"] != policy || said["verdict"] != verdict || !is_reason {
            return Err(format!("expected `{policy}` to say {verdict}, and not {said}"));
        }
    }
    // A handle that it was not given is nobody's; one that it was given is its own, and the line says so.
    match said.get(4) {
        Some(said) if said["verdict"] == "bad-answer" => Ok(()),
        Some(said) if said["verdict"] == "deny" && call.forged() < 8 => Ok(()),
        said => Err(format!("a forged handle came to {said:?}")),
    }
}

fn unexpected(what: &str) -> Error {
    Error::Unexpected(what.to_owned())
}

// === tests ===

#[test]
fn ten_thousand_decisions_of_two_tenants_show_none_of_the_others_secrets() -> Result<()> {
    let host = config(&[("rose", &["rose"]), ("blue", &["blue"])])?.start()?;
    TENANTS.iter().try_for_each(|tenant| break_files(&host, tenant))?;
    let moving = MovingPages::start();
    ask_all(&host)?;
    drop(moving);
    for tenant in TENANTS {
        let asked = (0..DECISIONS).map(Call::new).filter(|call| call.tenant() == tenant && call.is_asked()).count();
        assert_eq!(ask_counts(&host, tenant)?, [asked, asked], "what is kept for {tenant} is its own");
    }
    host.process().terminate(wait::DEADLINE)?;
    let lines = host.process().log().since(Log::START);
    let mut calls = Vec::new();
    for line in &lines {
        calls.extend(check_line(line)?);
    }
    calls.sort_by_key(|call| call.number);
    let logged: Vec<_> = (0..DECISIONS).map(Call::new).filter(|call| call.ending != Ending::Malformed).collect();
    assert!(calls == logged, "of {} decisions, {} are in the log", logged.len(), calls.len());
    println!("{} lines of the log hold no mark of another tenant", lines.len());
    let of_a_handle = |line: &String| {
        let (_, rest) = line.split_once(r#""policy":"40-handles","origin":"tenant","mode":"enforce""#)?;
        let (digest, verdict) = rest.split_once(r#""verdict":"#)?;
        Some(!digest.contains(r#""policy":"#) && verdict.starts_with(r#""deny""#))
    };
    let is_denied = lines.iter().any(|line| of_a_handle(line) == Some(true));
    assert!(is_denied, "the handles that it was given lead somewhere");
    Ok(())
}

/// While it lives, the kernel moves pages of memory, where it may be asked to: what tells pages by whether they are present then
/// misses some.
struct MovingPages {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl MovingPages {
    fn start() -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ends);
        let compact = move || {
            while !end.load(Ordering::Relaxed) && std::fs::write("/proc/sys/vm/compact_memory", "1").is_ok() {}
        };
        Self { ends, thread: Some(std::thread::spawn(compact)) }
    }
}

impl Drop for MovingPages {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// The other bypass: where both teams are one tenant, the spies find the other's secrets, and the checks see it.
#[test]
fn the_same_spies_find_everything_in_a_tenant_that_both_share() -> Result<()> {
    let host = config(&[("rose", &["rose", "blue"])])?.start()?;
    let (rose, blue) = (Call::new(0), Call::new(1));
    check_reply(rose, &plugin::ask(&host.socket(), &rose.body())?)?;
    let reply = plugin::ask(&host.socket(), &blue.body())?;
    let foreign = foreign_marks(&reply.msg, Some("blue"));
    assert_eq!(foreign, ["leak-rose-data", "leak-rose-own", "leak-rose-settings", "leak-rose-header"], "{reply:?}");
    assert!(check_reply(blue, &reply).is_err());
    host.process().terminate(wait::DEADLINE)?;
    let lines = host.process().log().since(Log::START);
    assert!(lines.iter().any(|line| check_line(line).is_err()));
    Ok(())
}

/// A guest that remembers would be seen: the marks of an earlier call in a line, and of another tenant.
#[test]
fn the_checks_see_a_mark_that_is_not_the_callers() {
    let line =
        |tenant: &str, mark: &str| json!({ "message": "policy loaded", "tenant": tenant, "x": mark }).to_string();
    let mut lines = BTreeMap::from([
        (line("rose", "a leak-rose-c4, leak-rose-header"), true),
        (line("rose", "leak-blue-header"), false),
        (line("blue", "leak-rose-c4"), false),
        (line("rose", "leak-rose-c4 leak-rose-t6"), false),
        (json!({ "message": "ready", "x": "leak-host-data" }).to_string(), true),
        (json!({ "message": "ready", "x": "leak-rose-data" }).to_string(), false),
    ]);
    lines.insert("no JSON".to_owned(), false);
    for (line, expected) in lines {
        assert_eq!(check_line(&line).is_ok(), expected, "{line}");
    }
}

/// The guests of memory and tables see what is there before they have done anything.
#[test]
fn the_guests_see_what_is_left() -> Result<()> {
    let guest = |name: &str| {
        let path = guests::dir().join(format!("spy/{name}.wat"));
        std::fs::read_to_string(path).map_err(|error| unexpected(&error.to_string()))
    };
    let config = config(&[("rose", &["rose"])])?;
    for other in ["10-spy", "20-memory", "30-instance", "40-handles"] {
        config.remove(&format!("tenants/rose/policies/{other}.wasm"))?;
    }
    let host = config.start()?;
    for (name, from, to, expected) in [
        ("memory", "(data (i32.const 32)", "(data (i32.const 262072) \"leak-me\") (data (i32.const 32)", "leak-me"),
        ("memory", "(i32.lt_s (memory.grow (i32.const 36)) (i32.const 0))", "(call $soil)", "leak-me"),
        ("instance", "(global $small (mut i32) (i32.const 7))", "(global $small (mut i32) (i32.const 8))", "global"),
        (
            "instance",
            "(global $function (mut funcref) (ref.null func))",
            "(global $function (mut funcref) (ref.func $is_left))",
            "global",
        ),
        ("instance", "(data $segment \"whole\")", "(data $segment \"whale\")", "segment"),
        ("instance", "(elem $functions func", "(elem (i32.const 1999) $is_left) (elem $functions func", "table"),
        ("instance", "table.grow $table (ref.null func)", "table.grow $table (ref.func $is_left)", "grown table"),
    ] {
        let text = guest(name)?;
        assert!(text.contains(from), "{name}: {from}");
        // Grows, and writes into the last bytes.
        let soil = "(func $soil (result i32) (drop (memory.grow (i32.const 36))) \
                    (i64.store (i32.const 2621376) (i64.const 0x656d2d6b61656c)) (i32.const 0))\n  (func (export \"portcullis:policy/authorizer@0.2.0#decide\")";
        let text =
            text.replace(from, to).replacen("(func (export \"portcullis:policy/authorizer@0.2.0#decide\")", soil, 1);
        let mark = host.mark();
        host.config().put("tenants/rose/policies/50-guest.wasm", &guests::from_text(name, &text)?)?;
        host.wait_for(mark, "a generation", |record| record.message() == "generation published")?;
        let reply = plugin::ask(&host.socket(), &Call::new(0).body())?;
        let told = reply.msg.trim_start_matches("50-guest: ").trim_end_matches('\0');
        assert_eq!(told, expected, "{name} with {to}: {reply:?}");
    }
    Ok(())
}

#[test]
fn every_guest_is_asked() -> Result<()> {
    let mut there = BTreeSet::new();
    for entry in std::fs::read_dir(guests::dir().join("spy")).map_err(|error| unexpected(&error.to_string()))? {
        let path = entry.map_err(|error| unexpected(&error.to_string()))?.path();
        if path.extension().is_some_and(|extension| extension == "wat") {
            there.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    assert!(there.iter().map(String::as_str).eq(GUESTS), "{there:?}");
    Ok(())
}
