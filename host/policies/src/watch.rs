//! Keeps active what the folders show, from a thread of its own.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use portcullis_config::Config;
use portcullis_model::decision::DefaultVerdict;
use portcullis_state::Spaces;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::issue::Scope;
use crate::layer::LoadContext;
use crate::message::Message;
use crate::observer::Observer;
use crate::snapshot::Live;

/// How long somebody waits for folders to be read. Compiling can take minutes.
const READ_WITHIN: Duration = Duration::from_secs(600);

/// Keeps active what the folders show. Dropping it stops the watching.
#[derive(Debug)]
pub struct Watch {
    messages: Sender<Message>,
}

// === impl Watch ===

impl Watch {
    /// Reads everything for the first time, and then whatever changes.
    pub fn start(config: &Config, spaces: Spaces, context: LoadContext) -> std::io::Result<(Self, Arc<Live>)> {
        let (sender, messages) = channel();
        let (ready, first) = channel();
        let (config, own) = (config.clone(), sender.clone());
        std::thread::Builder::new().name("policies".into()).spawn(move || {
            let observer = Observer::start(&config, spaces, context, own, messages);
            if ready.send(Arc::clone(observer.live())).is_ok() {
                observer.run();
            }
        })?;
        let live =
            first.recv().map_err(|_| std::io::Error::other("policies could not be loaded for the first time"))?;
        Ok((Self { messages: sender }, live))
    }

    /// Reads one folder, whose files were just written. Ready when what was found is active.
    pub async fn look(&self, scope: Scope) {
        let (sender, done) = oneshot::channel();
        if self.messages.send(Message::Look(scope, sender)).is_ok() {
            // An error means that the host is stopping, or that a folder's disk does not answer, which is told elsewhere.
            let _ = timeout(READ_WITHIN, done).await;
        }
    }

    /// Reads everything again, trying what was broken. Ready when what was found is active; and this default of the
    /// tenant `default`, where one is given.
    pub async fn reload(&self, default: Option<DefaultVerdict>) {
        let (sender, done) = oneshot::channel();
        if self.messages.send(Message::Reload(default, sender)).is_ok() {
            // Likewise.
            let _ = timeout(READ_WITHIN, done).await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // An error means that the thread has ended already.
        let _ = self.messages.send(Message::Stop);
    }
}
