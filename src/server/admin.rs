//! The admin interface's sockets: its listener and its connections, beside those of clients.
//!
//! They have slots of their own, and a share of each turn. What is to be done for them is in a
//! queue; while that is empty a turn costs one look at it.

mod room;

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use log::warn;
use slab::Slab;

use super::Server;
use super::pulse::At;
use crate::admin::desk::Facts;
use crate::admin::peer::{Next, Peer};
use crate::admin::{AdminAccess, AdminLimits};
use crate::config::AdminBind;
use crate::gate::Gate;
use crate::gate::conn::NONE;
use crate::gate::timers::TimerKind;
use crate::handler::Handler;
use crate::id::Token;
use crate::net::{AcceptFault, Ending, Net, Ready, SocketOptions, is_out_of_descriptors};
use crate::time::{Span, Tick};

/// How long accepting rests where descriptors ran out, or nobody makes room yet.
const HOLD: Duration = Duration::from_millis(80);
/// Who lets us wait for so long makes room for a newcomer: most of all, half heads.
const DAWDLE: Duration = Duration::from_millis(250);
/// A reader that is gone without a word is found out after so long.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// How often the system is asked about this process at most.
const ASK_AGAIN: Span = Span(500);

/// The admin interface.
pub(super) struct Office<N: Net> {
    door: N::Listener,
    may_accept: bool,
    /// Descriptors ran out: a timer tells when to try again.
    is_held: bool,
    /// A timer tells when to look again whether somebody makes room.
    is_watched: bool,
    peers: Slab<(N::Stream, Peer)>,
    made: u32,
    queue: VecDeque<u16>,
    facts: Facts,
    asked: Option<Tick>,
}

impl<N: Net, H: Handler + 'static> Server<N, H> {
    /// Opens the admin interface; it answers in the same loop, whatever clients do. Returns the
    /// address it really has, where it has one.
    ///
    /// # Errors
    /// As the system says.
    pub fn listen_admin(
        &mut self,
        bind: &AdminBind,
        access: AdminAccess,
    ) -> io::Result<Option<SocketAddr>> {
        let options = SocketOptions {
            backlog: 128,
            keepalive: Some(KEEPALIVE),
            ..SocketOptions::default()
        };
        let (door, bound) = match bind {
            AdminBind::Off => return Ok(None),
            AdminBind::Tcp(addr) => {
                let (door, addr) = self.net.listen(*addr, &options, Token::AdminDoor)?;
                (door, Some(addr))
            }
            AdminBind::Unix(path) => (self.net.listen_unix(path, Token::AdminDoor)?, None),
        };
        self.net.reserve()?;
        let limits = self.gate.limits.admin.clone();
        self.close_office();
        self.gate.count_rates();
        self.office = Some(Box::new(Office {
            door,
            may_accept: true,
            is_held: false,
            is_watched: false,
            peers: Slab::new(),
            made: 0,
            queue: VecDeque::new(),
            facts: Facts::new(limits, access, bound, self.net.wall()),
            asked: None,
        }));
        Ok(bound)
    }

    pub(super) fn admin_has_work(&self) -> bool {
        let has_news = self.gate.events.has_news() || self.gate.has_verdicts();
        self.office
            .as_ref()
            .is_some_and(|office| has_news || office.has_work(self.gate.clock.live()))
    }

    /// Whether every answer has left, and every event of which somebody reads.
    pub(super) fn has_told_admin(&self) -> bool {
        let is_done = |(_, (_, peer)): (usize, &(N::Stream, Peer))| peer.waiting() == 0;
        self.office.as_ref().is_none_or(|office| {
            let has_news = self.gate.events.has_news() || !office.queue.is_empty();
            !has_news && office.peers.iter().all(is_done)
        })
    }

    pub(super) fn mark_admin(&mut self, slot: u16, serial: u32, ready: Ready) {
        if let Some(office) = &mut self.office {
            office.mark(slot, serial, ready);
        }
    }

    /// Newcomers may be there.
    pub(super) fn knock_admin(&mut self) {
        if let Some(office) = &mut self.office {
            office.may_accept = true;
        }
    }

    /// A rest of accepting is over.
    pub(super) fn release_admin(&mut self) {
        if let Some(office) = &mut self.office {
            office.may_accept = true;
            office.is_held = false;
            office.is_watched = false;
        }
    }

    pub(super) fn ring_admin(&mut self, slot: u32) {
        if let Some(office) = &mut self.office {
            office.ring(&mut self.net, &mut self.gate, slot);
        }
    }

    /// Does its share of the turn.
    pub(super) fn administer(&mut self) {
        self.pulse.enter(At::Administer);
        if self.office.is_some() {
            self.gate.go_round();
        }
        if !self.admin_has_work() {
            return;
        }
        let Some(office) = &mut self.office else {
            return;
        };
        let (net, gate) = (&mut self.net, &mut self.gate);
        office.facts.read_wall(net.wall(), gate.clock.elapsed());
        office.facts.note_reloads(gate);
        if office
            .asked
            .is_none_or(|asked| gate.clock.real().since(asked) > ASK_AGAIN)
        {
            office.asked = Some(gate.clock.real());
            office.facts.process = net.process();
        }
        office.pass_news(gate);
        office.pass_verdicts(gate);
        let mut budget = office.facts.limits.rows;
        for _ in 0..office.queue.len() {
            // Whoever gets nothing of this turn is first in the next one.
            if budget == 0 {
                break;
            }
            let Some(slot) = office.queue.pop_front() else {
                break;
            };
            office.serve(net, gate, slot, &mut self.scratch, &mut budget);
        }
        // Afterwards: whose head is here by now is no half head.
        office.accept(net, gate);
    }

    /// Ends the admin interface at once.
    pub(super) fn close_office(&mut self) {
        let Some(mut office) = self.office.take() else {
            return;
        };
        for slot in 0..office.peers.capacity() {
            office.drop_peer(&mut self.net, &mut self.gate, slot, Ending::Graceful);
        }
        self.net.unlisten(office.door);
    }
}

