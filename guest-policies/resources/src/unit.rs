//! Amounts, as settings and calls write them, and as messages do.

use portcullis_policy::Value;

/// Billionths of a processor.
const PROCESSOR: f64 = 1e9;
/// Above it, a double is no whole number of its own any more.
const LARGEST: f64 = 9e15;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Bytes,
    Count,
    /// In billionths.
    Processors,
}

// === impl Unit ===

impl Unit {
    /// Of a setting: a number, or a text such as `512m` or `1.5`.
    pub(crate) fn amount(self, value: &Value<'_>) -> Option<i64> {
        let amount = match (self, value.text()) {
            (Self::Bytes, Some(text)) => bytes(&text),
            (Self::Processors, Some(text)) => text.parse().ok().and_then(|number: f64| whole(number * PROCESSOR)),
            (Self::Processors, None) => value.number().and_then(|number| whole(number * PROCESSOR)),
            (Self::Bytes | Self::Count, None) => value.integer(),
            (Self::Count, Some(_)) => None,
        };
        amount.filter(|amount| *amount >= 0)
    }

    /// As the command line takes it.
    pub(crate) fn text(self, amount: i64) -> String {
        match self {
            Self::Count => amount.to_string(),
            Self::Bytes => {
                let units = [(1_i64 << 30, "g"), (1 << 20, "m"), (1 << 10, "k")];
                let fits = units.into_iter().find(|(size, _)| amount != 0 && amount % size == 0);
                fits.map_or_else(|| amount.to_string(), |(size, name)| format!("{}{name}", amount / size))
            }
            Self::Processors => {
                let (whole, rest) = (amount / 1_000_000_000, amount % 1_000_000_000);
                let rest = format!("{rest:09}");
                let rest = rest.trim_end_matches('0');
                if rest.is_empty() { whole.to_string() } else { format!("{whole}.{rest}") }
            }
        }
    }
}

/// As `RAMInBytes` of docker/go-units reads it: `1.5g`, `512 MiB`. None of what it may read in another way.
pub(crate) fn bytes(text: &str) -> Option<i64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text.get(..end)?.parse().ok()?;
    let unit = text.get(end..)?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase();
    let power = match unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(&unit) {
        "" if unit != "ib" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    whole(number * 1024_f64.powi(power))
}

#[expect(clippy::cast_possible_truncation, reason = "it is within what a double has exactly")]
fn whole(number: f64) -> Option<i64> {
    (0.0..=LARGEST).contains(&number).then(|| number.round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_docker() {
        for (text, expected) in [
            ("512m", Some(512 << 20)),
            ("512M", Some(512 << 20)),
            ("512mb", Some(512 << 20)),
            ("512 MiB", Some(512 << 20)),
            ("1.5g", Some(3 << 29)),
            ("10", Some(10)),
            ("10b", Some(10)),
            ("0", Some(0)),
            ("1k", Some(1024)),
            ("2t", Some(2 << 40)),
            ("", None),
            ("g", None),
            ("-1", None),
            ("1x", None),
            ("1ib", None),
            ("1  g", None),
            ("1.2.3g", None),
            ("1e9", None),
            ("9999999p", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }

    #[test]
    fn amounts_are_written_as_the_command_line_takes_them() {
        for (unit, amount, expected) in [
            (Unit::Bytes, 512 << 20, "512m"),
            (Unit::Bytes, 3 << 29, "1536m"),
            (Unit::Bytes, 1 << 30, "1g"),
            (Unit::Bytes, 1000, "1000"),
            (Unit::Bytes, 0, "0"),
            (Unit::Processors, 1_500_000_000, "1.5"),
            (Unit::Processors, 2_000_000_000, "2"),
            (Unit::Processors, 10_000_000, "0.01"),
            (Unit::Count, 100, "100"),
        ] {
            assert_eq!(unit.text(amount), expected);
        }
    }
}
