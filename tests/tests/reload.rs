//! A reload takes what of `portcullis.toml` needs no restart, and says what it refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use portcullis_admin::reload::Reloaded;
use portcullis_tests::admin::{listen, token};
use portcullis_tests::caller::Caller;
use portcullis_tests::command::Finished;
use portcullis_tests::portcullis::{Config, Portcullis, run};
use portcullis_tests::tls::Authority;
use portcullis_tests::{Error, Result, plugin, wait};

/// How `docs/operators/configuration.md` has it.
const BY_RELOAD: &str = "by a reload";
const BY_START: &str = "at the next start";

fn io(error: std::io::Error) -> Error {
    Error::Unexpected(error.to_string())
}

/// What the command printed, for a person and for a program.
fn reload(host: &Portcullis) -> Result<(Finished, Reloaded)> {
    let folder = host.config().path().display().to_string();
    let told = run(&["reload", "--config", &folder])?;
    let json = run(&["reload", "--json", "--config", &folder])?;
    assert_eq!(told.code(), json.code(), "{told:?} {json:?}");
    let json = serde_json::from_str(&json.stdout).map_err(|error| Error::Unexpected(format!("{error}: {json:?}")))?;
    Ok((told, json))
}

fn refused(reloaded: &Reloaded) -> Vec<String> {
    reloaded.refused.iter().map(|finding| format!("{}: {}", finding.what, finding.problem)).collect()
}

/// Key by key, when a change takes effect, as the documentation says.
fn documented() -> Result<BTreeMap<String, String>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operators/configuration.md");
    let text = fs::read_to_string(page).map_err(io)?;
    let (_, section) = text.split_once("### What takes effect when\n").ok_or(Error::Unexpected("no section".into()))?;
    let (section, _) = section.split_once("\n#").unwrap_or((section, ""));
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    Ok(rows.map(|(key, when)| (key.to_owned(), when.trim_end_matches([' ', '|']).to_owned())).collect())
}

/// A key, with what stands before and after in `portcullis.toml`, and what then differs.
struct Change {
    key: &'static str,
    from: String,
    to: String,
}

fn changes(dir: &Path, authority: &Authority) -> Vec<Change> {
    let of = |key, from: &str, to: &str| Change { key, from: from.to_owned(), to: to.to_owned() };
    let path = |name: &str| dir.join(name).display().to_string();
    vec![
        of("default", "default = \"deny\"", "default = \"allow\""),
        of("exempt_ping", "exempt_ping = true", "exempt_ping = false"),
        of("min_api_version", "min_api_version = \"1.24\"", "min_api_version = \"1.44\""),
        of("disabled_rules", "disabled_rules = []", "disabled_rules = [\"old-api-version\"]"),
        of("[admin]", &token("a", "one", &["read"], None), &token("a", "two", &["read"], None)),
        of("[admin] listen", "listen = \"127.0.0.1:0\"", "listen = \"127.0.0.2:0\""),
        of("state_dir", &path("state"), &path("state2")),
        of("cache_dir", "portcullis-cache\"", "portcullis-cache2\""),
        of("admin_socket", &path("admin.sock"), &path("admin2.sock")),
        of("trusted_headers", "trusted_headers = []", "trusted_headers = [\"X-Team\"]"),
        of("[[listener]]", "allow_uids = [0]", "allow_uids = [0, 1]"),
        of("[limits]", "instances = 8", "instances = 9"),
        of("[decision_log]", "recent = \"1MiB\"", "recent = \"2MiB\""),
        of("[metrics]", "[metrics]", "[metrics]\nlisten = \"127.0.0.1:0\""),
        of("[traces]", "[metrics]", "[metrics]\n[traces]\nendpoint = \"http://127.0.0.1:1/v1/traces\""),
        of(
            "[admin] certificate",
            &authority.path().join("server.pem").display().to_string(),
            &authority.path().join("copy.pem").display().to_string(),
        ),
    ]
}