impl<N: Net> Office<N> {
    fn has_work(&self, now: Tick) -> bool {
        let may_accept = self.may_accept && !self.is_held;
        !self.queue.is_empty() || (may_accept && (self.has_room(now) || self.may_watch()))
    }

    fn limits(&self) -> &AdminLimits {
        &self.facts.limits
    }

    fn is_full(&self) -> bool {
        self.peers.len() >= self.limits().slots as usize
    }

    /// Whether a newcomer would find a slot, or somebody who makes room.
    fn has_room(&self, now: Tick) -> bool {
        !self.is_full() || self.dispensable(now).is_some()
    }

    /// Somebody may wait in the backlog for whom nobody makes room yet: looks again soon.
    fn watch(&mut self, gate: &mut Gate) {
        if self.may_watch() {
            self.is_watched = true;
            self.look_again(gate);
        }
    }

    fn may_watch(&self) -> bool {
        !self.is_watched && self.longest(Peer::dawdles_since).is_some()
    }

    fn look_again(&self, gate: &mut Gate) {
        let at = gate.clock.real().after(Span::covering(HOLD));
        gate.start_timer(at, TimerKind::AdminDoor);
    }

    fn accept(&mut self, net: &mut N, gate: &mut Gate) {
        let mut may_make_way = true;
        for _ in 0..self.limits().slots {
            if !self.may_accept || self.is_held {
                return;
            }
            if !self.has_room(gate.clock.live()) {
                return self.watch(gate);
            }
            match net.accept_reserved(&self.door) {
                Ok((stream, _)) => {
                    may_make_way = true;
                    self.admit(net, gate, stream);
                }
                // The descriptor of one who rests is the newcomer's.
                Err(error)
                    if is_out_of_descriptors(&error)
                        && std::mem::take(&mut may_make_way)
                        && self.make_way(net, gate) => {}
                Err(error) => match AcceptFault::of(&error) {
                    AcceptFault::Drained => self.may_accept = false,
                    AcceptFault::Newcomer => {}
                    AcceptFault::Exhausted => {
                        self.is_held = true;
                        self.look_again(gate);
                    }
                },
            }
        }
    }

