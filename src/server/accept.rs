//! Newcomers: accepted in rounds, so many per listener and turn.
//!
//! A listener is edge-triggered like everything else: until an accept says that nothing waits, it
//! is remembered as ready. Where descriptors, memory or slots ran out, or the loop lags, it neither
//! spins nor goes deaf: it is put on hold and tries again after 80 ms.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use log::warn;

use super::pulse::At;
use super::{Server, Stopping};
use crate::gate::RestCause;
use crate::gate::conn::Flags;
use crate::gate::end::{End, EndDetail};
use crate::gate::timers::TimerKind;
use crate::handler::Handler;
use crate::id::{ListenerId, Token};
use crate::net::{AcceptFault, Net, SocketOptions};
use crate::reason::CloseReason;
use crate::time::Span;

/// A shutdown takes so many times what a turn accepts: a backlog of 4,096, as limits come.
const LAST_ACCEPTS: u32 = 16;
/// How long a listener is left alone when there is no room.
const HOLD: Duration = Duration::from_millis(80);

/// How long newcomers wait for their rate before it is asked again.
const REST_MAX: Span = Span(500);

/// How often it is said that accepting rests.
const REST_WARNING_SECONDS: u32 = 10;

/// One listening socket.
pub(super) struct Door<L> {
    socket: L,
    rules: ListenerId,
    is_ready: bool,
    /// Why it is left alone until a timer comes up.
    held: Option<RestCause>,
}

impl<L> Door<L> {
    pub(super) fn is_ready(&self) -> bool {
        self.is_ready && !self.is_held()
    }

    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    pub(super) fn mark(&mut self) {
        self.is_ready = true;
    }
}

impl<N: Net, H: Handler + 'static> Server<N, H> {
    pub(super) fn open_door(
        &mut self,
        bind: SocketAddr,
        options: &SocketOptions,
        rules: ListenerId,
    ) -> io::Result<SocketAddr> {
        let number = u16::try_from(self.doors.len()).map_err(io::Error::other)?;
        let token = Token::Listener(ListenerId(number));
        let (socket, addr) = self.net.listen(bind, options, token)?;
        // Who came before the registration is told by no edge.
        self.doors.push(Door {
            socket,
            rules,
            is_ready: true,
            held: None,
        });
        Ok(addr)
    }

    pub(super) fn close_doors(&mut self) {
        for door in 0..self.doors.len() {
            self.release(door);
        }
        for door in self.doors.drain(..) {
            self.net.unlisten(door.socket);
        }
    }

    /// Whoever waits at a listener is taken from now on.
    pub(super) fn release(&mut self, door: usize) {
        let door = &mut self.doors[door];
        door.is_ready = true;
        if let Some(cause) = door.held.take() {
            self.gate.rests.end(cause, self.gate.clock.elapsed());
        }
    }

    pub(super) fn accept(&mut self) {
        self.pulse.enter(At::Accept);
        self.gate.trim_handshakes();
        if !self.rests_for_load() {
            self.accept_some();
        }
    }

    /// Takes whoever waits when the shutdown begins, to be told of it.
    pub(super) fn accept_last(&mut self) {
        self.pulse.enter(At::Accept);
        for door in 0..self.doors.len() {
            self.release(door);
        }
        for _ in 0..LAST_ACCEPTS {
            self.accept_some();
            if !self.doors.iter().any(Door::is_ready) {
                break;
            }
        }
    }

    /// So many newcomers of each listener.
    fn accept_some(&mut self) {
        // Whoever was served last is last, so that a slot that becomes free goes round.
        let first = self.first_door;
        for step in 0..self.doors.len() {
            let door = (first + step) % self.doors.len();
            for _ in 0..self.gate.limits.accepts {
                if !self.doors[door].is_ready() || !self.accept_one(door) {
                    break;
                }
            }
        }
    }

    /// Whether the listener may have more.
    fn accept_one(&mut self, door: usize) -> bool {
        let limits = &self.gate.limits;
        if self.sockets.len() >= (limits.connections + limits.refusals) as usize {
            // Where somebody makes room the next turn goes on here.
            if !self.gate.make_room() {
                self.hold(door, RestCause::Places);
            }
            return false;
        }
        // Whoever has connected by the end is let in at once, to be told of it.
        if self.stopping == Stopping::No
            && let Some(wait) = self.gate.accept_wait()
        {
            // Asked again now and then: a reload may allow more.
            self.hold_for(door, RestCause::Rate, wait.min(REST_MAX));
            return false;
        }
        match self.net.accept(&self.doors[door].socket) {
            Ok((stream, peer)) => {
                self.gate.pay_accept();
                self.first_door = door + 1;
                self.admit(door, stream, peer);
            }
            Err(error) => match AcceptFault::of(&error) {
                AcceptFault::Drained => self.doors[door].is_ready = false,
                AcceptFault::Newcomer => self.gate.stats.accept_faults += 1,
                AcceptFault::Exhausted => {
                    self.warn_of_rest(&error);
                    self.hold(door, RestCause::Resources);
                }
            },
        }
        true
    }

    /// Says that accepting rests, once in ten seconds.
    fn warn_of_rest(&mut self, error: &io::Error) {
        let now = self.gate.clock.seconds();
        if self
            .rest_warned
            .is_none_or(|warned| now - warned >= REST_WARNING_SECONDS)
        {
            self.rest_warned = Some(now);
            warn!(
                "accepting rests for {} ms at a time: {error}",
                HOLD.as_millis()
            );
        }
    }

    pub(super) fn hold(&mut self, door: usize, cause: RestCause) {
        self.hold_for(door, cause, Span::covering(HOLD));
    }

    /// A listener has rested for a while: it is released, unless there is too much to do still.
    pub(super) fn try_again(&mut self, door: usize) {
        let rests_on = |door: &Door<N::Listener>| {
            matches!(door.held, Some(RestCause::Lag | RestCause::Budget))
        };
        if self.waits_for_load() && self.doors.get(door).is_some_and(rests_on) {
            self.pause(door, Span::covering(HOLD));
        } else if door < self.doors.len() {
            self.release(door);
        }
    }

    /// Lets newcomers wait in the backlog.
    fn hold_for(&mut self, door: usize, cause: RestCause, span: Span) {
        self.gate.stats.accept_pauses += 1;
        self.gate.rests.begin(cause, self.gate.clock.elapsed());
        self.doors[door].held = Some(cause);
        self.pause(door, span);
    }

    /// Lets a listener rest for a while.
    fn pause(&mut self, door: usize, span: Span) {
        let at = self.gate.clock.real().after(span);
        let id = ListenerId(u16::try_from(door).unwrap_or(u16::MAX));
        self.gate.start_timer(at, TimerKind::Listener(id));
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "slots are bounded by limits of type u32"
    )]
    fn admit(&mut self, door: usize, stream: N::Stream, peer: SocketAddr) {
        let key = self.sockets.insert(stream);
        let index = key as u32;
        let conn = self.gate.open(index, self.doors[door].rules, peer);
        let registered = self.net.register(&mut self.sockets[key], Token::Conn(conn));
        if let Err(error) = registered {
            warn!("a connection could not be registered: {error}");
            self.gate.conns.at_mut(index).flags.set(Flags::UNTOLD);
            let end = End::over(CloseReason::Overloaded, EndDetail::Resources);
            self.gate.cut_at(index, end);
            self.hold(door, RestCause::Resources);
        } else if self.gate.is_to_be_told(index) {
            self.handler.on_open(&mut self.gate, conn);
        }
    }
}
