//! The daemon itself: plugins, swarms, checkpoints, its memory, the host's processes.

use portcullis_policy::Kind as JsonKind;

use crate::call::{Call, Kind};
use crate::text::short;
use crate::{Control, Objection};

pub const PLUGINS: Control =
    Control { name: "plugins", of: &[Kind::Plugin, Kind::Service, Kind::Secret], objection: plugin };
pub const SWARM: Control = Control { name: "swarm", of: &[Kind::Swarm], objection: swarm };
pub const CHECKPOINTS: Control =
    Control { name: "checkpoints", of: &[Kind::Checkpoint, Kind::Start], objection: checkpoint };
pub const HOST_PROCESSES: Control = Control { name: "host-processes", of: &[Kind::Top], objection: processes };
pub const DEBUG: Control = Control { name: "debug", of: &[Kind::Debug], objection: debug };
pub const UNKNOWN_OPERATIONS: Control =
    Control { name: "unknown-operations", of: &[Kind::Unknown], objection: unknown };

fn plugin(call: &Call<'_>) -> Objection {
    if call.kind == Kind::Service {
        let runtime = call.request.service().map(|service| service.runtime).unwrap_or_default();
        return (runtime != "container" || call.request.plugin().is_some()).then(|| {
            format!(
                "a service may only run containers, not `{}`; leave out `Runtime` and `PluginSpec`",
                short(&runtime)
            )
            .into()
        });
    }
    if call.kind == Kind::Secret {
        let driver = call.request.body()?.kind("/Driver").filter(|kind| *kind != JsonKind::Null);
        return driver.map(|_| "a plugin may not make secrets or configs; leave out `Driver`".into());
    }
    Some("a plugin is root on the host, with the mounts that it asks for; ask the operator to manage plugins".into())
}

fn swarm(_call: &Call<'_>) -> Objection {
    Some("who manages the swarm can run anything on every node, and who sees its tokens can join; ask the operator to do this".into())
}

fn checkpoint(call: &Call<'_>) -> Objection {
    if call.kind == Kind::Start {
        let name = call.request.query("checkpoint").filter(|name| !name.is_empty())?;
        return Some(
            format!("a container may not be started from the checkpoint `{}`; start it anew", short(&name)).into(),
        );
    }
    Some("checkpoints, which hold a container's memory, may not be used; stop and start the container".into())
}

/// The daemon runs `ps` for all processes of the host, and shows those whose column `PID` has one of the container's. A format
/// can give that name to another column (`psArgsRegexp` in moby's `daemon/top_unix.go`).
fn processes(call: &Call<'_>) -> Objection {
    let arguments = call.request.query("ps_args")?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b',' | b'-');
    (!arguments.bytes().all(is_plain)).then(|| {
        "these arguments of `ps` may show the host's processes; allowed are letters, digits, commas and dashes, such as `-o pid,args`".into()
    })
}

fn debug(_call: &Call<'_>) -> Objection {
    Some(
        "the daemon's own memory and threads may not be looked at; `docker info` and `docker events` show what it does"
            .into(),
    )
}

fn unknown(call: &Call<'_>) -> Objection {
    Some(format!("the operation `{}` is not known to this policy", short(&call.request.operation())).into())
}
