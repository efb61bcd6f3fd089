//! `portcullis ready`

use std::thread::sleep;
use std::time::{Duration, Instant};

use hyper::{Method, StatusCode};
use portcullis_status::health::Readiness;

use crate::admin::{Call, parse, succeeded};
use crate::args::Ready;
use crate::exit::Exit;
use crate::out::{self, fail, say};
use crate::patience::Patience;

/// How soon a host that is waited for is asked again.
const AGAIN: Duration = Duration::from_millis(100);
/// The last time, it is asked for this long at least: its answer says more than that none came.
const SHORTEST: Duration = Duration::from_secs(1);

pub(crate) fn run(args: &Ready) -> Exit {
    ready(args).unwrap_or_else(|exit| exit)
}

fn ready(args: &Ready) -> Result<Exit, Exit> {
    let readiness = await_ready(args)?;
    if args.json {
        out::json(&readiness)?;
    } else {
        print(&readiness);
    }
    Ok(if readiness.is_ready { Exit::Done } else { Exit::Failed })
}

/// Asks until the host is ready, or the time is over; one that cannot be reached yet is waited for, too.
fn await_ready(args: &Ready) -> Result<Readiness, Exit> {
    let deadline = (args.wait > 0).then(|| Instant::now() + Duration::from_secs(args.wait));
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let limit = left.map_or(Duration::MAX, |left| left.max(SHORTEST));
        let call = Call::new(Method::GET, "/v1/health/ready").patience(Patience::QUICK);
        let answer = call.attempt_within(&args.host, limit)?;
        let is_last = deadline.is_none_or(|deadline| Instant::now() >= deadline);
        match answer {
            Ok((StatusCode::SERVICE_UNAVAILABLE, body)) if is_last => return parse(&body),
            Ok((StatusCode::SERVICE_UNAVAILABLE, _)) => {}
            Ok((status, body)) => return parse(&succeeded(status, body)?),
            Err(problem) if is_last => return Err(fail(Exit::Failed, problem)),
            Err(_) => {}
        }
        sleep(AGAIN);
    }
}

fn print(readiness: &Readiness) {
    say!("{}", if readiness.is_ready { "ready" } else { "not ready" });
    readiness
        .denying
        .iter()
        .for_each(|finding| say!("  calls are denied: {}", finding.to_string().replace('\n', "\n    ")));
    readiness.warnings.iter().for_each(|finding| say!("  warning: {}", finding.to_string().replace('\n', "\n    ")));
}
