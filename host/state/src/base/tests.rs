use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::process::Command;

use futures_util::future::join_all;
use portcullis_model::TenantName;
use portcullis_model::decision::Origin;
use portcullis_model::limits::StateLimits;

use super::*;
use crate::testing::{Random, space_name};
use crate::{SpaceName, Store, Usage};

const PLENTY: StateLimits = StateLimits { keys: 100_000, bytes: 1 << 30 };

type Contents = BTreeMap<(String, String), Vec<u8>>;

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().expect("text")).collect();
    names.sort_unstable();
    names
}

fn spaces() -> [SpaceName; 3] {
    [
        space_name(TenantName::DEFAULT, Origin::Host, "10-hello"),
        space_name("ci", Origin::Host, "10-hello"),
        space_name("ci", Origin::Tenant, "20-quota"),
    ]
}

/// All that a store holds, read entry by entry.
fn contents(store: &Store) -> Result<Contents, StateFault> {
    let mut contents = Contents::new();
    for space in spaces() {
        for found in store.keys(&space, None, usize::MAX)? {
            let value = store.get(&space, &found.key)?.expect("it was listed");
            contents.insert((space.as_str().to_owned(), found.key), value);
        }
    }
    Ok(contents)
}

async fn set(store: &Store, space: &SpaceName, key: &str, value: Vec<u8>) -> Result<bool, StateFault> {
    let space = store.space(space.clone(), PLENTY, PLENTY);
    let current = space.get(key.to_owned()).await?;
    space.compare_and_set(key.to_owned(), current, Some(value)).await
}

/// A store with some hundred entries in several commits.
async fn fill(store: &Store) -> Contents {
    let random = &mut Random::new(1);
    for round in 0..6 {
        for space in spaces() {
            let sets = (0..30).map(|key| {
                let key = format!("{key}-{}", round % 3);
                let value = vec![b'a' + round; random.below(900)];
                let (store, space) = (store.clone(), space.clone());
                async move { set(&store, &space, &key, value).await }
            });
            for done in join_all(sets.collect::<Vec<_>>()).await {
                assert_eq!(done, Ok(true));
            }
        }
    }
    contents(store).expect("it serves")
}

fn write_store(dir: &Path, bytes: &[u8]) {
    fs::write(dir.join(FILE), bytes).expect("written");
}

fn read_store(dir: &Path) -> Vec<u8> {
    fs::read(dir.join(FILE)).expect("a file")
}

/// What a store's problem says of the file that was set aside.
fn assert_set_aside(dir: &Path, problem: &str) -> String {
    let names = names(dir);
    let [name] = names.as_slice() else { panic!("one file: {names:?}") };
    assert!(name.starts_with("state.redb.damaged-"), "{name}");
    assert!(problem.contains(name) && problem.contains("portcullis state reset"), "{problem}");
    name.clone()
}

/// Does to a store what disks do, and what people do.
fn damage(random: &mut Random, whole: &[u8]) -> (Vec<u8>, String) {
    const PAGE: usize = 4096;
    let mut bytes = whole.to_vec();
    let written: Vec<_> = (0..bytes.len() / PAGE).filter(|page| bytes[page * PAGE..][..PAGE] != [0; PAGE]).collect();
    let anywhere = |random: &mut Random| random.one_of(&written) * PAGE + random.below(PAGE);
    let what = match random.below(8) {
        0 => {
            bytes.truncate(random.below(whole.len()));
            format!("cut to {}", bytes.len())
        }
        1 => {
            let page = anywhere(random) / PAGE;
            bytes[page * PAGE..][..PAGE].fill(0);
            format!("page {page} is zero")
        }
        2 => {
            let (from, to) = (anywhere(random) / PAGE, anywhere(random) / PAGE);
            bytes.copy_within(from * PAGE..(from + 1) * PAGE, to * PAGE);
            format!("page {from} is also at {to}")
        }
        3 => {
            let at = random.below(400);
            bytes[at] = u8::try_from(random.below(256)).expect("a byte");
            format!("byte {at} of the header")
        }
        4 => {
            bytes.extend(vec![0; random.below(3 * PAGE)]);
            format!("{} bytes too many", bytes.len() - whole.len())
        }
        _ => {
            let flipped: Vec<_> = (0..=random.below(8)).map(|_| (anywhere(random), random.below(8))).collect();
            for (at, bit) in &flipped {
                bytes[*at] ^= 1 << bit;
            }
            format!("flipped {flipped:?}")
        }
    };
    (bytes, what)
}

