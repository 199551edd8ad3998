//! Many clients on one thread: their machines, over the loop's own [`Net`] and timing wheel.
//!
//! A member is a machine, a socket and a place in the wheel; its buffers are there while something
//! waits in them. Nothing here reads a clock but [`Net::now`].

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use slab::Slab;

use super::dial;
use super::event::{Event, Lost};
use super::machine::Machine;
use super::options::{Login, Options};
use crate::id::{ConnId, Token};
use crate::net::{Ending, Net, Ready};
use crate::time::{Span, Tick};
use crate::wheel::Wheel;

/// Very many clients on one thread.
#[derive(Debug)]
pub struct Crowd<N: Net> {
    net: N,
    wheel: Wheel,
    members: Slab<Seat<N::Stream>>,
    /// Where to and from where; members of the same route share it.
    routes: Vec<(SocketAddr, Option<IpAddr>)>,
    options: Arc<Options>,
    /// Those with events that were not taken.
    told: VecDeque<u32>,
    ready: Vec<Ready>,
    due: Vec<u32>,
    buffer: Box<[u8]>,
    began: Duration,
    serial: u32,
}

/// A client of a crowd.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Member(u32);

/// What is kept of a client.
#[derive(Debug)]
struct Seat<S> {
    machine: Machine,
    stream: Option<S>,
    route: u16,
    /// The use of the seat by this connection: readiness of an older one counts for nothing.
    serial: u32,
    is_told: bool,
    is_writable: bool,
    is_readable: bool,
}

impl<N: Net> Crowd<N> {
    /// A crowd without members; all will behave as `options` say.
    pub fn new(net: N, options: Options) -> Self {
        Self::with_room(net, options, 0)
    }

    /// The same with room for so many members: none of them moves when more come.
    pub fn with_room(mut net: N, options: Options, members: u32) -> Self {
        let began = net.now();
        Self {
            net,
            wheel: Wheel::new(Tick::START, members as usize),
            members: Slab::with_capacity(members as usize),
            routes: Vec::new(),
            options: Arc::new(options),
            told: VecDeque::new(),
            ready: Vec::new(),
            due: Vec::new(),
            buffer: vec![0; BUFFER].into(),
            began,
            serial: 0,
        }
    }

    /// Adds a client that connects in the next turn, from the address `from` where one is given.
    ///
    /// # Panics
    /// With more than 65,536 different routes, or 2^32 members.
    pub fn add(&mut self, to: SocketAddr, from: Option<IpAddr>, login: Option<Login>) -> Member {
        let route = self.routes.iter().position(|route| *route == (to, from));
        let route = route.unwrap_or_else(|| {
            self.routes.push((to, from));
            self.routes.len() - 1
        });
        let (now, seed) = (self.net.now(), self.net.entropy());
        let machine = Machine::new(Arc::clone(&self.options), login, seed, now);
        let key = self.members.insert(Seat {
            machine,
            stream: None,
            route: u16::try_from(route).expect("at most 65,536 routes"),
            serial: 0,
            is_told: false,
            is_writable: false,
            is_readable: false,
        });
        let key = u32::try_from(key).expect("at most 2^32 members");
        self.wheel.set(key, self.tick(now));
        Member(key)
    }

    /// The machine of a member, to ask it for something: what it has to say leaves in the next
    /// turn. `None` where there is no such member any more.
    pub fn machine(&mut self, member: Member) -> Option<(&mut Machine, Duration)> {
        let now = self.net.now();
        let tick = self.tick(now);
        let seat = self.members.get_mut(member.0 as usize)?;
        // Whatever it is asked, it is looked at.
        self.wheel.set(member.0, tick);
        Some((&mut seat.machine, now))
    }

    /// Lets a member go without a word.
    pub fn remove(&mut self, member: Member) {
        if let Some(seat) = self.members.try_remove(member.0 as usize) {
            self.wheel.remove(member.0);
            if let Some(stream) = seat.stream {
                let _ = self.net.close(stream, Ending::Graceful);
            }
        }
    }

