//! What the world knows about a connection, for judging how the server ends it.
//!
//! Every stamp is a value of the clock that the server was told before it acted: the loop's clock.
//! The lag beside it is all the time that pauses and slow calls had cost until then; the server
//! may leave it out of what it counts, so the judge forgives exactly that much.

use std::collections::VecDeque;
use std::net::IpAddr;

use pulsegate::CloseReason;

use super::agenda::{Nanos, SECOND};
use super::clients::Fate;

/// A point on the loop's clock, the time lost to pauses until then, and how much of that the
/// server must not take for anybody's silence.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Stamp {
    pub(crate) at: Nanos,
    pub(crate) lag: Nanos,
    pub(crate) stall: Nanos,
}

impl Stamp {
    /// How much time has passed since `earlier` that counts as silence.
    pub(crate) fn live_since(self, earlier: Self) -> Nanos {
        (self.at - earlier.at).saturating_sub(self.stall - earlier.stall)
    }
}

/// The facts of one connection, from its accept on.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) accepted: Stamp,
    /// The last read that took a byte; the accept before any.
    pub(crate) heard: Stamp,
    /// Since when the application has let it wait for an answer: it is not read meanwhile.
    waits_since: Option<Stamp>,
    /// How often it has waited so since it was heard last, and how long in all.
    pub(crate) waited: (u64, Nanos),
    /// The last write that gave a byte away; the accept before any.
    pub(crate) gave: Stamp,
    /// Since when the socket has taken less than it was given.
    pub(crate) blocked: Option<Stamp>,
    /// Whether it ever took less, or the application ever let it wait.
    pub(crate) was_blocked: bool,
    /// When the first byte of the frame in progress was read.
    pub(crate) frame_began: Option<Stamp>,
    /// Whole frames that were read with its first byte: the server turns to it after them.
    frame_follows: u64,
    /// Where the frame in progress begins in the stream.
    frame_start: u64,
    /// Where frames end in the stream, as their sender says.
    frame_ends: VecDeque<u64>,
    /// When the oldest byte that nobody has read yet arrived.
    pub(crate) waiting: Option<Stamp>,
    /// Causes for an end that the world has given.
    pub(crate) causes: Causes,
    /// Whether the network has held something of it back.
    pub(crate) is_clogged: bool,
    /// Whether bytes were sent that are no frames: nobody can say where one begins.
    pub(crate) is_wild: bool,
    /// Whether the sender promised that its frames are marked.
    pub(crate) is_marked: bool,
    /// Whether the server has acknowledged a login here.
    pub(crate) is_logged_in: bool,
    /// How the server said it ended.
    pub(crate) verdict: Option<CloseReason>,
    /// How the server told the peer that it ended.
    pub(crate) told: Option<CloseReason>,
    /// When it was told to come back, in milliseconds.
    pub(crate) told_ms: u64,
    /// The same, at least and at most, where a quarrel for its name says it.
    pub(crate) rest: Option<(Nanos, Nanos)>,
    /// Whether the peer has heard the server's FIN, and so all that came before it.
    pub(crate) fin_heard: bool,
    /// When the peer entered the backlog.
    pub(crate) queued: Stamp,
    /// Whether the handler was told of it.
    pub(crate) was_opened: bool,
    /// Whether the server threw away what the kernel held for it.
    pub(crate) was_cut: bool,
    /// The address that counts, where the client has one of its own.
    pub(crate) source: Option<IpAddr>,
    /// Whether a proxy is asked for, and this is none.
    pub(crate) is_stranger: bool,
    /// What becomes of the proxy's header, and how many bytes it has.
    pub(crate) header: Option<(Fate, u64)>,
    /// When the handler was told of it.
    pub(crate) came: Stamp,
    /// Frames whose last byte was read, as their sender says, and bytes.
    pub(crate) frames_read: u64,
    pub(crate) taken: u64,
}

/// Reasons for an end that something in the world justifies: a set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Causes(u32);

impl Causes {
    pub(crate) fn add(&mut self, reason: CloseReason) {
        self.0 |= 1 << reason as u8;
    }

    pub(crate) fn has(self, reason: CloseReason) -> bool {
        self.0 & (1 << reason as u8) != 0
    }
}

impl Facts {
    pub(crate) fn new(queued: Stamp) -> Self {
        Self {
            queued,
            ..Self::default()
        }
    }

