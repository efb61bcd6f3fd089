//! What no answer tells of yet, or never, and what several things may be.

use super::*;

#[test]
fn a_create_that_is_never_answered_is_taken_for_carried_out() {
    let mut daemon = Daemon::new();
    let start = Instant::now();
    let record = Record { volumes: defining("v", "/volume").volumes, ..binds("/one") };
    for uri in ["/create?name=x", "/create?name=", "/create?name="] {
        daemon.expect("a", uri, record.clone(), start);
    }
    daemon.expect("a", "/create?name=y", Record::default(), start + ANSWERED_WITHIN);
    for daemon in [&daemon].into_iter().chain(&daemon.again()) {
        let holder = &daemon.registry.holders[&Some(tenant("a"))];
        assert!(holder.expected.iter().all(|expected| expected.record.is_empty()), "{:?}", holder.expected);
        assert_eq!(daemon.registry.containers.len(), 2, "what is the same is held once");
        for called in ["x", "quirky_fermi", &id(1), &id(1)[..12]] {
            assert_eq!(daemon.of(called), ["/one"], "{called}");
            if called != "x" {
                assert_eq!(daemon.by("b", called), [LOST], "{called}");
            }
        }
        assert_eq!((daemon.volume("a", "v"), daemon.of("older")), (vec!["/volume".to_owned()], vec![]));
    }
    // Somebody had the name in the meantime.
    daemon.expect("a", "/create?name=z", binds("/two"), start);
    daemon.create("b", 2, Some("z"), binds("/three"));
    daemon.expect("a", "/create?name=y", Record::default(), start + 2 * ANSWERED_WITHIN);
    assert_eq!(daemon.of("z"), ["/three"]);
    daemon.remove("x");
    assert_eq!(daemon.of("x"), [""; 0]);
}

#[test]
fn what_no_answer_tells_of_is_whatever_nobody_knows() {
    let hidden = |record: Record, uri: &str| {
        let mut daemon = Daemon::new();
        daemon.expect("a", uri, record.clone(), Instant::now());
        daemon.answer("a", uri, record, Change::Hidden);
        daemon
    };
    let mut named = hidden(binds("/one"), "/create?name=x");
    let unnamed = hidden(binds("/one"), "/create?name=");
    let mut volume = hidden(Record { is_volume: true, ..defining("", "/one") }, "/volumes/create");
    named.create("a", 0xab1, Some("plain"), Record::default());
    for daemon in [&named].into_iter().chain(&named.again()) {
        for called in [&id(1), "abc", "x"] {
            let by_another = if called == "x" { "/one" } else { LOST };
            assert_eq!(
                (daemon.of(called), daemon.by("b", called)),
                (vec!["/one".into()], vec![by_another.into()]),
                "{called}"
            );
        }
        for called in ["quirky_fermi", "older", &id(0xab1), &id(0xab1)[..12]] {
            assert_eq!((daemon.of(called), daemon.by("b", called)), (vec![], vec![]), "{called}");
        }
        assert_eq!(daemon.from(&id(1)), ["/one"]);
    }
    assert_eq!((unnamed.of("quirky_fermi"), unnamed.by("b", "quirky_fermi")), (vec!["/one".into()], vec![LOST.into()]));
    named.rename_by("b", &id(1), "renamed");
    assert_eq!(named.by("b", "renamed"), [LOST]);
    assert_eq!((volume.volume("a", &id(7)), volume.volume("b", &id(7))), (vec!["/one".into()], vec![LOST.into()]));
    assert_eq!(volume.of(&id(1)), [""; 0], "it is no container");
    volume.answer("a", "/", defining("v", "/two"), Change::Hidden);
    assert_eq!(volume.volume("a", "v"), ["/two"]);
}

#[test]
fn the_container_of_a_task_mounts_what_its_service_does() {
    let mut daemon = Daemon::new();
    let task = "web.1.iqxq4gy3bwmcdr6nm7vyt2ti8";
    assert_eq!((daemon.of(task), daemon.of(&id(1))), (vec![], vec![]));
    for _ in 0..100 {
        daemon.answer("a", "/services/create", binds("/one"), Change::Service);
    }
    daemon.answer("a", "/services/create", mounting(named(MountKind::Volume, "plain", false)), Change::Service);
    for daemon in [&daemon].into_iter().chain(&daemon.again()) {
        for called in [task, &id(1)] {
            assert_eq!(
                (daemon.of(called), daemon.by("b", called)),
                (vec!["/one".into()], vec![LOST.into()]),
                "{called}"
            );
        }
        assert_eq!((daemon.of("web"), daemon.of("web.1")), (vec![], vec![]));
    }
}

