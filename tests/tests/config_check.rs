//! `portcullis config check` says everything that is wrong with a folder and starts nothing; and commands that ask a host
//! do not mind what is wrong in its folder.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use portcullis_tests::command::Finished;
use portcullis_tests::portcullis::{Config, Portcullis, run, run_without_override};
use portcullis_tests::tls::Authority;
use portcullis_tests::{Error, Result, artifacts, guests};
use serde_json::{Value, json};

fn io(error: std::io::Error) -> Error {
    Error::Unexpected(error.to_string())
}

/// A folder that a host would serve, as it is on the disk.
fn sound() -> Result<Config> {
    let config = Config::new()?.policy("seccomp")?.policy("user-roles")?.file("data/users.json", b"{}")?;
    config.tenant("ci", "[[match]]\nuser = \"ci-*\"\n")?.tenant_policy("ci", "bind-mounts")
}

fn check(folder: &Path) -> Result<(Finished, Value)> {
    let folder = folder.display().to_string();
    let told = run(&["config", "check", &folder])?;
    let json = run(&["config", "check", "--json", "--config", &folder])?;
    assert_eq!(told.code(), json.code(), "{told:?} {json:?}");
    let json = serde_json::from_str(&json.stdout).map_err(|error| Error::Unexpected(format!("{error}: {json:?}")))?;
    Ok((told, json))
}

fn texts(checked: &Value, list: &str) -> Vec<String> {
    let one = |mistake: &Value| mistake["problem"].as_str().unwrap_or_default().to_owned();
    checked[list].as_array().into_iter().flatten().map(one).collect()
}

