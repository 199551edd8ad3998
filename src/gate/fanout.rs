//! Messages to many.
//!
//! A message is encoded once for each wire format and shared. One to few receivers goes into their
//! outboxes at once; one to many is done in slices, so many deliveries a turn, and whatever is
//! sent meanwhile queues behind it: what one sender says arrives in the order it was said.

use std::sync::Arc;

use bytes::Bytes;
use smol_str::SmolStr;

use super::Gate;
use super::conn::NONE;
use super::ledger::Charge;
use super::offline::{Letter, body_len, own};
use super::output::{Fate, Parcel};
use super::push::Push;
use super::receipts::Order;
use super::rules::WireId;
use crate::codec::message::Body;
use crate::codec::reply::Delivery;
use crate::id::ConnId;
use crate::memory;
use crate::reason::ErrorCode;

/// A message whose delivery is in progress, or waits for those before it.
#[derive(Debug)]
pub(crate) struct Job {
    message: Message,
    audience: Audience,
    next: usize,
    /// Deliveries before it, as the limit counts them.
    targets: usize,
}

impl Job {
    /// Deliveries it still has before it.
    pub(super) fn left(&self) -> usize {
        self.targets - self.next
    }

    /// The id of a message to many.
    pub(super) fn id_to_many(&self) -> Option<u64> {
        matches!(self.audience, Audience::Many(_)).then_some(self.message.id)
    }
}

/// Who is to get a message.
#[derive(Debug)]
pub(crate) enum Audience {
    /// A user: whatever connections there are when its turn comes.
    User(SmolStr),
    /// Connections.
    Many(Many),
}

impl Audience {
    /// Whose connection is at this place, for a message that may have to be kept.
    fn user_at(&self, place: usize) -> Option<&str> {
        match self {
            Self::User(name) => Some(name),
            Self::Many(many) => many.user_at(place),
        }
    }
}

/// The connections that a message is for.
#[derive(Debug)]
pub(crate) struct Many {
    /// The topic and its serial: members who have left meanwhile get nothing.
    topic: Option<(u32, u64)>,
    /// In order, so that one is found.
    conns: Vec<ConnId>,
    /// Whose connections they are, for a message that must be kept for who leaves first.
    users: Vec<Option<SmolStr>>,
}

impl Many {
    fn user_at(&self, place: usize) -> Option<&str> {
        self.users.get(place)?.as_deref()
    }
}

/// A message that borrows nothing: for one user its body or the letter, for many the frames.
#[derive(Debug)]
struct Message {
    id: u64,
    from: Option<SmolStr>,
    topic: Option<SmolStr>,
    body: Body<'static>,
    letter: Option<Arc<Letter>>,
    frames: Frames,
    /// For what it holds beside frames and letter, until it is on its way into an outbox.
    charge: Option<Charge>,
}

/// The frames of a message, by wire format; encoded when first needed.
#[derive(Debug, Default)]
struct Frames(Vec<(WireId, Option<Bytes>)>);

impl Frames {
    fn get(
        &mut self,
        gate: &mut Gate,
        wire: WireId,
        delivery: &Delivery<'_>,
    ) -> Result<Bytes, Fate> {
        if let Some((_, frame)) = self.0.iter().find(|(known, _)| *known == wire) {
            return frame.clone().ok_or(Fate::Unfit);
        }
        let frame = gate.encode(wire, delivery);
        if frame != Err(Fate::Refused) {
            self.0.push((wire, frame.clone().ok()));
        }
        frame
    }
}

impl Gate {
    /// Sends to these connections, members of the topic `name` where there is one.
    pub(crate) fn fan_out(
        &mut self,
        order: &mut Order,
        targets: Vec<u32>,
        topic: Option<(u32, u64, &str)>,
        push: &Push<'_>,
    ) -> Result<(), ErrorCode> {
        let delivery = Delivery {
            id: order.receipt.id,
            from: push.from,
            topic: topic.map(|(_, _, name)| name),
            body: &push.body,
            ack: push.ack,
        };
        let letter = self.letter_for(order, &delivery, push)?;
        let topic = topic.map(|(topic, serial, _)| (topic, serial));
        if letter.is_some() {
            order.expected += self.users_among(&targets).ok_or(ErrorCode::Overloaded)?;
        }
        if !self.pushes.is_empty() || targets.len() > self.fanout_left as usize {
            let count = targets.len();
            let many = self.name_many(targets, topic, letter.is_some());
            let audience = Audience::Many(many.ok_or(ErrorCode::Overloaded)?);
            order.receipt.queued += self.enqueue(audience, count, &delivery, letter)?;
            return Ok(());
        }
        self.fanout_left -= u32::try_from(targets.len()).unwrap_or(u32::MAX);
        let mut frames = Frames::default();
        if let Some(letter) = letter {
            let many = self.name_many(targets, topic, true);
            let many = many.ok_or(ErrorCode::Overloaded)?;
            for place in 0..many.conns.len() {
                let letter = Some(&letter);
                let is_queued = self.deliver_nth(&many, place, &delivery, letter, &mut frames);
                order.receipt.count(is_queued);
            }
            return Ok(());
        }
        for index in targets {
            let is_queued = self.deliver_shared(index, &delivery, None, &mut frames);
            order.receipt.count(is_queued);
        }
        Ok(())
    }

