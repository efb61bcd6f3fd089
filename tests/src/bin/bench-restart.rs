//! Restarts Portcullis under the calls of a real dockerd, and counts who was denied or allowed wrongly.
//!
//! `bench-restart [--restarts N] [--only terminate|hand-over|kill] [--json]`, or `make bench-restart` (as root).
//!
//! It fails if a call was denied wrongly by SIGTERM or by a hand-over, or allowed wrongly at all. `kill -9` may lose calls.

use std::process::ExitCode;

use portcullis_tests::measure::{self, Arguments};
use portcullis_tests::restart::{Report, Restart, Scene};
use portcullis_tests::{Error, Result};

const USAGE: &str = "bench-restart [--restarts N] [--only terminate|hand-over|kill] [--json]";
const RESTARTS: u64 = 50;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench-restart: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    let mut arguments = Arguments::of_program();
    let is_json = arguments.flag("--json");
    let restarts = arguments.number("--restarts", RESTARTS)?;
    let kinds = match arguments.text("--only").as_deref() {
        None => vec![Restart::Terminate, Restart::HandOver, Restart::Kill],
        Some("terminate") => vec![Restart::Terminate],
        Some("hand-over") => vec![Restart::HandOver],
        Some("kill") => vec![Restart::Kill],
        Some(other) => return Err(Error::Unexpected(format!("unknown restart `{other}`; usage: {USAGE}"))),
    };
    arguments.finish(USAGE)?;
    let mut reports = Vec::new();
    for kind in kinds {
        // Nothing that one kind breaks is counted for another.
        reports.push(Scene::set()?.run(kind, restarts)?);
    }
    measure::show(&reports, is_json, |reports| reports.iter().for_each(Report::print))?;
    Ok(reports.iter().all(Report::is_good))
}
