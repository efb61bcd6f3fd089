//! JSON that the host holds.

use crate::host::types;
use crate::view::Kind;

/// A read-only JSON value that the host holds: a call's body, the operator's data, a policy's settings.
///
/// Values are found by RFC 6901 pointers: `""` is the whole, `/HostConfig/Binds/0` a member's item. Every method gives
/// none where the pointer leads nowhere, or to a value of another type. Where a part of the way comes from outside (a
/// user's name, say), use [`Document::at`], which needs no escaping.
#[derive(Debug)]
#[repr(transparent)]
pub struct Document(pub(crate) types::Document);

/// One value of a [`Document`], or the place where there is none.
#[derive(Clone, Debug)]
pub struct Value<'a> {
    document: &'a Document,
    pointer: String,
}

// === impl Document ===

impl Document {
    /// The value at the end of `path`, each part a member's name or an item's number.
    ///
    /// ```
    /// # use portcullis_policy::Document;
    /// fn is_reader(data: &Document, user: &str) -> bool {
    ///     data.at(["users", user, "readOnly"]).boolean() == Some(true)
    /// }
    /// ```
    pub fn at<const N: usize>(&self, path: [&str; N]) -> Value<'_> {
        Value { document: self, pointer: String::new() }.at(path)
    }

    /// The type of a value.
    pub fn kind(&self, pointer: &str) -> Option<Kind> {
        self.0.kind(pointer)
    }

    /// A value as JSON text.
    pub fn json(&self, pointer: &str) -> Option<String> {
        self.0.get(pointer)
    }

    /// A string's characters.
    pub fn text(&self, pointer: &str) -> Option<String> {
        self.0.text(pointer)
    }

    pub fn boolean(&self, pointer: &str) -> Option<bool> {
        self.0.boolean(pointer)
    }

    /// A number that is a whole one between -2^63 and 2^63-1.
    pub fn integer(&self, pointer: &str) -> Option<i64> {
        self.0.integer(pointer)
    }

    /// Any number, as the nearest double.
    pub fn number(&self, pointer: &str) -> Option<f64> {
        self.0.number(pointer)
    }

    /// How many items a list has, or members an object.
    pub fn len(&self, pointer: &str) -> Option<u32> {
        self.0.length(pointer)
    }

    /// The names of an object's members, in the order of the document.
    pub fn keys(&self, pointer: &str) -> Option<Vec<String>> {
        self.0.keys(pointer)
    }

    /// The items of a list whose items are all strings (`null` items count as empty, as the daemon reads them).
    pub fn texts(&self, pointer: &str) -> Option<Vec<String>> {
        self.0.texts(pointer)
    }
}

// === impl Value ===

impl<'a> Value<'a> {
    /// The value at the end of `path`, from here.
    pub fn at<const N: usize>(&self, path: [&str; N]) -> Value<'a> {
        let mut pointer = self.pointer.clone();
        path.iter().for_each(|token| push_token(&mut pointer, token));
        Value { document: self.document, pointer }
    }

    /// A list's items; nothing where this is no list.
    pub fn items(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let list = self.clone();
        let length = if self.kind() == Some(Kind::Array) { self.len().unwrap_or(0) } else { 0 };
        (0..length).map(move |number| list.at([&number.to_string()]))
    }

    /// An object's members; nothing where this is no object.
    pub fn members(&self) -> impl Iterator<Item = (String, Value<'a>)> + use<'a> {
        let object = self.clone();
        self.keys().unwrap_or_default().into_iter().map(move |key| {
            let value = object.at([&key]);
            (key, value)
        })
    }

    /// Where this is, as an RFC 6901 pointer.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Whether there is a value.
    pub fn exists(&self) -> bool {
        self.kind().is_some()
    }

    /// See [`Document::kind`].
    pub fn kind(&self) -> Option<Kind> {
        self.document.kind(&self.pointer)
    }

    /// See [`Document::json`].
    pub fn json(&self) -> Option<String> {
        self.document.json(&self.pointer)
    }

    /// See [`Document::text`].
    pub fn text(&self) -> Option<String> {
        self.document.text(&self.pointer)
    }

    pub fn boolean(&self) -> Option<bool> {
        self.document.boolean(&self.pointer)
    }

    /// See [`Document::integer`].
    pub fn integer(&self) -> Option<i64> {
        self.document.integer(&self.pointer)
    }

    /// See [`Document::number`].
    pub fn number(&self) -> Option<f64> {
        self.document.number(&self.pointer)
    }

    /// See [`Document::len`].
    #[expect(clippy::len_without_is_empty, reason = "most values have no length, so none is empty or not")]
    pub fn len(&self) -> Option<u32> {
        self.document.len(&self.pointer)
    }

    /// See [`Document::keys`].
    pub fn keys(&self) -> Option<Vec<String>> {
        self.document.keys(&self.pointer)
    }

    /// See [`Document::texts`].
    pub fn texts(&self) -> Option<Vec<String>> {
        self.document.texts(&self.pointer)
    }
}

