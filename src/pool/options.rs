//! What can be set of a pool.

use std::time::Duration;

use thiserror::Error;

/// How many connections, how long, and what happens when there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// So many are kept open even if nobody asks for one.
    pub min: u32,
    /// So many at most are in the pool: lent, idle, being opened, checked or closed.
    pub max: u32,
    /// What is done for a caller when all of [`max`](Self::max) are lent.
    pub exhausted: Exhausted,
    /// So many short-lived connections at most beside the pool, for [`Exhausted::Extra`]. One is
    /// closed when it comes back and nobody waits for it.
    pub extra_max: u32,
    /// How long a caller of [`checkout`](super::Pool::checkout) waits at most, for a connection or
    /// for a server that does not answer.
    pub wait_max: Duration,
    /// So many callers wait at most; the next one is told [`Full`](super::PoolError::Full).
    pub queue_max: usize,
    /// An idle one is closed after so long where there are more than [`min`](Self::min).
    pub idle_max: Option<Duration>,
    /// One that has been open for so long is closed as soon as it is idle, and replaced.
    pub age_max: Option<Duration>,
    /// How often an idle one is checked where the server does not say how long it waits. Where it
    /// does, it is seven eighths of that.
    pub beat: Option<Duration>,
    /// The rest after a connection could not be opened: doubled each time, up to
    /// [`retry_max`](Self::retry_max). Meanwhile one at a time tries for all.
    pub retry_min: Duration,
    /// The longest rest between two attempts.
    pub retry_max: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            min: 0,
            max: 8,
            exhausted: Exhausted::Wait,
            extra_max: 0,
            wait_max: Duration::from_secs(5),
            queue_max: 1_024,
            idle_max: Some(Duration::from_secs(600)),
            age_max: Some(Duration::from_secs(3_600)),
            beat: Some(Duration::from_secs(30)),
            retry_min: Duration::from_millis(20),
            retry_max: Duration::from_secs(1),
        }
    }
}

impl Options {
    pub(super) fn check(&self) -> Result<(), SetupError> {
        if self.max == 0 {
            return Err(SetupError::NoRoom);
        }
        if self.min > self.max {
            return Err(SetupError::MinAboveMax);
        }
        Ok(())
    }
}

/// What is done for a caller when all pooled connections are lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhausted {
    /// It waits its turn.
    Wait,
    /// It gets a short-lived connection; where there are `extra_max` of those, it waits.
    Extra,
    /// It is told so at once. Nor does it wait for a server that does not answer.
    Refuse,
}

/// Why there is no pool.
#[derive(Debug, Error)]
pub enum SetupError {
    /// [`Options::max`] is zero.
    #[error("a pool needs room for a connection: `max` is 0")]
    NoRoom,
    /// [`Options::min`] is above [`Options::max`].
    #[error("`min` is above `max`")]
    MinAboveMax,
    /// The thread that keeps the idle ones alive could not be started.
    #[error("the pool's keeper could not be started: {0}")]
    Keeper(#[from] std::io::Error),
}
