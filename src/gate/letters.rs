//! The life of an acknowledged message: sent, sent again, settled, parked, collected, expired.

use std::sync::Arc;

use super::Gate;
use super::conn::{Flags, Held, NONE};
use super::offline::{LETTER_COST, Letter, Parked, Unacked, body_len, own};
use super::output::{Fate, Parcel};
use super::receipts::Turn;
use crate::codec::reply::Delivery;
use crate::id::ConnId;
use crate::time::Tick;

impl Gate {
    /// Makes a letter, where the budget has room or can be given some.
    pub(crate) fn write_letter(
        &mut self,
        delivery: &Delivery<'_>,
        expires: Option<Tick>,
    ) -> Option<Arc<Letter>> {
        let names = delivery.from.map_or(0, str::len) + delivery.topic.map_or(0, str::len);
        let cost = LETTER_COST + body_len(delivery.body) + names;
        if cost > self.limits.offline_budget {
            return None;
        }
        // Before anything makes room for it: what can not be copied costs no other.
        let body = own(delivery.body)?;
        while self.ledger.offline() + cost > self.limits.offline_budget {
            let oldest = self.offline.oldest()?;
            let letter = self.unpark(oldest);
            self.count_dropped(letter.id);
        }
        let charge = self.ledger.charge_offline(cost);
        self.stats.letters.made += 1;
        Some(Arc::new(Letter::new(delivery, body, expires, charge)))
    }

    /// Sends a letter on a connection and keeps it until it is acknowledged.
    pub(crate) fn deliver_letter(&mut self, index: u32, letter: &Arc<Letter>) -> Fate {
        self.deliver_letter_as(index, letter, &Parcel::Fresh(&letter.delivery()))
    }

    /// The same, for a letter that may have been encoded already.
    fn deliver_letter_as(&mut self, index: u32, letter: &Arc<Letter>, parcel: &Parcel<'_>) -> Fate {
        let conn = self.conns.at(index);
        if conn.holds(letter.id) {
            // Its user has logged in here while the message was under way to both.
            return Fate::Queued;
        }
        let is_held = self.answering == index;
        let mut most = self.limits.unacked_per_connection as usize;
        if is_held {
            let held = self.held.iter().filter(|held| held.tracked.is_some());
            most = most.saturating_sub(held.count());
        }
        if conn.unacked().len() >= most {
            return Fate::Refused;
        }
        let fate = self.deliver(index, parcel);
        if fate != Fate::Queued {
            return fate;
        }
        if is_held {
            if let Some(Held { tracked, .. }) = self.held.last_mut() {
                *tracked = Some(Arc::clone(letter));
            }
        } else {
            self.track(index, Arc::clone(letter));
        }
        Fate::Queued
    }

    /// Sends a copy of a letter whose user has acknowledged another: it is not waited for.
    pub(crate) fn deliver_settled(&mut self, index: u32, letter: &Letter) -> bool {
        let is_queued = self.deliver(index, &Parcel::Fresh(&letter.delivery())) == Fate::Queued;
        if is_queued {
            self.note(letter.id, Turn::Sent);
        }
        is_queued
    }

    /// Notes that the letter's copy was just appended to the outbox.
    pub(crate) fn track(&mut self, index: u32, letter: Arc<Letter>) {
        self.note(letter.id, Turn::Sent);
        let (sent, has_end) = (self.clock.live(), letter.expires.is_some());
        let conn = self.conns.at_mut(index);
        let end = conn.bytes_out + conn.waiting() as u64;
        conn.extra().unacked.push(Unacked {
            letter,
            end,
            sent,
            attempts: 1,
            was_given_up: false,
        });
        conn.flags.set(Flags::TRACKS);
        if has_end {
            self.touch(index);
        }
    }

    /// The connection ends while its own request is in hand: the letters held behind the answer
    /// are what it leaves unacknowledged.
    pub(crate) fn track_held(&mut self, index: u32) {
        if self.answering != index {
            return;
        }
        for held in std::mem::take(&mut self.held) {
            if let Some(letter) = held.tracked {
                self.track(index, letter);
            }
        }
    }

