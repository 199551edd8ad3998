//! Appending to outboxes: answers, frames, messages; the slow-consumer policy and the output
//! budget. Nothing here writes to a socket: a connection with output is put on the dirty queue.

use bytes::Bytes;
use smol_str::SmolStr;

use super::Gate;
use super::conn::{Flags, Held, NONE, Phase};
use super::end::{End, EndDetail};
use super::outbox::Outbox;
use super::rules::WireId;
use crate::codec::framing::Unfit;
use crate::codec::message::Seq;
use crate::codec::reply::{self, Delivery, Reply};
use crate::reason::CloseReason;
use crate::settings::{Dialect, SlowConsumer};

/// A frame on its way into an outbox.
pub(crate) enum Parcel<'a> {
    /// Encoded already, for many.
    Shared(&'a Bytes),
    /// To be encoded for this one connection.
    Fresh(&'a Delivery<'a>),
}

/// What became of a frame for one receiver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// It waits in the outbox.
    Queued,
    /// Not now: the receiver is ending, or takes nothing more for a while.
    Refused,
    /// Never: it does not fit the receiver's framing or an empty outbox. Dropped and counted.
    Unfit,
}

impl Gate {
    /// Appends an answer, a ping or a goodbye: what is not subject to the slow-consumer policy,
    /// since reading stops long before it could add up.
    pub(crate) fn reply(&mut self, index: u32, reply: &Reply<'_>, seq: Option<&Seq<'_>>) {
        let wire = self.wire_of(index);
        let framing = *self.wires.get(wire);
        let room = reply.room(seq, &framing);
        let write = |tail: &mut Vec<u8>| reply::encode(reply, seq, &framing, tail);
        let fate = self.append(index, room, write);
        if fate == Fate::Queued && matches!(reply, Reply::Ping | Reply::Pong) {
            self.stats.beats_out += 1;
        }
    }

    /// Appends `body` as one frame of the connection's framing, past the slow-consumer policy.
    /// Whether it could.
    pub(crate) fn echo(&mut self, index: u32, body: &[u8]) -> bool {
        let framing = *self.wires.get(self.wire_of(index));
        let room = framing.room(body.len());
        self.append(index, room, |tail| framing.encode(body, tail)) == Fate::Queued
    }

    /// Appends `body` as one frame, where the receiver takes it: whether it did.
    pub(crate) fn send_frame(&mut self, index: u32, body: &[u8]) -> bool {
        if !self.has_room(index) {
            return false;
        }
        let before = self.conns.at(index).waiting();
        self.echo(index, body) && self.enforce_max(index, before) == Fate::Queued
    }

    /// Appends a message where the receiver takes it.
    ///
    /// What the request in hand causes to its own sender is held back until that is answered.
    pub(crate) fn deliver(&mut self, index: u32, parcel: &Parcel<'_>) -> Fate {
        if !self.conns.at(index).is_open() || !self.has_room(index) {
            return Fate::Refused;
        }
        if self.answering == index {
            return self.hold(index, parcel);
        }
        let before = self.conns.at(index).waiting();
        let fate = match parcel {
            Parcel::Shared(frame) => self.append_shared(index, frame),
            Parcel::Fresh(delivery) => {
                let framing = *self.wires.get(self.wire_of(index));
                let message = Reply::Message((*delivery).clone());
                let room = message.room(None, &framing);
                let write = |tail: &mut Vec<u8>| reply::encode(&message, None, &framing, tail);
                self.append(index, room, write)
            }
        };
        if fate == Fate::Queued {
            self.enforce_max(index, before)
        } else {
            fate
        }
    }

    /// Whether the policy lets anything more into the outbox.
    fn has_room(&mut self, index: u32) -> bool {
        let conn = self.conns.at(index);
        let rules = &self.rules[usize::from(conn.listener.0)];
        if rules.settings.slow_consumer == SlowConsumer::Close {
            return true;
        }
        let Some(outbox) = &conn.outbox else {
            return true;
        };
        let now = self.clock.live();
        let over_soft = conn.flags.has(Flags::BLOCKED)
            && outbox
                .soft_since
                .is_some_and(|since| since.after(rules.soft).is_due(now));
        if over_soft {
            self.stats.dropped_newest += 1;
        }
        !over_soft
    }

