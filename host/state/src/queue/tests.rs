use portcullis_model::decision::Origin;
use tokio::sync::oneshot;

use super::*;
use crate::tables::Extent;
use crate::testing::space_name;
use crate::usage::Bounds;
use crate::write_request::{Change, Reply};

/// An order that is told from others by its delta.
fn order(tenant: &str, delta: i64) -> WriteRequest {
    order_of(tenant, addition(delta, Reply::new().0))
}

fn large_order(tenant: &str) -> WriteRequest {
    let (space, bounds) = (space_name("a", Origin::Tenant, "p"), Bounds::default());
    let (value, reply) = (Some(vec![0; BATCH_BYTES]), Reply::new().0);
    order_of(tenant, Change::CompareAndSet { space, bounds, key: "k".into(), expected: None, value, reply })
}

fn addition(delta: i64, reply: Reply<i64>) -> Change {
    Change::Add {
        space: space_name("a", Origin::Tenant, "p"),
        bounds: Bounds::default(),
        key: "k".into(),
        delta,
        reply,
    }
}

fn clearing(tenant: &str) -> WriteRequest {
    let extent = Extent::Tenant(TenantName::new(tenant).expect("a good name"));
    order_of(tenant, Change::Clear { extent, reply: Reply::new().0 })
}

fn order_of(tenant: &str, change: Change) -> WriteRequest {
    WriteRequest { tenant: TenantName::new(tenant).expect("a good name"), change }
}

fn unavailable(problem: &str) -> Result<(), StateFault> {
    Err(StateFault::Unavailable(problem.into()))
}

fn deltas(batch: &[WriteRequest], of: &str) -> Vec<i64> {
    let of_tenant = batch.iter().filter(|order| order.tenant.as_str() == of);
    of_tenant
        .map(|order| match &order.change {
            Change::Add { delta, .. } => *delta,
            Change::CompareAndSet { .. } | Change::Clear { .. } => panic!("only additions were sent"),
        })
        .collect()
}

#[test]
fn a_tenant_that_floods_is_refused_and_another_is_not() {
    let (sender, receiver) = queue();
    for delta in 0..QUEUE_OF_TENANT {
        assert_eq!(sender.send(order("flood", delta as i64)), Ok(()));
    }
    let refused = unavailable("too many changes of this tenant wait for the disk");
    assert_eq!(sender.send(order("flood", 0)), refused);
    assert_eq!(sender.send(order("calm", 0)), Ok(()));

    receiver.next_batch().expect("a batch");
    assert_eq!(sender.send(order("flood", 0)), Ok(()), "what was taken waits no more");
}

#[test]
fn all_tenants_together_are_bounded() {
    let (sender, _receiver) = queue();
    for waiting in 0..QUEUE {
        assert_eq!(sender.send(order(&format!("t{}", waiting / QUEUE_OF_TENANT), 0)), Ok(()));
    }
    assert_eq!(sender.send(order("calm", 0)), unavailable("too many changes wait for the disk"));
}

#[test]
fn a_batch_takes_from_each_tenant_in_turn_and_keeps_the_order_of_each() {
    let (sender, receiver) = queue();
    for delta in 0..400 {
        sender.send(order("flood", delta)).expect("sent");
    }
    for delta in 0..200 {
        sender.send(order("busy", delta)).expect("sent");
    }
    sender.send(order("calm", 0)).expect("sent");
    drop(sender);

    let first = receiver.next_batch().expect("a batch");
    assert_eq!(first.len(), BATCH);
    assert_eq!(deltas(&first, "calm"), [0]);
    assert_eq!(deltas(&first, "busy"), Vec::from_iter(0..200));
    assert_eq!(deltas(&first, "flood"), Vec::from_iter(0..311));
    assert_eq!(deltas(&first[..3], "calm"), [0], "its turn is in the first round");
    let second = receiver.next_batch().expect("a batch");
    assert_eq!(deltas(&second, "flood"), Vec::from_iter(311..400));
}

#[test]
fn more_tenants_than_a_batch_has_room_for_all_get_their_turn() {
    let (sender, receiver) = queue();
    for tenant in 0..BATCH + 10 {
        for delta in 0..2 {
            sender.send(order(&format!("t{tenant}"), delta)).expect("sent");
        }
    }
    drop(sender);
    let first = receiver.next_batch().expect("a batch");
    let second = receiver.next_batch().expect("a batch");
    for tenant in 0..BATCH + 10 {
        let tenant = format!("t{tenant}");
        assert!(!deltas(&first, &tenant).is_empty() || deltas(&second, &tenant).first() == Some(&0), "{tenant}");
    }
}

#[test]
fn large_values_of_one_tenant_do_not_hold_up_another() {
    let (sender, receiver) = queue();
    for _ in 0..10 {
        sender.send(large_order("flood")).expect("sent");
    }
    sender.send(order("calm", 0)).expect("sent");
    drop(sender);
    let batches: Vec<_> = (0..2).map(|_| receiver.next_batch().expect("a batch")).collect();
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(deltas(&batches[1][..1], "calm"), [0]);
}

#[test]
fn what_was_sent_before_the_end_is_still_taken() {
    let (sender, receiver) = queue();
    sender.send(order("a", 1)).expect("sent");
    drop(sender);
    assert_eq!(receiver.next_batch().map(|batch| batch.len()), Some(1));
    assert!(receiver.next_batch().is_none());
}

#[test]
fn nobody_waits_for_a_writer_that_is_gone() {
    let (sender, receiver) = queue();
    let (reply, mut answered) = Reply::new();
    sender.send(order_of("a", addition(1, reply))).expect("sent");
    drop(receiver);
    assert_eq!(answered.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    assert_eq!(sender.send(order("a", 1)), unavailable("the store is closing"));
}

#[test]
fn what_the_operator_clears_waits_behind_nothing_of_the_same_tenants() {
    let (sender, receiver) = queue();
    for delta in 0..QUEUE_OF_TENANT {
        sender.send(order("flood", delta as i64)).expect("sent");
    }
    sender.send(order("calm", 7)).expect("sent");
    assert_eq!(sender.send_first(clearing("flood")), Ok(()), "however much waits");
    assert_eq!(sender.send_first(clearing("new")), Ok(()));
    let batch = receiver.next_batch().expect("a batch");
    let tenants: Vec<_> = batch.iter().take(4).map(|order| order.tenant.as_str()).collect();
    assert_eq!(tenants, ["flood", "calm", "new", "flood"], "and no other tenant waits longer");
    assert!(matches!(batch[0].change, Change::Clear { .. }));
    drop(receiver);
    assert_eq!(sender.send_first(clearing("a")), unavailable("the store is closing"));
}
