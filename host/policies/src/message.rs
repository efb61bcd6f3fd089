//! What the observer is told.

use notify::Event;
use portcullis_model::decision::DefaultVerdict;
use tokio::sync::oneshot;

use crate::issue::{LoadIssue, Scope};
use crate::layer::{LayerLoader, Rescan};
use crate::notices::Identities;
use crate::tenant_registry::Look;

/// Something happened, or is to be done.
#[derive(Debug)]
pub(crate) enum Message {
    Noticed(notify::Result<Event>),
    /// A folder answered, and can be read.
    Seen(Box<Seen>),
    /// A folder was read.
    Done(Box<Finished>),
    /// Read everything now; answered when what was found is active, and this default of the tenant `default`.
    Reload(Option<DefaultVerdict>, oneshot::Sender<()>),
    /// Read this folder now; answered when what was found is active.
    Look(Scope, oneshot::Sender<()>),
    Stop,
}

/// A folder that answered, before it is read.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) scope: Scope,
    pub(crate) id: u64,
    pub(crate) is_there: bool,
    /// What was found of a tenant's file.
    pub(crate) look: Option<Look>,
    pub(crate) identities: Identities,
}

/// A job that is done.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) scope: Scope,
    pub(crate) id: u64,
    pub(crate) number: u64,
    /// None where reading panicked.
    pub(crate) read: Option<(LayerLoader, Rescan, Vec<LoadIssue>)>,
}

impl Finished {
    /// Whether a layer came of it. At the first reading of a folder one does, sooner or later.
    pub(crate) fn is_first_done(&self) -> bool {
        self.read.as_ref().is_some_and(|(_, rescan, _)| rescan.layer.is_some())
    }
}
