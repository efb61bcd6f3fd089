//! What is remembered, by what it is found again, and how much of it there can be.

use super::*;

const LOST: &str = "(a mount that is not remembered)";

fn bind(source: &str) -> Mount {
    Mount::new(MountKind::Bind, source, "/x")
}

fn named(kind: MountKind, name: &str, read_only: bool) -> Mount {
    Mount { read_only, ..Mount::new(kind, name, "/v") }
}

fn binds(source: &str) -> Record {
    Record { binds: vec![bind(source)], ..Record::default() }
}

fn tenant(name: &str) -> TenantName {
    TenantName::new(name).expect("a name")
}

fn id(n: usize) -> String {
    format!("{n:064x}")
}

/// Sources, with `ro` where they are read-only.
fn sources(mounts: Vec<Mount>) -> Vec<String> {
    mounts.iter().map(|mount| format!("{}{}", mount.source, if mount.read_only { " ro" } else { "" })).collect()
}

struct Daemon(Registry);

impl Daemon {
    fn new() -> Self {
        Self(Registry::default())
    }

    /// Creates a container as a tenant, and has it answered.
    fn create(&mut self, by: &str, number: usize, name: Option<&str>, record: Record) {
        self.0.expect("/create", &tenant(by), record.clone(), Instant::now());
        let change = Change::Container { id: id(number), name: name.map(str::to_owned) };
        self.0.settle("/create", record, change, Instant::now());
    }

    fn settle(&mut self, change: Change) {
        self.0.settle("/", Record::default(), change, Instant::now());
    }

    fn rename(&mut self, container: &str, name: &str) {
        self.settle(Change::Renamed { container: container.into(), name: name.into() });
    }

    /// A create that fails.
    fn fail(&mut self, by: &str, record: Record) {
        self.0.expect("/create", &tenant(by), record.clone(), Instant::now());
        self.0.settle("/create", record, Change::Nothing, Instant::now());
    }

    /// What a call mounts by naming it.
    fn named(&self, mount: Mount) -> Vec<String> {
        sources(self.0.of_named(&[mount], &tenant("a"), Instant::now()))
    }

    /// What a call mounts with `--volumes-from`.
    fn from(&self, container: &str) -> Vec<String> {
        self.named(named(MountKind::Container, container, false))
    }

    fn of(&self, called: &str) -> Vec<String> {
        self.by("a", called)
    }

    fn by(&self, by: &str, called: &str) -> Vec<String> {
        sources(self.0.of_container(called, &tenant(by), Instant::now()))
    }
}

#[test]
fn a_container_is_found_by_all_that_it_can_be_called_by() {
    let mut daemon = Daemon::new();
    daemon.create("a", 0xab1, Some("web"), binds("/one"));
    daemon.create("a", 0xab2, None, binds("/two"));
    let first = id(0xab1);
    for called in [&*first, "web", "/web"] {
        assert_eq!(daemon.of(called), ["/one"], "{called}");
    }
    // The beginning of both, and then of one.
    assert_eq!(daemon.of("0000"), ["/one", "/two"]);
    assert_eq!(daemon.of(&id(0xab2)), ["/two"]);
    assert_eq!(daemon.of("we"), [""; 0]);
    assert_eq!(daemon.of("other"), [""; 0]);

    daemon.settle(Change::Renamed { container: "web".into(), name: "www".into() });
    assert_eq!((daemon.of("www"), daemon.of("web")), (vec!["/one".to_owned()], vec![]));
    // Another gets a name that was free by then.
    daemon.create("a", 0xab3, Some("www"), binds("/three"));
    assert_eq!((daemon.of("www"), daemon.of(&first)), (vec!["/three".to_owned()], vec!["/one".to_owned()]));

    daemon.settle(Change::ContainersRemoved(vec!["www".into()]));
    assert_eq!(daemon.of("www"), [""; 0]);
    // The alias of a link can stand for any.
    assert_eq!(daemon.of("/parent/db"), [LOST]);
    assert_eq!(daemon.from("parent/db"), [LOST]);
}

#[test]
fn a_name_that_the_daemon_chose_is_any_of_those_that_the_tenant_made_without_one() {
    let mut daemon = Daemon::new();
    daemon.create("a", 1, None, binds("/one"));
    daemon.create("a", 2, Some("web"), binds("/two"));
    daemon.create("b", 3, None, binds("/three"));
    for called in ["quirky_fermi", "/quirky_fermi", "quirky_fermi7"] {
        assert_eq!(daemon.of(called), ["/one"], "{called}");
        assert_eq!(daemon.by("b", called), ["/three"], "{called}");
    }
    assert_eq!(daemon.by("c", "quirky_fermi"), [""; 0]);
    assert_eq!(daemon.of("Quirky_fermi"), [""; 0]);
}

