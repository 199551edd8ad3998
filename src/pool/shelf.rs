//! The idle connections of a pool, in the order of their return.
//!
//! The one that came back last is lent first, so that those too many come to their idle limit.
//! Looking for what is due walks over all of them: there are as many as a pool has, a few dozens.

use std::collections::VecDeque;
use std::time::Duration;

/// Which share of the pool a connection counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Pooled,
    Extra,
}

/// A connection with what is known of it. Times are since the pool began.
#[derive(Debug)]
pub(super) struct Loan<C> {
    pub(super) conn: C,
    pub(super) kind: Kind,
    /// When it was opened.
    pub(super) born: Duration,
    /// When the server last answered on it, or earlier.
    pub(super) proven: Duration,
    /// When it last left or came to the shelf.
    pub(super) moved: Duration,
    /// Whether the next one to have it must check it first.
    pub(super) is_doubtful: bool,
}

impl<C> Loan<C> {
    /// The server has answered.
    pub(super) fn prove(&mut self, now: Duration) {
        (self.proven, self.is_doubtful) = (now, false);
    }
}

/// The idle ones; those that rest longest are in front.
#[derive(Debug)]
pub(super) struct Shelf<C> {
    resting: VecDeque<Loan<C>>,
}

impl<C> Shelf<C> {
    pub(super) const fn new() -> Self {
        Self {
            resting: VecDeque::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.resting.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Loan<C>> {
        self.resting.iter()
    }

    /// Puts one where its [`moved`](Loan::moved) belongs: at the end, but for one that was away to
    /// be checked.
    pub(super) fn put(&mut self, loan: Loan<C>) {
        let place = match self.resting.back() {
            Some(last) if loan.moved < last.moved => self
                .resting
                .partition_point(|other| other.moved <= loan.moved),
            _ => self.resting.len(),
        };
        self.resting.insert(place, loan);
    }

    /// The one that came back last.
    pub(super) fn take_last(&mut self) -> Option<Loan<C>> {
        self.resting.pop_back()
    }

    /// The one that rests longest, if it has rested so long.
    pub(super) fn take_rested(&mut self, now: Duration, rest: Duration) -> Option<Loan<C>> {
        let first = self.resting.front()?;
        if now.saturating_sub(first.moved) < rest {
            return None;
        }
        self.resting.pop_front()
    }

    /// One for which `wanted` holds; of several the one that was proven longest ago.
    pub(super) fn take_stalest(&mut self, wanted: impl Fn(&Loan<C>) -> bool) -> Option<Loan<C>> {
        let found = self.resting.iter().enumerate();
        let found = found.filter(|(_, loan)| wanted(loan));
        let (place, _) = found.min_by_key(|(_, loan)| loan.proven)?;
        self.resting.remove(place)
    }

    /// Demands that it is in order, and holds nothing short-lived.
    #[cfg(test)]
    pub(super) fn check(&self) {
        assert!(self.iter().map(|loan| loan.moved).is_sorted());
        assert!(self.iter().all(|loan| loan.kind == Kind::Pooled));
    }
}
