//! The way out: everybody is told, spread over the time the operator asked for; whoever has not
//! left some time after that is cut.
//!
//! What is even is the number of connections that have gone, not of slots that were looked at: the
//! slots of a long run have gaps. Each goodbye says when to come back, so that those who arrive
//! elsewhere come one after the other even where all are told at once.
//!
//! No turn looks at all slots: one cursor goes over them once.

use std::time::Duration;

use super::Server;
use crate::gate::end::End;
use crate::gate::timers::TimerKind;
use crate::handler::Handler;
use crate::net::Net;
use crate::reason::CloseReason;
use crate::time::{Span, Tick};

/// How often a few more are told, while goodbyes are spread.
const STEP: Span = Span(5);

/// Slots looked at in one turn: most of them may be free.
const SLOTS: u32 = 16_384;

/// How the goodbyes of a shutdown go.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Drain {
    over: Span,
    began: Tick,
    /// Who was here when it began.
    total: u32,
    /// Slots below were told, and those below the second one cut.
    told: u32,
    cut: u32,
}

impl Drain {
    fn new(over: Duration, began: Tick, total: u32) -> Self {
        let over = if over.is_zero() {
            Span::ZERO
        } else {
            Span::covering(over)
        };
        Self {
            over,
            began,
            total,
            ..Self::default()
        }
    }

    /// How many should have gone by `now`.
    fn share(&self, now: Tick) -> u32 {
        let passed = now.since(self.began);
        if passed >= self.over {
            return self.total;
        }
        let share = u64::from(self.total) * u64::from(passed.0) / u64::from(self.over.0);
        u32::try_from(share).unwrap_or(self.total)
    }

    /// When whoever goes after `gone` others should come back, from `now`: so that one arrives
    /// after the other, evenly over the time of the goodbyes, and never over less than `reconnect`.
    fn reconnect(&self, gone: u32, now: Tick, reconnect: Duration) -> Duration {
        let spread = self.over.duration().max(reconnect).as_micros();
        let place = spread * u128::from(gone + 1) / u128::from(self.total.max(1));
        let place = Duration::from_micros(u64::try_from(place).unwrap_or(u64::MAX));
        let passed = now.since(self.began).duration();
        (reconnect + place).saturating_sub(passed)
    }
}

impl<N: Net, H: Handler + 'static> Server<N, H> {
    pub(super) fn begin_drain(&mut self) {
        let now = self.gate.clock.real();
        let course = self.gate.course;
        let over = self.gate.drain_over.unwrap_or(course.drain_over);
        self.drain = Drain::new(over, now, self.gate.connections());
        // Together they may be longer than the clock can tell before from after.
        let timeout = self.drain.over.duration() + course.drain_timeout;
        let end = now.after(Span::covering(timeout));
        self.gate.start_timer(end, TimerKind::Cut);
        self.go_on_draining();
    }

    /// Tells those whose time has come. Who left without being told counts as one of them.
    pub(super) fn go_on_draining(&mut self) {
        let now = self.gate.clock.real();
        let gone = self.drain.total.saturating_sub(self.gate.connections());
        let due = self.drain.share(now).saturating_sub(gone);
        let slots = self.gate.conns.len();
        let last = slots.min(self.drain.told.saturating_add(SLOTS));
        let mut left = due.min(self.gate.limits.reaps);
        while left > 0 && self.drain.told < last {
            let index = self.drain.told;
            self.drain.told += 1;
            if self.gate.conns.at(index).is_open() {
                self.say_goodbye(index, now);
                left -= 1;
            }
        }
        if self.gate.connections() == 0 || self.drain.told == slots {
            return;
        }
        let gone = self.drain.total.saturating_sub(self.gate.connections());
        let is_behind = self.drain.share(now) > gone;
        let next = if is_behind { now } else { now.after(STEP) };
        self.gate.start_timer(next, TimerKind::Drain);
    }

    fn say_goodbye(&mut self, index: u32, now: Tick) {
        let gone = self.drain.total.saturating_sub(self.gate.connections());
        let reconnect = self.gate.rules_of(index).settings.reconnect;
        let after = self.drain.reconnect(gone, now, reconnect);
        let end = self.shutdown();
        self.gate.close_until(index, end, after);
    }

    fn shutdown(&self) -> End {
        End::by(CloseReason::Shutdown, self.gate.stopped_by)
    }

    /// Ends whoever is still there, without waiting for goodbyes.
    pub(super) fn cut_all(&mut self) {
        self.close_office();
        let end = self.shutdown();
        let slots = self.gate.conns.len();
        let last = slots.min(self.drain.cut.saturating_add(SLOTS));
        for index in self.drain.cut..last {
            if self.sockets.contains(index as usize) {
                self.gate.cut_at(index, end);
            }
        }
        self.drain.cut = last;
        if last < slots {
            let now = self.gate.clock.real();
            self.gate.start_timer(now, TimerKind::Cut);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goodbyes_are_spread_evenly() {
        let drain = Drain::new(Duration::from_secs(20), Tick(u32::MAX - 7), 10_000);
        let at = |seconds: u32| drain.share(drain.began.after(Span(seconds * 500)));
        for second in 1..20 {
            let told = at(second) - at(second - 1);
            assert!((499..=501).contains(&told), "{told} in second {second}");
        }
        assert_eq!(at(21), 10_000);
        assert_eq!(
            Drain::new(Duration::ZERO, Tick::START, 7).share(Tick::START),
            7
        );
    }

    #[test]
    fn all_told_at_once_come_back_one_after_the_other() {
        let second = Duration::from_secs(1);
        let drain = Drain::new(Duration::ZERO, Tick::START, 1_000);
        let at = |gone| drain.reconnect(gone, Tick::START, second).as_millis();
        assert_eq!(
            (at(0), at(1), at(500), at(999)),
            (1_001, 1_002, 1_501, 2_000)
        );
    }

    #[test]
    fn who_is_told_late_is_told_to_wait_so_much_less() {
        let second = Duration::from_secs(1);
        let drain = Drain::new(20 * second, Tick::START, 10_000);
        for gone in [0, 1, 4_999, 9_999] {
            let told = Span(5 + gone);
            let after = drain.reconnect(gone, Tick::START.after(told), second);
            let arrives = told.duration() + after;
            let even = second + Duration::from_millis(u64::from(2 * gone + 2));
            assert!(
                arrives.abs_diff(even) <= Duration::from_millis(10),
                "{gone}: {arrives:?}"
            );
        }
        let few = Drain::new(4 * second, Tick::START, 2);
        assert_eq!(
            few.reconnect(1, Tick::START.after(few.over), second),
            second
        );
        let much_later = Tick::START.after(Span(100_000));
        assert_eq!(drain.reconnect(0, much_later, second), Duration::ZERO);
    }
}
