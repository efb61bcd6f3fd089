//! Tells a supervisor that asks for it, as systemd does of `Type=notify`, how far the host is: `sd_notify(3)`.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tokio::time::sleep;
use tracing::warn;

/// The variable in which the supervisor says where it listens.
const SOCKET: &str = "NOTIFY_SOCKET";

/// The variable in which it says how often it wants to hear, in microseconds.
const WATCHDOG: &str = "WATCHDOG_USEC";

/// Where the supervisor listens, if one does.
#[derive(Clone, Debug)]
pub(crate) struct Supervisor(Option<OsString>);

// === impl Supervisor ===

impl Supervisor {
    pub(crate) fn of_environment() -> Self {
        Self(std::env::var_os(SOCKET).filter(|socket| !socket.is_empty()))
    }

    /// Every socket listens.
    pub(crate) fn ready(&self) {
        self.tell(b"READY=1");
    }

    pub(crate) fn stopping(&self) {
        self.tell(b"STOPPING=1");
    }

    /// Tells a supervisor that wants to know, again and again, that the host lives: whatever runs this runs the rest.
    pub(crate) async fn live(&self) {
        let Some(every) = watchdog(std::env::var(WATCHDOG).ok().as_deref()) else {
            return std::future::pending().await;
        };
        loop {
            self.tell(b"WATCHDOG=1");
            sleep(every).await;
        }
    }

    /// Another process is the service's main one from now on.
    pub(crate) fn succeeded_by(&self, pid: i32) {
        self.tell(format!("MAINPID={pid}").as_bytes());
    }

    /// What cannot be told stops nothing: the supervisor has its own timeouts.
    fn tell(&self, state: &[u8]) {
        let Some(socket) = &self.0 else { return };
        if let Err(error) = send(socket, state) {
            warn!(%error, socket = %socket.display(), "the supervisor cannot be told how far the host is");
        }
    }
}

/// Half of the time after which the supervisor takes the host for dead (`sd_watchdog_enabled(3)`).
fn watchdog(microseconds: Option<&str>) -> Option<Duration> {
    let limit: u64 = microseconds?.parse().ok()?;
    (limit > 0).then(|| Duration::from_micros(limit / 2))
}

fn send(socket: &OsStr, state: &[u8]) -> io::Result<()> {
    UnixDatagram::unbound()?.send_to_addr(state, &address(socket)?).map(drop)
}

/// A path, or after `@` a name of the abstract namespace.
fn address(socket: &OsStr) -> io::Result<SocketAddr> {
    match socket.as_bytes().split_first() {
        Some((b'@', name)) => SocketAddr::from_abstract_name(name),
        Some((b'/', _)) => SocketAddr::from_pathname(socket),
        Some(_) | None => Err(io::Error::new(io::ErrorKind::InvalidInput, "neither `/PATH` nor `@NAME`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supervisor_is_told_at_a_path_and_at_an_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify").into_os_string();
        let name = OsString::from(format!("@portcullis-{}", std::process::id()));
        for socket in [path, name] {
            let listener = UnixDatagram::bind_addr(&address(&socket).unwrap()).unwrap();
            let supervisor = Supervisor(Some(socket.clone()));
            supervisor.ready();
            supervisor.stopping();
            supervisor.succeeded_by(42);
            let mut told = [0; 32];
            for expected in [&b"READY=1"[..], b"STOPPING=1", b"MAINPID=42"] {
                let length = listener.recv(&mut told).unwrap();
                assert_eq!(&told[..length], expected, "{socket:?}");
            }
        }
    }

    #[test]
    fn a_supervisor_hears_twice_as_often_as_it_wants_to() {
        for (microseconds, expected) in
            [(Some("30000000"), Some(15)), (Some("0"), None), (Some(""), None), (Some("soon"), None), (None, None)]
        {
            assert_eq!(watchdog(microseconds), expected.map(Duration::from_secs), "{microseconds:?}");
        }
    }

    #[test]
    fn nobody_is_told_where_nobody_asks_or_nobody_listens() {
        Supervisor(None).ready();
        Supervisor(Some("/nowhere/notify".into())).ready();
        for bad in ["notify", "", "vsock:2:1234"] {
            assert!(address(OsStr::new(bad)).is_err(), "{bad}");
        }
    }
}
