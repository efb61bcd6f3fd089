//! The option `o` of a local volume, as moby/sys/mount reads it (`parseOptions` in `flags_unix.go`) and gives it to
//! mount(2) (`mounter_linux.go`).

/// A page of the kernel's, of which it reads all but the last byte (`copy_mount_options` in fs/namespace.c); on no machine
/// is one smaller.
const MAX_DATA: usize = 4095;

/// What becomes of it: flags of the call, and what is left as data for the file system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags<'a> {
    pub(super) bind: bool,
    pub(super) remount: bool,
    /// Whether a bind takes what is mounted below its source with it: also `rprivate` and its like set that flag.
    pub(super) recursive: bool,
    pub(super) read_only: bool,
    /// The one with which the host would see the most.
    pub(super) propagation: Option<&'a str>,
    /// Joined by commas again.
    pub(super) data: String,
}

// === impl Flags ===

impl<'a> Flags<'a> {
    pub(super) fn parse(options: &'a str) -> Self {
        let mut flags = Self::default();
        let mut data = Vec::new();
        for option in options.split(',') {
            match option {
                "ro" => flags.read_only = true,
                "rw" => flags.read_only = false,
                "bind" => flags.bind = true,
                "rbind" => (flags.bind, flags.recursive) = (true, true),
                "remount" => flags.remount = true,
                "shared" | "rshared" | "slave" | "rslave" | "private" | "rprivate" | "unbindable" | "runbindable" => {
                    flags.recursive |= option.starts_with('r');
                    flags.propagation =
                        flags.propagation.filter(|known| openness(known) >= openness(option)).or(Some(option));
                }
                "suid" | "nosuid" | "dev" | "nodev" | "exec" | "noexec" | "sync" | "async" | "dirsync" | "mand"
                | "nomand" | "atime" | "noatime" | "diratime" | "nodiratime" | "relatime" | "norelatime"
                | "strictatime" | "nostrictatime" => {}
                other => data.push(other),
            }
        }
        flags.data = data.join(",");
        flags
    }

    /// Whether the kernel does with it what its words say: mounts something, with all of its data.
    pub(super) fn is_exact(&self) -> bool {
        !self.remount && self.data.len() <= MAX_DATA
    }
}

fn openness(propagation: &str) -> u8 {
    match propagation {
        "shared" | "rshared" => 2,
        "slave" | "rslave" => 1,
        _ => 0,
    }
}
