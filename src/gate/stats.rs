//! What happened so far: plain counters, read by whoever wants to show them.

use crate::reason::CloseReason;

/// Counters since the loop began; gauges are asked from the [`Gate`](crate::Gate).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections accepted, refused ones included.
    pub accepted: u64,
    /// Newcomers that were told `close overloaded` because the table was full.
    pub refused: u64,
    /// Connections ended, by [`CloseReason`] in the order of [`CloseReason::ALL`].
    pub closed: [u64; CloseReason::ALL.len()],
    /// Newcomers that were refused because their address has enough connections.
    pub crowded: u64,
    /// Newcomers that were refused because too many came from their address.
    pub hurried: u64,
    /// Newcomers that were refused because they are no trusted proxy.
    pub strangers: u64,
    /// Logins that were refused because too many were tried, or were yet to be decided.
    pub logins_refused: u64,
    /// Logins whose token did not open the name.
    pub logins_failed: u64,
    /// Intervals in which a connection was held back.
    pub throttled: u64,
    /// Errors of `accept` that a newcomer caused.
    pub accept_faults: u64,
    /// Times a listener was left alone for a while; [`Rests`](crate::Rests) tells why.
    pub accept_pauses: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Frames received, heartbeats included.
    pub frames_in: u64,
    /// Frames put into outboxes.
    pub frames_out: u64,
    /// Heartbeats received: pings, pongs, empty lines, frames of a sink.
    pub beats: u64,
    /// Heartbeats put into outboxes: pongs and pings.
    pub beats_out: u64,
    /// Requests answered with `bad-request`.
    pub bad_requests: u64,
    /// Connections whose first bytes were of another protocol, by
    /// [`Guess`](crate::codec::framing::Guess) in the order of its `ALL`.
    pub foreign: [u64; 3],
    /// Errors of a read or a write which peers and networks do not cause, and of a close; the log
    /// tells their numbers.
    pub socket_faults: u64,
    /// Panics of decoders and of [`Handler::on_message`](crate::Handler::on_message): bugs, a
    /// connection each.
    pub panics: u64,
    /// Frames that did not fit the width of the receiver's length field, or its empty outbox.
    pub unfit: u64,
    /// Messages dropped because the receiver's outbox was full and its policy is to drop.
    pub dropped_newest: u64,
    /// Acknowledged messages: made, settled, sent again, parked, expired, dropped over a budget.
    pub letters: Letters,
    /// What was done because there was too much to do.
    pub overload: Overloads,
    /// Events for connections that were gone.
    pub stale_events: u64,
    /// Readiness events.
    pub events: u64,
    /// Turns of the loop.
    pub turns: u64,
    /// Connections that still had work after their share of a turn.
    pub requeued: u64,
    /// Tasks from other threads.
    pub tasks: u64,
    /// Reloads that were asked for and took place.
    pub reloads: u64,
    /// Reloads that were asked for and changed nothing, because something was wrong.
    pub reloads_refused: u64,
}

/// Counters of acknowledged messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Letters {
    /// Messages that asked for an ack.
    pub made: u64,
    /// Settled by an ack.
    pub acked: u64,
    /// Copies sent again.
    pub resent: u64,
    /// Put into a mailbox.
    pub parked: u64,
    /// Expired unacknowledged.
    pub expired: u64,
    /// Dropped because a mailbox or the budget was full.
    pub dropped: u64,
}

/// Counters of what overload has led to, see [`Step`](crate::Step).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overloads {
    /// Times a higher step was taken.
    pub taken: u64,
    /// Rests of connections that took a whole share of a turn.
    pub rested: u64,
    /// Messages without an ack that were refused, or dropped for a receiver.
    pub pushes: u64,
    /// Newcomers that were ended in their handshake.
    pub handshakes: u64,
    /// Connections that were ended because a budget was used up.
    pub evicted: u64,
}

impl Stats {
    /// Connections that ended with `reason`.
    #[must_use]
    pub fn closed(&self, reason: CloseReason) -> u64 {
        self.closed[reason as usize]
    }
}
