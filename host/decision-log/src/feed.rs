//! Who listens to decisions as they are made, and the last ones, in which can be looked.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portcullis_model::TenantName;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::entry::Entry;
use crate::event::DecisionEvent;
use crate::id::{DecisionId, Wanted};

/// Who may listen at once.
const LISTENERS: usize = 32;
/// Records that may wait for one listener.
const WAITING: usize = 256;
/// What a record in the ring costs beside its line.
const OVERHEAD: usize = 128;

/// Gives every record to those who subscribed, and keeps the last ones. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Feed(Arc<Inner>);

/// One record. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PublishedRecord {
    pub id: DecisionId,
    /// None where it cannot be told.
    pub tenant: Option<TenantName>,
    /// The [`DecisionRecord`](crate::record::DecisionRecord) as JSON, without a line end.
    pub line: Arc<str>,
}

/// What a listener hears.
#[derive(Clone, Debug)]
pub enum Heard {
    Record(PublishedRecord),
    /// So many records came faster than they were taken, and are missing. Those that waited are heard after this.
    Lost(u64),
}

/// Hears every record from now on, until it is dropped.
#[derive(Debug)]
pub struct Subscription {
    records: Receiver<PublishedRecord>,
    lost: Arc<AtomicU64>,
    /// Taken while it was told what is lost before it.
    held: Option<PublishedRecord>,
    feed: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Mutex<Shared>,
    /// How many listen: known without the lock.
    listening: AtomicUsize,
}

#[derive(Debug)]
struct Shared {
    /// The newest last.
    ring: VecDeque<PublishedRecord>,
    /// Of the ring, in bytes.
    held: usize,
    most: usize,
    listeners: Vec<Listener>,
}

#[derive(Debug)]
struct Listener {
    records: Sender<PublishedRecord>,
    lost: Arc<AtomicU64>,
}

// === impl Feed ===

impl Feed {
    /// Keeps the last records, of so many bytes.
    pub fn new(most: usize) -> Self {
        let shared = Mutex::new(Shared { ring: VecDeque::new(), held: 0, most, listeners: Vec::new() });
        Self(Arc::new(Inner { shared, listening: AtomicUsize::new(0) }))
    }

    /// Listens from now on. None where as many listen as may.
    pub fn subscribe(&self) -> Option<Subscription> {
        self.0.subscribe(&mut self.0.lock())
    }

    /// Listens from now on, with the records of the ring: all of them, or those after one, with nothing between what
    /// is given and what will be heard. Where the ring does not hold that one any more, it is told by the first `None`.
    pub fn subscribe_after(&self, after: Option<&Wanted>) -> Option<(Option<Vec<PublishedRecord>>, Subscription)> {
        let mut shared = self.0.lock();
        let missed = match after {
            None => Some(shared.ring.iter().cloned().collect()),
            Some(wanted) => shared.position(wanted).map(|at| shared.ring.iter().skip(at + 1).cloned().collect()),
        };
        let subscription = self.0.subscribe(&mut shared)?;
        Some((missed, subscription))
    }

    /// The newest record of that ID, if it is among the last.
    pub fn find(&self, wanted: &Wanted) -> Option<PublishedRecord> {
        let shared = self.0.lock();
        shared.position(wanted).and_then(|at| shared.ring.get(at)).cloned()
    }

    /// The last records, at most so many, the newest last.
    pub fn recent(&self, most: usize) -> Vec<PublishedRecord> {
        let shared = self.0.lock();
        let skipped = shared.ring.len().saturating_sub(most);
        shared.ring.iter().skip(skipped).cloned().collect()
    }

    /// Whether what is published is kept, or heard by anybody.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.listening.load(Ordering::Relaxed) == 0
    }

    /// Gives records to all who listen, and keeps them.
    pub(crate) fn publish(&self, records: impl Iterator<Item = PublishedRecord>) {
        let mut shared = self.0.lock();
        let before = shared.listeners.len();
        for record in records {
            shared.listeners.retain(|listener| listener.tell(&record));
            shared.keep(record);
        }
        self.0.listening.fetch_sub(before - shared.listeners.len(), Ordering::Relaxed);
    }

    /// Ends every subscription.
    pub fn close(&self) {
        let gone = std::mem::take(&mut self.0.lock().listeners);
        self.0.listening.fetch_sub(gone.len(), Ordering::Relaxed);
    }
}

// === impl PublishedRecord ===

impl PublishedRecord {
    pub(crate) fn of(entry: &Entry) -> Self {
        let DecisionEvent { id, tenant, .. } = &entry.event;
        Self { id: *id, tenant: tenant.clone(), line: Arc::clone(&entry.line) }
    }
}

// === impl Inner ===

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscribe(self: &Arc<Self>, shared: &mut Shared) -> Option<Subscription> {
        let before = shared.listeners.len();
        shared.listeners.retain(|listener| !listener.records.is_closed());
        let gone = before - shared.listeners.len();
        self.listening.fetch_sub(gone, Ordering::Relaxed);
        if shared.listeners.len() >= LISTENERS {
            return None;
        }
        let (sender, records) = channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        shared.listeners.push(Listener { records: sender, lost: Arc::clone(&lost) });
        self.listening.fetch_add(1, Ordering::Relaxed);
        Some(Subscription { records, lost, held: None, feed: Arc::clone(self) })
    }
}

