//! Reading: each ready connection is read once a turn and its frames are handled, up to a budget.
//! What is left stays in its input, and it queues again: nobody is read twice before everybody
//! was read once.

use std::io::{self, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};

use log::debug;

use super::Server;
use super::pulse::At;
use crate::gate::Gate;
use crate::gate::conn::{Flags, Phase};
use crate::gate::end::{End, EndDetail};
use crate::gate::requests::Demand;
use crate::handler::{Answer, Handler, Message};
use crate::id::{ConnId, Token};
use crate::net::{Net, Ready};
use crate::reason::CloseReason;
use crate::session::Step;
use crate::settings::Dialect;

/// After so many reads in a turn the clock is read again: what arrived late in a long turn must
/// not be stamped early.
const READS_PER_STAMP: usize = 64;

/// What came of a read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// Heartbeats, all that there was; they are answered, and nothing is left to do.
    Answered,
    /// Anything else.
    Handled,
}

/// What handling left of the input.
struct Rest {
    /// Bytes that were handled.
    taken: usize,
    /// What follows is the front of a frame; else it may be whole frames.
    is_half: bool,
}

impl<N: Net, H: Handler + 'static> Server<N, H> {
    pub(super) fn serve(&mut self) {
        self.pulse.enter(At::Serve);
        let budget = self.gate.limits.reads as usize;
        // Where nobody waits from before, nobody has to wait in line.
        let is_idle = self.gate.queues.ready.len() == 0;
        let mut served = 0;
        for at in 0..self.ready.len() {
            let ready = self.ready[at];
            let Token::Conn(conn) = ready.token else {
                continue;
            };
            let Some(index) = self.mark_conn(conn, ready) else {
                continue;
            };
            if is_idle && served < budget {
                served += 1;
                self.serve_one(index);
                self.stamp(served);
            } else {
                self.gate.queues.push_ready(&mut self.gate.conns, index);
            }
        }
        if !is_idle {
            self.serve_queued(budget);
        }
    }

    fn serve_queued(&mut self, budget: usize) {
        for served in 1..=self.gate.queues.ready.len().min(budget) {
            let Some(index) = self.gate.queues.pop_ready(&mut self.gate.conns) else {
                return;
            };
            self.serve_one(index);
            self.stamp(served);
        }
    }

    fn stamp(&mut self, served: usize) {
        if served.is_multiple_of(READS_PER_STAMP) {
            self.refresh();
        }
    }

    /// Readiness becomes flags, and a place among those to be written; what is stale is dropped.
    /// The connection, where it is to be served.
    fn mark_conn(&mut self, conn: ConnId, ready: Ready) -> Option<u32> {
        let Some(index) = self.gate.conns.find(conn) else {
            self.gate.stats.stale_events += 1;
            return None;
        };
        let slot = self.gate.conns.at_mut(index);
        if ready.closed {
            slot.flags.set(Flags::CLOSED_HINT);
        }
        if ready.writable && slot.flags.raise(Flags::WRITABLE) && slot.outbox.is_some() {
            self.gate.queues.push_dirty(&mut self.gate.conns, index);
        }
        let slot = self.gate.conns.at_mut(index);
        if !(ready.readable || ready.closed) || slot.flags.has(Flags::EOF) {
            return None;
        }
        slot.flags.set(Flags::READABLE);
        // Who waits for an answer, or for its rate, is not read, but whether it is still there is
        // found out.
        let may_be_gone = ready.closed && slot.flags.has(Flags::OWED | Flags::THROTTLED);
        let is_wanted = (!slot.is_paused() || may_be_gone) && slot.phase != Phase::Closing;
        // Who was read in this turn and waits for the next is not read again.
        (is_wanted && !slot.flags.has(Flags::ON_READY)).then_some(index)
    }

    fn serve_one(&mut self, index: u32) {
        match self.gate.conns.at(index).phase {
            Phase::Open => self.serve_open(index),
            Phase::Lingering => self.drain_lingering(index),
            Phase::Free | Phase::Closing | Phase::Gone | Phase::Cut => {}
        }
    }

    fn serve_open(&mut self, index: u32) {
        let flags = self.gate.conns.at(index).flags;
        if flags.has(Flags::OWED | Flags::THROTTLED) {
            return self.look_after(index);
        }
        if self.gate.choke(index) {
            return;
        }
        if !self.is_held_back(index) {
            let flags = self.gate.conns.at(index).flags;
            if flags.has(Flags::BUFFERED) {
                self.handle_kept(index);
            } else if flags.has(Flags::READABLE) && self.read(index) == Read::Answered {
                return;
            }
        }
        self.after_serving(index);
    }

    /// Holds a connection back that has used up its interval and has more to say, or still owes
    /// for what it has said: whether it does. Who has no more to say, or leaves, is not above its
    /// rate.
    #[inline]
    fn is_held_back(&mut self, index: u32) -> bool {
        let standing = self.gate.standing(index);
        (standing.is_full || standing.is_above) && self.holds_back(index)
    }

    fn holds_back(&mut self, index: u32) -> bool {
        // What piled up while somebody else was served may be said.
        self.refresh();
        let standing = self.gate.standing(index);
        let flags = self.gate.conns.at(index).flags;
        // Frames that are kept and within the rate come first.
        let is_next = standing.is_above || !flags.has(Flags::BUFFERED);
        let is_asked = standing.is_full && is_next && flags.has(Flags::READABLE);
        let waits = is_asked && self.waits(index);
        let has_more = standing.is_above && self.gate.has_whole_frame(index);
        if waits || has_more {
            // Who only pays for what was read before does not do it again.
            self.gate.hold_back(index, waits || !flags.has(Flags::PAYS));
        }
        waits || has_more || !self.gate.conns.at(index).is_open()
    }

    /// Whether there is something to read: readiness is told late, and may be out of date.
    fn waits(&mut self, index: u32) -> bool {
        match self.net.peek(&mut self.sockets[index as usize]) {
            Ok(has_more) => has_more,
            Err(error) => {
                self.read_failed(index, &error);
                false
            }
        }
    }

    /// A connection that waits for its answer, or for its rate, may have gone: what it sent before
    /// is kept for later, up to one buffer, so that its end is seen behind it.
    fn look_after(&mut self, index: u32) {
        let conn = self.gate.conns.at(index);
        let kept = conn.input.as_ref().map_or(0, |input| input.bytes.len());
        let may_be_gone = conn.flags.has(Flags::CLOSED_HINT) && conn.flags.has(Flags::READABLE);
        if !may_be_gone || kept >= self.scratch.len() {
            return;
        }
        match self
            .net
            .read(&mut self.sockets[index as usize], &mut self.scratch)
        {
            Ok(0) => {
                self.gate.ended(index);
                let flags = self.gate.conns.at(index).flags;
                if !flags.has(Flags::OWED | Flags::BUFFERED) {
                    self.gate.close_at(index, CloseReason::PeerClosed);
                }
            }
            Ok(count) => {
                self.gate.received(index, count, false);
                self.gate.put_by(index, &self.scratch[..count]);
                if self.gate.conns.at(index).is_open() {
                    self.gate.queues.push_ready(&mut self.gate.conns, index);
                }
            }
            Err(error) => self.read_failed(index, &error),
        }
    }

    /// Queues the connection again where it has more, or ends it where the peer has closed.
    pub(super) fn after_serving(&mut self, index: u32) {
        let conn = self.gate.conns.at(index);
        if !conn.is_open() {
            return;
        }
        if conn.is_paused() {
            if conn.flags.has(Flags::THROTTLED) {
                self.look_after(index);
            }
            return;
        }
        if conn.flags.has(Flags::READABLE | Flags::BUFFERED) {
            if !conn.flags.has(Flags::ABOVE) && self.gate.rest_talker(index) {
                return;
            }
            let conn = self.gate.conns.at(index);
            self.gate.stats.requeued += u64::from(conn.flags.has(Flags::BUFFERED));
            self.gate.queues.push_ready(&mut self.gate.conns, index);
        } else if conn.flags.has(Flags::EOF) {
            self.gate.close_at(index, CloseReason::PeerClosed);
        } else if conn.flags.has(Flags::BEHIND) {
            self.gate.conns.at_mut(index).flags.clear(Flags::BEHIND);
        }
    }

    /// One read. A short one means drained (epoll, edge-triggered), unless the peer may have
    /// closed: then the next read tells.
    pub(super) fn read(&mut self, index: u32) -> Read {
        let stream = &mut self.sockets[index as usize];
        match self.net.read(stream, &mut self.scratch) {
            Ok(0) => self.gate.ended(index),
            Ok(count) => {
                let is_drained = count < self.scratch.len();
                if is_drained && self.answer_beats(index, count) {
                    return Read::Answered;
                }
                self.gate.received(index, count, is_drained);
                self.feed(index, count);
            }
            Err(error) => self.read_failed(index, &error),
        }
        Read::Handled
    }

    fn read_failed(&mut self, index: u32, error: &io::Error) {
        match error.kind() {
            io::ErrorKind::WouldBlock => {
                let flags = &mut self.gate.conns.at_mut(index).flags;
                flags.clear(Flags::READABLE | Flags::CLOSED_HINT);
            }
            io::ErrorKind::Interrupted => {}
            _ => self.gate.lost(index, error),
        }
    }

    /// Handles what was read, behind what was kept.
    fn feed(&mut self, index: u32, count: usize) {
        if self.gate.conns.at(index).input.is_some() {
            self.gate.extend_input(index, &self.scratch[..count]);
            return self.handle_kept(index);
        }
        let bytes = &self.scratch[..count];
        let rest = handle(&mut self.gate, &mut self.handler, index, bytes);
        let left = &bytes[rest.taken..];
        if !left.is_empty() && self.gate.conns.at(index).is_open() {
            let scanned = if rest.is_half { left.len() } else { 0 };
            self.gate.keep_copy(index, left, scanned, rest.is_half);
        }
    }

    /// Answers what was read at once, where it is nothing but heartbeats and nothing stands in the
    /// way: whether it was so. No more was to be read.
    #[inline]
    fn answer_beats(&mut self, index: u32, count: usize) -> bool {
        let Some(pongs) = self.gate.pongs(index, &self.scratch[..count]) else {
            return false;
        };
        let (beats, bytes) = (pongs.count, pongs.bytes.len());
        let stream = &mut self.sockets[index as usize];
        let offer = self.net.write(stream, &[IoSlice::new(pongs.bytes)]);
        let written = *offer.as_ref().unwrap_or(&0);
        self.gate.ponged(index, beats, count, written);
        if written < bytes {
            self.gate.owe_pongs(index, beats, written);
            match offer {
                Ok(_) => self.gate.blocked(index),
                Err(error) => self.write_failed(index, &error),
            }
        }
        true
    }

    /// Handles what was kept, where there is a whole frame in it.
    fn handle_kept(&mut self, index: u32) {
        let session = self.gate.session(index);
        let Some(input) = &mut self.gate.conns.at_mut(index).input else {
            return;
        };
        if matches!(session.step(&input.bytes, input.scanned), Step::More) {
            input.scanned = input.bytes.len();
            return self.gate.begin_half(index);
        }
        let Some(input) = self.gate.take_input(index) else {
            return;
        };
        let mut bytes = input.bytes;
        let rest = handle(&mut self.gate, &mut self.handler, index, &bytes);
        if rest.taken < bytes.len() && self.gate.conns.at(index).is_open() {
            bytes.drain(..rest.taken);
            if bytes.capacity() > 2 * bytes.len() {
                bytes.shrink_to_fit();
            }
            let scanned = if rest.is_half { bytes.len() } else { 0 };
            self.gate.keep_input(index, bytes, scanned, rest.is_half);
        }
    }

    /// After the goodbye the peer's unread input is thrown away, so that the kernel does not
    /// answer it with a reset that destroys the goodbye.
    fn drain_lingering(&mut self, index: u32) {
        let stream = &mut self.sockets[index as usize];
        let flags = &mut self.gate.conns.at_mut(index).flags;
        match self.net.read(stream, &mut self.scratch) {
            Ok(0) => self.gate.leave_socket(index, Phase::Gone),
            Ok(count) => {
                if count < self.scratch.len() && !flags.has(Flags::CLOSED_HINT) {
                    flags.clear(Flags::READABLE);
                }
                self.gate.lingered(index, count);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                flags.clear(Flags::READABLE | Flags::CLOSED_HINT);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.gate.leave_socket(index, Phase::Gone),
        }
        if self.gate.is_lingering(index) && self.gate.conns.at(index).flags.has(Flags::READABLE) {
            self.gate.queues.push_ready(&mut self.gate.conns, index);
        }
    }
}

