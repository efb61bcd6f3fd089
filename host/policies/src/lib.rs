//! Policies and data from the folders of the operator and of tenants, live.
//!
//! ```text
//! notices ─> observer ─> tenant registry ─> job (a thread) ─> layer ─> observer ─> registry ─> Live
//!                        who belongs                 file set                set, snapshot
//!                        to which tenant
//! ```
//!
//! A snapshot is immutable. A call takes the pointer once and keeps its snapshot to the end. The thread `policies` decides
//! when to read which folder; each is read on a thread of its own, and `policies` publishes what was read.
//!
//! 1. `notices` gets the kernel's notices (inotify) of each folder with its `policies` and `data`, and remembers which files
//!    are being written. If a folder makes more than 2,000 a second, the host stops listening to it for a while: the kernel
//!    has one queue for all. A folder that was replaced is another inode, and is watched anew.
//! 2. `observer` waits for 10 ms of quiet, 50 ms at most; without notice it looks every 2 s and 10 ms for each folder, and
//!    after 20 ms and then less and less often at one that is changing. It reads 64 at once, tenants' with nice 10; those
//!    whose file system does not answer do not count, and are told. SIGHUP is a message of the same kind.
//! 3. `tenant_registry` lists the tenants' folders and reads each `tenant.toml`, which must be the operator's. Two that claim the same
//!    callers are not taken; what is broken keeps its last good version. If one cannot be read at the start, no caller
//!    belongs to `default` by leftover.
//! 4. `config::fs` opens files: of the host's own folder anywhere, of a tenant's only beneath it (`openat2`). A fingerprint
//!    (device, inode, size, times, owner) says whether a file is as it was seen. `file_set` keeps the files of one kind with
//!    their last good versions. A file that changes while it is read, or that somebody has open for writing (until it is
//!    closed, or for 1 s after it was last written), is left for later, for 10 s at most.
//! 5. `layer` is one folder's policies and data. It reads `NAME.toml`, within the tenant's terms, and the policy's bytes. If
//!    digest and grants are the same, the compiled policy is used again; otherwise the engine compiles and links it. In any
//!    case it is probed: one instance is started and dropped.
//! 6. What fails keeps its last good version; if there is none, a member that always faults takes its place.
//! 7. If something changed again in the meantime, there is no layer yet, and what changed is read again: files that one
//!    symlink replaces together change together. (After 100 times, a folder that never rests is taken as it is.) A first
//!    layer also waits for what is just being written.
//! 8. `registry` holds all layers. If anything changed, the generation grows by one and a snapshot is published: the host's
//!    members, every tenant's set and resources, and who belongs where, by one atomic store of an `Arc`. Tenants that did
//!    not change share what they had. Who belongs where changes all at once, when every tenant has a layer: nobody falls
//!    between two.
//!
//! At the start, the host's own folder is read first, unless its file system does not answer, and then all tenants', as many
//! at once as there are processors, until for 20 s no further one finished; whoever is not read by then is denied until it
//! is. A reader that panics is replaced.

mod context;
mod file_set;
mod issue;
mod job;
mod layer;
mod message;
mod notices;
mod observer;
mod once;
mod probe;
mod registry;
mod remarks;
mod set;
mod snapshot;
pub mod tenant;
mod tenant_registry;
mod watch;
mod write_back;

pub use context::{WorkshopError, load_context};
pub use issue::{Effect, IGNORED, LoadIssue, LoadIssues, PERMISSIONS, Scope};
pub use layer::{Kept, Layer, LoadContext, MAX_SETTINGS, Member};
pub use once::{load_all, load_once};
pub use remarks::DOCUMENTS;
pub use set::PolicySet;
pub use snapshot::{Live, NotPlaced, Snapshot, Tenant};
pub use watch::Watch;
pub use write_back::WriteBackCache;
