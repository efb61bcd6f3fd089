//! Log lines go to stderr through the same queue as decisions, so that they never cut into each other.

use std::io::{self, IsTerminal, Write};

use portcullis_daemon::log_sink::{Flush, Format, LogSink};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::args::LogFormat;

/// What is logged unless `PORTCULLIS_LOG` says otherwise. notify tells as a problem that a folder which was removed is watched no more.
const FILTER: &str = "info,notify=error";

/// Sets logging up. What is left is written when the second value is dropped.
pub(crate) fn start(format: Option<LogFormat>) -> io::Result<(LogSink, Flush)> {
    let on_terminal = io::stderr().is_terminal();
    let format = match format {
        Some(LogFormat::Text) => Format::Text,
        Some(LogFormat::Json) => Format::Json,
        None if on_terminal => Format::Text,
        None => Format::Json,
    };
    let (sink, flush) = LogSink::start(format, io::stderr())?;
    let filter = EnvFilter::try_from_env("PORTCULLIS_LOG").unwrap_or_else(|_| EnvFilter::new(FILTER));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_target(false).with_writer(Lines(sink.clone()));
    match format {
        Format::Text => builder.with_ansi(on_terminal).init(),
        Format::Json => builder.json().flatten_event(true).init(),
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(panic = panic.payload_as_str(), place, "the host panicked");
    }));
    Ok((sink, flush))
}

struct Lines(LogSink);

/// Collects one event, and hands it over whole.
struct Line<'a>(&'a LogSink, Vec<u8>);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0, Vec::with_capacity(256))
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.0.write(std::mem::take(&mut self.1));
    }
}
