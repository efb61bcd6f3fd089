//! What the kernel says of this process, by the names that Prometheus' own clients give.

use std::fs;

/// Read at each scrape. What cannot be read is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Process {
    pub(crate) cpu_seconds: Option<f64>,
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) virtual_bytes: Option<u64>,
    pub(crate) threads: Option<u64>,
    pub(crate) start_seconds: Option<f64>,
    pub(crate) open_fds: Option<u64>,
    pub(crate) max_fds: Option<u64>,
}

// Places of fields after the process's name, `man 5 proc_pid_stat`.
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;
const START_TICKS: usize = 19;
/// What Linux tells programs of its clock, whatever it has inside: `USER_HZ`.
const TICKS_PER_SECOND: f64 = 100.0;

impl Process {
    pub(super) fn read() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let open_fds = fs::read_dir("/proc/self/fd").ok().and_then(|entries| entries.count().try_into().ok());
        let max_fds = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let process = Self::of(&read("/proc/self/stat"), &read("/proc/self/status"), &read("/proc/stat"));
        Self { open_fds, max_fds, ..process }
    }

    fn of(stat: &str, status: &str, system: &str) -> Self {
        // The name may hold anything, a parenthesis too.
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        let fields: Vec<Option<u64>> = fields.split_whitespace().map(|field| field.parse().ok()).collect();
        let seconds = |at: usize| fields.get(at).copied().flatten().map(|ticks| ticks as f64 / TICKS_PER_SECOND);
        let boot = number(system, "btime ").map(|seconds| seconds as f64);
        Self {
            cpu_seconds: seconds(USER_TICKS).zip(seconds(SYSTEM_TICKS)).map(|(user, system)| user + system),
            resident_bytes: number(status, "VmRSS:").map(|kib| kib << 10),
            virtual_bytes: number(status, "VmSize:").map(|kib| kib << 10),
            threads: number(status, "Threads:"),
            start_seconds: seconds(START_TICKS).zip(boot).map(|(since_boot, boot)| boot + since_boot),
            open_fds: None,
            max_fds: None,
        }
    }
}

/// The number in the line that begins so.
fn number(text: &str, begin: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(begin))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_is_read() {
        let stat =
            "42 (port) cullis) S 1 2 3 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 7 0 1000 8192 3 18446744073709551615";
        let status = "Name:\tport\nVmSize:\t    2048 kB\nVmRSS:\t    1024 kB\nThreads:\t7\n";
        let process = Process::of(stat, status, "cpu 1\nbtime 1700000000\n");
        assert_eq!((process.cpu_seconds, process.start_seconds), (Some(2.0), Some(1_700_000_010.0)));
        assert_eq!((process.resident_bytes, process.virtual_bytes), (Some(1 << 20), Some(2 << 20)));
        assert_eq!(process.threads, Some(7));
        assert_eq!(Process::of("", "", ""), Process::default());
    }

    #[test]
    fn of_this_process_everything_is_known() {
        let process = Process::read();
        assert!(process.resident_bytes > Some(0) && process.open_fds > Some(2), "{process:?}");
        assert!(process.start_seconds > Some(1.6e9) && process.threads > Some(0), "{process:?}");
    }
}
