//! `portcullis.toml`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use portcullis_docker::Rules;
use portcullis_model::decision::DefaultVerdict;

use crate::limits::at_least_one;
use crate::problem::Problems;
use crate::reader::{File, Table};
use crate::setting::Bytes;
use crate::{Config, HostLimits, Listener, admin, decision_log, telemetry};

type Objection = Result<(), (String, String)>;

pub(crate) fn read(dir: &Path, path: &Path, text: &str, problems: &mut Problems) -> Config {
    File::read(path, text, problems, |file| Config {
        // The kernel's notices are by absolute paths, and are compared with it.
        dir: std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned()),
        state_dir: file.get("state_dir").unwrap_or_else(|| PathBuf::from("/var/lib/portcullis")),
        cache_dir: file.get("cache_dir").unwrap_or_else(|| PathBuf::from("/var/cache/portcullis")),
        admin_socket: file.get_checked("admin_socket", fits).unwrap_or_else(|| PathBuf::from(Config::ADMIN_SOCKET)),
        admin: admin::read(file),
        default: default_verdict(file).unwrap_or_default(),
        exempt_ping: file.get("exempt_ping").unwrap_or(true),
        rules: rules(file),
        trusted_headers: file.get("trusted_headers").unwrap_or_default(),
        listeners: listeners(file),
        limits: file.table("limits", limits).unwrap_or_default(),
        decision_log: file.table("decision_log", decision_log::read).unwrap_or_default(),
        metrics: file.table("metrics", telemetry::metrics).unwrap_or_default(),
        traces: file.table("traces", telemetry::traces).flatten(),
    })
}

/// Only `admin_socket`: other keys, and what of the file is not TOML, do not matter.
pub(crate) fn admin_socket(path: &Path, text: &str, problems: &mut Problems) -> Option<PathBuf> {
    File::read_one(path, text, problems, |file| file.get_checked("admin_socket", fits))
}

/// The key `default`, of the host's file or a tenant's.
pub(crate) fn default_verdict(file: &mut Table<'_, '_, '_>) -> Option<DefaultVerdict> {
    let check = |verdict: &String| match verdict.as_str() {
        "allow" | "deny" => Ok(()),
        other => Err((format!("is `{other}`"), "expected \"allow\" or \"deny\"".to_owned())),
    };
    match file.get_checked("default", check)?.as_str() {
        "allow" => Some(DefaultVerdict::Allow),
        _ => Some(DefaultVerdict::Deny),
    }
}

fn rules(file: &mut Table<'_, '_, '_>) -> Rules {
    let mut rules = Rules::default();
    let version = file.get_checked("min_api_version", |version: &String| {
        version
            .parse()
            .map(|version| rules.min_api_version = Some(version))
            .map_err(|_| (format!("is `{version}`"), "expected an API version in quotes, such as \"1.40\"".to_owned()))
    });
    drop(version);
    file.get_checked("disabled_rules", |names: &Vec<String>| {
        for name in names {
            let rule = name.parse::<portcullis_docker::HostRule>().map_err(|_| {
                let all: Vec<_> = portcullis_docker::HostRule::ALL.iter().map(|rule| rule.name()).collect();
                (format!("names `{name}`, which is not a host rule"), format!("there are: {}", all.join(", ")))
            })?;
            rules.disable(rule);
        }
        Ok(())
    });
    rules
}

fn listeners(file: &mut Table<'_, '_, '_>) -> Vec<Listener> {
    let Some(listeners) = file.tables("listener", listener) else {
        return vec![Listener::default()];
    };
    let mut seen: Vec<Listener> = Vec::new();
    for (listener, line) in listeners {
        if seen.iter().any(|other| other.name == listener.name) {
            let what = format!("two listeners have the name `{}`", listener.name);
            file.problem(line, what, "give each `[[listener]]` a `name` of its own");
        }
        if seen.iter().any(|other| other.socket == listener.socket) {
            let what = format!("two listeners have the socket `{}`", listener.socket.display());
            file.problem(line, what, "give each `[[listener]]` a `socket` of its own");
        }
        seen.push(listener);
    }
    seen
}

