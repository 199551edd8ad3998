//! The server's system calls, as a kernel without faults answers them.

use std::io::{self, IoSlice};
use std::net::SocketAddr;

use pulsegate::Token;
use pulsegate::net::Ending;
use rustix::io::Errno;

use super::agenda::Deed;
use super::epoll::File;
use super::facts::Stamp;
use super::kernel::{Kernel, Listening};
use super::marks::Mark;
use super::socket::{Key, Stage};

impl Kernel {
    pub(crate) fn listen(&mut self, addr: SocketAddr, backlog: usize, token: Token) -> u16 {
        let number = u16::try_from(self.listeners.len()).expect("few listeners");
        self.listeners.push(Listening {
            addr,
            token,
            backlog: backlog.max(1),
            queue: std::collections::VecDeque::new(),
            is_open: true,
            is_listed: false,
            accepted: Stamp::default(),
        });
        number
    }

    pub(crate) fn unlisten(&mut self, number: u16) {
        let listener = &mut self.listeners[usize::from(number)];
        assert!(listener.is_open, "a listener is closed once");
        listener.is_open = false;
        listener.is_listed = false;
        let orphans: Vec<Key> = listener.queue.drain(..).collect();
        self.epoll.forget(File::Listener(number));
        for key in orphans {
            self.refuse(key);
        }
    }

    /// The oldest of the backlog becomes the server's.
    pub(crate) fn accept(&mut self, number: u16) -> io::Result<Key> {
        if !self.has_descriptor() {
            return Err(Errno::MFILE.into());
        }
        let now = self.stamp();
        let listener = &mut self.listeners[usize::from(number)];
        listener.accepted = now;
        let queue = &mut listener.queue;
        let key = queue.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        let clock = self.clock;
        let socket = &mut self.sockets[key.slot as usize];
        assert_eq!(socket.stage, Stage::Backlog);
        socket.stage = Stage::Held;
        socket.facts.on_accept(clock);
        self.held += 1;
        self.held_by_admin += usize::from(self.admin == Some(number));
        Ok(key)
    }

    /// A connection of the backlog is dropped by the kernel, and its peer is told.
    pub(crate) fn refuse(&mut self, key: Key) {
        let now = self.now();
        let socket = &mut self.sockets[key.slot as usize];
        socket.stage = Stage::Closed;
        socket.to_server.purge();
        let at = socket.to_peer.arrival(now);
        self.agenda.at(at, Deed::ResetAtPeer(key));
        self.settle(key);
    }

    pub(crate) fn register(&mut self, key: Key, token: Token) {
        let socket = &mut self.sockets[key.slot as usize];
        assert!(
            socket.is_held() && socket.server.token.is_none(),
            "registered once"
        );
        socket.server.token = Some(token);
        if let Token::Conn(conn) = token {
            let index = conn.index as usize;
            if self.by_index.len() <= index {
                self.by_index.resize(index + 1, None);
            }
            self.by_index[index] = Some((conn.serial, key));
        }
        // epoll_ctl() looks at once: the level at this time is the first edge.
        self.edge(key);
    }

    pub(crate) fn peek(&mut self, key: Key) -> io::Result<bool> {
        let socket = &mut self.sockets[key.slot as usize];
        if socket.to_server.arrived() > 0 {
            return Ok(true);
        }
        match socket.end_of_input() {
            Some(Ok(_)) => Ok(false),
            // An error is told once.
            Some(Err(error)) => {
                socket.facts.waiting = None;
                Err(error)
            }
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    pub(crate) fn read(&mut self, key: Key, into: &mut [u8]) -> io::Result<usize> {
        let clock = self.clock;
        let socket = &mut self.sockets[key.slot as usize];
        if socket.to_server.arrived() == 0 {
            let end = socket.end_of_input();
            if end.is_some() {
                socket.facts.waiting = None;
            }
            return end.unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()));
        }
        let was_full = socket.to_server.room() == 0;
        let count = socket.to_server.take(into);
        let rest = socket.to_server.arrived() > 0 || socket.to_server.fin_arrived;
        let waiting = socket.facts.waiting;
        let was_paused = waiting.is_some_and(|since| socket.facts.was_paused(clock, since));
        // What comes after the goodbye is read so that it arrives, and keeps nobody alive.
        if !socket.server.is_shut {
            socket.facts.on_read(clock, socket.to_server.taken);
        }
        socket.facts.waiting = waiting.filter(|_| rest);
        if was_full {
            self.stir(key);
        }
        self.marks.reach_if(was_paused, Mark::Paused);
        Ok(count)
    }

