//! YAML that says no more than JSON could: keys are texts, each is there once, and there are no merge keys and no tags but
//! YAML's own.
//!
//! The parser hands out one event after the other, and JSON text is made of each at once, so the cost is the text's length and
//! what aliases repeat. Both are bounded, and so is how deep it nests.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Span, Tag};

/// Larger documents are to be JSON, which is read faster.
pub const MAX_TEXT: usize = 8 << 20;
/// JSON that is made of it: aliases can repeat a text many times.
const MAX_JSON: u64 = 64 << 20;
/// Lists and objects that may be open at once: in brackets, and by indentation.
const MAX_DEPTH: usize = 255;

/// The JSON that is being made.
struct Maker {
    json: String,
    most: u64,
    open: Vec<Open>,
    /// Where the JSON of each anchor's value is.
    anchors: HashMap<usize, Range<usize>>,
    documents: usize,
}

/// A list or object that is being made.
struct Open {
    /// Where its JSON begins.
    start: usize,
    /// 0 for none.
    anchor: usize,
    holds: Holds,
}

enum Holds {
    /// Whether it has items yet.
    Items(bool),
    Members {
        keys: HashSet<String>,
        /// Whether a key was read, whose value is next.
        is_value: bool,
    },
}

/// What a plain scalar means.
enum Meaning {
    Null,
    Boolean(bool),
    Number(String),
    Text,
}

/// The JSON of a YAML text.
pub(super) fn to_json(text: &[u8], most: u64) -> Result<String, String> {
    if text.len() > MAX_TEXT {
        let (size, most) = (text.len(), MAX_TEXT);
        return Err(format!("is {size} bytes of YAML; at most {most} are read. JSON may be larger"));
    }
    let text = std::str::from_utf8(text).map_err(|_| "is not UTF-8 text".to_owned())?;
    let mut maker = Maker {
        json: String::with_capacity(text.len()),
        most: most.min(MAX_JSON),
        open: Vec::new(),
        anchors: HashMap::new(),
        documents: 0,
    };
    for event in Parser::new_from_str_with_options(text, options()) {
        let (event, span) = event.map_err(|error| unreadable(&error))?;
        maker.take(event).map_err(|problem| at(&span, &problem))?;
    }
    if maker.documents == 0 {
        return Err("there is nothing in it; write `{}` for an empty document".to_owned());
    }
    Ok(maker.json)
}

fn options() -> Options {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    options
}

fn unreadable(error: &ScanError) -> String {
    let is_deep = matches!(error.kind(), ErrorKind::RecursionLimitExceeded);
    let nested = || format!("more than {MAX_DEPTH} lists and objects are nested");
    let problem = if is_deep { nested() } else { error.info() };
    let mark = error.marker();
    format!("{problem} at line {} column {}", mark.line(), mark.col() + 1)
}

fn at(span: &Span, problem: &str) -> String {
    format!("{problem} at line {} column {}", span.start.line(), span.start.col() + 1)
}

// === impl Maker ===

