//! Where the memory is: bytes in use by purpose, their budgets, and the ceiling they add up to.
//!
//! Input and own output are counted as connections grow and shrink. Bytes that many hold together
//! (a published frame, an acknowledged message) carry a [`Charge`], which counts them once and
//! takes them off when the last holder is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use smol_str::SmolStr;

use super::bans::BAN_COST;
use super::conn::{Conn, Extra, Input, Membership, Pending};
use super::deaths::DEATH_COST;
use super::largest::Largest;
use super::offline::Unacked;
use super::outbox::Outbox;
use super::receipts::FATES_COST;
use crate::id::ConnId;
use crate::limits::Limits;
use crate::time::Tick;

/// Bytes in use.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) input: usize,
    /// Own output of connections, without what they share.
    pub(crate) output: usize,
    /// Connections whose output is above the soft limit.
    pub(crate) high: u32,
    shared: Arc<AtomicUsize>,
    offline: Arc<AtomicUsize>,
}

/// Bytes counted in a ledger's column until this is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    column: Arc<AtomicUsize>,
    bytes: usize,
}

/// A frame that many outboxes hold, with its charge.
struct SharedFrame {
    bytes: Vec<u8>,
    _charge: Charge,
}

impl AsRef<[u8]> for SharedFrame {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.column.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Ledger {
    /// All waiting output: own and shared.
    pub(crate) fn output(&self) -> usize {
        self.output + self.shared.load(Ordering::Relaxed)
    }

    /// An outbox is above its soft limit from `now` on, if it was not before.
    pub(crate) fn note_high(&mut self, outbox: &mut Outbox, now: Tick) {
        if outbox.soft_since.is_none() {
            outbox.soft_since = Some(now);
            self.high += 1;
        }
    }

    /// An outbox is no longer above its soft limit, if it was.
    pub(crate) fn note_low(&mut self, outbox: &mut Outbox) {
        if outbox.soft_since.take().is_some() {
            self.high -= 1;
        }
    }

    pub(crate) fn offline(&self) -> usize {
        self.offline.load(Ordering::Relaxed)
    }

    /// Counts `bytes` of unacknowledged messages for as long as the charge lives.
    pub(crate) fn charge_offline(&self, bytes: usize) -> Charge {
        charge(&self.offline, bytes)
    }

    /// Counts `bytes` of messages under way for as long as the charge lives.
    pub(crate) fn charge_output(&self, bytes: usize) -> Charge {
        charge(&self.shared, bytes)
    }

    /// Makes a frame that many can hold, counted once.
    pub(crate) fn share(&self, bytes: Vec<u8>) -> Bytes {
        let charge = charge(&self.shared, bytes.capacity() + SHARED_COST);
        Bytes::from_owner(SharedFrame {
            bytes,
            _charge: charge,
        })
    }
}

/// What a frame that many hold costs beyond its bytes: itself, and the count of its holders.
const SHARED_COST: usize = size_of::<SharedFrame>() + 16;

fn charge(column: &Arc<AtomicUsize>, bytes: usize) -> Charge {
    column.fetch_add(bytes, Ordering::Relaxed);
    Charge {
        column: Arc::clone(column),
        bytes,
    }
}

/// Bytes of memory, by purpose: the most that a gate with these limits can reach, or what is in
/// use of that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ceiling {
    /// The program, its tables that do not grow with connections, absent users, spare buffers. The
    /// program counts with the most it may take, also in what is in use.
    pub fixed: u64,
    /// Connections with their users and topics, at their number's limit.
    pub connections: u64,
    /// Half frames.
    pub input: u64,
    /// Waiting output.
    pub output: u64,
    /// Unacknowledged and parked messages.
    pub offline: u64,
    /// Requests and answers of the admin interface, events that wait for their readers.
    pub admin: u64,
}

/// Entries of the tables that do not grow with connections, and the size of the read buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tables {
    pub(crate) spare_outboxes: u64,
    pub(crate) deaths: u64,
    pub(crate) topics: u64,
    pub(crate) push_targets: u64,
    pub(crate) timers: u64,
    pub(crate) receipts: u64,
    pub(crate) bans: u64,
    pub(crate) sources: u64,
    pub(crate) absent_users: u64,
    pub(crate) read_bytes: u64,
}

