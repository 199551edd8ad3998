//! Deadlines: the wheel says whom to ask, the facts say whether it is time.

use super::Server;
use super::pulse::At;
use crate::codec::reply::Reply;
use crate::gate::conn::Flags;
use crate::gate::deadline::{Cause, GRACE};
use crate::gate::timers::TimerKind;
use crate::handler::Handler;
use crate::net::Net;
use crate::reason::CloseReason;
use crate::wheel::Wheel;

impl<N: Net, H: Handler + 'static> Server<N, H> {
    pub(super) fn expire(&mut self) {
        self.pulse.enter(At::Expire);
        self.gate.go_on_retuning();
        let mut due = std::mem::take(&mut self.due);
        let now = self.gate.clock.real();
        self.gate
            .wheel
            .advance(now, self.gate.limits.expiries as usize, &mut due);
        for key in due.drain(..) {
            if key & Wheel::TIMER == 0 {
                self.ask(key);
            } else if let Some(kind) = self.gate.ring(key) {
                self.ring(kind);
            }
        }
        self.due = due;
    }

    fn ring(&mut self, kind: TimerKind) {
        match kind {
            TimerKind::User(user) => self.gate.ring_user(user),
            TimerKind::Listener(listener) => {
                self.try_again(usize::from(listener.0));
            }
            TimerKind::Drain => self.go_on_draining(),
            TimerKind::Overload => self.gate.ring_overload(),
            TimerKind::Bans => self.gate.ring_bans(),
            TimerKind::Cut => self.cut_all(),
            TimerKind::Admin(slot) => self.ring_admin(slot),
            TimerKind::AdminDoor => self.release_admin(),
            TimerKind::Handler(timer) => self.handler.on_timer(&mut self.gate, timer),
        }
    }

    /// Asks one connection whether its time has come.
    fn ask(&mut self, index: u32) {
        self.gate.clamp_stamps(index);
        if self.is_silent(index) && !self.has_frames_waiting(index) {
            self.look_again(index);
        }
        let goes_on = self.is_silent(index) && self.has_frames_waiting(index);
        if let Some(cause) = self.due_cause(index).filter(|_| !goes_on) {
            self.act_on(index, cause);
        }
        self.gate.touch(index);
    }

    fn is_silent(&self, index: u32) -> bool {
        matches!(self.due_cause(index), Some(Cause::Silent(_)))
    }

    /// Whoever has sent frames whose turn has not come is not silent: they come first, and then
    /// its socket, since nobody is read who has frames waiting.
    /// That puts off the end of who has not logged in for a while only: each of many empty frames
    /// would, else. A login that we did not get to is another matter.
    fn has_frames_waiting(&self, index: u32) -> bool {
        let flags = self.gate.conns.at(index).flags;
        // What is due while it rests is so with all that time.
        let waits_for_it = Flags::CHOKED | Flags::OWED | Flags::THROTTLED | Flags::RESTING;
        let (at, cause) = self.gate.deadline(index);
        let is_limited = cause == Cause::Silent(CloseReason::LoginTimeout)
            && !flags.has(Flags::PUT_OFF)
            && at.after(GRACE).is_due(self.gate.clock.real());
        flags.has(Flags::BUFFERED) && !flags.has(waits_for_it) && !is_limited
    }

    fn due_cause(&self, index: u32) -> Option<Cause> {
        let (at, cause) = self.gate.deadline(index);
        at.is_due(self.gate.clock.real()).then_some(cause)
    }

    /// Before silence ends a connection its socket is read once more: what a client sent in time
    /// may lie there, behind more events than one wait fetches or in a turn that took long.
    fn look_again(&mut self, index: u32) {
        if self.gate.conns.at(index).is_paused() {
            return;
        }
        self.read(index);
        self.after_serving(index);
    }

    fn act_on(&mut self, index: u32, cause: Cause) {
        match cause {
            Cause::Nothing => {}
            Cause::Refill => self.gate.resume(index, Flags::THROTTLED),
            Cause::Denial => self.gate.tell_denial(index),
            Cause::Silent(reason) => {
                let late = self.gate.clock.real().since(self.gate.deadline(index).0);
                self.gate.pace.lateness.observe(late.duration());
                self.gate.close_at(index, reason);
            }
            Cause::Lifetime => self.gate.close_at(index, CloseReason::Lifetime),
            // Nothing can be sent where the socket takes nothing.
            Cause::Stuck(end) if end.reason == CloseReason::WriteTimeout => {
                self.gate.cut_at(index, end);
            }
            Cause::Stuck(end) => self.gate.close_at(index, end),
            Cause::Expired => self.gate.expire_letters(index),
            Cause::Ping => {
                self.gate.conns.at_mut(index).flags.set(Flags::PINGED);
                self.gate.reply(index, &Reply::Ping, None);
            }
            Cause::Ack => self.gate.resend(index),
            Cause::Goodbye => self.gate.cut_at(index, CloseReason::WriteTimeout),
            Cause::Linger => self.gate.end_linger(index),
        }
    }
}
