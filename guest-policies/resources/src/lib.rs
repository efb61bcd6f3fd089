//! How much of the machine containers, services and builds may take: memory, processors, processes, and so on.

mod block_io;
mod limit;
mod restart;
mod rules;
mod ulimits;
mod unit;

use portcullis_policy::view::Resources;
use portcullis_policy::{Document, Request, Verdict, policy, settings};

use crate::limit::{Amount, Call};
use crate::rules::{
    CPU_SHARES, CPUS, CPUS_RESERVATION, MEMORY, MEMORY_RESERVATION, MEMORY_SWAP, PIDS, REPLICAS, Rules, SHARED_MEMORY,
    STORAGE,
};

policy!(decide, prepare);

/// Microseconds, where a quota has none (the kernel's default, which runc keeps).
const DEFAULT_PERIOD: i64 = 100_000;

const NO_PERIOD: &str = "give `--cpu-quota` and `--cpu-period` together, or `--cpus`";

pub fn prepare(settings: &Document) -> Result<(), String> {
    rules::prepare(settings)
}

pub fn decide(request: &Request, data: &Document) -> Verdict {
    let call = match &*request.operation() {
        "ContainerCreate" => Call::Create,
        "ContainerUpdate" => Call::Update,
        "ServiceCreate" | "ServiceUpdate" => Call::Service,
        "ImageBuild" | "(GRPC)" => Call::Build,
        _ => return otherwise(),
    };
    let settings = settings();
    match Rules::of_call(request, data, &settings) {
        Ok(None) => otherwise(),
        Ok(Some(rules)) => objection(request, &rules, call).map_or_else(otherwise, Verdict::deny),
        Err(problem) => Verdict::deny(problem),
    }
}

/// What this policy says where it has no objection.
fn otherwise() -> Verdict {
    match settings().text("/otherwise").as_deref() {
        Some("abstain") => Verdict::abstain(),
        Some(_) | None => Verdict::allow(),
    }
}

fn objection(request: &Request, rules: &Rules<'_>, call: Call) -> Option<String> {
    if call == Call::Build {
        if rules.is_on("unlimited_builds") {
            return None;
        }
        if let Some(reason) = of_builder(request, rules) {
            return Some(reason);
        }
        // What BuildKit's own protocol asks for is in no view.
        let build = request.build()?;
        if let Some(parameter) = build.unreadable.iter().find(|parameter| *parameter == "ulimits") {
            return Some(format!("the build's parameter `{parameter}` cannot be read"));
        }
    }
    // A plugin's service, and one that attaches networks, have no containers of their own.
    if call == Call::Service && request.service().is_some_and(|service| service.runtime != "container") {
        return None;
    }
    let resources = request.resources();
    amounts(&resources, rules, call)
        .or_else(|| ulimits::objection(rules, &resources.ulimits, call))
        .or_else(|| of_oom(&resources, rules))
        .or_else(|| match call {
            Call::Build => None,
            Call::Service => restart::objection(rules, request, call).or_else(|| of_replicas(request, rules)),
            Call::Create | Call::Update => restart::objection(rules, request, call)
                .or_else(|| block_io::objection(rules, request, &resources.block_io, call)),
        })
}

fn amounts(resources: &Resources, rules: &Rules<'_>, call: Call) -> Option<String> {
    let positive = |given: Option<i64>| given.map_or(Amount::NotGiven, Amount::Of);
    let mut amounts = vec![
        (&MEMORY, Amount::positive(resources.memory)),
        (&MEMORY_SWAP, swap(resources, rules, call)),
        (&MEMORY_RESERVATION, positive(resources.memory_reservation)),
        (&SHARED_MEMORY, positive(resources.shared_memory)),
        (&CPUS, processors(resources, rules, call)),
        (&CPUS_RESERVATION, positive(resources.nano_cpus_reservation)),
        (&CPU_SHARES, positive(resources.cpu_shares)),
    ];
    if call != Call::Build {
        amounts.push((&PIDS, Amount::positive(resources.pids)));
    }
    if call == Call::Create {
        amounts.push((&STORAGE, storage(resources)));
    }
    amounts.into_iter().find_map(|(resource, amount)| rules.objection(resource, amount, call))
}

/// Without a limit of its own, a container may swap as much as it has memory (`adaptContainerSettings` in moby's
/// `daemon/daemon_unix.go`); without one of memory, it has none of swap. An update that does not name it keeps the old one.
fn swap(resources: &Resources, rules: &Rules<'_>, call: Call) -> Amount {
    // A default of its own takes the place of twice the memory.
    if resources.memory_swap.is_none() && rules.default_of(&MEMORY_SWAP, call).is_some() {
        return Amount::NotGiven;
    }
    let memory = resources.memory.or_else(|| rules.default_of(&MEMORY, call));
    match (memory, resources.memory_swap) {
        (_, Some(swap)) if call == Call::Update => Amount::positive(Some(swap)),
        (_, None) if call == Call::Update => Amount::NotGiven,
        (Some(memory), None) if memory > 0 => Amount::Of(memory.saturating_mul(2)),
        (Some(_), swap) => Amount::positive(swap),
        (None, _) => Amount::Unlimited,
    }
}

