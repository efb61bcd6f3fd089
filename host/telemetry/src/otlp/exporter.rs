//! Gathers what is to be sent, sends it in batches, and tries again for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::otlp::client::{self, SendError};
use crate::otlp::endpoint::Endpoint;

/// Items that may wait, and their bytes.
const QUEUE: usize = 4096;
const QUEUE_BYTES: usize = 32 << 20;
/// Items of one call, and how long the first of them waits for others.
const BATCH: usize = 512;
const GATHER: Duration = Duration::from_secs(1);
/// A batch is tried for this long, with pauses that double from `PAUSE` up to `LONGEST`; what waits behind it meanwhile is
/// bounded by the queue.
const RETRY_TIMEOUT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
/// What is left when the host stops is sent within this time, or lost.
const LAST: Duration = Duration::from_secs(2);

/// Something that is to be sent.
pub trait Item: Send + 'static {
    /// That it holds while it waits, roughly.
    fn bytes(&self) -> usize;
}

/// Takes what is to be sent. Never waits.
#[derive(Debug)]
pub struct Exporter<T> {
    queue: mpsc::Sender<T>,
    waiting: Arc<AtomicUsize>,
    exported: Arc<Exported>,
}

/// What became of what was to be sent.
#[derive(Debug, Default)]
pub struct Exported {
    sent: AtomicU64,
    lost: AtomicU64,
}

