//! Policies and data from the folders of the operator and of tenants, live.
//!
//! ```text
//! observer ─ something changed ─> roster ─ whose folder, and on what terms ─> layer ─ read, compile, probe ─> estate ─ one pointer store ─> Live
//! notices                                                                     job, shelf, root              set      snapshot
//! ```
//!
//! A snapshot is immutable. A request takes the pointer once and keeps its snapshot to the end. Each folder is read on a
//! thread of its own.

mod estate;
mod job;
mod layer;
mod message;
mod notices;
mod observer;
mod offers;
mod once;
mod probe;
mod remarks;
mod roster;
mod set;
mod shelf;
mod snapshot;
pub mod tenant;
mod trouble;
mod watch;
mod workshop;

pub use layer::{Kept, Layer, MAX_SETTINGS, Member, Workshop};
pub use offers::Offers;
pub use once::load_once;
pub use remarks::DOCUMENTS;
pub use set::PolicySet;
pub use snapshot::{Live, NotPlaced, Snapshot, Tenant};
pub use trouble::{IGNORED, PERMISSIONS, Scope, Trouble, Troubles};
pub use watch::Watch;
pub use workshop::{WorkshopError, workshop};
