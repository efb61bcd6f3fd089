//! What is kept, and what of it the next host knows: after a crash, a full disk, and damage.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use portcullis_docker::answer::Change;
use portcullis_model::TenantName;
use portcullis_model::view::{Mount, MountKind};
use tempfile::TempDir;

use super::file::{Entry, content};
use super::*;
use crate::created::Created;
use crate::created::record::{Held, Record};
use crate::created::registry::Shown;

const LOST: &str = "(a mount that is not remembered)";
/// Whoever waits for a disk waits no longer.
const PATIENCE: Duration = Duration::from_secs(60);

struct Host {
    created: Created,
    folder: TempDir,
}

fn id(number: usize) -> String {
    format!("{number:064x}")
}

fn tenant(name: &str) -> TenantName {
    TenantName::new(name).unwrap()
}

fn binds(source: &str) -> Record {
    let held = Held { binds: vec![Arc::new(Mount::new(MountKind::Bind, source, "/x"))], others: Vec::new() };
    Record { held, ..Record::default() }
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

impl Host {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { created: Created::open(folder.path()), folder }
    }

    /// The next one, after a crash of this one.
    fn crash(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(self.path(), folder.path().join(file::NAME)).unwrap();
        Self { created: Created::open(folder.path()), folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(file::NAME)
    }

    /// The file's lines.
    fn lines(&self) -> Vec<Vec<u8>> {
        fs::read(self.path()).unwrap().split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    }

    fn answer(&self, listener: &str, by: &str, record: Record, change: Change) -> bool {
        let kept = {
            let shard = self.created.shards.of(listener);
            let mut registry = shard.locked();
            if let Change::Renamed { .. } | Change::ContainersRemoved(_) = change {
                registry.pend("/", &[], &tenant(by), Instant::now());
            }
            let events = registry.settle(&Some(tenant(by)), "/", record, change);
            self.created.keep(shard.name(), events)
        };
        kept.is_some_and(|kept| kept.blocking_recv().is_ok())
    }

    /// A create of the tenant `a` is allowed.
    fn expect(&self, uri: &str) -> bool {
        let kept = {
            let shard = self.created.shards.of("docker");
            let mut registry = shard.locked();
            let events = registry.expect(uri, Some("x".into()), &tenant("a"), binds("/one"), Instant::now());
            self.created.keep(shard.name(), events)
        };
        kept.is_some_and(|kept| kept.blocking_recv().is_ok())
    }

    fn create(&self, by: &str, number: usize, source: &str) -> bool {
        let change = Change::Container { id: id(number), name: Some(format!("n{number}")) };
        self.answer("docker", by, binds(source), change)
    }

    fn of(&self, by: &str, called: &str) -> Vec<String> {
        self.on("docker", by, called)
    }

    fn on(&self, listener: &str, by: &str, called: &str) -> Vec<String> {
        let shown = self.created.shards.of(listener).locked().of_container(called, &tenant(by));
        shown.into_iter().map(|shown| Shown::mount(shown).source).collect()
    }

    fn problems(&self) -> String {
        self.created.problems().into_iter().map(|(name, problem)| format!("{name}: {problem}\n")).collect()
    }
}

#[test]
fn what_was_answered_outlives_a_host_that_is_killed() {
    let host = Host::start();
    assert!(host.create("a", 1, "/one") && host.create("b", 2, "/two"));
    let renamed = Change::Renamed { container: "n1".into(), name: "renamed".into() };
    assert!(host.answer("docker", "a", Record::default(), renamed));
    assert!(host.answer("other", "a", binds("/other"), Change::Container { id: id(3), name: None }));
    assert!(host.create("a", 4, "/four"));
    assert!(host.answer("docker", "a", Record::default(), Change::ContainersRemoved(vec!["n4".into()])));
    let mode = fs::metadata(host.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // From the events, and from what the next file begins with.
    let next = host.crash();
    for host in [&next, &next.crash()] {
        assert_eq!((host.of("a", "renamed"), host.of("a", &id(1))), (vec!["/one".into()], vec!["/one".into()]));
        assert_eq!((host.of("a", "n1"), host.of("c", "n2")), (vec![], vec!["/two".into()]));
        assert_eq!((host.on("other", "a", &id(3)), host.of("a", &id(3))), (vec!["/other".into()], vec![]));
        assert_eq!((host.of("a", "n4"), host.of("a", &id(4))), (vec![], vec![]));
        assert_eq!(host.problems(), "");
    }
}

#[test]
fn what_was_being_written_is_left_out_and_nothing_else() {
    let host = Host::start();
    assert!(host.create("a", 1, "/one") && host.create("a", 2, "/two"));
    let lines = host.lines();
    let (last, whole) = (lines.last().unwrap(), lines[..2].concat());
    for cut in [1, 10, 20, last.len() - 1] {
        for tail in [&last[..cut], b"\0\0\0\0", b"\0\n\0\n"] {
            fs::write(host.path(), [&whole, tail].concat()).unwrap();
            let next = host.crash();
            assert_eq!((next.of("a", "n1"), next.of("a", "n2")), (vec!["/one".into()], vec![]), "{cut}");
            assert_eq!(next.problems(), "", "{cut}");
        }
    }
}

#[test]
fn of_a_damaged_file_what_is_not_known_never_resolves() {
    let host = Host::start();
    assert!(host.create("a", 1, "/one") && host.create("a", 2, "/two") && host.create("a", 3, "/three"));
    let whole = host.lines();
    let damaged = |line: usize| {
        let mut lines = whole.clone();
        lines[line][30] ^= 1;
        lines.concat()
    };
    for (bytes, known) in [(damaged(1), "n2"), (damaged(0), "n1"), (Vec::new(), ""), (whole[1..].concat(), "n2")] {
        fs::write(host.path(), &bytes).unwrap();
        let next = host.crash();
        for host in [&next, &next.crash()] {
            if !known.is_empty() {
                assert!(!host.of("b", known).contains(&LOST.to_owned()), "{known}");
            }
            for (listener, called) in [("docker", "unknown"), ("docker", &id(9)), ("new", "quirky_fermi")] {
                assert_eq!(host.on(listener, "b", called), [LOST], "{known}");
            }
            let message = host.problems();
            assert!(
                message.starts_with("forgotten: ") && message.contains("stop the host, and remove the file"),
                "{message}"
            );
        }
        assert_eq!(
            fs::read(next.path().with_extension("journal.damaged")).unwrap(),
            bytes,
            "whoever wants can look at it"
        );
        // That is how the operator takes what is there for harmless.
        next.created.close();
        fs::remove_file(next.path()).unwrap();
        let third = Created::open(next.folder.path());
        assert!(third.problems().is_empty());
    }
}

#[test]
fn whose_creates_are_not_kept_the_head_says_and_others_are_none_of_it() {
    let host = Host::start();
    assert!(host.create("a", 1, "/one") && host.create("b", 2, "/two"));
    let mut head = Head::default();
    head.miss("docker", Some(&Some(tenant("b"))));
    head.miss("docker", None);
    let mut lines = host.lines();
    lines[0] = head.write();
    fs::write(host.path(), lines.concat()).unwrap();
    let next = host.crash();
    for host in [&next, &next.crash()] {
        assert_eq!((host.of("b", "n2"), host.of("b", "older")), (vec!["/two".into()], vec![LOST.into()]));
        assert_eq!((host.of("a", "n1"), host.of("a", "older")), (vec!["/one".into()], vec![]));
        assert_eq!(host.on("other", "b", "older"), [""; 0]);
        assert!(host.problems().contains("created by `b`:"), "{}", host.problems());
    }
    // As many as there may be: more than there is room for is all.
    for number in 0..1000 {
        head.miss("docker", Some(&Some(tenant(&format!("tenant-{number}")))));
    }
    let line = head.write();
    assert_eq!(line.len(), lines[0].len());
    assert!(Head::read(&line).unwrap().is_damaged);
}

#[test]
fn a_folder_that_cannot_be_written_stops_nothing_and_all_is_kept_when_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("state");
    fs::write(&dir, "not a folder").unwrap();
    let host = Host { created: Created::open(&dir), folder };
    assert!(!host.create("a", 1, "/one"), "it is not kept");
    assert_eq!(host.of("a", "n1"), ["/one"]);
    assert!(host.problems().starts_with("created: ") && host.problems().contains("cannot be"), "{}", host.problems());
    fs::remove_file(&dir).unwrap();
    // That the file could not be read at the start stays so.
    until("it is kept", || !host.problems().contains("created: "));
    fs::rename(dir.join(file::NAME), host.path()).unwrap();
    assert_eq!(host.crash().of("a", "n1"), ["/one"]);
    // The file is gone from its place: it is made anew.
    until("there is another", || dir.join(file::NAME).exists());
}

#[test]
fn the_file_does_not_grow_for_ever() {
    let host = Host::start();
    let long = format!("/{}", "x".repeat(8 << 10));
    for round in 0..400 {
        assert!(host.create("a", round % 10, &long));
    }
    until("it is made anew", || fs::metadata(host.path()).unwrap().len() < 3 * GROWTH);
    host.created.close();
    let next = Created::open(host.folder.path());
    let again = Host { created: next, folder: host.folder };
    assert_eq!(again.of("a", "n9"), [long]);
    assert!(fs::metadata(again.path()).unwrap().len() < GROWTH);
}

#[test]
fn a_create_that_was_allowed_outlives_a_host_that_is_killed() {
    let host = Host::start();
    assert!(host.expect("/c?name=x"));
    let next = host.crash();
    for host in [&next, &next.crash()] {
        assert_eq!((host.of("a", "x"), host.of("b", "x").len()), (vec!["/one".to_owned()], 1));
    }
}

#[test]
fn a_host_that_ends_tells_the_next_one_what_is_not_answered() {
    let host = Host::start();
    assert!(host.expect("/c?name=x"));
    host.created.close();
    assert_eq!(host.crash().of("a", "x"), ["/one"]);
    // What comes after that is not kept, and nobody waits for it.
    assert!(!host.create("a", 1, "/two"));
}

#[test]
fn every_kind_of_event_is_read_as_it_was_written() {
    let mount = Mount {
        read_only: true,
        read_only_recursive: true,
        propagation: Some("rslave".into()),
        driver: Some("local".into()),
        file_system: Some("none".into()),
        options: vec!["bind".into(), "ro".into()],
        subpath: Some("below".into()),
        makes_volume: true,
        copies_image: true,
        makes_source: true,
        ..Mount::new(MountKind::Bind, "/söurce\n", "/x")
    };
    let other = Arc::new(Mount::new(MountKind::Volume, "v", "/v"));
    let held = Arc::new(Held { binds: vec![Arc::new(mount)], others: vec![other] });
    let event = Event::Container {
        tenant: Some(tenant("a")),
        id: id(1).into(),
        name: Some("web".into()),
        renamed_from: None,
        held: Arc::clone(&held),
        volumes: Vec::new(),
        is_fleeting: true,
    };
    let line = file::line("docker", &event);
    let read: Entry = serde_json::from_slice(content(&line).unwrap()).unwrap();
    let message = format!("{:?}", read.event);
    let Event::Container { held: read, .. } = read.event else { panic!("{message}") };
    assert_eq!(read, held);
}