/// Handles the frames in `bytes`, up to the budget of a turn.
fn handle<H: Handler>(gate: &mut Gate, handler: &mut H, index: u32, bytes: &[u8]) -> Rest {
    let conn = gate.conns.id(index);
    let mut taken = 0;
    let mut budget = gate.limits.frames;
    while budget > 0 {
        let conn_now = gate.conns.at(index);
        if taken == bytes.len() || !conn_now.is_open() {
            return Rest {
                taken: bytes.len(),
                is_half: false,
            };
        }
        let is_metered = conn_now.flags.has(Flags::METERED);
        if conn_now.is_paused() || gate.choke(index) {
            return Rest {
                taken,
                is_half: false,
            };
        }
        if is_metered && gate.standing(index).is_above {
            // In its next turn it is held back for a whole frame, and not for the front of one.
            let step = gate.session(index).step(&bytes[taken..], 0);
            let is_half = matches!(step, Step::More);
            if !is_half {
                gate.conns.at_mut(index).flags.set(Flags::ABOVE);
            }
            return Rest { taken, is_half };
        }
        let (beats, count) = gate.beat(index, &bytes[taken..], budget);
        if beats > 0 {
            budget -= beats;
            taken += count;
            continue;
        }
        budget -= 1;
        let step = gate.session(index).step(&bytes[taken..], 0);
        if let Step::Request(_, parsed) = &step
            && gate.must_wait(index, parsed)
        {
            gate.conns.at_mut(index).flags.set(Flags::PUT_OFF);
            return Rest {
                taken,
                is_half: false,
            };
        }
        if gate.is_tapping() {
            step.tap(gate, index, &bytes[taken..]);
        }
        match act(gate, handler, conn, step) {
            Some(count) => taken += count,
            None => {
                return Rest {
                    taken,
                    is_half: true,
                };
            }
        }
    }
    Rest {
        taken,
        is_half: false,
    }
}

