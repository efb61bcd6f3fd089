//! How much is kept, and when it is too much.

use portcullis_model::fault::StateFault;
use portcullis_model::limits::StateLimits;

/// Keys, and the bytes of keys and values together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub keys: u32,
    pub bytes: u64,
}

/// What a space, and all spaces of its tenant together, may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    pub space: StateLimits,
    pub tenant: StateLimits,
}

/// What a space, and all spaces of its tenant together, hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holdings {
    pub(crate) space: Usage,
    pub(crate) tenant: Usage,
}

/// The limit that a change would grow past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Excess {
    Keys(u32),
    Bytes(u64),
}

// === impl Usage ===

impl Usage {
    /// Of one entry, where there is one.
    pub fn of(key: &str, value: Option<&[u8]>) -> Self {
        value.map_or_else(Self::default, |value| Self { keys: 1, bytes: (key.len() + value.len()) as u64 })
    }

    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self { keys: self.keys.saturating_add(other.keys), bytes: self.bytes.saturating_add(other.bytes) }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self { keys: self.keys.saturating_sub(other.keys), bytes: self.bytes.saturating_sub(other.bytes) }
    }

    /// What is kept once an entry was replaced. What does not grow is within every limit, so that what is over a limit
    /// that was lowered can shrink.
    fn replacing(self, old: Self, new: Self, limits: StateLimits) -> Result<Self, Excess> {
        let after = self.minus(old).plus(new);
        if after.keys > self.keys && after.keys > limits.keys {
            return Err(Excess::Keys(limits.keys));
        }
        if after.bytes > self.bytes && after.bytes > limits.bytes {
            return Err(Excess::Bytes(limits.bytes));
        }
        Ok(after)
    }
}

impl From<(u32, u64)> for Usage {
    fn from((keys, bytes): (u32, u64)) -> Self {
        Self { keys, bytes }
    }
}

impl From<Usage> for (u32, u64) {
    fn from(Usage { keys, bytes }: Usage) -> Self {
        (keys, bytes)
    }
}

// === impl Holdings ===

impl Holdings {
    /// What is held once an entry was replaced, unless that is too much.
    pub(crate) fn replacing(self, old: Usage, new: Usage, bounds: Bounds) -> Result<Self, StateFault> {
        Ok(Self {
            space: self.space.replacing(old, new, bounds.space).map_err(Excess::of_policy)?,
            tenant: self.tenant.replacing(old, new, bounds.tenant).map_err(Excess::of_tenant)?,
        })
    }
}

// === impl Excess ===

impl Excess {
    fn of_policy(self) -> StateFault {
        match self {
            Self::Keys(limit) => StateFault::TooManyKeys { limit },
            Self::Bytes(limit) => StateFault::TooManyBytes { limit },
        }
    }

    fn of_tenant(self) -> StateFault {
        match self {
            Self::Keys(limit) => StateFault::TooManyTenantKeys { limit },
            Self::Bytes(limit) => StateFault::TooManyTenantBytes { limit },
        }
    }
}
