use portcullis_model::decision::Origin;
use portcullis_model::limits::StateLimits;

use super::*;
use crate::testing::{Random, space_name};

const BOUNDS: Bounds =
    Bounds { space: StateLimits { keys: 4, bytes: 80 }, tenant: StateLimits { keys: 6, bytes: 110 } };
const KEYS: [&str; 6] = ["", "a", "b", "c", "d", "key"];

/// Two stores that hold the same.
async fn fill(store: &Store, seed: u64) {
    let random = &mut Random::new(seed);
    for policy in ["p", "another"] {
        let space = store.space(space_name("ci", Origin::Tenant, policy), BOUNDS.space, BOUNDS.tenant);
        for key in KEYS {
            if random.below(2) == 0 {
                // Over the limits some are refused, the same ones in both.
                let _ = space.add(key.to_owned(), 5).await;
            }
        }
    }
}

#[tokio::test]
async fn a_question_is_answered_as_the_store_would_and_leaves_no_trace() {
    let (mut refused, mut done) = (0, 0);
    for seed in 0..10 {
        let dirs = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        let [asked, real] = dirs.each_ref().map(|dir| Store::open(dir.path()));
        fill(&asked, seed).await;
        fill(&real, seed).await;
        let name = space_name("ci", Origin::Tenant, "p");
        let dry = DryState::of(&asked, name.clone(), BOUNDS);
        let kept = real.space(name, BOUNDS.space, BOUNDS.tenant);
        let (before, commits) = (asked.spaces(), asked.commits());

        let random = &mut Random::new(seed + 100);
        for _ in 0..60 {
            let key = (*random.one_of(&KEYS)).to_owned();
            let current = kept.get(key.clone()).await.expect("it serves");
            assert_eq!(dry.get(key.clone()).await, Ok(current.clone()));
            if random.below(3) == 0 {
                let delta = *random.one_of(&[1, -2, i64::MAX]);
                assert_eq!(dry.add(key.clone(), delta).await, kept.add(key, delta).await);
                continue;
            }
            let value = (random.below(3) > 0).then(|| vec![b'v'; random.below(60)]);
            let expected = if random.below(8) == 0 { Some(b"another".to_vec()) } else { current };
            let answer = dry.compare_and_set(key.clone(), expected.clone(), value.clone()).await;
            assert_eq!(answer, kept.compare_and_set(key, expected, value).await);
            *if answer.is_ok() { &mut done } else { &mut refused } += 1;
        }
        assert_eq!((asked.spaces(), asked.commits()), (before, commits));
        let again = Store::clone(&asked);
        drop(dry);
        assert_ne!(again.spaces(), real.spaces(), "the same questions did change the other");
    }
    assert!(done > 50 && refused > 50, "{done} done, {refused} refused");
}

#[tokio::test]
async fn each_question_begins_with_what_is_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open(dir.path());
    let name = space_name("ci", Origin::Tenant, "p");
    let kept = store.space(name, BOUNDS.space, BOUNDS.tenant);
    for expected in [1, 2] {
        let dry = DryState::over(Arc::clone(&kept));
        assert_eq!(dry.add("n".into(), 10).await, Ok(expected + 9));
        assert_eq!(dry.add("n".into(), 10).await, Ok(expected + 19));
        assert_eq!(dry.get("n".into()).await, Ok(Some((expected + 19).to_le_bytes().into())));
        assert_eq!(dry.compare_and_set("n".into(), None, None).await, Ok(false));
        assert_eq!(dry.add("k".repeat(513), 1).await, Err(StateFault::KeyTooLong { limit: 512 }));
        assert_eq!(kept.add("n".into(), 1).await, Ok(expected));
    }
}

#[tokio::test]
async fn a_store_that_is_not_available_is_a_fault_of_the_question_too() {
    let dry = DryState::of(&Store::unavailable("gone"), space_name("ci", Origin::Tenant, "p"), BOUNDS);
    let gone = StateFault::Unavailable("gone".into());
    assert_eq!(dry.get("k".into()).await, Err(gone.clone()));
    assert_eq!(dry.add("k".into(), 1).await, Err(gone));
}
