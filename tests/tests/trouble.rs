//! Trouble that no call shows yet: `ready`, `status`, the log and metrics tell of it, and of its end.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use portcullis_status::health::{Finding, Readiness};
use portcullis_tests::admin::listen_to_clients;
use portcullis_tests::caller::Caller;
use portcullis_tests::command::Finished;
use portcullis_tests::portcullis::{Config, Portcullis, run};
use portcullis_tests::small_disk::SmallDisk;
use portcullis_tests::tls::Authority;
use portcullis_tests::{Error, Result, guests, http, wait};

fn io(error: std::io::Error) -> Error {
    Error::Unexpected(error.to_string())
}

fn get(host: &Portcullis, path: &str) -> Result<http::Answer> {
    http::send(&host.config().admin_socket(), &http::request("GET", path, &[], b""))
}

fn readiness(host: &Portcullis) -> Result<Readiness> {
    serde_json::from_slice(&get(host, "/v1/health/ready")?.body).map_err(|error| Error::Unexpected(error.to_string()))
}

/// `WHAT NAME: PROBLEM`, of each.
fn texts(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|Finding { what, name, problem, .. }| format!("{what} {name}: {problem}")).collect()
}

fn warnings(host: &Portcullis) -> Result<Vec<String>> {
    Ok(texts(&readiness(host)?.warnings))
}

fn denying(host: &Portcullis) -> Result<Vec<String>> {
    Ok(texts(&readiness(host)?.denying))
}

/// Waits for a warning with these words, and for all who tell to tell it.
fn warned(host: &Portcullis, words: &str) -> Result<String> {
    let warning = wait::until(&format!("a warning of {words}"), wait::DEADLINE, || {
        warnings(host).ok()?.into_iter().find(|warning| warning.contains(words))
    })?;
    assert!(readiness(host)?.is_ready, "a warning keeps nobody from being ready: {warning}");
    let folder = host.config().path().display().to_string();
    for command in ["ready", "status"] {
        let told = run(&[command, "--config", &folder])?;
        assert_eq!(told.code(), Some(0), "{told:?}");
        let is_marked = told.stdout.contains("warning: ") || told.stdout.contains("not active: ");
        assert!(is_marked && told.stdout.contains(words), "{command}: {words}: {told:?}");
    }
    let what = warning.split(' ').next().unwrap_or_default().to_owned();
    let metrics = get(host, "/metrics")?.text();
    let counted = metrics
        .lines()
        .find_map(|line| line.strip_prefix(&format!("portcullis_findings{{severity=\"warning\",what=\"{what}\"}} ")));
    assert!(counted.is_some_and(|count| count != "0"), "{what}: {metrics}");
    Ok(warning)
}

fn is_well(host: &Portcullis) -> Result<()> {
    wait::until("that all is well", wait::DEADLINE, || {
        let told = readiness(host).ok()?;
        (told.warnings.is_empty() && told.denying.is_empty()).then_some(())
    })
}

#[test]
fn files_that_are_not_read_are_told_until_they_go() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.tenant("ci", "[[match]]\nuser = \"ci\"\n")?.start()?;
    is_well(&host)?;
    for (name, words) in [
        ("policies/alone.toml", "there is no `alone.wasm` beside it"),
        ("policies/x.WASM", "its name ends in `.WASM`, and only `.wasm` is read"),
        ("policies/.x.wasm", "its name begins with `.`"),
        ("data/x.Json", "its name ends in `.Json`"),
        ("x.wasm", "policies lie in `policies`"),
        ("tenants/x.toml", "a tenant is a folder"),
        ("tenants/ci/policies/y.toml", "there is no `y.wasm` beside it"),
    ] {
        host.config().put(name, b"")?;
        let warning = warned(&host, words)?;
        assert!(warning.starts_with("ignored ") && warning.contains(name), "{warning}");
        host.config().remove(name)?;
        is_well(&host)?;
    }
    let folder = host.config().path().join("policies/old");
    fs::create_dir(&folder).map_err(io)?;
    warned(&host, "it is a folder; only files of the folder above are read")?;
    fs::remove_dir(&folder).map_err(io)?;
    is_well(&host)?;
    assert!(Caller::anybody().list(&host.socket())?.allow);
    Ok(())
}

