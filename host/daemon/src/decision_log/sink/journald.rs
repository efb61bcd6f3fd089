//! systemd's journal, by its native protocol: `systemd.io/JOURNAL_NATIVE_PROTOCOL`.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use portcullis_model::Cause;

use crate::decision_log::entry::Subject;
use crate::decision_log::id::DecisionId;
use crate::decision_log::line::{answer, reason};
use crate::decision_log::sink::{Batch, Logged, Sink, SinkError};

/// Where the journal listens.
pub const SOCKET: &str = "/run/systemd/journal/socket";
/// How long one record may wait for the journal to take it.
const PATIENCE: Duration = Duration::from_millis(100);

/// Sends each record as an entry: its JSON as `PORTCULLIS_RECORD`, and what one looks for as fields of their own.
#[derive(Debug)]
pub struct JournaldSink {
    path: PathBuf,
    socket: Option<UnixDatagram>,
    buffer: Vec<u8>,
}

// === impl JournaldSink ===

impl JournaldSink {
    pub fn new(path: PathBuf) -> Self {
        Self { path, socket: None, buffer: Vec::new() }
    }

    fn send(&mut self, batch: &Batch<'_>) -> std::io::Result<()> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => {
                let socket = UnixDatagram::unbound()?;
                socket.set_write_timeout(Some(PATIENCE))?;
                socket.connect(&self.path)?;
                socket
            }
        };
        if batch.missing > 0 {
            self.buffer.clear();
            field(&mut self.buffer, "PRIORITY", "4");
            field(&mut self.buffer, "SYSLOG_IDENTIFIER", "portcullis");
            field(&mut self.buffer, "MESSAGE", &format!("{} decisions are missing", batch.missing));
            field(&mut self.buffer, "PORTCULLIS_MISSING", &batch.missing.to_string());
            socket.send(&self.buffer)?;
        }
        for record in batch.records {
            self.buffer.clear();
            entry(&mut self.buffer, record);
            socket.send(&self.buffer)?;
        }
        self.socket = Some(socket);
        Ok(())
    }
}

impl Sink for JournaldSink {
    fn name(&self) -> &'static str {
        "journald"
    }

    /// Where the journal takes some of a batch and then no more, those are counted as missing although they are there.
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), SinkError> {
        self.send(batch).map_err(|error| SinkError::at(&self.path, error))
    }

    fn reopen(&mut self) {
        self.socket = None;
    }
}

fn entry(out: &mut Vec<u8>, record: &Logged) {
    let entry = &record.entry;
    let decision = &entry.decision;
    let Subject { operation, user, path, method } = entry.call.subject();
    let tenant = entry.tenant.as_ref().map(|tenant| tenant.as_str());
    let said = match reason(&decision.answer) {
        Some(reason) => format!("deny {}: {reason}", operation.unwrap_or("-")),
        None => format!("allow {}", operation.unwrap_or("-")),
    };
    let rule = if let Cause::Rule(rule) = decision.cause { Some(rule) } else { None };
    field(out, "MESSAGE", &said);
    field(out, "PRIORITY", "6");
    field(out, "SYSLOG_IDENTIFIER", "portcullis");
    let mut buffer = [0; DecisionId::LEN];
    field(out, "PORTCULLIS_ID", entry.id.text(&mut buffer));
    field(out, "PORTCULLIS_SHORT_ID", entry.id.short(&mut buffer));
    field(out, "PORTCULLIS_ANSWER", answer(&decision.answer));
    field(out, "PORTCULLIS_CAUSE", decision.cause.kind());
    field(out, "PORTCULLIS_LISTENER", &entry.sender.listener);
    field(out, "PORTCULLIS_GENERATION", &decision.generation.0.to_string());
    for (name, value) in [
        ("PORTCULLIS_TENANT", tenant),
        ("PORTCULLIS_OPERATION", operation),
        ("PORTCULLIS_METHOD", method),
        ("PORTCULLIS_PATH", path),
        ("PORTCULLIS_USER", user),
        ("PORTCULLIS_RULE", rule),
        ("PORTCULLIS_REASON", reason(&decision.answer)),
    ] {
        if let Some(value) = value {
            field(out, name, value);
        }
    }
    field(out, "PORTCULLIS_RECORD", &record.line);
}

/// A value with a line end in it has its length before it.
fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_two_lines_has_its_length() {
        let mut out = Vec::new();
        field(&mut out, "A", "b=c");
        field(&mut out, "D", "e\nf");
        assert_eq!(out, b"A=b=c\nD\n\x03\0\0\0\0\0\0\0e\nf\n");
    }
}