impl Tables {
    fn of(limits: &Limits) -> Self {
        let slots = u64::from(limits.connections) + u64::from(limits.refusals);
        Self {
            spare_outboxes: limits.spare_outboxes.into(),
            deaths: limits.deaths.into(),
            // Each has a member.
            topics: u64::from(limits.topics).min(slots * u64::from(limits.topics_per_connection)),
            push_targets: limits.push_targets.into(),
            timers: limits.timers.into(),
            receipts: limits.receipts.into(),
            bans: limits.bans.into(),
            sources: match limits.counts_no_source() {
                true => 0,
                // Those of addresses and those of names.
                false => 2 * u64::from(limits.sources) + slots,
            },
            absent_users: limits.absent_users.into(),
            read_bytes: limits.read_bytes as u64,
        }
    }
}

/// The program itself, stack, allocator and an empty loop: measured below 6 MB, taken as 8.
const PROGRAM: u64 = 8 << 20;
/// A slab entry of the socket, a deadline in the wheel, and two places there, each of which may
/// have a chunk of its own.
const SOCKET: u64 = 16 + 8 + 2 * 64;
/// A user's entry with a name of the longest kind, its share of the hash table and its timer.
const USER: u64 = 420;
/// A topic's entry with a name of the longest kind and its share of the hash table.
const TOPIC: u64 = 260;
/// An address or a name that is counted, and its share of the index.
const SOURCE: u64 = 48;
/// Entries in the queues of a turn, and of a farewell with a long name.
const QUEUED: u64 = 8 + 8 + 8 + 200;
/// A connection with a user.
const CONN: u64 = (size_of::<Conn>() + Largest::COST) as u64 + SOCKET + QUEUED + USER;
/// A `seq` of 64 bytes, kept until the answer is given.
const SEQ: u64 = 80;
/// A topic that a connection has joined, in both lists, which grow by doubling.
const MEMBERSHIP: u64 = (size_of::<Membership>() + size_of::<u32>()) as u64 * 2;

impl Ceiling {
    pub(crate) fn of(limits: &Limits) -> Self {
        let slots = u64::from(limits.connections) + u64::from(limits.refusals);
        // One message may be listed by many connections, and is paid for once.
        let listed = u64::from(limits.unacked_per_connection) * size_of::<Unacked>() as u64;
        let owed = (size_of::<Extra>() + size_of::<Pending>()) as u64 + SEQ;
        let extra = owed + size_of::<Input>() as u64 + listed;
        let joined = slots * u64::from(limits.topics_per_connection);
        Self {
            fixed: Self::fixed(&Tables::of(limits)),
            connections: Self::connections(slots, joined) + slots * extra,
            input: limits.input_budget as u64,
            output: limits.output_budget as u64,
            offline: limits.offline_budget as u64,
            admin: limits.admin.ceiling(),
        }
    }

    /// The program with these entries in its tables.
    pub(crate) fn fixed(tables: &Tables) -> u64 {
        let target = (size_of::<ConnId>() + size_of::<Option<SmolStr>>()) as u64;
        PROGRAM
            + tables.read_bytes
            + tables.spare_outboxes * Outbox::spare_max() as u64
            + tables.deaths * DEATH_COST as u64
            + tables.topics * TOPIC
            + tables.push_targets * target
            + tables.timers * 64
            + tables.receipts * FATES_COST as u64
            + tables.bans * BAN_COST as u64
            + tables.sources * SOURCE
            + tables.absent_users * USER
    }

    /// So many connections that have joined so many topics.
    pub(crate) fn connections(connections: u64, joined: u64) -> u64 {
        connections * CONN + joined * MEMBERSHIP
    }

    /// Each part with its name.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, u64); 6] {
        [
            ("fixed", self.fixed),
            ("connections", self.connections),
            ("input", self.input),
            ("output", self.output),
            ("offline", self.offline),
            ("admin", self.admin),
        ]
    }

    /// The sum.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.parts().iter().map(|(_, bytes)| bytes).sum()
    }
}