#[test]
fn what_others_may_write_is_told_until_they_may_not() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.file("data/x.json", b"1")?.start()?;
    is_well(&host)?;
    for name in ["", "portcullis.toml", "policies", "policies/allow-all.wasm", "data", "data/x.json", "state"] {
        let path = host.config().path().join(name);
        let before = fs::metadata(&path).map_err(io)?.permissions();
        // By its group and by everybody in turn.
        let more = if name.len() % 2 == 0 { 0o020 } else { 0o002 };
        fs::set_permissions(&path, fs::Permissions::from_mode(before.mode() | more)).map_err(io)?;
        let shown = path.display().to_string();
        let warning = warned(&host, &format!("{}: ", shown.trim_end_matches('/')))?;
        assert!(warning.starts_with("permissions ") && warning.contains("`chmod go-w` it"), "{warning}");
        fs::set_permissions(&path, before).map_err(io)?;
        is_well(&host)?;
    }
    for name in ["policies/allow-all.wasm", "state"] {
        let path = host.config().path().join(name);
        std::os::unix::fs::chown(&path, Some(4321), None).map_err(io)?;
        let warning = warned(&host, "belongs to user 4321")?;
        assert!(warning.contains(&path.display().to_string()), "{warning}");
        std::os::unix::fs::chown(&path, Some(0), None).map_err(io)?;
        is_well(&host)?;
    }
    Ok(())
}

#[test]
fn certificates_that_end_soon_are_told_with_their_day() -> Result<()> {
    // Those of tests are good for two days.
    let authority = Authority::new()?;
    let client = "[[admin.client]]\ncommon_name = \"a\"\nscopes = [\"read\"]\n";
    let host = Config::new()?.toml(&listen_to_clients(&authority)).toml(client).start()?;
    let own = warned(&host, "server.pem: the certificate of `CN=localhost` ends at ")?;
    assert!(
        own.starts_with("certificate certificate: ") && own.contains("; renew it, and then `portcullis reload`"),
        "{own}"
    );
    warned(&host, "ca.pem: the certificate of `CN=throwaway` ends at ")?;
    let metrics = get(&host, "/metrics")?.text();
    for file in ["certificate", "client_ca"] {
        let end = metrics.lines().find_map(|line| {
            line.strip_prefix(&format!("portcullis_certificate_end_seconds{{file=\"{file}\"}} "))?.parse::<f64>().ok()
        });
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64());
        assert!(end.is_some_and(|end| (end - now - 2.0 * 86_400.0).abs() < 3_600.0), "{file}: {end:?}");
    }
    // A new one, for long.
    let long = "openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 400 -extfile server.ext -out server.pem && \
                openssl req -x509 -key ca.key -subj /CN=throwaway -days 400 -out ca.pem";
    Finished::well(Command::new("sh").args(["-c", long]).current_dir(authority.path()))?;
    let reloaded = run(&["reload", "--config", &host.config().path().display().to_string()])?;
    assert_eq!(reloaded.code(), Some(0), "{reloaded:?}");
    is_well(&host)
}

#[test]
fn a_folder_that_is_removed_under_the_host_takes_nothing_along() -> Result<()> {
    let host = Config::new()?.toml("default = \"allow\"").policy("deny-all")?.start()?;
    let (folder, aside) = (host.config().path().join("policies"), host.config().path().join("aside"));
    assert!(!Caller::anybody().list(&host.socket())?.allow);
    fs::rename(&folder, &aside).map_err(io)?;
    let warning = warned(&host, "policies: the folder cannot be opened")?;
    assert!(warning.starts_with("folder "), "{warning}");
    assert!(!Caller::anybody().list(&host.socket())?.allow, "what was loaded stays");
    fs::rename(&aside, &folder).map_err(io)?;
    is_well(&host)?;
    host.remove_policy("deny-all")?;
    assert!(Caller::anybody().list(&host.socket())?.allow, "an empty folder is what the operator says");
    Ok(())
}

