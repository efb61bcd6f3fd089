//! What the settings say, and what the data say of the caller in their place.

use portcullis_policy::{Document, Request, Value, obligations};

use crate::limit::{Amount, Call, Limit, Resource, is_object};
use crate::unit::Unit;

/// Names of settings beside those of [`RESOURCES`].
pub(crate) const ULIMITS: &str = "ulimits";
pub(crate) const RESTART: &str = "restart";
const FLAGS: [&str; 4] = ["other_ulimits", "oom_kill_disable", "realtime", "unlimited_builds"];
const OOM_SCORE: &str = "least_oom_score";
const OTHERWISE: &str = "otherwise";

const fn resource(
    name: &'static str,
    what: &'static str,
    flags: [&'static str; 2],
    unit: Unit,
    is_open: bool,
) -> Resource {
    Resource { name, what, flags, unit, pointers: [None, None], is_open }
}

const fn given_at(of_create: Option<&'static str>, of_service: Option<&'static str>, resource: Resource) -> Resource {
    Resource { pointers: [of_create, of_service], ..resource }
}

const NONE: &str = "no flag of a service";

pub(crate) static MEMORY: Resource = given_at(
    Some("/HostConfig/Memory"),
    Some("/TaskTemplate/Resources/Limits/MemoryBytes"),
    resource("memory", "memory", ["--memory", "--limit-memory"], Unit::Bytes, true),
);
pub(crate) static MEMORY_SWAP: Resource = given_at(
    Some("/HostConfig/MemorySwap"),
    None,
    resource("memory_swap", "memory and swap together", ["--memory-swap", "--limit-memory"], Unit::Bytes, true),
);
pub(crate) static MEMORY_RESERVATION: Resource = given_at(
    Some("/HostConfig/MemoryReservation"),
    Some("/TaskTemplate/Resources/Reservations/MemoryBytes"),
    resource("memory_reservation", "reserved memory", ["--memory-reservation", "--reserve-memory"], Unit::Bytes, false),
);
pub(crate) static SHARED_MEMORY: Resource = given_at(
    Some("/HostConfig/ShmSize"),
    None,
    resource("shared_memory", "shared memory", ["--shm-size", NONE], Unit::Bytes, false),
);
pub(crate) static CPUS: Resource = given_at(
    Some("/HostConfig/NanoCpus"),
    Some("/TaskTemplate/Resources/Limits/NanoCPUs"),
    resource("cpus", "processors", ["--cpus", "--limit-cpu"], Unit::Processors, true),
);
pub(crate) static CPUS_RESERVATION: Resource =
    resource("cpus_reservation", "reserved processors", [NONE, "--reserve-cpu"], Unit::Processors, false);
pub(crate) static CPU_SHARES: Resource = given_at(
    Some("/HostConfig/CpuShares"),
    None,
    resource("cpu_shares", "CPU shares", ["--cpu-shares", NONE], Unit::Count, false),
);
pub(crate) static PIDS: Resource = given_at(
    Some("/HostConfig/PidsLimit"),
    Some("/TaskTemplate/Resources/Limits/Pids"),
    resource("pids", "processes", ["--pids-limit", "--limit-pids"], Unit::Count, true),
);
pub(crate) static STORAGE: Resource = resource("storage", "storage", ["--storage-opt size=…", NONE], Unit::Bytes, true);
pub(crate) static REPLICAS: Resource = resource("replicas", "replicas", [NONE, "--replicas"], Unit::Count, false);
pub(crate) static BLOCK_IO_WEIGHT: Resource =
    resource("block_io_weight", "block I/O weight", ["--blkio-weight", NONE], Unit::Count, false);
pub(crate) static READ_BYTES: Resource =
    resource("read_bytes", "bytes read in a second", ["--device-read-bps", NONE], Unit::Bytes, true);
pub(crate) static WRITE_BYTES: Resource =
    resource("write_bytes", "bytes written in a second", ["--device-write-bps", NONE], Unit::Bytes, true);
pub(crate) static READ_OPERATIONS: Resource =
    resource("read_operations", "reads in a second", ["--device-read-iops", NONE], Unit::Count, true);
pub(crate) static WRITE_OPERATIONS: Resource =
    resource("write_operations", "writes in a second", ["--device-write-iops", NONE], Unit::Count, true);

static RESOURCES: [&Resource; 15] = [
    &MEMORY,
    &MEMORY_SWAP,
    &MEMORY_RESERVATION,
    &SHARED_MEMORY,
    &CPUS,
    &CPUS_RESERVATION,
    &CPU_SHARES,
    &PIDS,
    &STORAGE,
    &REPLICAS,
    &BLOCK_IO_WEIGHT,
    &READ_BYTES,
    &WRITE_BYTES,
    &READ_OPERATIONS,
    &WRITE_OPERATIONS,
];

/// The settings, and in front of them what the data have for the caller.
#[derive(Debug)]
pub(crate) struct Rules<'a> {
    settings: &'a Document,
    own: Option<Value<'a>>,
}

