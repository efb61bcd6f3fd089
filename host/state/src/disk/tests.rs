use std::fs;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::join_all;
use redb::{TableDefinition, WriteTransaction};

use super::*;
use crate::testing::space_name;

const LIMITS: StateLimits = StateLimits { keys: 3, bytes: 100 };
const SUM: StateLimits = StateLimits { keys: 5, bytes: 150 };

/// A host-wide policy's, of the tenant `default`.
fn space(store: &Store, name: &str) -> Arc<dyn State> {
    store.space(space_name(TenantName::DEFAULT, Origin::Host, name), LIMITS, StateLimits::default())
}

/// A policy's, of a tenant that may keep a little in sum.
fn space_of(store: &Store, tenant: &str, origin: Origin, policy: &str) -> Arc<dyn State> {
    store.space(space_name(tenant, origin, policy), LIMITS, SUM)
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}

#[tokio::test]
async fn what_is_set_is_there_after_the_store_is_opened_again() {
    let dir = tempfile::tempdir().expect("a folder");
    {
        let store = Store::open(dir.path());
        assert_eq!(store.problem(), None);
        let a = space(&store, "a");
        assert_eq!(a.compare_and_set("k".into(), None, bytes("v")).await, Ok(true));
        assert_eq!(a.add("n".into(), 5).await, Ok(5));
    }
    // The writer thread lets go of the file when its last order is done, which opening waits for.
    let store = Store::open(dir.path());
    assert_eq!(store.problem(), None);
    let a = space(&store, "a");
    assert_eq!(a.get("k".into()).await, Ok(bytes("v")));
    assert_eq!(a.add("n".into(), -2).await, Ok(3));
}

#[tokio::test]
async fn compare_and_set_changes_only_what_it_expects() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path());
    let a = space(&store, "a");
    assert_eq!(a.compare_and_set("k".into(), bytes("other"), bytes("v")).await, Ok(false));
    assert_eq!(a.compare_and_set("k".into(), None, bytes("v")).await, Ok(true));
    assert_eq!(a.compare_and_set("k".into(), None, bytes("w")).await, Ok(false));
    assert_eq!(a.compare_and_set("k".into(), bytes("v"), None).await, Ok(true));
    assert_eq!(a.get("k".into()).await, Ok(None));
}

#[tokio::test]
async fn no_policy_sees_anothers_state() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path());
    let (a, ab) = (space(&store, "a"), space(&store, "ab"));
    assert_eq!(a.compare_and_set("bk".into(), None, bytes("v")).await, Ok(true));
    assert_eq!(ab.get("k".into()).await, Ok(None));
}

#[tokio::test]
async fn limits_hold_and_what_is_over_them_can_still_shrink() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path());
    let a = space(&store, "a");
    for key in ["1", "2", "3"] {
        assert_eq!(a.add(key.into(), 1).await, Ok(1));
    }
    assert_eq!(a.add("4".into(), 1).await, Err(StateFault::TooManyKeys { limit: 3 }));
    assert_eq!(a.compare_and_set("3".into(), Some(1_i64.to_le_bytes().into()), None).await, Ok(true));
    let long = "x".repeat(100);
    assert_eq!(a.compare_and_set("l".into(), None, bytes(&long)).await, Err(StateFault::TooManyBytes { limit: 100 }));
    assert_eq!(a.add("4".into(), 1).await, Ok(1));
    assert_eq!(a.add("k".repeat(513), 1).await, Err(StateFault::KeyTooLong { limit: 512 }));
    assert_eq!(a.add("4".into(), i64::MAX).await, Err(StateFault::CounterOverflow { key: "4".into() }));
}

#[tokio::test]
async fn no_update_of_a_counter_is_lost() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path());
    let a = space(&store, "a");
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let a = Arc::clone(&a);
            tokio::spawn(async move { a.add("n".into(), 1).await })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic").expect("added");
    }
    assert_eq!(a.add("n".into(), 0).await, Ok(64));
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_is_a_fault_and_not_an_end() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("state.redb"), "not a database at all, but long enough to be looked at".repeat(100))
        .expect("written");
    let store = Store::open(dir.path());
    assert!(store.problem().is_some_and(|problem| problem.contains("state.redb")));
    assert!(matches!(space(&store, "a").get("k".into()).await, Err(StateFault::Unavailable(_))));
}