#[tokio::test]
async fn a_damaged_store_opens_with_all_that_it_held_or_is_set_aside() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path());
    let held = fill(&store).await;
    // As a killed host leaves it, and as one does that comes to its end.
    let killed = read_store(dir.path());
    drop(store);
    assert_eq!(contents(&Store::open(dir.path())), Ok(held.clone()));
    let ended = read_store(dir.path());

    let random = &mut Random::new(7);
    let (mut whole, mut set_aside) = (0, 0);
    for number in 0..240 {
        let undamaged = *random.one_of(&[killed.as_slice(), &ended]);
        let (bytes, what) = damage(random, undamaged);
        let what = format!("{number}: {what}");
        let dir = tempfile::tempdir().expect("a folder");
        write_store(dir.path(), &bytes);
        let store = Store::open(dir.path());
        match store.problem() {
            None => {
                assert_eq!(contents(&store).as_ref(), Ok(&held), "{what}");
                whole += 1;
            }
            Some(problem) => {
                let name = assert_set_aside(dir.path(), &problem);
                assert_eq!(fs::metadata(dir.path().join(name)).expect("a file").len(), bytes.len() as u64, "{what}");
                assert!(matches!(contents(&store), Err(StateFault::Unavailable(_))), "{what}");
                set_aside += 1;
            }
        }
    }
    assert!(whole > 20 && set_aside > 100, "{whole} whole, {set_aside} set aside");
}

#[tokio::test]
async fn what_was_set_aside_keeps_the_store_away_until_the_operator_says_otherwise() {
    let dir = tempfile::tempdir().expect("a folder");
    let (dir, space) = (dir.path(), &spaces()[0]);
    let backup = {
        let store = Store::open(dir);
        assert_eq!(set(&store, space, "k", b"v".into()).await, Ok(true));
        drop(store);
        assert_eq!(contents(&Store::open(dir)).map(|held| held.len()), Ok(1));
        read_store(dir)
    };
    write_store(dir, &backup[..5000]);
    let name = assert_set_aside(dir, &Store::open(dir).problem().expect("a problem"));

    let restarted = Store::open(dir);
    assert_set_aside(dir, &restarted.problem().expect("still a problem"));
    let copied = crate::Spaces::copy(dir.into()).of(space.clone(), PLENTY, PLENTY).get("k".into()).await;
    assert!(matches!(copied, Err(StateFault::Unavailable(problem)) if problem.contains(&name)));
    assert!(matches!(set(&restarted, space, "k", b"w".into()).await, Err(StateFault::Unavailable(_))));
    assert_eq!(names(dir), [name.as_str()], "nobody made an empty store");

    write_store(dir, &backup);
    let restored = Store::open(dir);
    assert_eq!(restored.problem(), None);
    assert_eq!(restored.get(space, "k"), Ok(Some(b"v".into())));
    drop(restored);

    fs::remove_file(dir.join(FILE)).expect("removed");
    assert!(Store::open(dir).problem().is_some());
    fs::rename(dir.join(&name), dir.join("moved")).expect("renamed");
    let empty = Store::open(dir);
    assert_eq!(empty.problem(), None);
    assert_eq!(empty.get(space, "k"), Ok(None));
}

#[tokio::test]
async fn the_operator_can_accept_the_loss_while_the_host_runs() {
    let dir = tempfile::tempdir().expect("a folder");
    let (dir, space) = (dir.path(), &spaces()[0]);
    write_store(dir, b"");
    let store = Store::open(dir);
    let name = assert_set_aside(dir, &store.problem().expect("an empty file is no store"));
    let lost = name.replace("damaged", "lost");
    assert_eq!(store.reset(), Ok(vec![lost.clone()]));
    assert_eq!(store.problem(), None);
    assert_eq!(names(dir), ["state.redb", &lost]);
    assert_eq!(set(&store, space, "k", b"v".into()).await, Ok(true));
    assert_eq!(store.reset(), Ok(Vec::new()), "there is nothing to accept");
    assert_eq!(store.get(space, "k"), Ok(Some(b"v".into())));
}

#[test]
fn nothing_that_was_set_aside_is_overwritten() {
    let dir = tempfile::tempdir().expect("a folder");
    for number in 0..5 {
        write_store(dir.path(), format!("no store, number {number}").as_bytes());
        assert!(Store::open(dir.path()).problem().is_some());
    }
    let mut texts: Vec<_> =
        names(dir.path()).iter().map(|name| fs::read_to_string(dir.path().join(name)).expect("read")).collect();
    texts.sort_unstable();
    assert_eq!(texts, Vec::from_iter((0..5).map(|number| format!("no store, number {number}"))));
}

