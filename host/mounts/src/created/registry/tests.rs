//! What is remembered, by what it is found again, and how much of it there can be.

use std::time::Instant;

use super::change::UNSURE;
use super::expected::{ANSWERED_WITHIN, EXPECTED, EXPECTED_BYTES};
use super::holders::{BYTES, LEAST};
use super::*;

mod unanswered;

const LOST: &str = "(a mount that is not remembered)";

fn bind(source: &str) -> Mount {
    Mount::new(MountKind::Bind, source, "/x")
}

fn named(kind: MountKind, name: &str, read_only: bool) -> Mount {
    Mount { read_only, ..Mount::new(kind, name, "/v") }
}

fn holding(binds: Vec<Mount>, others: Vec<Mount>) -> Record {
    let shared = |mounts: Vec<Mount>| mounts.into_iter().map(Arc::new).collect();
    Record { held: Held { binds: shared(binds), others: shared(others) }, ..Record::default() }
}

fn binds(source: &str) -> Record {
    holding(vec![bind(source)], Vec::new())
}

fn mounting(other: Mount) -> Record {
    holding(Vec::new(), vec![other])
}

fn inheriting(container: &str, read_only: bool) -> Record {
    mounting(named(MountKind::Container, container, read_only))
}

fn defining(volume: &str, source: &str) -> Record {
    Record { volumes: vec![(volume.into(), vec![Arc::new(bind(source))])], ..Record::default() }
}

fn tenant(name: &str) -> TenantName {
    TenantName::new(name).expect("a name")
}

fn id(n: usize) -> String {
    format!("{n:064x}")
}

/// Sources, with `ro` where they are read-only.
fn sources(mounts: Vec<Shown>) -> Vec<String> {
    let mounts = mounts.into_iter().map(Shown::mount);
    mounts.map(|mount| format!("{}{}", mount.source, if mount.read_only { " ro" } else { "" })).collect()
}

struct Daemon {
    registry: Registry,
    /// All that was to be kept.
    kept: Vec<Event>,
}

impl Daemon {
    fn new() -> Self {
        Self { registry: Registry::default(), kept: Vec::new() }
    }

    fn expect(&mut self, by: &str, uri: &str, record: Record, now: Instant) {
        let name = uri.split_once("name=").map(|(_, name)| name).filter(|name| !name.is_empty()).map(Into::into);
        let kept = self.registry.expect(uri, name, &tenant(by), record, now);
        self.kept.extend(kept.into_iter().map(|(_, event)| event));
    }

    fn answer(&mut self, by: &str, uri: &str, record: Record, change: Change) {
        if uri == "/" {
            self.pend(by, uri, &change);
        }
        self.answer_of_before(by, uri, record, change);
    }

    /// It is decided.
    fn pend(&mut self, by: &str, uri: &str, change: &Change) {
        let names = match change {
            Change::Renamed { container, name } => vec![container.trim_start_matches('/'), name],
            Change::ContainersRemoved(called) => called.iter().map(String::as_str).collect(),
            Change::VolumesRemoved(_) => Vec::new(),
            Change::Container { .. }
            | Change::Volume { .. }
            | Change::Service
            | Change::SomeContainersRemoved
            | Change::SomeVolumesRemoved
            | Change::ContainersSeen(_)
            | Change::VolumesSeen(_)
            | Change::Hidden
            | Change::Nothing => return,
        };
        self.registry.pend(uri, &names, &tenant(by), Instant::now());
    }

    fn answer_of_before(&mut self, by: &str, uri: &str, record: Record, change: Change) {
        let kept = self.registry.settle(&Some(tenant(by)), uri, record, change);
        self.kept.extend(kept.into_iter().map(|(_, event)| event));
    }

    /// Creates a container as a tenant, and has it answered.
    fn create(&mut self, by: &str, number: usize, name: Option<&str>, record: Record) {
        let uri = format!("/create?name={}", name.unwrap_or_default());
        self.expect(by, &uri, record.clone(), Instant::now());
        let change = Change::Container { id: id(number), name: name.map(str::to_owned) };
        self.answer(by, &uri, record, change);
    }