    /// The connection says that message `id` has arrived: one ack settles it for all of the user's.
    pub(crate) fn acknowledge(&mut self, index: u32, id: u64) {
        let settled = self.settle_for_all(index, id);
        self.stats.letters.acked += u64::from(settled);
        if settled {
            self.note(id, Turn::Acked);
            let user = self.conns.at(index).user;
            if user != NONE {
                self.pushes.note_settled(id, user);
            }
        }
        if settled && self.conns.at(index).flags.has(Flags::COLLECTS) {
            // Before anything newer that this turn still sends.
            self.collect(index);
        }
    }

    /// Takes a message from all of the user's connections, and from his mailbox: whether it was in
    /// one of them.
    pub(crate) fn settle_for_all(&mut self, index: u32, id: u64) -> bool {
        let user = self.conns.at(index).user;
        let mut settled = self.settle(index, id);
        if user != NONE {
            for place in 0..self.users.conns(user).len() {
                let other = self.users.conns(user)[place];
                settled |= self.settle(other, id);
            }
            if let Ok(place) = self.place_of(user, id) {
                self.unpark(self.users.mailbox(user)[place]);
                settled = true;
            }
        }
        settled
    }

    fn settle(&mut self, index: u32, id: u64) -> bool {
        let conn = self.conns.at_mut(index);
        let Some(place) = conn.unacked().iter().position(|sent| sent.letter.id == id) else {
            return false;
        };
        conn.extra().unacked.remove(place);
        conn.trim_extra();
        if conn.flags.has(Flags::COLLECTS) {
            // Another connection's ack has made room here too.
            self.queues.push_dirty(&mut self.conns, index);
        }
        true
    }

    /// Sends again what was not acknowledged in time; parks what was sent often enough.
    pub(crate) fn resend(&mut self, index: u32) {
        let (live, real) = (self.clock.live(), self.clock.real());
        let conn = self.conns.at(index);
        let rules = &self.rules[usize::from(conn.listener.0)];
        let (span, attempts_max) = (rules.ack, rules.settings.ack_attempts);
        let position = conn.bytes_out;
        let is_due = |sent: &Unacked| sent.end <= position && sent.sent.after(span).is_due(live);
        let due: Vec<u64> = conn
            .unacked()
            .iter()
            .filter(|sent| is_due(sent))
            .map(|sent| sent.letter.id)
            .collect();
        for id in due {
            let found = self
                .conns
                .at(index)
                .unacked()
                .iter()
                .find(|sent| sent.letter.id == id);
            let Some(sent) = found.cloned() else { continue };
            if sent.letter.is_expired(real) {
                self.expire_letter(index, id);
            } else if sent.attempts >= attempts_max {
                self.settle(index, id);
                self.give_up(self.conns.at(index).user, sent.letter);
            } else if !self.resend_one(index, &sent) {
                return;
            }
        }
        if self.conns.at(index).flags.has(Flags::COLLECTS) {
            self.collect(index);
        }
    }

    /// Output up to `position` has left: from now on the copies in it wait for their acks.
    pub(crate) fn letters_left(&mut self, index: u32, before: u64, position: u64) {
        let now = self.clock.live();
        let conn = self.conns.at_mut(index);
        for sent in &mut conn.extra().unacked {
            if before < sent.end && sent.end <= position {
                sent.sent = now;
            }
        }
        self.touch(index);
    }

    fn resend_one(&mut self, index: u32, sent: &Unacked) -> bool {
        let delivery = sent.letter.delivery();
        let was_sent = self.deliver(index, &Parcel::Fresh(&delivery)) == Fate::Queued;
        if !self.conns.at(index).is_open() {
            return false;
        }
        let now = self.clock.live();
        let conn = self.conns.at_mut(index);
        let end = conn.bytes_out + conn.waiting() as u64;
        let id = sent.letter.id;
        if let Some(held) = conn
            .extra()
            .unacked
            .iter_mut()
            .find(|held| held.letter.id == id)
        {
            held.sent = now;
            if was_sent {
                held.end = end;
                held.attempts += 1;
                self.stats.letters.resent += 1;
                self.note(id, Turn::Sent);
            }
        }
        true
    }

