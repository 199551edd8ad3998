//! The virtual clock and what is going to happen when.
//!
//! Time is a number that jumps from one deed to the next; nothing sleeps. Deeds of the same
//! instant happen in the order in which they were written down.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::socket::Key;

/// Nanoseconds since the world began.
pub(crate) type Nanos = u64;

pub(crate) const MICRO: Nanos = 1_000;
pub(crate) const MILLI: Nanos = 1_000_000;
pub(crate) const SECOND: Nanos = 1_000_000_000;

/// Something the world does at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Deed {
    /// So many bytes reach the server's end.
    ArriveAtServer(Key, u32),
    /// So many bytes reach the peer's end.
    ArriveAtPeer(Key, u32),
    /// The peer's FIN reaches the server's end.
    FinAtServer(Key),
    /// The peer's RST reaches the server's end.
    ResetAtServer(Key),
    /// The server's FIN reaches the peer.
    FinAtPeer(Key),
    /// The server's RST reaches the peer.
    ResetAtPeer(Key),
    /// Something changed for the peer: it looks.
    StirPeer(Key),
    /// The server's end is told to look again (after a refusal that was not for want of room).
    Edge(Key),
    /// A client's own timer; the second number tells a timer from those set before it.
    Wake(u32, u32),
    /// A turning point of the run.
    Mark(u32),
}

/// The clock and the list of deeds.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    pub(crate) now: Nanos,
    order: u64,
    deeds: BinaryHeap<Reverse<(Nanos, u64, Deed)>>,
}

impl Agenda {
    /// Writes down a deed. What lies in the past happens at once, after what was due before it.
    pub(crate) fn at(&mut self, at: Nanos, deed: Deed) {
        self.order += 1;
        self.deeds
            .push(Reverse((at.max(self.now), self.order, deed)));
    }

    pub(crate) fn after(&mut self, span: Nanos, deed: Deed) {
        self.at(self.now + span, deed);
    }

    /// When the next deed is due.
    #[inline]
    pub(crate) fn next_at(&self) -> Option<Nanos> {
        self.deeds.peek().map(|Reverse((at, _, _))| *at)
    }

    /// Takes the next deed that is due by now.
    #[inline]
    pub(crate) fn take_due(&mut self) -> Option<Deed> {
        if self.next_at()? > self.now {
            return None;
        }
        self.deeds.pop().map(|Reverse((_, _, deed))| deed)
    }
}

pub(crate) fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).expect("a span of the simulation fits 584 years")
}
