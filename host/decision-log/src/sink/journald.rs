//! systemd's journal, by its native protocol: `systemd.io/JOURNAL_NATIVE_PROTOCOL`.

mod sender;

use std::path::PathBuf;

use self::sender::Sender;
use crate::id::DecisionId;
use crate::record::DecisionRecord;
use crate::sink::{Batch, Sink, SinkError};

/// Sends each record as an entry: its JSON as `PORTCULLIS_RECORD`, and what one looks for as fields of their own.
#[derive(Debug)]
pub struct JournaldSink {
    path: PathBuf,
    sender: Option<Sender>,
    buffer: Vec<u8>,
}

// === impl JournaldSink ===

impl JournaldSink {
    pub fn new(path: PathBuf) -> Self {
        Self { path, sender: None, buffer: Vec::new() }
    }

    fn send(&mut self, batch: &Batch<'_>) -> std::io::Result<()> {
        let sender = match self.sender.take() {
            Some(sender) => sender,
            None => Sender::connect(&self.path)?,
        };
        if batch.missing > 0 {
            self.buffer.clear();
            field(&mut self.buffer, "PRIORITY", "4");
            field(&mut self.buffer, "SYSLOG_IDENTIFIER", "portcullis");
            field(&mut self.buffer, "MESSAGE", &format!("{} decisions are missing", batch.missing));
            field(&mut self.buffer, "PORTCULLIS_MISSING", &batch.missing.to_string());
            sender.send(&self.buffer)?;
        }
        for entry in batch.entries {
            self.buffer.clear();
            fields(&mut self.buffer, &entry.record(), &entry.line);
            sender.send(&self.buffer)?;
        }
        self.sender = Some(sender);
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
        self.sender = None;
    }
}

fn fields(out: &mut Vec<u8>, record: &DecisionRecord<'_>, line: &str) {
    let DecisionRecord { id, answer, cause, listener, operation, .. } = record;
    let said = match &record.reason {
        Some(reason) => format!("{answer} {}: {reason}", operation.as_deref().unwrap_or("-")),
        None => format!("{answer} {}", operation.as_deref().unwrap_or("-")),
    };
    for (name, value) in [
        ("MESSAGE", &*said),
        ("PRIORITY", "6"),
        ("SYSLOG_IDENTIFIER", "portcullis"),
        ("PORTCULLIS_ID", id),
        ("PORTCULLIS_SHORT_ID", DecisionId::short_of(id)),
        ("PORTCULLIS_ANSWER", answer),
        ("PORTCULLIS_CAUSE", cause),
        ("PORTCULLIS_LISTENER", listener),
        ("PORTCULLIS_GENERATION", &record.generation.to_string()),
    ] {
        field(out, name, value);
    }
    for (name, value) in [
        ("PORTCULLIS_TENANT", &record.tenant),
        ("PORTCULLIS_OPERATION", operation),
        ("PORTCULLIS_METHOD", &record.method),
        ("PORTCULLIS_PATH", &record.path),
        ("PORTCULLIS_USER", &record.user),
        ("PORTCULLIS_RULE", &record.rule),
        ("PORTCULLIS_REASON", &record.reason),
    ] {
        if let Some(value) = value {
            field(out, name, value);
        }
    }
    field(out, "PORTCULLIS_RECORD", line);
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