    fn admit(&mut self, net: &mut N, gate: &mut Gate, mut stream: N::Stream) {
        if self.is_full() {
            self.make_way(net, gate);
        }
        self.made = (self.made + 1) & SERIAL_MAX;
        let (key, serial) = (self.peers.vacant_key(), self.made);
        let slot = u16::try_from(key).unwrap_or(u16::MAX);
        if let Err(error) = net.register(&mut stream, Token::Admin { slot, serial }) {
            warn!("a connection to the admin interface could not be registered: {error}");
            return gate.note_close(net.close(stream, Ending::Abort));
        }
        let peer = Peer::new(serial, gate.clock.live());
        self.peers.insert((stream, peer));
        self.facts.peers = self.peers.len();
        self.arm(gate, key);
    }

    fn mark(&mut self, slot: u16, serial: u32, ready: Ready) {
        let Some((_, peer)) = self.peers.get_mut(usize::from(slot)) else {
            return;
        };
        if peer.serial != serial {
            return;
        }
        peer.is_readable |= ready.readable || ready.closed;
        peer.is_writable |= ready.writable;
        peer.may_be_closed |= ready.closed;
        self.enqueue(slot);
    }

    /// Who reads events and has new ones goes on.
    fn pass_news(&mut self, gate: &mut Gate) {
        if !gate.events.has_news() {
            return;
        }
        let news = gate.events.take_news();
        let has_news = |peer: &Peer| peer.reader().is_some_and(|reader| news.contains(&reader));
        let told = self.peers.iter().filter(|(_, (_, peer))| has_news(peer));
        let told: Vec<u16> = told
            .filter_map(|(key, _)| u16::try_from(key).ok())
            .collect();
        for slot in told {
            self.enqueue(slot);
        }
    }

    /// Who waits for what comes of a change of configuration looks whether it is there.
    fn pass_verdicts(&mut self, gate: &mut Gate) {
        if !gate.take_verdicts() {
            return;
        }
        let peers = self.peers.iter();
        let awaiting = peers.filter(|(_, (_, peer))| peer.awaits_verdict());
        let told: Vec<u16> = awaiting
            .filter_map(|(key, _)| u16::try_from(key).ok())
            .collect();
        for slot in told {
            self.enqueue(slot);
        }
    }

    fn enqueue(&mut self, slot: u16) {
        if let Some((_, peer)) = self.peers.get_mut(usize::from(slot))
            && !std::mem::replace(&mut peer.is_queued, true)
        {
            self.queue.push_back(slot);
        }
    }

    /// One connection: one read, so many steps, one write.
    fn serve(
        &mut self,
        net: &mut N,
        gate: &mut Gate,
        slot: u16,
        scratch: &mut [u8],
        budget: &mut u32,
    ) {
        let key = usize::from(slot);
        let Some((stream, peer)) = self.peers.get_mut(key) else {
            return;
        };
        peer.is_queued = false;
        let appetite = peer.appetite(&self.facts).min(scratch.len());
        if peer.is_readable && appetite > 0 {
            read(net, gate, stream, peer, &mut scratch[..appetite]);
        }
        self.facts.bodies = self.peers.iter().map(|(_, (_, peer))| peer.body()).sum();
        self.facts.held = self.peers.iter().map(|(_, (_, peer))| peer.held()).sum();
        let (facts, peer) = (&mut self.facts, &mut self.peers[key].1);
        let stepped = catch_unwind(AssertUnwindSafe(|| steps(peer, gate, facts, budget)));
        let next = stepped.unwrap_or_else(|_| {
            gate.stats.panics += 1;
            gate.is_suspect = true;
            self.peers[key].1.leave();
            Next::Rest
        });
        let (stream, peer) = &mut self.peers[key];
        if let Some(reader) = peer.take_idle_reader() {
            gate.leave_events(reader);
        }
        let has_written = write(net, gate, stream, peer);
        if peer.is_gone() {
            return self.drop_peer(net, gate, key, Ending::Graceful);
        }
        let wants_more = peer.is_readable && peer.appetite(&self.facts) > 0;
        let may_write = peer.is_writable && peer.waiting() > 0;
        let goes_on = next == Next::Again || (has_written && peer.may_go_on());
        if goes_on || wants_more || may_write {
            self.enqueue(slot);
        }
        self.arm(gate, key);
    }

