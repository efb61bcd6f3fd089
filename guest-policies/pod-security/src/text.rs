//! Texts of a caller's in a reason.

/// As much of a text as a reason has room for.
pub(crate) fn short(text: &str) -> &str {
    const BYTES: usize = 100;
    if text.len() <= BYTES {
        return text;
    }
    let end = (0..=BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// `a`, `b` and `c`.
pub(crate) fn listed(texts: &[&str]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("`{}`", short(text))).collect();
    quoted.join(", ")
}
