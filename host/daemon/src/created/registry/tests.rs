//! What is remembered, by what it is found again, and how much of it there can be.

use super::*;
use crate::created::record;

fn bind(source: &str) -> Mount {
    record::bind(source, "/x")
}

fn named(kind: MountKind, name: &str, read_only: bool) -> Mount {
    Mount { kind, target: "/v".to_owned(), read_only, ..bind(name) }
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
        self.0.settle("/create", record, change);
    }

    fn settle(&mut self, change: Change) {
        self.0.settle("/", Record::default(), change);
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

    let linked = Record { links: vec![("www".into(), "db".into())], ..Record::default() };
    daemon.create("a", 0xab4, Some("parent"), linked);
    assert_eq!(daemon.of("parent/db"), ["/three"]);
    daemon.settle(Change::ContainersRemoved(vec!["www".into()]));
    assert_eq!((daemon.of("www"), daemon.of("parent/db")), (vec![], vec![]));
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
    daemon.0.settle("/create?name=x", binds("/one"), Change::Nothing);
    assert_eq!(daemon.of("x"), [""; 0], "it failed");
    assert!(daemon.0.is_empty());
}

#[test]
fn volumes_are_shown_where_they_are_mounted_by_name() {
    let mut daemon = Daemon::new();
    let volume = Record { volumes: vec![("v".into(), vec![bind("/one")])], ..Record::default() };
    daemon.0.settle("/", volume.clone(), Change::Volume { name: "v".into() });
    let mount = named(MountKind::Volume, "v", true);
    assert_eq!(sources(daemon.0.of_named(std::slice::from_ref(&mount))), ["/one ro"]);
    assert!(daemon.0.of_named(&[named(MountKind::Volume, "w", false)]).is_empty());

    // A container that mounts it, and one that has that one's mounts.
    let mounting = Record { others: vec![mount], ..Record::default() };
    daemon.create("a", 1, Some("first"), mounting);
    assert_eq!(daemon.of("first"), ["/one ro"]);
    assert_eq!(sources(daemon.0.of_named(&[named(MountKind::Container, "first", false)])), ["/one ro"]);

    // Whatever is asked of one that is there, it stays what it is.
    let other = Record { volumes: vec![("v".into(), vec![bind("/harmless")])], ..Record::default() };
    daemon.0.settle("/", other, Change::Volume { name: "v".into() });
    assert_eq!(daemon.of("first"), ["/one ro", "/harmless ro"]);
    daemon.settle(Change::VolumesRemoved(vec!["v".into()]));
    assert_eq!(daemon.of("first"), [""; 0]);

    // A mount can make a volume, too.
    daemon.create("a", 2, Some("second"), Record { binds: vec![bind("/one")], ..volume });
    assert_eq!(sources(daemon.0.of_named(&[named(MountKind::Volume, "v", false)])), ["/one"]);
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