    /// Makes a volume that is what it was asked to be.
    fn make_volume(&mut self, by: &str, name: &str, source: &str) {
        self.answer(by, "/", defining(name, source), Change::Volume { name: name.into(), mounts: None });
    }

    fn settle(&mut self, change: Change) {
        self.answer("a", "/", Record::default(), change);
    }

    fn rename(&mut self, container: &str, name: &str) {
        self.rename_by("a", container, name);
    }

    fn rename_by(&mut self, by: &str, container: &str, name: &str) {
        self.answer(by, "/", Record::default(), Change::Renamed { container: container.into(), name: name.into() });
    }

    fn remove(&mut self, container: &str) {
        self.settle(Change::ContainersRemoved(vec![container.into()]));
    }

    /// A create that fails.
    fn fail(&mut self, by: &str, record: Record) {
        self.expect(by, "/create", record.clone(), Instant::now());
        self.answer(by, "/create", record, Change::Nothing);
    }

    /// What a call mounts by naming it.
    fn named(&self, mount: Mount) -> Vec<String> {
        self.named_by("a", mount)
    }

    fn named_by(&self, by: &str, mount: Mount) -> Vec<String> {
        sources(self.registry.of_named(&[Arc::new(mount)], &tenant(by)))
    }

    fn volume(&self, by: &str, name: &str) -> Vec<String> {
        self.named_by(by, named(MountKind::Volume, name, false))
    }

    /// What a call mounts with `--volumes-from`.
    fn from(&self, container: &str) -> Vec<String> {
        self.named(named(MountKind::Container, container, false))
    }

    fn of(&self, called: &str) -> Vec<String> {
        self.by("a", called)
    }

    fn by(&self, by: &str, called: &str) -> Vec<String> {
        sources(self.registry.of_container(called, &tenant(by)))
    }

