//! What stands between dockerd and a plugin, and writes down each call with the plugin's answer. Both get what the other sent.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::Value;

use crate::error::{Doing, Error, Result};
use crate::http::{Answer, Connection};
use crate::plugin::{self, Reply};

const MAX_HEADERS: usize = 32;

/// It takes no more connections when this is dropped.
#[derive(Debug)]
pub struct Recorder {
    socket: PathBuf,
    seen: Arc<Mutex<Vec<Seen>>>,
    stopped: Arc<AtomicBool>,
}

/// A call to the daemon, and what the plugin said.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The plugin call, as dockerd sent it.
    pub call: Value,
    pub reply: Reply,
}

// === impl Recorder ===

impl Recorder {
    /// Listens on `socket`, and asks the plugin that listens on `plugin`.
    pub fn between(socket: &Path, plugin: &Path) -> Result<Self> {
        let listener = UnixListener::bind(socket).doing_to("listening on", socket)?;
        let (seen, stopped) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let (socket, plugin) = (socket.to_owned(), plugin.to_owned());
        let (book, stop) = (Arc::clone(&seen), Arc::clone(&stopped));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let (book, plugin) = (Arc::clone(&book), plugin.clone());
                // A connection that breaks is for dockerd to tell.
                thread::spawn(move || drop(pass_on(client, &plugin, &book)));
            }
        });
        Ok(Self { socket, seen, stopped })
    }

    /// The calls of one user so far, in their order.
    pub fn calls_of(&self, user: &str) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().filter(|seen| seen.call.get("User").and_then(Value::as_str) == Some(user)).cloned().collect()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // So that it looks.
        let _ = UnixStream::connect(&self.socket);
    }
}

fn pass_on(mut client: UnixStream, plugin: &Path, seen: &Mutex<Vec<Seen>>) -> Result<()> {
    let mut host = Connection::open(plugin)?;
    let mut unread = Vec::new();
    while let Some((path, head, body)) = read_call(&mut client, &mut unread)? {
        host.write(&[head, body.clone()].concat())?;
        let answer = host.read()?;
        if path == plugin::REQUEST {
            let call = serde_json::from_slice(&body).map_err(|error| Error::Unexpected(error.to_string()))?;
            let reply = Reply::read(&answer)?;
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(Seen { call, reply });
        }
        client.write_all(&written(&answer)).doing("answering dockerd")?;
    }
    Ok(())
}

/// The path of a call, its head and its body.
type Parts = (String, Vec<u8>, Vec<u8>);

/// The next call; none at the end of the connection.
fn read_call(client: &mut UnixStream, unread: &mut Vec<u8>) -> Result<Option<Parts>> {
    let bad = |problem: String| Error::Unexpected(format!("a plugin call cannot be read: {problem}"));
    loop {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        let parsed = request.parse(unread).map_err(|error| bad(error.to_string()))?;
        if let httparse::Status::Complete(start) = parsed {
            let length = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("Content-Length"));
            let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse::<usize>().ok());
            let end = start + length.unwrap_or_default();
            if unread.len() >= end {
                let path = request.path.unwrap_or_default().to_owned();
                let mut head: Vec<u8> = unread.drain(..end).collect();
                let body = head.split_off(start);
                return Ok(Some((path, head, body)));
            }
        }
        let mut buffer = [0; 16 << 10];
        match client.read(&mut buffer).doing("reading from dockerd")? {
            0 if unread.is_empty() => return Ok(None),
            0 => return Err(bad("it is cut off".to_owned())),
            count => unread.extend(buffer.iter().take(count)),
        }
    }
}

fn written(answer: &Answer) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} -\r\nContent-Length: {}\r\n", answer.status, answer.body.len());
    let framing = ["Content-Length", "Transfer-Encoding"];
    for (name, value) in &answer.headers {
        if !framing.iter().any(|framing| framing.eq_ignore_ascii_case(name)) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    head.push_str("\r\n");
    [head.as_bytes(), &answer.body].concat()
}
