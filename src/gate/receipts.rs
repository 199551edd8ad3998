//! What became of acknowledged messages from the backend: kept for a while, of bounded number.
//!
//! Counts per receiver: a user whose connection acknowledges, whose time is over, who had no room.
//! Whoever is none of these is pending while a copy of the message lives somewhere.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};

use super::Gate;
use super::offline::Letter;
use super::push::{Push, Receipt, Target};
use super::spare::{is_roomy, trim};
use crate::reason::ErrorCode;

/// A message on its way to its receivers, under one id.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) receipt: Receipt,
    /// Made once for all receivers, where it wants an ack.
    pub(crate) letter: Option<Arc<Letter>>,
    /// Receivers from whom an ack may come.
    pub(crate) expected: u32,
    /// Nothing could be done for it.
    pub(crate) is_refused: bool,
}

/// What became of a message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fates {
    pub(crate) expected: u32,
    pub(crate) acked: u32,
    pub(crate) expired: u32,
    pub(crate) dropped: u32,
    /// Copies sent.
    pub(crate) attempts: u32,
    /// It was for one user, whose state is that of the message.
    pub(crate) is_single: bool,
    letter: Weak<Letter>,
    /// When it was pushed, in seconds since the loop began.
    began: u32,
}

/// What becomes of a receiver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    Sent,
    Acked,
    Expired,
    Dropped,
}

/// The messages that are remembered.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    fates: HashMap<u64, Fates, Ids>,
    /// Ids, oldest first.
    order: VecDeque<u64>,
}

impl Receipts {
    /// How many are remembered.
    pub(crate) fn len(&self) -> usize {
        self.fates.len()
    }
}

/// Ids are ours and grow by one: they need no hash.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ids;

#[derive(Debug, Default)]
pub(crate) struct IdHasher(u64);

impl std::hash::BuildHasher for Ids {
    type Hasher = IdHasher;

    fn build_hasher(&self) -> IdHasher {
        IdHasher::default()
    }
}

impl std::hash::Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, id: u64) {
        // The table takes its tag from the upper bits.
        self.0 = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// Memory of one that is remembered, and of its message: its body alone goes with its last holder.
pub(crate) const FATES_COST: usize =
    2 * (size_of::<Fates>() + 2 * size_of::<u64>()) + size_of::<Letter>() + 16;

impl Fates {
    /// Receivers of whom nothing is known yet.
    pub(crate) fn pending(&self) -> u32 {
        if self.letter.strong_count() == 0 {
            return 0;
        }
        let known = self.acked + self.expired + self.dropped;
        self.expected.saturating_sub(known)
    }

    /// The state of a message to one user.
    pub(crate) fn state(&self) -> &'static str {
        if self.acked > 0 {
            "acked"
        } else if self.letter.strong_count() > 0 {
            "pending"
        } else if self.expired > 0 {
            "expired"
        } else {
            "dropped"
        }
    }
}

impl Order {
    pub(crate) fn new(id: u64) -> Self {
        let receipt = Receipt {
            id,
            ..Receipt::default()
        };
        Self {
            receipt,
            letter: None,
            expected: 0,
            is_refused: false,
        }
    }
}

impl Gate {
    /// Begins a message of the backend's whose fate can be asked for.
    pub(crate) fn begin_order(&mut self) -> Order {
        Order::new(self.next_id())
    }

    /// Sends it to one more target.
    pub(crate) fn push_order(
        &mut self,
        order: &mut Order,
        target: Target<'_>,
        push: &Push<'_>,
    ) -> Result<(), ErrorCode> {
        if push.ack {
            let is_single = matches!(target, Target::User(_)) && order.expected == 0;
            self.remember(order.receipt.id, is_single);
        }
        let is_one = matches!(target, Target::User(_));
        let id = order.receipt.id;
        let dropped = |gate: &Self| {
            gate.receipts
                .fates
                .get(&id)
                .map_or(0, |fates| fates.dropped)
        };
        let before = (order.expected, dropped(self));
        let result = self.push_as(order, target, push);
        let known = self.receipts.fates.get_mut(&id);
        if let Some(fates) = known.filter(|_| push.ack) {
            if is_one && result.is_err() {
                // One more who gets nothing, however far it came with him.
                (order.expected, fates.dropped) = (before.0 + 1, before.1);
            }
            fates.expected = order.expected;
            fates.letter = order.letter.as_ref().map_or_else(Weak::new, Arc::downgrade);
            fates.dropped += u32::from(result.is_err());
        }
        result
    }

    fn remember(&mut self, id: u64, is_single: bool) {
        let began = self.clock.seconds();
        if let Some(fates) = self.receipts.fates.get_mut(&id) {
            fates.is_single = false;
            return;
        }
        self.forget_receipts();
        let most = self.limits.receipts as usize;
        if most == 0 {
            return;
        }
        while self.receipts.order.len() >= most {
            self.forget_oldest();
        }
        let fates = Fates {
            is_single,
            began,
            ..Fates::default()
        };
        self.receipts.fates.insert(id, fates);
        self.receipts.order.push_back(id);
    }

    /// Forgets those whose time is over.
    fn forget_receipts(&mut self) {
        let now = self.clock.seconds();
        let keep = u32::try_from(self.limits.receipts_kept.as_secs()).unwrap_or(u32::MAX);
        while let Some(id) = self.receipts.order.front() {
            let began = self.receipts.fates.get(id).map_or(0, |fates| fates.began);
            if now.saturating_sub(began) <= keep {
                return;
            }
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(id) = self.receipts.order.pop_front() {
            self.receipts.fates.remove(&id);
        }
    }

    /// Forgets those whose time is over, and gives up most of the room that the rest do not need.
    pub(crate) fn trim_receipts(&mut self) {
        self.forget_receipts();
        let Receipts { fates, order } = &mut self.receipts;
        if is_roomy(fates.len(), fates.capacity()) {
            fates.shrink_to(2 * fates.len());
        }
        trim(order);
    }

    /// What became of a message.
    pub(crate) fn fates_of(&mut self, id: u64) -> Option<&Fates> {
        self.forget_receipts();
        self.receipts.fates.get(&id)
    }

    /// Notes what became of a receiver of a message, where that is remembered.
    pub(crate) fn note(&mut self, id: u64, turn: Turn) {
        if self.receipts.fates.is_empty() {
            return;
        }
        let Some(fates) = self.receipts.fates.get_mut(&id) else {
            return;
        };
        match turn {
            Turn::Sent => fates.attempts += 1,
            Turn::Acked => fates.acked += 1,
            Turn::Expired => fates.expired += 1,
            Turn::Dropped => fates.dropped += 1,
        }
    }
}