#[test]
fn a_name_that_the_daemon_has_told_is_that_containers_until_another_is_made() {
    let mut daemon = Daemon::new();
    daemon.create("a", 1, None, binds("/one"));
    daemon.create("b", 2, None, binds("/two"));
    daemon.create("b", 3, Some("quiet_bohr"), binds("/three"));
    let see = |daemon: &mut Daemon, number: usize, name: &str| {
        daemon.settle(Change::ContainersSeen(vec![(id(number), name.into()), (id(99), "other_one".into())]));
    };
    see(&mut daemon, 1, "quirky_fermi");
    see(&mut daemon, 1, "quiet_bohr");
    for by in ["a", "b", "c"] {
        assert_eq!(
            (daemon.by(by, "/quirky_fermi"), daemon.by(by, "quiet_bohr")),
            (vec!["/one".into()], vec!["/three".into()])
        );
        assert!(daemon.by(by, "other_one").contains(&LOST.to_owned()));
    }
    // It can be gone without a call.
    daemon.create("b", 4, None, Record::default());
    assert_eq!(daemon.by("b", "quirky_fermi"), ["/one"], "what mounts nothing is nobody's harm");
    daemon.create("b", 5, None, binds("/four"));
    assert_eq!((daemon.of("quirky_fermi"), daemon.by("c", "quirky_fermi")), (mixed("/one"), vec![LOST.into()]));
    see(&mut daemon, 1, "quirky_fermi");
    assert_eq!(daemon.of("quirky_fermi"), ["/one"]);
    // What is renamed by it is known from then on, also by the next host.
    daemon.rename_by("c", "quirky_fermi", "web");
    for daemon in [&daemon].into_iter().chain(&daemon.again()) {
        assert_eq!(
            (daemon.of("web"), daemon.by("c", "quirky_fermi")),
            (vec!["/one".to_owned()], vec![LOST.to_owned()])
        );
    }
    see(&mut daemon, 1, "quirky_fermi");
    assert_eq!(daemon.by("c", "quirky_fermi"), [LOST], "an answer that came late");
    see(&mut daemon, 2, "sweet_darwin");
    daemon.remove("sweet_darwin");
    assert!(!daemon.registry.containers.contains_key(&*id(2)));
    assert!(daemon.registry.sights.is_empty(), "{:?}", daemon.registry.sights);
}

#[test]
fn of_renames_that_were_under_way_at_once_nobody_knows_which_was_first() {
    let renamed = |container: &str, name: &str| Change::Renamed { container: container.into(), name: name.into() };
    for (first, second) in [(("na", "nx"), ("nb", "na")), (("nb", "na"), ("na", "nx"))] {
        let mut daemon = Daemon::new();
        daemon.create("a", 1, Some("na"), binds("/one"));
        daemon.create("b", 2, Some("nb"), Record::default());
        daemon.pend("b", "/1", &renamed("na", "nx"));
        daemon.pend("b", "/2", &renamed("nb", "na"));
        for (container, name) in [first, second] {
            let uri = if container == "na" { "/1" } else { "/2" };
            daemon.answer_of_before("b", uri, Record::default(), renamed(container, name));
        }
        for daemon in [&daemon].into_iter().chain(&daemon.again()) {
            for (by, name) in [("a", "nx"), ("b", "nx"), ("a", "na"), ("b", "na")] {
                assert_eq!(daemon.by(by, name), [LOST], "{by} {name}");
            }
            assert_eq!(daemon.of(&id(1)), ["/one"]);
        }
        // Who creates one of that name knows it.
        daemon.create("a", 3, Some("nx"), binds("/three"));
        assert_eq!(daemon.of("nx"), ["/three"]);
    }
    // One after the other, whoever does it.
    let mut daemon = Daemon::new();
    daemon.create("a", 1, Some("na"), binds("/one"));
    daemon.create("b", 2, Some("nb"), Record::default());
    daemon.rename("na", "nx");
    daemon.rename_by("b", "nb", "na");
    assert_eq!((daemon.of("nx"), daemon.of("na")), (vec!["/one".to_owned()], vec![]));
    // A create that is answered before the rename that made room for it.
    daemon.pend("b", "/1", &renamed("nx", "ny"));
    daemon.create("b", 3, Some("nx"), Record::default());
    daemon.answer_of_before("b", "/1", Record::default(), renamed("nx", "ny"));
    assert_eq!((daemon.by("b", "ny"), daemon.of(&id(1))), (vec![LOST.to_owned()], vec!["/one".to_owned()]));
    // One of which nobody knows when it was decided.
    daemon.answer_of_before("b", "/1", Record::default(), renamed(&id(2), "nz"));
    assert_eq!(daemon.by("b", "nz"), [LOST]);
}