#[test]
fn a_socket_that_is_removed_under_the_host_is_told_and_what_to_do() -> Result<()> {
    let mut host = Config::new()?.policy("allow-all")?.listener("other", "").start()?;
    is_well(&host)?;
    let plugins = host.config().plugin_folder();
    for socket in [host.socket(), host.config().socket_of("other"), plugins.clone()] {
        let aside = host.config().path().join("aside");
        fs::rename(&socket, &aside).map_err(io)?;
        let found = wait::until("that it is told", wait::DEADLINE, || {
            denying(&host)
                .ok()?
                .into_iter()
                .find(|found| found.contains("it was removed, so the host cannot be reached there"))
        })?;
        assert!(found.starts_with("socket ") && found.ends_with("restart the host"), "{found}");
        let ready = run(&["ready", "--config", &host.config().path().display().to_string()])?;
        assert_eq!(ready.code(), Some(1), "{ready:?}");
        fs::rename(&aside, &socket).map_err(io)?;
        is_well(&host)?;
    }
    let own = fs::read_dir(&plugins).map_err(io)?.count();
    fs::remove_file(host.socket()).map_err(io)?;
    fs::write(host.socket(), b"").map_err(io)?;
    wait::until("that another file is told", wait::DEADLINE, || {
        denying(&host).ok()?.into_iter().find(|found| found.contains("something else lies in its place"))
    })?;
    fs::remove_file(host.socket()).map_err(io)?;
    fs::remove_dir_all(&plugins).map_err(io)?;
    host.crash_and_restart()?;
    assert_eq!(fs::read_dir(&plugins).map_err(io)?.count(), own, "a restart makes the folder and the sockets anew");
    is_well(&host)
}

#[test]
fn a_store_that_is_removed_under_the_host_is_told() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.start()?;
    let (file, aside) = (host.config().path().join("state/state.redb"), host.config().path().join("state/aside"));
    fs::rename(&file, &aside).map_err(io)?;
    warned(&host, "was removed while the host has it open")?;
    fs::write(&file, b"another").map_err(io)?;
    warned(&host, "was replaced while the host has it open")?;
    fs::rename(&aside, &file).map_err(io)?;
    is_well(&host)
}

/// The store on a disk of its own. The disk goes first: a folder that something is mounted on cannot be removed.
fn on_small_disk(name: &str, wasm: &[u8], toml: &str, size: &str) -> Result<(SmallDisk, Portcullis)> {
    let config = Config::new()?;
    let state = config.path().join("state");
    fs::create_dir(&state).map_err(io)?;
    let disk = SmallDisk::over(&state, size)?;
    let config = config.file(&format!("policies/{name}.wasm"), wasm)?;
    let config = config.file(&format!("policies/{name}.toml"), toml.as_bytes())?;
    Ok((disk, config.start()?))
}

#[test]
fn a_full_disk_under_the_store_is_known_after_one_failed_change() -> Result<()> {
    let (disk, host) = on_small_disk("hoards", &guests::that_hoards()?, "grants = [\"state\"]\n", "64m")?;
    // It denies what it could count, and fails otherwise.
    let is_kept = || Caller::anybody().list(&host.socket()).map(|reply| guests::counted(&reply.msg).is_some());
    assert!(is_kept()?);
    is_well(&host)?;
    disk.fill()?;
    warned(&host, "its disk has 0 KiB left")?;
    // What is free within the file is used up first.
    let refused = (0..5_000).find(|_| is_kept().is_ok_and(|kept| !kept));
    assert!(refused.is_some(), "everything could be kept");
    let found = wait::until("that the host is not ready", wait::DEADLINE, || {
        denying(&host).ok()?.into_iter().find(|found| found.contains("the disk is full"))
    })?;
    assert!(found.starts_with("state "), "{found}");
    let metrics = get(&host, "/metrics")?.text();
    assert!(
        metrics.contains("\nportcullis_state_available 0\n") && metrics.contains("\nportcullis_ready 0\n"),
        "{metrics}"
    );
    disk.empty()?;
    is_well(&host)?;
    assert!(is_kept()?);
    Ok(())
}