// === impl Rules ===

impl<'a> Rules<'a> {
    /// None where this policy is not for the caller.
    pub(crate) fn of_call(
        request: &Request,
        data: &'a Document,
        settings: &'a Document,
    ) -> Result<Option<Self>, String> {
        let Some(user) = request.user() else { return Ok(Some(Self { settings, own: None })) };
        let own = data.at(["resources", "users", &user]);
        if !own.exists() {
            return Ok(Some(Self { settings, own: None }));
        }
        let mistake = |problem: String| format!("the data `resources` cannot be used for `{user}`: {problem}");
        let exempt = own.at(["exempt"]);
        if exempt.exists() {
            let exempt = exempt.boolean().ok_or_else(|| mistake("`exempt` must be true or false".to_owned()))?;
            if exempt {
                return Ok(None);
            }
        }
        check(&own, &["exempt"]).map_err(mistake)?;
        Ok(Some(Self { settings, own: Some(own) }))
    }

    pub(crate) fn get(&self, name: &str) -> Value<'a> {
        let own = self.own.as_ref().map(|own| own.at([name])).filter(Value::exists);
        own.unwrap_or_else(|| self.settings.at([name]))
    }

    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.get(name).boolean() == Some(true)
    }

    /// What a call has that says nothing of it.
    pub(crate) fn default_of(&self, resource: &Resource, call: Call) -> Option<i64> {
        self.limit(resource)?.ok()?.default_of(resource, call).map(|(_, default)| default)
    }

    /// None where nothing is said of it.
    pub(crate) fn limit(&self, resource: &Resource) -> Option<Result<Limit, String>> {
        let value = self.get(resource.name);
        value.exists().then(|| limit(&value, resource))
    }

    pub(crate) fn is_required(&self, resource: &Resource) -> bool {
        self.limit(resource).is_some_and(|limit| limit.is_ok_and(|limit| limit.is_required()))
    }

    pub(crate) fn objection(&self, resource: &Resource, amount: Amount, call: Call) -> Option<String> {
        match self.limit(resource)? {
            Ok(limit) => match limit.default_of(resource, call).filter(|_| amount == Amount::NotGiven) {
                Some((pointer, default)) => {
                    obligations::set(pointer, &default.to_string());
                    None
                }
                None => limit.objection(resource, amount, call),
            },
            Err(problem) => Some(problem),
        }
    }

    pub(crate) fn least_oom_score(&self) -> i64 {
        self.get(OOM_SCORE).integer().unwrap_or(0)
    }
}

fn limit(value: &Value<'_>, resource: &Resource) -> Result<Limit, String> {
    Limit::of(value, resource).map_err(|problem| format!("`{}` {problem}", resource.name))
}

pub(crate) fn prepare(settings: &Document) -> Result<(), String> {
    let all = settings.at([]);
    if !is_object(&all) {
        return Err("must be an object".to_owned());
    }
    if all.keys().is_none_or(|keys| keys.is_empty()) {
        return Err("nothing is limited: give at least one limit, such as `memory = { most = \"512m\" }`".to_owned());
    }
    check(&all, &[OTHERWISE])
}

/// Whether each member is one of the settings, or one of `others`, and what it must be.
fn check(all: &Value<'_>, others: &[&str]) -> Result<(), String> {
    for (key, value) in all.members() {
        if let Some(resource) = RESOURCES.iter().find(|resource| resource.name == key) {
            limit(&value, resource)?;
            continue;
        }
        match &*key {
            ULIMITS => crate::ulimits::check(&value)?,
            RESTART => crate::restart::check(&value)?,
            OOM_SCORE if value.integer().is_some() => {}
            OOM_SCORE => return Err(format!("`{OOM_SCORE}` must be a whole number")),
            OTHERWISE if others.contains(&OTHERWISE) => {
                if !matches!(value.text().as_deref(), Some("allow" | "abstain")) {
                    return Err(format!("`{OTHERWISE}` must be one of `allow`, `abstain`"));
                }
            }
            flag if FLAGS.contains(&flag) && value.boolean().is_some() => {}
            flag if FLAGS.contains(&flag) => return Err(format!("`{flag}` must be true or false")),
            other if others.contains(&other) => {}
            other => {
                let names: Vec<&str> = RESOURCES.iter().map(|resource| resource.name).collect();
                return Err(format!(
                    "there is no `{other}`; there are {}, {ULIMITS}, {RESTART}, {OOM_SCORE}, {}",
                    names.join(", "),
                    FLAGS.join(", ")
                ));
            }
        }
    }
    Ok(())
}