/// A quota below 0 takes the limit away, that of `NanoCpus`, too (`getCPUResources` in moby's `daemon/daemon_unix.go`). An
/// update of only one of quota and period leaves the other as it was, which the call does not say.
fn processors(resources: &Resources, rules: &Rules<'_>, call: Call) -> Amount {
    let has_default = rules.default_of(&CPUS, call).is_some();
    let of_quota = |quota: i64, period: i64| {
        let nano = i128::from(quota) * 1_000_000_000 / i128::from(period.max(1));
        Amount::Of(i64::try_from(nano).unwrap_or(i64::MAX))
    };
    match (resources.nano_cpus, resources.cpu_quota, resources.cpu_period) {
        (_, Some(quota), _) if quota < 0 => Amount::Unlimited,
        (Some(nano), None, None) => Amount::positive(Some(nano)),
        // Daemons refuse both.
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) => Amount::Unknown(NO_PERIOD),
        (None, Some(quota), Some(period)) => of_quota(quota, period),
        (None, Some(quota), None) if call != Call::Update => of_quota(quota, DEFAULT_PERIOD),
        (None, Some(_), None) => Amount::Unknown(NO_PERIOD),
        // Beside a default, daemons refuse it.
        (None, None, Some(_)) if call == Call::Update || has_default => Amount::Unknown(NO_PERIOD),
        (None, None, _) => Amount::NotGiven,
    }
}

/// What the storage driver is told; 0 is no limit.
fn storage(resources: &Resources) -> Amount {
    let mut sizes = resources.storage.iter().filter(|option| option.name.eq_ignore_ascii_case("size"));
    let Some(size) = sizes.next() else { return Amount::NotGiven };
    let amount = |text: &str| unit::bytes(text).map_or(Amount::Unlimited, |bytes| Amount::positive(Some(bytes)));
    // Of two spellings, nobody knows which holds.
    if sizes.next().is_some() { Amount::Unlimited } else { amount(&size.value) }
}

fn of_oom(resources: &Resources, rules: &Rules<'_>) -> Option<String> {
    if resources.oom_kill_disable == Some(true) && !rules.is_on("oom_kill_disable") {
        return Some("a container must end when it is out of memory: leave out `--oom-kill-disable`".to_owned());
    }
    let score = resources.oom_score_adjustment.unwrap_or_default();
    if score < 0 && score < rules.least_oom_score() {
        return Some(format!("`--oom-score-adj` may not be below {}", rules.least_oom_score()));
    }
    let is_realtime = resources.cpu_realtime_runtime.is_some() || resources.cpu_realtime_period.is_some();
    (is_realtime && !rules.is_on("realtime"))
        .then(|| "a container may not have real-time processors: leave out `--cpu-rt-runtime`".to_owned())
}

fn of_replicas(request: &Request, rules: &Rules<'_>) -> Option<String> {
    let replicas = request.service()?.replicas?;
    rules.objection(&REPLICAS, Amount::Of(i64::try_from(replicas).unwrap_or(i64::MAX)), Call::Service)
}

/// What a build cannot have, and must.
fn of_builder(request: &Request, rules: &Rules<'_>) -> Option<String> {
    let wanted = [&MEMORY, &MEMORY_SWAP, &CPUS, &PIDS].into_iter().find(|resource| rules.is_required(resource))?;
    let is_limited = request.build().is_some_and(|build| build.builder == "1");
    if !is_limited {
        return Some(format!(
            "{} must be limited, and BuildKit's builds have no limits (the policy's setting `unlimited_builds`)",
            wanted.what
        ));
    }
    rules.is_required(&PIDS).then(|| {
        "processes must be limited, and those of a build cannot be (the policy's setting `unlimited_builds`)".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use portcullis_policy::Verdict;
    use portcullis_policy::testing::{self, Call, Policy, json};

    use super::{decide, prepare};

    #[test]
    fn cases() {
        testing::run_cases_with(decide, prepare);
    }

    /// What is demanded of a call, as pairs of pointer and value.
    fn demanded(policy: &mut Policy, call: &Call) -> BTreeMap<String, i64> {
        assert_eq!(policy.ask(call), Verdict::Allow, "{call:?}");
        let text = policy.demanded().iter().map(ToString::to_string);
        let pairs = text.map(|text| {
            let (pointer, value) = text.strip_prefix("set ").and_then(|rest| rest.split_once(" to ")).expect("sets");
            (pointer.to_owned(), value.parse().expect("a number"))
        });
        pairs.collect()
    }

    #[test]
    fn a_call_that_has_what_is_demanded_is_allowed_and_nothing_more_is_demanded() {
        let limit = |most: i64, default: i64| json!({ "most": most, "default": default });
        for (memory, swap, cpus, pids) in [(512, 1024, 2, 100), (64, 128, 1, 1), (6, 12, 4, 10_000)] {
            let settings = json!({
                "memory": limit(memory << 20, memory << 20), "memory_swap": { "most": swap << 20 },
                "cpus": limit(cpus, 1), "pids": limit(pids, pids), "shared_memory": limit(memory << 20, 1 << 20),
                "cpu_shares": limit(1024, 2), "memory_reservation": limit(memory << 20, 6 << 20),
            });
            let mut policy = Policy::new(decide).settings(settings);
            for given in
                [json!({}), json!({ "PidsLimit": 1 }), json!({ "CpuQuota": 1000 }), json!({ "Memory": 6 << 20 })]
            {
                let call =
                    |host: &_| Call::post("/v1.44/containers/create").body(json!({ "Image": "a", "HostConfig": host }));
                let mut host = given;
                for (pointer, value) in demanded(&mut policy, &call(&host)) {
                    host[pointer.strip_prefix("/HostConfig/").expect("of the host")] = json!(value);
                }
                assert_eq!(demanded(&mut policy, &call(&host)), BTreeMap::new(), "{host}");
            }
        }
    }
}
