//! How Go matches a key to a field: exactly, or else by Unicode's simple case folding.

use std::borrow::Cow;
use std::collections::HashSet;

/// Whether Go takes `key` for the field `name`, which is ASCII: of all other characters, only U+017F (`ſ`) and U+212A
/// (the Kelvin sign) fold to an ASCII letter.
pub(super) fn matches(key: &str, name: &str) -> bool {
    if key.len() <= name.len() || key.is_ascii() {
        return key.eq_ignore_ascii_case(name);
    }
    let mut characters = key.chars().map(fold_char);
    name.bytes().all(|byte| characters.next() == Some(char::from(byte.to_ascii_lowercase())))
        && characters.next().is_none()
}

/// Whether two of the keys are one to a structure.
pub(super) fn repeats<'a>(keys: impl ExactSizeIterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = HashSet::with_capacity(keys.len());
    let mut keys = keys;
    keys.find(|key| !seen.insert(fold(key)))
}

fn fold(key: &str) -> Cow<'_, str> {
    let folded = |character| fold_char(character) == character;
    if key.chars().all(folded) { Cow::Borrowed(key) } else { Cow::Owned(key.chars().map(fold_char).collect()) }
}

fn fold_char(character: char) -> char {
    match character {
        'ſ' => 's',
        '\u{212A}' => 'k',
        _ => character.to_ascii_lowercase(),
    }
}