impl Maker {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 { Err("more than one document is in it".into()) } else { Ok(()) }
            }
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref()),
            Event::Alias(anchor) => self.alias(anchor),
            Event::SequenceStart(_, anchor, tag) => {
                is_core(tag.as_deref(), "seq")?;
                self.begin(anchor, "[", Holds::Items(false))
            }
            Event::MappingStart(_, anchor, tag) => {
                is_core(tag.as_deref(), "map")?;
                self.begin(anchor, "{", Holds::Members { keys: HashSet::new(), is_value: false })
            }
            Event::SequenceEnd => self.end("]"),
            Event::MappingEnd => self.end("}"),
            // Names of anchors, aliases that lead nowhere, and what else there may be once, are not asked for.
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::UnresolvedAlias(_)
            | _ => Ok(()),
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, tag: Option<&Tag>) -> Result<(), String> {
        let meaning = meaning(text, style, tag)?;
        let is_text = matches!(meaning, Meaning::Text);
        self.before_value(is_text.then_some(text))?;
        let start = self.json.len();
        match meaning {
            Meaning::Null => self.push("null")?,
            Meaning::Boolean(true) => self.push("true")?,
            Meaning::Boolean(false) => self.push("false")?,
            Meaning::Number(number) => self.push(&number)?,
            Meaning::Text => self.push(&json_text(text)?)?,
        }
        self.anchor(anchor, start);
        self.after_value()
    }

    /// What an anchor stands for, once more.
    fn alias(&mut self, anchor: usize) -> Result<(), String> {
        let range = self.anchors.get(&anchor).cloned();
        let json = range.and_then(|range| self.json.get(range)).ok_or("an alias for what it is in itself")?.to_owned();
        let key: Option<String> = serde_json::from_str(&json).ok().filter(|_| json.starts_with('"'));
        self.before_value(key.as_deref())?;
        self.push(&json)?;
        self.after_value()
    }

    fn begin(&mut self, anchor: usize, bracket: &str, holds: Holds) -> Result<(), String> {
        self.before_value(None)?;
        self.open.push(Open { start: self.json.len(), anchor, holds });
        self.push(bracket)
    }

    fn end(&mut self, bracket: &str) -> Result<(), String> {
        self.push(bracket)?;
        if let Some(open) = self.open.pop() {
            self.anchor(open.anchor, open.start);
        }
        self.after_value()
    }

    /// Before anything that is a value or a key; `text` is what it is, where that can be a key.
    fn before_value(&mut self, text: Option<&str>) -> Result<(), String> {
        let comma = match self.open.last_mut().map(|open| &mut open.holds) {
            Some(Holds::Items(has_items)) => std::mem::replace(has_items, true),
            Some(Holds::Members { keys, is_value: false }) => {
                let key = text.ok_or("expected a key that is a text; quote it")?;
                if key == "<<" {
                    return Err("merge keys (`<<`) are not taken; write the members out".into());
                }
                let is_first = keys.is_empty();
                if !keys.insert(key.to_owned()) {
                    return Err(format!("the key `{key}` is there twice"));
                }
                !is_first
            }
            Some(Holds::Members { is_value: true, .. }) | None => false,
        };
        if comma { self.push(",") } else { Ok(()) }
    }

    /// After a value or a key.
    fn after_value(&mut self) -> Result<(), String> {
        let Some(Holds::Members { is_value, .. }) = self.open.last_mut().map(|open| &mut open.holds) else {
            return Ok(());
        };
        *is_value = !*is_value;
        if *is_value { self.push(":") } else { Ok(()) }
    }

    fn anchor(&mut self, anchor: usize, start: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, start..self.json.len());
        }
    }

    fn push(&mut self, text: &str) -> Result<(), String> {
        if (self.json.len() + text.len()) as u64 > self.most {
            return Err(format!("more than {} bytes of JSON would be made of this", self.most));
        }
        self.json.push_str(text);
        Ok(())
    }
}

/// A text as JSON that is YAML, too: YAML takes these characters only where they are escaped.
fn json_text(text: &str) -> Result<String, String> {
    let json = serde_json::to_string(text).map_err(|error| error.to_string())?;
    if !json.contains(is_escaped_in_yaml) {
        return Ok(json);
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if is_escaped_in_yaml(character) {
            // All of them are in the first plane: four digits say which.
            escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            escaped.push(character);
        }
    }
    Ok(escaped)
}