#[test]
fn one_that_is_just_being_created_is_known_before_its_answer_is() {
    let mut daemon = Daemon::new();
    let start = Instant::now();
    daemon.0.expect("/create?name=x", &tenant("a"), binds("/one"), start);
    assert_eq!(daemon.of("x"), ["/one"]);
    assert_eq!(daemon.by("b", "x"), [""; 0], "it is not another's");
    let late = daemon.0.of_container("x", &tenant("a"), start + ANSWERED_WITHIN);
    assert!(late.is_empty(), "another plugin may have denied it");
    daemon.0.settle("/create?name=x", binds("/one"), Change::Nothing, start);
    assert_eq!(daemon.of("x"), [""; 0], "it failed");
    assert!(daemon.0.is_empty());
}

#[test]
fn volumes_are_shown_where_they_are_mounted_by_name() {
    let mut daemon = Daemon::new();
    let volume = Record { volumes: vec![("v".into(), vec![bind("/one")])], ..Record::default() };
    daemon.0.settle("/", volume.clone(), Change::Volume { name: "v".into() }, Instant::now());
    let mount = named(MountKind::Volume, "v", true);
    assert_eq!(daemon.named(mount.clone()), ["/one ro"]);
    assert!(daemon.named(named(MountKind::Volume, "w", false)).is_empty());

    // A container that mounts it, and one that has that one's mounts.
    let mounting = Record { others: vec![mount], ..Record::default() };
    daemon.create("a", 1, Some("first"), mounting);
    assert_eq!(daemon.of("first"), ["/one ro"]);
    assert_eq!(daemon.from("first"), ["/one ro"]);

    // Whatever is asked of one that is there, it stays what it is.
    let other = Record { volumes: vec![("v".into(), vec![bind("/harmless")])], ..Record::default() };
    daemon.0.settle("/", other, Change::Volume { name: "v".into() }, Instant::now());
    assert_eq!(daemon.of("first"), ["/one ro", "/harmless ro"]);
    daemon.settle(Change::VolumesRemoved(vec!["v".into()]));
    assert_eq!(daemon.of("first"), [""; 0]);

    // A mount can make a volume, too.
    daemon.create("a", 2, Some("second"), Record { binds: vec![bind("/one")], ..volume });
    assert_eq!(daemon.named(named(MountKind::Volume, "v", false)), ["/one"]);
}

#[test]
fn a_volume_is_shown_as_what_it_was_made() {
    let mut daemon = Daemon::new();
    let of_driver = Mount { driver: Some("nfs".to_owned()), ..named(MountKind::Volume, "v", false) };
    let disk = Mount { file_system: Some("ext4".to_owned()), ..named(MountKind::FileSystem, "/dev/vda", false) };
    for (name, mount) in [("v", &of_driver), ("d", &disk)] {
        let record = Record { volumes: vec![(name.into(), vec![mount.clone()])], ..Record::default() };
        daemon.0.settle("/", record, Change::Volume { name: name.into() }, Instant::now());
        let mounting = named(MountKind::Volume, name, true);
        daemon.create("a", 1, Some("web"), Record { others: vec![mounting.clone()], ..Record::default() });
        for shown in [
            daemon.0.of_named(&[mounting], &tenant("a"), Instant::now()),
            daemon.0.of_container("web", &tenant("a"), Instant::now()),
        ] {
            assert_eq!(shown, [Mount { read_only: true, ..mount.clone() }], "{name}");
        }
    }
}

#[test]
fn what_is_remembered_is_bounded_and_nobody_has_others_forgotten() {
    let mut daemon = Daemon::new();
    daemon.create("a", 1, Some("web"), binds("/one"));
    let large = format!("/{}", "x".repeat(60 << 10));
    for number in 2..2000 {
        daemon.create("b", number, Some(&format!("n{number}")), binds(&large));
        assert!(daemon.0.bytes <= BYTES, "{}", daemon.0.bytes);
    }
    assert_eq!(daemon.of("web"), ["/one"], "another's flood does not reach it");
    assert_eq!(daemon.of("n1999"), std::slice::from_ref(&large));
    assert!(daemon.0.containers.len() < 600, "{}", daemon.0.containers.len());
    assert_eq!(daemon.0.names.len(), daemon.0.containers.len());

    for number in 2000..2000 + RECORDS + 100 {
        daemon.create("c", number, None, Record::default());
    }
    assert!(daemon.0.containers.len() <= RECORDS);
    assert_eq!(daemon.of("web"), ["/one"]);
    for number in 1..2000 + RECORDS + 100 {
        daemon.settle(Change::ContainersRemoved(vec![id(number)]));
    }
    assert_eq!((daemon.0.bytes, daemon.0.names.len()), (0, 0), "all of it is given back");

    for number in 0..3 * EXPECTED {
        daemon.0.expect(&format!("/{number}"), &tenant("a"), Record::default(), Instant::now());
    }
    assert_eq!(daemon.0.expected.len(), EXPECTED);
}

