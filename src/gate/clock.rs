//! What time it is, twice: real time, and the time that counts against a peer's silence.
//!
//! Reads no clock: the loop tells it each reading of [`Net::now`](crate::net::Net::now). Where the
//! loop comes more than half a second later than it asked to (it was stopped, the machine slept, a
//! turn took that long), the excess is real time but not the peers' silence: the live clock stands
//! still for it. So live time is real time minus all stalls; the distance only grows, which makes
//! every deadline on the live clock later, never earlier.

use std::time::Duration;

use crate::time::{Span, Tick};

/// A delay of the loop beyond this is the loop's fault, not the peers'.
pub(crate) const STALL_MIN: Duration = Duration::from_millis(500);

/// Stalls whose lengths are remembered.
const STALLS_KEPT: usize = 4;

/// Real and live time.
#[derive(Debug)]
pub(crate) struct Clock {
    origin: Duration,
    read: Duration,
    stalled: Duration,
    real: Tick,
    live: Tick,
    /// How many stalls there were, on a small circle, and how long the last of them took.
    stalls: u8,
    lately: [Duration; STALLS_KEPT],
}

impl Clock {
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            origin: now,
            read: now,
            stalled: Duration::ZERO,
            real: Tick::START,
            live: Tick::START,
            stalls: 0,
            lately: [Duration::ZERO; STALLS_KEPT],
        }
    }

    /// Takes a reading. `expected` is how much time was meant to pass since the last one at most:
    /// the timeout of a wait (`None`: for ever), zero for work.
    pub(crate) fn advance(&mut self, now: Duration, expected: Option<Duration>) {
        let passed = now.saturating_sub(self.read);
        let late = expected.map_or(Duration::ZERO, |expected| passed.saturating_sub(expected));
        if late > STALL_MIN {
            self.stalled += late;
            self.stalls = self.stalls.wrapping_add(1);
            self.lately.rotate_right(1);
            self.lately[0] = late;
        }
        self.read = self.read.max(now);
        let elapsed = self.read.saturating_sub(self.origin);
        self.real = Tick::at(elapsed);
        self.live = Tick::at(elapsed.saturating_sub(self.stalled));
    }

    /// How many stalls there were, on a circle.
    pub(crate) fn stalls(&self) -> u8 {
        self.stalls
    }

    /// How long those took that came behind the first so many, the last few of them.
    pub(crate) fn stalled_since(&self, stalls: u8) -> Span {
        let missed = usize::from(self.stalls.wrapping_sub(stalls));
        let late = self.lately.iter().take(missed).sum();
        Span(Span::covering(late).0 - 1)
    }

    /// Now, on the clock that lifetimes, bans and times-to-live go by.
    pub(crate) fn real(&self) -> Tick {
        self.real
    }

    /// Now, on the clock that silence is measured by.
    pub(crate) fn live(&self) -> Tick {
        self.live
    }

    /// The real tick at which the live clock will show `live`, if it does not stall before.
    pub(crate) fn to_real(&self, live: Tick) -> Tick {
        live.after(Span(self.real.0.wrapping_sub(self.live.0)))
    }

    /// Whole seconds since the loop began.
    #[expect(clippy::cast_possible_truncation, reason = "136 years of running")]
    pub(crate) fn seconds(&self) -> u32 {
        self.read.saturating_sub(self.origin).as_secs() as u32
    }

    /// How long the loop has run, by the last reading.
    pub(crate) fn elapsed(&self) -> Duration {
        self.read.saturating_sub(self.origin)
    }

    /// The same on the live clock, in whole ticks; unlike a tick it does not wrap.
    pub(crate) fn lived(&self) -> Duration {
        let lived = self.elapsed().saturating_sub(self.stalled);
        let tick = Duration::from_millis(u64::from(crate::time::TICK_MS));
        let beyond = lived.as_nanos() % tick.as_nanos();
        lived - Duration::from_nanos(u64::try_from(beyond).unwrap_or(0))
    }

    /// How long the loop has stalled in all.
    pub(crate) fn stalled(&self) -> Duration {
        self.stalled
    }

    /// How long from the last reading until `tick` begins.
    pub(crate) fn until(&self, tick: Tick) -> Duration {
        let elapsed = self.read.saturating_sub(self.origin);
        let into = elapsed.subsec_nanos() % 2_000_000;
        let ahead = tick.since(self.real).duration();
        ahead.saturating_sub(Duration::from_nanos(u64::from(into)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_real_time_but_not_silence() {
        let mut clock = Clock::new(Duration::from_secs(100));
        clock.advance(Duration::from_secs(101), Some(Duration::from_secs(1)));
        assert_eq!(clock.real(), clock.live());
        clock.advance(Duration::from_secs(281), Some(Duration::from_secs(1)));
        assert_eq!(clock.real().since(Tick::START).millis(), 181_000);
        assert_eq!(clock.live().since(Tick::START).millis(), 2_000);
        assert_eq!(clock.stalled(), Duration::from_secs(179));
        assert_eq!(clock.to_real(clock.live()), clock.real());
    }

    #[test]
    fn sleeping_long_because_nothing_is_due_is_no_stall() {
        let mut clock = Clock::new(Duration::ZERO);
        clock.advance(Duration::from_secs(3_600), None);
        assert_eq!(clock.stalled(), Duration::ZERO);
        clock.advance(Duration::from_millis(3_600_400), Some(Duration::ZERO));
        assert_eq!(clock.stalled(), Duration::ZERO);
    }

    #[test]
    fn a_reading_that_goes_back_changes_nothing() {
        let mut clock = Clock::new(Duration::from_secs(5));
        clock.advance(Duration::from_secs(4), Some(Duration::ZERO));
        assert_eq!(clock.real(), Tick::START);
    }

    #[test]
    fn waiting_until_a_tick_counts_from_inside_the_current_one() {
        let mut clock = Clock::new(Duration::ZERO);
        clock.advance(Duration::from_micros(4_500), None);
        assert_eq!(
            clock.until(Tick::START.after(Span(3))),
            Duration::from_micros(1_500)
        );
        assert_eq!(clock.until(Tick::START), Duration::ZERO);
    }
}
