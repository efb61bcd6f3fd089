//! The commands that the documentation gives for certificates and backups are run as they stand there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use portcullis_tests::admin::Door;
use portcullis_tests::caller::Caller;
use portcullis_tests::command::Finished;
use portcullis_tests::portcullis::{Config, Portcullis, run};
use portcullis_tests::scratch::Scratch;
use portcullis_tests::{Error, Result, artifacts};

fn io(error: std::io::Error) -> Error {
    Error::Unexpected(error.to_string())
}

/// Every block of this kind below a heading, or of the whole page where none is named.
fn blocks(page: &str, heading: &str, kind: &str) -> Result<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operators").join(page);
    let text = fs::read_to_string(path).map_err(io)?;
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).ok_or(Error::Unexpected(heading.into()))?;
    let section = section.split("\n## ").next().unwrap_or_default();
    let fence = format!("```{kind}\n");
    let blocks = section.split(&fence).skip(1);
    Ok(blocks.filter_map(|rest| Some(rest.split_once("\n```")?.0.to_owned())).collect())
}

/// Runs commands one after the other in one shell, as the documentation says; the first that fails ends it.
fn shell(folder: &Path, commands: &str) -> Result<Finished> {
    let binary = artifacts::portcullis()?.display().to_string();
    let functions = format!("set -euo pipefail\nportcullis() {{ '{binary}' \"$@\"; }}\nsystemctl() {{ :; }}\n");
    let mut bash = Command::new("bash");
    bash.args(["-c", &format!("{functions}{commands}")]).current_dir(folder).stdin(Stdio::null());
    let finished = Finished::of(&mut bash)?;
    assert_eq!(finished.code(), Some(0), "{commands}\n{finished:?}");
    Ok(finished)
}

/// The page's certificates, for this machine.
fn certificates(folder: &Path) -> Result<PathBuf> {
    let mut commands = String::new();
    for heading in ["Make an authority", "Make a certificate for a host", "Make a certificate for a caller"] {
        for block in blocks("certificates.md", heading, "sh")? {
            commands.push_str(&block);
            commands.push('\n');
        }
    }
    let here = "name=localhost address=127.0.0.1";
    assert!(commands.contains("name=docker-1.example address=192.0.2.10"), "{commands}");
    shell(folder, &commands.replace("name=docker-1.example address=192.0.2.10", here))?;
    Ok(folder.join("docker-ca"))
}

#[test]
fn certificates_are_made_used_and_renewed_by_the_commands_of_the_page() -> Result<()> {
    let scratch = Scratch::new()?;
    let ca = certificates(scratch.path())?;
    let toml = blocks("certificates.md", "Use them", "toml")?.concat();
    let toml = toml
        .replace("/etc/portcullis/docker-1.example", &ca.join("localhost").display().to_string())
        .replace("/etc/portcullis/ca.pem", &ca.join("ca.pem").display().to_string())
        .replace("0.0.0.0:9443", "127.0.0.1:0");
    let host = Config::new()?.toml(&toml).policy("allow-all")?.start()?;
    let port = Door::of(&host, &authority_like(&ca)?)?.address.port();
    let ask = blocks("certificates.md", "Use them", "sh")?.concat().replace(":9443", &format!(":{port}"));
    let asked = shell(&ca, &format!("name=localhost user=alice\n{ask}"))?;
    assert!(asked.stdout.starts_with("portcullis "), "{asked:?}");
    // Only who is listed.
    let other = blocks("certificates.md", "Make a certificate for a caller", "sh")?.concat();
    shell(&ca, &other.replace("user=alice", "user=mallory"))?;
    let url = format!("https://localhost:{port}");
    let path = |name: &str| ca.join(name).display().to_string();
    let (authority, certificate, key) = (path("ca.pem"), path("mallory.pem"), path("mallory-key.pem"));
    let options = ["--admin-url", &url, "--admin-ca", &authority, "--admin-cert", &certificate, "--admin-key", &key];
    let refused = run(&[&["status"][..], &options].concat())?;
    assert_eq!(refused.code(), Some(1), "{refused:?}");
    assert!(refused.stderr.contains("does not know this token or certificate"), "{refused:?}");
    // Good for a year: nobody is warned.
    let folder = host.config().path().display().to_string();
    let ready = run(&["ready", "--config", &folder])?;
    assert_eq!((ready.code(), ready.stdout.as_str()), (Some(0), "ready\n"), "{ready:?}");
    // Renewed: half of it is refused, and all of it is taken.
    let again = blocks("certificates.md", "Make a certificate for a host", "sh")?.concat();
    let again = again.replace("name=docker-1.example address=192.0.2.10", "name=localhost address=127.0.0.1");
    fs::copy(ca.join("localhost-key.pem"), ca.join("old-key.pem")).map_err(io)?;
    shell(&ca, &again)?;
    fs::rename(ca.join("localhost-key.pem"), ca.join("new-key.pem")).map_err(io)?;
    fs::rename(ca.join("old-key.pem"), ca.join("localhost-key.pem")).map_err(io)?;
    let reload =
        format!("export PORTCULLIS_CONFIG='{folder}'\n{}", blocks("certificates.md", "Renew them", "sh")?.concat());
    let half = run(&["reload", "--config", &folder])?;
    assert_eq!(half.code(), Some(1), "{half:?}");
    assert!(half.stdout.contains("does not fit the certificate"), "{half:?}");
    fs::rename(ca.join("new-key.pem"), ca.join("localhost-key.pem")).map_err(io)?;
    shell(&ca, &reload)?;
    shell(&ca, &format!("name=localhost user=alice\n{ask}"))?;
    Ok(())
}

