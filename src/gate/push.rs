//! Messages to users, topics and everyone.
//!
//! A message is encoded once for each wire format and shared. One to few receivers goes into their
//! outboxes at once; one to many is done in slices, so many deliveries a turn, and whatever is
//! sent meanwhile queues behind it: what one sender says arrives in the order it was said.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Gate;
use super::conn::NONE;
use super::offline::{Letter, own};
use super::output::Parcel;
use super::rules::WireId;
use crate::codec::message::Body;
use crate::codec::reply::Delivery;
use crate::id::ConnId;
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

/// A message whose fan-out is in progress.
#[derive(Debug)]
pub(crate) struct Job {
    message: Message,
    /// The topic and its serial: members who have left meanwhile get nothing.
    topic: Option<(u32, u64)>,
    targets: Vec<ConnId>,
    next: usize,
}

/// A message that borrows nothing, with its frames.
#[derive(Debug)]
struct Message {
    id: u64,
    from: Option<smol_str::SmolStr>,
    topic: Option<smol_str::SmolStr>,
    body: Body<'static>,
    letter: Option<Arc<Letter>>,
    frames: Frames,
}

/// The frames of a message, by wire format; encoded when first needed.
#[derive(Debug, Default)]
struct Frames(Vec<(WireId, Option<Bytes>)>);

impl Frames {
    fn get(&mut self, gate: &mut Gate, wire: WireId, delivery: &Delivery<'_>) -> Option<Bytes> {
        if let Some((_, frame)) = self.0.iter().find(|(known, _)| *known == wire) {
            return frame.clone();
        }
        let frame = gate.encode(wire, delivery).ok();
        self.0.push((wire, frame.clone()));
        frame
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
    ///   full.
    pub fn push(&mut self, target: Target<'_>, push: &Push<'_>) -> Result<Receipt, ErrorCode> {
        match target {
            Target::User(name) => self.push_to_user(name, push),
            Target::Topic(name) => {
                let Some(topic) = self.topics.find(name) else {
                    return Ok(Receipt {
                        id: self.next_id(),
                        ..Receipt::default()
                    });
                };
                let targets = self.topics.members(topic).to_vec();
                let serial = self.topics.at(topic).serial;
                self.fan_out(targets, Some((topic, serial)), Some(name), push)
            }
            Target::Everyone => {
                let takes = |index: &u32| self.takes_everything(*index);
                let open = self.conns.iter().filter(|(_, conn)| conn.is_open());
                let targets = open.map(|(index, _)| index).filter(takes).collect();
                self.fan_out(targets, None, None, push)
            }
        }
    }

    fn takes_everything(&self, index: u32) -> bool {
        let rules = self.rules_of(index);
        let is_welcome = rules.settings.login != Login::Required;
        rules.is_gate() && (self.conns.at(index).is_logged_in() || is_welcome)
    }

    fn push_to_user(&mut self, name: &str, push: &Push<'_>) -> Result<Receipt, ErrorCode> {
        let present = self
            .users
            .find(name)
            .filter(|&user| self.users.is_present(user));
        let Some(user) = present else {
            return self.push_to_absent(name, push);
        };
        let id = self.next_id();
        let delivery = Delivery {
            id,
            from: push.from,
            topic: None,
            body: &push.body,
            ack: push.ack,
        };
        let letter = self.letter_for(&delivery, push)?;
        let conns = self.users.conns(user);
        if !self.pushes.is_empty() {
            let targets = conns.to_vec();
            return self.enqueue(targets, None, &delivery, letter);
        }
        let mut receipt = Receipt {
            id,
            ..Receipt::default()
        };
        if let [only] = *conns {
            receipt.queued += u32::from(self.deliver_one(only, &delivery, letter.as_ref()));
        } else {
            let conns = conns.to_vec();
            for index in conns {
                receipt.queued += u32::from(self.deliver_one(index, &delivery, letter.as_ref()));
            }
        }
        match letter {
            Some(letter) if receipt.queued == 0 => self.keep_for(name, letter, receipt),
            _ => Ok(Receipt {
                dropped: u32::from(receipt.queued == 0),
                ..receipt
            }),
        }
    }

    fn deliver_one(
        &mut self,
        index: u32,
        delivery: &Delivery<'_>,
        letter: Option<&Arc<Letter>>,
    ) -> bool {
        match letter {
            Some(letter) => self.deliver_letter(index, letter),
            None => self.deliver(index, &Parcel::Fresh(delivery)),
        }
    }

    /// A message for a user who is not here: it waits where it may.
    fn push_to_absent(&mut self, name: &str, push: &Push<'_>) -> Result<Receipt, ErrorCode> {
        let known = self.users.find(name);
        let may_wait = push.from.is_none() || known.is_some_and(|user| self.was_here(user));
        if !push.ack || !may_wait {
            return Err(ErrorCode::NoSuchUser);
        }
        if known.is_some_and(|user| !self.has_mailbox_room(user)) {
            return Err(ErrorCode::Overloaded);
        }
        let id = self.next_id();
        let delivery = Delivery {
            id,
            from: push.from,
            topic: None,
            body: &push.body,
            ack: true,
        };
        let letter = self
            .letter_for(&delivery, push)?
            .ok_or(ErrorCode::Overloaded)?;
        self.keep_for(
            name,
            letter,
            Receipt {
                id,
                ..Receipt::default()
            },
        )
    }

    fn keep_for(
        &mut self,
        name: &str,
        letter: Arc<Letter>,
        receipt: Receipt,
    ) -> Result<Receipt, ErrorCode> {
        if self.users.find(name).is_none() && self.limits.absent_users == 0 {
            return Err(ErrorCode::Overloaded);
        }
        let user = self.users.find_or_make(name);
        let is_parked = self.park(user, letter, None);
        self.wake_user(user);
        self.trim_absent();
        if is_parked {
            Ok(Receipt {
                offline: 1,
                ..receipt
            })
        } else {
            Err(ErrorCode::Overloaded)
        }
    }

    fn letter_for(
        &mut self,
        delivery: &Delivery<'_>,
        push: &Push<'_>,
    ) -> Result<Option<Arc<Letter>>, ErrorCode> {
        if !push.ack {
            return Ok(None);
        }
        let expires = push
            .ttl
            .map(|ttl| self.clock.real().after(Span::covering(ttl)));
        self.write_letter(delivery, expires)
            .map(Some)
            .ok_or(ErrorCode::Overloaded)
    }

    fn fan_out(
        &mut self,
        targets: Vec<u32>,
        topic: Option<(u32, u64)>,
        name: Option<&str>,
        push: &Push<'_>,
    ) -> Result<Receipt, ErrorCode> {
        let id = self.next_id();
        let delivery = Delivery {
            id,
            from: push.from,
            topic: name,
            body: &push.body,
            ack: push.ack,
        };
        let letter = self.letter_for(&delivery, push)?;
        if !self.pushes.is_empty() || targets.len() > self.fanout_left as usize {
            return self.enqueue(targets, topic, &delivery, letter);
        }
        self.fanout_left -= u32::try_from(targets.len()).unwrap_or(u32::MAX);
        let mut receipt = Receipt {
            id,
            ..Receipt::default()
        };
        let mut frames = Frames::default();
        for index in targets {
            let is_queued = self.deliver_shared(index, &delivery, letter.as_ref(), &mut frames);
            receipt.queued += u32::from(is_queued);
            receipt.dropped += u32::from(!is_queued);
        }
        Ok(receipt)
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
            let is_sent = self.deliver_letter(index, letter);
            let user = self.conns.at(index).user;
            return is_sent || (user != NONE && self.park(user, Arc::clone(letter), None));
        }
        let wire = self.wire_of(index);
        let frame = frames.get(self, wire, delivery);
        frame.is_some_and(|frame| self.deliver(index, &Parcel::Shared(&frame)))
    }