#[test]
fn every_key_takes_effect_when_the_documentation_says() -> Result<()> {
    let authority = Authority::new()?;
    fs::copy(authority.path().join("server.pem"), authority.path().join("copy.pem")).map_err(io)?;
    let config = Config::new()?.listener_toml("allow_uids = [0]");
    let toml = "default = \"deny\"\nexempt_ping = true\nmin_api_version = \"1.24\"\ndisabled_rules = []\n\
                trusted_headers = []\n[limits]\ninstances = 8\n[decision_log]\nrecent = \"1MiB\"\n[metrics]\n";
    let host = config.toml(toml).toml(&listen(&authority)).toml(&token("a", "one", &["read"], None)).start()?;
    let path = host.config().path().join("portcullis.toml");
    let before = fs::read_to_string(&path).map_err(io)?;
    let mut measured = BTreeMap::new();
    for Change { key, from, to } in changes(host.config().path(), &authority) {
        assert!(before.contains(&from), "{key}: `{from}` is not in\n{before}");
        host.config().put("portcullis.toml", before.replacen(&from, &to, 1).as_bytes())?;
        let folder = host.config().admin_socket().display().to_string();
        let told = run(&["reload", "--json", "--admin-socket", &folder])?;
        let reloaded: Reloaded =
            serde_json::from_str(&told.stdout).map_err(|error| Error::Unexpected(error.to_string()))?;
        assert_eq!((told.code(), reloaded.is_whole), (Some(0), true), "{key}: {told:?}");
        let restart = reloaded.needs_restart;
        let expected = if key == "[admin] certificate" { "[admin]" } else { key };
        if restart.is_empty() {
            measured.insert(expected.to_owned(), BY_RELOAD.to_owned());
        } else {
            assert_eq!(restart, [key], "{key}");
            measured.insert(expected.to_owned(), BY_START.to_owned());
        }
    }
    assert_eq!(measured, documented()?);
    Ok(())
}

/// Whether the call is allowed, now and after the reload with this text instead.
fn effect(from: &str, to: &str, call: &[u8]) -> Result<(bool, bool)> {
    let host = Config::new()?.toml(from).start()?;
    let ask = || plugin::ask(&host.socket(), call).map(|reply| reply.allow);
    let before = ask()?;
    let path = host.config().path().join("portcullis.toml");
    let text = fs::read_to_string(&path).map_err(io)?;
    host.config().put("portcullis.toml", text.replacen(from, to, 1).as_bytes())?;
    assert_eq!(ask()?, before, "not before the reload");
    let (told, reloaded) = reload(&host)?;
    assert_eq!((told.code(), reloaded.needs_restart.len()), (Some(0), 0), "{told:?}");
    Ok((before, ask()?))
}

#[test]
fn what_takes_effect_by_a_reload_decides_calls_from_then_on() -> Result<()> {
    let call = |method: &str, uri: &str| Caller::named("alice").call(method, uri, b"");
    let list = call("GET", "/v1.44/containers/json");
    assert_eq!(effect("default = \"deny\"", "default = \"allow\"", &list)?, (false, true));
    assert_eq!(effect("default = \"allow\"", "default = \"deny\"", &list)?, (true, false));
    assert_eq!(effect("exempt_ping = true", "exempt_ping = false", &call("GET", "/_ping"))?, (true, false));
    let old = call("GET", "/v1.30/containers/json");
    let with = |text: &str| format!("default = \"allow\"\n{text}");
    let versions = (with("min_api_version = \"1.24\""), with("min_api_version = \"1.40\""));
    assert_eq!(effect(&versions.0, &versions.1, &old)?, (true, false));
    let off = format!("{}\ndisabled_rules = [\"old-api-version\"]", versions.1);
    assert_eq!(effect(&versions.1, &off, &old)?, (false, true));
    Ok(())
}

