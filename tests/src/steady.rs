//! A steady load: questions on a schedule that does not wait for answers. A time is counted from when the question was due.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::http::Connection;
use crate::plugin::Reply;

/// Questions in a second.
pub const RATE: u32 = 200;
/// Enough that none is waited for until an answer takes a third of a second.
const CONNECTIONS: u32 = 64;

/// What was told.
#[derive(Debug, Default)]
pub struct Heard {
    pub times: Vec<Duration>,
    pub denied: u64,
    pub lost: u64,
}

/// Asks the same at a listener for so long.
pub fn listen(socket: &Path, call: &[u8], time: Duration) -> Heard {
    let start = Instant::now() + Duration::from_millis(10);
    let count = u32::try_from(time.as_millis() * u128::from(RATE) / 1000).unwrap_or(u32::MAX);
    let parts = thread::scope(|scope| {
        let callers = (0..CONNECTIONS).map(|first| {
            let due = (first..count)
                .step_by(CONNECTIONS as usize)
                .map(move |turn| start + turn * (Duration::from_secs(1) / RATE));
            scope.spawn(move || ask_on_schedule(socket, call, due))
        });
        let callers: Vec<_> = callers.collect();
        callers.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let mut all = Heard::default();
    for part in parts {
        // Who panicked heard nothing.
        let part = part.unwrap_or(Heard { lost: 1, ..Heard::default() });
        all.times.extend(part.times);
        all.denied += part.denied;
        all.lost += part.lost;
    }
    all
}

fn ask_on_schedule(socket: &Path, call: &[u8], schedule: impl Iterator<Item = Instant>) -> Heard {
    let mut heard = Heard::default();
    let mut connection = Connection::open(socket);
    for due in schedule {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let answer = connection.as_mut().map_err(|error| Error::Unexpected(error.to_string())).and_then(|connection| {
            connection.write(call)?;
            Reply::read(&connection.read()?)
        });
        match answer {
            Ok(reply) => {
                heard.times.push(due.elapsed());
                heard.denied += u64::from(!reply.allow);
            }
            Err(_) => {
                heard.lost += 1;
                connection = Connection::open(socket);
            }
        }
    }
    heard
}
