//! A new host takes the plugin sockets over from one that runs, without a call being lost.
//!
//! ```text
//! new: reads its configuration          old: serves
//!      ── which sockets it wants ──▶
//!      ◀── a descriptor of each ──
//!      loads policies                        serves
//!      ── GO ──▶                             accepts nobody any more: who connects waits in the kernel's queue
//!                                            answers what came before, closes the state and the log
//!      ◀── each connection that is left ──
//!      ◀── STOPPED ──
//!      opens the state and the log
//!      accepts
//!      ── SERVING ──▶                        ends
//! ```
//!
//! The store has one writer, and a decision log one file: that is why the two hosts never decide at the same time. If
//! the new one ends before `GO`, nothing has happened. If either ends after that, calls wait or are denied.
//!
//! They meet at a socket beside the admin socket that only root and the user of the host may use. Each message is one
//! datagram of a `SOCK_SEQPACKET` socket, and descriptors go with it (`SCM_RIGHTS`, unix(7)).

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use portcullis_model::Span;
use rustix::process::geteuid;
use thiserror::Error;
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};
use tokio_seqpacket::ancillary::{AncillaryMessageReader, AncillaryMessageWriter, OwnedAncillaryMessage};
use tokio_seqpacket::{UCred, UnixSeqpacket, UnixSeqpacketListener};
use tracing::warn;

use crate::plugin::Phase;
use crate::socket::{self, Bound, SocketFile};

/// For a message that needs no work on the other side.
const MESSAGE: Duration = Duration::from_secs(5);
/// Accepting can fail for want of file descriptors; it is tried again after this.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);
/// A path of a unix socket has up to 108 bytes.
const LONGEST: usize = 256;
/// Room for the control message with one descriptor.
const CONTROL: usize = 64;
/// More listeners than anybody has.
const MOST_SOCKETS: usize = 1024;

/// What each message begins with. The rest of `WANT`, `SOCKET` and `CONNECTION` is the path of a socket.
mod tag {
    pub(super) const WANT: u8 = b'W';
    pub(super) const SOCKET: u8 = b'S';
    pub(super) const CONNECTION: u8 = b'C';
    pub(super) const END: u8 = b'E';
    pub(super) const GO: u8 = b'G';
    pub(super) const STOPPED: u8 = b'D';
    pub(super) const SERVING: u8 = b'R';
}

/// Why a host could not take the place of another one.
#[derive(Debug, Error)]
pub enum TakeOverError {
    #[error(
        "the host that runs{} does not answer at `{}` within {}: it is stopped or hangs\n  help: let it go on \
         (`kill -CONT`), or end it (`kill -KILL`) and start without `--take-over`; until then, calls wait for it",
        .holder.as_ref().map(|holder| format!(", {holder},")).unwrap_or_default(), path.display(), Span(MESSAGE)
    )]
    Silent { path: PathBuf, holder: Option<String> },
    #[error(
        "the sockets of the host that runs cannot be taken over at `{}`: {source}\n  help: it serves on; run this as \
         the user that runs it or as root, or stop it and start without `--take-over`",
        path.display()
    )]
    Refused { path: PathBuf, source: io::Error },
}

/// Where the next host asks; none if that cannot be had.
#[derive(Debug)]
pub struct Successors(Option<Meeting>);

#[derive(Debug)]
struct Meeting {
    listener: UnixSeqpacketListener,
    _file: SocketFile,
    sockets: HashMap<PathBuf, OwnedFd>,
}

/// A connection without a call under way, and where it was accepted.
#[derive(Debug)]
pub struct Accepted {
    pub socket: PathBuf,
    pub stream: UnixStream,
}

/// The next host, which is ready to serve.
#[derive(Debug)]
pub struct Successor {
    socket: UnixSeqpacket,
    pub sockets: Arc<[PathBuf]>,
    pub pid: Option<u32>,
}

/// The host that runs, as the next one sees it.
#[derive(Debug)]
pub struct Predecessor {
    socket: UnixSeqpacket,
    sockets: HashMap<PathBuf, OwnedFd>,
}

/// Beside the admin socket, so that each host has its own.
fn path_beside(admin_socket: &Path) -> PathBuf {
    let mut name = admin_socket.as_os_str().to_owned();
    name.push(".take-over");
    name.into()
}

// === impl Successors ===

impl Successors {
    /// Listens beside the admin socket; if that cannot be done, no host can take over, and the log says why.
    pub fn bind<'b>(admin_socket: &Path, plugin: impl IntoIterator<Item = &'b Bound>) -> Self {
        let meeting = Meeting::bind(admin_socket, plugin);
        Self(meeting.inspect_err(|error| warn!(%error, "no other host will be able to take over from this one")).ok())
    }

    /// Waits for a host that is ready to take over. One that gives up before that changes nothing.
    pub async fn next(&mut self) -> Successor {
        match &mut self.0 {
            Some(meeting) => meeting.next().await,
            None => std::future::pending().await,
        }
    }
}

