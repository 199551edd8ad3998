//! Messages to users, topics and everyone: who gets one, and what becomes of it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use smol_str::SmolStr;

use super::Gate;
use super::conn::Flags;
use super::conn::NONE;
use super::fanout::Audience;
use super::offline::Letter;
use super::output::{Fate, Parcel};
use super::receipts::Order;
use crate::codec::message::Body;
use crate::codec::reply::Delivery;
use crate::memory;
use crate::reason::ErrorCode;
use crate::settings::Login;
use crate::time::Span;

/// A message to send.
#[derive(Clone, Debug)]
pub struct Push<'a> {
    /// Who sends it; `None` is the backend.
    pub from: Option<&'a str>,
    /// What it says.
    pub body: Body<'a>,
    /// Whether it is kept until it is acknowledged.
    pub ack: bool,
    /// For how long an acknowledged message is of use, from now; `None`: the listener's
    /// `offline_ttl`, from when it is parked.
    pub ttl: Option<Duration>,
}

/// Who gets a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target<'a> {
    /// Every connection of a user.
    User(&'a str),
    /// Every member of a topic.
    Topic(&'a str),
    /// Every connection that is logged in, or need not be.
    Everyone,
}

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Receipt {
    /// Its id.
    pub id: u64,
    /// Connections it was or will be queued for.
    pub queued: u32,
    /// Users it was parked for.
    pub offline: u32,
    /// Users or connections that get nothing.
    pub dropped: u32,
}

impl Receipt {
    /// Counts one connection.
    pub(super) fn count(&mut self, is_queued: bool) {
        self.queued += u32::from(is_queued);
        self.dropped += u32::from(!is_queued);
    }
}

impl Gate {
    /// Sends a message. Costs one encoding per wire format and some 100 ns per receiver, in slices
    /// of [`Limits::fanout`](crate::Limits::fanout) a turn.
    ///
    /// # Errors
    /// - [`ErrorCode::NoSuchUser`]: the user is not here, and the message can not wait for him: it
    ///   wants no ack, or its sender is a user and the receiver has been gone too long.
    /// - [`ErrorCode::Overloaded`]: too many messages are under way, the mailbox or a budget is
    ///   full; or the loop lags, and the message is for many and wants no ack.
    pub fn push(&mut self, target: Target<'_>, push: &Push<'_>) -> Result<Receipt, ErrorCode> {
        let mut order = self.begin_order();
        self.push_as(&mut order, target, push)?;
        Ok(order.receipt)
    }

    /// Sends a message that may have been sent to others already.
    pub(crate) fn push_as(
        &mut self,
        order: &mut Order,
        target: Target<'_>,
        push: &Push<'_>,
    ) -> Result<(), ErrorCode> {
        match target {
            Target::User(name) => self.push_to_user(order, name, push),
            Target::Topic(name) => {
                let Some(topic) = self.topics.find(name) else {
                    return Ok(());
                };
                if self.refuses_to_many(push.ack) {
                    return Err(ErrorCode::Overloaded);
                }
                self.admit(self.topics.members(topic).len(), push)?;
                let targets = memory::copy(self.topics.members(topic));
                let targets = targets.ok_or(ErrorCode::Overloaded)?;
                let serial = self.topics.at(topic).serial;
                self.fan_out(order, targets, Some((topic, serial, name)), push)
            }
            Target::Everyone => {
                if self.refuses_to_many(push.ack) {
                    return Err(ErrorCode::Overloaded);
                }
                self.admit(self.conns.open_count() as usize, push)?;
                let takes = |index: &u32| self.takes_everything(*index);
                let open = self.conns.iter().filter(|(_, conn)| conn.is_open());
                let targets = open.map(|(index, _)| index).filter(takes);
                let targets = memory::gather(targets, self.conns.live() as usize);
                self.fan_out(order, targets.ok_or(ErrorCode::Overloaded)?, None, push)
            }
        }
    }

    /// Whether a push to everyone is for this connection.
    fn takes_everything(&self, index: u32) -> bool {
        let rules = self.rules_of(index);
        if self.conns.at(index).flags.has(Flags::VEILED) {
            return false;
        }
        let is_welcome = rules.settings.login != Login::Required;
        rules.is_gate() && (self.conns.at(index).is_logged_in() || is_welcome)
    }

    fn push_to_user(
        &mut self,
        order: &mut Order,
        name: &str,
        push: &Push<'_>,
    ) -> Result<(), ErrorCode> {
        let present = self
            .users
            .find(name)
            .filter(|&user| self.users.is_present(user));
        let Some(user) = present else {
            return self.push_to_absent(order, name, push);
        };
        if !self.pushes.is_empty() {
            self.admit(self.users.conns(user).len(), push)?;
        }
        let delivery = Delivery {
            id: order.receipt.id,
            from: push.from,
            topic: None,
            body: &push.body,
            ack: push.ack,
        };
        let letter = self.letter_for(order, &delivery, push)?;
        order.expected += 1;
        if !self.pushes.is_empty() {
            let conns = self.users.conns(user).len();
            let audience = Audience::User(SmolStr::new(name));
            order.receipt.queued += self.enqueue(audience, conns, &delivery, letter)?;
            return Ok(());
        }
        let (queued, may_wait) = self.deliver_to_user(user, &delivery, letter.as_ref());
        order.receipt.queued += queued;
        match letter {
            Some(letter) if queued == 0 && may_wait => {
                self.keep_for(name, letter)?;
                order.receipt.offline += 1;
            }
            letter => {
                let is_dropped = queued == 0;
                if is_dropped && letter.is_some() {
                    self.count_dropped(delivery.id);
                }
                order.receipt.dropped += u32::from(is_dropped);
            }
        }
        Ok(())
    }

    /// Sends to every connection of a user: how many take it, and whether one that does not may
    /// take it later.
    pub(crate) fn deliver_to_user(
        &mut self,
        user: u32,
        delivery: &Delivery<'_>,
        letter: Option<&Arc<Letter>>,
    ) -> (u32, bool) {
        let (mut queued, mut may_wait) = (0, false);
        let mut deliver = |gate: &mut Self, index| {
            let fate = match letter {
                Some(letter) => gate.deliver_letter(index, letter),
                None if gate.spares(index) => Fate::Refused,
                None => gate.deliver(index, &Parcel::Fresh(delivery)),
            };
            queued += u32::from(fate == Fate::Queued);
            may_wait |= fate == Fate::Refused;
        };
        if let [only] = *self.users.conns(user) {
            deliver(self, only);
        } else {
            let conns = self.users.conns(user).to_vec();
            conns.into_iter().for_each(|index| deliver(self, index));
        }
        (queued, may_wait)
    }

    /// A message for a user who is not here: it waits where it may.
    fn push_to_absent(
        &mut self,
        order: &mut Order,
        name: &str,
        push: &Push<'_>,
    ) -> Result<(), ErrorCode> {
        let known = self.users.find(name);
        let may_wait = push.from.is_none() || known.is_some_and(|user| self.was_here(user));
        if !push.ack || !may_wait {
            return Err(ErrorCode::NoSuchUser);
        }
        let has_room = |user| self.has_mailbox_room(user);
        if !known.map_or(self.limits.absent_users > 0, has_room) {
            return Err(ErrorCode::Overloaded);
        }
        let delivery = Delivery {
            id: order.receipt.id,
            from: push.from,
            topic: None,
            body: &push.body,
            ack: true,
        };
        let letter = self
            .letter_for(order, &delivery, push)?
            .ok_or(ErrorCode::Overloaded)?;
        order.expected += 1;
        self.keep_for(name, letter)?;
        order.receipt.offline += 1;
        Ok(())
    }

    /// Parks a letter for a user of that name, present or not.
    pub(crate) fn keep_for(&mut self, name: &str, letter: Arc<Letter>) -> Result<(), ErrorCode> {
        if self.users.find(name).is_none() && self.limits.absent_users == 0 {
            self.count_dropped(letter.id);
            return Err(ErrorCode::Overloaded);
        }
        let user = self.users.find_or_make(name);
        let is_parked = self.park_for(user, &letter);
        if self.users.at(user).timer == NONE {
            self.wake_user(user);
        }
        self.trim_absent();
        if is_parked {
            Ok(())
        } else {
            Err(ErrorCode::Overloaded)
        }
    }

    pub(crate) fn letter_for(
        &mut self,
        order: &mut Order,
        delivery: &Delivery<'_>,
        push: &Push<'_>,
    ) -> Result<Option<Arc<Letter>>, ErrorCode> {
        if !push.ack {
            return Ok(None);
        }
        if let Some(letter) = &order.letter {
            return Ok(Some(Arc::clone(letter)));
        }
        let expires = push
            .ttl
            .map(|ttl| self.clock.real().after(Span::covering(ttl)));
        let letter = self.write_letter(delivery, expires);
        order.letter.clone_from(&letter);
        letter.map(Some).ok_or(ErrorCode::Overloaded)
    }

    /// The next message id: grows, and is never used twice, across restarts too.
    pub(crate) fn next_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }
}

impl Push<'_> {
    /// A text from the backend that wants no ack.
    #[must_use]
    pub fn text(text: &str) -> Push<'_> {
        Push {
            from: None,
            body: Body::Text(Cow::Borrowed(text)),
            ack: false,
            ttl: None,
        }
    }
}