// === impl Shared ===

impl Shared {
    fn position(&self, wanted: &Wanted) -> Option<usize> {
        let mut buffer = [0; DecisionId::LEN];
        self.ring.iter().rposition(|record| wanted.is(record.id.text(&mut buffer)))
    }

    fn keep(&mut self, record: PublishedRecord) {
        if self.most == 0 {
            return;
        }
        self.held += OVERHEAD + record.line.len();
        self.ring.push_back(record);
        while self.held > self.most
            && let Some(oldest) = self.ring.pop_front()
        {
            self.held -= OVERHEAD + oldest.line.len();
        }
    }
}

// === impl Listener ===

impl Listener {
    /// False where it is gone.
    fn tell(&self, record: &PublishedRecord) -> bool {
        match self.records.try_send(record.clone()) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(TrySendError::Closed(_)) => false,
        }
    }
}

// === impl Subscription ===

impl Subscription {
    /// The next record, or how many are missing before it. None when the host stops. Nothing is lost where this is
    /// dropped before it is ready.
    pub async fn next(&mut self) -> Option<Heard> {
        if let Some(record) = self.held.take() {
            return Some(Heard::Record(record));
        }
        let record = self.records.recv().await;
        match self.lost.swap(0, Ordering::Relaxed) {
            0 => record.map(Heard::Record),
            lost => {
                self.held = record;
                Some(Heard::Lost(lost))
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.records.close();
        let mut shared = self.feed.lock();
        let before = shared.listeners.len();
        shared.listeners.retain(|listener| !listener.records.is_closed());
        self.feed.listening.fetch_sub(before - shared.listeners.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn record(text: &str) -> PublishedRecord {
        PublishedRecord { id: DecisionId::new(SystemTime::now()), tenant: None, line: text.into() }
    }

    fn lines(records: &[PublishedRecord]) -> Vec<&str> {
        records.iter().map(|record| &*record.line).collect()
    }

    fn wanted(record: &PublishedRecord) -> Wanted {
        Wanted::new(&record.id.to_string()).expect("an ID")
    }

    #[tokio::test]
    async fn who_listens_hears_every_record_and_who_is_slow_how_many_are_missing() {
        let feed = Feed::new(1 << 20);
        assert!(feed.is_idle());
        let (mut quick, mut slow) = (feed.subscribe().expect("room"), feed.subscribe().expect("room"));
        for number in 0..WAITING + 10 {
            feed.publish([record(&number.to_string())].into_iter());
            assert!(matches!(quick.next().await, Some(Heard::Record(record)) if *record.line == *number.to_string()));
        }
        // What is missing is told at once, and then comes what waited.
        assert!(matches!(slow.next().await, Some(Heard::Lost(10))));
        for number in 0..WAITING {
            assert!(matches!(slow.next().await, Some(Heard::Record(record)) if *record.line == *number.to_string()));
        }
        feed.publish([record("last")].into_iter());
        assert!(matches!(slow.next().await, Some(Heard::Record(record)) if &*record.line == "last"));
        drop(quick);
        assert!(!feed.is_idle());
        feed.close();
        assert!(slow.next().await.is_none() && feed.is_idle());
    }

    #[test]
    fn so_many_may_listen() {
        let feed = Feed::new(0);
        let mut all: Vec<_> = (0..LISTENERS).map(|_| feed.subscribe().expect("room")).collect();
        assert!(feed.subscribe().is_none());
        all.pop();
        assert!(feed.subscribe().is_some());
        drop(all);
        assert!(feed.is_idle());
    }

    #[test]
    fn the_last_records_are_kept_and_found() {
        let feed = Feed::new(3 * (OVERHEAD + 1));
        let all: Vec<_> = ["a", "b", "c", "d"].map(record).into();
        feed.publish(all.iter().cloned());
        assert_eq!(lines(&feed.recent(10)), ["b", "c", "d"]);
        assert_eq!(lines(&feed.recent(1)), ["d"]);
        let [a, b, ..] = all.as_slice() else { panic!("four records") };
        assert!(feed.find(&wanted(a)).is_none());
        let mut buffer = [0; DecisionId::LEN];
        let short = Wanted::new(b.id.short(&mut buffer)).expect("a short ID");
        assert_eq!(feed.find(&short).map(|found| found.id), Some(b.id));
        let (missed, _subscription) = feed.subscribe_after(Some(&short)).expect("room");
        assert_eq!(missed.as_deref().map(lines), Some(vec!["c", "d"]));
        let (missed, _subscription) = feed.subscribe_after(Some(&wanted(a))).expect("room");
        assert!(missed.is_none(), "it is no longer known what came after");
        let (missed, _subscription) = feed.subscribe_after(None).expect("room");
        assert_eq!(missed.map(|all| all.len()), Some(3));
        feed.publish([record(&"x".repeat(4096))].into_iter());
        assert!(feed.recent(10).is_empty(), "one that is larger than all");
    }
}