/// All tasks that send.
#[derive(Debug)]
pub struct Exports {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
    figures: Vec<(&'static str, Arc<Exported>)>,
}

/// The task of one signal.
struct Task<T> {
    /// `traces` or `logs`.
    signal: &'static str,
    endpoint: Endpoint,
    encode: fn(&[T]) -> Vec<u8>,
    queue: mpsc::Receiver<T>,
    stop: watch::Receiver<bool>,
    /// Bytes in the queue.
    waiting: Arc<AtomicUsize>,
    exported: Arc<Exported>,
    /// Whether something is being lost, which is said once.
    is_losing: bool,
}

// === impl Exporter ===

impl<T: Item> Exporter<T> {
    /// Takes an item; if the queue is full, it is lost and counted.
    pub fn offer(&self, item: T) {
        let bytes = item.bytes();
        // A moment's excess does no harm, and so one step must do.
        let has_room = self.waiting.fetch_add(bytes, Ordering::Relaxed) < QUEUE_BYTES;
        if !has_room || self.queue.try_send(item).is_err() {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.exported.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

// === impl Exported ===

impl Exported {
    /// What arrived, and what did not.
    pub fn read(&self) -> [(&'static str, u64); 2] {
        [("sent", self.sent.load(Ordering::Relaxed)), ("lost", self.lost.load(Ordering::Relaxed))]
    }
}

// === impl Exports ===

impl Default for Exports {
    fn default() -> Self {
        Self { tasks: JoinSet::new(), stop: watch::channel(false).0, figures: Vec::new() }
    }
}

impl Exports {
    /// Starts sending one signal. `encode` makes a call's body of a batch.
    pub fn start<T: Item>(
        &mut self,
        signal: &'static str,
        endpoint: Endpoint,
        encode: fn(&[T]) -> Vec<u8>,
    ) -> Exporter<T> {
        let (sender, queue) = mpsc::channel(QUEUE);
        let exported = Arc::new(Exported::default());
        info!(signal, %endpoint, "sending to a collector");
        let waiting = Arc::new(AtomicUsize::new(0));
        let task = Task {
            signal,
            endpoint,
            encode,
            queue,
            stop: self.stop.subscribe(),
            waiting: Arc::clone(&waiting),
            exported: Arc::clone(&exported),
            is_losing: false,
        };
        self.tasks.spawn(task.run());
        self.figures.push((signal, Arc::clone(&exported)));
        Exporter { queue: sender, waiting, exported }
    }

    /// By signal.
    pub fn statistics(&self) -> Vec<(&'static str, Arc<Exported>)> {
        self.figures.clone()
    }

    /// Sends what is left.
    pub async fn finish(mut self) {
        // Without receivers, nothing was started.
        let _ = self.stop.send(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

// === impl Task ===

impl<T: Item> Task<T> {
    async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let stopping = self.gather(&mut batch).await;
            if stopping {
                // With time for all of it together.
                let left = timeout(LAST, self.send_rest(&mut batch)).await;
                if left.is_err() {
                    self.lose(batch.len() + self.queue.len(), "the host stops");
                }
                return;
            }
            if !batch.is_empty() {
                let (body, count) = (self.body(&batch), batch.len());
                batch.clear();
                self.send(body, count).await;
            }
        }
    }

    /// Fills a batch. Says whether it is the time to stop.
    async fn gather(&mut self, batch: &mut Vec<T>) -> bool {
        let stop = &mut self.stop;
        let queue = &mut self.queue;
        let gather = async {
            if queue.recv_many(batch, BATCH).await == 0 {
                return true;
            }
            let until = Instant::now() + GATHER;
            while batch.len() < BATCH {
                let left = until.saturating_duration_since(Instant::now());
                let room = BATCH - batch.len();
                match timeout(left, queue.recv_many(batch, room)).await {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
            }
            false
        };
        tokio::select! {
            is_over = gather => is_over,
            _ = stop.wait_for(|stop| *stop) => true,
        }
    }

    /// Nobody is left who would add to it.
    async fn send_rest(&mut self, batch: &mut Vec<T>) {
        loop {
            while batch.len() < BATCH
                && let Ok(item) = self.queue.try_recv()
            {
                batch.push(item);
            }
            if batch.is_empty() {
                return;
            }
            let body = self.body(batch);
            match client::send(&self.endpoint, body).await {
                Ok(rejected) => self.arrived(batch.len(), rejected),
                Err(error) => self.lose(batch.len(), &error.to_string()),
            }
            batch.clear();
        }
    }

    /// Sends a batch, again and again while that may help.
    async fn send(&mut self, body: Bytes, count: usize) {
        let (start, mut pause) = (Instant::now(), PAUSE);
        loop {
            let sent = tokio::select! {
                sent = client::send(&self.endpoint, body.clone()) => sent,
                () = over(&mut self.stop) => Err(SendError::TimedOut),
            };
            let error = match sent {
                Ok(rejected) => return self.arrived(count, rejected),
                Err(error) => error,
            };
            let is_over = !error.may_pass() || start.elapsed() + pause > RETRY_TIMEOUT;
            // Being told to stop ends the pause, and there is no other try.
            if is_over || timeout(pause, self.stop.wait_for(|stop| *stop)).await.is_ok() {
                return self.lose(count, &error.to_string());
            }
            pause = (pause * 2).min(LONGEST);
        }
    }

    /// Makes the body of a call. The items no longer wait.
    fn body(&self, batch: &[T]) -> Bytes {
        self.waiting.fetch_sub(batch.iter().map(Item::bytes).sum(), Ordering::Relaxed);
        (self.encode)(batch).into()
    }

    fn arrived(&mut self, count: usize, rejected: u64) {
        let signal = self.signal;
        let count = count as u64;
        self.exported.sent.fetch_add(count.saturating_sub(rejected), Ordering::Relaxed);
        if rejected > 0 {
            self.lose(usize::try_from(rejected).unwrap_or(usize::MAX), "the collector did not take them");
        } else if std::mem::take(&mut self.is_losing) {
            info!(signal, "the collector takes what is sent again");
        }
    }

    fn lose(&mut self, count: usize, problem: &str) {
        let signal = self.signal;
        self.exported.lost.fetch_add(count as u64, Ordering::Relaxed);
        if count > 0 && !std::mem::replace(&mut self.is_losing, true) {
            warn!(signal, endpoint = %self.endpoint, lost = count, problem, "not sent; more may be lost until this is mended");
        }
    }
}

/// Ready when the host has been stopping for as long as a collector may hold that up.
async fn over(stop: &mut watch::Receiver<bool>) {
    // The guard that this gives must not live across an await.
    drop(stop.wait_for(|stop| *stop).await);
    sleep(LAST).await;
}