/// What YAML 1.2 calls not printable (section 5.1), and the breaks of YAML 1.1.
fn is_escaped_in_yaml(character: char) -> bool {
    matches!(character, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// What a scalar stands for, by YAML's core schema.
fn meaning(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Meaning, String> {
    let is_plain = matches!(style, ScalarStyle::Plain);
    let kind = tag.map(|tag| tag.core_suffix().ok_or_else(untaken)).transpose()?;
    let plain = || plain_meaning(text);
    let not =
        |what: &str| Err(format!("`{}` is not {what}, as its tag says", text.chars().take(32).collect::<String>()));
    Ok(match (kind, plain()) {
        (Some("str"), _) => Meaning::Text,
        (None, Ok(meaning)) => {
            if is_plain {
                meaning
            } else {
                Meaning::Text
            }
        }
        (None, Err(problem)) => {
            if is_plain {
                return Err(problem);
            } else {
                Meaning::Text
            }
        }
        (Some("null"), Ok(Meaning::Null)) => Meaning::Null,
        (Some("null"), _) => return not("null"),
        (Some("bool"), Ok(Meaning::Boolean(value))) => Meaning::Boolean(value),
        (Some("bool"), _) => return not("true or false"),
        (Some("int" | "float"), Ok(Meaning::Number(number))) => Meaning::Number(number),
        (Some("int" | "float"), Err(problem)) => return Err(problem),
        (Some("int" | "float"), _) => return not("a number"),
        (Some(_), _) => return Err(untaken()),
    })
}

fn plain_meaning(text: &str) -> Result<Meaning, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Meaning::Null,
        "true" | "True" | "TRUE" => Meaning::Boolean(true),
        "false" | "False" | "FALSE" => Meaning::Boolean(false),
        ".nan" | ".NaN" | ".NAN" => return Err(no_number()),
        _ if matches!(text.trim_start_matches(['+', '-']), ".inf" | ".Inf" | ".INF") => return Err(no_number()),
        _ => number(text).map_or(Meaning::Text, Meaning::Number),
    })
}

fn no_number() -> String {
    "this is no number that JSON has; quote it where a text is meant".to_owned()
}

fn untaken() -> String {
    "tags (`!…`) are not taken".to_owned()
}

fn is_core(tag: Option<&Tag>, suffix: &str) -> Result<(), String> {
    if tag.is_none_or(|tag| tag.is_yaml_core_schema_tag(suffix)) { Ok(()) } else { Err(untaken()) }
}

