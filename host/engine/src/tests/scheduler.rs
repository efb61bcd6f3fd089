//! Long runs: each has its turn, and none is in the way of who decides at once.

use std::sync::Mutex;

use portcullis_model::fault::StateFault;
use portcullis_model::{Fault, Verdict};
use tokio::sync::Notify;

use super::*;
use crate::StateFuture;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_with_one_long_run_does_not_wait_for_all_of_another() {
    let sandbox = sandbox(128);
    let policy = load(&sandbox, &spin(1), false);
    let (many, one) = (TenantBudget::new(MEBIBYTE * 64), TenantBudget::new(MEBIBYTE * 64));
    let ended = Arc::new(Mutex::new(Vec::new()));
    let run = |who: &'static str, budget: &Arc<TenantBudget>| {
        let (policy, budget, ended) = (policy.clone(), Arc::clone(budget), Arc::clone(&ended));
        tokio::spawn(async move {
            let judgement = ask(&policy, &budget, &limits()).await;
            ended.lock().expect("no panic").push(who);
            judgement
        })
    };
    let mut tasks: Vec<_> = (0..16).map(|_| run("many", &many)).collect();
    until(|| sandbox.stats().long_runs == 16).await;
    tasks.push(run("one", &one));
    for task in tasks {
        assert_eq!(task.await.expect("no panic"), Err(Fault::Deadline { limit: limits().deadline }));
    }
    let ended = ended.lock().expect("no panic");
    assert!(ended[..3].contains(&"one"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_decides_at_once_is_answered_while_others_run_long_and_what_is_cut_off_leaves_nothing() {
    let sandbox = sandbox(128);
    let (spins, allow) = (load(&sandbox, &spin(1), false), load(&sandbox, ALLOW, false));
    let (spinning, light) = (TenantBudget::new(MEBIBYTE * 64), TenantBudget::new(MEBIBYTE * 64));
    let tasks: Vec<_> = (0..32).map(|_| start(&spins, &spinning, &FOREVER)).collect();
    until(|| sandbox.stats().long_runs == 32).await;
    for budget in [&spinning, &light] {
        for _ in 0..200 {
            assert_eq!(ask(&allow, budget, &limits()).await, Ok(Verdict::Allow));
        }
    }
    assert_eq!(sandbox.stats().long_runs, 32, "none has ended");

    abort(tasks).await;
    let stats = sandbox.stats();
    assert_eq!((stats.instances, stats.long_runs, spinning.memory()), (0, 0, 0));
    // The turns of those who were cut off are there for the next.
    assert_eq!(ask(&spins, &spinning, &limits()).await, Err(Fault::Deadline { limit: limits().deadline }));
}

#[tokio::test]
async fn half_of_the_pool_is_not_for_long_runs_but_each_tenant_may_have_one() {
    let sandbox = sandbox(4);
    let (spins, allow) = (load(&sandbox, &spin(1), false), load(&sandbox, ALLOW, false));
    let (one, other) = (TenantBudget::new(MEBIBYTE * 64), TenantBudget::new(MEBIBYTE * 64));
    let mut tasks = vec![start(&spins, &one, &FOREVER), start(&spins, &one, &FOREVER)];
    until(|| sandbox.stats().long_runs == 2).await;
    assert!(matches!(ask(&spins, &one, &FOREVER).await, Err(Fault::Overloaded(_))));
    tasks.push(start(&spins, &other, &FOREVER));
    until(|| sandbox.stats().long_runs == 3).await;
    assert!(matches!(ask(&spins, &other, &FOREVER).await, Err(Fault::Overloaded(_))));
    assert_eq!(ask(&allow, &one, &limits()).await, Ok(Verdict::Allow));
    abort(tasks).await;
}

/// Answers when it is told to.
#[derive(Default)]
struct Slow {
    asked: Notify,
    answer: Notify,
}

impl State for Slow {
    fn get(&self, _: String) -> StateFuture<'_, Option<Vec<u8>>> {
        Box::pin(async {
            self.asked.notify_one();
            self.answer.notified().await;
            Ok(None)
        })
    }

    fn compare_and_set(&self, _: String, _: Option<Vec<u8>>, _: Option<Vec<u8>>) -> StateFuture<'_, bool> {
        Box::pin(async { Err(StateFault::NotGranted) })
    }

    fn add(&self, _: String, _: i64) -> StateFuture<'_, i64> {
        Box::pin(async { Err(StateFault::NotGranted) })
    }
}

#[tokio::test]
async fn who_waits_for_its_state_lets_others_have_its_turn() {
    let sandbox = sandbox(8);
    let get = r#"(import "portcullis:policy/state@0.2.0" "get" (func $get (param i32 i32 i32)))"#;
    // Some milliseconds on any machine, so that it has a turn when it asks.
    let body = format!("{} (call $get (i32.const 16) (i32.const 1) (i32.const 32))", rounds_of(50_000_000));
    let (asks, spins) = (load(&sandbox, &decide(1, get, &body), false), load(&sandbox, &spin(1), false));
    let (budget, state) = (TenantBudget::new(MEBIBYTE), Arc::new(Slow::default()));
    let question = question(&budget, Some(Arc::clone(&state) as Arc<dyn State>));
    let waits = tokio::spawn(async move { asks.decide(question, &FOREVER).await.judgement });
    state.asked.notified().await;
    assert_eq!(sandbox.stats().long_runs, 1);
    // It ends only when it gets the tenant's one turn.
    assert_eq!(ask(&spins, &budget, &limits()).await, Err(Fault::Deadline { limit: limits().deadline }));
    state.answer.notify_one();
    assert_eq!(waits.await.expect("no panic"), Ok(Verdict::Allow));
}
