//! What holds for every text of options.

use portcullis_model::Request as _;
use portcullis_model::view::{Mount, MountKind};
use proptest::prelude::*;

use super::flags::Flags;
use super::{MountContext, bind, tmpfs};
use crate::ApiVersion;
use crate::testing::{read, with_json};

/// Words of options, of which many texts are nearly such as Docker takes.
fn options() -> impl Strategy<Value = String> {
    let words = vec![
        "ro",
        "rw",
        "bind",
        "rbind",
        "remount",
        "shared",
        "rprivate",
        "slave",
        "nocopy",
        "z",
        "Z",
        "cached",
        "size=1",
        "defaults",
        "lowerdir=/a:/b",
        "lowerdir=/a\\",
        "upperdir=/c",
        "workdir=/d",
        "addr=1.2.3.4",
        "x=\"",
        "",
        " ",
        ":",
        "\\:",
        "{{",
        "/e",
    ];
    let piece = prop_oneof![4 => prop::sample::select(words).prop_map(str::to_owned), 1 => ".{0,6}"];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.join(","))
}

/// What moby/sys/mount makes of an `o`, by its table (`flags_unix.go`): the bits of mount(2), and the data.
fn by_the_table(options: &str) -> (u64, String) {
    const READ_ONLY: u64 = 1;
    const REMOUNT: u64 = 32;
    const BIND: u64 = 4096;
    const RECURSIVE: u64 = 16384;
    let (mut bits, mut data) = (0, Vec::new());
    for option in options.split(',') {
        let (clears, bit) = match option {
            "ro" => (false, READ_ONLY),
            "rw" => (true, READ_ONLY),
            "remount" => (false, REMOUNT),
            "bind" => (false, BIND),
            "rbind" => (false, BIND | RECURSIVE),
            "shared" | "slave" | "private" | "unbindable" => (false, 1 << 40),
            "rshared" | "rslave" | "rprivate" | "runbindable" => (false, 1 << 40 | RECURSIVE),
            other => {
                data.push(other);
                continue;
            }
        };
        bits = if clears { bits & !bit } else { bits | bit };
    }
    (bits, data.join(","))
}

fn volume(file_system: &str, device: &str, o: &str) -> Vec<Mount> {
    let options = serde_json::json!({ "type": file_system, "device": device, "o": o });
    let body = serde_json::json!({ "Name": "v", "DriverOpts": options }).to_string();
    read(with_json("POST", "/v1.44/volumes/create", &body)).expect("is read").mounts().to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn flags_are_those_of_the_table(o in options()) {
        let flags = Flags::parse(&o);
        let (bits, data) = by_the_table(&o);
        prop_assert_eq!((flags.read_only, flags.remount, flags.bind), (bits & 1 != 0, bits & 32 != 0, bits & 4096 != 0));
        prop_assert_eq!(flags.recursive, bits & 16384 != 0);
        prop_assert_eq!(flags.propagation.is_some(), bits & 1 << 40 != 0);
        prop_assert_eq!(flags.data, data);
    }

    #[test]
    fn a_volume_with_options_is_never_a_plain_one(file_system in "[a-z0-9.]{1,8}", device in "/?[a-z:/]{1,12}", o in options()) {
        let mounts = volume(&file_system, &device, &o);
        let (first, folders) = mounts.split_first().expect("one at least");
        let (bits, data) = by_the_table(&o);
        let expected = match () {
            () if bits & 32 != 0 || data.len() > 4095 => MountKind::Other,
            () if bits & 4096 != 0 => MountKind::Bind,
            () => MountKind::FileSystem,
        };
        prop_assert_eq!(first.kind, expected);
        prop_assert_eq!(&first.source, &device);
        prop_assert_eq!(first.read_only, bits & 1 != 0);
        prop_assert!(first.read_only || !first.read_only_recursive);
        prop_assert!(folders.is_empty() || file_system == "overlay");
    }

    /// Whatever the kernel could take for a path is a bind, or part of a text that leads nowhere.
    #[test]
    fn an_overlay_hides_no_folder(o in options()) {
        let mounts = volume("overlay", "overlay", &o);
        let (bits, data) = by_the_table(&o);
        if bits & (32 | 4096) != 0 {
            return Ok(());
        }
        let folders: Vec<&Mount> = mounts.iter().skip(1).collect();
        if data.contains(['\\', '"']) {
            prop_assert_eq!(folders.len(), 1);
            prop_assert!(folders.iter().all(|folder| folder.source == data && !folder.read_only));
            return Ok(());
        }
        for option in data.split(',') {
            let Some((name, value)) = option.split_once('=') else { continue };
            let shows = |path: &str, read_only: bool| {
                folders.iter().any(|folder| {
                    folder.kind == MountKind::Bind && folder.source == path && folder.read_only == read_only
                })
            };
            match name {
                "lowerdir" => prop_assert!(value.split(':').all(|path| path.is_empty() || shows(path, true))),
                "upperdir" | "workdir" => prop_assert!(shows(value, false)),
                _ => {}
            }
        }
    }

    /// The daemon takes a mode only if each of its words is known and none is there twice.
    #[test]
    fn a_bind_is_read_only_only_by_a_mode_that_docker_takes(mode in options()) {
        let place = MountContext::container(Some(ApiVersion::new(1, 44)));
        let mount = bind::mount(&format!("/a:/b:{mode}"), "", place);
        let words: Vec<&str> = mode.split(',').filter(|_| !mode.is_empty()).collect();
        let count = |known: &[&str]| words.iter().filter(|word| known.contains(word)).count();
        let sorts: [&[&str]; 5] =
            [&["ro", "rw"], &["z", "Z"], &["shared", "rprivate", "slave"], &["nocopy"], &["cached"]];
        let counts = sorts.map(count);
        let is_taken = !mode.contains(':') && counts.iter().sum::<usize>() == words.len() && counts.iter().all(|&n| n < 2);
        prop_assert_eq!(mount.kind, if is_taken { MountKind::Bind } else { MountKind::Other });
        prop_assert_eq!(mount.read_only, is_taken && words.contains(&"ro"));
    }

    #[test]
    fn a_tmpfs_is_never_a_bind(options in options()) {
        let mount = tmpfs::mount("/t", &options);
        let has_bind = options.split(',').any(|option| matches!(option, "bind" | "rbind" | "remount"));
        prop_assert!(!has_bind || mount.kind == MountKind::Other);
    }
}
