//! Files of folders that the operator or a tenant writes: [`Root`] reads them, [`Drawer`] puts them there.

mod drawer;
mod root;

pub use drawer::{Drawer, INCOMING};
pub use root::{Fence, Fingerprint, ReadError, Root};
