//! Writing a document as JSON, without recursion: it may be nested deeper than a thread's stack.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io;

use super::value::{Items, Members};
use super::{Kind, Value};

/// How much is handed to an [`io::Write`] at once.
const PIECE: usize = 64 << 10;

/// A list or object that is begun.
enum Open<'a> {
    List(Items<'a>),
    Object(Members<'a>),
}

/// Appends `root` with no space in it.
pub(super) fn value(root: Value<'_>, out: &mut String) {
    let Ok(()) = pieces(root, out, |_| Ok::<_, Infallible>(()));
}

/// Writes `root`, and holds no more of it than its longest text.
pub(super) fn to(root: Value<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let mut held = String::with_capacity(2 * PIECE);
    pieces(root, &mut held, |held| {
        if held.len() >= PIECE {
            out.write_all(held.as_bytes())?;
            held.clear();
        }
        Ok::<_, io::Error>(())
    })?;
    out.write_all(held.as_bytes())
}

/// The beginning of `root`, of at most so many bytes, and `…` where that is not all.
pub(super) fn beginning(root: Value<'_>, most: usize) -> String {
    let mut out = String::new();
    let enough = |out: &mut String| if out.len() > most { Err(()) } else { Ok(()) };
    if pieces(root, &mut out, enough).is_err() || out.len() > most {
        out.truncate(out.floor_char_boundary(most));
        out.push('…');
    }
    out
}

/// Appends `root`, and calls `after_each` of its values.
fn pieces<'a, E>(
    root: Value<'a>,
    out: &mut String,
    mut after_each: impl FnMut(&mut String) -> Result<(), E>,
) -> Result<(), E> {
    let mut open: Vec<Open<'a>> = Vec::new();
    let mut next = scalar_or_opened(root, out);
    loop {
        let mut comma = next.is_none();
        let Some(mut container) = next.or_else(|| open.pop()) else { return Ok(()) };
        next = loop {
            let value = match &mut container {
                Open::List(items) => {
                    let Some(item) = items.next() else { break None };
                    if comma {
                        out.push(',');
                    }
                    item
                }
                Open::Object(members) => {
                    let Some((key, value)) = members.next() else { break None };
                    if comma {
                        out.push(',');
                    }
                    text(key, out);
                    out.push(':');
                    value
                }
            };
            comma = true;
            let opened = scalar_or_opened(value, out);
            after_each(out)?;
            if opened.is_some() {
                break opened;
            }
        };
        match (&next, container) {
            (Some(_), container) => open.push(container),
            (None, Open::List(_)) => out.push(']'),
            (None, Open::Object(_)) => out.push('}'),
        }
    }
}

/// Appends a scalar, or how a list or object begins, and opens it.
#[inline]
fn scalar_or_opened<'a>(value: Value<'a>, out: &mut String) -> Option<Open<'a>> {
    match value.kind() {
        Kind::Null => out.push_str("null"),
        Kind::Boolean => out.push_str(if value.as_bool() == Some(true) { "true" } else { "false" }),
        Kind::Number => out.push_str(value.number_text().unwrap_or_default()),
        Kind::Text => text(value.as_str().unwrap_or_default(), out),
        Kind::List => {
            out.push('[');
            return Some(Open::List(Items::of(value)));
        }
        Kind::Object => {
            out.push('{');
            return Some(Open::Object(Members::of(value)));
        }
    }
    None
}

/// Appends a text as a JSON string.
pub fn text(text: &str, out: &mut String) {
    out.reserve(text.len() + 2);
    out.push('"');
    let mut rest = text;
    while let Some(at) = first_special(rest.as_bytes()) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let mut characters = special.chars();
        match characters.next() {
            Some('\n') => out.push_str("\\n"),
            Some(quoted @ ('"' | '\\')) => out.extend(['\\', quoted]),
            Some(control) => _ = write!(out, "\\u{:04x}", u32::from(control)),
            None => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// Where the first byte is that cannot stand in a JSON string. Eight bytes are looked at together.
fn first_special(text: &[u8]) -> Option<usize> {
    let (words, rest) = text.as_chunks::<8>();
    let plain = words.iter().take_while(|word| !has_special(u64::from_le_bytes(**word))).count();
    let start = 8 * plain;
    let last = if plain < words.len() { text.get(start..)? } else { rest };
    last.iter().position(|byte| is_special(*byte)).map(|at| start + at)
}

fn is_special(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

/// Whether one of eight bytes is special: it then has its high bit set in the difference that would borrow.
fn has_special(word: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let below = |word: u64, bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word & HIGH;
    let equal = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (below(word, b' ') | equal(b'"') | equal(b'\\')) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_stand_in_a_string_is_found_at_every_place() {
        for byte in 0..=u8::MAX {
            for len in 0..20 {
                for at in 0..len {
                    let mut text = vec![b'x'; len];
                    if let Some(place) = text.get_mut(at) {
                        *place = byte;
                    }
                    let expected = is_special(byte).then_some(at);
                    assert_eq!(first_special(&text), expected, "{byte} at {at} of {len}");
                }
            }
        }
        assert_eq!(first_special("é\u{80}ÿ, and more\u{7f}".as_bytes()), None);
        assert_eq!(first_special(b"\xff\xff\xff\xff\xff\xff\xff\x1f"), Some(7));
    }
}
