//! What the gate knows of one connection, and the table of all.
//!
//! Holds no socket. A connection's slot is the slab key of its socket; the slot keeps its serial
//! when it is free, so that an id that outlived its connection is told apart from the next one.
//! An idle connection holds no buffer: three empty pointers.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;

use super::denials::Denial;
use super::input::Kept;
use super::offline::{Letter, Unacked};
use super::outbox::Outbox;
use crate::codec::message::Seq;
use crate::id::{ConnId, ListenerId};
use crate::network::number;
use crate::reason::CloseReason;
use crate::time::Tick;

/// No slot, no user, no entry.
pub(crate) const NONE: u32 = u32::MAX;

/// One connection: two cache lines; see the manual's table of where each byte goes.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Conn {
    /// Bytes the peer sent us since it connected.
    pub(crate) bytes_in: u64,
    /// Bytes the socket took from us: also the position in the output up to which nothing waits.
    pub(crate) bytes_out: u64,
    pub(crate) frames_in: u64,
    pub(crate) frames_out: u64,
    /// The frame that is not whole yet, and whole ones whose turn has not come.
    pub(crate) input: Option<Box<Input>>,
    /// What waits to be written.
    pub(crate) outbox: Option<Box<Outbox>>,
    /// What most connections do not have.
    pub(crate) extra: Option<Box<Extra>>,
    pub(crate) serial: u32,
    /// The user's entry, or [`NONE`].
    pub(crate) user: u32,
    /// When it was accepted, on the real clock; for `lifetime`.
    pub(crate) opened: Tick,
    /// The same on the live clock; for `login_timeout`.
    pub(crate) opened_live: Tick,
    /// The same in seconds since the loop began; does not wrap, for display.
    pub(crate) opened_seconds: u32,
    /// The last sign of life, on the live clock; moves on while we ourselves do not read.
    pub(crate) last_in: Tick,
    /// The last time the socket took bytes, on the live clock.
    pub(crate) last_out: Tick,
    /// When the unfinished frame began (live); meaningful while [`Flags::HALF_FRAME`].
    pub(crate) frame_began: Tick,
    /// Since when we do not read (live); while closing, since when it closes or lingers.
    pub(crate) since: Tick,
    /// Bytes read and thrown away after the goodbye.
    pub(crate) lingered: u32,
    pub(crate) flags: Flags,
    pub(crate) listener: ListenerId,
    peer: Peer,
    pub(crate) phase: Phase,
    pub(crate) reason: Option<CloseReason>,
    pub(crate) bad_requests: u8,
    pub(crate) failed_logins: u8,
    /// Intervals in a row in which it was above its rate.
    pub(crate) strikes: u8,
}

const _: () = assert!(size_of::<Conn>() == 128);

/// Where a connection is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// The slot holds no connection.
    Free,
    /// It lives.
    Open,
    /// It has a reason to end; its output is still being written.
    Closing,
    /// All is written, we wait for the peer to have read it.
    Lingering,
    /// The socket can be closed.
    Gone,
    /// The socket can be closed, and what the kernel holds is to be thrown away.
    Cut,
}

/// Yes-or-no facts about a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Flags(u32);

impl Flags {
    /// The socket may have bytes for us.
    pub(crate) const READABLE: u32 = 1;
    /// The socket may have room.
    pub(crate) const WRITABLE: u32 = 1 << 1;
    /// The peer closed its side and we have read up to there.
    pub(crate) const EOF: u32 = 1 << 2;
    /// A hint that the peer may have closed: read until 0 or an error.
    pub(crate) const CLOSED_HINT: u32 = 1 << 3;
    /// In the queue of those to be read.
    pub(crate) const ON_READY: u32 = 1 << 4;
    /// In the queue of those to be written.
    pub(crate) const ON_DIRTY: u32 = 1 << 5;
    /// We do not read because its output waits.
    pub(crate) const CHOKED: u32 = 1 << 6;
    /// We do not read because the application owes it an answer.
    pub(crate) const AWAITING: u32 = 1 << 7;
    /// `input` begins with an unfinished frame and nothing before it waits.
    pub(crate) const HALF_FRAME: u32 = 1 << 8;
    /// `input` may hold whole frames whose turn has not come.
    pub(crate) const BUFFERED: u32 = 1 << 9;
    /// The first frame was judged.
    pub(crate) const GREETED: u32 = 1 << 10;
    /// A server ping was sent and nothing came since.
    pub(crate) const PINGED: u32 = 1 << 11;
    /// Parked messages wait for room in its outbox, or for acks.
    pub(crate) const COLLECTS: u32 = 1 << 12;
    /// Some messages to it are not acknowledged.
    pub(crate) const TRACKS: u32 = 1 << 13;
    /// The handler was never told of it and never will be: a refused newcomer.
    pub(crate) const UNTOLD: u32 = 1 << 14;
    /// The socket took less than there was, and has not taken any since.
    pub(crate) const BLOCKED: u32 = 1 << 15;
    /// A proxy's header is to come before anything else; the peer is the proxy until then.
    pub(crate) const VEILED: u32 = 1 << 16;
    /// Its frames and bytes are counted by the interval.
    pub(crate) const METERED: u32 = 1 << 17;
    /// We do not read because the interval is used up.
    pub(crate) const THROTTLED: u32 = 1 << 18;
    /// It is counted at its address.
    pub(crate) const COUNTED: u32 = 1 << 19;
    /// We do not read because it took a whole share of a turn while there was too much to do.
    pub(crate) const RESTING: u32 = 1 << 20;
    /// We do not read because a failed login is answered late.
    pub(crate) const DENIED: u32 = 1 << 21;
    /// Its input begins with a login that is to be judged when its turn comes.
    pub(crate) const PUT_OFF: u32 = 1 << 22;
    /// It was above its rate in the interval that its meter is in.
    pub(crate) const STRUCK: u32 = 1 << 23;
    /// Something that piled up while nobody read it, for no fault of its own, may still wait.
    pub(crate) const BEHIND: u32 = 1 << 24;
    /// All of its interval pays for bytes that were read in those before.
    pub(crate) const PAYS: u32 = 1 << 25;
    /// Its input begins with a frame that is above its rate.
    pub(crate) const ABOVE: u32 = 1 << 26;
    /// An answer is owed, and nothing is read before it.
    pub(crate) const OWED: u32 = Self::AWAITING | Self::DENIED;

