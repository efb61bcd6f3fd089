//! Answers that can be large: bounded by the guest's memory before they are made, and made where nobody waits for that.

use std::io;

use portcullis_model::Fault;
use portcullis_model::data::Found;

use crate::fault::stop;
use crate::heavy::off_worker;

/// More than so many items, or bytes, take long.
pub(super) const ITEMS: usize = 4096;
const BYTES: usize = 64 << 10;
/// What the guest's memory holds of each text beside it.
const TEXT: usize = 8;

/// Takes so many bytes and no more.
struct Capped {
    bytes: Vec<u8>,
    most: usize,
}

/// A value's JSON, of at most so many bytes.
pub(super) fn json(found: Found<'_>, limit: usize) -> wasmtime::Result<String> {
    let text = match written(found, BYTES.min(limit)) {
        Some(text) => Some(text),
        None => off_worker(|| written(found, limit)),
    };
    text.ok_or_else(|| stop(Fault::Memory { limit }))
}

/// Texts of a value, of at most so many bytes together.
pub(super) fn texts<'a>(
    found: Found<'a>,
    of: impl FnOnce(Found<'a>) -> Option<Vec<&'a str>>,
    limit: usize,
) -> wasmtime::Result<Option<Vec<String>>> {
    let make = || {
        let Some(texts) = of(found) else { return Some(None) };
        let size: usize = texts.iter().map(|text| text.len() + TEXT).sum();
        (size <= limit).then(|| Some(texts.into_iter().map(str::to_owned).collect()))
    };
    let made = if found.len().unwrap_or_default() > ITEMS { off_worker(make) } else { make() };
    made.ok_or_else(|| stop(Fault::Memory { limit }))
}

fn written(found: Found<'_>, most: usize) -> Option<String> {
    let mut out = Capped { bytes: Vec::new(), most };
    found.write_to(&mut out).ok()?;
    String::from_utf8(out.bytes).ok()
}

// === impl Capped ===

impl io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