    /// What a connection leaves unacknowledged when it ends, or when another user takes it over.
    /// Goes to `user`'s mailbox; `moves` where a newer connection takes it on at once, so that the
    /// mailbox's limit does not count.
    pub(crate) fn return_letters(&mut self, index: u32, user: u32, moves: bool) {
        let conn = self.conns.at_mut(index);
        if conn.unacked().is_empty() {
            return;
        }
        let unacked = std::mem::take(&mut conn.extra().unacked);
        conn.trim_extra();
        for sent in unacked {
            let gave_up = match sent.was_given_up {
                true => self.those_here(user),
                false => Box::default(),
            };
            if moves {
                self.put(user, sent.letter, gave_up);
            } else {
                self.park_unless_held(user, sent.letter, gave_up);
            }
        }
    }

    /// Parks a letter that was sent often enough, for a later connection than those that are here.
    fn give_up(&mut self, user: u32, letter: Arc<Letter>) {
        for place in 0..self.conns_of(user).len() {
            let conn = self.conns_of(user)[place];
            let mut unacked = self.conns.at_mut(conn).unacked_mut();
            if let Some(sent) = unacked.find(|sent| sent.letter.id == letter.id) {
                sent.was_given_up = true;
            }
        }
        self.park_unless_held(user, letter, self.those_here(user));
    }

    /// The slots of the user's connections; none of nobody.
    fn conns_of(&self, user: u32) -> &[u32] {
        match user {
            NONE => &[],
            user => self.users.conns(user),
        }
    }

    fn those_here(&self, user: u32) -> Box<[ConnId]> {
        let conns = self.conns_of(user).iter();
        conns.map(|&conn| self.conns.id(conn)).collect()
    }

    /// Parks a letter unless another connection of the user still waits for its ack.
    fn park_unless_held(&mut self, user: u32, letter: Arc<Letter>, gave_up: Box<[ConnId]>) {
        if user == NONE {
            self.count_expired(letter.id, NONE);
        } else if !self.is_held_by(user, letter.id) {
            self.park(user, letter, gave_up);
        }
    }

    /// Whether one of the user's connections, or his mailbox, holds a copy of message `id`.
    pub(crate) fn has_copy(&self, user: u32, id: u64) -> bool {
        self.is_held_by(user, id) || self.place_of(user, id).is_ok()
    }

    fn is_held_by(&self, user: u32, id: u64) -> bool {
        let mut conns = self.users.conns(user).iter();
        conns.any(|&conn| self.conns.at(conn).holds(id))
    }

    /// Puts a letter into the user's mailbox: whether it had room.
    pub(crate) fn park(&mut self, user: u32, letter: Arc<Letter>, gave_up: Box<[ConnId]>) -> bool {
        let id = letter.id;
        let is_known = self.users.get(user).is_some();
        let has_room = self.has_mailbox_room(user) || is_known && self.place_of(user, id).is_ok();
        if has_room {
            self.put(user, letter, gave_up);
        } else if !is_known || !self.has_copy(user, id) {
            self.count_dropped(id);
        }
        has_room
    }

    /// Parks a letter for a user who is here and could not take it: his connections collect it when
    /// they have room.
    pub(crate) fn park_for(&mut self, user: u32, letter: &Arc<Letter>) -> bool {
        if user == NONE || !self.park(user, Arc::clone(letter), Box::default()) {
            return false;
        }
        for place in 0..self.users.conns(user).len() {
            let index = self.users.conns(user)[place];
            self.conns.at_mut(index).flags.set(Flags::COLLECTS);
            self.queues.push_dirty(&mut self.conns, index);
        }
        true
    }

    pub(crate) fn has_mailbox_room(&self, user: u32) -> bool {
        // Who has just been forgotten has none.
        let listener = self.users.get(user).map(|user| user.listener.0);
        let rules = listener.and_then(|listener| self.rules.get(usize::from(listener)));
        let max = rules.map_or(0, |rules| rules.settings.offline_max as usize);
        max > 0 && self.users.mailbox(user).len() < max
    }