    /// Puts at most `most` bytes of the slices into the pipe.
    pub(crate) fn write(
        &mut self,
        key: Key,
        slices: &[IoSlice<'_>],
        most: usize,
    ) -> io::Result<usize> {
        let (now, clock) = (self.now(), self.clock);
        let socket = &mut self.sockets[key.slot as usize];
        let wanted: usize = slices.iter().map(|slice| slice.len()).sum();
        if let Some(errno) = socket.server.error.take() {
            return Err(errno.into());
        }
        if socket.server.is_dead {
            return Err(Errno::PIPE.into());
        }
        assert!(
            !socket.server.is_shut,
            "nothing is written after the goodbye"
        );
        let mut count = 0;
        for slice in slices {
            let part = slice.len().min(most - count);
            let put = socket.to_peer.put(&slice[..part]);
            count += put;
            if put < slice.len() {
                break;
            }
        }
        socket.facts.on_write(clock, count, wanted);
        socket.server.wants_room |= count < wanted;
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let at = socket.to_peer.arrival(now);
        self.agenda.at(at, Deed::ArriveAtPeer(key, count as u32));
        Ok(count)
    }

    pub(crate) fn shutdown_write(&mut self, key: Key) -> io::Result<()> {
        let now = self.now();
        let socket = &mut self.sockets[key.slot as usize];
        if socket.server.is_dead {
            return Err(Errno::NOTCONN.into());
        }
        assert!(!socket.server.is_shut, "the goodbye is said once");
        socket.server.is_shut = true;
        socket.to_peer.is_finished = true;
        let at = socket.to_peer.arrival(now);
        self.agenda.at(at, Deed::FinAtPeer(key));
        // inet_shutdown() wakes whoever polls.
        self.edge(key);
        Ok(())
    }

    /// The server lets go. Unread input turns the goodbye into a reset, as in Linux.
    pub(crate) fn close(&mut self, key: Key, how: Ending) {
        let now = self.now();
        let socket = &mut self.sockets[key.slot as usize];
        assert!(socket.is_held(), "closed once, by who holds it");
        if socket.server.is_listed {
            socket.server.is_listed = false;
            self.epoll.forget(File::Socket(key.slot));
        }
        let socket = &mut self.sockets[key.slot as usize];
        socket.stage = Stage::Closed;
        socket.facts.was_cut = how == Ending::Abort;
        self.held -= 1;
        self.held_by_admin -= usize::from(self.admin == Some(socket.listener));
        let at = socket.to_peer.arrival(now);
        if !socket.server.is_dead {
            if how == Ending::Abort || socket.to_server.arrived() > 0 {
                self.agenda.at(at, Deed::ResetAtPeer(key));
            } else if !socket.server.is_shut {
                socket.to_peer.is_finished = true;
                self.agenda.at(at, Deed::FinAtPeer(key));
            }
        }
        self.settle(key);
    }

    /// Whether somebody waits at a listener.
    pub(crate) fn has_newcomer(&self, number: u16) -> bool {
        !self.listeners[usize::from(number)].queue.is_empty()
    }

    /// Whether clients wait to be accepted.
    pub(crate) fn has_newcomers(&self) -> bool {
        let admin = self.admin.map(usize::from);
        let mut listeners = self.listeners.iter().enumerate();
        listeners.any(|(number, one)| Some(number) != admin && !one.queue.is_empty())
    }

    /// Since when the oldest client of each open listener is the next.
    pub(crate) fn oldest_newcomers(&self) -> impl Iterator<Item = (usize, Stamp)> {
        let admin = self.admin.map(usize::from);
        self.listeners
            .iter()
            .enumerate()
            .filter(move |(number, _)| Some(*number) != admin)
            .filter_map(|(number, listener)| {
                let key = *listener.queue.front()?;
                let queued = self.sockets[key.slot as usize].facts.queued;
                let is_overtaken = queued.at < listener.accepted.at;
                Some((
                    number,
                    if is_overtaken {
                        listener.accepted
                    } else {
                        queued
                    },
                ))
            })
    }
}
