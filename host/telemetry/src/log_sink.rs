//! Where log lines go: a bounded queue, and one thread that writes them. A reader that stands still loses lines, which
//! are counted; it never holds up a decision.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// So many times may something wait that was written.
const QUEUE: usize = 16_384;
/// Bytes that may wait.
const QUEUE_BYTES: usize = 32 << 20;
/// How long lines are gathered: who writes one while this thread sleeps need not wake it, which costs a decision more
/// than all the rest of its line.
const GATHER: Duration = Duration::from_millis(2);
/// What is left when the host ends is written within this time, or lost.
const LAST: Duration = Duration::from_secs(1);
/// Bytes that are written at once.
const BATCH: usize = 64 << 10;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a person.
    Text,
    /// One JSON object a line.
    Json,
}

/// Takes lines. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LogSink {
    lines: SyncSender<Message>,
    waiting: Arc<Waiting>,
    format: Format,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: AtomicUsize,
    /// Lines that found no room, and of which nothing was said yet.
    dropped: AtomicU64,
    /// The same, since the start.
    lost: AtomicU64,
}

#[derive(Debug)]
enum Message {
    /// One line or more, each with its end.
    Line(Vec<u8>),
    Stop,
}

/// Writes what is left when it is dropped, as far as somebody reads it.
#[derive(Debug)]
pub struct Flush {
    lines: SyncSender<Message>,
    thread: Option<JoinHandle<()>>,
}

impl LogSink {
    /// Starts the thread that writes to `out`.
    pub fn start(format: Format, out: impl Write + Send + 'static) -> std::io::Result<(Self, Flush)> {
        let (lines, messages) = sync_channel(QUEUE);
        let waiting = Arc::new(Waiting::default());
        let counted = Arc::clone(&waiting);
        let write = move || write_all(out, &messages, &counted, format);
        let thread = std::thread::Builder::new().name("log".into()).spawn(write)?;
        Ok((Self { lines: lines.clone(), waiting, format }, Flush { lines, thread: Some(thread) }))
    }

    pub fn format(&self) -> Format {
        self.format
    }

    /// Takes whole lines, each with its end.
    pub fn write(&self, lines: Vec<u8>) {
        let bytes = lines.len();
        // A moment's excess does no harm, and so one step must do.
        let refused = if self.waiting.bytes.fetch_add(bytes, Ordering::Relaxed) > QUEUE_BYTES {
            Some(lines)
        } else {
            match self.lines.try_send(Message::Line(lines)) {
                Err(TrySendError::Full(Message::Line(lines))) => Some(lines),
                Ok(()) | Err(TrySendError::Full(Message::Stop) | TrySendError::Disconnected(_)) => None,
            }
        };
        if let Some(lines) = refused {
            self.waiting.bytes.fetch_sub(bytes, Ordering::Relaxed);
            let count = lines.iter().filter(|byte| **byte == b'\n').count();
            self.waiting.dropped.fetch_add(count as u64, Ordering::Relaxed);
            self.waiting.lost.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    /// Lines that were lost since the start.
    pub fn dropped(&self) -> u64 {
        self.waiting.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        let deadline = Instant::now() + LAST;
        // Both wait for whoever reads, and that must not keep the host from ending.
        while matches!(self.lines.try_send(Message::Stop), Err(TrySendError::Full(_))) && Instant::now() < deadline {
            std::thread::sleep(GATHER);
        }
        while !thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(GATHER);
        }
    }
}

fn write_all(mut out: impl Write, messages: &Receiver<Message>, waiting: &Waiting, format: Format) {
    let mut batch = Vec::with_capacity(BATCH);
    let mut stopping = false;
    while !stopping {
        match messages.recv() {
            Ok(Message::Line(line)) => {
                batch.extend_from_slice(&line);
                std::thread::sleep(GATHER);
            }
            Ok(Message::Stop) | Err(_) => stopping = true,
        }
        while batch.len() < BATCH {
            match messages.try_recv() {
                Ok(Message::Line(line)) => batch.extend_from_slice(&line),
                Ok(Message::Stop) => stopping = true,
                Err(_) => break,
            }
        }
        let taken = batch.len();
        match waiting.dropped.swap(0, Ordering::Relaxed) {
            0 => {}
            lost => batch.extend_from_slice(loss(lost, format).as_bytes()),
        }
        // What is in the batch waits no longer. Lines of a loss were never counted.
        waiting.bytes.fetch_sub(taken, Ordering::Relaxed);
        // Nobody is left to be told that the log cannot be written.
        let _ = out.write_all(&batch).and_then(|()| out.flush());
        batch.clear();
    }
}

fn loss(lost: u64, format: Format) -> String {
    match format {
        Format::Text => format!(" WARN {lost} log lines were lost: whoever reads the log is too slow\n"),
        Format::Json => format!("{{\"level\":\"WARN\",\"message\":\"log lines were lost\",\"lost\":{lost}}}\n"),
    }
}
