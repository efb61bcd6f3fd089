//! A file: rotated by size and age, opened anew when it is moved away, and never with half a line in it.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use portcullis_config::FileSettings;
use rustix::fs::OFlags;

use crate::sink::{Batch, Sink, SinkError};

/// Only the host and root may read it.
const MODE: u32 = 0o600;

/// Appends records to a file.
#[derive(Debug)]
pub struct FileSink {
    settings: FileSettings,
    /// None until it could be opened, and after a failure.
    open: Option<Open>,
    buffer: Vec<u8>,
    /// Whether a batch is only written when it is on the disk.
    is_awaited: bool,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Which file this is: another may have its name by now.
    identity: (u64, u64),
    size: u64,
    began: SystemTime,
    /// The last line has no end: whoever wrote it was killed.
    is_torn: bool,
    /// Something was written that may not be on the disk.
    is_unsynced: bool,
}

// === impl FileSink ===

impl FileSink {
    /// `is_awaited` is whether somebody waits until what is written is kept.
    pub fn new(settings: FileSettings, is_awaited: bool) -> Self {
        Self { settings, open: None, buffer: Vec::new(), is_awaited }
    }

    /// Appends what is in the buffer: all of it or nothing.
    fn append(&mut self) -> io::Result<()> {
        if !self.open.as_ref().is_some_and(|open| open.is_still(&self.settings.path)) {
            self.reopen();
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => Open::at(&self.settings)?,
        };
        if open.is_due(&self.settings, self.buffer.len() as u64) {
            if self.settings.sync {
                open.sync()?;
            }
            rotate(&self.settings)?;
            open = Open::at(&self.settings)?;
        }
        open.append(&self.buffer, self.settings.sync && self.is_awaited)?;
        self.open = Some(open);
        Ok(())
    }
}

impl Sink for FileSink {
    fn name(&self) -> &'static str {
        crate::sink::FILE
    }

    fn open(&mut self) -> Result<(), SinkError> {
        self.open = Some(Open::at(&self.settings).map_err(|error| SinkError::at(&self.settings.path, error))?);
        Ok(())
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        self.buffer.clear();
        self.buffer.extend(batch.missing_line().unwrap_or_default().bytes());
        for entry in batch.entries {
            self.buffer.extend_from_slice(entry.line.as_bytes());
            self.buffer.push(b'\n');
        }
        self.append().map_err(|error| SinkError::at(&self.settings.path, error))
    }

    fn sync(&mut self) -> Result<(), SinkError> {
        match &mut self.open {
            Some(open) if self.settings.sync => open.sync().map_err(|error| SinkError::at(&self.settings.path, error)),
            Some(_) | None => Ok(()),
        }
    }

    fn reopen(&mut self) {
        // Whoever moved it away may copy it next; what cannot be brought to the disk any more is in the kernel.
        let _ = self.sync();
        self.open = None;
    }
}

// === impl Open ===

impl Open {
    fn at(settings: &FileSettings) -> io::Result<Self> {
        let path = &settings.path;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        // A pipe without a reader must not hold up the log.
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
        let mut options = OpenOptions::new();
        options.append(true).read(true).mode(MODE).custom_flags(flags.cast_signed());
        let (mut file, is_new) = match options.clone().create_new(true).open(path) {
            Ok(file) => (file, true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (options.create(true).open(path)?, false),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a file"));
        }
        if is_new && settings.sync {
            sync_folder(path)?;
        }
        let size = metadata.len();
        let is_torn = size > 0 && last_byte(&mut file)? != b'\n';
        Ok(Self { identity: identity(&metadata), size, began: began(&metadata), is_torn, file, is_unsynced: false })
    }

    /// Whether the path still leads to this file, which may have grown or been cut meanwhile.
    fn is_still(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|metadata| identity(&metadata) == self.identity && metadata.len() == self.size)
    }

    fn is_due(&self, settings: &FileSettings, more: u64) -> bool {
        let is_old = |most| self.began.elapsed().is_ok_and(|age| age >= most);
        self.size > 0 && (self.size + more > settings.max_size || settings.max_age.is_some_and(is_old))
    }

    /// Appends whole lines. What could be written of them before a failure is taken back: half a record would be in the
    /// log, or a whole one of a call that is denied because of it.
    fn append(&mut self, lines: &[u8], sync: bool) -> io::Result<()> {
        let mut write = || {
            if self.is_torn {
                self.file.write_all(b"\n")?;
            }
            self.file.write_all(lines)?;
            if sync { self.file.sync_data() } else { Ok(()) }
        };
        let written = write();
        self.is_unsynced = !sync;
        if let Err(error) = written {
            // Where not even this can be done, what follows begins on a line of its own.
            let _ = self.file.set_len(self.size);
            return Err(error);
        }
        self.size += lines.len() as u64 + u64::from(self.is_torn);
        self.is_torn = false;
        Ok(())
    }

    /// Brings what was written to the disk.
    fn sync(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_unsynced) { self.file.sync_data() } else { Ok(()) }
    }
}

