//! What a call asks for of the machine's resources.

use portcullis_document::Value;
use portcullis_model::view::{BlockIo, BlockIoKind, Entry, Resources, Ulimit};

use super::{Facts, entries, given, items, member, text, unsigned};
use crate::json::Shape;
use crate::json::shapes::GO_UNITS_ULIMIT;

pub(super) const ULIMITS: Shape = Shape::List(&Shape::Structure(&GO_UNITS_ULIMIT));

const UNLIMITED: i64 = -1;

const THROTTLES: [(&str, BlockIoKind); 4] = [
    ("BlkioDeviceReadBps", BlockIoKind::ReadBytes),
    ("BlkioDeviceWriteBps", BlockIoKind::WriteBytes),
    ("BlkioDeviceReadIOps", BlockIoKind::ReadOperations),
    ("BlkioDeviceWriteIOps", BlockIoKind::WriteOperations),
];

pub(crate) fn resources(facts: Facts<'_>) -> Resources {
    match facts.operation {
        "ContainerCreate" | "ContainerUpdate" => of_container(facts.host_config()),
        "ServiceCreate" | "ServiceUpdate" => of_service(facts),
        "ImageBuild" => of_build(facts),
        _ => Resources::default(),
    }
}

/// A `container.Resources`, in which 0 asks for nothing: `UpdateContainer` in moby's `daemon/container/container_unix.go` keeps
/// what was.
fn of_container(host: Option<Value<'_>>) -> Resources {
    let number = |name| integer(member(host, name)).filter(|number| *number != 0);
    Resources {
        memory: number("Memory"),
        memory_reservation: number("MemoryReservation"),
        memory_swap: number("MemorySwap"),
        memory_swappiness: integer(member(host, "MemorySwappiness")),
        kernel_memory: number("KernelMemory"),
        kernel_memory_tcp: number("KernelMemoryTCP"),
        shared_memory: number("ShmSize"),
        nano_cpus: number("NanoCpus"),
        nano_cpus_reservation: None,
        cpu_shares: number("CpuShares"),
        cpu_period: number("CpuPeriod"),
        cpu_quota: number("CpuQuota"),
        cpu_realtime_period: number("CpuRealtimePeriod"),
        cpu_realtime_runtime: number("CpuRealtimeRuntime"),
        cpus: given(member(host, "CpusetCpus")),
        memory_nodes: given(member(host, "CpusetMems")),
        // It is a pointer: in an update, 0 takes the limit away.
        pids: integer(member(host, "PidsLimit")).map(|pids| if pids > 0 { pids } else { UNLIMITED }),
        oom_kill_disable: member(host, "OomKillDisable").and_then(Value::as_bool),
        oom_score_adjustment: number("OomScoreAdj"),
        block_io: block_io(host),
        ulimits: items(member(host, "Ulimits")).map(ulimit).collect(),
        storage: entries(member(host, "StorageOpt")),
        generic: Vec::new(),
    }
}

fn block_io(host: Option<Value<'_>>) -> Vec<BlockIo> {
    let weight = unsigned(member(host, "BlkioWeight")).filter(|weight| *weight != 0);
    let weight = weight.map(|value| BlockIo { kind: BlockIoKind::Weight, device: String::new(), value });
    let listed = |name, kind, member_name| {
        items(member(host, name)).map(move |device| BlockIo {
            kind,
            device: text(member(Some(device), "Path")).to_owned(),
            value: unsigned(member(Some(device), member_name)).unwrap_or_default(),
        })
    };
    let weights = listed("BlkioWeightDevice", BlockIoKind::Weight, "Weight");
    let throttles = THROTTLES.into_iter().flat_map(|(name, kind)| listed(name, kind, "Rate"));
    weight.into_iter().chain(weights).chain(throttles).collect()
}

/// As `resources` in moby's `daemon/cluster/executor/container/container.go`, where nothing below 1 counts.
fn of_service(facts: Facts<'_>) -> Resources {
    let spec = facts.service_container();
    let asked = member(member(facts.service(), "TaskTemplate"), "Resources");
    let (limits, reserved) = (member(asked, "Limits"), member(asked, "Reservations"));
    let number = |of, name| integer(member(of, name)).filter(|number| *number > 0);
    let memory = number(limits, "MemoryBytes");
    let swap = integer(member(asked, "SwapBytes"));
    Resources {
        memory,
        memory_reservation: number(reserved, "MemoryBytes"),
        memory_swap: swap
            .map(|swap| if swap < 0 { UNLIMITED } else { memory.unwrap_or_default().saturating_add(swap) }),
        memory_swappiness: integer(member(asked, "MemorySwappiness")),
        nano_cpus: number(limits, "NanoCPUs"),
        nano_cpus_reservation: number(reserved, "NanoCPUs"),
        pids: number(limits, "Pids"),
        oom_score_adjustment: integer(member(spec, "OomScoreAdj")).filter(|score| *score != 0),
        ulimits: items(member(spec, "Ulimits")).map(ulimit).collect(),
        generic: items(member(reserved, "GenericResources")).flat_map(generic).collect(),
        ..Resources::default()
    }
}

/// A `swarm.GenericResource`: a name, or a number, of a kind.
fn generic(resource: Value<'_>) -> impl Iterator<Item = Entry> {
    ["NamedResourceSpec", "DiscreteResourceSpec"].into_iter().filter_map(move |name| {
        let spec = member(Some(resource), name)?;
        let value = member(Some(spec), "Value");
        let number = integer(value).map(|number| number.to_string());
        let value = number.unwrap_or_else(|| text(value).to_owned());
        Some(Entry { name: text(member(Some(spec), "Kind")).to_owned(), value })
    })
}

/// As `newImageBuildOptions` in moby's `daemon/server/router/build/build_routes.go` reads the query: what is no number is 0.
fn of_build(facts: Facts<'_>) -> Resources {
    let number = |name| facts.query(name).and_then(|text| text.parse().ok()).filter(|number: &i64| *number != 0);
    let ulimits = match facts.json_parameter("ImageBuild", "ulimits", ULIMITS) {
        None => Vec::new(),
        Some(Ok(ulimits)) => items(Some(ulimits.root())).map(ulimit).collect(),
        // Nobody knows what it says.
        Some(Err(text)) => vec![Ulimit { name: text.to_owned(), soft: UNLIMITED, hard: UNLIMITED }],
    };
    Resources {
        memory: number("memory"),
        memory_swap: number("memswap"),
        shared_memory: number("shmsize"),
        cpu_shares: number("cpushares"),
        cpu_period: number("cpuperiod"),
        cpu_quota: number("cpuquota"),
        cpus: facts.query("cpusetcpus").map(str::to_owned),
        memory_nodes: facts.query("cpusetmems").map(str::to_owned),
        ulimits,
        ..Resources::default()
    }
}

fn ulimit(ulimit: Value<'_>) -> Ulimit {
    let number = |name| integer(member(Some(ulimit), name)).unwrap_or_default();
    Ulimit { name: text(member(Some(ulimit), "Name")).to_owned(), soft: number("Soft"), hard: number("Hard") }
}

fn integer(value: Option<Value<'_>>) -> Option<i64> {
    value?.as_i64()
}