#[test]
fn a_removal_has_nothing_forgotten_that_was_created_since_it_was_decided() {
    let mut daemon = Daemon::new();
    daemon.create("a", 1, Some("old"), binds("/one"));
    let containers = |called: &str| Change::ContainersRemoved(vec![called.into()]);
    let volumes = |name: &str| Change::VolumesRemoved(vec![name.into()]);
    daemon.pend("b", "/1", &containers("web"));
    daemon.pend("b", "/2", &volumes("v"));
    daemon.create("a", 2, Some("web"), binds("/two"));
    daemon.make_volume("a", "v", "/volume");
    daemon.answer_of_before("b", "/1", Record::default(), containers("web"));
    daemon.answer_of_before("b", "/2", Record::default(), volumes("v"));
    // Nobody knows when this was decided.
    daemon.answer_of_before("b", "/1", Record::default(), containers("old"));
    for daemon in [&daemon].into_iter().chain(&daemon.again()) {
        assert_eq!((daemon.of("web"), daemon.of("old")), (vec!["/two".to_owned()], vec!["/one".to_owned()]));
        assert_eq!(daemon.volume("b", "v"), ["/volume"]);
    }
    // By an ID, it is always that one.
    daemon.answer_of_before("b", "/1", Record::default(), containers(&id(1)));
    daemon.answer("b", "/", Record::default(), volumes("v"));
    assert_eq!((daemon.of("old"), daemon.volume("b", "v")), (vec![], vec![]));
}

#[test]
fn a_name_that_is_the_beginning_of_an_id_is_both() {
    let mut daemon = Daemon::new();
    let beginning = id(0xab1)[..13].to_owned();
    daemon.create("a", 0xab1, Some("web"), binds("/one"));
    // It is removed when it ends, without a call.
    let fleeting = Record { is_fleeting: true, ..Record::default() };
    daemon.create("b", 2, Some("abc"), fleeting.clone());
    daemon.create("b", 3, Some(&beginning), fleeting.clone());
    daemon.create("b", 4, Some("00"), Record::default());
    assert_eq!(daemon.by("b", "00"), [""; 0], "only its removal by a call ends that");
    for by in ["a", "b"] {
        assert!(!daemon.by(by, &beginning).is_empty(), "{by}");
    }
    assert_eq!(daemon.by("b", "abc"), [""; 0]);
    daemon.rename_by("b", &beginning, "renamed");
    assert!(daemon.by("b", "renamed").contains(&LOST.to_owned()));
    daemon.remove(&beginning);
    assert_eq!(daemon.of("web"), ["/one"]);
    // Or what the daemon calls another one.
    daemon.create("b", 5, Some("quirky_fermi"), fleeting);
    assert_eq!(daemon.by("b", "quirky_fermi"), [""; 0]);
    daemon.create("a", 6, None, binds("/two"));
    assert_eq!(
        (daemon.by("b", "quirky_fermi"), daemon.of("quirky_fermi")),
        (vec![LOST.to_owned()], vec!["/two".to_owned()])
    );
    // Or those that went with many others.
    daemon.settle(Change::SomeContainersRemoved);
    for daemon in [&daemon].into_iter().chain(&daemon.again()) {
        assert_ne!(daemon.by("b", "00"), [""; 0]);
    }
}

#[test]
fn an_anonymous_volume_that_is_gone_can_be_made_again() {
    let mut daemon = Daemon::new();
    daemon.create("a", 1, None, mounting(named(MountKind::Volume, &id(7), false)));
    let change = Change::Volume { name: id(7), mounts: Some(vec![bind("/one")]) };
    daemon.answer("a", "/", defining(&id(7), "/one"), change);
    daemon.create("a", 2, None, mounting(named(MountKind::Volume, &id(8), false)));
    daemon.create("a", 3, None, defining(&id(8), "/two"));
    for daemon in [&daemon].into_iter().chain(&daemon.again()) {
        assert_eq!(
            (daemon.volume("b", &id(7)), daemon.volume("b", &id(8))),
            (vec!["/one".into()], vec!["/two".into()])
        );
    }
}

