//! A unix socket: made so that only who may connect can, and never taken from a host that is alive.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use thiserror::Error;
use tokio::net::{UnixListener, UnixSocket, UnixStream};

/// Callers that the kernel holds while none can be accepted.
pub const BACKLOG: u32 = 4096;

/// A socket that is listening.
#[derive(Debug)]
pub struct Bound {
    pub listener: UnixListener,
    file: SocketFile,
}

/// A socket at which nobody can connect any more (unix_shutdown and unix_stream_connect in the kernel's
/// net/unix/af_unix.c).
#[derive(Debug)]
pub struct Shut {
    listener: std::os::unix::net::UnixListener,
    _file: SocketFile,
}

/// A socket's file, which goes when this goes.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Another host may have replaced it since. None if another host has it now.
    inode: Option<(u64, u64)>,
}

#[derive(Debug, Error)]
pub enum BindError {
    #[error(
        "`{}` is in use: {holder} listens there\n  help: to put this host in the place of a Portcullis that runs, \
         `portcullis serve --take-over`; or stop what runs there, or choose another path in portcullis.toml",
        path.display()
    )]
    Live { path: PathBuf, holder: String },
    #[error("`{}` is there and is not a socket; move it away, or choose another path in portcullis.toml", .0.display())]
    NotASocket(PathBuf),
    #[error("the folder `{}` cannot be made: {source}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("`{}` cannot be made: {source}{}", path.display(), hint(source))]
    Socket { path: PathBuf, source: io::Error },
}

fn hint(error: &io::Error) -> &'static str {
    if error.kind() == ErrorKind::PermissionDenied {
        "; run as root, or choose a path in a folder of your own"
    } else {
        ""
    }
}

impl Bound {
    /// Makes the socket with mode 0600, and its folder where there is none. A stale file, which nobody answers at, is
    /// replaced.
    ///
    /// The socket is made under another name and then renamed, so that it is never there with another mode, and dockerd
    /// never finds one that does not listen yet.
    pub fn new(path: &Path) -> Result<Self, BindError> {
        make_folder(path)?;
        check_free(path)?;
        Self::replace(path)
    }

    /// The same where the host that answers there leaves it.
    pub fn replace(path: &Path) -> Result<Self, BindError> {
        let failed = |source| BindError::Socket { path: path.to_owned(), source };
        let temporary = path.with_extension("new");
        remove(&temporary).map_err(failed)?;
        let socket = UnixSocket::new_stream().map_err(failed)?;
        socket.bind(&temporary).map_err(failed)?;
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let listener = socket.listen(BACKLOG).map_err(failed)?;
        let file = SocketFile::put(&temporary, path).map_err(failed)?;
        Ok(Self { listener, file })
    }

    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// A socket that another host listens at, too. The file stays that host's, until [`Self::own`].
    pub(crate) fn adopt(path: &Path, listener: OwnedFd) -> io::Result<Self> {
        let listener = std::os::unix::net::UnixListener::from(listener);
        listener.set_nonblocking(true)?;
        let file = SocketFile { path: path.to_owned(), inode: None };
        Ok(Self { listener: UnixListener::from_std(listener)?, file })
    }

    /// The other host has left the file to this one.
    pub fn own(&mut self) {
        if let Ok(file) = SocketFile::at(self.path()) {
            std::mem::replace(&mut self.file, file).leave();
        }
    }

    /// Another descriptor of the same socket.
    pub(crate) fn duplicate(&self) -> io::Result<OwnedFd> {
        self.listener.as_fd().try_clone_to_owned()
    }

    /// Has the kernel refuse whoever connects from now on. Who waits already can still be accepted.
    pub fn shut(self) -> io::Result<Shut> {
        SockRef::from(&self.listener).shutdown(Shutdown::Both)?;
        Ok(Shut { listener: self.listener.into_std()?, _file: self.file })
    }

    /// Stops listening, and leaves the file to the next host, which listens there, too.
    pub fn leave(self) {
        self.into_parts().1.leave();
    }

    /// The listener, and the file, which is removed when that is dropped.
    pub fn into_parts(self) -> (UnixListener, SocketFile) {
        (self.listener, self.file)
    }
}

impl Shut {
    /// The next of those who wait; none after the last.
    pub fn accept(&self) -> io::Result<Option<UnixStream>> {
        match self.listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(true)?;
                UnixStream::from_std(stream).map(Some)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl SocketFile {
    /// The file that is there.
    fn at(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self { path: path.to_owned(), inode: Some((metadata.dev(), metadata.ino())) })
    }

    /// Gives a socket its name when it is ready.
    pub fn put(temporary: &Path, path: &Path) -> io::Result<Self> {
        fs::rename(temporary, path)?;
        Self::at(path)
    }

    fn leave(mut self) {
        self.inode = None;
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_own = |metadata: fs::Metadata| Some((metadata.dev(), metadata.ino())) == self.inode;
        if fs::symlink_metadata(&self.path).is_ok_and(is_own) {
            // The next host would replace what stays.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn make_folder(path: &Path) -> Result<(), BindError> {
    match path.parent() {
        Some(folder) => {
            fs::create_dir_all(folder).map_err(|source| BindError::Folder { path: folder.to_owned(), source })
        }
        None => Ok(()),
    }
}

fn check_free(path: &Path) -> Result<(), BindError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(source) => Err(BindError::Socket { path: path.to_owned(), source }),
        Ok(metadata) if !metadata.file_type().is_socket() => Err(BindError::NotASocket(path.to_owned())),
        Ok(_) => match listener(path) {
            Ok(holder) => Err(BindError::Live { path: path.to_owned(), holder }),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
            // A queue that is full: somebody is alive, and does not accept.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let holder = "a process that is stopped, or too busy to accept anybody,".to_owned();
                Err(BindError::Live { path: path.to_owned(), holder })
            }
            Err(source) => Err(BindError::Socket { path: path.to_owned(), source }),
        },
    }
}

/// Who listens at a socket. Where the queue of those who wait is full, this does not wait.
fn listener(path: &Path) -> io::Result<String> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.connect(&SockAddr::unix(path)?)?;
    let peer = UnixStream::from_std(OwnedFd::from(socket).into())?.peer_cred();
    Ok(peer.ok().and_then(|peer| peer.pid()).map_or_else(|| "another process".to_owned(), process))
}

/// A process, as an operator finds it.
pub fn process(pid: i32) -> String {
    match fs::read_to_string(format!("/proc/{pid}/comm")) {
        Ok(name) => format!("process {pid} (`{}`)", name.trim()),
        Err(_) => format!("process {pid}"),
    }
}

/// Removes a file; it is no error if there is none.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