#[test]
fn little_room_under_the_store_is_a_warning() -> Result<()> {
    let (_disk, host) = on_small_disk("allow", &guests::wasm("allow")?, "", "8m")?;
    let warning = warned(&host, "KiB left; when it is full, changes of what policies keep are refused")?;
    assert!(warning.starts_with("state room: "), "{warning}");
    let metrics = get(&host, "/metrics")?.text();
    let free = metrics.lines().find_map(|line| line.strip_prefix("portcullis_state_free_bytes ")?.parse::<u64>().ok());
    assert!(free.is_some_and(|free| free > 1 << 20 && free < 8 << 20), "{free:?}");
    Ok(())
}

#[test]
fn a_cache_that_cannot_be_written_is_told_once_and_without_where_wasmtime_was_built() -> Result<()> {
    let config = Config::new()?;
    let cache = config.path().join("cache");
    fs::create_dir(&cache).map_err(io)?;
    let disk = SmallDisk::over(&cache, "1m")?;
    let path = config.policy("allow-all")?.write()?;
    let toml = fs::read_to_string(path.join("portcullis.toml")).map_err(io)?;
    let line = toml.lines().find(|line| line.starts_with("cache_dir")).unwrap_or_default();
    fs::write(path.join("portcullis.toml"), toml.replace(line, &format!("cache_dir = {cache:?}"))).map_err(io)?;
    read_only(&cache, true)?;
    let host = start(&path)?;
    let told = host.wait_for_line(portcullis_tests::log::Log::START, "that it is told", |line| {
        line.contains("each start compiles every policy again").then(|| line.to_owned())
    })?;
    assert!(told.contains(&cache.display().to_string()), "{told}");
    host.terminate(wait::DEADLINE)?;
    for line in host.log().since(portcullis_tests::log::Log::START) {
        assert!(!line.contains(".cargo") && !line.contains("registry/src") && !line.contains("log.file"), "{line}");
    }
    read_only(&cache, false)?;
    drop(disk);
    Ok(())
}

fn read_only(folder: &Path, is: bool) -> Result<()> {
    let how = if is { "remount,ro" } else { "remount,rw" };
    Finished::well(Command::new("mount").args(["-o", how]).arg(folder)).map(drop)
}

fn start(path: &Path) -> Result<portcullis_tests::process::Process> {
    let binary = portcullis_tests::artifacts::portcullis()?;
    let process = portcullis_tests::process::Process::start("portcullis", &binary.to_string_lossy(), |command| {
        command.arg("serve").arg("--config").arg(path);
    })?;
    let ready = |line: &str| line.contains("\"message\":\"ready\"").then_some(());
    process.wait_for_line(portcullis_tests::log::Log::START, "that it is ready", ready)?;
    Ok(process)
}

#[test]
fn a_tenant_whose_folder_was_made_just_now_can_be_asked_about_and_changed_at_once() -> Result<()> {
    let host = Config::new()?.policy("allow-all")?.start()?;
    let folder = host.config().path().display().to_string();
    for round in 0..20 {
        let (name, other) = (format!("t{round}"), format!("u{round}"));
        host.config().put_tenant(&name, &format!("[[match]]\nuser = \"{name}\"\n"))?;
        let status = run(&["status", "--tenant", &name, "--config", &folder])?;
        assert_eq!(status.code(), Some(0), "{status:?}");
        assert!(status.stdout.contains(&name), "{status:?}");
        host.config().put_tenant(&other, &format!("[[match]]\nuser = \"{other}\"\n"))?;
        host.config().put("x.json", b"1")?;
        let file = host.config().path().join("x.json").display().to_string();
        let put = run(&["data", "put", "/x", &file, "--tenant", &other, "--config", &folder])?;
        assert_eq!(put.code(), Some(0), "{put:?}");
    }
    let none = run(&["status", "--tenant", "nobody", "--config", &folder])?;
    assert_eq!(none.code(), Some(1), "{none:?}");
    assert!(none.stderr.contains("no tenant `nobody` is active"), "{none:?}");
    host.config().put_tenant("broken", "default = 3\n")?;
    let broken = run(&["status", "--tenant", "broken", "--config", &folder])?;
    assert_eq!(broken.code(), Some(1), "{broken:?}");
    Ok(())
}