fn inheriting(container: &str, read_only: bool) -> Record {
    Record { others: vec![named(MountKind::Container, container, read_only)], ..Record::default() }
}

fn defining(volume: &str, source: &str) -> Record {
    Record { volumes: vec![(volume.into(), vec![bind(source)])], ..Record::default() }
}

#[test]
fn a_container_without_a_name_is_still_found_when_it_is_renamed() {
    let mut daemon = Daemon::new();
    daemon.create("a", 1, None, binds("/one"));
    daemon.create("b", 2, None, binds("/two"));
    daemon.rename("quirky_fermi", "first");
    assert_eq!((daemon.of("first"), daemon.by("b", "first")), (vec!["/one".to_owned()], vec!["/two".to_owned()]));
    daemon.rename("first", "second");
    assert_eq!((daemon.of("first"), daemon.of("second")), (vec![], vec!["/one".to_owned()]));
    // A name that another had.
    daemon.create("a", 3, Some("taken"), binds("/three"));
    daemon.rename("second", "taken");
    assert_eq!(daemon.of("taken"), ["/one", "/three"], "the one that had it may be any");

    // Others take the name.
    daemon.create("a", 4, Some("taken"), binds("/four"));
    assert_eq!(daemon.of("taken"), ["/four"]);
    daemon.rename("quirky_fermi", "gone");
    daemon.settle(Change::ContainersRemoved(vec!["gone".into()]));
    daemon.rename("quirky_fermi", "www");
    daemon.rename(&id(4), "www");
    assert_eq!((daemon.of("gone"), daemon.of("www")), (vec![], vec!["/four".to_owned()]));
    assert!(daemon.0.unsure.is_empty());

    // One from before the host started, by its ID, as Compose does it.
    daemon.rename(&id(99), "before");
    assert_eq!(daemon.of("before"), [""; 0]);
    daemon.rename("parent/db", "any");
    assert!(daemon.of("any").contains(&LOST.to_owned()));
    // A name that was free again, and is the beginning of an ID.
    daemon.rename("quirky_fermi", &id(4)[..63]);
    daemon.rename(&id(4)[..63], "free");
    assert!(daemon.of("free").contains(&LOST.to_owned()));
}

#[test]
fn no_flood_of_renames_has_a_name_forgotten() {
    let mut daemon = Daemon::new();
    daemon.create("a", 1, None, binds("/one"));
    assert_eq!(daemon.of("last"), [""; 0]);
    for number in 0..=UNSURE {
        daemon.rename("quirky_fermi", &format!("n{number}"));
    }
    daemon.rename("quirky_fermi", "last");
    assert_eq!(daemon.0.unsure.len(), UNSURE);
    assert_eq!((daemon.of("n0"), daemon.of("last")), (vec!["/one".to_owned()], vec!["/one".to_owned()]));
}

#[test]
fn volumes_that_a_failed_create_leaves_behind_are_kept() {
    let mut daemon = Daemon::new();
    daemon.fail("a", defining("v", "/one"));
    assert_eq!(daemon.named(named(MountKind::Volume, "v", false)), ["/one"]);
}

#[test]
fn an_anonymous_volume_is_any_that_the_tenant_defined() {
    let mut daemon = Daemon::new();
    let volume = |name: &str| named(MountKind::Volume, name, false);
    assert_eq!(daemon.named(volume(&id(7))), [""; 0]);
    daemon.create("a", 1, Some("web"), defining("", "/one"));
    daemon.create("b", 2, Some("other"), defining("", "/two"));
    assert_eq!(daemon.named(volume(&id(7))), ["/one"]);
    assert_eq!((daemon.named(volume("v")), daemon.named(volume(""))), (vec![], vec![]));
    // It outlives the container, and cannot be removed by a name that is made up.
    daemon.settle(Change::ContainersRemoved(vec!["web".into()]));
    daemon.settle(Change::VolumesRemoved(vec![String::new(), "a".into(), id(7)]));
    assert_eq!(daemon.named(volume(&id(7))), ["/one"]);
    // One that is known is itself.
    let named = defining("", "/three");
    daemon.0.settle("/", named, Change::Volume { name: id(8) }, Instant::now());
    assert_eq!(daemon.named(volume(&id(8))), ["/three"]);
}