    /// Puts a message behind those whose fan-out is in progress.
    fn enqueue(
        &mut self,
        targets: Vec<u32>,
        topic: Option<(u32, u64)>,
        delivery: &Delivery<'_>,
        letter: Option<Arc<Letter>>,
    ) -> Result<Receipt, ErrorCode> {
        if !self.pushes.admits(targets.len(), &self.limits) {
            return Err(ErrorCode::Overloaded);
        }
        let message = Message {
            id: delivery.id,
            from: delivery.from.map(smol_str::SmolStr::new),
            topic: delivery.topic.map(smol_str::SmolStr::new),
            body: own(delivery.body),
            letter,
            frames: Frames::default(),
        };
        let targets: Vec<ConnId> = targets.into_iter().map(|at| self.conns.id(at)).collect();
        let queued = u32::try_from(targets.len()).unwrap_or(u32::MAX);
        self.pushes.push(Job {
            message,
            topic,
            targets,
            next: 0,
        });
        Ok(Receipt {
            id: delivery.id,
            queued,
            ..Receipt::default()
        })
    }

    /// Goes on with the fan-outs in progress, up to the turn's budget.
    pub(crate) fn fan(&mut self) {
        while self.fanout_left > 0
            && let Some(mut job) = self.pushes.pop()
        {
            while self.fanout_left > 0 && job.next < job.targets.len() {
                self.fanout_left -= 1;
                let conn = job.targets[job.next];
                job.next += 1;
                self.deliver_job(conn, &mut job);
            }
            if job.next < job.targets.len() {
                self.pushes.put_back(job);
            }
        }
    }

    fn deliver_job(&mut self, conn: ConnId, job: &mut Job) {
        let Some(index) = self.conns.find_open(conn) else {
            return;
        };
        if let Some((topic, serial)) = job.topic {
            let is_in = self
                .conns
                .at(index)
                .topics()
                .iter()
                .any(|held| held.topic == topic);
            if !is_in || self.topics.at(topic).serial != serial {
                return;
            }
        }
        let Message {
            id,
            from,
            topic,
            body,
            letter,
            frames,
        } = &mut job.message;
        let delivery = Delivery {
            id: *id,
            from: from.as_deref(),
            topic: topic.as_deref(),
            body,
            ack: letter.is_some(),
        };
        self.deliver_shared(index, &delivery, letter.as_ref(), frames);
    }

    /// The next message id: grows, and is never used twice, across restarts too.
    fn next_id(&mut self) -> u64 {
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

/// The fan-outs in progress, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Pushes {
    jobs: VecDeque<Job>,
    /// Deliveries they still have before them.
    targets: usize,
}

impl Pushes {
    pub(crate) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    fn admits(&self, targets: usize, limits: &crate::Limits) -> bool {
        self.jobs.is_empty()
            || self.jobs.len() < limits.pushes as usize
                && self.targets + targets <= limits.push_targets as usize
    }

    fn push(&mut self, job: Job) {
        self.targets += job.targets.len();
        self.jobs.push_back(job);
    }

    fn pop(&mut self) -> Option<Job> {
        let job = self.jobs.pop_front()?;
        self.targets -= job.targets.len() - job.next;
        Some(job)
    }

    fn put_back(&mut self, job: Job) {
        self.targets += job.targets.len() - job.next;
        self.jobs.push_front(job);
    }

    /// Full sweep: the deliveries to come are counted.
    pub(crate) fn check(&self) {
        let left = self
            .jobs
            .iter()
            .map(|job| job.targets.len() - job.next)
            .sum::<usize>();
        assert_eq!(left, self.targets, "deliveries to come are counted");
    }
}