    pub(crate) fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }

    /// Those of `flags` that are set.
    pub(crate) fn of(self, flags: u32) -> u32 {
        self.0 & flags
    }

    pub(crate) fn set(&mut self, flag: u32) {
        self.0 |= flag;
    }

    pub(crate) fn clear(&mut self, flag: u32) {
        self.0 &= !flag;
    }

    /// Sets the flag; whether it was not set before.
    pub(crate) fn raise(&mut self, flag: u32) -> bool {
        let was = self.has(flag);
        self.set(flag);
        !was
    }

    /// Clears the flag; whether it was set before.
    pub(crate) fn lower(&mut self, flag: u32) -> bool {
        let was = self.has(flag);
        self.clear(flag);
        was
    }
}

/// The peer's address in 18 bytes; IPv4 as mapped IPv6.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Peer {
    ip: [u8; 16],
    port: u16,
}

/// Bytes that were read and are not handled yet.
pub(crate) struct Input {
    pub(crate) bytes: Vec<u8>,
    /// So many bytes from the front were searched for the end of the frame.
    pub(crate) scanned: usize,
    /// The list that it is in, oldest first, and its neighbours there.
    pub(crate) kept: Kept,
    pub(crate) older: u32,
    pub(crate) newer: u32,
}

/// What is not read yet may be a login.
impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Input");
        shown.field("bytes", &self.bytes.len());
        shown.field("kept", &self.kept).finish_non_exhaustive()
    }
}

/// What most connections do not have.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    /// Joined topics.
    pub(crate) topics: Vec<Membership>,
    /// Messages that were sent and not acknowledged, in the order of sending.
    pub(crate) unacked: Vec<Unacked>,
    /// The request that is not answered yet.
    pub(crate) pending: Option<Box<Pending>>,
}

/// That a connection is a member of a topic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Membership {
    pub(crate) topic: u32,
    /// The member's place in the topic's list.
    pub(crate) place: u32,
}

/// A request that waits for the application's answer, or for the time to give it.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) seq: Option<Seq<'static>>,
    /// A login that the application decides.
    pub(crate) is_login: bool,
    /// A login that has failed.
    pub(crate) denial: Option<Denial>,
}

/// Something that must follow the answer to the request in hand.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) frame: Bytes,
    pub(crate) tracked: Option<Arc<Letter>>,
}

