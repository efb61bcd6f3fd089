//! JSON pointers that lead to many places: in a part of one, `*` stands for any characters.

use super::{Kind, Value};

/// The parts of such a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<String>);

// === impl Pattern ===

impl Pattern {
    /// Of a pointer without the `/` that it begins with.
    pub fn new(pointer: &str) -> Self {
        Self(pointer.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect())
    }

    pub fn parts(&self) -> &[String] {
        &self.0
    }

    /// Whether the part after so many that have matched is this key or index; and whether that was the last one.
    pub fn step(&self, matched: usize, key: &str) -> Option<bool> {
        let part = self.0.get(matched)?;
        fits(part, key).then_some(matched + 1 == self.0.len())
    }

    /// Whether one of the values that it leads to from `root` is so. It looks at no member that is not on its way.
    pub fn any<'v>(&self, root: Value<'v>, is_it: &mut impl FnMut(Value<'v>) -> bool) -> bool {
        below(&self.0, root, is_it)
    }
}

/// As deep as the pattern has parts.
fn below<'v>(parts: &[String], value: Value<'v>, is_it: &mut impl FnMut(Value<'v>) -> bool) -> bool {
    let Some((part, rest)) = parts.split_first() else { return is_it(value) };
    match value.kind() {
        Kind::Object if !part.contains('*') => value.get(part).is_some_and(|value| below(rest, value, is_it)),
        Kind::Object => value.members().any(|(key, value)| fits(part, key) && below(rest, value, is_it)),
        Kind::List if part == "*" => value.items().any(|value| below(rest, value, is_it)),
        Kind::List => {
            value.items().enumerate().any(|(at, value)| fits(part, &at.to_string()) && below(rest, value, is_it))
        }
        Kind::Null | Kind::Boolean | Kind::Number | Kind::Text => false,
    }
}

/// Whether a text is what a pattern says, in which `*` stands for any characters. It takes a time of at most the product
/// of their lengths.
pub fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part).and_then(|at| text.get(at + part.len()..)) {
            Some(after) => text = after,
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::testing::read;

    #[test]
    fn texts_fit_patterns() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("*", "anything/at all", true),
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*a", "a", false),
            ("*internal*", "com.internal.x", true),
            ("*internal*", "com.external.x", false),
            ("*a*b*a", "xaxbxa", true),
            ("*a*b*a", "xaxb", false),
            ("**", "x", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_leads_where_its_parts_fit_step_by_step_too() {
        let document = read(r#"{"a":[{"n":1},{"n":2},3],"ab":{"n":4},"x/y":{"n":5},"0":6,"n":null}"#);
        for (pattern, expected) in [
            ("a/*/n", "1 2"),
            ("a/1/n", "2"),
            ("a*/n", "4"),
            ("a*/*/n", "1 2"),
            ("x~1y/n", "5"),
            ("0", "6"),
            ("n", "null"),
            ("n/n", ""),
            ("a/n", ""),
        ] {
            let pattern = Pattern::new(pattern);
            let mut found = Vec::new();
            pattern.any(document.root(), &mut |value| {
                found.push(value.to_json());
                false
            });
            assert_eq!(found.join(" "), expected, "{pattern:?}");
            let mut stepped = Vec::new();
            step(&pattern, 0, document.root(), &mut stepped);
            assert_eq!(stepped, found, "{pattern:?}");
        }
    }

    fn step(pattern: &Pattern, matched: usize, value: Value<'_>, found: &mut Vec<String>) {
        let members = value.members().map(|(key, value)| (key.to_owned(), value));
        let items = value.items().enumerate().map(|(at, value)| (at.to_string(), value));
        for (key, value) in members.chain(items) {
            match pattern.step(matched, &key) {
                Some(true) => found.push(value.to_json()),
                Some(false) => step(pattern, matched + 1, value, found),
                None => {}
            }
        }
    }
}