#[tokio::test]
async fn what_a_tenant_keeps_in_sum_is_bounded_and_can_still_shrink() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path());
    let (own, host) = (space_of(&store, "ci", Origin::Tenant, "a"), space_of(&store, "ci", Origin::Host, "a"));
    for key in ["1", "2", "3"] {
        assert_eq!(own.add(key.into(), 1).await, Ok(1));
    }
    for key in ["1", "2"] {
        assert_eq!(host.add(key.into(), 1).await, Ok(1));
    }
    assert_eq!(own.add("4".into(), 1).await, Err(StateFault::TooManyKeys { limit: 3 }), "its own limit comes first");
    assert_eq!(host.add("3".into(), 1).await, Err(StateFault::TooManyTenantKeys { limit: 5 }));
    assert_eq!(host.get("3".into()).await, Ok(None));
    let other = space_of(&store, "web", Origin::Host, "a");
    assert_eq!(other.add("3".into(), 1).await, Ok(1), "another tenant has a sum of its own");

    let one = 1_i64.to_le_bytes();
    assert_eq!(own.compare_and_set("1".into(), Some(one.into()), bytes(&"x".repeat(70))).await, Ok(true));
    let long = bytes(&"x".repeat(60));
    let too_long = Err(StateFault::TooManyTenantBytes { limit: 150 });
    assert_eq!(host.compare_and_set("1".into(), Some(one.into()), long.clone()).await, too_long);
    assert_eq!(own.compare_and_set("1".into(), bytes(&"x".repeat(70)), None).await, Ok(true));
    assert_eq!(host.compare_and_set("1".into(), Some(one.into()), long).await, Ok(true));
    assert_eq!(host.add("3".into(), 1).await, Ok(1));
}

#[tokio::test]
async fn what_is_over_a_lowered_sum_can_shrink_and_not_grow() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path());
    let name = space_name("ci", Origin::Tenant, "a");
    let before = store.space(name.clone(), LIMITS, SUM);
    for key in ["1", "2", "3"] {
        assert_eq!(before.add(key.into(), 1).await, Ok(1));
    }
    let after = store.space(name, LIMITS, StateLimits { keys: 1, bytes: 10 });
    assert_eq!(after.add("1".into(), 1).await, Ok(2), "what does not grow is no matter of limits");
    let two = 2_i64.to_le_bytes();
    assert_eq!(after.compare_and_set("1".into(), Some(two.into()), None).await, Ok(true), "still two are left");
    assert_eq!(after.add("1".into(), 1).await, Err(StateFault::TooManyTenantKeys { limit: 1 }));
    let long = bytes("123456789");
    let too_long = Err(StateFault::TooManyTenantBytes { limit: 10 });
    assert_eq!(after.compare_and_set("2".into(), Some(1_i64.to_le_bytes().into()), long).await, too_long);
}

/// Writes a store as hosts wrote it before there were tenants: what is spelt out here must stay readable.
fn write_store_of_before_tenants(dir: &Path) {
    const ENTRIES: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("entries");
    const USAGE: TableDefinition<'_, &str, (u32, u64)> = TableDefinition::new("usage");
    let database = Database::create(dir.join("state.redb")).expect("created");
    let transaction = database.begin_write().expect("begun");
    {
        let mut entries = transaction.open_table(ENTRIES).expect("a table");
        entries.insert(("10-hello", "hello"), b"true".as_slice()).expect("inserted");
        entries.insert(("10-hello", "n"), 7_i64.to_le_bytes().as_slice()).expect("inserted");
        entries.insert(("20-quota", "n"), 3_i64.to_le_bytes().as_slice()).expect("inserted");
        let mut usage = transaction.open_table(USAGE).expect("a table");
        usage.insert("10-hello", (2, 18)).expect("inserted");
        usage.insert("20-quota", (1, 9)).expect("inserted");
    }
    transaction.commit().expect("on disk");
}

