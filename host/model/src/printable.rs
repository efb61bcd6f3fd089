//! Text that anybody may have written, made safe to show: a terminal obeys control characters, and some characters of
//! Unicode are invisible or reorder the text around them.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Bytes that are looked at together.
const PIECE: usize = 64;

/// Controls, and Unicode's zero-width, direction and line-separator characters.
pub fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// One line, with `\n` or `\u{202e}` for each unprintable character.
pub fn escape(text: &str) -> Cow<'_, str> {
    replaced(text, is_unprintable, |c, out| out.extend(c.escape_default()))
}

/// The same; line ends stay.
pub fn escape_lines(text: &str) -> Cow<'_, str> {
    replaced(text, |c| c != '\n' && is_unprintable(c), |c, out| out.extend(c.escape_default()))
}

/// The same JSON, with `\u202e` for each unprintable character in its texts. Spaces and line ends between values stay.
pub fn escape_json(json: &str) -> Cow<'_, str> {
    let is_escaped = |c: char| c >= '\u{7f}' && is_unprintable(c);
    replaced(json, is_escaped, |c, out| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            // A text takes all that is written.
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

fn replaced(text: &str, is_escaped: impl Fn(char) -> bool, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if is_plain(text.as_bytes()) || !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + PIECE);
    for c in text.chars() {
        if is_escaped(c) { escape(c, &mut out) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// Whether all is printable ASCII, which nearly every text is.
fn is_plain(bytes: &[u8]) -> bool {
    bytes.chunks(PIECE).all(|piece| piece.iter().fold(true, |plain, byte| plain & (0x20..0x7f).contains(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each range, and its neighbours that are printable.
    const UNPRINTABLE: &str = "\u{0}\u{7}\u{1b}\u{7f}\u{80}\u{85}\u{9b}\u{9f}\u{ad}\u{61c}\u{180e}\u{200b}\u{200e}\
                               \u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2066}\u{2069}\u{feff}\u{fffb}\u{e0001}\u{e007f}";
    const PRINTABLE: &str = " ~\u{a0}é\u{61b}\u{200a}‐\u{202f}\u{2070}漢\u{fffc}😀\u{e0100}\\\"";

    #[test]
    fn what_is_printable_stays_and_costs_nothing() {
        for text in ["", "plain", PRINTABLE] {
            for escaped in [escape(text), escape_lines(text), escape_json(text)] {
                assert!(matches!(escaped, Cow::Borrowed(same) if same == text), "{escaped}");
            }
        }
    }

    #[test]
    fn nothing_unprintable_is_left() {
        for c in UNPRINTABLE.chars() {
            let text = format!("a{c}b\nc");
            for escaped in [escape(&text), escape_lines(&text)] {
                assert!(!escaped.contains(|c| c != '\n' && is_unprintable(c)), "{escaped:?}");
            }
            assert!(!escape(&text).contains('\n'));
            assert_eq!(escape_lines(&text).lines().count(), 2);
        }
        assert_eq!(escape("\u{1b}[31m\u{202e}\n\t"), "\\u{1b}[31m\\u{202e}\\n\\t");
    }

    #[test]
    fn json_stays_the_same_json() {
        let value = serde_json::json!({ UNPRINTABLE: [UNPRINTABLE, PRINTABLE, 1, null] });
        for json in [value.to_string(), format!("{value:#}")] {
            let escaped = escape_json(&json);
            assert!(!escaped.contains(|c| c != '\n' && is_unprintable(c)), "{escaped}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).expect("JSON"), value);
            assert!(escaped.contains("\\u202e") && escaped.contains("\\u007f") && escaped.contains("\\udb40\\udc01"));
        }
    }
}