// === impl Meeting ===

impl Meeting {
    fn bind<'b>(admin_socket: &Path, plugin: impl IntoIterator<Item = &'b Bound>) -> io::Result<Self> {
        let path = path_beside(admin_socket);
        let duplicate = |bound: &Bound| Ok((bound.path().to_owned(), bound.duplicate()?));
        let sockets = plugin.into_iter().map(duplicate).collect::<io::Result<_>>()?;
        // Whoever has the admin socket has this one. It gets its name when only its user may connect.
        let unfinished = path.with_extension("new");
        socket::remove(&unfinished)?;
        let listener = UnixSeqpacketListener::bind(&unfinished)?;
        fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, _file: SocketFile::put(&unfinished, &path)?, sockets })
    }

    async fn next(&mut self) -> Successor {
        loop {
            let asked = match self.listener.accept().await {
                Ok(socket) => self.answer(socket).await,
                Err(error) => {
                    sleep(ACCEPT_AGAIN).await;
                    Err(error)
                }
            };
            match asked {
                Ok(successor) => return successor,
                Err(error) => warn!(%error, "another host wanted to take over, and did not; this one serves on"),
            }
        }
    }

    async fn answer(&self, socket: UnixSeqpacket) -> io::Result<Successor> {
        let pid = trusted(&socket.peer_cred()?)?.pid().and_then(|pid| u32::try_from(pid).ok());
        let wanted = timeout(MESSAGE, wanted(&socket)).await??;
        for path in &wanted {
            if let Some(descriptor) = self.sockets.get(path) {
                send_descriptor(&socket, tag::SOCKET, path, descriptor.as_fd()).await?;
            }
        }
        send(&socket, tag::END).await?;
        // It loads its policies, for as long as that takes.
        expect(&socket, tag::GO).await?;
        let is_ours = |path: &PathBuf| self.sockets.contains_key(path);
        Ok(Successor { socket, sockets: wanted.into_iter().filter(is_ours).collect(), pid })
    }
}

/// The sockets that a host asks for.
async fn wanted(socket: &UnixSeqpacket) -> io::Result<Vec<PathBuf>> {
    let mut wanted = Vec::new();
    while wanted.len() <= MOST_SOCKETS {
        match receive(socket).await? {
            (tag::WANT, path, _) => wanted.push(path),
            (tag::END, ..) => return Ok(wanted),
            (other, ..) => return Err(unexpected(other)),
        }
    }
    Err(io::Error::other("it asks for too many sockets"))
}

// === impl Successor ===

impl Successor {
    /// What the plugin sockets are told.
    pub fn phase(&self) -> Phase {
        Phase::HandedOver(Arc::clone(&self.sockets))
    }

    /// Gives it the connections that are left, and says that this host decides nothing any more. An error means that it ended.
    pub async fn leave(&self, left: Vec<Accepted>) -> io::Result<()> {
        for Accepted { socket, stream } in left {
            send_descriptor(&self.socket, tag::CONNECTION, &socket, stream.as_fd()).await?;
        }
        send(&self.socket, tag::STOPPED).await
    }

    /// Ready when it serves, which can take as long as it takes to verify a large store; an error means that it ended.
    pub async fn serves(&self) -> io::Result<()> {
        expect(&self.socket, tag::SERVING).await
    }
}

// === impl Predecessor ===

