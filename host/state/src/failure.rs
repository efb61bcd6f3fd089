//! What can be wrong with the store's file, told apart by what helps.

use std::any::Any;
use std::fmt;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why the file did not serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It does not hold what was written. It never will again.
    Damage(String),
    /// redb came to something that it never expects: a defect, or a damage that it did not look for.
    Panic(String),
    /// Changes must wait for room.
    Full,
    /// Anything else: the next attempt may be better.
    Passing(String),
}

/// Does something with the database. A panic in there must not take the host along.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(Failure::from),
        Err(panic) => Err(Failure::Panic(said(panic.as_ref()))),
    }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}

// === impl Failure ===

impl Failure {
    /// What is wrong with the file, where nothing but the operator can help.
    pub(crate) fn damage_of_a_file_at_rest(&self) -> Option<&str> {
        match self {
            Self::Damage(what) | Self::Panic(what) => Some(what),
            Self::Full | Self::Passing(_) => None,
        }
    }
}

impl From<redb::Error> for Failure {
    fn from(error: redb::Error) -> Self {
        use redb::Error as E;
        // No host wrote another version or other tables: where they are found, bytes are not what they were.
        let damaged = matches!(
            error,
            E::Corrupted(_)
                | E::UpgradeRequired(_)
                | E::RepairAborted
                | E::TableTypeMismatch { .. }
                | E::TypeDefinitionChanged { .. }
                | E::TableIsMultimap(_)
                | E::TableIsNotMultimap(_)
                | E::TableDoesNotExist(_)
        );
        if damaged {
            return Self::Damage(error.to_string());
        }
        if let E::Io(error) = error { error.into() } else { Self::Passing(error.to_string()) }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let kind = error.kind();
        if matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded) {
            Self::Full
        } else if matches!(kind, ErrorKind::InvalidData | ErrorKind::UnexpectedEof) {
            // Not a database at all, or shorter than it says it is.
            Self::Damage(error.to_string())
        } else {
            Self::Passing(error.to_string())
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damage(what) => write!(f, "it is damaged: {what}"),
            Self::Panic(what) => write!(f, "its reader gave up: {what}"),
            Self::Full => f.write_str("the disk is full; changes are refused until there is room"),
            Self::Passing(what) => f.write_str(what),
        }
    }
}
