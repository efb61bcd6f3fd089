//! One entry as one datagram; one that is larger than a datagram (208 KiB, by the kernel's `wmem_default`) in a sealed
//! memfd, as `sd_journal_send` does: `journal_fd` and `server_process_native_file` in systemd.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;
use socket2::{Domain, MsgHdr, SockAddr, Socket, Type};

/// How long one entry may wait for the journal to take it.
const SEND_TIMEOUT: Duration = Duration::from_millis(100);
/// The journal takes a file only if nobody can change it any more.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::WRITE).union(SealFlags::SEAL);
/// `cmsg(3)`: a length, the level and the type, and then the descriptor, padded to the length's alignment.
const LENGTH: usize = size_of::<usize>();
const HEADER: usize = LENGTH + 2 * size_of::<i32>();
const CONTROL: usize = HEADER + LENGTH;
const SOL_SOCKET: i32 = 1;
const SCM_RIGHTS: i32 = 1;

/// A socket that is connected to the journal.
#[derive(Debug)]
pub(super) struct Sender(Socket);

// === impl Sender ===

impl Sender {
    pub(super) fn connect(path: &Path) -> io::Result<Self> {
        let socket = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
        socket.set_write_timeout(Some(SEND_TIMEOUT))?;
        socket.connect(&SockAddr::unix(path)?)?;
        Ok(Self(socket))
    }

    pub(super) fn send(&self, entry: &[u8]) -> io::Result<()> {
        match self.0.send(entry) {
            Err(error) if is_too_large(&error) => self.send_file(&sealed(entry)?),
            sent => sent.map(drop),
        }
    }

    /// An empty datagram, with the file beside it.
    fn send_file(&self, file: &OwnedFd) -> io::Result<()> {
        self.0.sendmsg(&MsgHdr::new().with_control(&control(file.as_raw_fd())), 0).map(drop)
    }
}

fn is_too_large(error: &io::Error) -> bool {
    [Errno::MSGSIZE, Errno::NOBUFS].map(Errno::raw_os_error).contains(&error.raw_os_error().unwrap_or_default())
}

fn sealed(entry: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create("portcullis-record", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
    file.write_all(entry)?;
    fcntl_add_seals(&file, SEALS)?;
    Ok(file.into())
}

fn control(descriptor: i32) -> [u8; CONTROL] {
    let mut control = [0; CONTROL];
    let length = (HEADER + size_of::<i32>()).to_ne_bytes();
    let parts = [&length[..], &SOL_SOCKET.to_ne_bytes(), &SCM_RIGHTS.to_ne_bytes(), &descriptor.to_ne_bytes()];
    control.iter_mut().zip(parts.concat()).for_each(|(to, from)| *to = from);
    control
}
