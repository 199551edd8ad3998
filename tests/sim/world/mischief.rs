//! Faults: what the simulated world does to a server that a friendlier one would not.
//!
//! Each kind happens at the rate that the seed drew for it, and each is one that the contract of
//! [`Net`](pulsegate::net::Net) allows and Linux can show.

use std::io::{self, IoSlice};

use pulsegate::net::Ready;
use pulsegate::{CloseReason, Token};
use rustix::io::Errno;

use super::agenda::{Deed, MICRO, MILLI, SECOND};
use super::faults::{DROUGHT, FATAL, NEWCOMER};
use super::marks::Mark;
use super::net::{Crowd, SimNet};
use super::socket::Key;

impl<C: Crowd> SimNet<C> {
    /// What may go wrong before a wait even looks.
    pub(super) fn disturb_wait(&mut self) -> bool {
        if self.dice.happens(self.faults.paused) {
            let span = self.dice.span(SECOND / 2, self.pause_max);
            self.lose(span);
        }
        if self.dice.happens(self.faults.wall_jump) {
            self.wall_offset = self.dice.between(0, 1 << 30) as i64 - (1 << 29);
        }
        self.disturb_network();
        if self.dice.happens(self.faults.swizzled) {
            self.swizzle();
        }
        self.dice.happens(self.faults.interrupted)
    }

    /// Something happens to one connection, whoever it belongs to.
    fn disturb_network(&mut self) {
        let rates = (self.faults.reset, self.faults.clogged, self.faults.lost);
        let does = (
            self.dice.happens(rates.0),
            self.dice.happens(rates.1),
            self.dice.happens(rates.2),
        );
        if does == (false, false, false) || self.kernel.sockets.is_empty() {
            return;
        }
        let slot = self.dice.size(0, self.kernel.sockets.len() - 1);
        let socket = &mut self.kernel.sockets[slot];
        let key = Key {
            slot: slot as u32,
            life: socket.life,
        };
        if !socket.is_held() || !socket.peer.is_open {
            return;
        }
        let now = self.kernel.agenda.now;
        let mark = match does {
            (true, ..) => Mark::Reset,
            (_, true, _) => Mark::Clogged,
            _ => Mark::Lost,
        };
        self.kernel.marks.reach(mark);
        if does.0 {
            socket.facts.causes.add(CloseReason::PeerReset);
            self.kernel.reset_at_server(key, Errno::CONNRESET);
            self.kernel.agenda.at(now, Deed::ResetAtPeer(key));
        } else if does.1 {
            self.clog(slot);
        } else {
            socket.facts.is_clogged = true;
            let (to_server, to_peer) =
                *self
                    .dice
                    .pick(&[(true, true), (true, false), (false, true)]);
            self.kernel.marks.reach_if(!to_server, Mark::Unheard);
            self.kernel.marks.reach_if(!to_peer, Mark::Mute);
            self.kernel.swallow(key, to_server, to_peer);
        }
    }

    /// Nothing arrives on a connection for a while, in one direction or both.
    fn clog(&mut self, slot: usize) {
        let until = self.kernel.agenda.now + self.dice.span(MILLI, 20 * SECOND);
        let socket = &mut self.kernel.sockets[slot];
        socket.facts.is_clogged = true;
        for pipe in [&mut socket.to_server, &mut socket.to_peer] {
            if self.dice.one_in(2) && pipe.clogged_until < until {
                pipe.clogged_until = until;
            }
        }
    }

    /// A part of the network is cut off at once, and comes back one by one, in any order.
    fn swizzle(&mut self) {
        let mut some = false;
        for slot in 0..self.kernel.sockets.len() {
            let socket = &self.kernel.sockets[slot];
            if socket.is_held() && socket.peer.is_open && self.dice.one_in(2) {
                self.clog(slot);
                some = true;
            }
        }
        if some {
            self.kernel.marks.reach(Mark::Swizzled);
        }
    }

    /// Reports an event of the kernel with the freedoms that the contract leaves.
    pub(super) fn report_bent(&mut self, ready: &mut Vec<Ready>, mut event: Ready, most: usize) {
        let Token::Conn(conn) = event.token else {
            return self.report(ready, event);
        };
        if event.closed && self.dice.happens(self.faults.hint_late) {
            // The FIN came a moment after this look: another edge tells it.
            if let Some(key) = self.kernel.find(conn) {
                event.closed = false;
                self.kernel.agenda.after(1, Deed::Edge(key));
            }
        } else if self.dice.happens(self.faults.hint_false) {
            event.closed = true;
        }
        let (readable, writable) = (event.readable, event.writable);
        let has_place = ready.len() + 1 < most;
        if readable && writable && has_place && self.dice.happens(self.faults.split) {
            self.report(
                ready,
                Ready {
                    readable: false,
                    ..event
                },
            );
            event.writable = false;
        } else if has_place && self.dice.happens(self.faults.doubled) {
            self.report(ready, event);
        }
        self.report(ready, event);
    }

    /// An event for a connection that is gone.
    pub(super) fn report_ghost(&mut self, ready: &mut Vec<Ready>) {
        if self.ghosts.is_empty() {
            return;
        }
        let token = self.ghosts[self.dice.size(0, self.ghosts.len() - 1)];
        let event = Ready {
            token,
            readable: true,
            writable: true,
            closed: self.dice.one_in(2),
        };
        let idle_turns = self.idle_turns;
        self.report(ready, event);
        self.idle_turns = idle_turns;
    }

