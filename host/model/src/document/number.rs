//! JSON numbers as whole numbers, exactly.

/// The number as an `i64`, where it is a whole one of that range: `5`, `1e3` and `1.0` are, `1.5` and `1e19` are not.
pub(super) fn whole(number: &str) -> Option<i64> {
    number.parse().ok().or_else(|| whole_of_scientific(number))
}

fn whole_of_scientific(number: &str) -> Option<i64> {
    let (negative, number) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number),
    };
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let after = after.trim_end_matches('0');

    let digits = [before, after].concat();
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let trailing_zeros = digits.len() - digits.trim_end_matches('0').len();
    // An exponent beyond `i64` is beyond every number that it could make whole.
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent).parse::<i64>().ok()?;
    let shift = exponent.checked_sub(after.len() as i64)?.checked_add(trailing_zeros as i64)?;
    let shift = u32::try_from(shift).ok()?;
    if significant.len() as u64 + u64::from(shift) > 19 {
        return None;
    }
    let magnitude = significant.parse::<i128>().ok()? * 10_i128.pow(shift);
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}
