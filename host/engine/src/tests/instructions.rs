//! Counting instructions: the same end on every run, and no policy with such a limit goes uncounted.

use portcullis_model::{Fault, Verdict};

use super::*;

fn counted(instructions: u64) -> Limits {
    Limits { instructions: Some(instructions), ..FOREVER }
}

/// The smallest limit with which the policy comes to its answer.
async fn needs(policy: &Policy) -> u64 {
    let budget = TenantBudget::new(MEBIBYTE);
    let (mut short, mut enough) = (0, 1 << 20);
    while enough - short > 1 {
        let limit = short + (enough - short) / 2;
        match ask(policy, &budget, &counted(limit)).await {
            Ok(verdict) => {
                assert_eq!(verdict, Verdict::Allow);
                enough = limit;
            }
            Err(fault) => {
                assert_eq!(fault, Fault::Instructions { limit });
                short = limit;
            }
        }
    }
    enough
}

#[tokio::test]
async fn instructions_are_counted_exactly_and_alike_in_each_run() {
    let sandbox = sandbox(4);
    let policy = load(&sandbox, &count(1_000), true);
    let needed = needs(&policy).await;
    assert_eq!(needs(&policy).await, needed);
    assert_eq!(needs(&load(&super::sandbox(4), &count(1_000), true)).await, needed, "in another sandbox");
    let longer = needs(&load(&sandbox, &count(2_000), true)).await;
    let longest = needs(&load(&sandbox, &count(3_000), true)).await;
    assert_eq!(longest - longer, longer - needed, "as many more for as many rounds more");
    assert!(longer - needed >= 1_000);
}

#[tokio::test]
async fn a_policy_that_was_not_compiled_to_count_is_not_asked_to() {
    let (sandbox, budget) = (sandbox(4), TenantBudget::new(MEBIBYTE));
    let policy = load(&sandbox, ALLOW, false);
    assert!(matches!(ask(&policy, &budget, &counted(1 << 20)).await, Err(Fault::Host(_))));
    assert!(policy.probe(&Arc::default(), &counted(1 << 20)).await.is_err());
    assert_eq!(ask(&policy, &budget, &limits()).await, Ok(Verdict::Allow));
}

#[tokio::test]
async fn who_counts_has_its_deadline_too() {
    let (sandbox, budget) = (sandbox(4), TenantBudget::new(MEBIBYTE));
    let policy = load(&sandbox, &spin(1), true);
    let limit = limits().deadline;
    for instructions in [None, Some(u64::MAX)] {
        let limits = Limits { instructions, ..limits() };
        assert_eq!(ask(&policy, &budget, &limits).await, Err(Fault::Deadline { limit }));
    }
}
