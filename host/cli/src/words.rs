//! Numbers, times and IDs as a person reads them.

use portcullis_model::Reason;
use portcullis_model::printable::escape;

/// Characters of an ID that callers are shown: the last ones.
const SHORT: usize = 10;

/// A number, with a comma for each thousand.
pub(crate) fn counted(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A record's time, without the fractions of a second.
pub(crate) fn when(timestamp: &str) -> String {
    let whole = timestamp.split_once('.').map_or(timestamp, |(whole, _)| whole);
    plain(&whole.replacen('T', " ", 1))
}

/// What the caller is shown of an ID.
pub(crate) fn short(id: &str) -> String {
    let skipped = id.chars().count().saturating_sub(SHORT);
    plain(&id.chars().skip(skipped).collect::<String>())
}

/// A text that anybody may have written, as a terminal may have it.
pub(crate) fn plain(text: &str) -> String {
    let text = escape(text);
    if text.len() <= Reason::MAX {
        return text.into_owned();
    }
    format!("{}…", text.get(..text.floor_char_boundary(Reason::MAX)).unwrap_or_default())
}

/// So many microseconds.
pub(crate) fn micros(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..999_950 => format!("{:.1} ms", micros as f64 / 1e3),
        _ => format!("{:.1} s", micros as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_times_and_ids_are_read_easily() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(counted(number), text);
        }
        assert_eq!(when("2026-11-25T08:00:00.000001Z"), "2026-11-25 08:00:00");
        assert_eq!(when("\u{1b}[31m\u{202e}"), "\\u{1b}[31m\\u{202e}");
        assert_eq!((short("01KAXJ3Q7Q2M9X4KPD01234567").as_str(), short("x").as_str()), ("PD01234567", "x"));
        let times =
            [(999, "999 µs"), (1_250, "1.2 ms"), (999_949, "999.9 ms"), (999_950, "1.0 s"), (5_000_000, "5.0 s")];
        for (time, text) in times {
            assert_eq!(micros(time), text);
        }
    }
}
