//! Names and numbers that must not be mixed up.

use std::sync::Arc;

use thiserror::Error;

/// A policy's name: its file's, without `.wasm`. At most 64 letters, digits, `-`, `_` and `.`, the first a letter or
/// digit. Policies are asked in the order of their names. Cheap to clone: every opinion carries one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyName(Arc<str>);

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a policy name: at most 64 letters, digits, `-`, `_` and `.`, the first a letter or digit")]
pub struct BadPolicyName(pub String);

/// A tenant's name: its folder's. At most 64 lower-case letters, digits, `-` and `_`, the first a letter or digit. Cheap
/// to clone: every decision carries one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantName(Arc<str>);

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not a tenant's name: at most 64 lower-case letters, digits, `-` and `_`, the first a letter or digit"
)]
pub struct BadTenantName(pub String);

/// The number of an immutable set of policies and data. Every decision names the one it was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Generation(pub u64);

/// SHA-256 of a policy's file.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

// === impl PolicyName ===

impl PolicyName {
    pub const MAX: usize = 64;

    pub fn new(name: &str) -> Result<Self, BadPolicyName> {
        let well_formed = name.len() <= Self::MAX
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if well_formed { Ok(Self(name.into())) } else { Err(BadPolicyName(name.to_owned())) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for PolicyName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl TenantName ===

impl TenantName {
    pub const MAX: usize = 64;
    /// Whose callers are those that belong to no other tenant.
    pub const DEFAULT: &str = "default";

    pub fn new(name: &str) -> Result<Self, BadTenantName> {
        let is_alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let well_formed = name.len() <= Self::MAX
            && name.starts_with(is_alphanumeric)
            && name.chars().all(|c| is_alphanumeric(c) || matches!(c, '-' | '_'));
        if well_formed { Ok(Self(name.into())) } else { Err(BadTenantName(name.to_owned())) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_default(&self) -> bool {
        self.as_str() == Self::DEFAULT
    }
}

impl Default for TenantName {
    fn default() -> Self {
        Self(Self::DEFAULT.into())
    }
}

impl std::fmt::Display for TenantName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Generation ===

impl Generation {
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl std::fmt::Display for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

// === impl Digest ===

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // At once is many times as fast as byte by byte with `{:02x}`.
        let mut text = *b"sha256:0000000000000000000000000000000000000000000000000000000000000000";
        let digits = self.0.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        for (place, digit) in text.iter_mut().skip("sha256:".len()).zip(digits) {
            *place = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_names() {
        for good in ["a", "10-seccomp", "user_roles.v2", &"x".repeat(64)] {
            assert!(PolicyName::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".hidden", "-x", "a/b", "a b", "é", "a\0", &"x".repeat(65)] {
            assert!(PolicyName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn tenant_names() {
        for good in ["ci", "0-team_a", TenantName::DEFAULT, &"x".repeat(64)] {
            assert!(TenantName::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".ci", "-x", "a/b", "a.b", "Ci", "é", "a\0", &"x".repeat(65)] {
            assert!(TenantName::new(bad).is_err(), "{bad:?}");
        }
        assert!(TenantName::default().is_default());
    }
}