#[test]
fn a_volume_is_what_the_daemon_says_that_it_is() {
    let mut daemon = Daemon::new();
    let told = |name: &str, source: &str| Change::Volume { name: name.into(), mounts: Some(vec![bind(source)]) };
    // One that was there before, whatever is asked of it.
    daemon.answer("a", "/", defining("v", "/asked"), told("v", "/there"));
    assert_eq!(daemon.volume("a", "v"), ["/there"]);
    // It was removed without a call, and made again.
    daemon.answer("a", "/", Record::default(), Change::Volume { name: "w".into(), mounts: Some(Vec::new()) });
    daemon.answer("a", "/", defining("w", "/again"), told("w", "/again"));
    for daemon in [&daemon].into_iter().chain(&daemon.again()) {
        assert_eq!(
            (daemon.volume("a", "v"), daemon.volume("b", "w")),
            (vec!["/there".to_owned()], vec!["/again".to_owned()])
        );
    }
    // Removed by a call of which nobody can tell what it removed.
    daemon.create("a", 1, None, mounting(named(MountKind::Volume, "x", false)));
    daemon.settle(Change::SomeVolumesRemoved);
    daemon.create("a", 2, None, defining("x", "/new"));
    for daemon in [&daemon].into_iter().chain(&daemon.again()) {
        assert_eq!(daemon.volume("b", "x"), ["/new"]);
    }
}

#[test]
fn an_anonymous_volume_that_was_listed_is_what_it_was_listed_as() {
    let mut daemon = Daemon::new();
    let seen = |name: String, mounts: Vec<Mount>| Change::VolumesSeen(vec![(name, mounts)]);
    daemon.answer("b", "/", Record::default(), seen(id(6), Vec::new()));
    assert!(daemon.registry.volumes.is_empty(), "nobody needs it");
    daemon.create("a", 1, Some("web"), defining("", "/one"));
    daemon.answer("b", "/", Record::default(), seen(id(7), Vec::new()));
    daemon.answer("b", "/", Record::default(), seen(id(8), vec![bind("/one")]));
    daemon.answer("b", "/", Record::default(), seen(id(8), Vec::new()));
    daemon.answer("b", "/", Record::default(), seen("v".into(), Vec::new()));
    for daemon in [&daemon].into_iter().chain(&daemon.again()) {
        for (volume, shown) in [(id(6), vec![LOST]), (id(7), vec![]), (id(8), vec!["/one"])] {
            assert_eq!(daemon.volume("b", &volume), shown, "{volume}");
        }
    }
    assert_eq!(daemon.registry.volumes.len(), 2);
}

#[test]
fn what_an_anonymous_volume_is_stays_unknown_when_it_is_mounted() {
    let mut daemon = Daemon::new();
    daemon.create("a", 1, Some("web"), defining("", "/one"));
    for by in ["a", "b"] {
        daemon.create(by, 2, Some("again"), mounting(named(MountKind::Volume, &id(7), false)));
        assert_eq!(
            (daemon.volume("a", &id(7)), daemon.volume("b", &id(7))),
            (vec!["/one".to_owned()], vec![LOST.to_owned()])
        );
    }
    assert_eq!((daemon.of("again"), daemon.by("b", "again")), (vec![LOST.to_owned()], vec![LOST.to_owned()]));
}

#[test]
fn one_that_is_just_being_created_is_known_before_its_answer_is() {
    let mut daemon = Daemon::new();
    let start = Instant::now();
    let record = Record { volumes: defining("v", "/volume").volumes, ..binds("/one") };
    daemon.expect("a", "/create?name=x", record.clone(), start);
    assert_eq!(daemon.of("x"), ["/one"]);
    assert_eq!((daemon.volume("a", "v"), daemon.volume("b", "v")), (vec!["/volume".to_owned()], vec![LOST.to_owned()]));
    for (called, shown) in [("x", &[LOST][..]), (&id(1), &[LOST]), ("y", &[]), ("quirky_fermi", &[])] {
        assert_eq!(daemon.by("b", called), shown, "whose it is another is not told: {called}");
    }
    daemon.answer("b", "/create?name=x", record.clone(), Change::Nothing);
    assert_eq!(daemon.of("x"), ["/one"], "another's answer is not its");
    daemon.answer("a", "/create?name=x", Record { volumes: Vec::new(), ..record }, Change::Nothing);
    assert_eq!(daemon.of("x"), [""; 0], "it failed");
}