#[tokio::test]
async fn damage_found_while_running_ends_the_store_and_a_panic_has_it_looked_at() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path());
    let held = fill(&store).await;
    let base = Base::lost("another");
    assert_eq!(base.with(|_| Ok(())), Err(unavailable("another")));
    drop(base);

    let base = store.base();
    let panicked = base.with(|_| -> Result<(), redb::Error> { panic!("as redb would") });
    assert_eq!(panicked, Err(unavailable("its reader gave up: as redb would")));
    assert_eq!(contents(&store), Ok(held.clone()), "it was opened again, and is whole");
    assert_eq!(set(&store, &spaces()[0], "k", b"v".into()).await, Ok(true));

    let damaged = base.with(|_| -> Result<(), redb::Error> { Err(redb::Error::Corrupted("a page".into())) });
    let problem = store.problem().expect("a problem");
    assert_eq!(damaged, Err(unavailable(&problem)));
    assert!(problem.contains("a page"), "{problem}");
    assert_set_aside(dir.path(), &problem);
    assert_eq!(contents(&store), Err(unavailable(&problem)));
    assert_eq!(set(&store, &spaces()[0], "k", b"w".into()).await, Err(unavailable(&problem)));
    assert!(Store::open(dir.path()).problem().is_some());
}

#[tokio::test]
async fn a_page_that_turns_bad_while_the_host_runs_is_found_when_the_file_is_opened_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path());
    fill(&store).await;
    let file = fs::OpenOptions::new().write(true).open(dir.path().join(FILE)).expect("opened");
    let pages = file.metadata().expect("its length").len() / 4096;
    for page in 1..pages {
        file.write_all_at(&[0x5a; 64], page * 4096 + 100).expect("written");
    }
    let failed = store.base().with(|_| -> Result<(), redb::Error> { Err(redb::Error::PreviousIo) });
    assert!(matches!(failed, Err(StateFault::Unavailable(_))));
    assert_set_aside(dir.path(), &store.problem().expect("a problem"));
}

#[tokio::test]
async fn what_only_keeps_the_store_for_now_sets_nothing_aside() {
    let dir = tempfile::tempdir().expect("a folder");
    let first = Store::open(dir.path());
    assert_eq!(set(&first, &spaces()[0], "k", b"v".into()).await, Ok(true));
    let second = Store::open(dir.path());
    assert!(second.problem().is_some_and(|problem| problem.contains(FILE)));
    assert!(matches!(second.get(&spaces()[0], "k"), Err(StateFault::Unavailable(_))));
    assert_eq!(names(dir.path()), [FILE]);
    drop(first);
    let deadline = Instant::now() + Duration::from_secs(20);
    while second.get(&spaces()[0], "k") != Ok(Some(b"v".into())) {
        assert!(Instant::now() < deadline, "it is tried again by itself: {:?}", second.problem());
        tokio::task::yield_now().await;
    }
    assert_eq!(second.problem(), None);

    let dir = tempfile::tempdir().expect("a folder");
    fs::create_dir(dir.path().join(FILE)).expect("a folder in its place");
    assert!(Store::open(dir.path()).problem().is_some());
    assert_eq!(names(dir.path()), [FILE]);
}

#[test]
fn a_store_that_was_never_whole_is_made_anew() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join(UNFINISHED), vec![0; 9000]).expect("written");
    let store = Store::open(dir.path());
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(fault) = store.get(&spaces()[0], "k") {
        assert!(Instant::now() < deadline, "{fault}");
        std::thread::yield_now();
    }
    assert_eq!(names(dir.path()), [FILE]);
}