    /// The timer of a connection is set for its deadline, or for earlier.
    fn arm(&mut self, gate: &mut Gate, key: usize) {
        let peer = &mut self.peers[key].1;
        let patience = peer.deadline(&self.facts).map(|at| gate.clock.to_real(at));
        // Where its time is over and its output stands still, only patience ends the wait: a timer
        // for what has been would come up at once, again and again.
        let ends = peer.ends().filter(|at| !at.is_due(gate.clock.real()));
        let Some(at) = patience.into_iter().chain(ends).reduce(Tick::min) else {
            return;
        };
        if peer.timer == NONE {
            let slot = u32::try_from(key).unwrap_or(NONE);
            peer.timer = gate.start_timer(at, TimerKind::Admin(slot));
        } else {
            gate.advance_timer(peer.timer, at);
        }
    }

    /// A timer came up: the connection's patience is over, or its deadline has moved.
    fn ring(&mut self, net: &mut N, gate: &mut Gate, slot: u32) {
        let key = slot as usize;
        let Some((_, peer)) = self.peers.get_mut(key) else {
            return;
        };
        peer.timer = NONE;
        let deadline = peer.deadline(&self.facts);
        if deadline.is_some_and(|at| at.is_due(gate.clock.live())) {
            return self.drop_peer(net, gate, key, Ending::Graceful);
        }
        if peer
            .ends()
            .is_some_and(|ends| ends.is_due(gate.clock.real()))
        {
            // It says so itself, and is not asked again before it has.
            return self.enqueue(u16::try_from(key).unwrap_or(u16::MAX));
        }
        self.arm(gate, key);
    }

    fn drop_peer(&mut self, net: &mut N, gate: &mut Gate, key: usize, how: Ending) {
        let Some((stream, peer)) = self.peers.try_remove(key) else {
            return;
        };
        self.facts.peers = self.peers.len();
        if peer.timer != NONE {
            gate.stop_timer(peer.timer);
        }
        if let Some(reader) = peer.reader() {
            gate.leave_events(reader);
        }
        gate.note_close(net.close(stream, how));
    }
}

const SERIAL_MAX: u32 = (1 << 30) - 1;

fn read<N: Net>(
    net: &mut N,
    gate: &Gate,
    stream: &mut N::Stream,
    peer: &mut Peer,
    buffer: &mut [u8],
) {
    match net.read(stream, buffer) {
        Ok(0) => {
            peer.is_readable = false;
            peer.end();
        }
        Ok(count) => {
            peer.is_readable = count == buffer.len() || peer.may_be_closed;
            let linger_max = gate.limits.linger_bytes as usize;
            peer.take(&buffer[..count], gate.clock.live(), linger_max);
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            peer.is_readable = false;
            peer.may_be_closed = false;
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
        Err(_) => peer.leave(),
    }
}

/// So many requests or slices as a connection may have in a turn.
fn steps(peer: &mut Peer, gate: &mut Gate, facts: &mut Facts, budget: &mut u32) -> Next {
    for _ in 0..facts.limits.requests {
        let next = peer.step(gate, facts, budget);
        if let Some(status) = peer.answered.take() {
            let class = usize::from(status / 100).clamp(2, 5) - 2;
            facts.answered[class] += 1;
        }
        if next == Next::Rest || *budget == 0 {
            return next;
        }
        *budget -= 1;
    }
    Next::Again
}

/// One write. Whether the socket took something.
fn write<N: Net>(net: &mut N, gate: &Gate, stream: &mut N::Stream, peer: &mut Peer) -> bool {
    let mut has_written = false;
    if peer.waiting() > 0 && peer.is_writable {
        let bytes = peer.waiting();
        match net.write(stream, &[IoSlice::new(peer.output())]) {
            Ok(count) => {
                has_written = true;
                peer.wrote(count, gate.clock.live());
                peer.is_writable = count == bytes;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => peer.is_writable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => peer.leave(),
        }
    }
    if peer.is_finished() {
        peer.linger(gate.clock.live());
        if net.shutdown_write(stream).is_err() {
            peer.leave();
        }
    }
    has_written
}
