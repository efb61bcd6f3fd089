//! `[limits]`, of a policy's file and of a tenant's.

use std::time::Duration;

use portcullis_model::limits::StateLimits;
use portcullis_model::{Limits, Span, TenantLimits};

use crate::quota::Quota;
use crate::reader::Table;
use crate::setting::{Bytes, Count};

type Objection = Result<(), (String, String)>;

/// A policy's limits: what it does not name is as its terms say.
pub(crate) fn policy(table: &mut Table<'_, '_, '_>, quota: &Quota) -> Limits {
    let base = &quota.limits;
    let most = quota.is_most.then_some(base);
    let state = most.map(|most| most.state);
    Limits {
        deadline: table.get_checked("deadline", deadline(most)).unwrap_or(base.deadline),
        memory: table.get_checked("memory", memory(most)).map_or(base.memory, |bytes| bytes.0 as usize),
        table_elements: table
            .get_checked("table_elements", table_elements(most))
            .map_or(base.table_elements, |elements| elements as usize),
        log_lines: table.get_checked("log_lines", at_most(most.map(|most| most.log_lines))).unwrap_or(base.log_lines),
        instructions: table
            .get_checked("instructions", instructions(most))
            .map_or(base.instructions, |instructions| Some(instructions.0)),
        state: StateLimits {
            keys: table.get_checked("state_keys", at_most(state.map(|most| most.keys))).unwrap_or(base.state.keys),
            bytes: table
                .get_checked("state_bytes", at_most(state.map(|most| Bytes(most.bytes))))
                .map_or(base.state.bytes, |bytes| bytes.0),
        },
    }
}

/// A tenant's limits: of each of its policies, and of all together.
pub(crate) fn tenant(table: &mut Table<'_, '_, '_>) -> TenantLimits {
    let default = TenantLimits::default();
    let state = StateLimits {
        keys: table.get("state_keys").unwrap_or(default.state.keys),
        bytes: table.get("state_bytes").map_or(default.state.bytes, |bytes: Bytes| bytes.0),
    };
    let policy = Limits {
        deadline: table.get_checked("deadline", deadline(None)).unwrap_or(default.policy.deadline),
        memory: table.get_checked("memory", memory(None)).map_or(default.policy.memory, |bytes| bytes.0 as usize),
        table_elements: table
            .get_checked("table_elements", table_elements(None))
            .map_or(default.policy.table_elements, |elements| elements as usize),
        log_lines: table.get("log_lines").unwrap_or(default.policy.log_lines),
        instructions: table.get_checked("instructions", instructions(None)).map(|instructions: Count| instructions.0),
        state,
    };
    TenantLimits {
        decisions: table.get_checked("decisions", at_least_one).unwrap_or(default.decisions),
        queue: table.get("queue").unwrap_or(default.queue),
        queue_wait: table.get("queue_wait").unwrap_or(default.queue_wait),
        memory_in_sum: table
            .get_checked("memory_in_sum", |bytes: &Bytes| room_for(*bytes, policy.memory))
            .map_or(default.memory_in_sum.max(policy.memory), |bytes| bytes.0 as usize),
        state,
        log_lines_per_second: table.get("log_lines_per_second").unwrap_or(default.log_lines_per_second),
        policies: table.get_checked("policies", at_least_one).map_or(default.policies, |policies| policies as usize),
        policy_bytes: table.get("policy_bytes").map_or(default.policy_bytes, |bytes: Bytes| bytes.0),
        data_bytes: table.get("data_bytes").map_or(default.data_bytes, |bytes: Bytes| bytes.0),
        policy,
    }
}

pub(crate) fn at_least_one(number: &u32) -> Objection {
    if *number > 0 { Ok(()) } else { Err(("is 0".into(), "expected at least 1".into())) }
}

fn deadline(most: Option<&Limits>) -> impl Fn(&Duration) -> Objection {
    let most = most.map_or(Limits::MAX_DEADLINE, |most| most.deadline);
    move |time| {
        if !time.is_zero() && *time <= most {
            return Ok(());
        }
        Err((format!("is {}", Span(*time)), format!("expected 1 ms to {}", Span(most))))
    }
}

fn memory(most: Option<&Limits>) -> impl Fn(&Bytes) -> Objection {
    let most = most.map_or(Limits::MAX_MEMORY, |most| most.memory) as u64;
    move |bytes| {
        if (Bytes(64 << 10)..=Bytes(most)).contains(bytes) {
            return Ok(());
        }
        Err((format!("is {} bytes", bytes.0), format!("expected 64KiB to {}KiB", most >> 10)))
    }
}

fn table_elements(most: Option<&Limits>) -> impl Fn(&u32) -> Objection {
    let most = most.map_or(Limits::MAX_TABLE_ELEMENTS, |most| most.table_elements);
    move |elements| {
        if *elements as usize <= most {
            return Ok(());
        }
        Err((format!("is {elements}"), format!("expected at most {most}")))
    }
}

fn instructions(most: Option<&Limits>) -> impl Fn(&Count) -> Objection {
    let most = most.and_then(|most| most.instructions).unwrap_or(u64::MAX);
    move |count| {
        if (1..=most).contains(&count.0) {
            return Ok(());
        }
        let up_to = if most == u64::MAX { "at least 1".to_owned() } else { format!("1 to {most}") };
        Err((format!("is {}", count.0), format!("expected {up_to}")))
    }
}

/// Not more than the tenant may have.
fn at_most<T: PartialOrd + std::fmt::Display>(most: Option<T>) -> impl Fn(&T) -> Objection {
    move |number| match &most {
        Some(most) if number > most => {
            Err((format!("is {number}"), format!("expected at most {most}, which is what the tenant has")))
        }
        _ => Ok(()),
    }
}

fn room_for(bytes: Bytes, memory: usize) -> Objection {
    if bytes.0 >= memory as u64 {
        return Ok(());
    }
    Err((format!("is {} bytes", bytes.0), format!("expected room for one policy, {memory} bytes")))
}