    /// How many users have connections among these; none where there is no memory to count them.
    fn users_among(&self, targets: &[u32]) -> Option<u32> {
        let users = targets.iter().map(|&index| self.conns.at(index).user);
        let mut users = memory::gather(users.filter(|user| *user != NONE), targets.len())?;
        users.sort_unstable();
        users.dedup();
        u32::try_from(users.len()).ok()
    }

    /// Whether a message to so many would find room, before anything is done for it: what is
    /// refused must cost next to nothing.
    pub(crate) fn admit(&self, targets: usize, push: &Push<'_>) -> Result<(), ErrorCode> {
        let waits = !self.pushes.is_empty() || targets > self.fanout_left as usize;
        if !waits || self.has_push_room(targets, body_len(&push.body) + size_of::<Job>()) {
            Ok(())
        } else {
            Err(ErrorCode::Overloaded)
        }
    }

    fn has_push_room(&self, targets: usize, bytes: usize) -> bool {
        self.ledger.output() + bytes <= self.limits.output_budget
            && self.pushes.admits(targets, &self.limits)
    }

    /// These connections, by what stays true when one of them ends; none where there is no memory.
    fn name_many(
        &self,
        mut targets: Vec<u32>,
        topic: Option<(u32, u64)>,
        is_letter: bool,
    ) -> Option<Many> {
        targets.sort_unstable();
        let conns = targets.iter().map(|&index| self.conns.id(index));
        let conns = memory::gather(conns, targets.len())?;
        let user_of = |index: &u32| match self.conns.at(*index).user {
            NONE => None,
            user => Some(self.users.at(user).name.clone()),
        };
        let users = if is_letter {
            memory::gather(targets.iter().map(user_of), targets.len())?
        } else {
            Vec::new()
        };
        Some(Many {
            topic,
            conns,
            users,
        })
    }

    /// One delivery to one of many: whether it is in an outbox, or kept for who has left meanwhile.
    fn deliver_nth(
        &mut self,
        many: &Many,
        place: usize,
        delivery: &Delivery<'_>,
        letter: Option<&Arc<Letter>>,
        frames: &mut Frames,
    ) -> bool {
        match (self.conns.find_open(many.conns[place]), letter) {
            (None, None) => false,
            (None, Some(letter)) => self.keep_share(many, place, letter),
            (Some(index), Some(_)) if self.pushes.progress.is_served(index) => true,
            (Some(index), _) if !self.is_member(index, many.topic) => false,
            (Some(index), Some(letter)) if self.has_settled(index) => {
                self.deliver_settled(index, letter)
            }
            (Some(index), _) => self.deliver_shared(index, delivery, letter, frames),
        }
    }

    /// Whether the connection's user needs no more of the message under way.
    fn has_settled(&self, index: u32) -> bool {
        let user = self.conns.at(index).user;
        user != NONE && self.pushes.progress.is_settled(user)
    }

    /// Keeps a message for the user of a connection that has left before its turn.
    fn keep_share(&mut self, many: &Many, place: usize, letter: &Arc<Letter>) -> bool {
        many.user_at(place).is_some_and(|name| {
            !self.has_share(name, many, place, letter.id)
                && self.keep_for(name, Arc::clone(letter)).is_ok()
        })
    }

    fn deliver_shared(
        &mut self,
        index: u32,
        delivery: &Delivery<'_>,
        letter: Option<&Arc<Letter>>,
        frames: &mut Frames,
    ) -> bool {
        if let Some(letter) = letter
            && self.conns.at(index).is_logged_in()
        {
            let user = self.conns.at(index).user;
            return match self.deliver_letter(index, letter) {
                Fate::Queued => true,
                Fate::Refused => self.park_for(user, letter),
                Fate::Unfit => false,
            };
        }
        if self.spares(index) {
            return false;
        }
        let wire = self.wire_of(index);
        let frame = frames.get(self, wire, delivery);
        frame.is_ok_and(|frame| self.deliver(index, &Parcel::Shared(&frame)) == Fate::Queued)
    }

    /// Puts a message behind those whose delivery is in progress: for how many connections.
    pub(crate) fn enqueue(
        &mut self,
        audience: Audience,
        targets: usize,
        delivery: &Delivery<'_>,
        letter: Option<Arc<Letter>>,
    ) -> Result<u32, ErrorCode> {
        if !self.has_push_room(targets, size_of::<Job>()) {
            return Err(ErrorCode::Overloaded);
        }
        // Encoded now, so that the budget is asked once: what waits needs no more later.
        let frames = self.frames_for(&audience, delivery, letter.is_some())?;
        let body = match audience {
            Audience::User(_) if letter.is_none() => {
                own(delivery.body).ok_or(ErrorCode::Overloaded)?
            }
            Audience::User(_) | Audience::Many(_) => Body::Text("".into()),
        };
        let bytes = body_len(&body) + size_of::<Job>();
        let charge = self.ledger.charge_output(bytes);
        if self.ledger.output() > self.limits.output_budget {
            return Err(ErrorCode::Overloaded);
        }
        let message = Message {
            id: delivery.id,
            from: delivery.from.map(SmolStr::new),
            topic: delivery.topic.map(SmolStr::new),
            body,
            letter,
            frames,
            charge: Some(charge),
        };
        self.pushes.push(Job {
            message,
            audience,
            next: 0,
            targets,
        });
        Ok(u32::try_from(targets).unwrap_or(u32::MAX))
    }

