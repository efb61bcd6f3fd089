//! How a caller of the docker command says what a policy demands.

use portcullis_document::{Document, Value};

/// How the value of a member is written as a flag.
enum As {
    /// As it is.
    Plain,
    /// In thousand millionths: `1500000000` is `1.5`.
    Nano,
    /// The flag alone; only `true` has one.
    Flag,
}

/// Members of a body, and the flag that sets each: of `docker create` and `docker update`, and of `docker service`.
const FLAGS: [(&str, &str, As); 25] = [
    ("/HostConfig/CpuPeriod", "--cpu-period", As::Plain),
    ("/HostConfig/CpuQuota", "--cpu-quota", As::Plain),
    ("/HostConfig/CpuShares", "--cpu-shares", As::Plain),
    ("/HostConfig/CpusetCpus", "--cpuset-cpus", As::Plain),
    ("/HostConfig/Init", "--init", As::Flag),
    ("/HostConfig/IpcMode", "--ipc", As::Plain),
    ("/HostConfig/Memory", "--memory", As::Plain),
    ("/HostConfig/MemoryReservation", "--memory-reservation", As::Plain),
    ("/HostConfig/MemorySwap", "--memory-swap", As::Plain),
    ("/HostConfig/NanoCpus", "--cpus", As::Nano),
    ("/HostConfig/NetworkMode", "--network", As::Plain),
    ("/HostConfig/PidsLimit", "--pids-limit", As::Plain),
    ("/HostConfig/ReadonlyRootfs", "--read-only", As::Flag),
    ("/HostConfig/RestartPolicy/Name", "--restart", As::Plain),
    ("/HostConfig/Runtime", "--runtime", As::Plain),
    ("/HostConfig/ShmSize", "--shm-size", As::Plain),
    ("/Memory", "--memory", As::Plain),
    ("/MemorySwap", "--memory-swap", As::Plain),
    ("/NanoCpus", "--cpus", As::Nano),
    ("/PidsLimit", "--pids-limit", As::Plain),
    ("/TaskTemplate/Resources/Limits/MemoryBytes", "--limit-memory", As::Plain),
    ("/TaskTemplate/Resources/Limits/NanoCPUs", "--limit-cpu", As::Nano),
    ("/TaskTemplate/Resources/Limits/Pids", "--limit-pids", As::Plain),
    ("/TaskTemplate/RestartPolicy/MaxAttempts", "--restart-max-attempts", As::Plain),
    ("/User", "--user", As::Plain),
];

/// What is to be added so that a member has a value: the flag where there is one, or the member.
pub(super) fn to_set(operation: &str, pointer: &str, json: &str, value: &Document) -> String {
    match flag(pointer, value.root()) {
        Some(flag) => format!("`{flag}` is required (`{pointer}` must be {json})"),
        None => format!("`{pointer}` of the body of {operation} must be {json}"),
    }
}

fn flag(pointer: &str, value: Value<'_>) -> Option<String> {
    let (_, flag, written) = FLAGS.iter().find(|(of, _, _)| *of == pointer)?;
    let plain = || value.as_str().map(str::to_owned).or_else(|| value.number_text().map(str::to_owned));
    match written {
        As::Plain => Some(format!("{flag}={}", plain()?)),
        As::Nano => {
            let (units, rest) = (value.as_i64()? / 1_000_000_000, value.as_i64()? % 1_000_000_000);
            let fraction = format!(".{rest:09}");
            Some(format!("{flag}={units}{}", fraction.trim_end_matches('0').trim_end_matches('.')))
        }
        As::Flag => value.as_bool()?.then(|| (*flag).to_owned()),
    }
}
