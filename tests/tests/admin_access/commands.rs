//! The commands, from another machine.

use std::fs;
use std::path::Path;

use portcullis_tests::admin::{self, Door};
use portcullis_tests::command::Finished;
use portcullis_tests::portcullis::{self, Portcullis};
use portcullis_tests::tls::Authority;
use portcullis_tests::{Result, artifacts};

use super::{ALL, host, io, tokens};

/// A command by TCP, with these arguments after those that say where and with which authority.
fn run(door: &Door, authority: &Authority, arguments: &[&str]) -> Result<Finished> {
    let (url, ca) = (door.url(), authority.path().join("ca.pem").display().to_string());
    portcullis::run(&[arguments, &["--admin-url", &url, "--admin-ca", &ca]].concat())
}

/// Makes a token by command; gives its file and what to write into `portcullis.toml`.
fn make(folder: &Path, name: &str, arguments: &[&str]) -> Result<(String, String)> {
    let file = folder.join(name).display().to_string();
    let made = portcullis::run(&[&["token", "--name", name, "--output", &file], arguments].concat())?;
    assert_eq!(made.code(), Some(0), "{made:?}");
    Ok((file, made.stdout))
}

#[test]
fn a_token_that_was_made_by_command_does_what_it_is_for() -> Result<()> {
    let authority = Authority::new()?;
    let (all, of_host) = make(authority.path(), "laptop", &["--scope", "read,policies"])?;
    let (ci, of_ci) = make(authority.path(), "ci", &["--scope", "read", "--scope", "policies", "--tenant", "ci"])?;
    let (host, door) = host(&authority, &(of_host + &of_ci))?;
    let put = |token: &str, file: &str, more: &[&str]| {
        run(&door, &authority, &[&["policy", "put", file, "--admin-token-file", token], more].concat())
    };
    let file = artifacts::policy("deny-all")?.display().to_string();
    let done = put(&ci, &file, &["--tenant", "ci", "--name", "own"])?;
    assert_eq!(done.code(), Some(0), "{done:?}");
    assert!(host.config().path().join("tenants/ci/policies/own.wasm").exists());
    for more in [&["--tenant", "ops"][..], &[]] {
        let refused = put(&ci, &file, more)?;
        let told = "which this caller does not have (403 Forbidden)";
        assert!(refused.code() == Some(1) && refused.stderr.contains(told), "{refused:?}");
    }
    let whole = run(&door, &authority, &["status", "--admin-token-file", &all])?;
    assert!(whole.code() == Some(0) && whole.stdout.contains("ops"), "{whole:?}");
    // A tenant's token is told of its tenant alone.
    let own = run(&door, &authority, &["status", "--tenant", "ci", "--admin-token-file", &ci])?;
    assert!(own.code() == Some(0) && own.stdout.contains("own") && !own.stdout.contains("ops"), "{own:?}");
    let json = run(&door, &authority, &["status", "--tenant", "ci", "--json", "--admin-token-file", &ci])?;
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap_or_default();
    assert_eq!(json["name"], serde_json::json!("ci"), "{json}");
    let refused = run(&door, &authority, &["status", "--admin-token-file", &ci])?;
    assert_eq!(refused.code(), Some(1), "{refused:?}");
    let state = run(&door, &authority, &["state", "ls", "--tenant", "ci", "--admin-token-file", &ci])?;
    assert_eq!(state.code(), Some(0), "{state:?}");
    Ok(())
}

#[test]
fn a_token_is_random_and_only_its_owner_can_read_it() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let authority = Authority::new()?;
    let (one, _) = make(authority.path(), "one", &["--scope", "read"])?;
    let (two, toml) = make(authority.path(), "two", &["--scope", "read"])?;
    let (first, second) = (fs::read_to_string(&one).map_err(io)?, fs::read_to_string(&two).map_err(io)?);
    assert!(first != second && first.trim().len() == "portcullis_".len() + 64, "{first}");
    assert_eq!(fs::metadata(&one).map_err(io)?.permissions().mode() & 0o777, 0o600);
    assert!(!toml.contains(second.trim()), "what goes to the host is not the token: {toml}");
    assert_eq!(toml, admin::token("two", second.trim(), &["read"], None));
    let again = portcullis::run(&["token", "--name", "one", "--scope", "read", "--output", &one])?;
    assert!(again.code() == Some(1) && again.stderr.contains("is there already"), "{again:?}");
    assert_eq!(fs::read_to_string(&one).map_err(io)?, first);
    let shown = portcullis::run(&["token", "--name", "three", "--scope", "read"])?;
    assert!(shown.stderr.contains("  portcullis_") && !shown.stdout.contains("portcullis_"), "{shown:?}");
    let wrong = portcullis::run(&["token", "--name", "x", "--scope", "everything"])?;
    assert_eq!(wrong.code(), Some(2), "{wrong:?}");
    Ok(())
}

