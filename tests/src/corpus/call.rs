//! One call, byte for byte as it goes to the daemon.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::Result;
use crate::http::{Answer, Connection};

/// A call in a case: its request line alone, or with all that there is to say.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Written")]
pub struct Call {
    /// Method and target, `GET /info`.
    pub line: String,
    /// Those of a case that says none: the type of its body.
    headers: Vec<String>,
    body: Body,
    /// The size of the chunks in which the body is sent. Left out: as one piece, with its length.
    chunk: Option<usize>,
    framing: Framing,
    /// Which of the answers on the connection counts, from 1.
    answer: usize,
}

/// What the call says of how far its body goes, unless it is sent in chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Framing {
    #[default]
    Length,
    None,
}

/// What stands for paths and names that are chosen when a case is run.
#[derive(Clone, Debug, Default)]
pub struct Substitutions(pub Vec<(&'static str, String)>);

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Line(String),
    Whole(Whole),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    line: String,
    headers: Option<Vec<String>>,
    #[serde(default)]
    body: Body,
    chunk: Option<usize>,
    #[serde(default)]
    framing: Framing,
    #[serde(default = "first")]
    answer: usize,
}

/// JSON, text as it is sent, or pieces of what is long or not text.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Body {
    Json(Map<String, Value>),
    Text(String),
    Pieces(Vec<Piece>),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Piece {
    Text(String),
    /// Bytes in hexadecimal digits.
    Hex {
        hex: String,
    },
    Repeated {
        repeat: String,
        times: usize,
    },
    /// As often as it takes for the body so far to have this many bytes.
    Padded {
        pad: String,
        to: usize,
    },
}

// === impl Call ===

impl Call {
    /// A call without a body.
    pub fn new(line: String) -> Self {
        Self::with_json(line, String::new())
    }

    /// A call with JSON, or without a body.
    pub fn with_json(line: String, body: String) -> Self {
        let (chunk, framing, answer) = (None, Framing::Length, first());
        Written::Whole(Whole { line, headers: None, body: Body::Text(body), chunk, framing, answer }).into()
    }

    /// Sends it with one header more, unless it has that, and reads the answer that counts. No answer at all has the
    /// status 0.
    pub fn send(&self, socket: &Path, (name, value): (&str, &str), places: &Substitutions) -> Result<Answer> {
        let mut call = self.clone();
        if !call.has(name) {
            call.headers.push(format!("{name}: {value}"));
        }
        let mut connection = Connection::open(socket)?;
        // A daemon that does not want all of a body answers and closes while it is still being written.
        let _ = connection.write(&call.bytes(places));
        let mut answer = connection.read();
        for _ in 1..self.answer {
            answer = connection.read();
        }
        Ok(answer.unwrap_or_else(|_| Answer { status: 0, headers: Vec::new(), body: Vec::new() }))
    }

    fn bytes(&self, places: &Substitutions) -> Vec<u8> {
        let mut head = format!("{} HTTP/1.1\r\n", places.fill(&self.line));
        let mut body = self.body.bytes(places);
        let mut framing = String::new();
        if let Some(size) = self.chunk {
            body = chunked(&body, size);
            framing.push_str("Transfer-Encoding: chunked");
        } else if self.framing == Framing::Length && (!body.is_empty() || self.line.starts_with("POST ")) {
            framing = format!("Content-Length: {}", body.len());
        }
        if self.has("Content-Length") || self.has("Transfer-Encoding") {
            framing.clear();
        }
        let headers = ["Host: localhost".to_owned()].into_iter().chain(self.headers.clone()).chain([framing]);
        headers.filter(|header| !header.is_empty()).for_each(|header| head.extend([&header, "\r\n"]));
        head.push_str("\r\n");
        [head.into_bytes(), body].concat()
    }

    fn has(&self, name: &str) -> bool {
        let mut names = self.headers.iter().filter_map(|header| Some(header.split_once(':')?.0));
        names.any(|other| other.eq_ignore_ascii_case(name))
    }
}

impl From<Written> for Call {
    fn from(written: Written) -> Self {
        let Whole { line, headers, body, chunk, framing, answer } = match written {
            Written::Line(line) => return Self::new(line),
            Written::Whole(whole) => whole,
        };
        let json = || if body.is_empty() { Vec::new() } else { vec!["Content-Type: application/json".to_owned()] };
        Self { line, headers: headers.unwrap_or_else(json), body, chunk, framing, answer }
    }
}

// === impl Body ===

impl Body {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }

    fn bytes(&self, places: &Substitutions) -> Vec<u8> {
        match self {
            Self::Json(json) => places.fill(&Value::Object(json.clone()).to_string()).into_bytes(),
            Self::Text(text) => places.fill(text).into_bytes(),
            Self::Pieces(pieces) => pieces.iter().fold(Vec::new(), |mut bytes, piece| {
                bytes.extend(piece.bytes(bytes.len(), places));
                bytes
            }),
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Piece {
    /// `before` is how many bytes the body has already.
    fn bytes(&self, before: usize, places: &Substitutions) -> Vec<u8> {
        match self {
            Self::Text(text) => places.fill(text).into_bytes(),
            Self::Hex { hex } => {
                let digits: Vec<u8> =
                    hex.chars().filter_map(|digit| digit.to_digit(16)?.try_into().ok()).collect::<Vec<u8>>();
                digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect()
            }
            Self::Repeated { repeat, times } => repeat.repeat(*times).into_bytes(),
            Self::Padded { pad, to } => pad.repeat(to.saturating_sub(before)).into_bytes(),
        }
    }
}

// === impl Substitutions ===

impl Substitutions {
    /// `{host}` becomes what stands for `host`.
    pub fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }
}

fn first() -> usize {
    1
}

fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len());
    for chunk in body.chunks(size) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}
