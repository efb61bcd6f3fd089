//! How often a container may be started again by itself.

use portcullis_policy::view::RestartPolicy;
use portcullis_policy::{Request, Value};

use crate::limit::{Call, is_object};
use crate::rules::{RESTART, Rules};

const NEVER: &str = "no";

pub(crate) fn objection(rules: &Rules<'_>, request: &Request, call: Call) -> Option<String> {
    let settings = rules.get(RESTART);
    if !settings.exists() || (call == Call::Service && settings.at(["services"]).boolean() == Some(false)) {
        return None;
    }
    let policy = request.container().and_then(|container| container.restart)?;
    if policy.name == NEVER {
        return None;
    }
    if let Some(listed) = settings.at(["policies"]).texts()
        && !listed.contains(&policy.name)
    {
        return Some(format!(
            "the restart policy `{}` may not be used; allowed are {}",
            policy.name,
            listed.join(", ")
        ));
    }
    let most = u64::try_from(settings.at(["most_retries"]).integer()?).unwrap_or_default();
    let retries = retries(&policy, call);
    (retries.is_none_or(|retries| retries > most)).then(|| match call {
        Call::Service => format!(
            "a service's tasks may be started again at most {most} times: `--restart-max-attempts {most}`, or `--restart-condition none`"
        ),
        Call::Create | Call::Update | Call::Build => {
            format!("a container may be started again at most {most} times: `--restart on-failure:{most}`")
        }
    })
}

/// None: without an end. A container's count is for `on-failure` alone (`ShouldRestart` in moby's
/// `daemon/internal/restartmanager`).
fn retries(policy: &RestartPolicy, call: Call) -> Option<u64> {
    if call == Call::Service || policy.name == "on-failure" { policy.maximum_retries } else { None }
}

pub(crate) fn check(value: &Value<'_>) -> Result<(), String> {
    if !is_object(value) {
        return Err(format!("`{RESTART}` must be an object with `policies`, `most_retries`, `services`"));
    }
    for (key, value) in value.members() {
        let is_right = match &*key {
            "policies" => value.texts().is_some(),
            "most_retries" => value.integer().is_some_and(|most| most >= 0),
            "services" => value.boolean().is_some(),
            _ => return Err(format!("`{RESTART}` has `{key}`; there are `policies`, `most_retries`, `services`")),
        };
        if !is_right {
            return Err(format!("`{key}` of `{RESTART}` is of the wrong type"));
        }
    }
    Ok(())
}
