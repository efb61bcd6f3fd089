//! One pass over the text, without recursion: what is open lies on a stack of its own.

use portcullis_document::{Builder, MAX_DEPTH, MAX_TEXT, Mark, Node, Span};

use super::error::{Failure, Problem};
use super::members::{Members, Taken};
use super::shape::{Counted, is_base64};
use super::{JsonError, Reading, Shape, fold, scan};

struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    builder: Builder,
    open: Vec<Open>,
    stray: Option<&'static str>,
    has_unknown: bool,
    /// The text is not the document's JSON as it is.
    is_respelt: bool,
    /// What is counted, where it is.
    counts: Option<[usize; Counted::KINDS]>,
}

/// A list or object of which the reader has not seen the end.
struct Open {
    mark: Mark,
    /// The key whose value is being read, and its name where only old daemons read it here.
    key: Span,
    stray: Option<&'static str>,
    of: Of,
    /// What its items are.
    counted: Option<Counted>,
    /// What the items of the value that is being read are.
    counted_below: Option<Counted>,
}

#[derive(Clone, Copy)]
enum Of {
    List(Shape),
    Pair(Shape),
    Map(Shape),
    /// An object of which no daemon's structure is known.
    Unknown,
    Structure(Members),
}

/// What a value turned out to be.
enum Step {
    Whole(Node),
    /// A list or object opened, and its first child has this shape.
    Opened(Shape),
}

pub(super) fn read(text: String, shape: Shape, is_bounded: bool) -> Result<Reading, JsonError> {
    if text.len() > MAX_TEXT {
        return Err(Failure { at: 0, problem: Problem::Size }.locate(text.as_bytes()));
    }
    let mut reader = Reader {
        text: &text,
        bytes: text.as_bytes(),
        at: 0,
        builder: Builder::new(text.len()),
        open: Vec::with_capacity(16),
        stray: None,
        has_unknown: false,
        is_respelt: false,
        counts: is_bounded.then_some([0; Counted::KINDS]),
    };
    match reader.document(shape) {
        Ok(root) => {
            let Reader { mut builder, stray, has_unknown, is_respelt, .. } = reader;
            if !is_respelt {
                builder.set_verbatim();
            }
            Ok(Reading { document: builder.finish(text, root), stray, has_unknown })
        }
        Err(problem) => Err(Failure { at: reader.at, problem }.locate(text.as_bytes())),
    }
}

// === impl Reader ===

