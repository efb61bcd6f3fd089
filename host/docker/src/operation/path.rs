//! How a path is matched to a route, as gorilla/mux does with the regular expression that it makes of it.

use std::ops::Range;

/// A part of a route's path.
#[derive(Debug)]
pub enum Piece {
    Literal(&'static str),
    /// `{name}`: one segment, not empty.
    Segment(&'static str),
    /// `{name:.*}` or `{name:.+}`: anything, slashes included; the longest that leaves the rest its match. In every route,
    /// at most one literal follows.
    Rest {
        name: &'static str,
        least: usize,
    },
}

/// Where in the path its named parts are.
#[derive(Clone, Debug, Default)]
pub struct Parameters(Vec<(&'static str, Range<usize>)>);

// === impl Parameters ===

impl Parameters {
    pub fn get<'p>(&self, path: &'p str, name: &str) -> Option<&'p str> {
        let (_, range) = self.0.iter().find(|(other, _)| *other == name)?;
        path.get(range.clone())
    }
}

pub(super) fn matches(pieces: &[Piece], path: &str) -> Option<Parameters> {
    let mut at = 0;
    let mut parameters = Vec::new();
    let mut pieces = pieces.iter();
    while let Some(piece) = pieces.next() {
        let rest = path.get(at..)?;
        let (name, len) = match *piece {
            Piece::Literal(literal) => {
                rest.strip_prefix(literal)?;
                at += literal.len();
                continue;
            }
            Piece::Segment(name) => (name, rest.find('/').unwrap_or(rest.len())),
            Piece::Rest { name, .. } => {
                let tail = if let Some(Piece::Literal(tail)) = pieces.as_slice().first() { tail } else { "" };
                (name, rest.strip_suffix(tail)?.len())
            }
        };
        let least = if let Piece::Rest { least, .. } = piece { *least } else { 1 };
        if len < least {
            return None;
        }
        parameters.push((name, at..at + len));
        at += len;
    }
    (at == path.len()).then_some(Parameters(parameters))
}
