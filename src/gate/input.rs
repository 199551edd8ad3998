//! Bytes that were read and are not handled: half frames, and whole ones whose turn has not come.
//! They are counted; over the budget connections end, those first whose bytes are worth least:
//! see [`Kept`].

use std::io;

use log::warn;

use super::Gate;
use super::conn::{Conn, Flags, Input, NONE};
use super::end::{End, EndDetail};
use crate::net::is_common;
use crate::reason::CloseReason;
use crate::session::{Session, Step};

/// The connections with unhandled input, by what it is: so that who is to end is found without a
/// look at the others.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    lists: [List; Kept::ALL.len()],
}

/// What unhandled input is, in the order in which it gives way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kept {
    /// Frames that wait for longer than a turn: behind a login that failed, or for a rate.
    Held,
    /// The front of a frame.
    Half,
    /// Frames whose turn has not come.
    Whole,
}

impl Kept {
    /// Frames of that connection, as long as it is read or not read as now.
    fn whole(conn: &Conn) -> Self {
        match conn
            .flags
            .has(Flags::DENIED | Flags::THROTTLED | Flags::ABOVE)
        {
            true => Self::Held,
            false => Self::Whole,
        }
    }

    const ALL: [Self; 3] = [Self::Held, Self::Half, Self::Whole];
}

/// Connections with input, oldest first.
#[derive(Clone, Copy, Debug)]
struct List {
    oldest: u32,
    newest: u32,
}

impl Default for List {
    fn default() -> Self {
        Self {
            oldest: NONE,
            newest: NONE,
        }
    }
}

impl Gate {
    /// How the connection's bytes are to be read.
    pub(crate) fn session(&self, index: u32) -> Session {
        Session::of(&self.rules_of(index).settings, self.conns.at(index))
    }

    /// Bytes were read: the peer lives. `is_drained`: there was room for more in the buffer.
    pub(crate) fn received(&mut self, index: u32, count: usize, is_drained: bool) {
        let now = self.clock.live();
        let conn = self.conns.at_mut(index);
        conn.bytes_in += count as u64;
        conn.last_in = now;
        let was_pinged = conn.flags.lower(Flags::PINGED);
        if is_drained && !conn.flags.has(Flags::CLOSED_HINT) {
            conn.flags.clear(Flags::READABLE);
        }
        self.stats.bytes_in += count as u64;
        if was_pinged {
            // The next ping is due before what the wheel is set to.
            self.touch(index);
        }
    }

    /// The peer has closed its side.
    pub(crate) fn ended(&mut self, index: u32) {
        let flags = &mut self.conns.at_mut(index).flags;
        flags.set(Flags::EOF);
        flags.clear(Flags::READABLE);
    }

    /// Keeps bytes for when the connection is read again.
    pub(crate) fn put_by(&mut self, index: u32, bytes: &[u8]) {
        if self.conns.at(index).input.is_none() {
            return self.keep_copy(index, bytes, 0, false);
        }
        self.conns.at_mut(index).flags.set(Flags::BUFFERED);
        self.extend_input(index, bytes);
    }

    /// A frame was found.
    pub(crate) fn framed(&mut self, index: u32) {
        let conn = self.conns.at_mut(index);
        conn.frames_in += 1;
        conn.flags.set(Flags::GREETED);
        self.stats.frames_in += 1;
    }

    /// Stops reading a connection whose output waits above the low-water mark: whether it did.
    #[inline]
    pub(crate) fn choke(&mut self, index: u32) -> bool {
        // Nearly always nothing waits.
        self.conns.at(index).outbox.is_some() && self.choke_waiting(index)
    }

    fn choke_waiting(&mut self, index: u32) -> bool {
        let conn = self.conns.at(index);
        let low = self
            .rules_of(index)
            .settings
            .output_low(conn.is_logged_in());
        let is_choked = conn.waiting() > low;
        if is_choked {
            self.pause(index, Flags::CHOKED);
        }
        is_choked
    }

    /// A read or a write failed: the connection is lost.
    pub(crate) fn lost(&mut self, index: u32, error: &io::Error) {
        if !is_common(error) {
            self.stats.socket_faults += 1;
            warn!("{} lost error=\"{error}\"", self.conns.id(index));
        }
        let conn = self.conns.at(index);
        let is_stuck = error.kind() == io::ErrorKind::TimedOut && conn.waiting() > 0;
        let reason = if is_stuck {
            CloseReason::WriteTimeout
        } else {
            CloseReason::PeerReset
        };
        self.cut_at(index, reason);
    }

