//! A container's tmpfs.

use portcullis_document::Value;
use portcullis_model::view::{Mount, MountKind};

use super::{items, listed, member, text, texts};

/// Flags that a tmpfs may have and that mount nothing else. `bind` and `remount` are flags, too, for the daemon: it gives
/// them to runc, which then makes something else of the mount.
const FLAGS: [&str; 22] = [
    "defaults",
    "ro",
    "rw",
    "suid",
    "nosuid",
    "dev",
    "nodev",
    "exec",
    "noexec",
    "sync",
    "async",
    "dirsync",
    "mand",
    "nomand",
    "atime",
    "noatime",
    "diratime",
    "nodiratime",
    "relatime",
    "norelatime",
    "strictatime",
    "nostrictatime",
];
const DATA: [&str; 7] = ["size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"];

/// `HostConfig.Tmpfs`: of flags that contradict each other the last one counts (`MergeTmpfsOptions` in moby/sys/mount,
/// `flags_unix.go`). What it would refuse, or takes to be something else than memory, is of another kind.
pub(super) fn mount(target: &str, options: &str) -> Mount {
    let is_known = options.is_empty() || options.split(',').all(is_known);
    let kind = if is_known { MountKind::Tmpfs } else { MountKind::Other };
    let read_only = options.split(',').rfind(|option| matches!(*option, "ro" | "rw")) == Some("ro");
    Mount { read_only, read_only_recursive: read_only, options: listed(options), ..Mount::new(kind, "", target) }
}

fn is_known(option: &str) -> bool {
    FLAGS.contains(&option) || option.split_once('=').is_some_and(|(name, _)| DATA.contains(&name))
}

/// Whether a mount's `TmpfsOptions` are such as the daemon takes (`validateTmpfsOptions` in moby's
/// `daemon/volume/mounts/linux_parser.go`), each by its name alone: it joins them by commas, and splits them again.
pub(super) fn are_plain(options: Option<Value<'_>>) -> bool {
    items(member(options, "Options")).all(|option| {
        let mut words = option.items().map(|word| text(Some(word)));
        matches!((words.next(), words.next()), (Some("exec" | "noexec"), None))
    })
}

/// The options that the daemon makes of them (`ConvertTmpfsOptions`), a size in bytes.
pub(super) fn listed_options(options: Option<Value<'_>>) -> Vec<String> {
    let number = |name| member(options, name).and_then(Value::as_i64).filter(|number| *number != 0);
    let mode = number("Mode").map(|mode| format!("mode={mode:o}"));
    let size = number("SizeBytes").map(|size| format!("size={size}"));
    let flags = items(member(options, "Options")).flat_map(|option| texts(Some(option)).map(str::to_owned));
    mode.into_iter().chain(size).chain(flags).collect()
}
