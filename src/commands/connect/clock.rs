//! The clocks of a command that waits for a person and a server at once: nothing of the daemon.

use std::time::{Duration, Instant, SystemTime};

/// So long from now; a point that nobody lives to see is none.
pub(super) fn after(span: Duration) -> Option<Instant> {
    Instant::now().checked_add(span)
}

/// How long until then; `None` where it is over.
pub(super) fn left(until: Instant) -> Option<Duration> {
    until.checked_duration_since(Instant::now())
}

/// Milliseconds since 1970.
pub(super) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let since = since.unwrap_or_default().as_millis();
    u64::try_from(since).unwrap_or(u64::MAX)
}
