//! Tells a supervisor that asks for it, as systemd does of `Type=notify`, how far the host is: `sd_notify(3)`.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::sleep;
use tracing::warn;

/// The variable in which it says how often it wants to hear, in microseconds. `WATCHDOG_PID` is not asked, as the library would:
/// after a hand-over it names the host that was there before.
const WATCHDOG: &str = "WATCHDOG_USEC";

/// Every socket listens.
pub(crate) fn ready() {
    tell(NotifyState::Ready);
    status("serving");
}

/// What `systemctl status` shows of the host.
pub(crate) fn status(what: &str) {
    tell(NotifyState::Status(what));
}

pub(crate) fn stopping() {
    tell(NotifyState::Stopping);
}

/// Another process is the service's main one from now on.
pub(crate) fn succeeded_by(pid: u32) {
    tell(NotifyState::MainPid(pid));
}

/// Tells a supervisor that wants to know, again and again, that the host lives: whatever runs this runs the rest.
pub(crate) async fn live() {
    let Some(every) = watchdog(std::env::var(WATCHDOG).ok().as_deref()) else {
        return std::future::pending().await;
    };
    loop {
        tell(NotifyState::Watchdog);
        sleep(every).await;
    }
}

/// What cannot be told stops nothing: the supervisor has its own timeouts.
fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        warn!(%error, "the supervisor could not be notified");
    }
}

/// Half of the time after which the supervisor takes the host for dead (`sd_watchdog_enabled(3)`).
fn watchdog(microseconds: Option<&str>) -> Option<Duration> {
    let limit: u64 = microseconds?.parse().ok()?;
    (limit > 0).then(|| Duration::from_micros(limit / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supervisor_hears_twice_as_often_as_it_wants_to() {
        for (microseconds, expected) in
            [(Some("30000000"), Some(15)), (Some("0"), None), (Some(""), None), (Some("soon"), None), (None, None)]
        {
            assert_eq!(watchdog(microseconds), expected.map(Duration::from_secs), "{microseconds:?}");
        }
    }
}
