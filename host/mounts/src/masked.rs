//! What the daemon masks on this machine, besides what it masks on every one: `thermal_throttle` of each processor that
//! can be there and has it (moby's `daemon/pkg/oci/defaults.go`).

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};

const CPUS: &str = "/sys/devices/system/cpu";

/// More processors than any kernel is built for.
const MAX_CPUS: u32 = 1 << 16;

/// Looked up once: which processors there can be is settled when the machine starts.
pub fn masked_paths() -> Arc<[String]> {
    static PATHS: OnceLock<Arc<[String]>> = OnceLock::new();
    Arc::clone(PATHS.get_or_init(|| paths(Path::new(CPUS)).into()))
}

fn paths(cpus: &Path) -> Vec<String> {
    let possible = fs::read_to_string(cpus.join("possible")).unwrap_or_default();
    let path = |cpu| cpus.join(format!("cpu{cpu}/thermal_throttle"));
    let there = ranges(possible.trim()).map(path).filter(|path| path.exists());
    there.map(|path| path.display().to_string()).collect()
}

/// The numbers of `0-3,8`.
fn ranges(text: &str) -> impl Iterator<Item = u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let last: u32 = last.parse().ok()?;
        Some(first.parse().ok()?..=last.min(MAX_CPUS))
    };
    text.split(',').filter_map(range).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_of_each_processor_is_masked_is_what_the_daemon_masks() {
        let cpus = tempfile::tempdir().expect("a folder");
        fs::write(cpus.path().join("possible"), "0-2,5,x,7-\n").expect("written");
        for cpu in [1, 2, 3, 5, 7] {
            fs::create_dir_all(cpus.path().join(format!("cpu{cpu}/thermal_throttle"))).expect("made");
        }
        let expected = [1, 2, 5].map(|cpu| format!("{}/cpu{cpu}/thermal_throttle", cpus.path().display()));
        assert_eq!(paths(cpus.path()), expected);
        assert_eq!(paths(Path::new("/nowhere")), [] as [String; 0]);
        assert_eq!(ranges("0-4294967295").count(), MAX_CPUS as usize + 1);
    }
}
