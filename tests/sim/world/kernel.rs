//! The simulated kernel: sockets, listeners, descriptors, and what happens to them in time.
//!
//! It makes no mistakes: faults are the business of [`net`](super::net). The server's calls are in
//! [`server_end`](super::server_end), the clients' in [`peer_end`](super::peer_end).

use std::collections::VecDeque;
use std::net::SocketAddr;

use pulsegate::Token;
use pulsegate::net::Ready;
use rustix::io::Errno;

use super::agenda::{Agenda, Deed, MILLI, Nanos};
use super::epoll::{Epoll, File};
use super::facts::Stamp;
use super::marks::Marks;
use super::socket::{Heard, Key, Socket, Stage};

/// A listening socket.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) addr: SocketAddr,
    pub(crate) token: Token,
    pub(crate) backlog: usize,
    pub(crate) queue: VecDeque<Key>,
    pub(crate) is_open: bool,
    pub(crate) is_listed: bool,
    /// When a newcomer was accepted last.
    pub(crate) accepted: Stamp,
}

/// Everything below the system calls.
#[derive(Debug, Default)]
pub(crate) struct Kernel {
    pub(crate) agenda: Agenda,
    pub(crate) sockets: Vec<Socket>,
    pub(crate) free: Vec<u32>,
    /// Both ends are gone; the slots wait until the judge has seen them.
    pub(crate) dead: Vec<Key>,
    pub(crate) listeners: Vec<Listening>,
    pub(crate) epoll: Epoll,
    /// Sockets that the server holds.
    pub(crate) held: usize,
    /// The number of the admin interface's listener, and how many of them are its.
    pub(crate) admin: Option<u16>,
    pub(crate) held_by_admin: usize,
    /// Descriptors that the process may have.
    pub(crate) fd_limit: usize,
    /// The last clock value that the server was told.
    pub(crate) clock: Stamp,
    /// Time lost to pauses and slow calls so far.
    pub(crate) lag: Nanos,
    /// Time by which the loop came too late in all, counted where it was more than half a second.
    pub(crate) stall: Nanos,
    /// What the run has been through.
    pub(crate) marks: Marks,
    /// Where a connection index of the server leads, by its latest serial.
    pub(crate) by_index: Vec<Option<(u32, Key)>>,
}

impl Kernel {
    pub(crate) fn new() -> Self {
        Self {
            fd_limit: usize::MAX,
            ..Self::default()
        }
    }

    pub(crate) fn now(&self) -> Nanos {
        self.agenda.now
    }

    /// The present as a stamp of the world's own clock.
    pub(crate) fn stamp(&self) -> Stamp {
        Stamp {
            at: self.agenda.now,
            lag: self.lag,
            stall: self.stall,
        }
    }

    /// Sockets of clients that the server holds.
    pub(crate) fn held_of_clients(&self) -> usize {
        self.held - self.held_by_admin
    }

    /// Whether the process has a descriptor left.
    pub(crate) fn has_descriptor(&self) -> bool {
        self.held + self.listeners.len() < self.fd_limit
    }