/// A number in JSON's way of writing; none where it is a text.
fn number(text: &str) -> Option<String> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    // None of the readers below is to take a second sign.
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    let sign = if is_negative { "-" } else { "" };
    let radix = |digits: &str, radix| {
        let is_digits = digits.starts_with(|first: char| first.is_ascii_alphanumeric());
        is_digits.then(|| u128::from_str_radix(digits, radix).ok()).flatten()
    };
    let integer = match digits.get(..2) {
        Some("0x") => radix(digits.get(2..)?, 16),
        Some("0o") => radix(digits.get(2..)?, 8),
        Some("0b") => radix(digits.get(2..)?, 2),
        // YAML 1.2: texts, such as a postcode.
        _ if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            return None;
        }
        _ => radix(digits, 10),
    };
    if let Some(integer) = integer {
        return Some(if integer == 0 { "0".to_owned() } else { format!("{sign}{integer}") });
    }
    let float: f64 = digits.parse().ok()?;
    let float = if is_negative { -float } else { float };
    serde_json::Number::from_f64(float).map(|number| number.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

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
            (
                "[0x1F, 0o17, -0x10, +7, 0, -0, 007, 1e3, .5, -1.50, 1_000, 0x, 1.2.3]",
                r#"[31,15,-16,7,0,0,"007",1000.0,0.5,-1.5,"1_000","0x","1.2.3"]"#,
            ),
            (
                "[340282366920938463463374607431768211455, 1e400, '1', \"null\"]",
                r#"[340282366920938463463374607431768211455,"1e400","1","null"]"#,
            ),
            ("a: !!str 1\nb: !!int 2\nc: !!map {d: !!seq [e]}\n", r#"{"a":"1","b":2,"c":{"d":["e"]}}"#),
            ("a: &x {b: &y 1}\nc: *x\nd: *y\n", r#"{"a":{"b":1},"c":{"b":1},"d":1}"#),
            ("&k a: 1\nb: {*k : 2}\n", r#"{"a":1,"b":{"a":2}}"#),
            ("a:\nb: \n- c\n-\n", r#"{"a":null,"b":["c",null]}"#),
            ("? a\n: >-\n  folded\n  text\n", r#"{"a":"folded text"}"#),
            ("%YAML 1.2\n---\na\n...\n", r#""a""#),
        ] {
            assert_eq!(made(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn the_json_of_any_text_is_yaml_of_the_same_text() {
        let characters = (0..=0xffff).chain([0x1_0000, 0x1_fffe, 0x10_ffff]).filter_map(char::from_u32);
        for character in characters {
            for text in [format!("{character}"), format!("a{character} b")] {
                let json =
                    serde_json::to_string(&json!({ "k": text })).expect("JSON").replace(character, &escape(character));
                let expected = json!({ "k": text });
                let once = made(&json).unwrap_or_else(|error| panic!("{character:?}: {error}"));
                assert_eq!(serde_json::from_str::<Value>(&once).expect("JSON"), expected);
                let key = format!("{{{}: 1}}", &once["{\"k\":".len()..once.len() - 1]);
                for again in [once, key] {
                    let twice = made(&again).unwrap_or_else(|error| panic!("{character:?} again: {error}"));
                    assert_eq!(made(&twice), Ok(twice));
                }
            }
        }
    }

    /// As the first text has it: any character of the first plane, escaped.
    fn escape(character: char) -> String {
        let code = u32::from(character);
        if matches!(code, 0x7f..=0xd7ff | 0xe000..=0xffff) { format!("\\u{code:04x}") } else { character.to_string() }
    }

    #[test]
    fn what_would_surprise_is_refused_with_its_place() {
        for (text, message) in [
            ("a: 1\nb: 2\na: 3\n", "the key `a` is there twice"),
            ("a: {b: 1, b: 2}\n", "the key `b` is there twice"),
            ("base: &b {x: 1}\nc:\n  <<: *b\n", "merge keys"),
            ("a: !secret x\n", "tags"),
            ("1: x\n", "a key that is a text; quote it"),
            ("[a, b]: x\n", "a key that is a text; quote it"),
            ("a: .nan\n", "no number that JSON has"),
            ("a: [1\n", "line"),
            ("a: -.inf\n", "no number that JSON has"),
            ("a: !!int x\n", "`x` is not a number, as its tag says"),
            ("a: !!binary x\n", "tags"),
            ("!secret [a]\n", "tags"),
            ("a: &x [*x]\n", "an alias for what it is in itself"),
            ("*x : 1\n", "unknown anchor"),
            ("? {a: 1}\n: 2\n", "a key that is a text; quote it"),
            ("a: *nobody\n", "unknown anchor"),
            ("a: 1\n---\nb: 2\n", "more than one document"),
            ("", "there is nothing in it"),
            ("# nothing yet\n", "there is nothing in it"),
        ] {
            let error = made(text).expect_err(text);
            assert!(error.contains(message), "{text}: {error}");
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
    }

    #[test]
    fn what_nests_deeper_than_anything_that_is_meant_is_refused_where_it_does() {
        let indented = |item: &str| (0..2000).map(|depth| format!("{}{item}\n", " ".repeat(depth))).collect::<String>();
        for hostile in ["{", "[", "[{", "{a: ", "- ", "[a, ", "[[],", "{? [", "[&a ", "- - "] {
            let text = hostile.repeat((1 << 20) / hostile.len());
            let error = made(&text).expect_err(hostile);
            assert!(error.contains("more than 255 lists and objects are nested at line 1"), "{hostile}: {error}");
        }
        for text in [indented("a:"), indented("-")] {
            let error = made(&text).expect_err("too deep");
            assert!(error.contains("more than 255 lists and objects are nested at line 256"), "{error}");
        }
        let deepest = format!("{}{}", "[".repeat(255), "]".repeat(255));
        assert_eq!(made(&deepest).as_ref(), Ok(&deepest));
    }
}
