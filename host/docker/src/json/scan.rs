//! The tokens of JSON: where they end, and what they say.

use super::error::Problem;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The position of the first byte from `from` on that ends a plain stretch of a string: a quote, a backslash, a control
/// character, or the end of the text.
pub(super) fn plain_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let found = special(u64::from_le_bytes(*chunk));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len())
}

/// The high bit of every byte that is special; the lowest one set is exact, those above it may be carried over.
fn special(word: u64) -> u64 {
    let equals = |byte: u8| {
        let difference = word ^ (ONES * u64::from(byte));
        difference.wrapping_sub(ONES) & !difference
    };
    (equals(b'"') | equals(b'\\') | word.wrapping_sub(ONES * 0x20) & !word) & HIGH
}

/// The position after the number that starts at `from`, if one does.
pub(super) fn number_end(bytes: &[u8], from: usize) -> Result<usize, Problem> {
    let at = if bytes.get(from) == Some(&b'-') { from + 1 } else { from };
    let mut end = match bytes.get(at) {
        Some(b'0') => at + 1,
        Some(b'1'..=b'9') => digits_end(bytes, at),
        Some(_) => return Err(Problem::Number),
        None => return Err(Problem::End),
    };
    if bytes.get(end) == Some(&b'.') {
        end = some_digits(bytes, end + 1)?;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let signed = matches!(bytes.get(end + 1), Some(b'+' | b'-'));
        end = some_digits(bytes, end + 1 + usize::from(signed))?;
    }
    Ok(end)
}

fn some_digits(bytes: &[u8], from: usize) -> Result<usize, Problem> {
    match bytes.get(from) {
        Some(b'0'..=b'9') => Ok(digits_end(bytes, from)),
        Some(_) => Err(Problem::Number),
        None => Err(Problem::End),
    }
}

fn digits_end(bytes: &[u8], from: usize) -> usize {
    let digits = bytes.get(from..).unwrap_or_default();
    from + digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len())
}

/// What the escape at `at`, which is a backslash, stands for, and how many bytes it takes. Half a surrogate pair stands
/// for U+FFFD, as in Go.
pub(super) fn escape(bytes: &[u8], at: usize) -> Result<(char, usize), Problem> {
    let plain = match bytes.get(at + 1).ok_or(Problem::End)? {
        quoted @ (b'"' | b'\\' | b'/') => char::from(*quoted),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode_escape(bytes, at),
        _ => return Err(Problem::Escape),
    };
    Ok((plain, 2))
}

fn unicode_escape(bytes: &[u8], at: usize) -> Result<(char, usize), Problem> {
    let unit = utf16_unit(bytes, at)?;
    if let Some(character) = char::from_u32(u32::from(unit)) {
        return Ok((character, 6));
    }
    if let Ok(next) = utf16_unit(bytes, at + 6)
        && let Some(Ok(character)) = char::decode_utf16([unit, next]).next()
    {
        return Ok((character, 12));
    }
    Ok((char::REPLACEMENT_CHARACTER, 6))
}

fn utf16_unit(bytes: &[u8], at: usize) -> Result<u16, Problem> {
    let escape = bytes.get(at..).and_then(<[u8]>::first_chunk::<6>).ok_or(Problem::End)?;
    let [b'\\', b'u', digits @ ..] = escape else { return Err(Problem::Escape) };
    digits.iter().try_fold(0, |unit: u16, digit| {
        let value = char::from(*digit).to_digit(16).ok_or(Problem::Escape)?;
        Ok(unit << 4 | value as u16)
    })
}
