//! The bounds of the admin interface.

use std::time::Duration;

/// Bounds on what operators' connections may take: slots, bytes, time, work of a turn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdminLimits {
    /// Connections at most, beside those of clients. One more displaces who has let us wait for the
    /// end of a head for longest, at least 250 ms, else who rests longest between two requests, or
    /// waits.
    pub slots: u32,
    /// Bytes of a request's head; a longer one is refused.
    pub head_bytes: usize,
    /// Header fields of a request; one with more is refused.
    pub headers: usize,
    /// Bytes of a request's body; a longer one is refused.
    pub body_bytes: usize,
    /// Bytes of bodies, over all connections; one that would take more is refused.
    pub bodies_budget: usize,
    /// Bytes of an answer that are made ahead of what the socket takes; the rest waits for it.
    pub slice_bytes: usize,
    /// Entries looked at per turn, over all answers in progress; the others wait for the next turn.
    pub rows: u32,
    /// Rows of a page where nobody asks for another number; `next` leads to the others.
    pub page: u32,
    /// Rows of a page at most, whatever is asked for; `next` leads to the others.
    pub page_max: u32,
    /// Requests of one connection answered per turn; the others wait for the next turn.
    pub requests: u32,
    /// Readers of events at most; one more is refused.
    pub readers: u32,
    /// Bytes of events that wait for one reader; what is beyond is lost, and counted for it.
    pub event_bytes: usize,
    /// How long a head may take from its first byte, or from the accept; then it is closed.
    pub head_timeout: Duration,
    /// How long a body may take; then the connection is closed.
    pub body_timeout: Duration,
    /// How long a connection may rest between two requests; then it is closed.
    pub idle_timeout: Duration,
    /// How long the socket may take nothing of an answer; then the connection is closed.
    pub write_timeout: Duration,
    /// How long a goodbye may take to arrive; then the connection is closed.
    pub linger: Duration,
}

impl Default for AdminLimits {
    fn default() -> Self {
        Self {
            slots: 16,
            head_bytes: 8 * 1_024,
            headers: 64,
            body_bytes: 1 << 20,
            bodies_budget: 4 << 20,
            slice_bytes: 64 * 1_024,
            rows: 512,
            page: 100,
            page_max: 10_000,
            requests: 16,
            readers: 8,
            event_bytes: 1 << 20,
            head_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(10),
            linger: Duration::from_secs(1),
        }
    }
}

impl AdminLimits {
    /// The most memory that the interface can reach, in bytes.
    #[must_use]
    pub fn ceiling(&self) -> u64 {
        // Bodies are read as JSON and may grow by it; a page holds a key and a name for each row.
        let page = self.page_max as usize * 256;
        let peer = 2 * self.head_bytes + 4 * self.slice_bytes + page;
        let events = self.readers as usize * self.event_bytes;
        (self.slots as usize * peer + 4 * self.bodies_budget + events) as u64
    }
}