    /// A close that fails is counted and told; what was closed is gone all the same.
    pub(crate) fn note_close(&mut self, closed: io::Result<()>) {
        if let Err(error) = closed {
            self.stats.socket_faults += 1;
            warn!("a socket was closed with an error=\"{error}\"");
        }
    }

    /// Appends bytes to the frame that is not whole yet.
    pub(crate) fn extend_input(&mut self, index: u32, bytes: &[u8]) {
        let conn = self.conns.at_mut(index);
        let Some(input) = &mut conn.input else { return };
        let before = input.bytes.capacity();
        if input.bytes.try_reserve(bytes.len()).is_err() {
            return self.starve(index);
        }
        input.bytes.extend_from_slice(bytes);
        self.ledger.input = self.ledger.input + input.bytes.capacity() - before;
        self.relieve_input();
    }

    /// Keeps a copy of what is left of the input.
    pub(crate) fn keep_copy(&mut self, index: u32, bytes: &[u8], scanned: usize, half: bool) {
        let mut copy = Vec::new();
        if copy.try_reserve_exact(bytes.len()).is_err() {
            return self.starve(index);
        }
        copy.extend_from_slice(bytes);
        self.keep_input(index, copy, scanned, half);
    }

    /// The system has no memory for what a connection has sent or is to get: that one ends.
    pub(crate) fn starve(&mut self, index: u32) {
        let end = End::over(CloseReason::Overloaded, EndDetail::Resources);
        self.close_at(index, end);
    }

    /// Keeps what is left of the input: the front of a frame, or frames for the next turn.
    pub(crate) fn keep_input(&mut self, index: u32, bytes: Vec<u8>, scanned: usize, half: bool) {
        let now = self.clock.live();
        self.ledger.input += bytes.capacity();
        let conn = self.conns.at_mut(index);
        let kept = if half { Kept::Half } else { Kept::whole(conn) };
        assert!(conn.input.is_none(), "input was taken before it is kept");
        conn.input = Some(Box::new(Input {
            bytes,
            scanned,
            kept,
            older: NONE,
            newer: NONE,
        }));
        if !half {
            conn.flags.set(Flags::BUFFERED);
            conn.frame_began = now;
        }
        self.link(index, kept);
        if half {
            self.mark_half(index);
        }
        self.relieve_input();
    }

    /// What is kept turned out to be the front of a frame.
    pub(crate) fn begin_half(&mut self, index: u32) {
        self.relink(index, Kept::Half);
        self.mark_half(index);
    }

    fn mark_half(&mut self, index: u32) {
        let now = self.clock.live();
        let conn = self.conns.at_mut(index);
        conn.flags.clear(Flags::BUFFERED);
        if conn.flags.raise(Flags::HALF_FRAME) {
            conn.frame_began = now;
            self.touch(index);
        }
    }

    /// The frames that a connection has waiting do so for longer than a turn now, or no longer.
    pub(crate) fn rank_input(&mut self, index: u32) {
        let conn = self.conns.at(index);
        let is_whole = conn.flags.of(Flags::BUFFERED | Flags::HALF_FRAME) == Flags::BUFFERED;
        if is_whole && conn.input.is_some() {
            self.relink(index, Kept::whole(conn));
        }
    }

    /// Whether a frame that is kept could be handled now.
    pub(crate) fn has_whole_frame(&self, index: u32) -> bool {
        let conn = self.conns.at(index);
        let input = conn
            .input
            .as_ref()
            .filter(|_| conn.flags.has(Flags::BUFFERED));
        input.is_some_and(|input| {
            let step = self.session(index).step(&input.bytes, input.scanned);
            !matches!(step, Step::More)
        })
    }

    /// Takes the input out, to be handled.
    pub(crate) fn take_input(&mut self, index: u32) -> Option<Box<Input>> {
        let flags = &mut self.conns.at_mut(index).flags;
        flags.clear(Flags::PUT_OFF | Flags::ABOVE);
        self.conns.at(index).input.as_ref()?;
        self.unlink(index);
        let conn = self.conns.at_mut(index);
        conn.flags.clear(Flags::HALF_FRAME | Flags::BUFFERED);
        let input = conn.input.take()?;
        self.ledger.input -= input.bytes.capacity();
        Some(input)
    }

    fn link(&mut self, index: u32, kept: Kept) {
        let list = &mut self.inputs.lists[kept as usize];
        let older = std::mem::replace(&mut list.newest, index);
        match older {
            NONE => list.oldest = index,
            older => self.input_mut(older).newer = index,
        }
        let input = self.input_mut(index);
        (input.kept, input.older) = (kept, older);
    }

    fn relink(&mut self, index: u32, kept: Kept) {
        if self.input_mut(index).kept != kept {
            self.unlink(index);
            self.link(index, kept);
        }
    }

