//! Log lines go to stderr through the same queue as decisions, so that they never cut into each other.

use std::borrow::Cow;
use std::fmt::{self, Debug};
use std::io::{self, IsTerminal, Write};

use portcullis_model::printable::{escape, escape_json};
use portcullis_telemetry::log_sink::{Flush, Format, LogSink};
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use crate::args::LogFormat;

/// What is logged unless `PORTCULLIS_LOG` says otherwise. notify tells as a problem that a folder which was removed is watched no
/// more. wasmtime's cache says with every file that it cannot be written, and where wasmtime was built; the host says it once.
const FILTER: &str = "info,notify=error,wasmtime_internal_cache=off";

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
        Format::Text => builder.with_ansi(on_terminal).fmt_fields(debug_fn(field).delimited(" ")).init(),
        Format::Json => builder.json().flatten_event(true).init(),
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(panic = panic.payload_as_str(), place, "the host panicked");
    }));
    Ok((sink, flush))
}

/// What stands in a field can be a file's name, or what a caller wrote: it stays on its line, and no terminal obeys it.
fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    let text = format!("{value:?}");
    match field.name() {
        "message" => writer.write_str(&escape(&text)),
        name => write!(writer, "{name}={}", escape(&text)),
    }
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
        let mut line = std::mem::take(&mut self.1);
        if self.0.format() == Format::Json
            && let Ok(Cow::Owned(escaped)) = std::str::from_utf8(&line).map(escape_json)
        {
            line = escaped.into_bytes();
        }
        self.0.write(line);
    }
}