    /// The same daemon, for the next host: from all that was kept, and from what the last file begins with.
    fn again(&self) -> [Self; 2] {
        let of = |events: &[Event]| {
            let mut registry = Registry::default();
            events.iter().for_each(|event| registry.apply(event));
            Self { registry, kept: Vec::new() }
        };
        [of(&self.kept), of(&self.registry.snapshot().1)]
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
fn a_name_that_the_daemon_chose_is_any_of_those_that_were_made_without_one() {
    let mut daemon = Daemon::new();
    daemon.create("a", 1, None, binds("/one"));
    daemon.create("a", 2, Some("web"), binds("/two"));
    daemon.create("b", 3, None, Record::default());
    for called in ["quirky_fermi", "/quirky_fermi", "quirky_fermi7"] {
        assert_eq!(daemon.of(called), ["/one"], "another's mounts nothing: {called}");
        assert_eq!(
            (daemon.by("b", called), daemon.by("c", called)),
            (vec![LOST.into()], vec![LOST.into()]),
            "{called}"
        );
    }
    daemon.create("b", 4, None, binds("/three"));
    assert_eq!((daemon.of("quirky_fermi"), daemon.by("b", "quirky_fermi")), (mixed("/one"), mixed("/three")));
    // Renamed by whoever does not know whose it is.
    daemon.rename_by("c", "quirky_fermi", "renamed");
    for daemon in [&daemon].into_iter().chain(&daemon.again()) {
        for by in ["c", "d"] {
            assert_eq!(daemon.by(by, "renamed"), [LOST], "{by}");
        }
        assert_eq!(daemon.of("renamed"), mixed("/one"));
    }
    assert_eq!(daemon.of("Quirky_fermi"), [""; 0]);
}

/// This, and something of others.
fn mixed(source: &str) -> Vec<String> {
    vec![source.to_owned(), LOST.to_owned()]
}

#[test]
fn a_create_is_told_to_the_next_host_before_its_answer_is() {
    let mut daemon = Daemon::new();
    daemon.expect("a", "/create?name=x", binds("/one"), Instant::now());
    for mut next in daemon.again() {
        assert_eq!(next.of("x"), ["/one"]);
        next.rename("x", "y");
        next.answer("a", "/create?name=x", binds("/one"), Change::Container { id: id(1), name: Some("x".into()) });
        assert_eq!(
            (next.of("y"), next.registry.holders[&Some(tenant("a"))].expected.len()),
            (vec![LOST.to_owned()], 0)
        );
    }
    daemon.answer("a", "/create?name=x", binds("/one"), Change::Nothing);
    for next in daemon.again() {
        assert_eq!(next.of("x"), [""; 0], "it failed");
    }
}

#[test]
fn a_rename_that_comes_before_the_answer_of_its_create_is_followed() {
    let mut daemon = Daemon::new();
    daemon.expect("a", "/create?name=x", binds("/one"), Instant::now());
    daemon.rename("/x", "y");
    daemon.answer("a", "/create?name=x", binds("/one"), Change::Container { id: id(1), name: Some("x".into()) });
    // Whichever of the two was first.
    for daemon in [&daemon].into_iter().chain(&daemon.again()) {
        assert_eq!((daemon.of("y"), daemon.of("x")), (vec![LOST.to_owned()], vec!["/one".to_owned()]));
        assert_eq!(daemon.by("b", "y"), [LOST], "whose it is another's tenant is not told");
    }
    // Another gets the name.
    daemon.create("a", 2, Some("x"), binds("/two"));
    assert_eq!((daemon.of("y"), daemon.of("x")), (vec![LOST.to_owned()], vec!["/two".to_owned()]));
}

#[test]
fn volumes_are_shown_where_they_are_mounted_by_name() {
    let mut daemon = Daemon::new();
    daemon.make_volume("a", "v", "/one");
    let mount = named(MountKind::Volume, "v", true);
    assert_eq!(daemon.named(mount.clone()), ["/one ro"]);
    assert!(daemon.volume("a", "w").is_empty());

    // A container that mounts it, and one that has that one's mounts.
    daemon.create("a", 1, Some("first"), mounting(mount));
    assert_eq!(daemon.of("first"), ["/one ro"]);
    assert_eq!(daemon.from("first"), ["/one ro"]);

    // Whatever is asked of one that is there, it stays what it is.
    daemon.make_volume("a", "v", "/harmless");
    assert_eq!(daemon.of("first"), ["/one ro"]);
    daemon.settle(Change::VolumesRemoved(vec!["v".into()]));
    assert_eq!(daemon.of("first"), [""; 0]);

    // A mount can make a volume, too.
    let record = Record { volumes: defining("v", "/one").volumes, ..binds("/one") };
    daemon.create("a", 2, Some("second"), record);
    assert_eq!(daemon.volume("a", "v"), ["/one"]);
    // So can a service.
    daemon.answer("a", "/services/create", defining("w", "/two"), Change::Service);
    assert_eq!(daemon.volume("a", "w"), ["/two"]);
    for next in daemon.again() {
        assert_eq!((next.volume("a", "v"), next.volume("a", "w")), (vec!["/one".into()], vec!["/two".into()]));
    }
}

#[test]
fn what_somebody_asks_of_a_volume_that_another_has_is_not_shown_to_that_one() {
    let mut daemon = Daemon::new();
    // Both a volume that was mounted once and one that was made, though by creates that nobody saw the first of.
    daemon.create("b", 1, None, mounting(named(MountKind::Volume, "mounted", false)));
    daemon.answer("b", "/", Record::default(), Change::Volume { name: "made".into(), mounts: Some(Vec::new()) });
    for volume in ["mounted", "made", "told"] {
        daemon.fail("a", defining(volume, "/poison"));
        daemon.answer("a", "/", defining(volume, "/poison"), Change::Service);
        let mounts = (volume == "told").then(Vec::new);
        daemon.answer("a", "/", defining(volume, "/poison"), Change::Volume { name: volume.into(), mounts });
        daemon.create("a", 2, None, defining(volume, "/poison"));
    }
    for daemon in [&daemon].into_iter().chain(&daemon.again()) {
        for volume in ["mounted", "made", "told"] {
            assert_eq!(daemon.volume("b", volume), [""; 0], "{volume}");
        }
    }
}

/// A record that is small, and has as many mounts as are shown for one call.
fn large() -> Record {
    binds(&format!("/{}", "x".repeat(60 << 10)))
}

#[test]
fn a_volume_is_shown_as_what_it_was_made() {
    let mut daemon = Daemon::new();
    let of_driver = Mount { driver: Some("nfs".to_owned()), ..named(MountKind::Volume, "v", false) };
    let disk = Mount { file_system: Some("ext4".to_owned()), ..named(MountKind::FileSystem, "/dev/vda", false) };
    for (number, (name, mount)) in [("v", &of_driver), ("d", &disk)].into_iter().enumerate() {
        let volumes = vec![(name.into(), vec![Arc::new(mount.clone())])];
        let change = Change::Volume { name: name.into(), mounts: None };
        daemon.answer("a", "/", Record { volumes, ..Record::default() }, change);
        let by_name = named(MountKind::Volume, name, true);
        daemon.create("a", number + 1, Some(name), mounting(by_name.clone()));
        for shown in [
            daemon.registry.of_named(&[Arc::new(by_name)], &tenant("a")),
            daemon.registry.of_container(name, &tenant("a")),
        ] {
            let shown: Vec<_> = shown.into_iter().map(Shown::mount).collect();
            assert_eq!(shown, [Mount { read_only: true, ..mount.clone() }], "{name}");
        }
    }
}

#[test]
fn what_is_remembered_is_bounded_and_nobody_has_others_forgotten() {
    let mut daemon = Daemon::new();
    daemon.create("a", 1, Some("web"), binds("/one"));
    for number in 2..2000 {
        daemon.create("b", number, Some(&format!("n{number}")), large());
        assert!(daemon.registry.bytes <= BYTES, "{}", daemon.registry.bytes);
    }
    assert_eq!(daemon.of("web"), ["/one"], "another's flood does not reach it");
    assert_eq!(daemon.of("n1999").len(), 1);
    assert_ne!(daemon.of("n1999"), [LOST]);
    // Those that were pushed out never resolve, for anybody; what is not known stays that.
    for by in ["a", "b"] {
        assert_eq!(
            (daemon.by(by, "n2"), daemon.by(by, &id(2))),
            (vec![LOST.to_owned()], vec![LOST.to_owned()]),
            "{by}"
        );
        assert_eq!(daemon.by(by, "older"), [""; 0], "{by}");
    }

    // Many that mount nothing have nothing else forgotten.
    let many = BYTES / LEAST + 100;
    for number in 2000..2000 + many {
        daemon.create("c", number, None, Record::default());
    }
    assert!(daemon.registry.bytes <= BYTES);
    assert_eq!((daemon.of("web"), daemon.by("c", "older")), (vec!["/one".to_owned()], vec![]));
    for number in 1..2000 + many {
        daemon.remove(&id(number));
    }
    let registry = &daemon.registry;
    assert_eq!((registry.bytes, registry.names.len(), registry.largest.len()), (0, 0, 0), "all of it is given back");
    assert!(registry.is_empty(), "{:?}", registry.holders.keys());
}

#[test]
fn what_a_tenant_pushes_out_of_its_own_reads_as_never_resolved() {
    let mut daemon = Daemon::new();
    daemon.create("a", 1, Some("first"), binds("/one"));
    daemon.make_volume("a", "v", "/volume");
    daemon.create("b", 2, Some("other"), binds("/two"));
    let many = BYTES / LEAST + 100;
    for number in 10..10 + many {
        daemon.create("a", number, None, binds("/many"));
    }
    assert!(!daemon.registry.containers.contains_key(&*id(1)), "it was pushed out");
    let assert = |daemon: &Daemon, note: &str| {
        for called in ["first", &id(1), "quirky_fermi", "older"] {
            assert!(daemon.of(called).contains(&LOST.to_owned()), "{note}: {called}");
            let by_another = if called == "quirky_fermi" { vec![LOST] } else { vec![] };
            assert_eq!(daemon.by("b", called), by_another, "{note}: it is none of another's: {called}");
        }
        assert_eq!(daemon.by("b", "other"), ["/two"], "{note}");
        assert_eq!(daemon.of("other"), ["/two"], "{note}: what is known is shown");
        assert_eq!((daemon.volume("a", "v"), daemon.volume("a", "w")), (vec!["/volume".to_owned()], vec![]), "{note}");
    };
    assert(&daemon, "now");
    let [_, next] = daemon.again();
    assert(&next, "after a restart");
}

#[test]
fn no_more_creates_of_one_tenant_wait_for_answers_than_there_is_room_for() {
    let mut daemon = Daemon::new();
    let now = Instant::now();
    for number in 0..EXPECTED {
        daemon.expect("a", &format!("/{number}"), Record::default(), now);
    }
    assert_eq!(daemon.of("x"), [""; 0]);
    daemon.expect("a", "/create?name=x", binds("/one"), now);
    daemon.expect("a", "/one-more", Record::default(), now);
    daemon.expect("b", "/create?name=x", binds("/two"), now);
    assert_eq!((daemon.of("x"), daemon.by("b", "x")), (mixed("/one"), mixed("/two")));
    for number in 0..EXPECTED {
        daemon.expect("a", &format!("/{number}"), Record::default(), now);
    }
    assert_eq!(daemon.registry.holders[&Some(tenant("a"))].expected.len(), EXPECTED);
    assert_eq!(daemon.of("x"), ["/one"], "it is taken for carried out");
    // By their bytes, too.
    for number in 0..100 {
        daemon.expect("c", &format!("/{number}"), large(), now);
    }
    assert!(daemon.registry.holders[&Some(tenant("c"))].expected_bytes <= EXPECTED_BYTES);
    assert!(daemon.by("c", &id(1)).contains(&LOST.to_owned()), "that can be any");
}

#[test]
fn a_container_without_a_name_is_still_found_when_it_is_renamed() {
    let mut daemon = Daemon::new();
    daemon.create("a", 1, None, binds("/one"));
    daemon.create("b", 2, None, binds("/two"));
    daemon.rename("quirky_fermi", "first");
    assert_eq!((daemon.of("first"), daemon.by("b", "first")), (mixed("/one"), vec![LOST.to_owned()]));
    daemon.rename("first", "second");
    assert_eq!((daemon.of("first"), daemon.of("second")), (vec![], mixed("/one")));
    // A name that another had.
    daemon.create("a", 3, Some("taken"), binds("/three"));
    daemon.rename("second", "taken");
    let any = ["/one", "/three", LOST];
    assert_eq!(daemon.of("taken"), any, "the one that had it may be any");
    for next in daemon.again() {
        assert_eq!(next.of("taken"), any);
    }

    // Others take the name.
    daemon.create("a", 4, Some("taken"), binds("/four"));
    assert_eq!(daemon.of("taken"), ["/four"]);
    daemon.rename("quirky_fermi", "gone");
    daemon.remove("gone");
    daemon.rename("quirky_fermi", "www");
    daemon.rename(&id(4), "www");
    assert_eq!((daemon.of("gone"), daemon.of("www")), (vec![], vec!["/four".to_owned()]));
    assert!(daemon.registry.unsure.is_empty());

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
fn what_another_renames_that_created_nothing_is_what_was_there_before() {
    let mut daemon = Daemon::new();
    daemon.create("b", 1, None, binds("/one"));
    daemon.rename_by("ops", "older", "web");
    assert_eq!(daemon.by("c", "web"), [""; 0]);
}

#[test]
fn no_flood_of_renames_has_a_name_forgotten_or_another_tenants_taken_for_those() {
    let mut daemon = Daemon::new();
    daemon.create("a", 1, None, binds("/one"));
    daemon.create("b", 2, None, binds("/two"));
    assert_eq!(daemon.of("last"), [""; 0]);
    for number in 0..=UNSURE {
        daemon.rename("quirky_fermi", &format!("n{number}"));
    }
    daemon.rename("parent/db", "last");
    assert_eq!(daemon.registry.unsure.len(), UNSURE);
    for daemon in [&daemon].into_iter().chain(&daemon.again()) {
        assert_eq!(daemon.of("n0").first().map(String::as_str), Some(LOST), "any of the rest may be it");
        assert_eq!(daemon.of("last"), [LOST]);
        for called in ["last", "older", &id(9)] {
            assert_eq!(daemon.by("b", called), [""; 0], "{called}");
        }
    }
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
    assert_eq!((daemon.volume("a", &id(7)), daemon.volume("b", &id(7))), (mixed("/one"), mixed("/two")));
    assert_eq!(daemon.volume("c", &id(7)), [LOST]);
    assert_eq!((daemon.named(volume("v")), daemon.named(volume(""))), (vec![], vec![]));
    // It outlives the container, and cannot be removed by a name that is made up.
    daemon.remove("web");
    daemon.settle(Change::VolumesRemoved(vec![String::new(), "a".into(), id(7)]));
    assert_eq!(daemon.named(volume(&id(7))), mixed("/one"));
    // One that is known is itself.
    daemon.make_volume("a", &id(8), "/three");
    assert_eq!(daemon.named(volume(&id(8))), ["/three"]);
    for next in daemon.again() {
        assert_eq!((next.volume("a", &id(7)), next.volume("b", &id(7))), (mixed("/one"), mixed("/two")));
    }
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
    assert_eq!(daemon.of("quirky_fermi"), [LOST]);
    // The beginning of many: the last of them may be the only one that is left.
    assert_eq!(daemon.of("0").last().map(String::as_str), Some(LOST));
    assert_eq!(daemon.of(&id(SHOWN)[..62]).len(), 1, "nothing else begins so");
}

#[test]
fn mounts_are_shown_once_wherever_they_go() {
    let mut daemon = Daemon::new();
    for number in 0..2 * SHOWN {
        let mount = Mount { target: format!("/{number}"), read_only: number % 2 == 0, ..bind("/one") };
        daemon.create("a", number, None, holding(vec![mount], Vec::new()));
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
    daemon.create("a", 5, None, mounting(named(MountKind::Volume, "v", false)));
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
        let record = holding(vec![bind(&format!("/{name}"))], vec![named(MountKind::Container, "y", false)]);
        daemon.expect("a", &format!("/create?name={name}"), record, Instant::now());
    }
    assert_eq!(daemon.of("z"), ["/x", "/y", "/quirky_fermi"]);
}

#[test]
fn of_what_is_too_large_every_volume_is_kept() {
    let volumes: Vec<_> = (0..1000).map(|number| (format!("v{number}"), vec![Arc::new(bind("/one"))])).collect();
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
    for _ in 0..1000 {
        daemon.create("a", 2, None, binds("/two"));
    }
    assert_eq!(daemon.registry.holders[&Some(tenant("a"))].keys().len(), 2);
    assert_eq!((daemon.registry.containers.len(), daemon.of("web")), (2, vec!["/one".to_owned()]));
}

#[test]
fn the_beginning_of_several_shows_nobody_what_anothers_mounts() {
    let mut daemon = Daemon::new();
    daemon.create("a", 0xab1, None, binds("/one"));
    daemon.create("b", 0xab2, None, binds("/two"));
    daemon.create("b", 0xab3, None, Record::default());
    assert_eq!(
        (daemon.of("0000"), daemon.by("c", "0000")),
        (vec!["/one".to_owned(), LOST.to_owned()], vec![LOST.to_owned()])
    );
    assert_eq!(daemon.of(&id(0xab2)), ["/two"], "what is meant is shown");
    for number in 0x1000..0x1000 + PREFIXED {
        daemon.create("c", number, None, Record::default());
    }
    assert_eq!(daemon.by("c", "0000"), [LOST]);
}
