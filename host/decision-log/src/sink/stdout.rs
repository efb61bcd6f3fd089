//! For whoever reads stdout, such as a container's runtime.

use portcullis_telemetry::log_sink::LogSink;

use crate::sink::{Batch, Sink, SinkError};

/// Writes records, one a line, and nothing else. Whether anybody reads is not known here: what waits for it too long is
/// dropped and counted by the [`LogSink`].
#[derive(Debug)]
pub struct Stdout(pub(crate) LogSink);

impl Sink for Stdout {
    fn name(&self) -> &'static str {
        "stdout"
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        let mut out = batch.missing_line().unwrap_or_default();
        for entry in batch.entries {
            out.extend([&*entry.line, "\n"]);
        }
        self.0.write(out.into_bytes());
        Ok(())
    }
}
