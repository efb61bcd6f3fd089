//! Users and what they may do, from the operator's data: writers anything, readers what changes nothing, and others what their
//! roles say.

mod operations;
mod processes;
mod role;

use portcullis_policy::settings::Setting;
use portcullis_policy::{Access, Document, Request, Value, Verdict, policy, settings};

use self::role::{Called, Outcome};

policy!(decide, prepare);

/// What only reads, and yet gives a reader more than a look: the keys of the cluster, the files of containers and
/// images, folders of the host. The setting `readers_may_not` takes the place of this list.
const MORE_THAN_A_LOOK: [&str; 8] = [
    "SwarmInspect",
    "SwarmUnlockkey",
    "ContainerArchive",
    "ContainerArchiveInfo",
    "ContainerExport",
    "ImageGet",
    "ImageGetAll",
    "(CheckpointList)",
];

const SETTINGS: [Setting<'_>; 2] = [Setting::texts("readers_may_not"), Setting::text("user_header")];

pub fn prepare(settings: &Document) -> Result<(), String> {
    settings.check(&SETTINGS)?;
    let listed = settings.texts("/readers_may_not").unwrap_or_default();
    match listed.iter().find(|listed| operations::group_of(listed).is_none()) {
        Some(unknown) => Err(format!("`readers_may_not` names `{unknown}`, which is no operation")),
        None => Ok(()),
    }
}

pub fn decide(request: &Request, data: &Document) -> Verdict {
    match judge(request, data) {
        Ok(()) => Verdict::allow(),
        Err(reason) => Verdict::deny(reason),
    }
}

/// An error is why the call is denied.
fn judge(request: &Request, data: &Document) -> Result<(), String> {
    let settings = settings();
    let user = user(request, &settings).ok_or("nobody has proved who is calling")?;
    let entry = data.at(["users", &user]);
    if !entry.exists() {
        return Err(format!("`{user}` is not a known user"));
    }
    let (read_only, roles) = (entry.at(["readOnly"]), entry.at(["roles"]));
    match (read_only.exists(), roles.exists()) {
        (false, true) => by_roles(request, &settings, data, &user, &roles),
        (true, true) => Err(format!("`{user}` has both `readOnly` and `roles`; give one of them")),
        (_, false) => match read_only.boolean() {
            Some(false) => Ok(()),
            Some(true) => for_reader(request, &settings, &user),
            None => {
                Err(format!("the role of `{user}` is not given: `readOnly` is true or false, or `roles` is a list"))
            }
        },
    }
}

fn for_reader(request: &Request, settings: &Document, user: &str) -> Result<(), String> {
    let operation = request.operation();
    if request.access() == Access::Write {
        return Err(format!("`{user}` may only read, and {operation} changes something"));
    }
    if is_more_than_a_look(request, settings) {
        return Err(format!("`{user}` may only look, and {operation} gives more than that"));
    }
    Ok(())
}

fn by_roles(
    request: &Request,
    settings: &Document,
    data: &Document,
    user: &str,
    roles: &Value<'_>,
) -> Result<(), String> {
    let roles = roles.texts().ok_or_else(|| format!("`roles` of `{user}` must be a list of names"))?;
    let operation = request.operation();
    let called = Called::new(request, is_more_than_a_look(request, settings));
    match role::decide(data, &roles, &called)? {
        Outcome::Allowed => Ok(()),
        Outcome::Denied(role, entry) => {
            Err(format!("`{user}` may not do {operation}: the role `{role}` denies `{entry}`"))
        }
        Outcome::NotAllowed(allowed) if allowed.is_empty() => {
            Err(format!("`{user}` may not do {operation}: no role of theirs allows anything"))
        }
        Outcome::NotAllowed(allowed) => {
            Err(format!("`{user}` may not do {operation}; allowed are {}", allowed.join(", ")))
        }
    }
}

fn is_more_than_a_look(request: &Request, settings: &Document) -> bool {
    let operation = &*request.operation();
    if operation == "ContainerTop" && !processes::are_the_containers(&request.query("ps_args").unwrap_or_default()) {
        return true;
    }
    if !settings.at(["readers_may_not"]).exists() {
        return MORE_THAN_A_LOOK.contains(&operation);
    }
    // A list that cannot be read forbids everything.
    settings.texts("/readers_may_not").is_none_or(|listed| listed.iter().any(|listed| listed == operation))
}

/// The common name of the caller's certificate; without a certificate, the header that the settings name, if they name
/// one. Who has a certificate cannot be somebody else by a header, also where the certificate has no common name.
fn user(request: &Request, settings: &Document) -> Option<String> {
    let by_header = || {
        let has_certificate = request.authentication().is_some() || !request.certificates().is_empty();
        if has_certificate { None } else { request.header(&settings.text("/user_header")?) }
    };
    request.user().or_else(by_header).filter(|user| !user.is_empty())
}

#[cfg(test)]
mod tests {
    use portcullis_policy::testing;

    use super::{decide, prepare};

    #[test]
    fn cases() {
        testing::run_cases_with(decide, prepare);
    }
}
