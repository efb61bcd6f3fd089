//! Memory in sum: what one tenant's instances hold together.

use portcullis_model::{Fault, Verdict};

use super::*;

#[tokio::test]
async fn instances_of_one_share_are_charged_together_and_no_other_share_is() {
    let sandbox = sandbox(8);
    let (holds, allow) = (load(&sandbox, &spin(16), false), load(&sandbox, ALLOW, false));
    let limit = MEBIBYTE + MEBIBYTE / 2;
    let (one, other) = (TenantBudget::new(limit), TenantBudget::new(limit));

    let first = start(&holds, &one, &FOREVER);
    until(|| one.memory() == MEBIBYTE).await;
    assert_eq!(ask(&holds, &one, &FOREVER).await, Err(Fault::TenantMemory { limit }));
    assert_eq!(one.memory(), MEBIBYTE, "what was refused is not charged");
    assert_eq!(ask(&allow, &one, &limits()).await, Ok(Verdict::Allow), "a small one has room");
    let others = start(&holds, &other, &FOREVER);
    until(|| other.memory() == MEBIBYTE).await;

    abort([first]).await;
    assert_eq!((one.memory(), other.memory()), (0, MEBIBYTE), "a decision that nobody waits for gives back");
    let again = start(&holds, &one, &FOREVER);
    until(|| one.memory() == MEBIBYTE).await;
    abort([again, others]).await;
}

#[tokio::test]
async fn growth_is_charged_and_given_back_after_whatever_end() {
    let sandbox = sandbox(8);
    let budget = TenantBudget::new(8 * MEBIBYTE);
    let grow = "(if (i32.lt_s (memory.grow (i32.const 32)) (i32.const 0)) (then unreachable))";
    let grows = load(&sandbox, &decide(1, "", &format!("(loop $more {grow} (br $more))")), false);
    assert_eq!(ask(&grows, &budget, &limits()).await, Err(Fault::TenantMemory { limit: 8 * MEBIBYTE }));
    assert_eq!(budget.memory(), 0, "after the share's limit");

    let small = Limits { memory: MEBIBYTE, ..limits() };
    assert_eq!(ask(&grows, &budget, &small).await, Err(Fault::Memory { limit: MEBIBYTE }));
    assert_eq!(budget.memory(), 0, "after the instance's own limit");

    let traps = load(&sandbox, &decide(1, "", &format!("{grow} unreachable")), false);
    assert!(matches!(ask(&traps, &budget, &limits()).await, Err(Fault::Trap(_))));
    assert_eq!(budget.memory(), 0, "after a trap");

    let answers = load(&sandbox, &decide(1, "", grow), false);
    assert_eq!(ask(&answers, &budget, &limits()).await, Ok(Verdict::Allow));
    assert_eq!(budget.memory(), 0, "after an answer");
}

/// A policy that is swapped in is tried at nobody's cost.
#[tokio::test]
async fn a_probe_is_charged_to_nobody() {
    let sandbox = sandbox(1);
    let policy = load(&sandbox, &spin(16), false);
    assert!(policy.probe(&Arc::default(), &limits()).await.is_ok());
    assert_eq!(sandbox.stats().instances, 0);
}
