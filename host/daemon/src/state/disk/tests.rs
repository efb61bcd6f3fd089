use super::*;

fn space(store: &Store, name: &str) -> Arc<dyn State> {
    store.space(&PolicyName::new(name).expect("a good name"), StateLimits { keys: 3, bytes: 100 })
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
    fs::write(dir.path().join(FILE), "not a database at all, but long enough to be looked at".repeat(100))
        .expect("written");
    let store = Store::open(dir.path());
    assert!(store.problem().is_some_and(|problem| problem.contains(FILE)));
    assert!(matches!(space(&store, "a").get("k".into()).await, Err(StateFault::Unavailable(_))));
}