impl Reader<'_> {
    fn document(&mut self, shape: Shape) -> Result<Node, Problem> {
        let mut shape = shape;
        loop {
            let mut node = match self.value(shape)? {
                Step::Whole(node) => node,
                Step::Opened(child) => {
                    shape = child;
                    continue;
                }
            };
            // Hand the value to what holds it, and close what it is the last of.
            shape = loop {
                let Some(open) = self.open.last() else { return self.end(node) };
                if let Some(counted) = open.counted {
                    count(&mut self.counts, counted)?;
                }
                match open.of {
                    Of::List(_) | Of::Pair(_) => self.builder.item(node),
                    Of::Map(_) | Of::Unknown => self.builder.member(open.key, node),
                    Of::Structure(_) => {
                        self.builder.member(open.key, node);
                        if open.stray.is_some() && node != Node::NULL {
                            self.stray = self.stray.or(open.stray);
                        }
                    }
                }
                match self.after_child()? {
                    Step::Whole(closed) => node = closed,
                    Step::Opened(child) => break child,
                }
            };
        }
    }

    fn end(&mut self, root: Node) -> Result<Node, Problem> {
        // Go's encoder ends every text with a line.
        let is_respelt = self.is_respelt;
        self.skip_space();
        self.is_respelt = is_respelt;
        if self.at == self.bytes.len() { Ok(root) } else { Err(Problem::Trailing) }
    }

    /// A comma and the shape of the next child, or the end of what is open.
    fn after_child(&mut self) -> Result<Step, Problem> {
        self.skip_space();
        let Some(open) = self.open.last() else { return Err(Problem::Trailing) };
        match (self.peek(), open.of) {
            (Some(b','), Of::List(item) | Of::Pair(item)) => {
                self.at += 1;
                Ok(Step::Opened(item))
            }
            (Some(b','), Of::Map(_) | Of::Unknown | Of::Structure(_)) => {
                self.at += 1;
                self.skip_space();
                Ok(Step::Opened(self.key()?))
            }
            (Some(b']'), Of::List(_) | Of::Pair(_)) | (Some(b'}'), Of::Map(_) | Of::Unknown | Of::Structure(_)) => {
                self.at += 1;
                self.close().map(Step::Whole)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn value(&mut self, shape: Shape) -> Result<Step, Problem> {
        self.skip_space();
        match self.peek() {
            Some(b'"') => self.string_value(shape).map(Step::Whole),
            Some(b'{') => self.open_object(shape),
            Some(b'[') => self.open_list(shape),
            Some(b'-' | b'0'..=b'9') => self.number(shape).map(Step::Whole),
            Some(b'n') => self.literal("null", Node::NULL),
            Some(b't') => self.boolean(shape, "true", true),
            Some(b'f') => self.boolean(shape, "false", false),
            _ => Err(self.unexpected()),
        }
    }

    fn literal(&mut self, literal: &str, node: Node) -> Result<Step, Problem> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if !rest.starts_with(literal.as_bytes()) {
            return Err(self.unexpected());
        }
        self.at += literal.len();
        Ok(Step::Whole(node))
    }

    fn boolean(&mut self, shape: Shape, literal: &str, value: bool) -> Result<Step, Problem> {
        if !shape.is_free() && !matches!(shape, Shape::Boolean) {
            return Err(self.wrong_type(shape));
        }
        self.literal(literal, Node::boolean(value))
    }

    fn number(&mut self, shape: Shape) -> Result<Node, Problem> {
        let start = self.at;
        let end = scan::number_end(self.bytes, start)?;
        let number = self.text.get(start..end).unwrap_or_default();
        if !shape.takes_number(number) {
            return Err(self.wrong_type(shape));
        }
        self.at = end;
        Ok(Node::number(Span::new(start, end - start)))
    }

    fn string_value(&mut self, shape: Shape) -> Result<Node, Problem> {
        if matches!(shape, Shape::Text | Shape::Any | Shape::Unknown) {
            return self.string().map(Node::text);
        }
        if matches!(shape, Shape::Texts) {
            self.is_respelt = true;
            let mark = self.builder.mark();
            let text = self.string().map(Node::text)?;
            self.builder.item(text);
            return Ok(self.builder.close_list(mark));
        }
        let start = self.at;
        if matches!(shape, Shape::Base64) {
            let text = self.string()?;
            if is_base64(self.builder.str(self.text, text)) {
                return Ok(Node::text(text));
            }
        }
        self.at = start;
        Err(self.wrong_type(shape))
    }

    /// The string whose opening quote is next.
    fn string(&mut self) -> Result<Span, Problem> {
        let start = self.at + 1;
        let end = scan::plain_end(self.bytes, start);
        if self.bytes.get(end) == Some(&b'"') {
            self.at = end + 1;
            return Ok(Span::new(start, end - start));
        }
        self.escaped_string(start, end)
    }

    /// The rest of a string that is plain from `start` to `end`.
    fn escaped_string(&mut self, start: usize, end: usize) -> Result<Span, Problem> {
        let unescaped = self.builder.unescaped_len();
        let (mut start, mut end) = (start, end);
        loop {
            self.builder.unescaped_mut().push_str(self.text.get(start..end).unwrap_or_default());
            self.at = end;
            match self.peek() {
                Some(b'"') => {
                    self.at = end + 1;
                    return Ok(self.builder.unescaped_since(unescaped));
                }
                Some(b'\\') => {
                    let (character, len) = scan::escape(self.bytes, end)?;
                    // Half a surrogate pair is one too, and no JSON to most.
                    self.is_respelt |= character == char::REPLACEMENT_CHARACTER;
                    self.builder.unescaped_mut().push(character);
                    start = end + len;
                    end = scan::plain_end(self.bytes, start);
                }
                Some(_) => return Err(Problem::Control),
                None => return Err(Problem::End),
            }
        }
    }

    fn open_list(&mut self, shape: Shape) -> Result<Step, Problem> {
        let (of, item) = match shape {
            Shape::List(item) => (Of::List(*item), *item),
            Shape::Texts => (Of::List(Shape::Text), Shape::Text),
            Shape::Pair(item) => (Of::Pair(*item), *item),
            Shape::Any | Shape::Unknown => (Of::List(shape), shape),
            Shape::Boolean
            | Shape::Text
            | Shape::Base64
            | Shape::Integer(_)
            | Shape::Float32
            | Shape::Map(_)
            | Shape::Structure(_) => {
                return Err(self.wrong_type(shape));
            }
        };
        self.enter(of)?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return self.close().map(Step::Whole);
        }
        Ok(Step::Opened(item))
    }

    fn open_object(&mut self, shape: Shape) -> Result<Step, Problem> {
        let of = match shape {
            Shape::Structure(of) => Of::Structure(Members::new(of)),
            Shape::Map(value) => Of::Map(*value),
            Shape::Any => Of::Map(Shape::Any),
            Shape::Unknown => Of::Unknown,
            Shape::Boolean
            | Shape::Text
            | Shape::Base64
            | Shape::Integer(_)
            | Shape::Float32
            | Shape::Texts
            | Shape::List(_)
            | Shape::Pair(_) => {
                return Err(self.wrong_type(shape));
            }
        };
        self.enter(of)?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return self.close().map(Step::Whole);
        }
        self.key().map(Step::Opened)
    }

    fn enter(&mut self, of: Of) -> Result<(), Problem> {
        if self.open.len() == MAX_DEPTH {
            return Err(Problem::Depth);
        }
        self.at += 1;
        self.skip_space();
        let of_list = |open: &Open| matches!(open.of, Of::Structure(_)) || matches!(of, Of::List(_));
        let counted = self.open.last().filter(|open| of_list(open)).and_then(|open| open.counted_below);
        // Each binding of a port counts, too, and each capability that a device must have.
        let counted_below = counted.filter(|counted| {
            *counted == Counted::Ports && matches!(of, Of::Map(_))
                || *counted == Counted::Names && matches!(of, Of::List(_))
        });
        let mark = self.builder.mark();
        self.open.push(Open { mark, key: Span::default(), stray: None, of, counted, counted_below });
        Ok(())
    }

    /// A key and its colon; the answer is its value's shape.
    fn key(&mut self) -> Result<Shape, Problem> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected());
        }
        let Some(open) = self.open.last() else { return Err(Problem::Trailing) };
        let shape = match open.of {
            Of::Structure(members) => self.field(members)?,
            Of::Map(shape) | Of::List(shape) | Of::Pair(shape) => self.free_key(shape)?,
            Of::Unknown => self.free_key(Shape::Unknown)?,
        };
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(shape)
    }

    fn free_key(&mut self, value: Shape) -> Result<Shape, Problem> {
        let key = self.string()?;
        if let Some(open) = self.open.last_mut() {
            open.key = key;
        }
        Ok(value)
    }

    /// The key of a structure's member, in the structure's spelling.
    fn field(&mut self, members: Members) -> Result<Shape, Problem> {
        let mut members = members;
        let start = self.at + 1;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let (mut key, taken) = match members.take_expected(rest) {
            Some((len, taken)) => {
                self.at = start + len + 1;
                (Span::new(start, len), taken)
            }
            None => {
                let key = self.string()?;
                (key, members.take(self.builder.str(self.text, key)))
            }
        };
        let (shape, stray, counted) = match taken {
            Taken::Field { field, exact } => {
                if !exact {
                    self.is_respelt = true;
                    key = self.builder.unescaped(field.name);
                }
                (field.shape, field.stray.then_some(field.name), field.counted)
            }
            Taken::Unknown => {
                self.has_unknown = true;
                (Shape::Unknown, None, None)
            }
            Taken::Repeated => return Err(self.repeated(key)),
        };
        if let Some(open) = self.open.last_mut() {
            (open.key, open.stray, open.of, open.counted_below) = (key, stray, Of::Structure(members), counted);
        }
        Ok(shape)
    }

    fn close(&mut self) -> Result<Node, Problem> {
        let Some(Open { mark, of, .. }) = self.open.pop() else { return Err(Problem::Trailing) };
        match of {
            Of::List(_) => Ok(self.builder.close_list(mark)),
            Of::Pair(_) if self.builder.open_items(mark) > 2 => Err(self.wrong_type(Shape::Pair(&Shape::Any))),
            Of::Pair(_) => Ok(self.builder.close_list(mark)),
            Of::Structure(members) if members.unknown() < 2 => Ok(self.builder.close_distinct_object(self.text, mark)),
            Of::Structure(_) | Of::Unknown => {
                if let Some(key) = fold::repeats(self.builder.open_keys(self.text, mark)) {
                    return Err(Problem::Repeated(key.to_owned()));
                }
                Ok(self.builder.close_distinct_object(self.text, mark))
            }
            Of::Map(_) => self.builder.close_object(self.text, mark).map_err(|duplicate| self.repeated(duplicate.key)),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.is_respelt = true;
            self.at += 1;
        }
    }

    fn unexpected(&self) -> Problem {
        let next = self.text.get(self.at..).and_then(|rest| rest.chars().next());
        next.map_or(Problem::End, Problem::Unexpected)
    }

    fn wrong_type(&self, shape: Shape) -> Problem {
        let holder = self.open.iter().rev().find(|open| !matches!(open.of, Of::List(_) | Of::Pair(_)));
        let member = holder.map_or("body", |open| self.builder.str(self.text, open.key));
        Problem::Type { member: member.to_owned(), expected: shape.expected() }
    }

    fn repeated(&mut self, key: Span) -> Problem {
        if key.start() < self.text.len() {
            self.at = key.start();
        }
        Problem::Repeated(self.builder.str(self.text, key).to_owned())
    }
}

/// One more of these. A binding counts here, and its port beside it: so twice as many are taken as of others, and
/// `rules/size.rs` counts exactly when all is read.
fn count(counts: &mut Option<[usize; Counted::KINDS]>, counted: Counted) -> Result<(), Problem> {
    let Some(count) = counts.as_mut().and_then(|counts| counts.get_mut(counted as usize)) else { return Ok(()) };
    *count += 1;
    let most = if counted == Counted::Ports { 2 * counted.most() } else { counted.most() };
    if *count > most { Err(Problem::TooMany(counted)) } else { Ok(()) }
}
