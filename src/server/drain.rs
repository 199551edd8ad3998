//! The way out: everybody is told, spread over the time the operator asked for; whoever has not
//! left some time after that is cut.

use std::time::Duration;

use super::Server;
use crate::gate::timers::TimerKind;
use crate::handler::Handler;
use crate::net::Net;
use crate::reason::CloseReason;
use crate::time::{Span, Tick};

/// How often a few more are told, while goodbyes are spread.
const STEP: Span = Span(5);

/// How the goodbyes of a shutdown go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drain {
    over: Span,
    timeout: Span,
    began: Tick,
    /// Slots below were told.
    told: u32,
}

impl Drain {
    pub(super) fn new(over: Duration, timeout: Duration) -> Self {
        let over = if over.is_zero() {
            Span::ZERO
        } else {
            Span::covering(over)
        };
        Self {
            over,
            timeout: Span::covering(timeout),
            began: Tick::START,
            told: 0,
        }
    }

    /// How many of `slots` should have been told by `now`.
    fn share(&self, slots: u32, now: Tick) -> u32 {
        let passed = now.since(self.began);
        if passed >= self.over {
            return slots;
        }
        let share = u64::from(slots) * u64::from(passed.0) / u64::from(self.over.0);
        u32::try_from(share).unwrap_or(slots)
    }
}

impl<N: Net, H: Handler + 'static> Server<N, H> {
    pub(super) fn begin_drain(&mut self) {
        let now = self.gate.clock.real();
        self.drain.began = now;
        if let Some(over) = self.gate.drain_over {
            self.drain.over = Drain::new(over, Duration::ZERO).over;
        }
        let end = now.after(self.drain.over).after(self.drain.timeout);
        self.gate.start_timer(end, TimerKind::Cut);
        self.go_on_draining();
    }

    /// Tells those whose time has come.
    pub(super) fn go_on_draining(&mut self) {
        let now = self.gate.clock.real();
        let slots = self.gate.conns.len();
        let share = self.drain.share(slots, now);
        for index in self.drain.told..share {
            self.gate.close_at(index, CloseReason::Shutdown);
        }
        self.drain.told = share;
        if share < slots {
            self.gate.start_timer(now.after(STEP), TimerKind::Drain);
        }
    }

    /// Ends whoever is still there, without waiting for goodbyes.
    pub(super) fn cut_all(&mut self) {
        self.close_office();
        for index in 0..self.gate.conns.len() {
            if self.sockets.contains(index as usize) {
                self.gate.cut_at(index, CloseReason::Shutdown);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goodbyes_are_spread_evenly() {
        let mut drain = Drain::new(Duration::from_secs(20), Duration::from_secs(10));
        drain.began = Tick(u32::MAX - 7);
        let at = |seconds: u32| drain.share(10_000, drain.began.after(Span(seconds * 500)));
        for second in 1..20 {
            let told = at(second) - at(second - 1);
            assert!((499..=501).contains(&told), "{told} in second {second}");
        }
        assert_eq!(at(21), 10_000);
        assert_eq!(
            Drain::new(Duration::ZERO, Duration::ZERO).share(7, Tick::START),
            7
        );
    }
}