    /// After a message was appended to `before` bytes: takes it back where it alone is above the
    /// outbox's maximum; where all that waits is and the socket has not taken it, takes it back or
    /// ends the connection.
    fn enforce_max(&mut self, index: u32, before: usize) -> Fate {
        let conn = self.conns.at(index);
        let settings = &self.rules[usize::from(conn.listener.0)].settings;
        let (waiting, max) = (conn.waiting(), settings.outbox_max);
        if waiting.saturating_sub(before) > max {
            self.stats.unfit += 1;
            self.take_back(index, before);
            return Fate::Unfit;
        }
        if waiting > max && conn.flags.has(Flags::BLOCKED) {
            match settings.slow_consumer {
                SlowConsumer::Close => self.close_for_too_much(index),
                SlowConsumer::DropNewest => {
                    self.stats.dropped_newest += 1;
                    self.take_back(index, before);
                }
            }
            return Fate::Refused;
        }
        // The output budget may just have cost this very connection.
        if conn.is_open() {
            Fate::Queued
        } else {
            Fate::Refused
        }
    }

    /// Takes back the frame that was just appended to `before` bytes.
    fn take_back(&mut self, index: u32, before: usize) {
        self.stats.frames_out -= 1;
        self.conns.at_mut(index).frames_out -= 1;
        self.append_frames(index, 1, |outbox| outbox.retract(before));
    }

    fn hold(&mut self, index: u32, parcel: &Parcel<'_>) -> Fate {
        let frame = match parcel {
            Parcel::Shared(frame) => (*frame).clone(),
            Parcel::Fresh(delivery) => match self.encode(self.wire_of(index), delivery) {
                Ok(frame) => frame,
                Err(fate) => return fate,
            },
        };
        if frame.len() > self.rules_of(index).settings.outbox_max {
            self.stats.unfit += 1;
            return Fate::Unfit;
        }
        self.held.push(Held {
            frame,
            tracked: None,
        });
        Fate::Queued
    }

    /// Encodes a message once, for many.
    pub(crate) fn encode(&mut self, wire: WireId, delivery: &Delivery<'_>) -> Result<Bytes, Fate> {
        let message = Reply::Message(delivery.clone());
        let framing = self.wires.get(wire);
        let mut frame = Vec::new();
        let room = frame.try_reserve_exact(message.room(None, framing));
        room.map_err(|_| Fate::Refused)?;
        if reply::encode(&message, None, framing, &mut frame).is_err() {
            self.stats.unfit += 1;
            return Err(Fate::Unfit);
        }
        frame.shrink_to_fit();
        Ok(self.ledger.share(frame))
    }

