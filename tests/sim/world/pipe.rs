//! One direction of a connection: bytes in order, in flight and arrived, under a window.
//!
//! Knows no clock: it says what may move, the kernel decides when.

use std::collections::VecDeque;

use super::agenda::Nanos;

/// Bytes on their way from one end to the other.
#[derive(Debug)]
pub(crate) struct Pipe {
    bytes: VecDeque<u8>,
    /// So many of `bytes`, from the front, have reached the receiver.
    arrived: usize,
    /// Bytes that fit: the sender's buffer and the receiver's window together.
    pub(crate) window: usize,
    /// How long a byte travels.
    pub(crate) delay: Nanos,
    /// Nothing arrives before this time; `Nanos::MAX` is a black hole.
    pub(crate) clogged_until: Nanos,
    /// Nothing may overtake what was sent before it.
    pub(crate) last_arrival: Nanos,
    /// The sender said that nothing more comes.
    pub(crate) is_finished: bool,
    /// The receiver knows it.
    pub(crate) fin_arrived: bool,
    /// Bytes were thrown away: the stream has no proper end any more.
    has_lost: bool,
    /// Bytes ever put in.
    pub(crate) sent: u64,
    /// Bytes ever taken out.
    pub(crate) taken: u64,
}

impl Pipe {
    pub(crate) fn new(window: usize, delay: Nanos) -> Self {
        assert!(window > 0, "a window lets something through");
        Self {
            bytes: VecDeque::new(),
            arrived: 0,
            window,
            delay,
            clogged_until: 0,
            last_arrival: 0,
            is_finished: false,
            fin_arrived: false,
            has_lost: false,
            sent: 0,
            taken: 0,
        }
    }

    /// Bytes that the sender may put in now.
    #[inline]
    pub(crate) fn room(&self) -> usize {
        self.window.saturating_sub(self.bytes.len())
    }

    /// Whether a poll calls the sender's end writable: a third of the window is free.
    #[inline]
    pub(crate) fn is_roomy(&self) -> bool {
        self.room() > 0 && self.room() * 3 >= self.window
    }

    /// Bytes that the receiver may take now.
    #[inline]
    pub(crate) fn arrived(&self) -> usize {
        self.arrived
    }

    /// Whether bytes were sent that have not arrived.
    pub(crate) fn is_under_way(&self) -> bool {
        self.arrived < self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether the receiver has taken everything and knows that nothing more comes.
    #[inline]
    pub(crate) fn is_at_end(&self) -> bool {
        self.fin_arrived && self.bytes.is_empty() && !self.has_lost
    }

    /// Puts in as much as fits, and returns how much that was. It has not arrived yet.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.room());
        self.bytes.extend(&bytes[..count]);
        self.sent += count as u64;
        count
    }

    /// Lets `count` more bytes arrive.
    #[inline]
    pub(crate) fn arrive(&mut self, count: usize) {
        self.arrived = (self.arrived + count).min(self.bytes.len());
    }

    /// Takes what has arrived, as much as `into` holds.
    pub(crate) fn take(&mut self, into: &mut [u8]) -> usize {
        let count = into.len().min(self.arrived);
        let (front, back) = self.bytes.as_slices();
        let from_front = count.min(front.len());
        into[..from_front].copy_from_slice(&front[..from_front]);
        into[from_front..count].copy_from_slice(&back[..count - from_front]);
        self.bytes.drain(..count);
        self.arrived -= count;
        self.taken += count as u64;
        count
    }

    /// Throws away whatever is in the pipe.
    pub(crate) fn purge(&mut self) {
        self.has_lost |= !self.bytes.is_empty();
        self.bytes.clear();
        self.arrived = 0;
    }

    /// Throws away what has not arrived.
    pub(crate) fn purge_under_way(&mut self) {
        self.has_lost |= self.is_under_way();
        self.bytes.truncate(self.arrived);
    }

    /// When something sent now arrives.
    #[inline]
    pub(crate) fn arrival(&mut self, now: Nanos) -> Nanos {
        self.last_arrival = self.last_arrival.max(now + self.delay);
        self.last_arrival
    }
}
