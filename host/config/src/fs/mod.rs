//! Files of folders that the operator or a tenant writes: [`Root`] reads them, [`AtomicDir`] puts them there.

mod atomic_dir;
mod pulse;
mod root;

pub use atomic_dir::{AtomicDir, INCOMING};
pub use pulse::Pulse;
pub use root::{Containment, Fingerprint, ReadError, Root};
