//! A collector of OTLP over HTTP, on loopback: keeps what arrives, and answers as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::error::{Doing, Error, Result};

const DEADLINE: Duration = Duration::from_secs(60);

/// Answers until it is dropped.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    received: Vec<Received>,
    /// What the next calls are answered with, the last one first; then 200.
    answers: Vec<(u16, String)>,
    stopped: bool,
}

/// One call.
#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    pub content_type: String,
    pub body: Value,
    /// What it was answered with.
    pub status: u16,
}

// === impl Collector ===

impl Collector {
    pub fn start() -> Result<Self> {
        Self::at("127.0.0.1:0")
    }

    /// At an address where somebody will look for it.
    pub fn at(address: &str) -> Result<Self> {
        let listener = TcpListener::bind(address).doing("binding a collector")?;
        let address = listener.local_addr().doing("asking for an address")?;
        let shared = Arc::new(Mutex::new(Shared::default()));
        let kept = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if lock(&kept).stopped {
                    return;
                }
                // A call that breaks off is its sender's to tell.
                let _ = answer(&stream, &kept);
            }
        });
        Ok(Self { address, shared })
    }

    /// The next calls are answered so, in this order.
    pub fn answer_next(&self, answers: &[(u16, &str)]) {
        let answers = answers.iter().rev().map(|(status, body)| (*status, (*body).to_owned()));
        lock(&self.shared).answers = answers.collect();
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn received(&self) -> Vec<Received> {
        lock(&self.shared).received.clone()
    }

    /// Every span of the calls that were taken.
    pub fn spans(&self) -> Vec<Value> {
        self.items("/resourceSpans/0/scopeSpans/0/spans")
    }

    /// Every log record of the calls that were taken.
    pub fn log_records(&self) -> Vec<Value> {
        self.items("/resourceLogs/0/scopeLogs/0/logRecords")
    }

    fn items(&self, pointer: &str) -> Vec<Value> {
        let taken = self.received().into_iter().filter(|received| received.status == 200);
        let items = |received: Received| received.body.pointer(pointer).and_then(Value::as_array).cloned();
        taken.filter_map(items).flatten().collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        lock(&self.shared).stopped = true;
        // Wakes the thread; an error means that it is gone.
        let _ = TcpStream::connect(self.address);
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(stream: &TcpStream, shared: &Mutex<Shared>) -> Result<()> {
    stream.set_read_timeout(Some(DEADLINE)).doing("setting a timeout")?;
    let mut reader = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).doing("reading a call").map(|_| line.trim_end().to_owned())
    };
    let first = line()?;
    let (mut length, mut content_type) = (0, String::new());
    loop {
        let header = line()?;
        let Some((name, value)) = header.split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or_default(),
            "content-type" => value.trim().clone_into(&mut content_type),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).doing("reading a call")?;
    let body = serde_json::from_slice(&body).map_err(|error| Error::Unexpected(error.to_string()))?;
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let (status, told) = {
        let mut shared = lock(shared);
        let (status, told) = shared.answers.pop().unwrap_or_else(|| (200, "{}".to_owned()));
        shared.received.push(Received { path, content_type, body, status });
        (status, told)
    };
    let mut writer = stream;
    write!(
        writer,
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{told}",
        told.len()
    )
    .doing("answering a call")
}