    pub(crate) fn on_accept(&mut self, clock: Stamp) {
        self.accepted = clock;
        self.heard = clock;
        self.gave = clock;
    }

    /// The sender has begun a frame that will end at `offset` of its stream.
    pub(crate) fn mark_frame_end(&mut self, offset: u64) {
        self.is_marked = true;
        self.frame_ends.push_back(offset);
    }

    /// The server took bytes; `taken` is how many since the beginning.
    pub(crate) fn on_read(&mut self, clock: Stamp, taken: u64) {
        self.heard = clock;
        self.waited = (0, 0);
        self.waits_since = self.waits_since.map(|_| clock);
        self.waiting = None;
        self.taken = taken;
        if !self.is_marked {
            return;
        }
        let (before, read) = (self.frame_start, self.frames_read);
        while self.frame_ends.front().is_some_and(|&end| end <= taken) {
            self.frame_start = self.frame_ends.pop_front().expect("it is there");
            self.frames_read += 1;
        }
        if self.frame_start == taken {
            self.frame_began = None;
        } else if self.frame_start != before || self.frame_began.is_none() {
            self.frame_began = Some(clock);
            self.frame_follows = self.frames_read - read;
        }
    }

    /// Whether the server turned to the frame in progress as soon as it was read, give or take a
    /// few turns: it counts from there, and gives each connection so many frames a turn.
    pub(crate) fn is_frame_next(&self) -> bool {
        self.frame_follows <= 16
    }

    /// Whether the proxy's header was read, where one must come.
    pub(crate) fn is_unveiled(&self) -> bool {
        self.header
            .is_none_or(|(fate, bytes)| fate == Fate::Good && self.taken >= bytes)
    }

    /// The application takes its time.
    pub(crate) fn on_wait(&mut self, clock: Stamp) {
        self.was_blocked = true;
        self.waits_since.get_or_insert(clock);
    }

    /// The application has answered; it is read again.
    pub(crate) fn on_answer(&mut self, clock: Stamp) {
        if let Some(since) = self.waits_since.take() {
            self.waited.0 += 1;
            self.waited.1 += clock.live_since(since);
        }
    }

    /// Whether the server has left input that waits since then alone, for a tenth of a second that
    /// nothing else explains, on a connection that takes no output.
    pub(crate) fn was_paused(&self, clock: Stamp, since: Stamp) -> bool {
        let passed = clock.at.saturating_sub(since.at);
        let left_alone = passed.saturating_sub(clock.lag - since.lag);
        let is_answered = self.waits_since.is_none() && self.waited.0 == 0;
        self.was_blocked && is_answered && left_alone > SECOND / 10
    }

    /// The server gave `count` of `wanted` bytes away.
    pub(crate) fn on_write(&mut self, clock: Stamp, count: usize, wanted: usize) {
        if count > 0 {
            self.gave = clock;
            self.blocked = None;
        }
        if count < wanted && self.blocked.is_none() {
            self.blocked = Some(clock);
            self.was_blocked = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(at: Nanos) -> Stamp {
        Stamp {
            at,
            ..Stamp::default()
        }
    }

    #[test]
    fn a_frame_begins_with_its_first_byte_and_drips_do_not_move_it() {
        let mut facts = Facts::default();
        facts.mark_frame_end(4);
        facts.mark_frame_end(8);
        facts.on_read(stamp(1), 2);
        assert_eq!(facts.frame_began, Some(stamp(1)));
        facts.on_read(stamp(2), 3);
        assert_eq!(facts.frame_began, Some(stamp(1)));
        facts.on_read(stamp(3), 5);
        assert_eq!(facts.frame_began, Some(stamp(3)));
        facts.on_read(stamp(4), 8);
        assert_eq!(facts.frame_began, None);
    }

    #[test]
    fn a_frame_behind_a_crowd_of_frames_is_not_next() {
        let mut facts = Facts::default();
        (1..=20).for_each(|end| facts.mark_frame_end(end * 4));
        facts.on_read(stamp(1), 70);
        assert!(!facts.is_frame_next());
        facts.on_read(stamp(2), 74);
        assert!(facts.is_frame_next());
        assert_eq!(facts.frame_began, Some(stamp(2)));
    }
}
