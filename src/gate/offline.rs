//! Messages that must be acknowledged: what a connection has not acknowledged yet, and what waits
//! for a user who is not there.
//!
//! A parked message stands in its user's mailbox, oldest id first, and in one list of all parked
//! messages, longest parked first, from which the oldest is dropped when the budget is used up.

use std::sync::Arc;

use slab::Slab;
use smol_str::SmolStr;

use super::Gate;
use super::conn::NONE;
use super::ledger::Charge;
use crate::codec::message::Body;
use crate::codec::reply::Delivery;
use crate::id::ConnId;
use crate::memory;
use crate::time::Tick;

/// A message that is kept until it is acknowledged.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) id: u64,
    pub(crate) from: Option<SmolStr>,
    pub(crate) topic: Option<SmolStr>,
    pub(crate) body: Body<'static>,
    /// When it is of no use any more (real clock), where its sender said so.
    pub(crate) expires: Option<Tick>,
    _charge: Charge,
}

/// What a letter costs beyond its body: itself, its places in lists.
pub(crate) const LETTER_COST: usize = size_of::<Letter>() + size_of::<Parked>() + 64;

impl Letter {
    /// A message with a copy of its body.
    pub(crate) fn new(
        delivery: &Delivery<'_>,
        body: Body<'static>,
        expires: Option<Tick>,
        charge: Charge,
    ) -> Self {
        Self {
            id: delivery.id,
            from: delivery.from.map(SmolStr::new),
            topic: delivery.topic.map(SmolStr::new),
            body,
            expires,
            _charge: charge,
        }
    }

    pub(crate) fn delivery(&self) -> Delivery<'_> {
        Delivery {
            id: self.id,
            from: self.from.as_deref(),
            topic: self.topic.as_deref(),
            body: &self.body,
            ack: true,
        }
    }

    pub(crate) fn is_expired(&self, now: Tick) -> bool {
        self.expires.is_some_and(|expires| expires.is_due(now))
    }
}

/// A body that borrows nothing; none where there is no memory for it.
pub(crate) fn own(body: &Body<'_>) -> Option<Body<'static>> {
    let text = |text: &str| {
        let mut copy = String::new();
        copy.try_reserve_exact(text.len()).ok()?;
        copy.push_str(text);
        Some(copy.into())
    };
    Some(match body {
        Body::Text(written) => Body::Text(text(written)?),
        Body::Json(written) => Body::Json(text(written)?),
        Body::Bytes(bytes) => Body::Bytes(memory::copy(bytes)?.into()),
    })
}

/// Bytes of a body.
pub(crate) fn body_len(body: &Body<'_>) -> usize {
    match body {
        Body::Text(text) | Body::Json(text) => text.len(),
        Body::Bytes(bytes) => bytes.len(),
    }
}

/// A letter that was sent on a connection and not acknowledged.
#[derive(Debug, Clone)]
pub(crate) struct Unacked {
    pub(crate) letter: Arc<Letter>,
    /// The position in the output at which its last copy ends.
    pub(crate) end: u64,
    /// When the last copy was appended (live clock).
    pub(crate) sent: Tick,
    pub(crate) attempts: u8,
    /// Another connection of the user made all its attempts: what this one leaves is not for those
    /// who are here.
    pub(crate) was_given_up: bool,
}

/// A letter that waits for its user.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) letter: Arc<Letter>,
    pub(crate) user: u32,
    /// When it is dropped (real clock).
    pub(crate) expires: Tick,
    /// Where all attempts were made on a connection: those of its user at that time. It waits for
    /// the next login, since each of them may have had its share of copies.
    pub(crate) gave_up: Box<[ConnId]>,
    older: u32,
    newer: u32,
}

/// All parked letters.
#[derive(Debug)]
pub(crate) struct Offline {
    entries: Slab<Parked>,
    oldest: u32,
    newest: u32,
}

impl Default for Offline {
    fn default() -> Self {
        Self {
            entries: Slab::new(),
            oldest: NONE,
            newest: NONE,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "bounded by the offline budget"
)]
impl Offline {
    pub(crate) fn insert(
        &mut self,
        letter: Arc<Letter>,
        user: u32,
        expires: Tick,
        gave_up: Box<[ConnId]>,
    ) -> u32 {
        let parked = Parked {
            letter,
            user,
            expires,
            gave_up,
            older: self.newest,
            newer: NONE,
        };
        let key = self.entries.insert(parked) as u32;
        match std::mem::replace(&mut self.newest, key) {
            NONE => self.oldest = key,
            last => self.entries[last as usize].newer = key,
        }
        key
    }

    pub(crate) fn remove(&mut self, key: u32) -> Parked {
        let parked = self.entries.remove(key as usize);
        match parked.older {
            NONE => self.oldest = parked.newer,
            older => self.entries[older as usize].newer = parked.newer,
        }
        match parked.newer {
            NONE => self.newest = parked.older,
            newer => self.entries[newer as usize].older = parked.older,
        }
        if self.entries.is_empty() {
            self.entries.shrink_to_fit();
        }
        parked
    }

    /// A letter that is parked already was sent often enough on a connection of its user.
    pub(crate) fn give_up(&mut self, key: u32, gave_up: &[ConnId]) {
        let parked = &mut self.entries[key as usize];
        let is_new = |conn: &&ConnId| !parked.gave_up.contains(conn);
        let more: Vec<ConnId> = gave_up.iter().filter(is_new).copied().collect();
        if !more.is_empty() {
            parked.gave_up = [&parked.gave_up[..], &more].concat().into();
        }
    }

    pub(crate) fn at(&self, key: u32) -> &Parked {
        &self.entries[key as usize]
    }

    /// The letter parked longest.
    pub(crate) fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Parked)> {
        self.entries
            .iter()
            .map(|(key, parked)| (key as u32, parked))
    }

    /// Full sweep: the list holds every entry once, linked both ways.
    pub(crate) fn check(&self) {
        let (mut key, mut older, mut listed) = (self.oldest, NONE, 0);
        while key != NONE {
            let parked = &self.entries[key as usize];
            assert_eq!(
                parked.older, older,
                "the list of the parked is linked both ways"
            );
            (older, key) = (key, parked.newer);
            listed += 1;
        }
        assert_eq!(
            (listed, older),
            (self.entries.len(), self.newest),
            "all are listed"
        );
    }
}

impl Gate {
    /// A connection has collected a parked letter: where somebody who is still here had his share
    /// of copies, what it leaves of it is not for him.
    pub(crate) fn inherit(&mut self, index: u32, key: u32) {
        let Parked {
            letter, gave_up, ..
        } = self.offline.at(key);
        let (id, mut others) = (letter.id, gave_up.iter());
        if others.any(|conn| self.conns.find_open(*conn).is_some()) {
            let mut unacked = self.conns.at_mut(index).unacked_mut();
            if let Some(sent) = unacked.find(|sent| sent.letter.id == id) {
                sent.was_given_up = true;
            }
        }
    }
}