/// A file system of 1 MiB, which only root can make. None for others.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Option<Self> {
        let dir = tempfile::tempdir().expect("a folder");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1M", "tmpfs"]).arg(dir.path()).output();
        mount.is_ok_and(|mount| mount.status.success()).then_some(Self(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whoever still holds a file of it keeps it no longer than that.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn fill_up(path: &Path) {
    let file = fs::File::create(path).expect("made");
    let mut at = 0;
    while file.write_all_at(&[1; 4096], at).is_ok() {
        at += 4096;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_changes_and_loses_none_and_is_over_by_itself() {
    let Some(disk) = SmallDisk::new() else {
        eprintln!("not root, or no mounts here: not tested");
        return;
    };
    let full = Err(unavailable("the disk is full; changes are refused until there is room"));
    let space = &spaces()[2];
    let store = Store::open(disk.path());
    fs::write(disk.path().join("others"), vec![1; 400 << 10]).expect("written");
    let mut held = Contents::new();
    for key in 0.. {
        let key = format!("{key:04}");
        match set(&store, space, &key, vec![7; 5000]).await {
            Ok(true) => held.insert((space.as_str().to_owned(), key), vec![7; 5000]),
            refused => {
                assert_eq!(refused, full);
                break;
            }
        };
    }
    assert!(held.len() > 20, "{}", held.len());
    assert_eq!(contents(&store), Ok(held.clone()), "reads go on");
    assert_eq!(store.problem(), None);
    // The file is opened again and again meanwhile, and no reader notices.
    let until = Instant::now() + 3 * REST;
    let readers = [(); 3].map(|()| {
        let (store, held) = (store.clone(), held.clone());
        tokio::task::spawn_blocking(move || {
            while Instant::now() < until {
                assert_eq!(contents(&store), Ok(held.clone()));
            }
        })
    });
    while Instant::now() < until {
        assert_eq!(set(&store, space, "another", vec![7; 5000]).await, full);
    }
    for reader in readers {
        reader.await.expect("it has read all there is");
    }
    assert_eq!(names(disk.path()), ["others", FILE], "nothing is set aside");

    // A host that starts on a full disk reads too.
    fill_up(&disk.path().join("and more"));
    drop(store);
    let store = Store::open(disk.path());
    assert_eq!(store.problem(), None);
    assert_eq!(contents(&store), Ok(held.clone()));
    assert_eq!(set(&store, space, "another", vec![7; 50_000]).await, full);

    fs::remove_file(disk.path().join("others")).expect("removed");
    let deadline = Instant::now() + Duration::from_secs(20);
    let gone = loop {
        match store.clear_key(space.clone(), "0000".into()).await {
            Ok(gone) => break gone,
            Err(fault) => assert!(Instant::now() < deadline, "{fault}"),
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(gone, Usage { keys: 1, bytes: 5004 });
    assert_eq!(set(&store, space, "small", b"v".into()).await, Ok(true));
    held.remove(&(space.as_str().to_owned(), "0000".to_owned()));
    held.insert((space.as_str().to_owned(), "small".to_owned()), b"v".into());
    assert_eq!(contents(&store), Ok(held.clone()));
    drop(store);
    assert_eq!(contents(&Store::open(disk.path())), Ok(held));
}

#[tokio::test]
async fn a_store_that_could_not_be_made_for_want_of_room_is_made_when_there_is_some() {
    let Some(disk) = SmallDisk::new() else {
        eprintln!("not root, or no mounts here: not tested");
        return;
    };
    fill_up(&disk.path().join("others"));
    let store = Store::open(disk.path());
    assert!(store.problem().is_some_and(|problem| problem.contains("the disk is full")), "{:?}", store.problem());
    fs::remove_file(disk.path().join("others")).expect("removed");
    let deadline = Instant::now() + Duration::from_secs(20);
    while set(&store, &spaces()[0], "k", b"v".into()).await != Ok(true) {
        assert!(Instant::now() < deadline, "{:?}", store.problem());
        tokio::task::yield_now().await;
    }
    assert_eq!(store.problem(), None);
    assert_eq!(names(disk.path()), [FILE]);
}

#[test]
fn only_damage_is_called_damage() {
    use std::io::Error as Io;
    let failure = |kind: ErrorKind| Failure::from(redb::Error::Io(Io::from(kind)));
    for kind in [ErrorKind::StorageFull, ErrorKind::QuotaExceeded] {
        assert_eq!(failure(kind), Failure::Full);
    }
    for kind in [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem, ErrorKind::NotFound, ErrorKind::Other] {
        assert!(matches!(failure(kind), Failure::Passing(_)), "{kind}");
    }
    for error in [redb::Error::DatabaseAlreadyOpen, redb::Error::PreviousIo, redb::Error::LockProtocolMismatch] {
        assert!(matches!(Failure::from(error), Failure::Passing(_)));
    }
    for kind in [ErrorKind::InvalidData, ErrorKind::UnexpectedEof] {
        assert!(matches!(failure(kind), Failure::Damage(_)), "{kind}");
    }
    assert!(matches!(Failure::from(redb::Error::UpgradeRequired(1)), Failure::Damage(_)));
}