    /// The net.
    pub fn net_mut(&mut self) -> &mut N {
        &mut self.net
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The next thing that has happened to some member.
    pub fn event(&mut self) -> Option<(Member, Event)> {
        loop {
            let key = *self.told.front()?;
            let now = self.net.now();
            if let Some(seat) = self.members.get_mut(key as usize) {
                if let Some(event) = seat.machine.event(now) {
                    // An ack may have been said, and there may be room for input.
                    let tick = self.tick(now);
                    self.wheel.set(key, tick);
                    return Some((Member(key), event));
                }
                seat.is_told = false;
            }
            self.told.pop_front();
        }
    }

    /// Waits at most `patience` for something to happen, and lets it happen: one wait, one look at
    /// each member that something happened to.
    ///
    /// # Errors
    /// Where the net is broken.
    pub fn turn(&mut self, patience: Duration) -> io::Result<()> {
        let now = self.net.now();
        let left = self.wheel.next().map(|next| next.since(self.tick(now)));
        let left = left.map_or(patience, |left| left.duration().min(patience));
        self.ready.clear();
        let mut ready = std::mem::take(&mut self.ready);
        self.net.wait(&mut ready, Some(left))?;
        for ready in &ready {
            if let Token::Conn(conn) = ready.token {
                self.mark(conn, ready);
            }
        }
        self.ready = ready;
        // A slice a turn: however many are due, sockets are read in between.
        let mut due = std::mem::take(&mut self.due);
        let now = self.net.now();
        self.wheel.advance(self.tick(now), SLICE, &mut due);
        for key in due.drain(..) {
            self.look(key);
        }
        self.due = due;
        Ok(())
    }

    /// A socket is ready for something.
    fn mark(&mut self, conn: ConnId, ready: &Ready) {
        let Some(seat) = self.members.get_mut(conn.index as usize) else {
            return;
        };
        if seat.serial != conn.serial || seat.stream.is_none() {
            return;
        }
        seat.is_readable |= ready.readable;
        seat.is_writable |= ready.writable;
        self.look(conn.index);
    }

    /// Does whatever a member has to do now.
    fn look(&mut self, key: u32) {
        if !self.members.contains(key as usize) {
            return;
        }
        self.arrive(key);
        self.read(key);
        // Before time is looked at: after a pause, nobody is stuck who was not asked.
        self.write(key);
        let now = self.net.now();
        let seat = &mut self.members[key as usize];
        seat.machine.tick(now);
        if seat.machine.wants_dial(now) {
            self.dial(key);
        }
        self.write(key);
        self.settle(key);
    }

    /// Opens a connection.
    fn dial(&mut self, key: u32) {
        let seat = &mut self.members[key as usize];
        // Where it comes back at once, the lost one is still here.
        if let Some(lost) = seat.stream.take() {
            let _ = self.net.close(lost, Ending::Graceful);
        }
        let (to, from) = self.routes[usize::from(seat.route)];
        self.serial = (self.serial + 1) & ConnId::SERIAL_MAX;
        seat.serial = self.serial;
        (seat.is_readable, seat.is_writable) = (false, false);
        let conn = ConnId {
            index: key,
            serial: self.serial,
        };
        let dialed = self.net.dial(to, from, self.options.keepalive);
        let opened = dialed.and_then(|mut stream| {
            self.net.register(&mut stream, Token::Conn(conn))?;
            Ok(stream)
        });
        match opened {
            Ok(stream) => seat.stream = Some(stream),
            Err(error) => seat.machine.lost(self.net.now(), dial::of(&error)),
        }
    }

    /// Learns how a dial has ended.
    fn arrive(&mut self, key: u32) {
        let Some(seat) = self.members.get_mut(key as usize) else {
            return;
        };
        let Some(stream) = &mut seat.stream else {
            return;
        };
        if !seat.machine.is_dialing() || !(seat.is_writable || seat.is_readable) {
            return;
        }
        let now = self.net.now();
        match self.net.dialed(stream) {
            Ok(true) => seat.machine.dialed(now),
            Ok(false) => {}
            Err(error) => seat.machine.lost(now, dial::of(&error)),
        }
    }

    fn read(&mut self, key: u32) {
        let Some(seat) = self.members.get_mut(key as usize) else {
            return;
        };
        while seat.is_readable && seat.machine.wants_input() {
            let Some(stream) = &mut seat.stream else {
                return;
            };
            let read = self.net.read(stream, &mut self.buffer);
            let now = self.net.now();
            match read {
                Ok(0) => seat.machine.lost(now, Lost::PeerClosed),
                Ok(length) => seat.machine.received(now, &self.buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => seat.is_readable = false,
                Err(error) => seat.machine.lost(now, dial::of(&error)),
            }
        }
    }

    fn write(&mut self, key: u32) {
        let seat = &mut self.members[key as usize];
        while seat.is_writable && !seat.machine.output().is_empty() {
            let Some(stream) = &mut seat.stream else {
                return;
            };
            let written = self
                .net
                .write(stream, &[IoSlice::new(seat.machine.output())]);
            match written {
                Ok(length) => seat.machine.wrote(self.net.now(), length),
                Err(error) if error.kind() == ErrorKind::WouldBlock => seat.is_writable = false,
                Err(error) => {
                    // What can still be read may say why.
                    while let Ok(length @ 1..) = self.net.read(stream, &mut self.buffer) {
                        let now = self.net.now();
                        seat.machine.received(now, &self.buffer[..length]);
                    }
                    seat.machine.lost(self.net.now(), dial::of(&error));
                }
            }
        }
    }

    /// Closes what is not wanted any more, and says when to look again.
    fn settle(&mut self, key: u32) {
        let seat = &mut self.members[key as usize];
        if !seat.machine.has_link()
            && !seat.machine.is_dialing()
            && let Some(stream) = seat.stream.take()
        {
            let _ = self.net.close(stream, Ending::Graceful);
        }
        if seat.machine.has_events() && !seat.is_told {
            seat.is_told = true;
            self.told.push_back(key);
        }
        let deadline = seat.machine.deadline();
        match deadline {
            Some(deadline) => {
                // From now on: a wait may be longer than the circle allows since the beginning.
                let now = self.net.now();
                let left = Span::covering(deadline.saturating_sub(now));
                self.wheel
                    .set(key, Tick::at(now.saturating_sub(self.began)).after(left));
            }
            None => self.wheel.remove(key),
        }
    }

    fn tick(&self, now: Duration) -> Tick {
        Tick::at(now.saturating_sub(self.began))
    }
}

/// Bytes of one read.
const BUFFER: usize = 64 * 1_024;

/// Members that are looked at in one turn since their time has come.
const SLICE: usize = 128;

#[cfg(test)]
mod tests;