fn listener(table: &mut Table<'_, '_, '_>, line: Option<usize>) -> (Listener, Option<usize>) {
    let default = Listener::default();
    let listener = Listener {
        name: table.get("name").unwrap_or(default.name),
        socket: table.get_checked("socket", socket_path).unwrap_or(default.socket),
        allow_uids: table.get("allow_uids").unwrap_or(default.allow_uids),
        tenant: table.get("tenant"),
    };
    (listener, line)
}

#[expect(clippy::ptr_arg, reason = "`get_checked` hands over what it read")]
fn fits(path: &PathBuf) -> Objection {
    let length = path.as_os_str().len();
    if length <= Listener::MAX_SOCKET_PATH {
        return Ok(());
    }
    let what = format!("is {length} bytes long; a unix socket's path has at most {}", Listener::MAX_SOCKET_PATH);
    Err((what, "choose a shorter folder or name".into()))
}

fn socket_path(path: &PathBuf) -> Objection {
    fits(path)?;
    if path.extension().is_none_or(|extension| extension != "sock") {
        let what = format!("is `{}`, which dockerd would not find", path.display());
        return Err((what, "its name must end in `.sock`; what is before it is the plugin's name".into()));
    }
    Ok(())
}

fn limits(table: &mut Table<'_, '_, '_>) -> HostLimits {
    let default = HostLimits::default();
    HostLimits {
        connections: table.get_checked("connections", at_least_one).unwrap_or(default.connections),
        call_bytes: table.get_checked("call_bytes", call_bytes).map_or(default.call_bytes, |bytes| bytes.0),
        calls_bytes: table.get_checked("calls_bytes", call_bytes).map_or(default.calls_bytes, |bytes| bytes.0),
        large_calls_memory: table
            .get_checked("large_calls_memory", large_calls_memory)
            .map_or(default.large_calls_memory, |bytes| bytes.0),
        read_timeout: table.get_checked("read_timeout", some_time).unwrap_or(default.read_timeout),
        idle_timeout: table.get_checked("idle_timeout", some_time).unwrap_or(default.idle_timeout),
        decision_timeout: table.get_checked("decision_timeout", some_time).unwrap_or(default.decision_timeout),
        instances: table.get_checked("instances", instances).unwrap_or(default.instances),
        shutdown_grace: table.get("shutdown_grace").unwrap_or(default.shutdown_grace),
    }
}

fn instances(number: &u32) -> Objection {
    if (1..=1000).contains(number) { Ok(()) } else { Err((format!("is {number}"), "expected 1 to 1000".into())) }
}

fn call_bytes(bytes: &Bytes) -> Objection {
    if (Bytes(64 << 10)..=Bytes(1 << 30)).contains(bytes) {
        return Ok(());
    }
    Err((format!("is {} bytes", bytes.0), "expected 64KiB to 1GiB".into()))
}

fn large_calls_memory(bytes: &Bytes) -> Objection {
    if (Bytes(1 << 20)..=Bytes(64 << 30)).contains(bytes) {
        return Ok(());
    }
    Err((format!("is {} bytes", bytes.0), "expected 1MiB to 64GiB".into()))
}

fn some_time(time: &Duration) -> Objection {
    if time.is_zero() { Err(("is 0".into(), "expected at least \"1ms\"".into())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_known_by_its_absolute_path_however_it_is_given() {
        let here = std::env::current_dir().expect("a working folder");
        for (given, expected) in
            [("/etc/portcullis", "/etc/portcullis".into()), (".", here.clone()), ("a/b", here.join("a/b"))]
        {
            let mut problems = Problems::default();
            let config = read(Path::new(given), &Path::new(given).join("portcullis.toml"), "", &mut problems);
            assert!(problems.is_empty());
            assert_eq!(config.dir, expected, "{given}");
        }
    }
}
