//! Bodies that look like an operation's, and like what somebody sends who wants to be read differently.

use std::fmt::Write as _;

use portcullis_docker::json::{Field, Integer, Shape};
use portcullis_docker::operation::Piece;

use crate::random::Random;

/// One body of this shape, in some spelling, maybe broken.
pub(crate) fn body(random: &mut Random, shape: Shape) -> Vec<u8> {
    let mut text = String::new();
    // Most bodies are whole, so that most are decoded.
    let mischief = *random.pick(&[0, 0, 200, 40, 8]);
    Writer { random, mischief, out: &mut text }.value(shape, 0);
    let mut bytes = text.into_bytes();
    if random.once_in(8) {
        mutate(random, &mut bytes);
    }
    bytes
}

/// One target for this route, in some spelling, maybe broken.
pub(crate) fn target(random: &mut Random, path: &[Piece]) -> String {
    let versions = [
        "",
        "",
        "/v1.44",
        "/v1.044",
        "/v1.44.0",
        "/v1",
        "/v..",
        "/v",
        "/v1.44x",
        "/v1.44/v1.2",
        "/V1.44",
        "/v99999999999999999999",
    ];
    let names = [
        "a", "a/b", "create", "json", "a?x", "a#b", "a%b", "a b", "é", "", "..", "a//b", "a\u{0}b", "a;b", "a+b",
        "x/json", "start",
    ];
    let hosts = ["", "", "", "", "", "", "http://evil", "x://", "http:/", "//evil", "http://u:p@h:1"];
    let mut uri = String::new();
    for piece in path {
        match piece {
            Piece::Literal(literal) => uri.push_str(literal),
            Piece::Segment(_) | Piece::Rest { .. } => uri.push_str(random.pick::<&str>(&names)),
        }
    }
    let uri = format!("{}{uri}", random.pick(&versions));
    let escaped = random.once_in(2);
    let mut text = (*random.pick(&hosts)).to_owned();
    for byte in uri.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"/._-+;".contains(&byte);
        match byte {
            _ if plain && !random.once_in(40) => text.push(char::from(byte)),
            _ if plain && !escaped => text.push(char::from(byte)),
            _ => _ = write!(text, "%{byte:02X}"),
        }
    }
    if random.once_in(2) {
        let queries =
            ["?", "?a=1&a=2", "?a=%26+b&&c", "?a;b", "?a=%zz", "?=x", "?a=b=c?d", "?%C3%A9=%0a", "?a=%ff", "?a#b=c"];
        text.push_str(random.pick::<&str>(&queries));
    }
    if random.once_in(6) {
        let mut bytes = text.into_bytes();
        mutate(random, &mut bytes);
        text = String::from_utf8_lossy(&bytes).into_owned();
    }
    text
}

/// Breaks a text in one place.
pub(crate) fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    let at = random.below(bytes.len() + 1);
    let end = (at + random.below(9)).min(bytes.len());
    match random.below(7) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let piece: Vec<u8> = bytes[at..end].to_vec();
            drop(bytes.splice(at..at, piece));
        }
        3 => {
            let piece =
                random.pick(&["\"", "{", "}", "[", "]", ",", ":", "null", "0", " ", "\u{feff}", "\\", "\u{0}", "ſ"]);
            drop(bytes.splice(at..at, piece.bytes()));
        }
        4 => bytes.insert(at, random.next() as u8),
        5 => bytes.extend_from_slice(random.pick(&[" ", "\n", "{}", "x", "}", "]", ",", "null", "\0"]).as_bytes()),
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
    }
}

struct Writer<'a> {
    random: &'a mut Random,
    /// Something odd once in as many places; 0 for nowhere.
    mischief: usize,
    out: &'a mut String,
}

// === impl Writer ===