/// Adds `/token`, escaped (RFC 6901, section 3).
fn push_token(pointer: &mut String, token: &str) {
    pointer.reserve(token.len() + 1);
    pointer.push('/');
    for c in token.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use portcullis_docker::json::{Shape, read};

    use super::*;

    fn document(text: &str) -> Document {
        Document(types::Document::Json(Arc::new(read(text, Shape::Any).expect("JSON"))))
    }

    #[test]
    fn names_lead_to_members_whatever_is_in_them() {
        let document =
            document(r#"{"a/b": 1, "~": 2, "~1": 3, "": {"": 4}, "é": 5, "list": [6, {"x": 7}], "a": {"b": 8}}"#);
        for (path, expected) in [
            (&["a/b"][..], Some(1)),
            (&["~"], Some(2)),
            (&["~1"], Some(3)),
            (&["", ""], Some(4)),
            (&["é"], Some(5)),
            (&["list", "0"], Some(6)),
            (&["list", "1", "x"], Some(7)),
            (&["a", "b"], Some(8)),
            (&["/a/b"], None),
            (&["~01"], None),
            (&["list", "-"], None),
            (&["nowhere", "x"], None),
        ] {
            let value = path.iter().fold(document.at([]), |value, name| value.at([name]));
            assert_eq!((value.integer(), value.exists()), (expected, expected.is_some()), "{path:?}");
        }
        assert_eq!(document.at(["a", "b"]).pointer(), "/a/b");
        assert_eq!(document.at(["a"]).at(["b"]).integer(), document.integer("/a/b"));
    }

    #[test]
    fn only_lists_have_items_and_only_objects_members() {
        let document = document(r#"{"list": [1, [2], {}], "object": {"a/b": 1, "c": 2}, "text": "12", "null": null}"#);
        let items = |name| document.at([name]).items().filter_map(|item| item.json()).collect::<Vec<_>>().join(" ");
        let members = |name: &str| {
            let members = document.at([name]).members().map(|(key, value)| format!("{key}={:?}", value.integer()));
            members.collect::<Vec<_>>().join(" ")
        };
        for (name, expected_items, expected_members) in [
            ("list", "1 [2] {}", ""),
            ("object", "", "a/b=Some(1) c=Some(2)"),
            ("text", "", ""),
            ("null", "", ""),
            ("nowhere", "", ""),
        ] {
            assert_eq!((&*items(name), &*members(name)), (expected_items, expected_members), "{name}");
        }
    }

    #[test]
    fn a_value_is_what_its_type_is_and_nothing_else() {
        let document =
            document(r#"{"b": true, "i": -7, "f": 1.5, "t": "x", "n": null, "l": ["a", null], "m": ["a", 1]}"#);
        let text = |name: &str| {
            let value = document.at([name]);
            let kind = value.kind();
            format!("{kind:?} {:?} {:?} {:?} {:?}", value.boolean(), value.integer(), value.number(), value.text())
        };
        assert_eq!(text("b"), "Some(Kind::Boolean) Some(true) None None None");
        assert_eq!(text("i"), "Some(Kind::Number) None Some(-7) Some(-7.0) None");
        assert_eq!(text("f"), "Some(Kind::Number) None None Some(1.5) None");
        assert_eq!(text("t"), r#"Some(Kind::Text) None None None Some("x")"#);
        assert_eq!(text("n"), "Some(Kind::Null) None None None None");
        assert_eq!(document.texts("/l"), Some(vec!["a".to_owned(), String::new()]));
        assert_eq!(document.texts("/m"), None);
        assert_eq!((document.len("/l"), document.len("/t"), document.at([]).len()), (Some(2), None, Some(7)));
    }
}
