//! Limits of memory, processes and processors.

use portcullis_policy::view::Resources;

use crate::call::{CONTAINERS, Call, Kind};
use crate::{Control, Objection};

/// What the setting `limits` may list.
pub const KNOWN: [&str; 3] = ["memory", "pids", "cpus"];
const REQUIRED: [&str; 2] = ["memory", "pids"];

/// Those that the setting `limits` lists must be given.
pub const LIMITS: Control = Control { name: "limits", of: CONTAINERS, objection: unlimited };
/// They must be given, and be at most what the settings say.
pub const CAPPED: Control = Control { name: "limits", of: CONTAINERS, objection: above_cap };

const MEBIBYTE: i64 = 1 << 20;
const CPU: i64 = 1_000_000_000;
/// Docker's, if the call does not say: microseconds.
const PERIOD: i64 = 100_000;

/// A limit as a call gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    None,
    /// A create then has none, an update keeps the old one.
    NotGiven,
    /// In bytes, processes, billionths of a processor.
    At(i64),
}

fn unlimited(call: &Call<'_>) -> Objection {
    let set = call.list("limits");
    let is_required = |name: &str| match &set {
        Some(list) => list.iter().any(|listed| listed == name),
        None => REQUIRED.contains(&name),
    };
    let missing = KNOWN.into_iter().find(|name| is_required(name) && is_missing(call, limit_of(call, name)))?;
    Some(format!("the container must have a limit: {}", how(missing)).into())
}

fn above_cap(call: &Call<'_>) -> Objection {
    for (name, setting, default, unit) in
        [("memory", "memory_mib", 8192, MEBIBYTE), ("pids", "pids", 4096, 1), ("cpus", "cpus", 0, CPU)]
    {
        let most = call.setting(setting).and_then(|value| value.integer()).unwrap_or(default);
        if most == 0 {
            continue;
        }
        let limit = limit_of(call, name);
        if is_missing(call, limit) {
            return Some(format!("the container must have a limit of at most {most}: {}", how(name)).into());
        }
        if matches!(limit, Limit::At(value) if value > most.saturating_mul(unit)) {
            return Some(format!("the limit may be at most {most}: {}", how(name)).into());
        }
    }
    None
}

fn is_missing(call: &Call<'_>, limit: Limit) -> bool {
    match limit {
        Limit::None => true,
        Limit::NotGiven => call.kind != Kind::Update,
        Limit::At(_) => false,
    }
}

fn how(name: &str) -> &'static str {
    match name {
        "memory" => "memory, `--memory 512m`, without unlimited swap (of a service `--limit-memory`)",
        "pids" => "processes, `--pids-limit 200` (of a service `--limit-pids`)",
        _ => "processors, `--cpus 2` (of a service `--limit-cpu`)",
    }
}

/// Daemons ignore the limit of processes of a service below 1.41.
fn limit_of(call: &Call<'_>, name: &str) -> Limit {
    if name == "pids" && call.is_service_below(41) { Limit::None } else { limit(call.resources(), name) }
}

fn limit(resources: &Resources, name: &str) -> Limit {
    let given = |value: Option<i64>| match value {
        None => Limit::NotGiven,
        Some(value) if value > 0 => Limit::At(value),
        Some(_) => Limit::None,
    };
    match name {
        "memory" if resources.memory_swap.is_some_and(|swap| swap < 0) => Limit::None,
        "memory" => given(resources.memory),
        "pids" => given(resources.pids),
        _ => match (given(resources.nano_cpus), given(resources.cpu_quota)) {
            (Limit::NotGiven, Limit::At(quota)) => {
                let period = resources.cpu_period.filter(|period| *period > 0).unwrap_or(PERIOD);
                Limit::At(quota.saturating_mul(CPU) / period)
            }
            (Limit::NotGiven, quota) => quota,
            (cpus, _) => cpus,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_processors_is_given_in_two_ways() {
        let of =
            |nano_cpus, cpu_quota, cpu_period| limit(&Resources { nano_cpus, cpu_quota, cpu_period, ..none() }, "cpus");
        assert_eq!(of(Some(2 * CPU), None, None), Limit::At(2 * CPU));
        assert_eq!(of(None, Some(50_000), None), Limit::At(CPU / 2));
        assert_eq!(of(None, Some(50_000), Some(25_000)), Limit::At(2 * CPU));
        assert_eq!(of(None, Some(-1), None), Limit::None);
        assert_eq!(of(None, None, Some(25_000)), Limit::NotGiven);
    }

    fn none() -> Resources {
        Resources {
            memory: None,
            memory_reservation: None,
            memory_swap: None,
            memory_swappiness: None,
            kernel_memory: None,
            kernel_memory_tcp: None,
            shared_memory: None,
            nano_cpus: None,
            nano_cpus_reservation: None,
            cpu_shares: None,
            cpu_period: None,
            cpu_quota: None,
            cpu_realtime_period: None,
            cpu_realtime_runtime: None,
            cpus: None,
            memory_nodes: None,
            pids: None,
            oom_kill_disable: None,
            oom_score_adjustment: None,
            block_io: Vec::new(),
            ulimits: Vec::new(),
            storage: Vec::new(),
            generic: Vec::new(),
        }
    }
}
