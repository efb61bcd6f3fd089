//! YAML that says no more than JSON could: keys are texts, each is there once, and there are no tags and no merge keys.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, Visitor};

/// Of more text the parser would hold far more than that in memory.
pub(crate) const MAX_TEXT: usize = 8 << 20;
/// JSON that is made of it: aliases can repeat a text many times.
const MAX_JSON: u64 = 64 << 20;

/// The JSON that is being made.
struct Maker {
    json: String,
    most: u64,
}

/// One value.
struct OfValue<'m>(&'m mut Maker);

/// A key, which must be a text, and none of these. Checked here, for the parser then tells the key's own place.
struct OfKey<'k>(&'k HashSet<String>);

/// The JSON of a YAML text.
pub(super) fn to_json(text: &[u8], most: u64) -> Result<String, String> {
    if text.len() > MAX_TEXT {
        let (size, most) = (text.len(), MAX_TEXT);
        return Err(format!("is {size} bytes of YAML; at most {most} are read. JSON may be larger"));
    }
    let text = std::str::from_utf8(text).map_err(|_| "is not UTF-8 text".to_owned())?;
    let mut maker = Maker { json: String::with_capacity(text.len()), most: most.min(MAX_JSON) };
    let read = OfValue(&mut maker).deserialize(serde_yaml_ng::Deserializer::from_str(text));
    read.map_err(|error| error.to_string())?;
    Ok(maker.json)
}

// === impl Maker ===

impl Maker {
    fn push<E: Error>(&mut self, text: &str) -> Result<(), E> {
        if (self.json.len() + text.len()) as u64 > self.most {
            return Err(E::custom(format_args!("more than {} bytes of JSON would be made of this", self.most)));
        }
        self.json.push_str(text);
        Ok(())
    }

    fn text<E: Error>(&mut self, text: &str) -> Result<(), E> {
        self.push(&serde_json::to_string(text).map_err(E::custom)?)
    }
}

// === impl OfValue ===

impl<'de> DeserializeSeed<'de> for OfValue<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for OfValue<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what JSON can say")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.push("null")
    }

    fn visit_none<E: Error>(self) -> Result<(), E> {
        Err(E::custom("there is nothing in it; write `{}` for an empty document"))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.0.push(if value { "true" } else { "false" })
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.0.push(&value.to_string())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.0.push(&value.to_string())
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<(), E> {
        self.0.push(&value.to_string())
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<(), E> {
        self.0.push(&value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        let number = serde_json::Number::from_f64(value);
        let number =
            number.ok_or_else(|| E::custom("this is no number that JSON has; quote it where a text is meant"))?;
        self.0.push(&number.to_string())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.0.text(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.0.push("[")?;
        let mut comma = "";
        loop {
            let before = self.0.json.len();
            self.0.push(comma)?;
            if items.next_element_seed(OfValue(self.0))?.is_none() {
                self.0.json.truncate(before);
                return self.0.push("]");
            }
            comma = ",";
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        self.0.push("{")?;
        let mut seen = HashSet::new();
        while let Some(key) = members.next_key_seed(OfKey(&seen))? {
            if !seen.is_empty() {
                self.0.push(",")?;
            }
            self.0.text(&key)?;
            self.0.push(":")?;
            seen.insert(key);
            members.next_value_seed(OfValue(self.0))?;
        }
        self.0.push("}")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom("tags (`!…`) are not taken"))
    }
}

// === impl OfKey ===

impl<'de> DeserializeSeed<'de> for OfKey<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for OfKey<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key that is a text; quote it")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<String, E> {
        if value == "<<" {
            return Err(E::custom("merge keys (`<<`) are not taken; write the members out"));
        }
        if self.0.contains(value) {
            return Err(E::custom(format_args!("the key `{value}` is there twice")));
        }
        Ok(value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(text: &str) -> Result<String, String> {
        to_json(text.as_bytes(), 1 << 20)
    }

    #[test]
    fn yaml_that_json_could_say_is_taken() {
        for (text, expected) in [
            (
                "alice:\n  readOnly: false # a comment\nbob: {readOnly: true}",
                r#"{"alice":{"readOnly":false},"bob":{"readOnly":true}}"#,
            ),
            (
                "- 1\n- -2\n- 1.5\n- null\n- ~\n- yes\n- 2026-01-01\n- \"1\"\n",
                r#"[1,-2,1.5,null,null,"yes","2026-01-01","1"]"#,
            ),
            ("a: &x [1, 2]\nb: *x\n", r#"{"a":[1,2],"b":[1,2]}"#),
            ("a: |\n  two\n  lines\n", "{\"a\":\"two\\nlines\\n\"}"),
            ("{}", "{}"),
            ("[]", "[]"),
            ("18446744073709551615", "18446744073709551615"),
            ("'é\"\\'", r#""é\"\\""#),
        ] {
            assert_eq!(made(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_would_surprise_is_refused_with_its_place() {
        for (text, told) in [
            ("a: 1\nb: 2\na: 3\n", "the key `a` is there twice"),
            ("a: {b: 1, b: 2}\n", "the key `b` is there twice"),
            ("base: &b {x: 1}\nc:\n  <<: *b\n", "merge keys"),
            ("a: !secret x\n", "tags"),
            ("1: x\n", "a key that is a text; quote it"),
            ("[a, b]: x\n", "a key that is a text; quote it"),
            ("a: .nan\n", "no number that JSON has"),
            ("a: [1\n", "line"),
            ("a: *nobody\n", "unknown anchor"),
            ("a: 1\n---\nb: 2\n", "more than one document"),
            ("", "there is nothing in it"),
            ("# nothing yet\n", "there is nothing in it"),
        ] {
            let error = made(text).expect_err(text);
            assert!(error.contains(told), "{text}: {error}");
        }
        let twice = made("a: 1\nb: 2\na: 3\n").expect_err("twice");
        assert!(twice.contains("line 3"), "{twice}");
    }

    #[test]
    fn aliases_that_multiply_come_to_an_end() {
        let mut laughs = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
        for level in 1..12 {
            let below = vec![format!("*a{}", level - 1); 10].join(", ");
            laughs.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        assert!(made(&laughs).is_err());
        // Few aliases of a long text.
        let long = "x".repeat(100_000);
        let text = format!("a: &a {long}\nb: [{}]\n", vec!["*a"; 50].join(", "));
        assert!(made(&text).expect_err("too much").contains("more than 1048576 bytes of JSON"));
        let deep = "[".repeat(100_000);
        assert!(made(&deep).is_err());
    }
}