#[tokio::test]
async fn a_store_of_before_tenants_is_the_default_tenants() {
    let dir = tempfile::tempdir().expect("a folder");
    write_store_of_before_tenants(dir.path());
    let store = Store::open(dir.path());
    assert_eq!(store.problem(), None);
    let sum = StateLimits { keys: 3, bytes: 27 };
    let space = |origin, policy| store.space(space_name(TenantName::DEFAULT, origin, policy), LIMITS, sum);
    let (hello, quota) = (space(Origin::Host, "10-hello"), space(Origin::Host, "20-quota"));
    assert_eq!(hello.get("hello".into()).await, Ok(bytes("true")));
    assert_eq!(hello.add("n".into(), 1).await, Ok(8));
    assert_eq!(quota.add("n".into(), 1).await, Ok(4));
    let own = space(Origin::Tenant, "10-hello");
    assert_eq!(own.get("hello".into()).await, Ok(None));

    assert_eq!(quota.add("m".into(), 1).await, Err(StateFault::TooManyTenantKeys { limit: 3 }));
    assert_eq!(own.add("m".into(), 1).await, Err(StateFault::TooManyTenantKeys { limit: 3 }));
    assert_eq!(space_of(&store, "ci", Origin::Host, "10-hello").add("n".into(), 1).await, Ok(1));
    assert_eq!(hello.compare_and_set("hello".into(), bytes("true"), None).await, Ok(true));
    assert_eq!(own.add("m".into(), 1).await, Ok(1));
}

#[tokio::test]
async fn sums_are_counted_anew_when_the_store_is_opened() {
    let dir = tempfile::tempdir().expect("a folder");
    {
        let store = Store::open(dir.path());
        assert_eq!(space_of(&store, "ci", Origin::Tenant, "a").add("n".into(), 1).await, Ok(1));
        assert_eq!(space_of(&store, "ci", Origin::Host, "a").add("n".into(), 1).await, Ok(1));
        assert_eq!(sums(&store), [("ci".to_owned(), (2, 18))]);
        let transaction = begun(&store);
        {
            let mut sums = transaction.open_table(SUMS).expect("a table");
            sums.insert("ci", (u32::MAX, u64::MAX)).expect("inserted");
            sums.insert("gone", (1, 1)).expect("inserted");
        }
        transaction.commit().expect("on disk");
    }
    let store = Store::open(dir.path());
    assert_eq!(sums(&store), [("ci".to_owned(), (2, 18))]);
}

fn begun(store: &Store) -> WriteTransaction {
    store.base().with(|database| Ok(database.begin_write()?)).expect("begun")
}

fn sums(store: &Store) -> Vec<(String, (u32, u64))> {
    let read = |database: &Database| Ok(database.begin_read()?.open_table(SUMS)?);
    let table = store.base().with(read).expect("a table");
    let sums = table.iter().expect("readable").map(|entry| entry.expect("an entry"));
    sums.map(|(tenant, sum)| (tenant.value().to_owned(), sum.value())).collect()
}

#[tokio::test]
async fn a_tenant_that_floods_the_disk_is_refused_and_another_is_not() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path());
    let (flood, calm) = (space_of(&store, "flood", Origin::Tenant, "a"), space_of(&store, "calm", Origin::Tenant, "a"));
    let writer = store.writer().expect("open");

    // The writer has taken the first change, and cannot begin.
    let disk = begun(&store);
    let mut taken = flood.add("n".into(), 1);
    assert_eq!((&mut taken).now_or_never(), None);
    while writer.waiting() > 0 {
        tokio::task::yield_now().await;
    }
    let mut waiting = Vec::new();
    let refused = loop {
        let mut next = flood.add("n".into(), 1);
        match (&mut next).now_or_never() {
            None => waiting.push(next),
            Some(refused) => break refused,
        }
    };
    let problem = "too many changes of this tenant wait for the disk".to_owned();
    assert_eq!(refused, Err(StateFault::Unavailable(problem)));
    let mut accepted = calm.add("n".into(), 1);
    assert_eq!((&mut accepted).now_or_never(), None);

    disk.abort().expect("aborted");
    assert_eq!(accepted.await, Ok(1));
    assert_eq!(taken.await, Ok(1));
    for (change, before) in waiting.into_iter().zip(1..) {
        assert_eq!(change.await, Ok(before + 1));
    }
    assert_eq!(flood.add("n".into(), 0).await, Ok(513), "one was taken, and an eighth of the queue was waiting");
}

