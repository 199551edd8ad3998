//! Whether a deadline was neither early nor late.

use std::time::Duration;

use pulsegate::{CloseReason, ConnId};

use super::agenda::{MILLI, Nanos, nanos};
use super::facts::Stamp;

/// The end of a connection by a deadline.
pub(crate) struct Deadline {
    pub(crate) conn: ConnId,
    pub(crate) reason: CloseReason,
    pub(crate) clock: Stamp,
    /// How often the application made it wait since it was heard last, and how long.
    pub(crate) waited: (u64, Nanos),
    /// When the span became what it is.
    pub(crate) retuned: Option<Stamp>,
    pub(crate) slack: Nanos,
}

impl Deadline {
    /// Not before `span` has passed since `since`, and where it is to be `exact`, soon after.
    pub(crate) fn judge(&self, span: Option<Duration>, since: Stamp, exact: bool) {
        let Self {
            conn,
            reason,
            clock,
            ..
        } = *self;
        let span = nanos(span.unwrap_or_else(|| panic!("{conn}: {reason} is off")));
        let passed = clock.at - since.at;
        let uncounted = self.uncounted(since);
        assert!(
            passed >= span + uncounted,
            "{conn}: {reason} after {passed} ns, early: {span} ns, {uncounted} ns not counted"
        );
        let excuse = clock.lag - since.lag + self.slack;
        let is_new = self.retuned.is_some_and(|retuned| {
            let lag = clock.lag - retuned.lag;
            clock.at <= retuned.at + lag + self.slack
        });
        assert!(
            !exact || is_new || passed <= span + excuse,
            "{conn}: {reason} after {passed} ns, late: {span} ns and {excuse} ns of excuses",
        );
    }

    /// What is nobody's silence: what the loop slept through, and where the application took its
    /// time, each pause rounded to ticks. A lifetime goes by real time.
    fn uncounted(&self, since: Stamp) -> Nanos {
        let stalled = self.clock.stall - since.stall;
        let (waits, waited) = self.waited;
        match self.reason {
            CloseReason::Lifetime => 0,
            CloseReason::IdleTimeout => stalled + waited.saturating_sub(waits * 2 * MILLI),
            _ => stalled,
        }
    }
}