#[test]
fn what_is_too_much_to_show_is_not_left_out_silently() {
    let mut daemon = Daemon::new();
    for number in 0..SHOWN {
        daemon.create("a", number, None, binds(&format!("/{number}")));
    }
    let shown = daemon.of("quirky_fermi");
    assert_eq!((shown.len(), shown.contains(&LOST.to_owned())), (SHOWN, false));
    daemon.create("a", SHOWN, None, binds("/more"));
    let shown = daemon.of("quirky_fermi");
    assert_eq!((shown.len(), shown.last().map(String::as_str)), (SHOWN + 1, Some(LOST)));
    // The beginning of many: the last of them may be the only one that is left.
    assert_eq!(daemon.of("0").last().map(String::as_str), Some(LOST));
    assert_eq!(daemon.of(&id(SHOWN)[..62]).len(), 1, "nothing else begins so");
}

#[test]
fn mounts_are_shown_once_wherever_they_go() {
    let mut daemon = Daemon::new();
    for number in 0..2 * SHOWN {
        let mount = Mount { target: format!("/{number}"), read_only: number % 2 == 0, ..bind("/one") };
        daemon.create("a", number, None, Record { binds: vec![mount], ..Record::default() });
    }
    assert_eq!(daemon.of("quirky_fermi"), ["/one ro", "/one"]);
}

#[test]
fn what_is_inherited_is_what_it_was_when_the_container_was_created() {
    let mut daemon = Daemon::new();
    daemon.create("a", 1, Some("first"), binds("/one"));
    daemon.create("a", 2, Some("second"), inheriting("first", true));
    daemon.create("a", 3, Some("third"), inheriting("second", false));
    daemon.create("a", 4, None, defining("v", "/volume"));
    daemon.create("a", 5, None, Record { others: vec![named(MountKind::Volume, "v", false)], ..Record::default() });
    daemon.create("a", 6, Some("fourth"), inheriting("quirky_fermi", false));
    daemon.settle(Change::ContainersRemoved(vec!["first".into(), "second".into(), id(5)]));
    daemon.create("a", 7, Some("first"), binds("/other"));
    assert_eq!((daemon.of("second"), daemon.of("third")), (vec![], vec!["/one ro".to_owned()]));
    assert_eq!(daemon.of("fourth"), ["/volume"]);
    assert_eq!(daemon.from("third"), ["/one ro"]);

    let mut daemon = Daemon::new();
    daemon.create("b", 1, None, binds("/one"));
    daemon.rename("quirky_fermi", "renamed");
    daemon.create("a", 2, Some("lost"), inheriting("renamed", false));
    daemon.create("a", 3, Some("before"), inheriting("older", false));
    assert_eq!((daemon.of("lost"), daemon.of("before")), (vec![LOST.to_owned()], vec![]));
}

#[test]
fn creates_that_inherit_from_each_other_come_to_an_end() {
    let mut daemon = Daemon::new();
    for name in ["x", "y", "quirky_fermi"] {
        let record = Record { binds: vec![bind(&format!("/{name}"))], ..inheriting("y", false) };
        daemon.0.expect(&format!("/create?name={name}"), &tenant("a"), record, Instant::now());
    }
    assert_eq!(daemon.of("z"), ["/x", "/y", "/quirky_fermi"]);
}

#[test]
fn of_what_is_too_large_every_volume_is_kept() {
    let volumes: Vec<_> = (0..1000).map(|number| (format!("v{number}"), vec![bind("/one")])).collect();
    let record = Record { volumes, ..Record::default() }.within_bounds();
    let mut daemon = Daemon::new();
    daemon.create("a", 1, Some("web"), record);
    assert_eq!(daemon.of("web"), [LOST]);
    for number in [0, 64, 999] {
        assert_eq!(daemon.named(named(MountKind::Volume, &format!("v{number}"), false)), [LOST]);
    }
}

#[test]
fn what_is_added_again_and_again_is_held_once() {
    let mut daemon = Daemon::new();
    daemon.create("a", 1, Some("web"), binds("/one"));
    for _ in 0..5 * RECORDS {
        daemon.create("a", 2, None, binds("/two"));
    }
    let order = &daemon.0.holders[&Some(tenant("a"))].order;
    assert!(order.len() <= 2 * RECORDS, "{}", order.len());
    assert!(order.contains(&Key::Container(id(1))));
}
