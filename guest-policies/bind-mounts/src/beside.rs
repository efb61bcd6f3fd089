//! What has folders of the host mounted without a mount in the call.

use portcullis_policy::{Kind, Request, settings};

pub(crate) fn objection(request: &Request) -> Option<String> {
    let (setting, reason) = match &*request.operation() {
        // A managed plugin is a program of the host, with the mounts that its own configuration asks for.
        "PluginPull" | "PluginUpgrade" | "PluginCreate" | "PluginEnable" | "PluginSet" => {
            ("/plugins", "plugins may not be installed, changed or enabled: a plugin mounts what it asks for")
        }
        "ServiceCreate" | "ServiceUpdate" if runs_plugin(request) => {
            ("/plugins", "services may not run plugins: a plugin mounts what it asks for")
        }
        // From then on, managers elsewhere have tasks run here.
        "SwarmJoin" => ("/swarm_join", "this host may not join a swarm, whose managers could then mount all of it"),
        _ => return None,
    };
    let allowed = settings().boolean(setting).unwrap_or(false);
    (!allowed).then(|| reason.to_owned())
}

/// A service runs a container, unless it says so (moby's `daemon/cluster/convert/service.go`).
fn runs_plugin(request: &Request) -> bool {
    let Some(body) = request.body() else { return false };
    let has_spec = body.kind("/TaskTemplate/PluginSpec").is_some_and(|kind| kind != Kind::Null);
    let runtime = body.text("/TaskTemplate/Runtime").unwrap_or_default();
    has_spec || !matches!(&*runtime, "" | "container")
}
