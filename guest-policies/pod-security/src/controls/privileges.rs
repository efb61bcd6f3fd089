//! Privileged containers and capabilities.

use crate::call::{Call, Kind, MAKES};
use crate::text::short;
use crate::{Control, Objection};

/// What Docker gives to each container (moby's `daemon/pkg/oci/caps/defaults.go`).
const DEFAULT: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

pub const PRIVILEGED: Control = Control { name: "privileged", of: &[Kind::Create, Kind::Exec], objection: privileged };

/// None beyond Docker's own.
pub const CAPABILITIES: Control = Control { name: "capabilities", of: MAKES, objection: beyond_default };

/// None but `NET_BIND_SERVICE`.
pub const FEW_CAPABILITIES: Control = Control { name: "capabilities", of: MAKES, objection: more_than_few };

pub const DROP_CAPABILITIES: Control = Control { name: "drop-capabilities", of: MAKES, objection: keeps_some };

fn privileged(call: &Call<'_>) -> Objection {
    let reason = if call.kind == Kind::Exec {
        "a privileged exec has every capability; leave out `--privileged`"
    } else {
        "a privileged container has the whole host; leave out `--privileged`, and give it the devices and capabilities \
         that it needs"
    };
    call.request.privileged().then(|| reason.into())
}

fn beyond_default(call: &Call<'_>) -> Objection {
    let capability = added(call, &DEFAULT)?;
    Some(
        format!(
            "the capability `{}` may not be added; allowed are those that Docker gives to each container",
            short(capability)
        )
        .into(),
    )
}

fn more_than_few(call: &Call<'_>) -> Objection {
    let capability = added(call, &["CAP_NET_BIND_SERVICE"])?;
    Some(
        format!("the capability `{}` may not be added; allowed is `--cap-add NET_BIND_SERVICE`", short(capability))
            .into(),
    )
}

/// An added capability that is not one of these, and not in the settings.
fn added<'c>(call: &'c Call<'_>, allowed: &[&str]) -> Option<&'c str> {
    let mut added = call.capabilities().added.iter();
    added.find(|name| !allowed.contains(&name.as_str()) && !call.lists("capabilities", name)).map(String::as_str)
}

fn keeps_some(call: &Call<'_>) -> Objection {
    let dropped = &call.capabilities().dropped;
    // Daemons ignore it of a service below 1.41.
    let drops_all = dropped.iter().any(|name| name == "ALL") && !call.is_service_below(41);
    (!drops_all).then(|| "all capabilities must be dropped: add `--cap-drop ALL` (`CapDrop: [\"ALL\"]`, of a service `CapabilityDrop`)".into())
}
