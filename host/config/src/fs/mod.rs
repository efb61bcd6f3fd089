//! Files of folders that the operator or a tenant writes: [`Root`] reads them, [`AtomicDir`] puts them there.

mod atomic_dir;
mod root;

pub use atomic_dir::{AtomicDir, INCOMING};
pub use root::{Containment, Fingerprint, ReadError, Root};