impl Writer<'_> {
    fn odd(&mut self) -> bool {
        self.mischief != 0 && self.random.once_in(self.mischief)
    }

    fn value(&mut self, shape: Shape, depth: usize) {
        if self.odd() {
            return self.anything(depth);
        }
        if self.random.once_in(12) {
            return self.out.push_str("null");
        }
        match shape {
            Shape::Any | Shape::Unknown => self.anything(depth),
            Shape::Boolean => self.out.push_str(if self.random.once_in(2) { "true" } else { "false" }),
            Shape::Text => self.text(),
            Shape::Base64 => self.base64(),
            Shape::Integer(integer) => self.integer(integer),
            Shape::Float32 => self.number(),
            Shape::Texts if self.random.once_in(4) => self.text(),
            Shape::Texts => self.list(Shape::Text, depth, 4),
            Shape::List(item) => self.list(*item, depth, 4),
            Shape::Pair(item) => self.list(*item, depth, 3),
            Shape::Map(value) => self.map(*value, depth),
            Shape::Structure(structure) => self.structure(structure.fields, depth),
        }
    }

    fn anything(&mut self, depth: usize) {
        match self.random.below(if depth > 6 { 5 } else { 8 }) {
            0 => self.out.push_str("null"),
            1 => self.out.push_str("true"),
            2 => self.number(),
            3 | 4 => self.text(),
            5 => self.list(Shape::Any, depth, 4),
            6 => self.map(Shape::Any, depth),
            _ => {
                let levels = *self.random.pick(&[2, 100, 9_000, 11_000]);
                let levels = if self.random.once_in(20) { levels } else { 2 };
                self.out.push_str(&"[".repeat(levels));
                self.out.push_str(&"]".repeat(levels));
            }
        }
    }

    fn list(&mut self, item: Shape, depth: usize, most: usize) {
        self.out.push('[');
        for position in 0..self.random.below(most) {
            self.comma(position);
            self.value(item, depth + 1);
            self.space();
        }
        self.out.push(']');
    }

    fn map(&mut self, value: Shape, depth: usize) {
        self.out.push('{');
        for position in 0..self.random.below(5) {
            self.comma(position);
            // Few names, in two cases, so that they repeat now and then.
            let name = ["a", "A", "80/tcp", "80/TCP", "k\u{212a}", "/x", "", "Privileged", "privileged", "ſ", "s"];
            let name =
                *self.random.pick(if self.mischief == 0 { &name[position * 2..position * 2 + 2] } else { &name });
            self.string(name);
            self.colon();
            self.value(value, depth + 1);
        }
        self.out.push('}');
    }

    fn structure(&mut self, fields: &'static [Field], depth: usize) {
        let fields: Vec<&Field> = fields.iter().filter(|field| !field.stray || self.odd()).collect();
        let share = *self.random.pick(&[1, 2, 4, 16]);
        self.out.push('{');
        let mut written = 0;
        for field in fields {
            if !self.random.once_in(share) {
                continue;
            }
            let times = if self.odd() { 2 } else { 1 };
            for _ in 0..times {
                self.comma(written);
                written += 1;
                self.key(field.name);
                self.colon();
                self.value(field.shape, depth + 1);
            }
        }
        if self.odd() {
            self.comma(written);
            let name = *self.random.pick(&["CheckDuplicate", "checkduplicate", "New", "", "İmage", "ßinds", "Binds "]);
            self.string(name);
            self.colon();
            self.anything(depth + 1);
        }
        self.space();
        self.out.push('}');
    }

    /// A field's name, in one of the spellings that Go takes for it, or nearly so.
    fn key(&mut self, name: &str) {
        match self.random.below(if self.mischief == 0 { 24 } else { 8 }) {
            0 => self.string(&name.to_lowercase()),
            1 => self.string(&name.to_uppercase()),
            2 => {
                let folded = |c: char| match c {
                    's' | 'S' => 'ſ',
                    'k' | 'K' => '\u{212a}',
                    'i' if self.mischief == 8 => 'ı',
                    _ => c,
                };
                let name: String = name.chars().map(folded).collect();
                self.string(&name);
            }
            3 => {
                let flipped =
                    |c: char| if self.random.once_in(2) { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
                let name: String = name.chars().map(flipped).collect();
                self.string(&name);
            }
            _ => {
                _ = write!(self.out, "\"{name}\"");
            }
        }
    }

    fn base64(&mut self) {
        let texts = [
            "",
            "e30=",
            "aGk=",
            "aGk",
            "aGl=",
            "aA==",
            "aB==",
            "a===",
            "aGk=\n",
            "a\nGk\r\n=",
            "aG k=",
            "aGkh",
            "a-_k",
            "=",
            "aA==aA==",
        ];
        let sound = if self.mischief == 0 { 3 } else { texts.len() };
        let text = *self.random.pick(&texts[..sound]);
        self.string(text);
    }

    fn text(&mut self) {
        let text = *self.random.pick(&[
            "",
            "host",
            "/etc:/host:ro",
            "container:db",
            "seccomp=unconfined",
            "ALL",
            "e30=",
            "aGk",
            "aGk=\\n",
            "é",
            "a\nb",
            "\u{0}",
            "😀",
            "\u{2028}",
            "<&>",
            "a long text that is longer than one word of the machine, and has ſ in it",
        ]);
        if self.odd() {
            let odd =
                ["\\ud800", "\\ud83d\\ude00", "\\udc00\\ud800", "\\ud800\\u0041", "\\x", "\\u12", "\t", "\u{1}", "\\/"];
            let odd = *self.random.pick(&odd);
            _ = write!(self.out, "\"a{odd}b\"");
        } else {
            self.string(text);
        }
    }

    /// A string, some of it in escapes.
    fn string(&mut self, text: &str) {
        self.out.push('"');
        for character in text.chars() {
            let plain = character >= ' ' && !matches!(character, '"' | '\\');
            if plain && !(self.mischief != 0 && self.random.once_in(16)) {
                self.out.push(character);
                continue;
            }
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                _ = if self.random.once_in(2) {
                    write!(self.out, "\\u{unit:04x}")
                } else {
                    write!(self.out, "\\u{unit:04X}")
                };
            }
        }
        self.out.push('"');
    }

    fn integer(&mut self, integer: Integer) {
        let edges: &[&str] = match integer {
            Integer::I64 => &["-9223372036854775808", "9223372036854775807", "9223372036854775808", "-1", "-0"],
            Integer::U64 => &["18446744073709551615", "18446744073709551616", "-0", "-1"],
            Integer::U32 => &["4294967295", "4294967296", "-1"],
            Integer::U16 => &["65535", "65536", "-0"],
        };
        if self.odd() {
            return self.number();
        }
        let number = if self.random.once_in(40) {
            *self.random.pick(edges)
        } else {
            self.random.pick(&["0", "1", "42", "1024"])
        };
        self.out.push_str(number);
    }

    fn number(&mut self) {
        let numbers =
            ["0", "-1", "0.5", "1.0", "1e3", "1E+2", "1e-400", "3.4e38", "3.5e38", "1e999999", "00", "1.", "-", "0x1"];
        let sound = if self.mischief == 0 { 8 } else { numbers.len() };
        let number = *self.random.pick(&numbers[..sound]);
        self.out.push_str(number);
    }

    fn comma(&mut self, position: usize) {
        if position > 0 {
            self.out.push(',');
        }
        self.space();
    }

    fn colon(&mut self) {
        self.space();
        self.out.push(':');
        self.space();
    }

    fn space(&mut self) {
        if self.mischief != 0 && self.random.once_in(16) {
            let space = *self.random.pick(&[" ", "\n", "\t", "\r\n"]);
            self.out.push_str(space);
        }
    }
}
