//! What policies write for the operator.

use portcullis_model::{PolicyName, Reason};

/// A line that a policy wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub level: Level,
    pub message: Reason,
}

/// Lines that policies wrote while a decision was made, by the policy's place among those that were asked, up to the last
/// one that wrote any; and how many were dropped.
pub type PolicyLog = Vec<(PolicyName, Vec<LogLine>, u32)>;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}