async fn fill(store: &Store, tenant: &str, policy: &str, keys: usize) {
    let name = space_name(tenant, Origin::Tenant, policy);
    let plenty = StateLimits { keys: 1 << 20, bytes: 1 << 30 };
    let space = store.space(name, plenty, plenty);
    for from in (0..keys).step_by(400) {
        let adds = (from..keys.min(from + 400)).map(|key| space.add(format!("key-{key:05}"), 1));
        assert!(join_all(adds).await.iter().all(|added| *added == Ok(1)));
    }
}

#[tokio::test]
async fn keys_are_listed_page_by_page() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path());
    fill(&store, "ci", "a", 25).await;
    fill(&store, "ci", "ab", 3).await;
    let name = space_name("ci", Origin::Tenant, "a");
    let (mut after, mut seen, mut pages) = (None::<String>, Vec::new(), 0);
    loop {
        let page = store.keys(&name, after.as_deref(), 10).expect("it serves");
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        seen.extend(page);
        pages += 1;
    }
    assert_eq!(pages, 3);
    let all = (0..25).map(|key| KeySize { key: format!("key-{key:05}"), value_bytes: 8 });
    assert_eq!(seen, Vec::from_iter(all));
    assert_eq!(store.keys(&name, Some("key-00003x"), 1).expect("it serves")[0].key, "key-00004");
    assert_eq!(store.keys(&name, None, 0), Ok(Vec::new()));
    assert_eq!(store.keys(&space_name("gone", Origin::Tenant, "a"), None, 10), Ok(Vec::new()));
    assert_eq!(store.get(&name, "key-00000"), Ok(Some(1_i64.to_le_bytes().into())));
}

#[tokio::test]
async fn what_was_cleared_is_gone_from_the_disk() {
    let dir = tempfile::tempdir().expect("a folder");
    {
        let store = Store::open(dir.path());
        fill(&store, "ci", "a", 5).await;
        fill(&store, "ci", "b", 5).await;
        fill(&store, "web", "a", 1).await;
        let name = space_name("ci", Origin::Tenant, "a");
        assert_eq!(store.clear_key(name.clone(), "key-00001".into()).await, Ok(Usage { keys: 1, bytes: 17 }));
        assert_eq!(store.clear_key(name.clone(), "key-00001".into()).await, Ok(Usage::default()));
        assert_eq!(store.clear(name.clone()).await, Ok(Usage { keys: 4, bytes: 68 }));
        assert_eq!(store.clear(name).await, Ok(Usage::default()));
        assert_eq!(sums(&store), [("ci".to_owned(), (5, 85)), ("web".to_owned(), (1, 17))]);
        let ci = TenantName::new("ci").expect("a good name");
        assert_eq!(store.clear_tenant(ci).await, Ok(Usage { keys: 5, bytes: 85 }));
    }
    let store = Store::open(dir.path());
    let spaces = store.spaces().expect("it serves");
    assert_eq!(spaces.iter().map(|space| space.tenant.as_str()).collect::<Vec<_>>(), ["web"]);
    assert_eq!(sums(&store), [("web".to_owned(), (1, 17))]);
}

/// The figure is in the comment of `Tables::clear`.
#[tokio::test]
async fn clearing_a_great_many_keys_holds_nobody_up_for_long() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path());
    fill(&store, "ci", "a", 20_000).await;
    let calm = space_of(&store, "calm", Origin::Tenant, "a");
    assert_eq!(calm.add("n".into(), 1).await, Ok(1));
    let began = Instant::now();
    let clearing = store.clear(space_name("ci", Origin::Tenant, "a"));
    let (gone, added) = tokio::join!(clearing, calm.add("n".into(), 1));
    eprintln!("20,000 keys cleared, and another tenant's change made, in {:?}", began.elapsed());
    assert_eq!((gone, added), (Ok(Usage { keys: 20_000, bytes: 340_000 }), Ok(2)));
}

