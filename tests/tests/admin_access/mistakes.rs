//! Mistakes in `[admin]` and in the files that it names: the host does not start, and says why.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use portcullis_tests::log::Log;
use portcullis_tests::portcullis::{self, Config};
use portcullis_tests::tls::Authority;
use portcullis_tests::{Result, admin};

use super::{io, tokens};

/// Starts a host that must not start.
fn refused(admin: &str) -> Result<String> {
    let folder = Config::new()?.policy("allow-all")?.toml(admin);
    let path = folder.write()?.display().to_string();
    let ended = portcullis::run(&["serve", "--config", &path])?;
    assert_eq!(ended.code(), Some(2), "{admin}\n{ended:?}");
    Ok(ended.stderr)
}

#[test]
fn every_mistake_is_told_with_its_place_and_how_to_mend_it() -> Result<()> {
    let (authority, other) = (Authority::new()?, Authority::new()?);
    let good = admin::listen(&authority);
    let open = authority.path().join("open.key");
    fs::copy(authority.path().join("server.key"), &open).map_err(io)?;
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).map_err(io)?;
    let text = authority.path().join("text.pem");
    fs::write(&text, "a text\n").map_err(io)?;
    let (own, others) = (authority.path().display().to_string(), other.path().display().to_string());
    let swap = |from: &str, to: &str| good.replace(&format!("{own}/{from}"), to) + &tokens();
    let cases = [
        (swap("server.key", &format!("{others}/server.key")), "server.key: does not fit the certificate"),
        (
            swap("server.key", &format!("{own}/open.key")),
            "open.key: the key can be read or written by others\n  help: `chmod 600` it",
        ),
        (swap("server.key", &format!("{own}/server.pem")), "server.pem: the key can be read or written by others"),
        (swap("server.pem", "/nowhere/x.pem"), "/nowhere/x.pem: cannot be read: No such file"),
        (swap("server.pem", &format!("{own}/text.pem")), "text.pem: holds no certificate"),
        (good.clone(), "`[admin]` has no `[[admin.token]]` and no `[[admin.client]]`"),
        (good.clone() + &admin::token("a", "t", &["write"], None), "an item that is `write`, which is not a scope"),
        (
            good.clone() + "[[admin.token]]\nname = \"a\"\nsha256 = \"secret-itself\"\nscopes = [\"read\"]\n",
            "is no SHA-256",
        ),
        (good.replace("certificate", "certifikate") + &tokens(), "did you mean `certificate`?"),
    ];
    for (toml, expected) in cases {
        let told = refused(&toml)?;
        assert!(told.contains(expected), "should say {expected}\n{told}");
        assert!(!told.contains("secret-itself"), "{told}");
    }
    let all = refused(&(swap("server.pem", "/nowhere/x.pem") + "x = 1\n"))?;
    assert!(all.contains("/nowhere/x.pem") && all.contains("unknown key"), "all at once: {all}");
    Ok(())
}

#[test]
fn an_address_that_is_taken_is_told_and_the_host_guards_without_it() -> Result<()> {
    let authority = Authority::new()?;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").map_err(io)?;
    let address = taken.local_addr().map_err(io)?.to_string();
    let toml = admin::listen(&authority).replace("127.0.0.1:0", &address) + &tokens();
    let host = Config::new()?.policy("allow-all")?.toml(&toml).start()?;
    let path = host.config().path().display().to_string();
    let ready = portcullis::run(&["ready", "--config", &path])?;
    let told = format!("`{address}`, which `[admin] listen` names, cannot be listened at");
    assert!(ready.code() == Some(0) && ready.stdout.contains(&told), "{ready:?}");
    assert!(host.process().log().since(Log::START).iter().any(|line| line.contains(&told)));
    let mark = host.mark();
    drop(taken);
    host.wait_for(mark, "the admin API's listener", |record| record.message() == "the admin API is listening")?;
    let ready = portcullis::run(&["ready", "--config", &path])?;
    assert!(ready.code() == Some(0) && !ready.stdout.contains("cannot be listened at"), "{ready:?}");
    Ok(())
}

#[test]
fn other_commands_need_no_key() -> Result<()> {
    let authority = Authority::new()?;
    let toml = admin::listen(&authority).replace("server.key", "not-there.key") + &tokens();
    let folder = Config::new()?.policy("allow-all")?.toml(&toml);
    let call = br#"{"RequestMethod":"GET","RequestUri":"/v1.41/containers/json"}"#;
    let folder = folder.file("call.json", call)?;
    let path = folder.write()?;
    let (config, call) = (path.display().to_string(), path.join("call.json").display().to_string());
    let decided = portcullis::run(&["decide", "--config", &config, "--request", &call])?;
    assert_eq!(decided.code(), Some(0), "{decided:?}");
    Ok(())
}
