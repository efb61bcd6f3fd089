//! What an operator may grant to a policy. Nothing is granted by default.

use thiserror::Error;

/// The host interfaces that a policy may import beyond those that every policy has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    pub log: bool,
    pub state: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a grant; there are `log` and `state`")]
pub struct UnknownGrant(pub String);

impl Grants {
    pub const ALL: Self = Self { log: true, state: true };

    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownGrant> {
        names.into_iter().try_fold(Self::default(), |grants, name| match name {
            "log" => Ok(Self { log: true, ..grants }),
            "state" => Ok(Self { state: true, ..grants }),
            other => Err(UnknownGrant(other.to_owned())),
        })
    }

    /// Whether an interface of the contract may be imported.
    pub(crate) fn allow(self, interface: &str) -> bool {
        match interface {
            "types" | "settings" | "fault" => true,
            "log" => self.log,
            "state" => self.state,
            _ => false,
        }
    }
}