    fn put(&mut self, user: u32, letter: Arc<Letter>, gave_up: Box<[ConnId]>) {
        let now = self.clock.real();
        let listener = usize::from(self.users.at(user).listener.0);
        let expires = letter
            .expires
            .unwrap_or_else(|| now.after(self.rules[listener].offline));
        let place = match self.place_of(user, letter.id) {
            Err(place) => place,
            Ok(place) => {
                return self
                    .offline
                    .give_up(self.users.mailbox(user)[place], &gave_up);
            }
        };
        if expires.is_due(now) {
            return self.count_expired(letter.id, user);
        }
        self.stats.letters.parked += 1;
        let key = self.offline.insert(letter, user, expires, gave_up);
        self.users.keep(user, key, place);
        match self.users.at(user).timer {
            NONE => self.wake_user(user),
            timer => self.advance_timer(timer, expires),
        }
    }

    /// Where message `id` stands in the user's mailbox, or would.
    fn place_of(&self, user: u32, id: u64) -> Result<usize, usize> {
        let mailbox = self.users.mailbox(user);
        mailbox.binary_search_by_key(&id, |&key| self.offline.at(key).letter.id)
    }

    /// Takes a letter out of its mailbox.
    pub(crate) fn unpark(&mut self, key: u32) -> Arc<Letter> {
        let parked = self.take_parked(key);
        // A timer that rings too early finds out by itself what comes next.
        if self.users.mailbox(parked.user).is_empty() {
            self.wake_user(parked.user);
        }
        parked.letter
    }

    pub(crate) fn take_parked(&mut self, key: u32) -> Parked {
        let Parked { user, letter, .. } = self.offline.at(key);
        let place = self.place_of(*user, letter.id).expect("it is in a mailbox");
        self.users.unkeep(*user, place);
        self.offline.remove(key)
    }

    /// Sends parked messages, oldest first, while the outbox is below its low-water mark.
    pub(crate) fn collect(&mut self, index: u32) {
        let user = self.conns.at(index).user;
        let low = self.rules_of(index).settings.outbox_low;
        while user != NONE && self.conns.at(index).waiting() < low.max(1) {
            let Some(key) = self.next_parked(index) else {
                self.conns.at_mut(index).flags.clear(Flags::COLLECTS);
                return;
            };
            let letter = Arc::clone(&self.offline.at(key).letter);
            match self.deliver_parked(index, &letter) {
                Fate::Queued => {
                    self.pushes.note_served(letter.id, index);
                    self.inherit(index, key);
                }
                Fate::Refused => break,
                // It would keep those behind it waiting for ever.
                Fate::Unfit => self.count_dropped(letter.id),
            }
            self.unpark(key);
        }
        if self.conns.at(index).is_open() {
            self.conns.at_mut(index).flags.set(Flags::COLLECTS);
        }
    }

    /// The next message in its user's mailbox that a connection may have.
    pub(crate) fn next_parked(&self, index: u32) -> Option<u32> {
        let (conn, id) = (self.conns.at(index), self.conns.id(index));
        let now = self.clock.real();
        let is_next = |key: &&u32| {
            let parked = self.offline.at(**key);
            !parked.gave_up.contains(&id)
                && !parked.expires.is_due(now)
                && !conn.holds(parked.letter.id)
        };
        let mut mailbox = self.users.mailbox(conn.user).iter();
        mailbox.find(is_next).copied()
    }

    /// Sends a letter that was parked, unless it is too much for what waits already: nobody is
    /// called slow for what was kept for him, and what took him down once would do so at each
    /// login.
    fn deliver_parked(&mut self, index: u32, letter: &Arc<Letter>) -> Fate {
        if self.conns.at(index).unacked().len() >= self.limits.unacked_per_connection as usize {
            return Fate::Refused;
        }
        let frame = match self.encode(self.wire_of(index), &letter.delivery()) {
            Ok(frame) => frame,
            // It stays for the next login: here nothing might come that collects it.
            Err(Fate::Refused) => return self.go_without(index),
            Err(fate) => return fate,
        };
        let waiting = self.conns.at(index).waiting();
        if waiting > 0 && waiting + frame.len() > self.rules_of(index).settings.outbox_max {
            return Fate::Refused;
        }
        self.deliver_letter_as(index, letter, &Parcel::Shared(&frame))
    }
}
