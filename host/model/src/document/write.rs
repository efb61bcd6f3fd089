//! Writing a document as JSON.

use std::fmt::{self, Write};
use std::io::{self, BufWriter};

use super::walk::{Step, Walk};
use super::{Kind, Value};

/// How much is handed to an [`io::Write`] at once.
const PIECE: usize = 64 << 10;

/// Text for an [`io::Write`], whose own error is kept.
struct Pieces<W: io::Write> {
    out: BufWriter<W>,
    failed: Option<io::Error>,
}

/// Writes `root` with no space in it.
pub(super) fn value(root: Value<'_>, out: &mut impl Write) -> fmt::Result {
    let mut comma = false;
    for step in Walk::new(root) {
        if comma && !matches!(step, Step::Close(_)) {
            out.write_char(',')?;
        }
        comma = matches!(step, Step::Scalar(_) | Step::Close(_));
        match step {
            Step::Key(key) => {
                text(key, out)?;
                out.write_char(':')?;
            }
            Step::Scalar(value) => scalar(value, out)?,
            Step::Open(kind) => out.write_char(if kind == Kind::List { '[' } else { '{' })?,
            Step::Close(kind) => out.write_char(if kind == Kind::List { ']' } else { '}' })?,
        }
    }
    Ok(())
}

/// As [`value`], piece by piece.
pub(super) fn to(root: Value<'_>, out: impl io::Write) -> io::Result<()> {
    let mut pieces = Pieces { out: BufWriter::with_capacity(PIECE, out), failed: None };
    match (value(root, &mut pieces), pieces.failed) {
        (_, Some(error)) => Err(error),
        (Err(fmt::Error), None) => Err(io::ErrorKind::Other.into()),
        (Ok(()), None) => io::Write::flush(&mut pieces.out),
    }
}

/// Writes a JSON string.
pub(crate) fn text(text: &str, out: &mut impl Write) -> fmt::Result {
    out.write_char('"')?;
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        let (plain, special) = rest.split_at(at);
        out.write_str(plain)?;
        let mut characters = special.chars();
        match characters.next() {
            Some('\n') => out.write_str("\\n")?,
            Some('"') => out.write_str("\\\"")?,
            Some('\\') => out.write_str("\\\\")?,
            Some(control) => write!(out, "\\u{:04x}", u32::from(control))?,
            None => {}
        }
        rest = characters.as_str();
    }
    out.write_str(rest)?;
    out.write_char('"')
}

fn scalar(value: Value<'_>, out: &mut impl Write) -> fmt::Result {
    match value.kind() {
        Kind::Null => out.write_str("null"),
        Kind::Boolean => out.write_str(if value.as_bool() == Some(true) { "true" } else { "false" }),
        Kind::Number => out.write_str(value.number_text().unwrap_or_default()),
        Kind::Text => text(value.as_str().unwrap_or_default(), out),
        Kind::List | Kind::Object => Ok(()),
    }
}

// === impl Pieces ===

impl<W: io::Write> Write for Pieces<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        io::Write::write_all(&mut self.out, text.as_bytes()).map_err(|error| {
            self.failed = Some(error);
            fmt::Error
        })
    }
}