    pub(crate) fn get(&self, key: Key) -> Option<&Socket> {
        self.sockets
            .get(key.slot as usize)
            .filter(|socket| socket.life == key.life)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut Socket> {
        self.sockets
            .get_mut(key.slot as usize)
            .filter(|socket| socket.life == key.life)
    }

    /// The socket behind a connection id of the server, as long as it is not buried.
    pub(crate) fn find(&self, conn: pulsegate::ConnId) -> Option<Key> {
        let (serial, key) = (*self.by_index.get(conn.index as usize)?)?;
        (serial == conn.serial && self.get(key).is_some()).then_some(key)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.sockets
            .iter()
            .enumerate()
            .filter(|(_, socket)| socket.stage != Stage::Free)
            .map(|(slot, socket)| Key {
                slot: slot as u32,
                life: socket.life,
            })
    }

    /// Does what is on the agenda for the network; returns whom to stir, if anybody.
    #[inline]
    pub(crate) fn perform(&mut self, deed: Deed) -> Option<u32> {
        let key = match deed {
            Deed::ArriveAtServer(key, count) => return self.arrive_at_server(key, count),
            Deed::ArriveAtPeer(key, count) => return self.arrive_at_peer(key, count),
            Deed::FinAtServer(key) => return self.fin_at_server(key),
            Deed::FinAtPeer(key) => return self.fin_at_peer(key),
            Deed::ResetAtServer(key) => {
                self.reset_at_server(key, Errno::CONNRESET);
                return None;
            }
            Deed::ResetAtPeer(key) => return self.reset_at_peer(key),
            Deed::Edge(key) => {
                let stamp = self.stamp();
                if let Some(socket) = self.get_mut(key).filter(|socket| socket.is_readable()) {
                    socket.facts.waiting.get_or_insert(stamp);
                }
                self.edge(key);
                return None;
            }
            Deed::StirPeer(key) => key,
            Deed::Wake(..) | Deed::Mark(_) => unreachable!("not the network's business"),
        };
        let socket = self.get_mut(key)?;
        socket.peer.is_stirred = false;
        socket.peer.owner
    }

    /// An edge at the server's end: the next wait looks at it.
    #[inline]
    pub(crate) fn edge(&mut self, key: Key) {
        let Some(socket) = self.get_mut(key) else {
            return;
        };
        if socket.is_held() && socket.server.token.is_some() && !socket.server.is_listed {
            socket.server.is_listed = true;
            self.epoll.push(File::Socket(key.slot));
        }
    }

    pub(crate) fn edge_of_listener(&mut self, number: u16) {
        let listener = &mut self.listeners[usize::from(number)];
        if listener.is_open && !listener.is_listed {
            listener.is_listed = true;
            self.epoll.push(File::Listener(number));
        }
    }

    /// Takes the next file with an edge off the list and looks at it.
    pub(crate) fn look(&mut self) -> Option<Ready> {
        loop {
            let ready = match self.epoll.pop()? {
                File::Socket(slot) => self.look_at_socket(slot),
                File::Listener(number) => self.look_at_listener(number),
            };
            if ready.is_some() {
                return ready;
            }
        }
    }

    fn look_at_socket(&mut self, slot: u32) -> Option<Ready> {
        let socket = &mut self.sockets[slot as usize];
        socket.server.is_listed = false;
        let (readable, writable) = (socket.is_readable(), socket.is_writable());
        // As tcp_poll() does: finding no room asks to be told when there is.
        socket.server.wants_room |= !writable;
        let token = socket
            .server
            .token
            .expect("only registered sockets are listed");
        (readable || writable).then(|| Ready {
            token,
            readable,
            writable,
            closed: socket.is_hinting(),
        })
    }

    fn look_at_listener(&mut self, number: u16) -> Option<Ready> {
        let listener = &mut self.listeners[usize::from(number)];
        listener.is_listed = false;
        (!listener.queue.is_empty()).then_some(Ready {
            token: listener.token,
            readable: true,
            writable: false,
            closed: false,
        })
    }

    fn arrive_at_server(&mut self, key: Key, count: u32) -> Option<u32> {
        let (now, stamp) = (self.now(), self.stamp());
        let socket = self.get_mut(key)?;
        if let Some(later) = held_back(socket.to_server.clogged_until, now) {
            self.put_off(later, Deed::ArriveAtServer(key, count));
            return None;
        }
        match socket.stage {
            Stage::Backlog | Stage::Held if !socket.server.is_dead => {
                socket.to_server.arrive(count as usize);
                if socket.to_server.arrived() > 0 {
                    socket.facts.waiting.get_or_insert(stamp);
                }
                self.edge(key);
            }
            // What reaches a closed socket is answered by a reset, and gone: a FIN behind it waits
            // for it no more.
            stage => {
                socket.to_server.purge();
                if stage == Stage::Closed && socket.peer.is_open {
                    let at = socket.to_peer.arrival(now);
                    self.agenda.at(at, Deed::ResetAtPeer(key));
                }
            }
        }
        None
    }

    fn arrive_at_peer(&mut self, key: Key, count: u32) -> Option<u32> {
        let now = self.now();
        let socket = self.get_mut(key)?;
        if let Some(later) = held_back(socket.to_peer.clogged_until, now) {
            self.put_off(later, Deed::ArriveAtPeer(key, count));
            return None;
        }
        if !socket.peer.is_open {
            let at = socket.to_server.arrival(now);
            self.agenda.at(at, Deed::ResetAtServer(key));
            return None;
        }
        if socket.peer.is_reset {
            // Its end is gone, though nobody sits there who has looked.
            socket.to_peer.purge_under_way();
            return None;
        }
        socket.to_peer.arrive(count as usize);
        socket.peer.owner
    }

    fn fin_at_server(&mut self, key: Key) -> Option<u32> {
        let (now, stamp) = (self.now(), self.stamp());
        let socket = self.get_mut(key)?;
        if let Some(later) = held_back(socket.to_server.clogged_until, now) {
            self.put_off(later, Deed::FinAtServer(key));
            return None;
        }
        if socket.to_server.is_under_way() {
            // Bytes that a clog held back come first.
            self.put_off(now + MILLI, Deed::FinAtServer(key));
            return None;
        }
        if !socket.server.is_dead {
            socket.to_server.fin_arrived = true;
            socket.facts.waiting.get_or_insert(stamp);
            self.edge(key);
        }
        None
    }

    fn fin_at_peer(&mut self, key: Key) -> Option<u32> {
        let now = self.now();
        let socket = self.get_mut(key)?;
        if let Some(later) = held_back(socket.to_peer.clogged_until, now) {
            self.put_off(later, Deed::FinAtPeer(key));
            return None;
        }
        socket.to_peer.fin_arrived = true;
        socket.peer.owner
    }

    /// The server's end is told of a failure: once by an error, then for ever by silence.
    pub(crate) fn reset_at_server(&mut self, key: Key, errno: Errno) {
        let (now, stamp) = (self.now(), self.stamp());
        let Some(socket) = self.get_mut(key) else {
            return;
        };
        if let Some(later) = held_back(socket.to_server.clogged_until, now) {
            self.put_off(later, Deed::ResetAtServer(key));
            return;
        }
        if socket.server.is_dead || socket.stage == Stage::Closed {
            return;
        }
        socket.server.is_dead = true;
        // Linux calls a reset behind the peer's FIN a broken pipe.
        let is_late = socket.to_server.fin_arrived && errno == Errno::CONNRESET;
        socket.server.error = Some(if is_late { Errno::PIPE } else { errno });
        socket.to_peer.purge_under_way();
        socket.facts.waiting.get_or_insert(stamp);
        self.edge(key);
    }

    fn reset_at_peer(&mut self, key: Key) -> Option<u32> {
        let now = self.now();
        let socket = self.get_mut(key)?;
        if let Some(later) = held_back(socket.to_peer.clogged_until, now) {
            self.put_off(later, Deed::ResetAtPeer(key));
            return None;
        }
        socket.peer.is_reset = true;
        if socket.peer.loses_on_reset {
            socket.to_peer.purge();
        }
        socket.peer.owner
    }

    /// A clog holds a deed back until it ends; a black hole swallows it.
    fn put_off(&mut self, until: Nanos, deed: Deed) {
        if until != Nanos::MAX {
            self.agenda.at(until, deed);
        }
    }

    /// Ends every clog: what it held back arrives now. A black hole gives nothing back.
    pub(crate) fn unclog(&mut self) {
        let (now, stamp) = (self.now(), self.stamp());
        for key in self.keys().collect::<Vec<_>>() {
            let socket = &mut self.sockets[key.slot as usize];
            for pipe in [&mut socket.to_server, &mut socket.to_peer] {
                if pipe.clogged_until != Nanos::MAX && pipe.clogged_until > 0 {
                    pipe.clogged_until = pipe.clogged_until.min(now);
                    pipe.arrive(pipe.window);
                }
            }
            if socket.is_readable() {
                socket.facts.waiting.get_or_insert(stamp);
            }
            self.edge(key);
            self.stir(key);
        }
    }

    /// Notes that an end is gone, and remembers the socket for the judge where both are.
    pub(crate) fn settle(&mut self, key: Key) {
        let socket = &self.sockets[key.slot as usize];
        if socket.stage == Stage::Closed && !socket.peer.is_open {
            self.dead.push(key);
        }
    }

    /// Gives the slots of the dead back.
    pub(crate) fn bury(&mut self) {
        for key in self.dead.drain(..) {
            let socket = &mut self.sockets[key.slot as usize];
            assert_eq!(socket.life, key.life, "nobody is buried twice");
            socket.stage = Stage::Free;
            socket.life += 1;
            self.free.push(key.slot);
        }
    }

    /// What a peer would hear now.
    pub(crate) fn listen_at_peer(&self, key: Key) -> Heard {
        let Some(socket) = self.get(key) else {
            return Heard::Reset;
        };
        match socket.to_peer.arrived() {
            0 if socket.peer.is_reset => Heard::Reset,
            0 if socket.to_peer.is_at_end() => Heard::Fin,
            0 => Heard::Nothing,
            count => Heard::Bytes(count),
        }
    }
}

fn held_back(clogged_until: Nanos, now: Nanos) -> Option<Nanos> {
    (clogged_until > now).then_some(clogged_until)
}
