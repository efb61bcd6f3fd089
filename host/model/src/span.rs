//! How long something takes or may take, as a person reads it.

use std::fmt;
use std::time::Duration;

/// Below a second in milliseconds, and in seconds from there on, with as many decimals as say something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = (self.0.as_micros() + 500) / 1000;
        if !self.0.is_zero() && self.0 < Duration::from_millis(1) {
            return write!(f, "{} µs", self.0.as_micros());
        }
        if millis < 1000 {
            return write!(f, "{millis} ms");
        }
        let hundredths = (millis + 5) / 10;
        let (seconds, rest) = (hundredths / 100, hundredths % 100);
        match rest {
            0 => write!(f, "{seconds} s"),
            _ if rest % 10 == 0 => write!(f, "{seconds}.{} s", rest / 10),
            _ => write!(f, "{seconds}.{rest:02} s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_no_digits_that_say_nothing() {
        for (span, expected) in [
            (Duration::ZERO, "0 ms"),
            (Duration::from_micros(40), "40 µs"),
            (Duration::from_millis(20), "20 ms"),
            (Duration::from_millis(999), "999 ms"),
            (Duration::from_secs(5), "5 s"),
            (Duration::from_secs_f32(2.999_999_5), "3 s"),
            (Duration::from_millis(1_500), "1.5 s"),
            (Duration::from_millis(1_234), "1.23 s"),
            (Duration::from_millis(1_040), "1.04 s"),
            (Duration::from_secs(120), "120 s"),
        ] {
            assert_eq!(Span(span).to_string(), expected);
        }
    }
}
