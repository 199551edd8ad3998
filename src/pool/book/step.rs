//! What the books tell those who come to them.

use std::time::Duration;

use super::{Kind, Loan};

/// What one who asks has to do next.
#[derive(Debug)]
pub(in crate::pool) enum Step<C> {
    /// Use it, or check it first where it [is doubtful](Loan::is_doubtful).
    Take(Loan<C>),
    /// Open one and tell.
    Open(Kind),
    /// Close this one, which is too old, and open one in its place.
    Renew(Loan<C>),
    /// Wait, or leave.
    Wait,
    /// Leave.
    Refused(Refusal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum Refusal {
    /// All are lent, and waiting is not wanted.
    Exhausted,
    /// Too many wait.
    Full,
    /// The server does not want us, and it is too early to try again.
    Unwanted,
    /// The pool has been closed.
    Closed,
}

/// What the keeper has to do next.
#[derive(Debug)]
pub(in crate::pool) enum Chore<C> {
    /// A heartbeat.
    Check(Loan<C>),
    /// One more up to the minimum.
    Open,
    /// Nothing before that time, or before it is woken.
    Rest(Option<Duration>),
}

/// What to do once the lock is released.
#[derive(Debug)]
pub(in crate::pool) struct Errands<C, W> {
    /// Whom to wake: they have been called.
    pub(in crate::pool) wake: Vec<W>,
    /// What to close, and to tell once it [is](super::Book::closed).
    pub(in crate::pool) close: Vec<Loan<C>>,
    /// Whether the keeper has to look earlier than it meant to.
    pub(in crate::pool) wake_keeper: bool,
}

/// In which state one comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum Condition {
    /// It was not used: it proves nothing.
    Unused,
    /// It has answered.
    Used,
    /// Nobody knows.
    Doubtful,
    /// It is of no use.
    Broken,
    /// Nor is it, and the server does not want another one in its place.
    Unwanted,
}

impl<C, W> Errands<C, W> {
    pub(super) fn is_empty(&self) -> bool {
        self.wake.is_empty() && self.close.is_empty() && !self.wake_keeper
    }
}

impl<C, W> Default for Errands<C, W> {
    fn default() -> Self {
        Self {
            wake: Vec::new(),
            close: Vec::new(),
            wake_keeper: false,
        }
    }
}