impl Predecessor {
    /// Asks the host that runs for its sockets. None if none runs.
    pub async fn find(admin_socket: &Path, wanted: &[&Path]) -> Result<Option<Self>, TakeOverError> {
        let path = path_beside(admin_socket);
        let socket = match timeout(MESSAGE, UnixSeqpacket::connect(&path)).await {
            Ok(Err(error)) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                return Ok(None);
            }
            Ok(Ok(connected)) => connected,
            Ok(Err(source)) => return Err(TakeOverError::Refused { path, source }),
            Err(_) => return Err(TakeOverError::Silent { path, holder: None }),
        };
        let holder = socket.peer_cred().ok().and_then(|peer| peer.pid()).map(socket::process);
        match timeout(MESSAGE, Self::ask(socket, wanted)).await {
            Ok(asked) => asked.map(Some).map_err(|source| TakeOverError::Refused { path, source }),
            Err(_) => Err(TakeOverError::Silent { path, holder }),
        }
    }

    async fn ask(socket: UnixSeqpacket, wanted: &[&Path]) -> io::Result<Self> {
        trusted(&socket.peer_cred()?)?;
        for path in wanted {
            let message = [&[tag::WANT], path.as_os_str().as_bytes()].concat();
            socket.send(&message).await?;
        }
        send(&socket, tag::END).await?;
        let mut sockets = HashMap::new();
        loop {
            match receive(&socket).await? {
                (tag::SOCKET, path, Some(descriptor)) => drop(sockets.insert(path, descriptor)),
                (tag::END, ..) => return Ok(Self { socket, sockets }),
                (other, ..) => return Err(unexpected(other)),
            }
        }
    }

    /// The socket at this path, if the host that runs listens there.
    pub fn take(&mut self, path: &Path) -> Option<io::Result<Bound>> {
        self.sockets.remove(path).map(|descriptor| Bound::adopt(path, descriptor))
    }

    /// Has the other host stop, and waits until it decides nothing any more. Gives the connections that are left. An
    /// error means that it ended without leaving its sockets, or that it hangs.
    pub async fn stop(&self, patience: Duration) -> io::Result<Vec<Accepted>> {
        let stopped = async {
            send(&self.socket, tag::GO).await?;
            let mut left = Vec::new();
            loop {
                match receive(&self.socket).await? {
                    (tag::CONNECTION, socket, Some(descriptor)) => left.push(Accepted::of(socket, descriptor)?),
                    (tag::STOPPED, ..) => return Ok(left),
                    (other, ..) => return Err(unexpected(other)),
                }
            }
        };
        timeout(patience, stopped).await?
    }

    /// Says that this host serves.
    pub async fn serving(self) {
        // An error means that the other one has ended.
        let _ = send(&self.socket, tag::SERVING).await;
    }
}

// === impl Accepted ===

impl Accepted {
    fn of(socket: PathBuf, descriptor: OwnedFd) -> io::Result<Self> {
        let stream = std::os::unix::net::UnixStream::from(descriptor);
        stream.set_nonblocking(true)?;
        Ok(Self { socket, stream: UnixStream::from_std(stream)? })
    }
}

/// Root, or the user that this host runs as.
fn trusted(peer: &UCred) -> io::Result<&UCred> {
    let (uid, own) = (peer.uid(), geteuid().as_raw());
    if uid == 0 || uid == own {
        return Ok(peer);
    }
    Err(io::Error::new(ErrorKind::PermissionDenied, format!("user {uid} is there, and not root")))
}

async fn send(socket: &UnixSeqpacket, tag: u8) -> io::Result<()> {
    timeout(MESSAGE, socket.send(&[tag])).await?.map(drop)
}

async fn send_descriptor(socket: &UnixSeqpacket, tag: u8, path: &Path, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let mut control = [0; CONTROL];
    let mut ancillary = AncillaryMessageWriter::new(&mut control);
    ancillary.add_fds([descriptor])?;
    let tag = [tag];
    let pieces = [IoSlice::new(&tag), IoSlice::new(path.as_os_str().as_bytes())];
    timeout(MESSAGE, socket.send_vectored_with_ancillary(&pieces, &mut ancillary)).await?.map(drop)
}

async fn expect(socket: &UnixSeqpacket, tag: u8) -> io::Result<()> {
    match receive(socket).await? {
        (received, ..) if received == tag => Ok(()),
        (other, ..) => Err(unexpected(other)),
    }
}

/// A message: its tag, its path, and its descriptor.
async fn receive(socket: &UnixSeqpacket) -> io::Result<(u8, PathBuf, Option<OwnedFd>)> {
    let (mut bytes, mut control) = ([0; LONGEST], [0; CONTROL]);
    let mut pieces = [IoSliceMut::new(&mut bytes)];
    let (info, ancillary) = socket.recv_vectored_with_ancillary(&mut pieces, &mut control).await?;
    let descriptor = descriptor(ancillary);
    let message = bytes.get(..info.bytes_read()).unwrap_or_default();
    let Some((tag, path)) = message.split_first() else { return Err(ErrorKind::UnexpectedEof.into()) };
    Ok((*tag, OsStr::from_bytes(path).into(), descriptor))
}

/// What else was sent is closed.
fn descriptor(ancillary: AncillaryMessageReader<'_>) -> Option<OwnedFd> {
    ancillary.into_messages().find_map(|message| match message {
        OwnedAncillaryMessage::FileDescriptors(mut descriptors) => descriptors.next(),
        OwnedAncillaryMessage::Other(_) => None,
    })
}

fn unexpected(tag: u8) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("an unexpected message (`{}`)", tag.escape_ascii()))
}
