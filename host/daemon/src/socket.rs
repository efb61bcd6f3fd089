//! A unix socket: made so that only who may connect can, and never taken from a host that is alive.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket, UnixListener, UnixSocket};

/// Callers that the kernel holds while none can be accepted.
const BACKLOG: u32 = 4096;

/// A socket that is listening.
#[derive(Debug)]
pub struct Bound {
    pub(crate) listener: UnixListener,
    file: SocketFile,
}

/// A socket's file, which goes when this goes.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Another host may have replaced it since.
    inode: (u64, u64),
}

#[derive(Debug, Error)]
pub enum BindError {
    #[error("`{}` is in use: somebody answers there; stop it, or choose another path in portcullis.toml", .0.display())]
    Live(PathBuf),
    #[error("`{}` is there and is not a socket; move it away, or choose another path in portcullis.toml", .0.display())]
    NotASocket(PathBuf),
    #[error("the folder `{}` cannot be made: {source}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("`{address}`, which `[admin] listen` names, cannot be listened at: {source}{}", tcp_hint(source))]
    Tcp { address: SocketAddr, source: io::Error },
    #[error("`{}` cannot be made: {source}{}", path.display(), hint(source))]
    Socket { path: PathBuf, source: io::Error },
}

/// Listens at an address; who cannot be accepted yet waits in the kernel's queue.
pub(crate) fn listen(address: SocketAddr) -> Result<TcpListener, BindError> {
    let listening = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // The next host need not wait for the connections of the one before to be forgotten.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listening().map_err(|source| BindError::Tcp { address, source })
}

fn tcp_hint(error: &io::Error) -> &'static str {
    let kind = error.kind();
    if kind == ErrorKind::AddrInUse {
        "; choose another port, or stop who has it"
    } else if kind == ErrorKind::AddrNotAvailable {
        "; it is none of this machine's addresses"
    } else if kind == ErrorKind::PermissionDenied {
        "; ports below 1024 need the capability CAP_NET_BIND_SERVICE"
    } else if error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error()) {
        "; under systemd, the unit has to be given a network: its README says how"
    } else {
        ""
    }
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
        let failed = |source| BindError::Socket { path: path.to_owned(), source };
        make_folder(path)?;
        check_free(path)?;
        let temporary = path.with_extension("new");
        remove(&temporary).map_err(failed)?;
        let socket = UnixSocket::new_stream().map_err(failed)?;
        socket.bind(&temporary).map_err(failed)?;
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let listener = socket.listen(BACKLOG).map_err(failed)?;
        let metadata = fs::symlink_metadata(&temporary).map_err(failed)?;
        fs::rename(&temporary, path).map_err(failed)?;
        let file = SocketFile { path: path.to_owned(), inode: (metadata.dev(), metadata.ino()) };
        Ok(Self { listener, file })
    }

    pub fn path(&self) -> &Path {
        &self.file.path
    }

    pub(crate) fn into_parts(self) -> (UnixListener, SocketFile) {
        (self.listener, self.file)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.inode) {
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
        Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => Err(BindError::Live(path.to_owned())),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
            // A queue that is full: somebody is alive, and busy.
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(BindError::Live(path.to_owned())),
            Err(source) => Err(BindError::Socket { path: path.to_owned(), source }),
        },
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
