//! What the benchmarks of tenants measure with, and how they are asked to.

use std::time::Duration;

use serde::Serialize;

use crate::error::{Doing, Error, Result};

/// The arguments of a benchmark's command line.
#[derive(Debug)]
pub struct Arguments(Vec<String>);

/// How long something took, many times.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

/// The memory of a process.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub rss_mib: f64,
    /// Shared pages counted in part.
    pub pss_mib: f64,
}

/// Prints a report: for programs, or as `print` does for people.
pub fn show<T: Serialize>(report: &T, is_json: bool, print: impl FnOnce(&T)) -> Result<()> {
    if !is_json {
        print(report);
        return Ok(());
    }
    let text = serde_json::to_string_pretty(report).map_err(|error| Error::Unexpected(error.to_string()))?;
    println!("{text}");
    Ok(())
}

// === impl Arguments ===

impl Arguments {
    pub fn of_program() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    /// Takes a flag; says whether it is there.
    pub fn flag(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|argument| argument != name);
        self.0.len() < before
    }

    /// Takes an option's value.
    pub fn text(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|argument| argument == name)?;
        let taken: Vec<_> = self.0.drain(at..self.0.len().min(at + 2)).collect();
        taken.get(1).cloned()
    }

    /// Takes an option's number, which is at least 1.
    pub fn number(&mut self, name: &str, default: u64) -> Result<u64> {
        let Some(text) = self.text(name) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| *number > 0);
        number.ok_or_else(|| Error::Unexpected(format!("`{name} {text}`: expected a number of at least 1")))
    }

    /// Nothing else may be there.
    pub fn finish(self, usage: &str) -> Result<()> {
        match self.0.first() {
            None => Ok(()),
            Some(unknown) => Err(Error::Unexpected(format!("unknown argument `{unknown}`; usage: {usage}"))),
        }
    }
}

// === impl Times ===

impl Times {
    /// The time that so many in a thousand did not exceed.
    pub fn quantile(&self, per_mille: usize) -> Duration {
        let rank = (self.0.len() * per_mille).div_ceil(1000).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }

    pub fn longest(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }
}

impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        let mut times: Vec<_> = times.into_iter().collect();
        times.sort_unstable();
        Self(times)
    }
}

/// What a process has used so far, of both user and system time. The kernel counts in hundredths of a second.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&path).doing(&path)?;
    // The second field, the name, is in parentheses and may hold spaces; user and system time are fields 14 and 15.
    let fields: Vec<_> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3).and_then(|ticks| ticks.parse::<u64>().ok());
    let ticks = ticks(14).zip(ticks(15)).map(|(user, system)| user + system);
    ticks.map(|ticks| Duration::from_millis(ticks * 10)).ok_or_else(|| Error::Unexpected(format!("`{path}`: {stat}")))
}

/// What all processors have done so far, and could have done.
pub fn machine_time() -> Result<(Duration, Duration)> {
    let stat = std::fs::read_to_string("/proc/stat").doing("/proc/stat")?;
    let ticks: Vec<u64> = stat.lines().next().unwrap_or_default().split_whitespace().flat_map(str::parse).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; what follows is part of these.
    let all: u64 = ticks.iter().take(8).sum();
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    Ok((Duration::from_millis((all - idle) * 10), Duration::from_millis(all * 10)))
}

/// What a process holds now.
pub fn memory(pid: u32) -> Result<Memory> {
    Ok(Memory { rss_mib: field(pid, "status", "VmRSS:")?, pss_mib: field(pid, "smaps_rollup", "Pss:")? })
}

/// A line of a file of `/proc`, which is in KiB, in MiB.
fn field(pid: u32, file: &str, name: &str) -> Result<f64> {
    let path = format!("/proc/{pid}/{file}");
    let text = std::fs::read_to_string(&path).doing(&path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.map(|kib| kib / 1024.0).ok_or_else(|| Error::Unexpected(format!("no `{name}` in `{path}`")))
}

pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_were_measured() {
        let times: Times = (1..=200).rev().map(Duration::from_millis).collect();
        let at = [0, 500, 990, 1000].map(|per_mille| times.quantile(per_mille).as_millis());
        assert_eq!((at, times.longest().as_millis()), ([1, 100, 198, 200], 200));
        assert_eq!(Times::default().quantile(990), Duration::ZERO);
    }

    #[test]
    fn arguments_are_taken_once_and_nothing_is_left_over() {
        let arguments = |text: &str| Arguments(text.split_whitespace().map(str::to_owned).collect());
        let mut given = arguments("--seconds 3 --json");
        assert!(given.flag("--json") && !given.flag("--json"));
        assert_eq!(given.number("--seconds", 10).expect("a number"), 3);
        assert_eq!(given.number("--seconds", 10).expect("the default"), 10);
        assert!(given.finish("bench").is_ok());
        assert!(arguments("--seconds none").number("--seconds", 10).is_err());
        assert!(arguments("--unknown").finish("bench").is_err());
    }

    #[test]
    fn a_process_has_memory_and_time() -> Result<()> {
        let held = memory(std::process::id())?;
        assert!(held.rss_mib > 1.0 && held.pss_mib > 0.5, "{held:?}");
        cpu_time(std::process::id()).map(drop)
    }
}