/// Does what one step asks for; the bytes it took, `None` where there is no whole frame.
fn act<H: Handler>(
    gate: &mut Gate,
    handler: &mut H,
    conn: ConnId,
    step: Step<'_>,
) -> Option<usize> {
    let index = conn.index;
    match step {
        Step::More => return None,
        Step::Beat(count) => {
            gate.framed(index);
            gate.stats.beats += 1;
            return Some(count);
        }
        Step::Frame(count, body) => {
            gate.framed(index);
            frame(gate, handler, conn, body);
            return Some(count);
        }
        Step::Request(count, parsed) => {
            gate.framed(index);
            if let Demand::Ask(message) = gate.take(index, &parsed) {
                let is_login = matches!(message, Message::Login { .. });
                gate.answering = index;
                if let Some(answer) = ask(gate, handler, conn, message) {
                    gate.give(index, answer, parsed.seq.as_ref(), is_login);
                }
            }
            return Some(count);
        }
        Step::Header(count, client) => {
            gate.unveil(index, client);
            if gate.conns.at(index).is_open() {
                handler.on_open(gate, conn);
            }
            return Some(count);
        }
        Step::Foreign(guess) => {
            gate.stats.foreign[guess as usize] += 1;
            gate.close_silently(index, End::over(CloseReason::Protocol, EndDetail::Foreign));
        }
        Step::Fault(fault) => {
            debug!("{conn} protocol error=\"{fault}\"");
            gate.close_at(index, End::over(CloseReason::Protocol, EndDetail::NoFrame));
        }
        Step::Starved => gate.starve(index),
        Step::Panicked => gate.survive(index),
    }
    Some(0)
}

fn frame<H: Handler>(gate: &mut Gate, handler: &mut H, conn: ConnId, body: &[u8]) {
    match gate.rules_of(conn.index).settings.dialect {
        Dialect::Sink => gate.stats.beats += 1,
        Dialect::Echo => {
            gate.echo(conn.index, body);
        }
        Dialect::Frames | Dialect::Gate => {
            if let Some(answer) = ask(gate, handler, conn, Message::Frame(body)) {
                gate.give(conn.index, answer, None, false);
            }
        }
    }
}

/// The handler's answer; none where it panicked, which ends the connection and no other.
fn ask<H: Handler>(
    gate: &mut Gate,
    handler: &mut H,
    conn: ConnId,
    message: Message<'_>,
) -> Option<Answer> {
    let asked = AssertUnwindSafe(|| handler.on_message(gate, conn, message));
    let answer = catch_unwind(asked).ok();
    if answer.is_none() {
        gate.survive(conn.index);
    }
    answer
}
