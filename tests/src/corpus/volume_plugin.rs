//! A plugin that nobody should trust: every volume of it is the root of the host. It drives networks and logs as well, as far as it takes
//! to make them.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use serde_json::{Value, json};

use crate::error::{Doing, Result};

/// The volumes that were made.
#[derive(Default)]
struct Volumes(BTreeSet<String>);

/// Serves it on this socket, as long as the program runs.
pub fn serve(socket: &Path) -> Result<()> {
    let listener = UnixListener::bind(socket).doing_to("listening on", socket)?;
    thread::spawn(move || {
        let mut volumes = Volumes::default();
        listener.incoming().flatten().for_each(|stream| drop(volumes.answer(&stream)));
    });
    Ok(())
}

// === impl Volumes ===

impl Volumes {
    fn answer(&mut self, stream: &UnixStream) -> io::Result<()> {
        let (call, body) = read(stream)?;
        let reply = self.reply(&call, &body).to_string();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", reply.len());
        let mut stream = stream;
        stream.write_all([head, reply].concat().as_bytes())
    }

    fn reply(&mut self, call: &str, body: &Value) -> Value {
        let name = body.get("Name").and_then(Value::as_str).unwrap_or_default();
        match call {
            "/Plugin.Activate" => json!({ "Implements": ["VolumeDriver", "NetworkDriver", "LogDriver"] }),
            "/NetworkDriver.GetCapabilities" => json!({ "Scope": "local" }),
            "/VolumeDriver.Get" if !self.0.contains(name) => json!({ "Err": "no such volume" }),
            "/VolumeDriver.Create" => {
                self.0.insert(name.to_owned());
                json!({ "Err": "" })
            }
            _ => json!({ "Mountpoint": "/", "Volume": { "Name": name, "Mountpoint": "/" }, "Err": "" }),
        }
    }
}

/// The path of a call and its body.
fn read(stream: &UnixStream) -> io::Result<(String, Value)> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        let (name, value) = line.trim_end().split_once(": ").unwrap_or_default();
        if name.eq_ignore_ascii_case("Content-Length") {
            length = value.parse().unwrap_or_default();
        }
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    let path = first.split(' ').nth(1).unwrap_or_default();
    Ok((path.to_owned(), serde_json::from_slice(&body).unwrap_or_default()))
}
