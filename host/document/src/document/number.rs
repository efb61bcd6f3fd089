//! JSON numbers, exactly.

/// A number other than zero: `digits`, which neither begin nor end with a zero, times ten to the power of `exponent`.
#[derive(PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i128,
}

/// The number as an `i64`, where it is a whole one of that range: `5`, `1e3` and `1.0` are, `1.5` and `1e19` are not.
pub(super) fn whole(number: &str) -> Option<i64> {
    number.parse().ok().or_else(|| match Decimal::of(number)? {
        Some(decimal) => decimal.whole(),
        None => Some(0),
    })
}

/// Whether they are one number: `1`, `1.0` and `10e-1` are.
pub(super) fn equal(left: &str, right: &str) -> bool {
    left == right || Decimal::of(left).zip(Decimal::of(right)).is_some_and(|(left, right)| left == right)
}

// === impl Decimal ===

impl Decimal {
    /// None for zero, and no answer where the exponent has more than 38 digits.
    fn of(number: &str) -> Option<Option<Self>> {
        let (negative, number) = match number.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, number),
        };
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits = [before, after].concat();
        let written = digits.len();
        digits.truncate(digits.trim_end_matches('0').len());
        if digits.is_empty() {
            return Some(None);
        }
        let trailing_zeros = (written - digits.len()) as i128;
        let leading_zeros = digits.len() - digits.trim_start_matches('0').len();
        digits.drain(..leading_zeros);
        let exponent = exponent.strip_prefix('+').unwrap_or(exponent).parse::<i128>().ok()?;
        let exponent = exponent.checked_sub(after.len() as i128)?.checked_add(trailing_zeros)?;
        Some(Some(Self { negative, digits, exponent }))
    }

    fn whole(&self) -> Option<i64> {
        let shift = u32::try_from(self.exponent).ok()?;
        if self.digits.len() as u64 + u64::from(shift) > 19 {
            return None;
        }
        let magnitude = self.digits.parse::<i128>().ok()? * 10_i128.pow(shift);
        i64::try_from(if self.negative { -magnitude } else { magnitude }).ok()
    }
}
