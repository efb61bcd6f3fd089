//! HTTP/1.1 over a unix socket or TLS, written byte by byte: what no well-behaved client would send can be sent too.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::error::{Doing, Error, Result};
use crate::wait::DEADLINE;

const MAX_HEADERS: usize = 64;

/// Something that carries bytes both ways.
pub trait Stream: Read + Write + Send + std::fmt::Debug {
    /// Says that nothing more will be written.
    fn finish(&mut self) -> std::io::Result<()>;
}

impl Stream for UnixStream {
    fn finish(&mut self) -> std::io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Stream for TcpStream {
    fn finish(&mut self) -> std::io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

/// One connection, which may carry several calls.
#[derive(Debug)]
pub struct Connection {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// How far the body goes.
enum Framing {
    Length(usize),
    Chunked,
    UntilClosed,
}

/// A well-formed call. Give `Host` or `Content-Length` among the headers to replace the ordinary ones.
pub fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let given = |name: &str| headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    if !given("Host") {
        head.push_str("Host: localhost\r\n");
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !given("Content-Length") && !given("Transfer-Encoding") && (!body.is_empty() || method == "POST") {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

/// A body as one chunk, for a call with `Transfer-Encoding: chunked`.
pub fn chunked(body: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
}

/// Sends these bytes on a new connection and reads one answer.
pub fn send(socket: &Path, bytes: &[u8]) -> Result<Answer> {
    let mut connection = Connection::open(socket)?;
    connection.write(bytes)?;
    connection.read()
}

// === impl Connection ===

impl Connection {
    pub fn open(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket).doing_to("connecting to", socket)?;
        stream.set_read_timeout(Some(DEADLINE)).doing("setting a timeout")?;
        stream.set_write_timeout(Some(DEADLINE)).doing("setting a timeout")?;
        Ok(Self::over(stream))
    }

    pub fn over(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), unread: Vec::new() }
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).doing("writing to the socket")
    }

    /// Says that nothing more will be written.
    pub fn finish(&mut self) -> Result<()> {
        self.stream.finish().doing("closing the socket for writing")
    }

    /// Reads one answer to its end.
    pub fn read(&mut self) -> Result<Answer> {
        loop {
            if let Some((mut answer, length)) = parse_head(&self.unread)? {
                self.unread.drain(..length);
                answer.body = self.read_body(&answer)?;
                return Ok(answer);
            }
            if self.read_more()? == 0 {
                return Err(bad("the connection was closed", &self.unread));
            }
        }
    }

    /// The status of the next answer, of which nothing else is waited for.
    pub fn read_status(&mut self) -> Result<u16> {
        loop {
            if let Some((answer, _)) = parse_head(&self.unread)? {
                return Ok(answer.status);
            }
            if self.read_more()? == 0 {
                return Err(bad("the connection was closed", &self.unread));
            }
        }
    }

    /// Whether the other side has closed without another byte.
    pub fn is_closed(&mut self) -> Result<bool> {
        Ok(self.unread.is_empty() && self.read_more()? == 0)
    }

    fn read_body(&mut self, answer: &Answer) -> Result<Vec<u8>> {
        match framing(answer)? {
            Framing::Length(length) => {
                while self.unread.len() < length && self.read_more()? > 0 {}
                if self.unread.len() < length {
                    return Err(bad("the body is cut off", &self.unread));
                }
                Ok(self.unread.drain(..length).collect())
            }
            Framing::Chunked => self.read_chunks(),
            Framing::UntilClosed => {
                while self.read_more()? > 0 {}
                Ok(std::mem::take(&mut self.unread))
            }
        }
    }

    fn read_chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let parsed = httparse::parse_chunk_size(&self.unread).map_err(|_| bad("a bad chunk", &self.unread))?;
            if let httparse::Status::Complete((start, size)) = parsed {
                let size = usize::try_from(size).map_err(|_| bad("a huge chunk", &self.unread))?;
                let end = start + size;
                while self.unread.len() < end + 2 && self.read_more()? > 0 {}
                let chunk = self.unread.get(start..end).ok_or_else(|| bad("a chunk is cut off", &self.unread))?;
                body.extend_from_slice(chunk);
                self.unread.drain(..(end + 2).min(self.unread.len()));
                if size == 0 {
                    return Ok(body);
                }
            } else if self.read_more()? == 0 {
                return Err(bad("the chunks are cut off", &self.unread));
            }
        }
    }

    fn read_more(&mut self) -> Result<usize> {
        let mut buffer = [0; 16 << 10];
        let count = self.stream.read(&mut buffer).doing("reading from the socket")?;
        self.unread.extend(buffer.iter().take(count));
        Ok(count)
    }
}

// === impl Answer ===

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).map_err(|error| bad(&error.to_string(), &self.body))
    }
}

fn parse_head(bytes: &[u8]) -> Result<Option<(Answer, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(bytes).map_err(|error| bad(&error.to_string(), bytes))?;
    let httparse::Status::Complete(length) = parsed else { return Ok(None) };
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = response.headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect();
    Ok(Some((Answer { status: response.code.unwrap_or_default(), headers, body: Vec::new() }, length)))
}

fn framing(answer: &Answer) -> Result<Framing> {
    if answer.header("Transfer-Encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        return Ok(Framing::Chunked);
    }
    match answer.header("Content-Length") {
        Some(length) => length.parse().map(Framing::Length).map_err(|_| bad("a bad Content-Length", length.as_bytes())),
        None if matches!(answer.status, 100..200 | 204 | 304) => Ok(Framing::Length(0)),
        None => Ok(Framing::UntilClosed),
    }
}

fn bad(problem: &str, bytes: &[u8]) -> Error {
    let shown = bytes.get(..bytes.len().min(200)).unwrap_or_default();
    Error::BadAnswer { problem: problem.to_owned(), bytes: format!("{:?}", String::from_utf8_lossy(shown)) }
}
