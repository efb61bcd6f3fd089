//! One shape for every spelling, and nothing harmless where a spelling is not read exactly.

use std::fmt::Write as _;

use portcullis_model::Request as _;

use super::*;
use crate::testing::{read_by, with_json};
use crate::{DockerRequest, HostRule, Rules};

/// The views hold by themselves what the rules `oversized` and `plugin-name` refuse before.
fn post(uri: &str, body: &str) -> DockerRequest {
    let mut rules = Rules::default();
    rules.disable(HostRule::Oversized);
    rules.disable(HostRule::PluginName);
    read_by(rules, with_json("POST", uri, body)).unwrap_or_else(|refusal| panic!("{body}: {refusal}"))
}

fn create_at(version: &str, host_config: &str) -> DockerRequest {
    post(&format!("{version}/containers/create"), &format!(r#"{{"Image":"alpine","hostconfig":{{{host_config}}}}}"#))
}

fn create(host_config: &str) -> DockerRequest {
    create_at("/v1.44", host_config)
}

fn service_at(version: &str, mount: &str) -> DockerRequest {
    let body = format!(r#"{{"TaskTemplate":{{"ContainerSpec":{{"Mounts":[{mount}]}}}}}}"#);
    post(&format!("{version}/services/create"), &body)
}

fn volume(options: &str) -> DockerRequest {
    post("/v1.44/volumes/create", &format!(r#"{{"Name":"v","DriverOpts":{{{options}}}}}"#))
}

/// `Bind /etc>/host ro rshared`, each word only where it says something. `ro` holds for the top only, `rro` for all below.
fn shown(mount: &Mount) -> String {
    let mut text = format!("{:?} {}", mount.kind, mount.source);
    match &mount.resolved {
        Some(resolved) if *resolved != mount.source => _ = write!(text, "={resolved}"),
        None if mount.source.starts_with('/') => text.push_str("=?"),
        _ => {}
    }
    _ = write!(text, ">{}", mount.target);
    let read_only = match (mount.read_only, mount.read_only_recursive) {
        (true, true) => Some("rro"),
        (true, false) => Some("ro"),
        (false, false) => None,
        (false, true) => Some("?"),
    };
    let subpath = mount.subpath.as_ref().map(|path| format!("sub:{path}"));
    let file_system = mount.file_system.as_ref().map(|name| format!("type:{name}"));
    let words = [
        read_only,
        mount.propagation.as_deref(),
        mount.driver.as_deref(),
        file_system.as_deref(),
        subpath.as_deref(),
        mount.missing.then_some("missing"),
        mount.makes_source.then_some("makes"),
        (!mount.links.is_empty()).then_some("linked"),
    ];
    for word in words.into_iter().flatten() {
        _ = write!(text, " {word}");
    }
    text
}

fn mounts(request: &DockerRequest) -> Vec<String> {
    let has_bind = request.has_unasked_binds();
    let mounts = request.mounts();
    assert_eq!(has_bind, mounts.iter().any(|mount| mount.kind == MountKind::Bind), "{mounts:?}");
    assert!(!request.has_unasked_binds(), "they were asked for");
    mounts.iter().map(shown).collect()
}

/// The text that a JSON string with this in it would have.
fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[test]
fn what_the_daemon_mounts_beside_the_mounts_of_the_call_is_told() {
    for (host_config, expected) in [
        // For volumes that the image declares.
        (r#""VolumeDriver":"nfs-plugin""#, "Volume > nfs-plugin"),
        (r#""VolumeDriver":"../../../srv/scratch/x""#, "Volume > ../../../srv/scratch/x"),
        (r#""IpcMode":"host""#, "Bind /dev/shm>/dev/shm"),
        // Whoever joins the network can write there.
        (r#""Binds":["/etc:/etc/hosts:ro"]"#, "Bind /etc>/etc/hosts makes"),
        (r#""Binds":["/etc:/etc/x/..//hostname/:ro"]"#, "Bind /etc>/etc/x/..//hostname/ makes"),
        (
            r#""Mounts":[{"Type":"bind","Source":"/etc","Target":"/etc/resolv.conf","ReadOnly":true,"BindOptions":{"NonRecursive":true}}]"#,
            "Bind /etc>/etc/resolv.conf",
        ),
        (r#""Binds":["/etc:/etc/hosts.allow:ro"]"#, "Bind /etc>/etc/hosts.allow rro makes"),
    ] {
        assert_eq!(mounts(&create(host_config)), [expected], "{host_config}");
    }
    for host_config in [r#""VolumeDriver":"""#, r#""IpcMode":"private""#, r#""IpcMode":"container:x""#] {
        assert_eq!(mounts(&create(host_config)), [""; 0], "{host_config}");
    }
    let service = service_at("/v1.44", r#"{"Type":"bind","Source":"/etc","Target":"/etc/hosts","ReadOnly":true}"#);
    assert_eq!(mounts(&service), ["Bind /etc>/etc/hosts"]);
}

#[test]
fn binds_are_mounts() {
    for (bind, expected) in [
        ("/etc:/host", "Bind /etc>/host makes"),
        ("/etc:/host:ro", "Bind /etc>/host rro makes"),
        ("/etc:/host:z,ro", "Bind /etc>/host rro makes"),
        ("/etc:/host:ro,rprivate,cached", "Bind /etc>/host rro rprivate makes"),
        // What is mounted below later, on the host, appears in it, and can be written.
        ("/etc:/host:ro,rslave", "Bind /etc>/host ro rslave makes"),
        ("/etc:/host:ro,private", "Bind /etc>/host ro private makes"),
        ("/etc:/host:rw,rshared", "Bind /etc>/host rshared makes"),
        ("/etc:/host:", "Bind /etc>/host makes"),
        ("/link:/host", "Bind /link=/etc>/host makes linked"),
        ("/missing/x:/host", "Bind /missing/x>/host missing makes"),
        ("/unknown/x:/host", "Bind /unknown/x=?>/host makes"),
        ("/./etc/:/host", "Bind /./etc/>/host makes"),
        ("data:/data", "Volume data>/data nfs-plugin"),
        ("data:/data:ro", "Volume data>/data ro nfs-plugin"),
        ("data:/data:nocopy,ro", "Volume data>/data ro nfs-plugin"),
        ("./etc:/data", "Volume ./etc>/data nfs-plugin"),
        ("/data", "Volume >/data nfs-plugin"),
    ] {
        let request = create(&format!(r#""Binds":["{bind}"],"VolumeDriver":"nfs-plugin""#));
        assert_eq!(mounts(&request), [expected, "Volume > nfs-plugin"], "{bind}");
    }
    for refused in [
        "/a:/b:ro:x",
        "/etc:/host:readonly",
        "/etc:/host:RO",
        "/etc:/host:rw,ro",
        "/etc:/host:ro,ro",
        "/etc:/host:ro,",
        "/etc:/host:z,Z",
        "/etc:/host:shared,slave",
        "/etc:/host:ro ",
        "/etc:/host:nocopy,nocopy",
        "/etc:/host:unbindable",
        "/etc:ro",
        "data:ro,z",
        "data:",
    ] {
        let request = create(&format!(r#""Binds":["{refused}"]"#));
        assert_eq!(request.mounts(), [Mount::new(MountKind::Other, refused, "")], "{refused}");
    }
}

#[test]
fn a_read_only_bind_holds_for_what_is_below_from_1_44_on() {
    let bind = |options: &str| format!(r#"{{"Type":"bind","Source":"/a","Target":"/t","ReadOnly":true,{options}}}"#);
    let options = |options: &str| bind(&format!(r#""BindOptions":{{{options}}}"#));
    for (mount, at_1_44, at_1_43, at_1_39) in [
        (bind(r#""BindOptions":null"#), "rro", "ro", "ro"),
        (options(r#""Propagation":"rprivate""#), "rro rprivate", "ro rprivate", "ro rprivate"),
        (options(r#""Propagation":"rslave""#), "ro rslave", "ro rslave", "ro rslave"),
        (options(r#""ReadOnlyNonRecursive":true"#), "ro", "ro", "ro"),
        (options(r#""readonlynonrecursive":true"#), "ro", "ro", "ro"),
        (options(r#""ReadOnlyForceRecursive":true"#), "rro", "ro", "ro"),
        (options(r#""NonRecursive":true"#), "rro", "rro", "ro"),
        (options(r#""NonRecursive":true,"ReadOnlyNonRecursive":true"#), "rro", "rro", "ro"),
        (options(r#""NonRecursive":true,"Propagation":"slave""#), "ro slave", "ro slave", "ro slave"),
        (options(r#""CreateMountpoint":true"#), "rro makes", "ro makes", "ro makes"),
    ] {
        for (version, expected) in [("/v1.44", at_1_44), ("/v1.52", at_1_44), ("/v1.43", at_1_43), ("/v1.39", at_1_39)]
        {
            let request = create_at(version, &format!(r#""Mounts":[{mount}]"#));
            assert_eq!(mounts(&request), [format!("Bind /a>/t {expected}")], "{version} {mount}");
        }
    }
    // Without a version, nobody knows which one the daemon takes.
    assert_eq!(mounts(&create_at("", &format!(r#""Mounts":[{}]"#, bind(r#""BindOptions":{}"#)))), ["Bind /a>/t ro"]);
    assert_eq!(mounts(&create_at("/v1.43", r#""Binds":["/a:/t:ro"]"#)), ["Bind /a>/t ro makes"]);
    // Up to Docker 24, a service's mount does not say that it is alone.
    let alone = options(r#""NonRecursive":true"#);
    assert_eq!(mounts(&service_at("/v1.43", &alone)), ["Bind /a>/t ro"]);
    assert_eq!(mounts(&service_at("/v1.44", &alone)), ["Bind /a>/t rro"]);
}

fn local(options: &str) -> String {
    format!(
        r#"{{"Type":"volume","Source":"v","Target":"/t","VolumeOptions":{{"DriverConfig":{{"Name":"local","Options":{{{options}}}}}}}}}"#
    )
}

/// Each mount stands in a container and in a service.
#[test]
fn mounts_are_mounts_in_containers_and_services() {
    for (mount, expected) in [
        (r#"{"Type":"bind","Source":"/etc","Target":"/t"}"#.to_owned(), "Bind /etc>/t"),
        (
            r#"{"type":"bind","SOURCE":"/link","target":"/t","readonly":true,"bindoptions":{"propagation":"rshared"}}"#
                .to_owned(),
            "Bind /link=/etc>/t ro rshared linked",
        ),
        (r#"{"Type":"volume","Source":"v","Target":"/t"}"#.to_owned(), "Volume v>/t"),
        (r#"{"Type":"volume","Target":"/t","ReadOnly":true}"#.to_owned(), "Volume >/t ro"),
        (
            r#"{"Type":"volume","Source":"v","Target":"/t","VolumeOptions":{"Subpath":"a/b"}}"#.to_owned(),
            "Volume v>/t sub:a/b",
        ),
        (r#"{"Type":"tmpfs","Target":"/t"}"#.to_owned(), "Tmpfs >/t"),
        (
            r#"{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"SizeBytes":1,"Options":[["exec"]]}}"#.to_owned(),
            "Tmpfs >/t",
        ),
        (r#"{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"Options":[["exec","a,bind"]]}}"#.to_owned(), "Other >/t"),
        (r#"{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"Options":[["bind"]]}}"#.to_owned(), "Other >/t"),
        (r#"{"Type":"image","Source":"alpine","Target":"/t"}"#.to_owned(), "Image alpine>/t"),
        (r#"{"Type":"cluster","Source":"v","Target":"/t"}"#.to_owned(), "Cluster v>/t"),
        (r#"{"Type":"npipe","Source":"p","Target":"/t"}"#.to_owned(), "Npipe p>/t"),
        (local(r#""type":"none","o":"bind","device":"/etc""#), "Bind /etc>/t local type:none"),
        (local(r#""type":"ext4","device":"/dev/sda1""#), "FileSystem /dev/sda1=?>/t local type:ext4"),
        (local(r#""type":"tmpfs","device":"tmpfs","o":"size=1m""#), "FileSystem tmpfs>/t local type:tmpfs"),
        (local(r#""O":"bind","Device":"/etc""#), "Volume v>/t local"),
        (local(""), "Volume v>/t local"),
        (local(r#""type":"none","o":"bind","device":"/etc""#).replace("local", "sshfs"), "Volume v>/t sshfs"),
        (
            local(r#""type":"none","o":"bind","device":"/etc""#).replace(r#""Name":"local","#, ""),
            "Bind /etc>/t type:none",
        ),
        // Others can write to the volume, whatever this mount says.
        (
            local(r#""type":"none","o":"bind","device":"/etc""#).replace(r#""Target""#, r#""ReadOnly":true,"Target""#),
            "Bind /etc>/t local type:none",
        ),
    ] {
        assert_eq!(mounts(&create(&format!(r#""Mounts":[{mount}]"#))), [expected], "{mount}");
        assert_eq!(mounts(&service_at("/v1.44", &mount)), [expected], "{mount}");
    }
}

#[test]
fn a_service_takes_any_case_and_takes_no_type_for_a_bind() {
    for (mount, container, service) in [
        (r#"{"Type":"BIND","Source":"/etc"}"#, "Other /etc=?>", "Bind /etc>"),
        (r#"{"Type":"bınd","Source":"/etc"}"#, "Other /etc=?>", "Bind /etc>"),
        (r#"{"Source":"/etc"}"#, "Other /etc=?>", "Bind /etc>"),
        (r#"{"Type":"Volume","Source":"v"}"#, "Other v>", "Volume v>"),
        (r#"{"Type":"TmpFs"}"#, "Other >", "Tmpfs >"),
        (
            r#"{"Type":"bind","Source":"/etc","BindOptions":{"Propagation":"RSHARED"}}"#,
            "Bind /etc> RSHARED",
            "Bind /etc> rshared",
        ),
        (r#"{"Type":"binds","Source":"/etc"}"#, "Other /etc=?>", "Other /etc=?>"),
    ] {
        assert_eq!(mounts(&create(&format!(r#""Mounts":[{mount}]"#))), [container], "{mount}");
        assert_eq!(mounts(&service_at("/v1.44", mount)), [service], "{mount}");
    }
}

/// What swarmkit expands on the node: everything in which `expandMounts` of its template/expand.go calls `Expand`.
#[test]
fn nobody_knows_what_a_template_comes_to() {
    let mount = |kind: &str, source: &str, target: &str, options: &str| {
        format!(r#"{{"Type":"{kind}","Source":{},"Target":{},"VolumeOptions":{options}}}"#, json(source), json(target))
    };
    let options = |label: &str, options: &str| {
        format!(r#"{{"Labels":{{"l":{}}},"DriverConfig":{{"Options":{{{options}}}}}}}"#, json(label))
    };
    let template = "{{`..`}}";
    let in_option = |name: &str| {
        let value = |other: &str, plain: &str| json(if other == name { template } else { plain });
        format!(r#""type":{},"device":{},"o":{}"#, value("type", "tmpfs"), value("device", "/srv"), value("o", ""))
    };
    let mut cases = vec![
        mount("volume", "v", "/t", &options(template, "")),
        mount("volume", "v", "/t", &options(r#"{{index .Service.Labels "p"}}"#, "")),
        mount("volume", "v", "/t", &options("", r#""type":"tmpfs","device":"/srv/secret","o":"{{\"bind\"}}""#)),
        mount("volume", "v", "/t", &options("", r#""type":"none","device":"/srv","o":"\u007b\u007b`bind`}}""#)),
        mount("volume", "v", "/t", &options("", r#""unknown":"{{.Task.Slot}}""#)),
        mount("volume", "v", "/t", &options("", &in_option("type"))),
        mount("volume", "v", "/t", &options("", &in_option("device"))),
        mount("volume", "v", "/t", &options("", &in_option("o"))),
        mount("volume", "v", "/t", &options("", &in_option("o")).replace("Labels", "labels")),
    ];
    for kind in ["bind", "volume", "tmpfs", "image", "cluster", "npipe", "BIND", ""] {
        cases.push(mount(kind, &format!("/srv/www/{template}/secret"), "/t", "null"));
        cases.push(mount(kind, "/srv/www", &format!("/t{template}"), "null"));
    }
    for mount in &cases {
        for uri in ["/v1.44/services/create", "/v1.44/services/x/update?version=1"] {
            let request = post(uri, &format!(r#"{{"TaskTemplate":{{"ContainerSpec":{{"Mounts":[{mount}]}}}}}}"#));
            let kinds: Vec<_> = request.mounts().iter().map(|mount| (mount.kind, mount.resolved.clone())).collect();
            assert_eq!(kinds, [(MountKind::Other, None)], "{mount}");
        }
    }
    // A container's mounts are not expanded, nor is what else a service says of a mount.
    let text = mount("bind", "/srv/{{x}}", "/t", "null");
    assert_eq!(mounts(&create(&format!(r#""Mounts":[{text}]"#))), ["Bind /srv/{{x}}>/t"]);
    let subpath = mount("volume", "v", "/t", r#"{"Subpath":"{{x}}","Labels":{"{{k}}":"{ {"}}"#);
    assert_eq!(mounts(&service_at("/v1.44", &subpath)), ["Volume v>/t sub:{{x}}"]);
}

/// Every file system that a Linux kernel can have and that ignores its device: `nodev` in /proc/filesystems, and all of
/// fs/, drivers/, ipc/, kernel/, mm/, net/ and security/ that calls `get_tree_nodev`, `get_tree_single` or `get_tree_keyed`.
const WITHOUT_DEVICE: [&str; 65] = [
    "9p",
    "afs",
    "aio",
    "anon_inodefs",
    "autofs",
    "bdev",
    "bpf",
    "balloon-kvm",
    "binder",
    "binfmt_misc",
    "ceph",
    "cgroup",
    "cgroup2",
    "cifs",
    "coda",
    "configfs",
    "cpuset",
    "ctfs",
    "cxl",
    "dax",
    "debugfs",
    "devpts",
    "devtmpfs",
    "dlmfs",
    "dma_buf",
    "drm",
    "ecryptfs",
    "efivarfs",
    "erofs",
    "fuse",
    "functionfs",
    "gadgetfs",
    "guest_memfd",
    "hostfs",
    "hugetlbfs",
    "ibmasmfs",
    "mqueue",
    "nfs",
    "nfs4",
    "nfsd",
    "nsfs",
    "nullfs",
    "ocfs2_dlmfs",
    "openpromfs",
    "orangefs",
    "overlay",
    "pidfs",
    "pipefs",
    "proc",
    "pstore",
    "ramfs",
    "resctrl",
    "rootfs",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "smackfs",
    "smb3",
    "sockfs",
    "spufs",
    "sysfs",
    "tmpfs",
    "tracefs",
    "virtiofs",
    "xenfs",
];

#[test]
fn only_bind_makes_a_bind_whatever_the_device() {
    let with_device =
        ["ext4", "xfs", "btrfs", "vfat", "iso9660", "squashfs", "fuseblk", "fuse.sshfs", "none", "bind", "auto"];
    for file_system in WITHOUT_DEVICE.into_iter().chain(with_device) {
        for device in ["/srv/scratch/x", "none", "proc", "//server/share", ":/export"] {
            for o in ["", "ro", "defaults", "size=1", "lowerdir=", "private", "bind=1", "Bind", " bind", "move"] {
                let options = format!(r#""type":"{file_system}","device":"{device}","o":"{o}""#);
                for request in [volume(&options), create(&format!(r#""Mounts":[{}]"#, local(&options)))] {
                    let [mount] = request.mounts() else { panic!("{options}: {:?}", request.mounts()) };
                    assert_eq!(mount.kind, MountKind::FileSystem, "{options}");
                    assert_eq!(mount.file_system.as_deref(), Some(file_system));
                    assert_eq!((&*mount.source, mount.resolved.as_deref()), (device, None), "{options}");
                    assert_eq!(mount.options.join(","), o, "{options}");
                }
            }
            let bind = format!(r#""type":"{file_system}","device":"{device}","o":"noatime,bind""#);
            let kinds: Vec<_> = volume(&bind).mounts().iter().map(|mount| mount.kind).collect();
            assert_eq!(kinds, [MountKind::Bind], "{bind}");
        }
    }
}

#[test]
fn options_of_a_volume_are_read_as_moby_and_the_kernel_do() {
    for (o, expected) in [
        ("bind", "Bind /link=/etc> type:none linked"),
        ("bind,ro", "Bind /link=/etc> rro type:none linked"),
        ("ro,bind,rw", "Bind /link=/etc> type:none linked"),
        ("rw,bind,ro,ro", "Bind /link=/etc> rro type:none linked"),
        // The second call, which makes it read-only, is for the top alone; these flags bring with them what is below.
        ("rbind,ro", "Bind /link=/etc> ro type:none linked"),
        ("bind,ro,rprivate", "Bind /link=/etc> ro rprivate type:none linked"),
        ("bind,ro,rshared", "Bind /link=/etc> ro rshared type:none linked"),
        ("bind,ro,private", "Bind /link=/etc> rro private type:none linked"),
        ("bind,private,shared", "Bind /link=/etc> shared type:none linked"),
        ("bind,shared,slave,private", "Bind /link=/etc> shared type:none linked"),
        ("bind,defaults,x=y,move", "Bind /link=/etc> type:none linked"),
        ("bind,RO", "Bind /link=/etc> type:none linked"),
        ("bind, ro", "Bind /link=/etc> type:none linked"),
        // Another call of mount(2).
        ("remount,bind", "Other /link=?> type:none"),
        ("bind,remount,ro", "Other /link=?> rro type:none"),
        ("remount", "Other /link=?> type:none"),
    ] {
        let options = format!(r#""type":"none","device":"/link","o":"{o}""#);
        assert_eq!(mounts(&volume(&options)), [expected], "{o}");
    }
    // The kernel reads a page of it, and what is cut off may change what the last word is.
    let long = |length: usize| format!(r#""type":"tmpfs","device":"x","o":"{}""#, "x".repeat(length));
    assert_eq!(volume(&long(4095)).mounts().first().map(|mount| mount.kind), Some(MountKind::FileSystem));
    assert_eq!(volume(&long(4096)).mounts().first().map(|mount| mount.kind), Some(MountKind::Other));
}

#[test]
fn an_overlay_is_a_file_system_and_each_of_its_folders() {
    let overlay = "FileSystem overlay> type:overlay";
    for (o, expected) in [
        ("lowerdir=/a:/b,upperdir=/c,workdir=/d", "/a> rro|/b> rro|/c>|/d>"),
        ("lowerdir=/a::/b", "/a> rro|/b> rro"),
        ("lowerdir+=/a:/b,datadir+=/c", "/a:/b> rro|/c> rro"),
        ("lowerdir=:/a,lowerdir=/b", "/a> rro|/b> rro"),
        ("lowerdir=/a,index=off,ro,upperdir=/x:/y", "/a> rro|/x:/y>"),
        ("lowerdir=a", "a> rro"),
        ("lowerdir=/link", "/link=/etc> rro linked"),
        // The kernel takes what is escaped for a part of the path, and moby's own words out before.
        (r"lowerdir=/a\,b:/c", r"lowerdir=/a\,b:/c>"),
        (r"lowerdir=/x\:/y:/x", r"lowerdir=/x\:/y:/x>"),
        (r"lowerdir=/a\,ro,b", r"lowerdir=/a\,b>"),
        (r"lowerdir=/a\\", r"lowerdir=/a\\>"),
        (r#"lowerdir=/a,context="x,y""#, r#"lowerdir=/a,context="x,y">"#),
    ] {
        let options = format!(r#""type":"overlay","device":"overlay","o":{}"#, json(o));
        let found = mounts(&volume(&options));
        let (first, folders) = found.split_first().expect("one at least");
        assert_eq!(first.replace(" rro", ""), overlay, "{o}");
        let folders: Vec<_> =
            folders.iter().map(|folder| folder.replace("Bind ", "").replace(" type:overlay", "")).collect();
        assert_eq!(folders.join("|"), expected, "{o}");
    }
    let long = format!(r#""type":"overlay","device":"overlay","o":"lowerdir=/{}""#, "a".repeat(4095));
    let kinds = |options: &str| -> Vec<_> {
        volume(options).mounts().iter().map(|mount| (mount.kind, mount.resolved.clone())).collect()
    };
    assert_eq!(kinds(&long), [(MountKind::Other, None), (MountKind::Bind, None)]);

    // What is long is not there once for each of many folders.
    let many = |count| {
        format!(
            r#""type":"overlay","device":"overlay","o":"{}lowerdir={}""#,
            "ro,".repeat(100_000),
            "/a:".repeat(count)
        )
    };
    assert_eq!(kinds(&many(500)).len(), 501);
    assert_eq!(kinds(&many(501)), [(MountKind::FileSystem, None), (MountKind::Bind, None)]);
    let folders = create(&format!(r#""Mounts":[{}]"#, local(&many(500)).replace("/t", &"/t".repeat(10_000))));
    let long = |mount: &Mount| mount.options.len() + mount.target.len();
    assert_eq!(folders.mounts().iter().filter(|mount| long(mount) > 0).count(), 1);
}

#[test]
fn memory_is_a_tmpfs_where_its_options_are_such() {
    for (options, expected) in [
        ("", "Tmpfs >/t"),
        ("size=1m,ro", "Tmpfs >/t rro"),
        ("ro,rw", "Tmpfs >/t"),
        ("rw,nosuid,mode=1777,uid=0,nr_inodes=5", "Tmpfs >/t"),
        ("bind", "Other >/t"),
        ("rbind,size=1m", "Other >/t"),
        ("remount", "Other >/t"),
        ("size=1m,", "Other >/t"),
        ("huge=always", "Other >/t"),
        ("rshared", "Other >/t"),
    ] {
        assert_eq!(mounts(&create(&format!(r#""Tmpfs":{{"/t":"{options}"}}"#))), [expected], "{options}");
    }
}

#[test]
fn everything_else_that_is_mounted_is_a_mount() {
    let request = post(
        "/containers/create",
        r#"{"Volumes":{"/anonymous":{}},"HostConfig":{"VolumesFrom":["db","web:z,ro","x:ro,nocopy","",":ro,ro"]}}"#,
    );
    let expected =
        ["Container db>", "Container web> ro", "Container x>", "Container >", "Container >", "Volume >/anonymous"];
    assert_eq!(mounts(&request), expected);

    for (body, expected) in [
        (r#"{"Name":"v"}"#, vec!["Volume v>"]),
        ("{}", vec!["Volume >"]),
        (
            r#"{"Name":"v","Driver":"local","DriverOpts":{"type":"none","o":"bind","device":"/link"}}"#,
            vec!["Bind /link=/etc> local type:none linked"],
        ),
        (
            r#"{"name":"v","driveropts":{"type":"none","o":"rbind,ro","device":"/missing"}}"#,
            vec!["Bind /missing> ro type:none missing"],
        ),
        (r#"{"Name":"v","Driver":"sshfs","DriverOpts":{"o":"bind","device":"/etc"}}"#, vec!["Volume v> sshfs"]),
        (r#"{"Name":"v","DriverOpts":{"size":"1G"}}"#, vec!["Volume v>"]),
        // A daemon that does not know cluster volumes makes one of its own.
        (r#"{"Name":"v","ClusterVolumeSpec":{}}"#, vec!["Cluster v>", "Volume v>"]),
        (
            r#"{"Name":"v","ClusterVolumeSpec":{},"DriverOpts":{"type":"none","o":"bind","device":"/etc"}}"#,
            vec!["Cluster v>", "Bind /etc> type:none"],
        ),
    ] {
        assert_eq!(mounts(&post("/volumes/create", body)), expected, "{body}");
    }
    assert!(
        mounts(&post("/containers/x/update", r#"{"Binds":["/etc:/host"]}"#)).is_empty(),
        "an update mounts nothing"
    );
    assert!(mounts(&create(r#""Binds":null,"Mounts":null,"VolumesFrom":[],"Tmpfs":{}"#)).is_empty());
}

#[test]
fn what_is_made_is_told() {
    let told = |request: DockerRequest| {
        let told = |mount: &Mount| (mount.makes_volume, mount.copies_image, mount.makes_source);
        request.mounts().iter().map(told).collect::<Vec<_>>()
    };
    let volume_of = |options: &str| {
        create(&format!(r#""Mounts":[{{"Type":"volume","Source":"v","Target":"/t","VolumeOptions":{{{options}}}}}]"#))
    };
    for (request, expected) in [
        (create(r#""Binds":["data:/data:ro"]"#), (true, true, false)),
        (create(r#""Binds":["data:/data:nocopy"]"#), (true, false, false)),
        (create(r#""Binds":["/data"]"#), (true, true, false)),
        (create(r#""Binds":["/a:/data:ro"]"#), (false, false, true)),
        (volume_of(r#""NoCopy":false"#), (true, true, false)),
        (volume_of(r#""NoCopy":true"#), (true, false, false)),
        (volume_of(r#""DriverConfig":{"Options":{"type":"none","device":"/a","o":"bind"}}"#), (true, true, false)),
        (volume(r#""type":"none","device":"/a","o":"bind""#), (true, false, false)),
        (create(r#""Mounts":[{"Type":"bind","Source":"/a"}]"#), (false, false, false)),
        (
            create(r#""Mounts":[{"Type":"bind","Source":"/a","BindOptions":{"CreateMountpoint":true}}]"#),
            (false, false, true),
        ),
        (create(r#""Tmpfs":{"/t":""}"#), (false, false, false)),
    ] {
        let body = request.body().map(|body| body.root().to_json());
        assert_eq!(told(request), [expected], "{body:?}");
    }
    let anonymous = post("/containers/create", r#"{"Volumes":{"/t":{}}}"#);
    assert_eq!(told(anonymous), [(true, true, false)]);
}

/// `/secret/into` leads to `/www/sub`.
#[derive(Debug)]
struct Links;

impl Resolve for Links {
    fn resolve(&self, path: &str) -> Option<Resolved> {
        let followed = path.replace("/secret/into", "/www/sub");
        Some(Resolved::plain(clean_path(&followed)))
    }
}

#[test]
fn a_source_that_can_be_read_in_two_ways_is_not_resolved() {
    let cases = [
        ("/www/a/../b", Some("/www/b")),
        ("/www/./a//b/", Some("/www/a/b")),
        ("/secret/into/deep", Some("/www/sub/deep")),
        ("/secret/into/../deep", None),
        ("/secret/../secret/into/x", Some("/www/sub/x")),
        ("/../..", Some("/")),
    ];
    for (source, expected) in cases {
        assert_eq!(resolve(source, &Links).map(|led| led.path).as_deref(), expected, "{source}");
    }
}
