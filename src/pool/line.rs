//! Those who wait for a connection, first come, first served.

use std::collections::VecDeque;
use std::time::Duration;

/// A place in the order of arrival; smaller came earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// The line, and what has been laid down for those who were called from it and have not come yet.
#[derive(Debug)]
pub(super) struct Line<W, G> {
    waiting: VecDeque<Waiter<W>>,
    called: Vec<(Ticket, G)>,
    next: u64,
}

#[derive(Debug)]
struct Waiter<W> {
    ticket: Ticket,
    since: Duration,
    wake: W,
}

impl<W, G> Line<W, G> {
    pub(super) const fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            called: Vec::new(),
            next: 0,
        }
    }

    pub(super) fn draw(&mut self) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        ticket
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether nobody came before.
    pub(super) fn is_first(&self, ticket: Ticket) -> bool {
        self.waiting
            .front()
            .is_none_or(|first| ticket < first.ticket)
    }

    /// Lets one wait where its ticket belongs: at the end, but for one that has been called before.
    pub(super) fn join(&mut self, ticket: Ticket, since: Duration, wake: W) {
        let place = self.place(ticket).unwrap_or_else(|place| place);
        self.waiting.insert(
            place,
            Waiter {
                ticket,
                since,
                wake,
            },
        );
    }

    /// Calls the first: lays `grant` down for it. Returns what wakes it, and since when it waits.
    pub(super) fn call(&mut self, grant: G) -> Option<(W, Duration)> {
        let Waiter {
            ticket,
            since,
            wake,
        } = self.waiting.pop_front()?;
        self.called.push((ticket, grant));
        Some((wake, since))
    }

    /// What has been laid down for this one.
    pub(super) fn collect(&mut self, ticket: Ticket) -> Option<G> {
        let place = self.called.iter().position(|(other, _)| *other == ticket)?;
        Some(self.called.swap_remove(place).1)
    }

    /// Leaves the line.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        if let Ok(place) = self.place(ticket) {
            self.waiting.remove(place);
        }
    }

    /// Ends the line: what wakes all of them.
    pub(super) fn dismiss(&mut self) -> impl Iterator<Item = W> {
        self.waiting.drain(..).map(|waiter| waiter.wake)
    }

    fn place(&self, ticket: Ticket) -> Result<usize, usize> {
        self.waiting
            .binary_search_by_key(&ticket, |waiter| waiter.ticket)
    }

    /// Demands that the line is in the order of arrival.
    #[cfg(test)]
    pub(super) fn check(&self) {
        let tickets = self.waiting.iter().map(|waiter| waiter.ticket);
        assert!(tickets.is_sorted_by(|a, b| a < b), "the line is in order");
    }
}