impl Conn {
    fn free(serial: u32) -> Self {
        Self {
            bytes_in: 0,
            bytes_out: 0,
            frames_in: 0,
            frames_out: 0,
            input: None,
            outbox: None,
            extra: None,
            serial,
            user: NONE,
            opened: Tick::default(),
            opened_live: Tick::default(),
            opened_seconds: 0,
            last_in: Tick::default(),
            last_out: Tick::default(),
            frame_began: Tick::default(),
            since: Tick::default(),
            lingered: 0,
            flags: Flags::default(),
            listener: ListenerId(0),
            peer: Peer {
                ip: [0; 16],
                port: 0,
            },
            phase: Phase::Free,
            reason: None,
            bad_requests: 0,
            failed_logins: 0,
            strikes: 0,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    pub(crate) fn is_logged_in(&self) -> bool {
        self.user != NONE
    }

    /// Whether reading rests, by our own will.
    pub(crate) fn is_paused(&self) -> bool {
        self.flags
            .has(Flags::CHOKED | Flags::OWED | Flags::THROTTLED | Flags::RESTING)
    }

    /// Bytes that wait to be written.
    pub(crate) fn waiting(&self) -> usize {
        self.outbox.as_ref().map_or(0, |outbox| outbox.len())
    }

    pub(crate) fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    pub(crate) fn topics(&self) -> &[Membership] {
        self.extra.as_ref().map_or(&[], |extra| &extra.topics)
    }

    pub(crate) fn unacked(&self) -> &[Unacked] {
        self.extra.as_ref().map_or(&[], |extra| &extra.unacked)
    }

    /// Whether it waits for the ack of message `id`.
    pub(crate) fn holds(&self, id: u64) -> bool {
        self.unacked().iter().any(|sent| sent.letter.id == id)
    }

    /// What it is to be told of a login that failed.
    #[inline]
    pub(crate) fn denial(&self) -> Option<&Denial> {
        if !self.flags.has(Flags::DENIED) {
            return None;
        }
        let pending = self.extra.as_ref()?.pending.as_ref();
        pending?.denial.as_ref()
    }

    pub(crate) fn unacked_mut(&mut self) -> impl Iterator<Item = &mut Unacked> {
        self.extra.iter_mut().flat_map(|extra| &mut extra.unacked)
    }

    /// Gives the extras back where nothing is in them.
    pub(crate) fn trim_extra(&mut self) {
        let is_idle = self.extra.as_ref().is_some_and(|extra| {
            extra.topics.is_empty() && extra.unacked.is_empty() && extra.pending.is_none()
        });
        if is_idle {
            self.extra = None;
        }
        if self.unacked().is_empty() {
            self.flags.clear(Flags::TRACKS);
        }
    }

    pub(crate) fn set_peer(&mut self, peer: SocketAddr) {
        self.peer = Peer {
            ip: number(peer.ip()).to_be_bytes(),
            port: peer.port(),
        };
    }

    /// The peer's address as a number; IPv4 as mapped IPv6.
    pub(crate) fn address(&self) -> u128 {
        u128::from_be_bytes(self.peer.ip)
    }

    pub(crate) fn peer(&self) -> SocketAddr {
        let ip = Ipv6Addr::from(self.peer.ip);
        let ip = ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4);
        SocketAddr::new(ip, self.peer.port)
    }
}

/// All connections, by slot.
#[derive(Debug)]
pub(crate) struct Conns {
    slots: Vec<Conn>,
    live: u32,
    open: u32,
}

impl Conns {
    /// Room for `slots` connections; what is not used costs address space only.
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            slots: Vec::with_capacity(slots),
            live: 0,
            open: 0,
        }
    }

    /// Takes the slot `index` into use.
    pub(crate) fn open(&mut self, index: u32, peer: SocketAddr) -> ConnId {
        let slot = index as usize;
        assert!(slot <= self.slots.len(), "slots are taken in order");
        if slot == self.slots.len() {
            self.slots.push(Conn::free(0));
        }
        let conn = &mut self.slots[slot];
        assert!(conn.phase == Phase::Free, "a slot is used once at a time");
        conn.phase = Phase::Open;
        conn.set_peer(peer);
        self.live += 1;
        self.open += 1;
        ConnId {
            index,
            serial: conn.serial,
        }
    }

    /// Marks an open connection as ending.
    pub(crate) fn retire(&mut self, index: u32, phase: Phase, reason: CloseReason) {
        let conn = &mut self.slots[index as usize];
        assert!(
            conn.phase == Phase::Open && conn.reason.is_none(),
            "a connection ends once"
        );
        conn.phase = phase;
        conn.reason = Some(reason);
        self.open -= 1;
    }

    /// Frees a slot; its next connection has the next serial.
    pub(crate) fn release(&mut self, index: u32) {
        let conn = &mut self.slots[index as usize];
        assert!(
            matches!(conn.phase, Phase::Gone | Phase::Cut),
            "only what is gone is freed"
        );
        let serial = if conn.serial == ConnId::SERIAL_MAX {
            0
        } else {
            conn.serial + 1
        };
        *conn = Conn::free(serial);
        self.live -= 1;
    }

    /// The slot's index, where the id is of a connection that is still in it.
    pub(crate) fn find(&self, conn: ConnId) -> Option<u32> {
        let slot = self.slots.get(conn.index as usize)?;
        (slot.serial == conn.serial && slot.phase != Phase::Free).then_some(conn.index)
    }

    /// The same, for one that takes messages.
    pub(crate) fn find_open(&self, conn: ConnId) -> Option<u32> {
        self.find(conn).filter(|&index| self.at(index).is_open())
    }

    pub(crate) fn id(&self, index: u32) -> ConnId {
        ConnId {
            index,
            serial: self.at(index).serial,
        }
    }

    pub(crate) fn at(&self, index: u32) -> &Conn {
        &self.slots[index as usize]
    }

    pub(crate) fn at_mut(&mut self, index: u32) -> &mut Conn {
        &mut self.slots[index as usize]
    }

    /// Slots in use.
    pub(crate) fn live(&self) -> u32 {
        self.live
    }

    /// Connections that have no reason to end yet.
    pub(crate) fn open_count(&self) -> u32 {
        self.open
    }

    /// Slots ever used; every index is below.
    #[expect(clippy::cast_possible_truncation, reason = "slots are numbered by u32")]
    pub(crate) fn len(&self) -> u32 {
        self.slots.len() as u32
    }

    /// All connections in use with their slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Conn)> {
        (0u32..)
            .zip(&self.slots)
            .filter(|(_, conn)| conn.phase != Phase::Free)
    }
}