#[test]
fn what_is_refused_is_told_and_leaves_what_was_there() -> Result<()> {
    let authority = Authority::new()?;
    let config = Config::new()?.toml("default = \"allow\"").toml(&listen(&authority));
    let host = config.toml(&token("a", "one", &["read"], None)).policy("seccomp")?.start()?;
    let path = host.config().path().join("portcullis.toml");
    let sound = fs::read_to_string(&path).map_err(io)?;
    let is_allowed = || Caller::anybody().list(&host.socket()).map(|reply| reply.allow);
    let (unknown, no_toml) = (format!("defualt = \"deny\"\n{sound}"), format!("{sound}\n[limits\n"));
    let cases: [(&str, &[u8], &str); 6] = [
        ("portcullis.toml", unknown.as_bytes(), "configuration: "),
        ("portcullis.toml", no_toml.as_bytes(), "configuration: "),
        ("policies/seccomp.wasm", b"broken", "policy: "),
        ("policies/seccomp.toml", b"mode = 3\n", "policy: "),
        ("data/x.json", b"{", "data: "),
        ("tenants", b"no folder", "tenant: "),
    ];
    for (name, bytes, said) in cases {
        let before = fs::read(host.config().path().join(name)).ok();
        host.config().put(name, bytes)?;
        let (told, reloaded) = reload(&host)?;
        assert_eq!(told.code(), Some(1), "{name}: {told:?}");
        let refused = refused(&reloaded);
        assert!(refused.first().is_some_and(|first| first.starts_with(said)), "{name}: {refused:?}");
        assert!(refused[0].contains(name.split('/').next_back().unwrap_or(name)), "{name}: {refused:?}");
        assert!(told.stdout.contains("refused: "), "{told:?}");
        let denies = name == "data/x.json";
        assert_eq!(is_allowed()?, !denies, "{name}");
        match before {
            Some(before) => host.config().put(name, &before)?,
            None => host.config().remove(name)?,
        }
        let (told, _) = reload(&host)?;
        assert_eq!(told.code(), Some(0), "{name}: {told:?}");
    }
    // Certificates that do not fit.
    let other = authority.path().join("ca.key");
    let key = authority.path().join("server.key");
    let text = sound.replace(&key.display().to_string(), &other.display().to_string());
    host.config()
        .put("portcullis.toml", text.replace("default = \"allow\"", "min_api_version = \"1.45\"").as_bytes())?;
    let (told, reloaded) = reload(&host)?;
    assert_eq!(told.code(), Some(1), "{told:?}");
    assert!(refused(&reloaded)[0].contains("ca.key: does not fit the certificate"), "{reloaded:?}");
    assert!(!is_allowed()?, "what has nothing to do with it is active");
    // systemctl reload, and whoever sends SIGHUP, finds it in the log.
    let mark = host.mark();
    host.hang_up()?;
    host.wait_for(mark, "the mistake", |record| {
        record.level() == "ERROR" && record.text("problem").contains("ca.key")
    })?;
    Ok(())
}

#[test]
fn reloads_at_the_same_time_are_all_answered() -> Result<()> {
    let host = Config::new()?.policy("seccomp")?.start()?;
    let reloads: Vec<_> = (0..8)
        .map(|_| {
            let folder = host.config().path().display().to_string();
            std::thread::spawn(move || run(&["reload", "--config", &folder]))
        })
        .collect();
    for reload in reloads {
        let told = reload.join().map_err(|_| Error::Unexpected("a thread panicked".into()))??;
        assert_eq!(told.code(), Some(0), "{told:?}");
    }
    wait::until("that it is ready", wait::DEADLINE, || Caller::anybody().list(&host.socket()).ok().map(drop))
}

fn told_of(host: &Portcullis, words: &str) -> Result<()> {
    let folder = host.config().path().display().to_string();
    for command in ["ready", "status"] {
        let told = run(&[command, "--config", &folder])?;
        assert_eq!(told.code(), Some(0), "{told:?}");
        let shown: Vec<_> = told.stdout.lines().filter(|line| line.contains(words)).collect();
        assert_eq!(shown.len(), 1, "`{command}` tells of it once: {told:?}");
        assert!(told.stdout.contains("the last good version stays active"), "{told:?}");
    }
    Ok(())
}

fn is_well(host: &Portcullis) -> Result<()> {
    let told = run(&["ready", "--config", &host.config().path().display().to_string()])?;
    assert_eq!((told.code(), told.stdout.as_str()), (Some(0), "ready\n"), "{told:?}");
    Ok(())
}

#[test]
fn what_a_reload_did_not_take_is_told_until_it_is_mended_or_the_host_restarted() -> Result<()> {
    let mut host = Config::new()?.policy("allow-all")?.start()?;
    let toml = fs::read_to_string(host.config().path().join("portcullis.toml")).map_err(io)?;
    let limited = toml.replace("[limits]\n", "[limits]\nconnections = 77\n");
    is_well(&host)?;
    for (text, words) in [
        (format!("defualt = \"allow\"\n{toml}"), "portcullis.toml:1: unknown key `defualt`"),
        (limited.clone(), "`[limits]` is not what the host was started with"),
    ] {
        host.config().put("portcullis.toml", text.as_bytes())?;
        reload(&host)?;
        told_of(&host, words)?;
        // It stays, whatever else happens.
        host.config().put("policies/other.wasm", &portcullis_tests::artifacts::policy_bytes("allow-all")?)?;
        told_of(&host, words)?;
        host.config().put("portcullis.toml", toml.as_bytes())?;
        assert!(reload(&host)?.1.is_whole);
        is_well(&host)?;
    }
    host.config().put("portcullis.toml", limited.as_bytes())?;
    assert_eq!(reload(&host)?.1.needs_restart, ["[limits]"]);
    told_of(&host, "`[limits]` is not what")?;
    host.restart()?;
    is_well(&host)
}
