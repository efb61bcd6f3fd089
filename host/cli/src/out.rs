//! What a command prints: results on stdout, all else on stderr. Callers, policies and files wrote part of it, so what a
//! terminal would obey is escaped. A reader that has gone (`| head -1`) ends the output and not the command, whose exit
//! code stays what it would have been.

use std::fmt::{Arguments, Display};
use std::future::pending;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::OnceLock;

use portcullis_model::printable::{escape_json, escape_lines};
use serde::Serialize;
use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;

use crate::exit::Exit;

/// Why stdout cannot be written any more.
static CLOSED: OnceLock<io::Error> = OnceLock::new();

/// Prints a line on stdout.
macro_rules! say {
    () => {
        $crate::out::line(format_args!(""))
    };
    ($($text:tt)*) => {
        $crate::out::line(format_args!($($text)*))
    };
}

/// Prints a line on stderr.
macro_rules! note {
    ($($text:tt)*) => {
        $crate::out::line_on_stderr(format_args!($($text)*))
    };
}

pub(crate) use {note, say};

/// Says on stderr what went wrong.
pub(crate) fn fail(exit: Exit, what: impl Display) -> Exit {
    note!("portcullis: {what}");
    exit
}

pub(crate) fn line(text: Arguments<'_>) {
    bytes(escape_lines(&format!("{text}\n")).as_bytes());
}

/// What a command was asked for, for programs.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<(), Exit> {
    let json = serde_json::to_string_pretty(value).map_err(|error| fail(Exit::Failed, error))?;
    json_text(&json);
    Ok(())
}

/// JSON as it was written elsewhere, without its line end.
pub(crate) fn json_text(json: &str) {
    bytes(format!("{}\n", escape_json(json)).as_bytes());
}

/// Something that is no text.
pub(crate) fn bytes(bytes: &[u8]) {
    if !is_closed() {
        let mut out = io::stdout().lock();
        keep(out.write_all(bytes).and_then(|()| out.flush()));
    }
}

/// Text with styles, which only a terminal gets. What is not our own text must be escaped by now.
pub(crate) fn styled(print: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
    if !is_closed() {
        keep(print(&mut anstream::stdout().lock()));
    }
}

/// Whether somebody sits before it.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether nothing more can be printed.
pub(crate) fn is_closed() -> bool {
    CLOSED.get().is_some()
}

/// Ready when the reader of a pipe has gone, which a command that waits for more would not notice. Never, where that cannot be
/// told, as of a file.
pub(crate) async fn closed() {
    let own = io::stdout().as_fd().try_clone_to_owned();
    // Nothing is written by it, so it may block as it did.
    let Ok(out) = own.and_then(Sender::from_owned_fd_unchecked) else { return pending().await };
    match out.ready(Interest::ERROR).await {
        Ok(_) => keep(Err(ErrorKind::BrokenPipe.into())),
        Err(_) => pending().await,
    }
}

fn keep(written: io::Result<()>) {
    if let Err(error) = written {
        // The first one says why.
        let _ = CLOSED.set(error);
    }
}

/// Nobody is left to be told that stderr cannot be written.
pub(crate) fn line_on_stderr(text: Arguments<'_>) {
    let _ = io::stderr().lock().write_all(escape_lines(&format!("{text}\n")).as_bytes());
}

/// The exit code: a result that a full disk did not take was not given.
pub(crate) fn finish(exit: Exit) -> Exit {
    match CLOSED.get() {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => fail(Exit::Failed, Unprinted(error)),
        Some(_) | None => exit,
    }
}

struct Unprinted<'e>(&'e io::Error);

impl Display for Unprinted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "stdout cannot be written: {}", self.0)
    }
}
