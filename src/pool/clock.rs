//! The pool's own clock: a pool blocks its callers and belongs to no loop.
//!
//! It goes on while the machine is suspended, as the servers at the other end do: what has slept
//! for an hour is checked before it is lent.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

#[derive(Debug)]
pub(super) struct Clock {
    began: Duration,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { began: boot() }
    }

    /// Time since the pool began.
    pub(super) fn now(&self) -> Duration {
        boot().saturating_sub(self.began)
    }
}

fn boot() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default()
}