/// What is put into a sound folder, and what is said of it.
struct Case {
    files: Vec<(&'static str, Vec<u8>)>,
    what: &'static str,
    said: &'static str,
    tenant: Option<&'static str>,
}

fn case(file: &'static str, bytes: &[u8], what: &'static str, said: &'static str) -> Case {
    let tenant = file.strip_prefix("tenants/").and_then(|rest| rest.split('/').next());
    Case { files: vec![(file, bytes.to_vec())], what, said, tenant }
}

fn mistakes() -> Result<Vec<Case>> {
    let keeps = artifacts::policy_bytes("say-hello")?;
    let both = |wasm: &'static str, toml: &'static str, text: &[u8], said| Case {
        files: vec![(toml, text.to_vec()), (wasm, keeps.clone())],
        what: "policy",
        said,
        tenant: None,
    };
    Ok(vec![
        case("policies/x.wasm", b"broken", "policy", "policies/x.wasm: not WebAssembly"),
        case("policies/x.wasm", &guests::wasm("wasi.component")?, "policy", "which this host does not have"),
        case("policies/x.wasm", &guests::wasm("trap_at_start")?, "policy", "fails as soon as it is started"),
        case("policies/-x y.wasm", &guests::wasm("allow")?, "policy", "-x y.wasm: "),
        case("policies/seccomp.toml", b"mode = \"watch\"\n", "policy", "seccomp.toml:1: `mode` is `watch`"),
        case("policies/seccomp.toml", b"[settings\n", "policy", "seccomp.toml:1: not TOML"),
        case("policies/seccomp.toml", b"[settings]\nx = nan\n", "policy", "holds a number that JSON does not have"),
        both("policies/x.wasm", "policies/x.toml", b"", "needs `grants = [\"state\"]`"),
        both("policies/x.wasm", "policies/x.toml", b"grants = [\"network\"]\n", "`grants` names `network`"),
        case("data/x.json", b"{", "data", "data/x.json:1: "),
        case("data/x.yaml", b"a: 1\na: 2\n", "data", "data/x.yaml:"),
        case("data/users.yml", b"{}", "data", "is the same document as"),
        case("tenants/ci/tenant.toml", b"default = 3\n", "tenant", "tenant.toml:1: `default` is an integer"),
        case("tenants/ci/tenant.toml", b"[[match]]\nlistener = \"nobody\"\n", "tenant", "which is not a listener"),
        case("tenants/ci/policies/x.wasm", b"broken", "policy", "policies/x.wasm: not WebAssembly"),
        case(
            "tenants/ci/policies/bind-mounts.toml",
            b"grants = [\"state\"]\n",
            "policy",
            "which the tenant is not granted",
        ),
        case("tenants/ci/data/x.json", b"[1,", "data", "data/x.json:1: "),
    ])
}

#[test]
fn a_sound_folder_has_no_mistake_and_nothing_is_started() -> Result<()> {
    let config = sound()?;
    let folder = config.write()?;
    let before = names(&folder)?;
    let (told, json) = check(&folder)?;
    assert_eq!((told.code(), told.stdout.as_str()), (Some(0), "no mistake, no warning\n"), "{told:?}");
    assert_eq!(json, json!({ "is_right": true, "mistakes": [], "warnings": [] }));
    assert_eq!(names(&folder)?, before, "no socket, no state");
    // Beside a host that runs, too.
    let host = config.start()?;
    assert_eq!(check(host.config().path())?.0.code(), Some(0));
    Ok(())
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        names.push(entry.map_err(io)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

#[test]
fn every_mistake_is_told_with_its_file() -> Result<()> {
    for Case { files, what, said, tenant } in mistakes()? {
        let mut config = sound()?;
        for (name, bytes) in &files {
            config = config.file(name, bytes)?;
        }
        let (told, json) = check(&config.write()?)?;
        assert_eq!(told.code(), Some(2), "{files:?}: {told:?}");
        assert!(told.stdout.contains(said) && told.stdout.ends_with("1 mistake, no warning\n"), "{said}: {told:?}");
        let mistake = &json["mistakes"][0];
        assert_eq!((&mistake["what"], &mistake["tenant"]), (&json!(what), &json!(tenant)), "{said}: {json:#}");
        assert_eq!(json["is_right"], json!(false));
    }
    Ok(())
}

#[test]
fn all_mistakes_are_told_at_once_whatever_is_wrong_with_portcullis_toml() -> Result<()> {
    let authority = Authority::new()?;
    let (certificate, other) = (authority.path().join("server.pem"), authority.path().join("ca.key"));
    let admin = format!(
        "statedir = \"/x\"\n[limits]\nconnections = 0\n[admin]\nlisten = \"127.0.0.1:0\"\ncertificate = {certificate:?}\n\
         key = {other:?}\n[[admin.token]]\nname = \"x\"\nsha256 = \"{}\"\nscopes = [\"read\"]\n",
        "0".repeat(64)
    );
    let config = sound()?.toml(&admin).listener("other", "tenant = \"nobody\"\n");
    let config = config
        .file("policies/x.wasm", b"broken")?
        .file("data/x.json", b"{")?
        .file("tenants/ci/data/x.json", b"{")?
        .tenant("bad", "x = 1\n")?;
    let folder = config.write()?;
    let (told, json) = check(&folder)?;
    let problems = texts(&json, "mistakes");
    for expected in [
        "portcullis.toml:4: unknown key `statedir`",
        "portcullis.toml:6: `[limits] connections` is 0",
        "ca.key: does not fit the certificate",
        "the listener `other`: the tenant that it is bound to is not there",
        "policies/x.wasm: not WebAssembly",
        "/data/x.json:1: ",
        "tenants/ci/data/x.json:1: ",
        "tenants/bad/tenant.toml:1: unknown key `x`",
    ] {
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected}: {problems:#?}");
    }
    assert_eq!((told.code(), problems.len()), (Some(2), 8), "{told:?}");
    for (text, said) in [("[limits\n", "not TOML"), ("default = \"deny", "not TOML")] {
        config.put("portcullis.toml", text.as_bytes())?;
        let problems = texts(&check(&folder)?.1, "mistakes");
        assert!(problems.iter().any(|problem| problem.contains(said)), "{problems:#?}");
        assert!(problems.iter().any(|problem| problem.contains("policies/x.wasm")), "{problems:#?}");
    }
    config.remove("portcullis.toml")?;
    fs::remove_dir_all(folder.join("policies")).map_err(io)?;
    let (told, _) = check(&folder)?;
    assert_eq!(told.code(), Some(2));
    for expected in ["portcullis.toml: cannot be read", "policies: cannot be read", "make the folder"] {
        assert!(told.stdout.contains(expected), "{told:?}");
    }
    Ok(())
}

#[test]
fn what_is_only_worth_a_look_is_a_warning() -> Result<()> {
    let config = sound()?
        .file("policies/alone.toml", b"mode = \"observe\"\n")?
        .file("policies/b.WASM", b"")?
        .file("policies/.c.wasm", b"")?
        .file("data/d.JSON", b"{}")?
        .file("e.wasm", b"")?
        .file("tenants/f.toml", b"")?
        .file("tenants/ci/policies/g.toml", b"")?;
    let folder = config.write()?;
    for path in ["policies/old", "data/old", "Policies"] {
        fs::create_dir(folder.join(path)).map_err(io)?;
    }
    fs::set_permissions(folder.join("policies/seccomp.wasm"), fs::Permissions::from_mode(0o664)).map_err(io)?;
    fs::set_permissions(folder.join("data"), fs::Permissions::from_mode(0o777)).map_err(io)?;
    chown(folder.join("data/users.json"), Some(1234), None).map_err(io)?;
    // A tenant's own files are its own user's.
    chown(folder.join("tenants/ci"), Some(1234), None).map_err(io)?;
    chown(folder.join("tenants/ci/policies/bind-mounts.wasm"), Some(1234), None).map_err(io)?;
    chown(folder.join("tenants/ci/policies"), Some(4321), None).map_err(io)?;
    let (told, json) = check(&folder)?;
    assert_eq!(told.code(), Some(0), "{told:?}");
    let warnings = texts(&json, "warnings");
    let expected = [
        "policies/alone.toml is not read: there is no `alone.wasm` beside it",
        "policies/b.WASM is not read: its name ends in `.WASM`",
        "policies/.c.wasm is not read: its name begins with `.`",
        "policies/old is not read: it is a folder",
        "data/d.JSON is not read: its name ends in `.JSON`",
        "data/old is not read: it is a folder",
        "e.wasm is not read: policies lie in `policies`",
        "Policies is not read: the folder is called `policies`",
        "tenants/f.toml is not read: a tenant is a folder",
        "tenants/ci/policies/g.toml is not read: there is no `g.wasm`",
        "policies/seccomp.wasm: its group can write it",
        "/data: every user can write it",
        "data/users.json: belongs to user 1234",
        "tenants/ci/policies: belongs to user 4321",
    ];
    for text in expected {
        assert!(warnings.iter().any(|warning| warning.contains(text)), "{text}: {warnings:#?}");
    }
    assert_eq!(warnings.len(), expected.len(), "{warnings:#?}");
    assert!(told.stdout.ends_with("no mistake, 14 warnings\n"), "{told:?}");
    Ok(())
}

/// Every command that asks a host, and changes nothing.
const ASKING: [&[&str]; 11] = [
    &["status"],
    &["status", "--json"],
    &["ready"],
    &["logs", "--no-follow"],
    &["policy", "ls"],
    &["policy", "config", "get", "seccomp"],
    &["policy", "get", "seccomp", "--output", "-"],
    &["data", "ls"],
    &["data", "get", "/users"],
    &["state", "ls"],
    &["decide", "--live", "GET", "/_ping"],
];

fn assert_answers(host: &Portcullis, what: &str) -> Result<()> {
    let folder = host.config().path().display().to_string();
    for arguments in ASKING {
        let arguments = [arguments, &["--config", &folder]].concat();
        // Whoever may not read the configuration asks as well.
        let asked = run_without_override(&arguments)?;
        assert_eq!(asked.code(), Some(0), "{what}: {arguments:?}: {asked:?}");
    }
    Ok(())
}

#[test]
fn a_host_is_asked_whatever_is_wrong_in_its_folder() -> Result<()> {
    let host = sound()?.start()?;
    assert_answers(&host, "all is well")?;
    let path = host.config().path().join("portcullis.toml");
    let toml = fs::read_to_string(&path).map_err(io)?;
    for (what, text) in [
        ("an unknown key", format!("statedir = 1\n{toml}")),
        ("a value of another type", toml.replacen("[limits]", "[limits]\nconnections = \"many\"", 1)),
        ("not TOML at its end", format!("{toml}\n[limits\n")),
        ("not TOML before", format!("default = \n{toml}")),
        (
            "a certificate that is not there",
            format!("{toml}\n[admin]\nlisten = \"127.0.0.1:0\"\ncertificate = \"/x\"\n"),
        ),
        ("a listener without a socket", format!("{toml}\n[[listener]]\nsocket = 3\n")),
    ] {
        host.config().put("portcullis.toml", text.as_bytes())?;
        assert_answers(&host, what)?;
    }
    host.config().put("portcullis.toml", toml.as_bytes())?;
    for (name, bytes) in [
        ("policies/user-roles.toml", &b"mode = 3\n"[..]),
        ("data/users.json", b"{"),
        ("tenants/ci/tenant.toml", b"default = 3\n"),
    ] {
        host.config().put(name, bytes)?;
    }
    assert_answers(&host, "everything broken")?;
    fs::rename(host.config().path().join("policies"), host.config().path().join("aside")).map_err(io)?;
    let folder = host.config().path().display().to_string();
    for command in ["status", "ready", "logs", "reload"] {
        let more: &[&str] = if command == "logs" { &["--no-follow"] } else { &[] };
        let asked = run(&[&[command, "--config", &folder], more].concat())?;
        assert!(asked.stderr.is_empty(), "{command}: {asked:?}");
    }
    Ok(())
}

#[test]
fn a_socket_that_cannot_be_told_is_said_so() -> Result<()> {
    let config = Config::new()?;
    let folder = config.path().display().to_string();
    for (toml, said) in [
        ("admin_socket = 3\n", "portcullis.toml:1: `admin_socket` is an integer"),
        (
            "\nadmin_socket = \"admin.sock\"\n",
            "portcullis.toml:2: `admin_socket` is `admin.sock`, which is not absolute",
        ),
    ] {
        config.put("portcullis.toml", toml.as_bytes())?;
        let asked = run(&["status", "--config", &folder])?;
        assert_eq!(asked.code(), Some(2), "{asked:?}");
        assert!(asked.stderr.contains(said) && asked.stderr.contains("`--admin-socket` says"), "{asked:?}");
    }
    let asked = run(&["status", "--config", "/nowhere/at/all"])?;
    assert_eq!(asked.code(), Some(2), "{asked:?}");
    assert!(asked.stderr.contains("/nowhere/at/all: cannot be read"), "{asked:?}");
    Ok(())
}

/// `FILE:LINE` below the folder, or the file alone, of each mistake.
fn places(checked: &Value, folder: &Path) -> Vec<String> {
    let place = |mistake: &Value| {
        let file = mistake["file"].as_str().unwrap_or_default();
        let file = file.strip_prefix(&folder.display().to_string()).unwrap_or(file).trim_start_matches('/');
        mistake["line"].as_u64().map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"))
    };
    checked["mistakes"].as_array().into_iter().flatten().map(place).collect()
}

#[test]
fn every_mistake_has_file_line_field_and_a_way_to_mend_it_and_counts_as_one() -> Result<()> {
    let config = sound()?
        .toml("defualt = \"allow\"\n[traces]\nsample = 3\n[decision_log]\nsinks = [\"sdterr\"]\n")
        .file("policies/seccomp.toml", b"mode = \"observ\"\ngrants = [\"stat\"]\n[sttings]\na = 1\n")?
        .file("data/users.json", b"{\n\"a\":")?
        .tenant("bad", "mod = \"x\"\n[[match]]\nuser = []\n")?
        .file("tenants/bad/policies/own.wasm", b"broken")?
        .file("tenants/bad/policies/own.toml", b"mode = 1\n")?
        .file("tenants/bad/data/x.json", b"[")?;
    let folder = config.write()?;
    let toml = fs::read_to_string(folder.join("portcullis.toml")).map_err(io)?;
    let line = |key: &str| 1 + toml.lines().take_while(|line| !line.starts_with(key)).count();
    let (told, json) = check(&folder)?;
    let mut expected: Vec<_> =
        ["defualt", "sample", "[traces]", "sinks"].iter().map(|key| format!("portcullis.toml:{}", line(key))).collect();
    for place in [
        "policies/seccomp.toml:1",
        "policies/seccomp.toml:2",
        "policies/seccomp.toml:3",
        "data/users.json:2",
        "tenants/bad/tenant.toml:1",
        "tenants/bad/tenant.toml:2",
        "tenants/bad/tenant.toml:3",
        "tenants/bad/policies/own.toml:1",
        "tenants/bad/data/x.json:1",
    ] {
        expected.push(place.to_owned());
    }
    let mut found = places(&json, &folder);
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "{told:?}");
    assert!(told.stdout.contains(&format!("{} mistakes, ", expected.len())), "{told:?}");
    let helps = told.stdout.lines().filter(|line| line.starts_with("  help: ")).count();
    assert_eq!(helps, expected.len(), "each has one way to mend it: {told:?}");
    for text in [
        "unknown key `defualt`",
        "did you mean `default`?",
        "did you mean \"stderr\"?",
        "`[traces] endpoint` is missing",
    ] {
        assert!(told.stdout.contains(text), "{text}: {told:?}");
    }
    // In a file's order.
    let lines: Vec<_> = json["mistakes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|mistake| {
            mistake["file"].as_str()?.ends_with("portcullis.toml").then(|| mistake["line"].as_u64()).flatten()
        })
        .collect();
    assert!(lines.is_sorted(), "{lines:?}");
    Ok(())
}

#[test]
fn more_mistakes_than_are_listed_are_not_counted_as_fewer() -> Result<()> {
    let many: String = (0..150).map(|number| format!("key{number} = 1\n")).collect();
    let config = Config::new()?.policy("allow-all")?;
    let folder = config.write()?;
    let toml = fs::read_to_string(folder.join("portcullis.toml")).map_err(io)?;
    fs::write(folder.join("portcullis.toml"), many + &toml).map_err(io)?;
    let told = run(&["config", "check", &folder.display().to_string()])?;
    assert!(told.stdout.contains("more than 100 mistakes, no warning"), "{told:?}");
    let served = run(&["serve", "--config", &folder.display().to_string()])?;
    assert!(served.stderr.contains("more than 100 mistakes in the configuration"), "{served:?}");
    Ok(())
}
