//! A TCP port of this machine's own that leads to a unix socket: for programs that speak HTTP over TCP only.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::error::{Doing, Result};

/// It takes no more connections when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

// === impl Proxy ===

impl Proxy {
    pub fn to(socket: &Path) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).doing("listening on a port")?;
        let address = listener.local_addr().doing("asking for the port")?;
        let (stopped, socket) = (Arc::new(AtomicBool::new(false)), socket.to_owned());
        let stop = Arc::clone(&stopped);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let socket = socket.clone();
                // A connection that breaks is for the client to tell.
                thread::spawn(move || drop(join(client, socket)));
            }
        });
        Ok(Self { address, stopped })
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // So that it looks.
        let _ = TcpStream::connect(self.address);
    }
}

fn join(client: TcpStream, socket: PathBuf) -> io::Result<()> {
    let host = UnixStream::connect(socket)?;
    let (mut from_client, mut to_host) = (client.try_clone()?, host.try_clone()?);
    let upwards = thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_host);
        let _ = to_host.shutdown(Shutdown::Write);
    });
    let (mut from_host, mut to_client) = (host, client);
    let _ = io::copy(&mut from_host, &mut to_client);
    let _ = to_client.shutdown(Shutdown::Both);
    let _ = upwards.join();
    Ok(())
}
