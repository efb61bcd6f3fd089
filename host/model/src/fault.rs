//! Why a policy gave no verdict. Every fault is a denial.

use std::time::Duration;

use thiserror::Error;

/// Why a policy gave no verdict.
///
/// `Display` is for the operator; what the caller is told is [`Fault::message`], which carries nothing of the policy's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    #[error("the policy is not loadable: {0}")]
    NotLoadable(String),
    #[error("the policy used more than its {}", crate::Span(*limit))]
    Deadline { limit: Duration },
    #[error("the policy used more than its {limit} instructions")]
    Instructions { limit: u64 },
    #[error("the policy asked for more than its {limit} bytes of memory")]
    Memory { limit: usize },
    #[error("the tenant's policies asked for more than their {limit} bytes of memory together")]
    TenantMemory { limit: usize },
    #[error("the policy asked for more than its {limit} table elements")]
    Table { limit: usize },
    #[error("the policy overflowed its stack")]
    StackOverflow,
    #[error("the policy panicked: {0}")]
    Panic(String),
    #[error("the policy trapped: {0}")]
    Trap(String),
    #[error("the policy's answer is not acceptable: {0}")]
    BadAnswer(String),
    #[error("the policy's state: {0}")]
    State(StateFault),
    #[error("{0}")]
    Request(#[from] crate::request::UnreadableCertificate),
    #[error("no room for one more instance: {0}")]
    Overloaded(String),
    #[error("the host failed: {0}")]
    Host(String),
}

/// Why a policy's state did not answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StateFault {
    #[error("not granted")]
    NotGranted,
    #[error("the key is longer than {limit} bytes")]
    KeyTooLong { limit: usize },
    #[error("more than {limit} keys")]
    TooManyKeys { limit: u32 },
    #[error("more than {limit} bytes")]
    TooManyBytes { limit: u64 },
    #[error("more than {limit} keys of all policies of the tenant together")]
    TooManyTenantKeys { limit: u32 },
    #[error("more than {limit} bytes of all policies of the tenant together")]
    TooManyTenantBytes { limit: u64 },
    #[error("`{key}` does not hold a counter")]
    NotACounter { key: String },
    #[error("the counter `{key}` would overflow")]
    CounterOverflow { key: String },
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
}

/// A fault's name: for logs, metrics and tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FaultKind(&'static str);

// === impl Fault ===

impl Fault {
    pub fn kind(&self) -> FaultKind {
        FaultKind(match self {
            Self::NotLoadable(_) => "not-loadable",
            Self::Deadline { .. } => "deadline",
            Self::Instructions { .. } => "instructions",
            Self::Memory { .. } => "memory",
            Self::TenantMemory { .. } => "tenant-memory",
            Self::Table { .. } => "table",
            Self::StackOverflow => "stack-overflow",
            Self::Panic(_) => "panic",
            Self::Trap(_) => "trap",
            Self::BadAnswer(_) => "bad-answer",
            Self::State(_) => "state",
            Self::Request(_) => "request",
            Self::Overloaded(_) => "overloaded",
            Self::Host(_) => "host",
        })
    }

    /// The short sentence that the caller is told.
    pub fn public_message(&self) -> &'static str {
        match self {
            Self::NotLoadable(_) => "the policy could not be loaded",
            Self::Deadline { .. } | Self::Instructions { .. } => "the policy did not decide in time",
            Self::Memory { .. } | Self::TenantMemory { .. } | Self::Table { .. } => "the policy ran out of memory",
            Self::StackOverflow => "the policy ran out of stack",
            Self::Panic(_) | Self::Trap(_) => "the policy failed",
            Self::BadAnswer(_) => "the policy gave an answer that is not acceptable",
            Self::State(_) => "the policy's state is not available",
            Self::Request(_) => "the caller's certificate cannot be read",
            Self::Overloaded(_) => "too many decisions are in flight",
            Self::Host(_) => "the policy could not be asked",
        }
    }
}

impl FaultKind {
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl std::fmt::Display for FaultKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}