    fn unlink(&mut self, index: u32) {
        let input = self.input_mut(index);
        let kept = input.kept as usize;
        let older = std::mem::replace(&mut input.older, NONE);
        let newer = std::mem::replace(&mut input.newer, NONE);
        match older {
            NONE => self.inputs.lists[kept].oldest = newer,
            older => self.input_mut(older).newer = newer,
        }
        match newer {
            NONE => self.inputs.lists[kept].newest = older,
            newer => self.input_mut(newer).older = older,
        }
    }

    fn input_mut(&mut self, index: u32) -> &mut Input {
        self.conns
            .at_mut(index)
            .input
            .as_mut()
            .expect("who is listed holds input")
    }

    /// Ends connections until the budget is kept, the one whose input has waited longest first.
    fn relieve_input(&mut self) {
        while self.ledger.input > self.limits.input_budget {
            let mut oldest = self.inputs.lists.iter().map(|list| list.oldest);
            let Some(oldest) = oldest.find(|&index| index != NONE) else {
                return;
            };
            self.stats.overload.evicted += 1;
            let end = End::over(CloseReason::Overloaded, EndDetail::InputBudget);
            self.close_at(oldest, end);
        }
    }

    /// Full sweep: the lists hold exactly the connections with input, each in its own.
    pub(crate) fn check_input(&self) {
        let (mut listed, mut bytes) = (0, 0);
        for kept in Kept::ALL {
            let list = self.inputs.lists[kept as usize];
            let (mut index, mut older) = (list.oldest, NONE);
            while index != NONE {
                let conn = self.conns.at(index);
                let input = conn.input.as_ref().expect("who is listed holds input");
                assert_eq!(
                    (input.kept, input.older),
                    (kept, older),
                    "each list is linked both ways"
                );
                let is_half = conn.flags.has(Flags::HALF_FRAME);
                assert_eq!(is_half, kept == Kept::Half, "each is in its list");
                bytes += input.bytes.capacity();
                listed += 1;
                (older, index) = (index, input.newer);
            }
            assert_eq!(older, list.newest, "a list ends at its newest");
        }
        let holding = self
            .conns
            .iter()
            .filter(|(_, conn)| conn.input.is_some())
            .count();
        assert_eq!(listed, holding, "all input is listed");
        assert_eq!(bytes, self.ledger.input, "the ledger counts the input");
        assert!(
            bytes <= self.limits.input_budget,
            "input stays under its budget"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;
    use crate::limits::Limits;
    use crate::net::{Net, mio::MioNet};
    use crate::settings::Settings;

    /// How long it takes to end a thousand half frames beside so many connections with whole ones.
    fn relief(wholes: u32) -> Duration {
        let limits = Limits {
            connections: 40_000,
            input_budget: 100 * wholes as usize,
            ..Limits::default()
        };
        let mut gate = Gate::bare(limits);
        let listener = gate.add_rules(Settings::default());
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        for index in 0..wholes {
            gate.open(index, listener, peer);
            gate.keep_input(index, vec![b'x'; 100], 0, false);
        }
        let mut net = MioNet::new(1).expect("descriptors are there");
        let began = net.now();
        for index in wholes..wholes + 1_000 {
            gate.open(index, listener, peer);
            gate.keep_input(index, vec![b'x'; 1], 1, true);
            assert!(
                !gate.conns.at(index).is_open(),
                "the half frame is the victim"
            );
        }
        let took = net.now() - began;
        gate.check_input();
        took
    }

    #[test]
    fn a_sign_of_life_moves_the_deadline_and_tells_the_wheel_nothing() {
        // 34
        let mut gate = Gate::bare(Limits::default());
        let listener = gate.add_rules(Settings::default());
        gate.open(0, listener, SocketAddr::from(([127, 0, 0, 1], 1)));
        let (hung, mut due) = (gate.wheel.get(0), gate.deadline(0).0);
        assert!(hung.is_some());
        let began = gate.now();
        for second in 1..10 {
            let now = began + Duration::from_secs(second);
            gate.clock.advance(now, Some(Duration::from_secs(1)));
            gate.received(0, 1, true);
            let later = gate.deadline(0).0;
            assert!(due.is_before(later), "{later:?} after {due:?}");
            assert_eq!(gate.wheel.get(0), hung);
            due = later;
        }
    }

    #[test]
    fn ending_half_frames_costs_the_same_beside_many_whole_ones_as_beside_few() {
        let few = relief(300).min(relief(300));
        let many = relief(30_000).min(relief(30_000));
        assert!(many < 10 * few, "{many:?} beside many, {few:?} beside few");
    }
}
