//! Signals, on a thread of their own: whatever else stands still, SIGTERM ends the host.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use portcullis_telemetry::log_sink::{Format, LogSink};
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::sleep;

/// For the last line of the log to be written.
const LAST_LINE: Duration = Duration::from_millis(100);

/// What the host was told.
#[derive(Debug)]
pub(crate) struct Signals {
    stop: Stop,
    hangups: Hangups,
    ending: Arc<Notify>,
}

/// SIGTERM or SIGINT.
#[derive(Debug)]
pub(crate) struct Stop(watch::Receiver<bool>);

/// SIGHUP, again and again.
#[derive(Debug)]
pub(crate) struct Hangups(mpsc::Receiver<()>);

/// What the thread works with.
struct Watcher {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    stop: watch::Sender<bool>,
    hangups: mpsc::Sender<()>,
    ending: Arc<Notify>,
    /// How long the host may take to end.
    limit: Duration,
    log: LogSink,
}

// === impl Signals ===

impl Signals {
    /// From now on, SIGTERM and SIGINT end the process after `limit`, at the latest.
    pub(crate) fn start(limit: Duration, log: LogSink) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let (sender, hangups) = mpsc::channel(1);
        let ending = Arc::new(Notify::new());
        let (started, start) = sync_channel(1);
        let ended = Arc::clone(&ending);
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            let run = || -> io::Result<_> {
                let runtime = Builder::new_current_thread().enable_all().build()?;
                let watcher = runtime.block_on(async { Watcher::new(stop, sender, ended, limit, log) })?;
                Ok((runtime, watcher))
            };
            match run() {
                Ok((runtime, watcher)) => {
                    let _ = started.send(Ok(()));
                    runtime.block_on(watcher.run());
                }
                Err(error) => drop(started.send(Err(error))),
            }
        })?;
        start.recv().map_err(io::Error::other)??;
        Ok(Self { stop: Stop(stopped), hangups: Hangups(hangups), ending })
    }

    pub(crate) fn split(&mut self) -> (&mut Stop, &mut Hangups) {
        (&mut self.stop, &mut self.hangups)
    }

    /// The host ends without having been told to: the same limit holds.
    pub(crate) fn end(&self) {
        self.ending.notify_one();
    }
}

// === impl Stop, Hangups ===

impl Stop {
    /// Ready when the host is told to end.
    pub(crate) async fn end(&mut self) {
        // The guard that this gives must not live across an await. An error means that the process is ending.
        drop(self.0.wait_for(|stop| *stop).await);
    }
}

impl Hangups {
    pub(crate) async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

// === impl Watcher ===

impl Watcher {
    fn new(
        stop: watch::Sender<bool>,
        hangups: mpsc::Sender<()>,
        ending: Arc<Notify>,
        limit: Duration,
        log: LogSink,
    ) -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            stop,
            hangups,
            ending,
            limit,
            log,
        })
    }

    /// Ends the process, unless that has ended by itself by then.
    async fn run(mut self) {
        loop {
            tokio::select! {
                _ = self.hangup.recv() => {
                    // One that waits already reads everything that there is by then.
                    let _ = self.hangups.try_send(());
                }
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                () = self.ending.notified() => break,
            }
        }
        let _ = self.stop.send(true);
        sleep(self.limit).await;
        self.log.write(late(self.limit, self.log.format()).into_bytes());
        sleep(LAST_LINE).await;
        std::process::exit(1);
    }
}

fn late(limit: Duration, format: Format) -> String {
    let seconds = limit.as_secs_f32();
    let what = "the host was told to end and could not; the process ends now, and records may be missing";
    match format {
        Format::Text => format!("ERROR {what} after={seconds}s\n"),
        Format::Json => format!("{{\"level\":\"ERROR\",\"message\":\"{what}\",\"after_seconds\":{seconds}}}\n"),
    }
}
