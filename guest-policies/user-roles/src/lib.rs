//! Users and what they may do, from the operator's data: writers anything, readers what changes nothing.

use portcullis_policy::{Access, Document, Request, Verdict, policy, settings};

policy!(decide);

/// What only reads, and yet gives a reader more than a look: the keys of the cluster, the files of containers and
/// images, folders of the host, the daemon's own memory. The setting `readers_may_not` takes the place of this list.
const MORE_THAN_A_LOOK: [&str; 14] = [
    "SwarmInspect",
    "SwarmUnlockkey",
    "ContainerArchive",
    "ContainerExport",
    "ImageGet",
    "ImageGetAll",
    "(CheckpointList)",
    "(DebugVars)",
    "(DebugPprofIndex)",
    "(DebugPprofCmdline)",
    "(DebugPprofProfile)",
    "(DebugPprofSymbol)",
    "(DebugPprofTrace)",
    "(DebugPprofName)",
];

pub fn decide(request: &Request, data: &Document) -> Verdict {
    let settings = settings();
    let Some(user) = user(request, &settings) else {
        return Verdict::deny("nobody has proved who is calling");
    };
    let role = data.at(["users", &user]);
    if !role.exists() {
        return Verdict::deny(format!("`{user}` is not a known user"));
    }
    match role.at(["readOnly"]).boolean() {
        Some(false) => Verdict::allow(),
        Some(true) => decide_for_reader(request, &settings, &user),
        None => Verdict::deny(format!("the role of `{user}` is not given: `readOnly` is true or false")),
    }
}

fn decide_for_reader(request: &Request, settings: &Document, user: &str) -> Verdict {
    let operation = request.operation();
    if request.access() == Access::Write {
        return Verdict::deny(format!("`{user}` may only read, and {operation} changes something"));
    }
    let forbidden = match settings.texts("/readers_may_not") {
        Some(operations) => operations.contains(&operation),
        None => MORE_THAN_A_LOOK.contains(&&*operation),
    };
    if forbidden {
        return Verdict::deny(format!("`{user}` may only look, and {operation} gives more than that"));
    }
    Verdict::allow()
}

/// The common name of the caller's certificate; without one, the header that the settings name, if they name one. In
/// this order: who has a certificate cannot be somebody else by a header.
fn user(request: &Request, settings: &Document) -> Option<String> {
    let user = request.user().or_else(|| request.header(&settings.text("/user_header")?))?;
    Some(user).filter(|user| !user.is_empty())
}

#[cfg(test)]
mod tests {
    use portcullis_policy::testing;

    use super::decide;

    #[test]
    fn cases() {
        testing::run_cases(decide);
    }
}
