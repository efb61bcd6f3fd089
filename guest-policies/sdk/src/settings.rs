//! What the operator gives to the policy as parameters, and how it checks them.

use crate::document::Document;
use crate::host;
use crate::view::Kind;

/// The policy's own parameters; an empty object where there are none.
pub fn settings() -> Document {
    Document(host::settings::get())
}

/// One member that a policy's settings may have.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    name: &'a str,
    holds: Holds<'a>,
}

/// What the member must be.
#[derive(Clone, Copy, Debug)]
enum Holds<'a> {
    Boolean,
    Integer { least: i64, most: i64 },
    Text,
    Texts,
    OneOf(&'a [&'a str]),
    List,
    Object,
}

// === impl Setting ===

impl<'a> Setting<'a> {
    /// `true` or `false`.
    pub const fn boolean(name: &'a str) -> Self {
        Self { name, holds: Holds::Boolean }
    }

    /// A whole number between `least` and `most`.
    pub const fn integer(name: &'a str, least: i64, most: i64) -> Self {
        Self { name, holds: Holds::Integer { least, most } }
    }

    pub const fn text(name: &'a str) -> Self {
        Self { name, holds: Holds::Text }
    }

    /// A list of texts.
    pub const fn texts(name: &'a str) -> Self {
        Self { name, holds: Holds::Texts }
    }

    /// One of these texts.
    pub const fn one_of(name: &'a str, texts: &'a [&'a str]) -> Self {
        Self { name, holds: Holds::OneOf(texts) }
    }

    /// A list, whose items the policy checks itself.
    pub const fn list(name: &'a str) -> Self {
        Self { name, holds: Holds::List }
    }

    /// An object, whose members the policy checks itself.
    pub const fn object(name: &'a str) -> Self {
        Self { name, holds: Holds::Object }
    }

    fn problem(&self, settings: &Document) -> Option<String> {
        let value = settings.at([self.name]);
        let (is_right, expected) = match self.holds {
            Holds::Boolean => (value.boolean().is_some(), "true or false".to_owned()),
            Holds::Integer { least, most } => {
                let is_within = value.integer().is_some_and(|number| (least..=most).contains(&number));
                (is_within, format!("a whole number from {least} to {most}"))
            }
            Holds::Text => (value.text().is_some(), "a text".to_owned()),
            Holds::Texts => {
                let is_texts = value.kind() == Some(Kind::Array) && value.items().all(|item| item.text().is_some());
                (is_texts, "a list of texts".to_owned())
            }
            Holds::OneOf(texts) => {
                let is_one = value.text().is_some_and(|text| texts.iter().any(|known| *known == text));
                (is_one, format!("one of {}", quoted(texts.iter().copied())))
            }
            Holds::List => (value.kind() == Some(Kind::Array), "a list".to_owned()),
            Holds::Object => (value.kind() == Some(Kind::Object), "an object".to_owned()),
        };
        (!is_right).then(|| format!("`{}` must be {expected}", self.name))
    }
}

// === impl Document ===

impl Document {
    /// Whether these are all the members of this object, and each is what it must be. Each may be left out.
    pub fn check(&self, known: &[Setting<'_>]) -> Result<(), String> {
        for key in self.keys("").ok_or("must be an object")? {
            let setting = known.iter().find(|setting| setting.name == key);
            let problem = match setting {
                Some(setting) => setting.problem(self),
                None => Some(unknown(&key, known)),
            };
            if let Some(problem) = problem {
                return Err(problem);
            }
        }
        Ok(())
    }
}

fn unknown(key: &str, known: &[Setting<'_>]) -> String {
    let names = || known.iter().map(|setting| setting.name);
    // Who writes a dash for an underscore, or drops a letter, meant that one.
    let meant = names().min_by_key(|name| distance(key, name)).filter(|name| distance(key, name) <= 2);
    match meant {
        Some(meant) => format!("there is no `{key}`; did you mean `{meant}`?"),
        None if known.is_empty() => format!("there is no `{key}`; this policy takes no settings"),
        None => format!("there is no `{key}`; there are {}", quoted(names())),
    }
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// How many letters are to be added, dropped or replaced (Levenshtein); names longer than 64 bytes are far from all.
fn distance(one: &str, other: &str) -> usize {
    if one.len().max(other.len()) > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (position, letter) in one.bytes().enumerate() {
        let mut left = position + 1;
        let mut next = vec![left];
        for (pair, against) in row.windows(2).zip(other.bytes()) {
            let &[diagonal, above] = pair else { continue };
            left = (diagonal + usize::from(letter != against)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use portcullis_docker::json::{Shape, read};

    use super::*;
    use crate::host::types;

    const KNOWN: [Setting<'_>; 7] = [
        Setting::boolean("plugins"),
        Setting::integer("most", 1, 10),
        Setting::text("name"),
        Setting::texts("symlinks"),
        Setting::one_of("mode", &["drop", "keep"]),
        Setting::list("allow"),
        Setting::object("users"),
    ];

    fn check(text: &str) -> Result<(), String> {
        let document = Document(types::Document::Json(Arc::new(read(text, Shape::Any).expect("JSON"))));
        document.check(&KNOWN)
    }

    #[test]
    fn settings_are_what_they_must_be_or_the_one_that_is_not_is_named() {
        for good in [
            "{}",
            r#"{"plugins": false, "most": 10, "name": "", "symlinks": [], "mode": "keep", "allow": [1], "users": {}}"#,
            r#"{"symlinks": ["/a", "/b"]}"#,
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (wrong, message) in [
            (r#"{"plugins": 1}"#, "`plugins` must be true or false"),
            (r#"{"plugins": null}"#, "`plugins` must be true or false"),
            (r#"{"most": 11}"#, "`most` must be a whole number from 1 to 10"),
            (r#"{"most": 1.5}"#, "`most` must be a whole number from 1 to 10"),
            (r#"{"name": []}"#, "`name` must be a text"),
            (r#"{"symlinks": "/a"}"#, "`symlinks` must be a list of texts"),
            (r#"{"symlinks": ["/a", null]}"#, "`symlinks` must be a list of texts"),
            (r#"{"mode": "Keep"}"#, "`mode` must be one of `drop`, `keep`"),
            (r#"{"allow": {}}"#, "`allow` must be a list"),
            (r#"{"users": []}"#, "`users` must be an object"),
            (r#"{"plugin": true}"#, "there is no `plugin`; did you mean `plugins`?"),
            (r#"{"": 1}"#, "there is no ``; there are `plugins`, `most`, `name`, `symlinks`, `mode`, `allow`, `users`"),
            ("[]", "must be an object"),
        ] {
            assert_eq!(check(wrong).expect_err(wrong), message);
        }
    }

    #[test]
    fn a_distance_is_the_number_of_letters_that_differ() {
        for (one, other, expected) in [
            ("", "", 0),
            ("a", "", 1),
            ("volume-drivers", "volume_drivers", 1),
            ("kitten", "sitting", 3),
            ("ab", "ba", 2),
        ] {
            assert_eq!((distance(one, other), distance(other, one)), (expected, expected), "{one} {other}");
        }
        assert_eq!(distance(&"a".repeat(65), "a"), usize::MAX);
    }
}