    /// The frames that this audience will need; a letter's are encoded for each connection.
    fn frames_for(
        &mut self,
        audience: &Audience,
        delivery: &Delivery<'_>,
        is_letter: bool,
    ) -> Result<Frames, ErrorCode> {
        let mut frames = Frames::default();
        let Audience::Many(many) = audience else {
            return Ok(frames);
        };
        for index in many.conns.iter().map(|conn| conn.index) {
            if !is_letter || !self.conns.at(index).is_logged_in() {
                let wire = self.wire_of(index);
                if frames.get(self, wire, delivery) == Err(Fate::Refused) {
                    return Err(ErrorCode::Overloaded);
                }
            }
        }
        Ok(frames)
    }

    /// Goes on with the deliveries in progress, up to the turn's budget.
    pub(crate) fn fan(&mut self) {
        while self.fanout_left > 0
            && let Some(mut job) = self.pushes.pop()
        {
            while self.fanout_left > 0 && job.next < job.targets {
                self.fanout_left -= 1;
                self.advance_job(&mut job);
            }
            if job.next < job.targets {
                self.pushes.put_back(job);
            } else {
                self.pushes.finish();
            }
        }
    }

    /// One more delivery of a job.
    fn advance_job(&mut self, job: &mut Job) {
        let Message {
            id,
            from,
            topic,
            body,
            letter,
            frames,
            charge,
        } = &mut job.message;
        let delivery = Delivery {
            id: *id,
            from: from.as_deref(),
            topic: topic.as_deref(),
            body: letter.as_ref().map_or(body, |letter| &letter.body),
            ack: letter.is_some(),
        };
        let letter = letter.as_ref();
        let is_late = letter.is_some_and(|letter| letter.is_expired(self.clock.real()));
        let place = job.next;
        job.next = match &job.audience {
            Audience::User(_) => job.targets,
            Audience::Many(_) => place + 1,
        };
        match &job.audience {
            audience if is_late => self.expire_unsent(*id, audience.user_at(place)),
            Audience::User(name) => {
                *charge = None;
                self.deliver_to_name(name, &delivery, letter);
            }
            Audience::Many(many) => {
                self.deliver_nth(many, place, &delivery, letter, frames);
            }
        }
    }

    fn deliver_to_name(
        &mut self,
        name: &str,
        delivery: &Delivery<'_>,
        letter: Option<&Arc<Letter>>,
    ) {
        let present = self
            .users
            .find(name)
            .filter(|&user| self.users.is_present(user));
        let (queued, may_wait) = present.map_or((0, true), |user| {
            self.deliver_to_user(user, delivery, letter)
        });
        if queued == 0 && may_wait {
            self.keep_for_leaver(Some(name), letter);
        }
    }

    /// A message that must be kept, for a user whose connection left before its turn came, or has
    /// no room now: whether it is. Where there is no room it is counted as dropped.
    pub(crate) fn keep_for_leaver(
        &mut self,
        name: Option<&str>,
        letter: Option<&Arc<Letter>>,
    ) -> bool {
        let both = name.zip(letter);
        both.is_some_and(|(name, letter)| self.keep_for(name, Arc::clone(letter)).is_ok())
    }

    /// Whether the user needs no copy in the place of a connection that has left: he has settled
    /// message `id`, or another connection of his holds it. That one is to come in its own turn is
    /// not enough, unless nothing can be kept: it may have left by then as well.
    fn has_share(&self, user: &str, many: &Many, place: usize, id: u64) -> bool {
        let slot = self.users.find(user);
        if slot.is_some_and(|slot| self.pushes.progress.is_settled(slot)) {
            return true;
        }
        let has_room = slot.is_some_and(|slot| self.has_mailbox_room(slot));
        let mut others = self.connections_of(user);
        others.any(|other| {
            let is_to_come = |turn| turn > place && self.is_member(other.index, many.topic);
            self.conns.at(other.index).holds(id)
                || !has_room && many.conns.binary_search(&other).is_ok_and(is_to_come)
        })
    }

    fn is_member(&self, index: u32, topic: Option<(u32, u64)>) -> bool {
        topic.is_none_or(|(topic, serial)| {
            let mut joined = self.conns.at(index).topics().iter();
            joined.any(|held| held.topic == topic) && self.topics.at(topic).serial == serial
        })
    }
}
