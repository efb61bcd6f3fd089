//! `ulimit`s, each by its name.

use portcullis_policy::Value;
use portcullis_policy::view::Ulimit;

use crate::limit::{Amount, Call, Limit, Resource, is_object};
use crate::rules::{Rules, ULIMITS};
use crate::unit::Unit;

static ULIMIT: Resource = Resource {
    name: ULIMITS,
    what: "",
    flags: ["--ulimit", "--ulimit"],
    unit: Unit::Count,
    pointers: [None, None],
    is_open: false,
};

pub(crate) fn objection(rules: &Rules<'_>, given: &[Ulimit], call: Call) -> Option<String> {
    let settings = rules.get(ULIMITS);
    if !settings.exists() {
        return None;
    }
    let allows_others = rules.get("other_ulimits").boolean().unwrap_or(true);
    let mut limits = Vec::new();
    for (name, value) in settings.members() {
        match limit(&name, &value) {
            Ok(limit) => limits.push((name, limit)),
            Err(problem) => return Some(problem),
        }
    }
    let missing = limits.iter().find(|(name, limit)| {
        limit.is_required() && call != Call::Update && !given.iter().any(|ulimit| is_same(&ulimit.name, name))
    });
    if let Some((name, _)) = missing {
        return Some(format!("a limit on `{name}` must be given: `--ulimit {name}=…`"));
    }
    given.iter().find_map(|ulimit| match limits.iter().find(|(name, _)| is_same(&ulimit.name, name)) {
        Some((name, limit)) => [ulimit.soft, ulimit.hard].into_iter().find_map(|amount| {
            let amount = if amount < 0 { Amount::Unlimited } else { Amount::Of(amount) };
            limit.objection(&ULIMIT, amount, call).map(|reason| format!("`{name}`:{reason}"))
        }),
        None if allows_others => None,
        None => Some(format!("the ulimit `{}` may not be set", ulimit.name)),
    })
}

pub(crate) fn check(value: &Value<'_>) -> Result<(), String> {
    if !is_object(value) {
        return Err(format!("`{ULIMITS}` must be an object of limits by name"));
    }
    value.members().try_for_each(|(name, value)| limit(&name, &value).map(|_| ()))
}

fn limit(name: &str, value: &Value<'_>) -> Result<Limit, String> {
    Limit::of(value, &ULIMIT).map_err(|problem| format!("`{name}` of `{ULIMITS}` {problem}"))
}

/// The daemon makes `RLIMIT_NOFILE` of every name whose capital letters are those (`withRlimits` in moby's
/// `daemon/oci_linux.go`): also of `nofıle`.
fn is_same(given: &str, name: &str) -> bool {
    given.to_uppercase() == name.to_uppercase()
}
