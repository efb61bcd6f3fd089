//! Networks that are the agent's own.

use pod_security::{Call, Control, Kind, Objection};

/// What each host has, and what leads nowhere.
const ALWAYS: [&str; 4] = ["", "bridge", "default", "none"];

pub(crate) const OWN: Control = Control {
    name: "own-networks",
    of: &[Kind::Create, Kind::Service, Kind::NetworkCreate, Kind::NetworkConnect, Kind::Build],
    objection: of_others,
};

fn of_others(call: &Call<'_>) -> Objection {
    let names = names(call);
    let mut asked = names.iter().filter(|name| !ALWAYS.contains(&name.as_str())).peekable();
    asked.peek()?;
    let own = call.list("networks").unwrap_or_default();
    let other = asked.find(|name| !own.iter().any(|pattern| fits(name, pattern)))?;
    Some(if own.is_empty() {
        format!("the network `{other}` may not be made or joined; use `bridge`, or none").into()
    } else {
        format!("the network `{other}` may not be made or joined; give one of these by its name: {}", own.join(", "))
            .into()
    })
}

fn names(call: &Call<'_>) -> Vec<String> {
    if call.kind == Kind::NetworkCreate {
        return call.request.created_network().map(|network| network.name).into_iter().collect();
    }
    if call.kind == Kind::Build {
        return call.request.query("networkmode").into_iter().collect();
    }
    call.request.networks().into_iter().map(|joined| joined.network).collect()
}

/// `shop_*` is every name that begins with `shop_`.
fn fits(name: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}