    /// An event without truth for a connection that is there.
    pub(super) fn report_spurious(&mut self, ready: &mut Vec<Ready>) {
        if self.kernel.sockets.is_empty() {
            return;
        }
        let slot = self.dice.size(0, self.kernel.sockets.len() - 1);
        let socket = &self.kernel.sockets[slot];
        let (true, Some(token)) = (socket.is_held(), socket.server.token) else {
            return;
        };
        let bits = self.dice.between(1, 7);
        let idle_turns = self.idle_turns;
        self.report(
            ready,
            Ready {
                token,
                readable: bits & 1 > 0,
                writable: bits & 2 > 0,
                closed: bits & 4 > 0,
            },
        );
        self.idle_turns = idle_turns;
    }

    /// The connection fails under the server's hands.
    fn fail(&mut self, key: Key) -> io::Error {
        let errno = *self.dice.pick(&FATAL);
        self.kernel.marks.reach(Mark::Failed);
        let now = self.kernel.agenda.now;
        let socket = &mut self.kernel.sockets[key.slot as usize];
        socket.facts.causes.add(CloseReason::PeerReset);
        if errno == Errno::TIMEDOUT {
            socket.facts.causes.add(CloseReason::WriteTimeout);
        }
        socket.server.is_dead = true;
        socket.server.error = None;
        socket.to_server.purge();
        socket.to_peer.purge_under_way();
        self.kernel.agenda.at(now, Deed::ResetAtPeer(key));
        errno.into()
    }

    pub(super) fn read_with_faults(&mut self, key: Key, buffer: &mut [u8]) -> io::Result<usize> {
        if self.dice.happens(self.faults.read_failed) {
            return Err(self.fail(key));
        }
        if self.dice.happens(self.faults.interrupted_call) {
            return Err(self.interrupt(key));
        }
        let socket = &self.kernel.sockets[key.slot as usize];
        let waiting = socket.to_server.arrived();
        if waiting > 0 && self.dice.happens(self.faults.read_refused) {
            self.arrive_later(key);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut most = buffer.len();
        let reach = most.min(waiting);
        if reach > 1 && self.dice.happens(self.faults.read_cut) {
            most = self.dice.size(1, reach - 1);
            let count = self.kernel.read(key, &mut buffer[..most]);
            self.arrive_later(key);
            return count;
        }
        self.kernel.read(key, &mut buffer[..most])
    }

    pub(super) fn peek_with_faults(&mut self, key: Key) -> io::Result<bool> {
        if self.dice.happens(self.faults.read_failed) {
            return Err(self.fail(key));
        }
        if self.dice.happens(self.faults.interrupted_call) {
            return Err(self.interrupt(key));
        }
        let socket = &self.kernel.sockets[key.slot as usize];
        if socket.to_server.arrived() > 0 && self.dice.happens(self.faults.read_refused) {
            self.arrive_later(key);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.kernel.peek(key)
    }

    /// What waits counts as arriving a moment later.
    fn arrive_later(&mut self, key: Key) {
        self.kernel.sockets[key.slot as usize].facts.waiting = None;
        self.kernel.agenda.after(1, Deed::Edge(key));
    }

    pub(super) fn write_with_faults(
        &mut self,
        key: Key,
        slices: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        if self.dice.happens(self.faults.write_failed) {
            return Err(self.fail(key));
        }
        if self.dice.happens(self.faults.interrupted_call) {
            return Err(self.interrupt(key));
        }
        let total: usize = slices.iter().map(|slice| slice.len()).sum();
        assert!(total > 0, "a write has something to write");
        assert!(slices.len() <= 1_024, "more slices than IOV_MAX");
        if self.dice.happens(self.faults.write_refused) {
            let at = self.dice.span(MICRO, 5 * MILLI);
            self.kernel.agenda.after(at, Deed::Edge(key));
            let clock = self.kernel.clock;
            let socket = &mut self.kernel.sockets[key.slot as usize];
            socket.facts.on_write(clock, 0, total);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut most = total;
        if total > 1 && self.dice.happens(self.faults.write_cut) {
            most = match self.dice.below(4) {
                0 => 1,
                1 => total - 1,
                2 => self.border(slices, total),
                _ => self.dice.size(1, total - 1),
            };
            let at = self.dice.span(MICRO, 5 * MILLI);
            self.kernel.agenda.after(at, Deed::Edge(key));
        }
        self.kernel.write(key, slices, most)
    }

    /// A cut exactly between two slices, where there are two.
    fn border(&mut self, slices: &[IoSlice<'_>], total: usize) -> usize {
        let border = self.dice.size(1, slices.len());
        let sum: usize = slices[..border].iter().map(|slice| slice.len()).sum();
        self.kernel.marks.reach_if(sum < total, Mark::Border);
        sum.clamp(1, total)
    }

    fn interrupt(&mut self, key: Key) -> io::Error {
        let socket = &mut self.kernel.sockets[key.slot as usize];
        socket.facts.causes.add(CloseReason::PeerReset);
        self.kernel.agenda.after(1, Deed::Edge(key));
        Errno::INTR.into()
    }

    /// What may go wrong with an accept before the backlog is looked at.
    pub(super) fn disturb_accept(&mut self, number: u16) -> Option<io::Error> {
        let now = self.kernel.agenda.now;
        if let Some((until, errno)) = self.drought {
            if now < until {
                return Some(errno.into());
            }
            self.drought = None;
        }
        if self.dice.happens(self.faults.drought) {
            let errno = *self.dice.pick(&DROUGHT);
            self.drought = Some((now + self.dice.span(MILLI, 3 * SECOND), errno));
            return Some(errno.into());
        }
        if self.dice.happens(self.faults.newcomer_failed) {
            let queue = &mut self.kernel.listeners[usize::from(number)].queue;
            let key = queue.pop_front()?;
            self.kernel.refuse(key);
            self.kernel.marks.reach(Mark::NewcomerFailed);
            return Some((*self.dice.pick(&NEWCOMER)).into());
        }
        None
    }
}