/// Run with `--nocapture` for the figures.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_changes_share_one_commit() {
    const TASKS: u64 = 64;
    const EACH: u64 = 50;
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path());
    // 1,000 changes a second: each task one in 64 ms, one after the other.
    let pace = Duration::from_millis(TASKS);
    for (paced, pause) in [("as fast as they can", Duration::ZERO), ("1,000 a second", pace)] {
        let (before, began) = (store.commits(), Instant::now());
        let tasks = (0..TASKS).map(|task| {
            let space = space_of(&store, &format!("t{}", task % 4), Origin::Tenant, "a");
            tokio::spawn(async move {
                let mut took = Vec::new();
                let first = tokio::time::Instant::now() + Duration::from_millis(task).min(pause);
                let mut tick = tokio::time::interval_at(first, pause.max(Duration::from_nanos(1)));
                for _ in 0..EACH {
                    if !pause.is_zero() {
                        tick.tick().await;
                    }
                    let began = Instant::now();
                    space.add("n".into(), 1).await.expect("added");
                    took.push(began.elapsed());
                }
                took
            })
        });
        let mut took = Vec::new();
        for task in join_all(tasks.collect::<Vec<_>>()).await {
            took.extend(task.expect("no panic"));
        }
        took.sort_unstable();
        let (seconds, commits) = (began.elapsed().as_secs_f64(), store.commits() - before);
        eprintln!(
            "{paced}: {:.0} changes/s in {:.0} commits/s (two fsyncs each); a change p50 {:?}, p99 {:?}",
            took.len() as f64 / seconds,
            commits as f64 / seconds,
            took[took.len() / 2],
            took[took.len() * 99 / 100],
        );
        // Where the disk is faster than the changes come, there is nothing to share.
        assert!(commits < TASKS * EACH / 4 || !pause.is_zero(), "{paced}: {commits} commits");
    }
}

fn is_late(read: &Result<Option<Vec<u8>>, StateFault>) -> bool {
    matches!(read, Err(StateFault::Unavailable(problem)) if problem.contains("did not answer in time"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_disk_that_does_not_answer_is_a_fault_and_holds_no_worker() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path());
    let limits = StateLimits::default();
    let space = store.space(space_name("a", Origin::Tenant, "p"), limits, limits);
    assert_eq!(space.compare_and_set("k".into(), None, Some(b"v".to_vec())).await, Ok(true));
    assert_eq!(space.get("k".into()).await, Ok(Some(b"v".to_vec())));
    let opening = store.base().opening();
    let reads: Vec<_> = (0..50)
        .map(|_| {
            let space = Arc::clone(&space);
            tokio::spawn(async move { space.get("k".into()).await })
        })
        .collect();
    let (done, other) = std::sync::mpsc::channel();
    drop(tokio::spawn(async move { done.send(()) }));
    other.recv_timeout(Duration::from_secs(60)).expect("the only worker goes on");
    for read in reads {
        let read = read.await.expect("no panic");
        assert!(is_late(&read), "{read:?}");
    }
    drop(opening);
    assert_eq!(space.get("k".into()).await, Ok(Some(b"v".to_vec())), "it answers again");
}

#[tokio::test]
async fn what_was_read_of_late_needs_no_disk() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path());
    let limits = StateLimits::default();
    let space = store.space(space_name("a", Origin::Tenant, "p"), limits, limits);
    assert_eq!(space.get("k".into()).await, Ok(None));
    // Everything that reads the disk is stuck.
    let (release, stuck) = std::sync::mpsc::channel::<()>();
    let stuck = Arc::new(std::sync::Mutex::new(stuck));
    for _ in 0..READERS {
        let stuck = Arc::clone(&stuck);
        let hang = move |_| {
            // An error is what is waited for.
            let _ = stuck.lock().expect("no panic").recv();
            Ok(())
        };
        assert!(store.reading("b", READ_WITHIN, hang).await.is_err());
    }
    assert_eq!(space.get("k".into()).await, Ok(None), "that there is none is known");
    let unknown = space.get("other".into()).await;
    assert!(is_late(&unknown), "{unknown:?}");
    drop(release);
    assert_eq!(space.get("other".into()).await, Ok(None));
    assert_eq!(space.add("k".into(), 1).await, Ok(1));
    assert_eq!(space.get("k".into()).await, Ok(Some(1_i64.to_le_bytes().to_vec())), "it was read anew");
}