/// What the command prints; nothing in it stands there twice.
fn printed(host: &Portcullis, command: &str) -> Result<String> {
    let told = run(&[command, "--config", &host.config().path().display().to_string()])?;
    let mut seen = std::collections::BTreeSet::new();
    for line in told.stdout.lines().filter(|line| line.contains(".wasm: ") || line.contains(".json:")) {
        assert!(seen.insert(line.trim().trim_start_matches("warning: ").to_owned()), "twice: {line}: {told:?}");
    }
    Ok(told.stdout)
}

#[test]
fn a_trouble_is_told_once_and_says_whether_the_last_good_version_stays() -> Result<()> {
    let host = Config::new()?
        .policy("allow-all")?
        .file("data/good.json", b"1")?
        .file("data/never.json", b"{")?
        .file("data/neither.json", b"[")?
        .file("policies/never.wasm", b"broken")?
        .start()?;
    let told = readiness(&host)?;
    let mut denying = denying(&host)?;
    denying.sort();
    assert_eq!(denying.len(), 3, "{denying:#?}");
    for (text, start) in denying.iter().zip(["data neither: ", "data never: ", "policy never: "]) {
        assert!(text.starts_with(start), "{text}");
    }
    assert!(told.warnings.is_empty() && told.denying.iter().all(|finding| !finding.last_good_stays), "{told:#?}");
    for command in ["ready", "status"] {
        let text = printed(&host, command)?;
        assert_eq!(text.matches("never.json:").count(), 1, "{text}");
        assert!(!text.contains("last good version"), "{text}");
    }
    for name in ["policies/never.wasm", "data/never.json", "data/neither.json"] {
        host.config().remove(name)?;
    }
    is_well(&host)?;
    for name in ["policies/allow-all.wasm", "data/good.json"] {
        host.config().put(name, b"{")?;
        wait::until("a warning", wait::DEADLINE, || {
            readiness(&host).ok()?.warnings.iter().any(|finding| finding.problem.contains(name)).then_some(())
        })?;
    }
    let told = readiness(&host)?;
    assert!(told.is_ready && told.warnings.len() == 2, "{told:#?}");
    assert!(told.warnings.iter().all(|finding| finding.last_good_stays), "{told:#?}");
    for (command, marks) in [("ready", 2), ("status", 2)] {
        let text = printed(&host, command)?;
        assert_eq!(text.matches("(the last good version stays active)").count(), marks, "{text}");
    }
    assert!(printed(&host, "status")?.contains("last good version: the file is broken"));
    assert!(Caller::anybody().list(&host.socket())?.allow);
    Ok(())
}

#[test]
fn folders_that_are_removed_leave_what_was_loaded_active() -> Result<()> {
    let host = Config::new()?
        .policy("allow-all")?
        .file("data/good.json", b"1")?
        .tenant("ci", "[[match]]\nuser = \"ci\"\n")?
        .tenant_policy("ci", "deny-all")?
        .file("tenants/ci/data/own.json", b"2")?
        .start()?;
    let data = || run(&["data", "get", "/good", "--config", &host.config().path().display().to_string()]);
    assert_eq!(data()?.stdout.trim(), "1");
    for (folder, what) in
        [("data", "data"), ("tenants/ci/policies", "policy"), ("tenants/ci/data", "data"), ("tenants", "tenant")]
    {
        let (here, aside) = (host.config().path().join(folder), host.config().path().join("aside"));
        fs::rename(&here, &aside).map_err(io)?;
        let warning = warned(&host, &format!("{}: the folder cannot be read: ", here.display()))?;
        assert!(warning.starts_with(what) && warning.contains("help: put the folder back"), "{warning}");
        assert!(readiness(&host)?.warnings.iter().all(|finding| finding.last_good_stays));
        assert_eq!(data()?.stdout.trim(), "1", "{folder}");
        assert!(!Caller::named("ci").list(&host.socket())?.allow, "{folder}");
        assert!(Caller::anybody().list(&host.socket())?.allow, "{folder}");
        fs::rename(&aside, &here).map_err(io)?;
        is_well(&host)?;
    }
    // Emptied, it is empty.
    host.config().remove("data/good.json")?;
    wait::until("no document", wait::DEADLINE, || data().ok().filter(|told| told.code() == Some(1)).map(drop))?;
    is_well(&host)
}
