//! What a policy may use.

use std::time::Duration;

/// What one policy may use. Each has a default that suits a policy of ordinary size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How much CPU time the policy may use for one decision. Waiting does not count.
    pub deadline: Duration,
    /// All linear memories of one instance together, in bytes.
    pub memory: usize,
    /// Elements of all tables of one instance.
    pub table_elements: usize,
    /// Log lines that one decision may write; more are counted and dropped.
    pub log_lines: u32,
    /// Units of wasmtime's fuel, of which nearly every instruction is one; none does not count. Counting makes a policy slower, and its end the
    /// same on every machine.
    pub instructions: Option<u64>,
    /// What the policy may keep in its state.
    pub state: StateLimits,
}

/// What one policy may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateLimits {
    pub keys: u32,
    /// Keys and values together.
    pub bytes: u64,
}

/// What all policies of one tenant may use together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantLimits {
    /// What one of its policies may use: what each has, unless its own file says less.
    pub policy: Limits,
    /// Decisions in flight; one more waits.
    pub decisions: u32,
    /// Decisions that may wait; one more is denied at once.
    pub queue: u32,
    /// How long one may wait before it is denied.
    pub queue_wait: Duration,
    /// Linear memories of all instances that run at once, in bytes.
    pub memory_in_sum: usize,
    /// What all its policies may keep together.
    pub state: StateLimits,
    /// Log lines that its policies may write in a second; more are counted and dropped.
    pub log_lines_per_second: u32,
    /// Policies that it may have.
    pub policies: usize,
    /// Bytes of one policy's file.
    pub policy_bytes: u64,
    /// Bytes of all its documents.
    pub data_bytes: u64,
}

impl Limits {
    /// The largest that an operator may set; the engine reserves address space for it.
    pub const MAX_MEMORY: usize = 256 << 20;
    pub const MAX_TABLE_ELEMENTS: usize = 100_000;
    pub const MAX_DEADLINE: Duration = Duration::from_secs(10);
    /// Bytes of a state key.
    pub const MAX_KEY: usize = 512;

    /// The lower of each.
    pub fn at_most(&self, most: &Self) -> Self {
        let instructions = [self.instructions, most.instructions].into_iter().flatten().min();
        Self {
            deadline: self.deadline.min(most.deadline),
            memory: self.memory.min(most.memory),
            table_elements: self.table_elements.min(most.table_elements),
            log_lines: self.log_lines.min(most.log_lines),
            instructions,
            state: StateLimits {
                keys: self.state.keys.min(most.state.keys),
                bytes: self.state.bytes.min(most.state.bytes),
            },
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_millis(20),
            memory: 32 << 20,
            table_elements: 20_000,
            log_lines: 100,
            instructions: None,
            state: StateLimits::default(),
        }
    }
}

impl Default for TenantLimits {
    fn default() -> Self {
        Self {
            policy: Limits::default(),
            decisions: 32,
            queue: 256,
            queue_wait: Duration::from_secs(1),
            memory_in_sum: 512 << 20,
            state: StateLimits { keys: 20_000, bytes: 4 << 20 },
            log_lines_per_second: 100,
            policies: 32,
            policy_bytes: 64 << 20,
            data_bytes: 64 << 20,
        }
    }
}

impl Default for StateLimits {
    fn default() -> Self {
        Self { keys: 10_000, bytes: 1 << 20 }
    }
}
