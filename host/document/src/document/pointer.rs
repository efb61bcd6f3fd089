//! RFC 6901 pointers.

use std::borrow::Cow;

use super::{Kind, Value};

/// The value that `pointer` leads to from `from`.
pub(super) fn follow<'a>(from: Value<'a>, pointer: &str) -> Option<Value<'a>> {
    let mut value = from;
    let mut rest = pointer;
    while let Some((token, tail)) = split_first(rest)? {
        value = match value.kind() {
            Kind::Object => value.get(&token)?,
            Kind::List => value.at(position(&token)?)?,
            Kind::Null | Kind::Boolean | Kind::Number | Kind::Text => return None,
        };
        rest = tail;
    }
    Some(value)
}

/// The first token of a pointer and what follows; `Some(None)` at its end, and none where it is not a pointer.
pub fn split_first(pointer: &str) -> Option<Option<(Cow<'_, str>, &str)>> {
    if pointer.is_empty() {
        return Some(None);
    }
    let inner = pointer.strip_prefix('/')?;
    // Tokens are short: byte by byte is faster than any search.
    let (token, rest) = inner.split_at(inner.bytes().position(|byte| byte == b'/').unwrap_or(inner.len()));
    Some(Some((unescape(token)?, rest)))
}

/// `~1` is `/`, `~0` is `~`, and no other `~` may stand.
fn unescape(token: &str) -> Option<Cow<'_, str>> {
    if !token.bytes().any(|byte| byte == b'~') {
        return Some(Cow::Borrowed(token));
    }
    let mut pieces = token.split('~');
    let mut plain = String::from(pieces.next()?);
    for piece in pieces {
        let (character, rest) = match piece.as_bytes().first()? {
            b'0' => ('~', piece.get(1..)?),
            b'1' => ('/', piece.get(1..)?),
            _ => return None,
        };
        plain.push(character);
        plain.push_str(rest);
    }
    Some(Cow::Owned(plain))
}

/// A list position: digits, with no zero before them.
pub(super) fn position(token: &str) -> Option<usize> {
    let plain = token.bytes().all(|byte| byte.is_ascii_digit()) && (token.len() == 1 || !token.starts_with('0'));
    if plain { token.parse().ok() } else { None }
}
