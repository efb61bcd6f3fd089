//! The TCP sockets beside those of the plugin: of the admin API and of metrics. A host that cannot have one of them guards
//! Docker all the same, says so, and tries again.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portcullis_service::socket::BACKLOG;
use portcullis_telemetry::otlp::network_hint;
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::sleep;
use tracing::{error, info};

/// An address that cannot be listened at is tried again after this.
const AGAIN: Duration = Duration::from_secs(5);

/// Which of them, by its table in portcullis.toml.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    Admin,
    Metrics,
}

#[derive(Debug, Error)]
#[error("`{address}`, which `[{}] listen` names, cannot be listened at: {source}{}", service.table(), hint(source))]
pub(crate) struct ListenError {
    service: Service,
    address: SocketAddr,
    source: io::Error,
}

/// What cannot be listened at now, and why. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Unheard(Arc<Mutex<BTreeMap<Service, String>>>);

/// Listens as soon as that is possible.
pub async fn listen(service: Service, address: SocketAddr, unheard: &Unheard) -> TcpListener {
    listen_after(AGAIN, service, address, unheard).await
}

async fn listen_after(pause: Duration, service: Service, address: SocketAddr, unheard: &Unheard) -> TcpListener {
    loop {
        match bind(address) {
            Ok(listener) => {
                if unheard.locked().remove(&service).is_some() {
                    info!(%address, service = service.table(), "it can be listened at now");
                }
                return listener;
            }
            Err(source) => {
                let problem = ListenError { service, address, source }.to_string();
                let before = unheard.locked().insert(service, problem.clone());
                if before.as_ref() != Some(&problem) {
                    error!(problem, "the host decides calls without it, and tries again");
                }
            }
        }
        sleep(pause).await;
    }
}

/// Who cannot be accepted yet waits in the kernel's queue.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // The next host need not wait for the connections of the one before to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn hint(error: &io::Error) -> &'static str {
    let kind = error.kind();
    if kind == ErrorKind::AddrInUse {
        "; choose another port, or stop who has it"
    } else if kind == ErrorKind::AddrNotAvailable {
        "; it is none of this machine's addresses"
    } else if kind == ErrorKind::PermissionDenied {
        "; ports below 1024 need the capability CAP_NET_BIND_SERVICE"
    } else {
        network_hint(error)
    }
}

// === impl Service ===

impl Service {
    /// The table in `portcullis.toml`.
    pub fn table(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Metrics => "metrics",
        }
    }
}

// === impl Unheard ===

impl Unheard {
    /// By the table in portcullis.toml.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        self.locked().iter().map(|(service, problem)| (service.table(), problem.clone())).collect()
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<Service, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use rustix::io::Errno;

    use super::*;

    #[test]
    fn a_unit_without_a_network_is_told_of_by_its_drop_in() {
        let source = io::Error::from_raw_os_error(Errno::AFNOSUPPORT.raw_os_error());
        let address = (Ipv4Addr::LOCALHOST, 9000).into();
        let message = ListenError { service: Service::Metrics, address, source }.to_string();
        assert!(
            message.contains("`[metrics] listen`") && message.contains("portcullis.service.d/network.conf"),
            "{message}"
        );
    }

    #[tokio::test]
    async fn an_address_that_becomes_free_is_listened_at() {
        let other = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = other.local_addr().unwrap();
        let unheard = Unheard::default();
        let freed = async {
            while unheard.problems().is_empty() {
                tokio::task::yield_now().await;
            }
            let problems = unheard.problems();
            assert!(matches!(&problems[..], [("metrics", problem)] if problem.contains("in use")), "{problems:?}");
            drop(other);
        };
        let listening = listen_after(Duration::from_millis(1), Service::Metrics, address, &unheard);
        let (listener, ()) = tokio::join!(listening, freed);
        assert_eq!(listener.local_addr().unwrap(), address);
        assert!(unheard.problems().is_empty());
    }
}
