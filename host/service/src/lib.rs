//! From dockerd's call to the answer.
//!
//! ```text
//! socket ─> plugin ── body ─> decide ─> docker::wire ─> Snapshot::place ─> Admission
//!                                                        one tenant        its permits
//!        ─> docker::Reader ─> mounts ─> PolicySet ─> Policy (each) ─> Decision::combine ─> recorder, log ─> answer
//! ```
//!
//! 1. [`socket`] makes each socket under another name and renames it, so that dockerd never finds one that does not listen.
//! 2. [`plugin`] accepts ([`accept`]), asks the kernel who connects, and serves HTTP/1.1. A panic below becomes a denial there. Every
//!    decision is an HTTP 200, because dockerd takes anything else as a failure. An `AuthZRes` is drained and allowed: the
//!    operation has happened. What it says of new containers and volumes, `mounts::created` remembers.
//! 3. [`body`] reads the call within its limit, its time, and what all calls may hold together.
//! 4. [`decide`] takes the snapshot once and parses the plugin call; one of 256 KiB or more on a thread of its own. The
//!    snapshot finds the tenant, and the tenant admits the call, has it wait, or has it denied.
//! 5. `docker::Reader` reads the call as dockerd does, and refuses it by a host rule or gives a request, whose views are made
//!    when somebody first asks for them. Where mounts lead is looked up before policies are asked (`mounts::resolve`).
//! 6. `policies::PolicySet` asks each policy: the host-wide ones with host-wide data, then the tenant's own. `engine` makes a
//!    fresh instance for each. Whatever goes wrong becomes a fault, and `Decision::combine` never fails: by then, what went
//!    wrong is a denial with a cause.
//! 7. [`recorder`] counts the decision, [`traces`] tells collectors of it, and the decision log takes it. If nothing may be
//!    allowed without a record, an allow waits until the record is in the file.
//!
//! [`asking`] says what would be answered to a call: from step 4 on, beside the tenant's permits and with state that is
//! forgotten; [`explain`] shows a call as policies see it. [`take_over`] hands sockets to the host that takes this one's place.

pub mod accept;
pub mod body;
pub mod decide;
pub mod dry_run;
pub mod explain;
mod phases;
pub mod plugin;
pub mod recorder;
pub mod socket;
pub mod take_over;
pub mod traces;
