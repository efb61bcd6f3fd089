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

impl Limits {
    /// The largest that an operator may set; the engine reserves address space for it.
    pub const MAX_MEMORY: usize = 256 << 20;
    pub const MAX_TABLE_ELEMENTS: usize = 100_000;
    pub const MAX_DEADLINE: Duration = Duration::from_secs(10);
    /// Bytes of a state key.
    pub const MAX_KEY: usize = 512;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_millis(20),
            memory: 32 << 20,
            table_elements: 20_000,
            log_lines: 100,
            state: StateLimits::default(),
        }
    }
}

impl Default for StateLimits {
    fn default() -> Self {
        Self { keys: 10_000, bytes: 1 << 20 }
    }
}