    /// Appends a frame of at most `room` bytes.
    fn append(
        &mut self,
        index: u32,
        room: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), Unfit>,
    ) -> Fate {
        let mut written = Ok(Ok(()));
        if self.is_tapping() {
            let mut frame = Vec::new();
            written = frame.try_reserve_exact(room).map(|()| write(&mut frame));
            if written == Ok(Ok(())) {
                self.tell_frame(index, "out", &frame);
                self.append_frames(index, 1, |outbox| written = outbox.copy(&frame).map(Ok));
            }
        } else {
            self.append_frames(index, 1, |outbox| written = outbox.append(room, write));
        }
        match written {
            Ok(Ok(())) => Fate::Queued,
            Ok(Err(Unfit)) => {
                self.stats.unfit += 1;
                Fate::Unfit
            }
            Err(_) => self.go_without(index),
        }
    }

    /// Appends a frame that others may hold as well.
    fn append_shared(&mut self, index: u32, frame: &Bytes) -> Fate {
        if self.is_tapping() {
            self.tell_frame(index, "out", frame);
        }
        let mut held = Ok(());
        self.append_frames(index, 1, |outbox| held = outbox.share(frame));
        match held {
            Ok(()) => Fate::Queued,
            Err(_) => self.go_without(index),
        }
    }

    /// The system has no memory for what a connection is to get: that one ends.
    #[cold]
    pub(super) fn go_without(&mut self, index: u32) -> Fate {
        self.starve(index);
        Fate::Refused
    }

    /// Changes an outbox, made where there is none, and does the book-keeping; where it grows, then
    /// by so many frames.
    #[inline]
    pub(crate) fn append_frames(
        &mut self,
        index: u32,
        frames: u64,
        change: impl FnOnce(&mut Outbox),
    ) {
        let conn = self.conns.at_mut(index);
        let mut cost_before = 0;
        let mut outbox = match conn.outbox.take() {
            Some(outbox) => {
                cost_before = outbox.cost();
                outbox
            }
            None => self.outboxes.pop().unwrap_or_default(),
        };
        let before = outbox.len();
        change(&mut outbox);
        if outbox.is_empty() {
            self.ledger.output -= cost_before;
            self.ledger.note_low(&mut outbox);
            return self.give_back(outbox);
        }
        let grew = outbox.len() > before;
        let position = conn.bytes_out + outbox.len() as u64;
        let mut is_late = false;
        if grew {
            conn.frames_out += frames;
            self.stats.frames_out += frames;
            let now = self.clock.live();
            let settings = &self.rules[usize::from(conn.listener.0)].settings;
            if outbox.len() > settings.outbox_soft && outbox.soft_since.is_none() {
                self.ledger.note_high(&mut outbox, now);
                is_late = true;
            }
            if conn.flags.has(Flags::BLOCKED) {
                outbox.mark(position, now);
            }
        } else if outbox.len()
            <= self.rules[usize::from(conn.listener.0)]
                .settings
                .outbox_soft
        {
            self.ledger.note_low(&mut outbox);
        }
        self.ledger.output = self.ledger.output + outbox.cost() - cost_before;
        let waiting = outbox.len();
        conn.outbox = Some(outbox);
        self.largest.note(self.conns.id(index), waiting);
        let conn = self.conns.at(index);
        if conn.flags.has(Flags::WRITABLE) {
            self.queues.push_dirty(&mut self.conns, index);
        } else if is_late {
            self.touch(index);
        }
        self.relieve_output();
    }

    /// Keeps an empty outbox for the next connection that needs one.
    pub(crate) fn give_back(&mut self, mut outbox: Box<Outbox>) {
        if self.outboxes.len() < self.limits.spare_outboxes as usize {
            outbox.recycle();
            self.outboxes.push(outbox);
        }
    }

    /// Drops all waiting output of a connection.
    pub(crate) fn drop_output(&mut self, index: u32) {
        if let Some(mut outbox) = self.conns.at_mut(index).outbox.take() {
            self.ledger.output -= outbox.cost();
            self.ledger.note_low(&mut outbox);
            self.give_back(outbox);
        }
    }

    /// Ends the connections with the largest outboxes until the budget is kept.
    fn relieve_output(&mut self) {
        while self.ledger.output() > self.limits.output_budget {
            let Some(largest) = self.largest.take(&self.conns) else {
                return;
            };
            self.note_eviction();
            let end = End::over(CloseReason::Overloaded, EndDetail::OutputBudget);
            self.cut_at(largest, end);
        }
    }

    pub(crate) fn wire_of(&self, index: u32) -> WireId {
        self.rules[usize::from(self.conns.at(index).listener.0)].wire
    }

    /// The next connection with output and room, and its outbox, for the loop to write.
    pub(crate) fn next_dirty(&mut self) -> Option<u32> {
        loop {
            let index = self.queues.pop_dirty(&mut self.conns)?;
            let conn = self.conns.at(index);
            let is_waiting = conn.outbox.is_some() && conn.flags.has(Flags::WRITABLE);
            if is_waiting || conn.phase == Phase::Closing {
                return Some(index);
            }
            // The answer to a login comes first.
            if conn.flags.of(Flags::COLLECTS | Flags::AWAITING) == Flags::COLLECTS {
                self.after_write(index);
            }
        }
    }

    /// The socket took `written` bytes of the connection's output.
    pub(crate) fn wrote(&mut self, index: u32, written: usize) {
        let now = self.clock.live();
        let conn = self.conns.at_mut(index);
        let Some(mut outbox) = conn.outbox.take() else {
            return;
        };
        let cost_before = outbox.cost();
        outbox.advance(written);
        conn.bytes_out += written as u64;
        conn.last_out = now;
        self.stats.bytes_out += written as u64;
        let (tracks, position) = (conn.flags.has(Flags::TRACKS), conn.bytes_out);
        if outbox.is_empty() {
            conn.flags.clear(Flags::BLOCKED);
            self.ledger.output -= cost_before;
            self.ledger.note_low(&mut outbox);
            self.give_back(outbox);
        } else {
            let settings = &self.rules[usize::from(conn.listener.0)].settings;
            if outbox.len() <= settings.outbox_soft {
                self.ledger.note_low(&mut outbox);
            }
            outbox.stuck_since = now;
            outbox.unmark(position);
            self.ledger.output = self.ledger.output + outbox.cost() - cost_before;
            conn.outbox = Some(outbox);
        }
        if tracks {
            self.letters_left(index, position - written as u64, position);
        }
        self.after_write(index);
    }

    /// What room in the outbox lets go on: reading, and parked messages.
    pub(super) fn after_write(&mut self, index: u32) {
        let conn = self.conns.at(index);
        let is_low = |outbox: &Outbox| {
            let rules = &self.rules[usize::from(conn.listener.0)];
            outbox.len() <= rules.settings.output_low(conn.is_logged_in())
        };
        if !conn.is_open() || !conn.outbox.as_deref().is_none_or(is_low) {
            return;
        }
        if conn.flags.has(Flags::CHOKED) {
            self.resume(index, Flags::CHOKED);
        }
        if self.conns.at(index).flags.has(Flags::COLLECTS) {
            self.collect(index);
        }
    }

    /// The socket did not take all of the connection's output.
    pub(crate) fn blocked(&mut self, index: u32) {
        let now = self.clock.live();
        let conn = self.conns.at_mut(index);
        conn.flags.clear(Flags::WRITABLE);
        let position = conn.bytes_out + conn.waiting() as u64;
        if let Some(outbox) = &mut conn.outbox
            && conn.flags.raise(Flags::BLOCKED)
        {
            let cost_before = outbox.cost();
            outbox.stuck_since = now;
            outbox.mark(position, now);
            self.ledger.output = self.ledger.output + outbox.cost() - cost_before;
        }
        self.touch(index);
        self.judge_burst(index);
        self.relieve_output();
    }

    fn close_for_too_much(&mut self, index: u32) {
        let end = End::over(CloseReason::SlowConsumer, EndDetail::OutboxMax);
        self.close_at(index, end);
    }

    /// What one turn has queued may be above the maximum: it was offered to the socket first.
    fn judge_burst(&mut self, index: u32) {
        let conn = self.conns.at(index);
        let settings = &self.rules[usize::from(conn.listener.0)].settings;
        let is_policed = settings.slow_consumer == SlowConsumer::Close
            && settings.dialect != Dialect::Echo
            && conn.is_open();
        if is_policed && conn.waiting() > settings.outbox_max {
            self.close_for_too_much(index);
        }
    }

    /// Appends what was held back behind the answer to `index`, where its request is the one in
    /// hand: a handler may answer another connection meanwhile.
    pub(crate) fn release_held(&mut self, index: u32) {
        if self.answering != index {
            return;
        }
        self.answering = NONE;
        let held = std::mem::take(&mut self.held);
        if held.is_empty() {
            return;
        }
        let user = self.user(self.conns.id(index)).map(SmolStr::new);
        for Held { frame, tracked } in held {
            let before = self.conns.at(index).waiting();
            let mut fate = Fate::Refused;
            if self.conns.at(index).is_open() {
                fate = self.append_shared(index, &frame);
            }
            if fate == Fate::Queued {
                fate = self.enforce_max(index, before);
            }
            match tracked {
                Some(letter) if fate == Fate::Queued => self.track(index, letter),
                tracked => {
                    self.keep_for_leaver(user.as_deref(), tracked.as_ref());
                }
            }
        }
    }
}