/// Only where its authority lies matters.
fn authority_like(_: &Path) -> Result<portcullis_tests::tls::Authority> {
    portcullis_tests::tls::Authority::new()
}

/// A page's commands, for this host's folders.
fn here(host: &Portcullis, backup: &Path, commands: &str) -> String {
    let folder = host.config().path();
    let state = folder.join("state").display().to_string();
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let parent = folder.parent().map(|parent| parent.display().to_string()).unwrap_or_default();
    let config = format!("export PORTCULLIS_CONFIG='{}'\n", folder.display());
    let commands = commands
        .replace("/var/backups/portcullis", &backup.display().to_string())
        .replace("/var/lib/portcullis", &state)
        .replace("-C /etc ", &format!("-C '{parent}' "))
        .replace("etc.tar.gz portcullis", &format!("etc.tar.gz '{name}'"))
        .replace("/etc/portcullis", &folder.display().to_string());
    format!("{config}{commands}")
}

#[test]
fn what_policies_keep_is_backed_up_and_restored_by_the_commands_of_the_page() -> Result<()> {
    let scratch = Scratch::new()?;
    let backup = scratch.path().join("backups");
    let keeps = b"grants = [\"state\"]\n";
    let mut host = Config::new()?.policy("say-hello")?.file("policies/say-hello.toml", keeps)?.start()?;
    let says = |host: &Portcullis, user: &str| {
        Caller::named(user).create(&host.socket(), "hello-world").map(|reply| reply.allow)
    };
    let kept = |host: &Portcullis| {
        let folder = host.config().path().display().to_string();
        run(&["state", "ls", "--policy", "say-hello", "--config", &folder]).map(|listed| listed.stdout)
    };
    assert!(says(&host, "alice")?);
    let before = kept(&host)?;
    let commands = blocks("backup.md", "Back up", "sh")?.concat();
    let told = shell(scratch.path(), &here(&host, &backup, &commands))?;
    assert!(told.stdout.contains("state.redb: "), "{told:?}");
    let mode = fs::metadata(backup.join("state.redb")).map_err(io)?.permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
    assert!(fs::metadata(backup.join("etc.tar.gz")).map_err(io)?.len() > 1000);
    // It never replaces anything.
    let folder = host.config().path().display().to_string();
    let file = backup.join("state.redb").display().to_string();
    let twice = run(&["state", "backup", &file, "--config", &folder])?;
    assert_eq!(twice.code(), Some(1), "{twice:?}");
    assert!(twice.stderr.contains("is there already"), "{twice:?}");

    let cleared = run(&["state", "clear", "--tenant", "default", "--config", &folder])?;
    assert_eq!(cleared.code(), Some(0), "{cleared:?}");
    assert_ne!(kept(&host)?, before);
    let commands = blocks("backup.md", "Restore", "sh")?.concat();
    let (stopped, started) =
        commands.split_once("systemctl start portcullis").ok_or(Error::Unexpected("no start".into()))?;
    let stopped = here(&host, &backup, stopped);
    let path = scratch.path().to_owned();
    host.crash_and_restart_after(|| shell(&path, &stopped).map(drop))?;
    shell(scratch.path(), &here(&host, &backup, started))?;
    assert_eq!(kept(&host)?, before, "it is as it was");

    let commands = blocks("backup.md", "Upgrade and downgrade", "sh")?.concat();
    shell(scratch.path(), &here(&host, &backup, &commands))?;
    Ok(())
}

/// While somebody changes what is kept all the time, every backup is whole.
#[test]
fn a_backup_of_a_busy_store_is_of_one_moment() -> Result<()> {
    let scratch = Scratch::new()?;
    let host =
        Config::new()?.policy("say-hello")?.file("policies/say-hello.toml", b"grants = [\"state\"]\n")?.start()?;
    let (socket, folder) = (host.socket(), host.config().path().display().to_string());
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<()> {
        let busy = scope.spawn(|| -> Result<u32> {
            let mut count = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = Caller::named(&format!("user{count}")).create(&socket, "hello-world")?;
                count += 1;
            }
            Ok(count)
        });
        let backups = (0..5).try_for_each(|round| {
            let file = scratch.path().join(format!("{round}.redb")).display().to_string();
            let told = run(&["state", "backup", &file, "--config", &folder])?;
            assert_eq!(told.code(), Some(0), "{told:?}");
            Ok(())
        });
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let count = busy.join().map_err(|_| Error::Unexpected("a thread panicked".into()))??;
        assert!(count > 5, "{count}");
        backups
    })?;
    drop(host);
    for round in 0..5 {
        let config = Config::new()?.policy("say-hello")?.file("policies/say-hello.toml", b"grants = [\"state\"]\n")?;
        fs::create_dir(config.path().join("state")).map_err(io)?;
        fs::copy(scratch.path().join(format!("{round}.redb")), config.path().join("state/state.redb")).map_err(io)?;
        let host = config.start()?;
        let listed = run(&["state", "ls", "--config", &host.config().path().display().to_string()])?;
        assert_eq!(listed.code(), Some(0), "{listed:?}");
    }
    let none = Config::new()?;
    let folder = none.write()?.display().to_string();
    let told = run(&["state", "backup", &scratch.path().join("x").display().to_string(), "--config", &folder])?;
    assert_eq!(told.code(), Some(1), "{told:?}");
    assert!(told.stderr.contains("there is no store"), "{told:?}");
    Ok(())
}