/// `PATH` becomes `PATH.1`, and each of those before one more. Wherever this ends, no record is lost but those of the
/// oldest file.
fn rotate(settings: &FileSettings) -> io::Result<()> {
    let path = |number: u32| {
        let mut name = settings.path.clone().into_os_string();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    for number in (1..settings.files).rev() {
        match fs::rename(path(number), path(number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    if settings.files == 0 {
        fs::remove_file(&settings.path)?;
    } else {
        fs::rename(&settings.path, path(1))?;
    }
    if settings.sync { sync_folder(&settings.path) } else { Ok(()) }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// When a file came into being, or was last written where that is not known.
fn began(metadata: &Metadata) -> SystemTime {
    metadata.created().or_else(|_| metadata.modified()).unwrap_or_else(|_| SystemTime::now())
}

fn last_byte(file: &mut File) -> io::Result<u8> {
    let mut byte = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut byte)?;
    Ok(u8::from_le_bytes(byte))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn sink(folder: &Path, change: impl FnOnce(&mut FileSettings)) -> FileSink {
        let path = folder.join("logs").join("decisions.log");
        let mut settings = FileSettings { path, max_size: 100, max_age: None, files: 2, sync: true };
        change(&mut settings);
        FileSink::new(settings, true)
    }

    fn put(sink: &mut FileSink, line: &str) -> io::Result<()> {
        sink.buffer.clear();
        sink.buffer.extend_from_slice(line.as_bytes());
        sink.append()
    }

    fn read(folder: &Path, name: &str) -> Option<String> {
        fs::read_to_string(folder.join("logs").join(name)).ok()
    }

    #[test]
    fn it_is_rotated_by_size_and_so_many_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut sink = sink(folder.path(), |_| {});
        for number in 0..7 {
            put(&mut sink, &format!("{number}{}\n", "x".repeat(40))).expect("written");
        }
        let first = |name| read(folder.path(), name).and_then(|text| text.chars().next());
        assert_eq!(
            ["decisions.log", "decisions.log.1", "decisions.log.2", "decisions.log.3"].map(first),
            [Some('6'), Some('4'), Some('2'), None]
        );
        let mode = fs::metadata(&sink.settings.path).expect("there").mode();
        assert_eq!(mode & 0o777, MODE);
        // What is larger than all is still written.
        put(&mut sink, &format!("{}\n", "y".repeat(300))).expect("written");
        assert_eq!(read(folder.path(), "decisions.log").map(|text| text.len()), Some(301));
    }

    #[test]
    fn it_is_rotated_by_age_and_none_may_be_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut sink = sink(folder.path(), |settings| {
            settings.max_age = Some(Duration::ZERO);
            settings.files = 0;
        });
        for line in ["a\n", "b\n", "c\n"] {
            put(&mut sink, line).expect("written");
            assert_eq!(read(folder.path(), "decisions.log").as_deref(), Some(line));
        }
        assert_eq!(read(folder.path(), "decisions.log.1"), None);
    }

    #[test]
    fn a_file_that_is_moved_removed_or_cut_is_opened_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut sink = sink(folder.path(), |_| {});
        let path = sink.settings.path.clone();
        put(&mut sink, "a\n").expect("written");
        fs::rename(&path, path.with_file_name("moved")).expect("moved");
        put(&mut sink, "b\n").expect("written");
        assert_eq!(read(folder.path(), "moved").as_deref(), Some("a\n"));
        fs::remove_file(&path).expect("removed");
        put(&mut sink, "c\n").expect("written");
        assert_eq!(read(folder.path(), "decisions.log").as_deref(), Some("c\n"));
        File::create(&path).expect("cut");
        put(&mut sink, "d\n").expect("written");
        assert_eq!(read(folder.path(), "decisions.log").as_deref(), Some("d\n"));
        fs::remove_dir_all(folder.path().join("logs")).expect("removed");
        put(&mut sink, "e\n").expect("written");
        assert_eq!(read(folder.path(), "decisions.log").as_deref(), Some("e\n"));
    }

    #[test]
    fn what_nobody_waits_for_is_brought_to_the_disk_later_but_before_it_is_moved_away() {
        let is_unsynced = |sink: &FileSink| sink.open.as_ref().is_some_and(|open| open.is_unsynced);
        let folder = tempfile::tempdir().expect("a folder");
        let mut awaited = sink(folder.path(), |_| {});
        put(&mut awaited, "a\n").expect("written");
        assert!(!is_unsynced(&awaited));
        let mut sink = FileSink::new(awaited.settings, false);
        put(&mut sink, "b\n").expect("written");
        assert!(is_unsynced(&sink));
        sink.sync().expect("synced");
        assert!(!is_unsynced(&sink));
        let never = FileSettings { sync: false, ..sink.settings.clone() };
        let mut never = FileSink::new(never, true);
        put(&mut never, "c\n").expect("written");
        never.sync().expect("nothing is done");
        assert!(is_unsynced(&never));
    }

    #[test]
    fn half_a_line_stays_on_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut sink = sink(folder.path(), |_| {});
        put(&mut sink, "a\n{\"half").expect("written");
        let mut after_a_crash = FileSink::new(sink.settings.clone(), true);
        put(&mut after_a_crash, "b\n").expect("written");
        put(&mut after_a_crash, "c\n").expect("written");
        assert_eq!(read(folder.path(), "decisions.log").as_deref(), Some("a\n{\"half\nb\nc\n"));
    }

    #[test]
    fn what_is_no_file_is_not_written_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut to_pipe = sink(folder.path(), |_| {});
        fs::create_dir(folder.path().join("logs")).expect("a folder");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &to_pipe.settings.path,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .expect("a pipe");
        assert!(put(&mut to_pipe, "a\n").is_err());
        let mut to_folder = sink(folder.path(), |settings| settings.path = folder.path().join("logs"));
        assert!(put(&mut to_folder, "a\n").is_err());
    }
}
