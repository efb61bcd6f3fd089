//! Beside the host's own lines.

use portcullis_telemetry::log_sink::{Format, LogSink};

use crate::sink::{Batch, Sink, SinkError};
use crate::text;

/// Writes decisions, and the lines of policies, for whoever reads stderr. Whether that reads is not known here: what
/// waits for it too long is dropped and counted by the [`LogSink`].
#[derive(Debug)]
pub struct Stderr(pub(crate) LogSink);

impl Sink for Stderr {
    fn name(&self) -> &'static str {
        "stderr"
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        let format = self.0.format();
        let mut out = String::new();
        match (batch.missing_line(), format) {
            (None, _) => {}
            (Some(line), Format::Json) => out.push_str(&line),
            (Some(_), Format::Text) => out.push_str(&format!(" WARN {} decisions are missing\n", batch.missing)),
        }
        for entry in batch.entries {
            if entry.has_lines() {
                text::policy_lines(&entry.record(), format, &mut out);
            }
            match format {
                Format::Text => text::decision(&entry.record(), &mut out),
                Format::Json => out.extend([&*entry.line, "\n"]),
            }
        }
        self.0.write(out.into_bytes());
        Ok(())
    }
}
