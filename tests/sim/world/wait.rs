//! Sleeping, and what a wait reports when it ends.

use std::sync::atomic::Ordering;

use pulsegate::Token;
use pulsegate::net::Ready;

use super::agenda::Nanos;
use super::net::{Crowd, SimNet};
use super::trace::Call;

impl<C: Crowd> SimNet<C> {
    /// Sleeps until something is ready or `end` is reached.
    pub(super) fn sleep(&mut self, end: Option<Nanos>) {
        loop {
            self.run_due();
            if !self.kernel.epoll.is_empty() || self.is_called() {
                return;
            }
            let end = end.map_or(self.horizon, |end| end.min(self.horizon));
            let next = self.kernel.agenda.next_at().unwrap_or(Nanos::MAX);
            if next == Nanos::MAX && end == Nanos::MAX {
                self.is_asleep = true;
                return;
            }
            self.kernel.agenda.now = next.min(end).max(self.kernel.agenda.now);
            if end < next {
                return;
            }
        }
    }

    pub(super) fn is_called(&self) -> bool {
        self.bell.0.load(Ordering::SeqCst) || (!self.signals.is_empty() && !self.signal_told)
    }

    /// Reports what is ready, as far as the event array reaches.
    pub(super) fn harvest(&mut self, ready: &mut Vec<Ready>) {
        let most = ready.len() + self.capacity;
        if self.dice.happens(self.faults.shuffled) {
            self.kernel.epoll.shuffle(&mut self.dice);
        }
        if self.bell.0.swap(false, Ordering::SeqCst) {
            self.report(ready, other(Token::Waker));
        }
        if !self.signals.is_empty() && !self.signal_told && ready.len() < most {
            self.signal_told = true;
            self.report(ready, other(Token::Signal));
        }
        while ready.len() < most {
            let Some(event) = self.kernel.look() else {
                break;
            };
            self.report_bent(ready, event, most);
        }
        if ready.len() < most && self.dice.happens(self.faults.stale) {
            self.report_ghost(ready);
        }
        if ready.len() < most && self.dice.happens(self.faults.spurious) {
            self.report_spurious(ready);
        }
    }

    pub(super) fn report(&mut self, ready: &mut Vec<Ready>, event: Ready) {
        let bits = u64::from(event.readable)
            | u64::from(event.writable) << 1
            | u64::from(event.closed) << 2;
        self.trace.note(Call::Ready, event.token.pack(), bits);
        self.trace.say(self.kernel.now(), || {
            let mark = |is, mark| if is { mark } else { '-' };
            let flags = [
                mark(event.readable, 'r'),
                mark(event.writable, 'w'),
                mark(event.closed, 'c'),
            ];
            format!("ready {:?} {}", event.token, String::from_iter(flags))
        });
        ready.push(event);
        self.idle_turns = 0;
    }
}

fn other(token: Token) -> Ready {
    Ready {
        token,
        readable: true,
        writable: false,
        closed: false,
    }
}
