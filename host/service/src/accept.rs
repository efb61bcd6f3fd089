//! The accept loop of every socket: of the plugin, of the admin API and of metrics.
//!
//! A listener says how it accepts ([`Listen`]), and its owner how a connection is served, for how long, and what becomes of
//! connections when the host stops. Who finds no permit waits in the kernel's queue, and is not turned away.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::warn;

use crate::socket::Shut;

/// Accepting can fail for want of file descriptors; it is tried again after this.
const AGAIN: Duration = Duration::from_millis(50);

/// Where connections come in.
pub trait Listen: Sync {
    type Stream: Send;

    /// The next connection; none where no more can come.
    fn accept(&self) -> impl Future<Output = io::Result<Option<Self::Stream>>> + Send;
}

/// Accepts connections, so many at once.
#[derive(Debug)]
pub struct Acceptor {
    /// For the operator.
    socket: &'static str,
    permits: Arc<Semaphore>,
}

// === impl Acceptor ===

impl Acceptor {
    pub fn new(socket: &'static str, connections: usize) -> Self {
        Self { socket, permits: Arc::new(Semaphore::new(connections)) }
    }

    /// Accepts one connection after the other until no more can come, and serves each beside those that are there.
    pub async fn accept<L, C>(&self, listener: &L, serve: impl Fn(L::Stream) -> C, connections: &mut JoinSet<()>)
    where
        L: Listen,
        C: Future<Output = ()> + Send + 'static,
    {
        while let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await {
            match listener.accept().await {
                Ok(Some(stream)) => spawn(Some(permit), serve(stream), connections),
                Ok(None) => return,
                Err(error) => {
                    warn!(%error, socket = self.socket, "a connection could not be accepted");
                    sleep(AGAIN).await;
                }
            }
            while connections.try_join_next().is_some() {}
        }
    }

    /// Serves a connection that another host accepted, where it had a permit.
    pub fn adopt(&self, connection: impl Future<Output = ()> + Send + 'static, connections: &mut JoinSet<()>) {
        spawn(Arc::clone(&self.permits).try_acquire_owned().ok(), connection, connections);
    }
}

fn spawn(
    permit: Option<OwnedSemaphorePermit>,
    connection: impl Future<Output = ()> + Send + 'static,
    connections: &mut JoinSet<()>,
) {
    connections.spawn(async move {
        let _permit = permit;
        connection.await;
    });
}

/// Ready when all connections have ended.
pub async fn ended(connections: &mut JoinSet<()>) {
    while connections.join_next().await.is_some() {}
}

/// Ready when the host is told to stop, or is gone.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    // The guard that this gives must not live across an await.
    drop(stop.wait_for(|stop| *stop).await);
}

// === impl Listen ===

impl Listen for UnixListener {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<Option<UnixStream>> {
        let (stream, _) = Self::accept(self).await?;
        Ok(Some(stream))
    }
}

impl Listen for TcpListener {
    type Stream = (TcpStream, SocketAddr);

    async fn accept(&self) -> io::Result<Option<Self::Stream>> {
        Self::accept(self).await.map(Some)
    }
}

/// Those who wait at a socket that is shut.
impl Listen for Shut {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<Option<UnixStream>> {
        Self::accept(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Gives what it holds, the last first, and then none.
    struct Script(Mutex<Vec<io::Result<u32>>>);

    impl Listen for Script {
        type Stream = u32;

        async fn accept(&self) -> io::Result<Option<u32>> {
            self.0.lock().expect("no panic").pop().transpose()
        }
    }

    #[tokio::test]
    async fn so_many_are_served_at_once_and_a_failure_ends_nothing() {
        let listener = Script(Mutex::new(vec![Ok(3), Err(io::ErrorKind::Other.into()), Ok(2), Ok(1), Ok(0)]));
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let serve = |_| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                sleep(Duration::from_millis(5)).await;
                now.fetch_sub(1, Ordering::SeqCst);
            }
        };
        let (acceptor, mut connections) = (Acceptor::new("test", 2), JoinSet::new());
        acceptor.accept(&listener, serve, &mut connections).await;
        ended(&mut connections).await;
        assert_eq!((now.load(Ordering::SeqCst), most.load(Ordering::SeqCst)), (0, 2));
        assert!(listener.0.lock().expect("no panic").is_empty());
    }
}