#[test]
fn a_certificate_says_who_asks() -> Result<()> {
    let authority = Authority::new()?;
    let tables = tokens() + "[[admin.client]]\ncommon_name = \"ops\"\nscopes = [\"read\"]\n";
    let (_host, door) = host(&authority, &tables)?;
    let with = |folder: &Path| {
        let (cert, key) = (folder.join("cert.pem").display().to_string(), folder.join("key.pem").display().to_string());
        run(&door, &authority, &["status", "--admin-cert", &cert, "--admin-key", &key])
    };
    let done = with(&authority.client("/CN=ops")?)?;
    assert_eq!(done.code(), Some(0), "{done:?}");
    let foreign = Authority::new()?;
    let told = [
        (authority.client("/CN=other")?, "it is not known who asks"),
        (authority.expired_client("/CN=ops")?, "the client's certificate has expired"),
        (foreign.client("/CN=ops")?, "does not take certificates of this authority"),
    ];
    for (folder, expected) in told {
        let refused = with(&folder)?;
        assert!(refused.code() == Some(1) && refused.stderr.contains(expected), "{expected}: {refused:?}");
    }
    let alone = portcullis::run(&["status", "--admin-url", &door.url(), "--admin-cert", "x.pem"])?;
    assert!(alone.code() == Some(2) && alone.stderr.contains("--admin-key"), "{alone:?}");
    Ok(())
}

#[test]
fn what_goes_wrong_on_the_way_is_told_with_how_to_mend_it() -> Result<()> {
    let (authority, other) = (Authority::new()?, Authority::new()?);
    let token = authority.path().join("wrong.token").display().to_string();
    fs::write(&token, "wrong\n").map_err(io)?;
    let empty = authority.path().join("empty.token").display().to_string();
    fs::write(&empty, "\n").map_err(io)?;
    let (_host, door) = host(&authority, &tokens())?;
    let (url, ca) = (door.url(), authority.path().join("ca.pem").display().to_string());
    let foreign = other.path().join("ca.pem").display().to_string();
    let by_name = url.replace("127.0.0.1", "127.0.0.2");
    let cases: [(&[&str], i32, &str); 8] = [
        (&["--admin-url", &url, "--admin-ca", &ca], 1, "help: the host does not know this token or certificate"),
        (&["--admin-url", &url, "--admin-ca", &ca, "--admin-token-file", &token], 1, "(401 Unauthorized)"),
        (&["--admin-url", &url, "--admin-ca", &foreign], 1, "not from an authority in"),
        (&["--admin-url", "https://127.0.0.1:1", "--admin-ca", &ca], 1, "the host cannot be reached"),
        (&["--admin-url", &by_name, "--admin-ca", &ca], 1, "the host cannot be reached"),
        (&["--admin-url", "http://x"], 2, "expected `https://HOST:PORT`"),
        (&["--admin-url", &url, "--admin-ca", &token], 2, "holds no certificate"),
        (&["--admin-url", &url, "--admin-ca", &ca, "--admin-token-file", &empty], 2, "holds no token"),
    ];
    for (arguments, code, expected) in cases {
        let ended = portcullis::run(&[&["status"], arguments].concat())?;
        assert!(ended.code() == Some(code) && ended.stderr.contains(expected), "{expected}: {ended:?}");
    }
    Ok(())
}

#[test]
fn a_hosts_certificate_that_has_expired_is_told_and_does_not_keep_the_host_from_starting() -> Result<()> {
    let authority = Authority::new()?;
    let folder = authority.expired_server()?;
    let toml = admin::listen(&authority)
        .replace(
            &authority.path().join("server.pem").display().to_string(),
            &folder.join("cert.pem").display().to_string(),
        )
        .replace(
            &authority.path().join("server.key").display().to_string(),
            &folder.join("key.pem").display().to_string(),
        );
    let config = portcullis::Config::new()?.policy("allow-all")?;
    let config = config.toml(&(toml + &admin::token("a", "b", ALL, None)));
    let host: Portcullis = config.start()?;
    let door = Door::of(&host, &authority)?;
    let refused = run(&door, &authority, &["status"])?;
    assert!(refused.code() == Some(1) && refused.stderr.contains("the host's certificate has expired"), "{refused:?}");
    Ok(())
}

#[test]
fn without_a_client_authority_tokens_do() -> Result<()> {
    let authority = Authority::new()?;
    let config = portcullis::Config::new()?.policy("allow-all")?;
    let toml = admin::listen(&authority) + &tokens();
    let host = config.toml(&toml).start()?;
    let door = Door::of(&host, &authority)?;
    assert_eq!(super::ask(&door, "GET", "/v1/status", super::ROOT)?.status, 200);
    // A certificate that nobody asked for is not sent.
    let status = door.showing(&authority.client("/CN=ops")?).send(&portcullis_tests::http::request(
        "GET",
        "/v1/status",
        &[],
        b"",
    ))?;
    assert_eq!(status.status, 401);
    Ok(())
}
