//! The shipped files for systemd are what systemd understands, and fit what the host says and needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis_tests::command::Finished;
use portcullis_tests::error::Doing;
use portcullis_tests::portcullis::{self, Config};
use portcullis_tests::scratch::Scratch;
use portcullis_tests::{Error, Result, artifacts};

const UNIT: &str = "portcullis.service";
const NETWORK: &str = "portcullis.service.d/network.conf";
const DOCKER: &str = "docker.service.d/portcullis.conf";

fn shipped(file: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/systemd").join(file);
    fs::read_to_string(&path).doing_to("reading", &path)
}

fn put(folder: &Path, file: &str, text: &str) -> Result<PathBuf> {
    let path = folder.join(file);
    path.parent().map_or(Ok(()), fs::create_dir_all).doing_to("making the folder of", &path)?;
    fs::write(&path, text).doing_to("writing", &path)?;
    Ok(path)
}

/// What systemd finds wrong with these units.
fn problems(folder: &Path, units: &[&str]) -> Result<String> {
    let mut command = Command::new("systemd-analyze");
    command.env("SYSTEMD_UNIT_PATH", format!("{}:", folder.display())).arg("verify");
    let done = Finished::of(command.args(units.iter().map(|unit| folder.join(unit))))?;
    let own = |line: &&str| line.contains(&*folder.to_string_lossy()) || units.iter().any(|unit| line.contains(unit));
    let lines: Vec<_> = done.stderr.lines().filter(own).collect();
    if done.status.success() { Ok(lines.join("\n")) } else { Err(Error::Unexpected(done.stderr)) }
}

/// The values of a key, in the order in which they stand.
fn values<'t>(text: &'t str, key: &str) -> Vec<&'t str> {
    text.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

fn value<'t>(text: &'t str, key: &str) -> &'t str {
    values(text, key).last().copied().unwrap_or_default()
}

#[test]
fn systemd_understands_every_line() -> Result<()> {
    let scratch = Scratch::new()?;
    let folder = scratch.path();
    let binary = artifacts::portcullis()?.display().to_string();
    let unit = shipped(UNIT)?.replace("/usr/local/bin/portcullis", &binary);
    put(folder, UNIT, &unit)?;
    put(folder, "docker.service", "[Service]\nExecStart=/bin/true\n")?;
    for file in [NETWORK, DOCKER] {
        put(folder, file, &shipped(file)?)?;
    }
    assert_eq!(problems(folder, &[UNIT, "docker.service"])?, "");
    // It would have been told.
    for (file, text) in [
        (UNIT, unit.replace("WatchdogSec", "WatchdogSek")),
        (NETWORK, shipped(NETWORK)?.replace("PrivateN", "PriwateN")),
    ] {
        let good = fs::read_to_string(folder.join(file)).doing_to("reading", folder)?;
        put(folder, file, &text)?;
        assert!(problems(folder, &[UNIT])?.contains("Unknown key"), "{file}");
        put(folder, file, &good)?;
    }
    Ok(())
}

#[test]
fn the_drop_in_gives_what_the_unit_takes_away() -> Result<()> {
    let (unit, network) = (shipped(UNIT)?, shipped(NETWORK)?);
    assert_eq!((value(&unit, "RestrictAddressFamilies"), value(&unit, "PrivateNetwork")), ("AF_UNIX", "yes"));
    assert_eq!(
        (value(&network, "RestrictAddressFamilies"), value(&network, "PrivateNetwork")),
        ("AF_INET AF_INET6", "no")
    );
    // The host names the file.
    let installed = format!("/etc/systemd/system/{NETWORK}");
    let says = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/telemetry/src/otlp/client.rs"));
    assert!(says.doing("reading client.rs")?.contains(&installed));
    assert!(shipped("README.md")?.contains(&installed));
    Ok(())
}

#[test]
fn docker_waits_for_the_host_and_never_gives_up() -> Result<()> {
    let (unit, docker) = (shipped(UNIT)?, shipped(DOCKER)?);
    assert_eq!(value(&unit, "Before"), "docker.service");
    assert_eq!((value(&unit, "Type"), value(&unit, "Restart")), ("notify", "always"));
    assert_eq!((value(&docker, "After"), value(&docker, "Wants")), ("portcullis.service", "portcullis.service"));
    assert_eq!(values(&docker, "Requires"), Vec::<&str>::new(), "stopping the host must not stop containers");
    for text in [&unit, &docker] {
        assert_eq!(value(text, "StartLimitIntervalSec"), "0");
    }
    // By then the host has ended by itself: `shutdown_grace` is 5 s unless said, and 5 s more is what it takes at most.
    assert!(value(&unit, "TimeoutStopSec").parse::<u64>().is_ok_and(|seconds| seconds > 10));
    Ok(())
}

#[test]
fn a_reload_fails_where_something_is_refused_and_says_what() -> Result<()> {
    let unit = shipped(UNIT)?;
    let reload = values(&unit, "ExecReload");
    assert_eq!(reload.len(), 1, "{reload:?}");
    let host = Config::new()?.policy("allow-all")?.start()?;
    let folder = host.config().path().display().to_string();
    let line = reload.concat().replace("/etc/portcullis", &folder);
    let arguments: Vec<_> = line.split(' ').skip(1).collect();
    let told = portcullis::run(&arguments)?;
    assert_eq!(told.code(), Some(0), "{line}: {told:?}");
    host.config().put("portcullis.toml", b"defualt = 1\n")?;
    let told = portcullis::run(
        &[&arguments[..], &["--admin-socket", &host.config().admin_socket().display().to_string()]].concat(),
    )?;
    assert!(told.code() == Some(1) && told.stdout.contains("portcullis.toml:1: unknown key `defualt`"), "{told:?}");
    Ok(())
}
