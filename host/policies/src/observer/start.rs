//! The start: every folder is read once before the host serves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use portcullis_config::{Config, Quota, TENANTS, Vocabulary};
use portcullis_engine::When;
use portcullis_state::Spaces;
use tracing::{error, info, warn};

use super::folder::Folder;
use super::{Observer, STALLED};
use crate::issue::{LoadIssues, Scope};
use crate::job::spawn;
use crate::layer::{Layer, LayerLoader, LoadContext};
use crate::message::Message;
use crate::notices::{Notices, Watched};
use crate::probe::Probes;
use crate::registry::Registry;
use crate::snapshot::Live;
use crate::tenant_registry::TenantRegistry;

/// How often it is said how far the start is.
const PROGRESS: Duration = Duration::from_secs(1);

impl Observer {
    /// Reads everything for the first time.
    pub(crate) fn start(
        config: &Config,
        spaces: Spaces,
        context: LoadContext,
        sender: Sender<Message>,
        messages: Receiver<Message>,
    ) -> Self {
        // Watching comes first: what changes while folders are read for the first time is then noticed.
        let noticed = sender.clone();
        let mut notices = Notices::new(move |event| {
            // An error means that the host is stopping.
            let _ = noticed.send(Message::Noticed(event));
        });
        let dir = config.dir.clone();
        let mut probes = Probes::default();
        let mut tenant_registry = TenantRegistry::new(dir.join(TENANTS), Vocabulary::of(config));
        tenant_registry.swaps = Arc::clone(&context.swaps);
        let watched = Watched::unseen(dir.clone());
        let host = LayerLoader::new(dir.clone(), None, Quota::of_host(), context.clone(), When::Start);
        let mut registry = Registry::new(config, spaces, Layer::unread());
        let names = tenant_registry.first_look(&mut probes);
        if !tenant_registry.is_blind() {
            notices.watch(&dir.join(TENANTS));
        }
        for name in &names {
            if let Some(file) = tenant_registry.active(name) {
                registry.set_layer(name, file, Layer::unread());
            }
        }
        registry.place(tenant_registry.files());
        let live = Arc::new(Live::new(registry.first_snapshot(&tenant_registry)));
        let folders = BTreeMap::from([(None, Folder::new(0, watched, host, Instant::now()))]);
        let mut observer = Self {
            dir,
            context,
            tenant_registry,
            registry,
            live,
            issues: LoadIssues::new(),
            notices,
            due: folders.iter().map(|(scope, folder)| (folder.due, scope.clone())).collect(),
            folders,
            coming: None,
            starting: true,
            running: BTreeMap::new(),
            spawn,
            probes,
            asked: BTreeMap::new(),
            silent: BTreeSet::new(),
            is_slow_told: false,
            last_job: 0,
            last_id: 0,
            reloads: Vec::new(),
            retired: Vec::new(),
            sender,
            messages,
        };
        let mut others = observer.read_own();
        names.iter().for_each(|name| observer.add(name));
        others.extend(observer.read_all(names.len()));
        observer.serve(others);
        observer
    }

    /// Has the host's own folder read. One that hangs is not waited for: calls are denied until it answers.
    fn read_own(&mut self) -> Vec<Message> {
        let mut others = Vec::new();
        let mut is_read = false;
        while !is_read && !self.is_stuck(&None) {
            match self.next() {
                Some(Message::Done(finished)) => {
                    is_read = finished.is_first_done();
                    self.finish(*finished);
                }
                Some(Message::Seen(seen)) => self.seen(*seen),
                Some(other) => others.push(other),
                None => {}
            }
        }
        if !is_read {
            let folder = self.dir.display();
            error!(%folder, "the host's own folder does not answer; every call is denied until it does");
        }
        others
    }

    /// Whether a folder hangs.
    fn is_stuck(&self, scope: &Scope) -> bool {
        self.silent.contains(scope) || self.hangs(scope)
    }

    /// The next message, if there is one soon; what is due is asked before.
    fn next(&mut self) -> Option<Message> {
        self.look();
        let message = self.messages.recv_timeout(PROGRESS / 10).ok();
        self.tell_of_slow();
        message
    }

    /// Has every tenant's folder read once, and says how far that is.
    fn read_all(&mut self, tenants: usize) -> Vec<Message> {
        let (start, mut message, mut advanced) = (Instant::now(), Instant::now(), Instant::now());
        let mut others = Vec::new();
        let mut left: BTreeSet<_> = self.folders.keys().filter(|scope| scope.is_some()).cloned().collect();
        while !left.is_empty() && advanced.elapsed() < STALLED {
            match self.next() {
                Some(Message::Done(finished)) => {
                    if finished.is_first_done() && left.remove(&finished.scope) {
                        advanced = Instant::now();
                    }
                    self.finish(*finished);
                }
                Some(Message::Seen(seen)) => self.seen(*seen),
                Some(other) => others.push(other),
                None => {}
            }
            // Nobody belongs to it.
            left.retain(|scope| scope.as_ref().is_some_and(|name| self.registry.has(name)));
            left.retain(|scope| !self.is_stuck(scope));
            if message.elapsed() > PROGRESS {
                message = Instant::now();
                info!(loaded = tenants - left.len(), tenants, "loading tenants");
            }
        }
        for scope in left.iter().flatten() {
            warn!(tenant = scope.as_str(), "not loaded yet; its calls are denied until it is");
        }
        if tenants > 1 {
            let took_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
            info!(tenants, took_ms, "tenants loaded");
        }
        others
    }

    /// Ends the start. `others` are messages that came too early.
    fn serve(&mut self, others: Vec<Message>) {
        self.starting = false;
        self.folders.values_mut().filter_map(|folder| folder.loader.as_mut()).for_each(LayerLoader::started);
        self.registry.touch();
        self.publish(None);
        self.tell();
        for message in others {
            // It is too early to be told to stop: the thread that could tell it waits for this.
            let _ = self.take(message);
        }
    }
}
