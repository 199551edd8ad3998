//! Whether the loop keeps up: how long whoever becomes ready has had to wait lately, and whether
//! that is too long to take newcomers.
//!
//! One observation a turn: how much later the loop woke than it asked to, and how long its work
//! took. Smoothed over a second, and weighted by time: a turn of 200 ms counts as much as two
//! hundred of 1 ms, and rest makes up for work. No clock is read for it.
//!
//! - Over the limit it lags; it keeps up again below half of it.
//! - One turn moves it by an eighth at most, and by no more than four times the limit: half the
//!   limit. So a single gap, however long, is never a load.
//! - A gap beyond half a second was a stop or a sleep of the machine, and does not count at all,
//!   unless it comes soon after another.

use std::time::Duration;

use super::clock::STALL_MIN;

/// How late the loop is lately.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lag {
    mean: Duration,
    is_over: bool,
    /// When the last gap ended that a stop would explain.
    stalled: Option<Duration>,
}

/// A turn and the sleep before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Passed {
    /// How long it slept because nothing was to be done.
    pub(crate) rested: Duration,
    /// How long it overslept, and then worked.
    pub(crate) busy: Duration,
    /// When that ended, since the loop began.
    pub(crate) at: Duration,
}

/// What is further back than this hardly counts.
const MEMORY: Duration = Duration::from_secs(1);
/// A turn counts as if it had taken so long, where it took longer.
const WEIGHT_MAX: Duration = Duration::from_millis(125);
/// A turn was so many times as long as the limit, where it was longer.
const EXCESS_MAX: u32 = 4;
/// Whoever is stopped twice within this is short of processor time.
const AGAIN: Duration = Duration::from_secs(2);

// A single turn can not make a loop lag that was at rest.
const _: () = assert!(EXCESS_MAX as u128 * WEIGHT_MAX.as_millis() < MEMORY.as_millis());

impl Lag {
    /// How long whoever becomes ready waits, lately.
    #[must_use]
    pub fn mean(&self) -> Duration {
        self.mean
    }

    /// Whether that is too long: from over the limit until it is below half of it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    pub(crate) fn observe(&mut self, passed: Passed, limit: Duration) {
        self.mean -= share(self.mean, passed.rested.min(MEMORY));
        if !self.is_stop(passed) {
            let length = passed.busy.min(limit.saturating_mul(EXCESS_MAX));
            let weight = passed.busy.min(WEIGHT_MAX);
            if length > self.mean {
                self.mean += share(length - self.mean, weight);
            } else {
                self.mean -= share(self.mean - length, weight);
            }
        }
        self.is_over = if self.is_over {
            self.mean >= limit / 2
        } else {
            self.mean > limit
        };
    }

    /// Whether a gap is one that tells nothing of the loop's work.
    fn is_stop(&mut self, passed: Passed) -> bool {
        if passed.busy <= STALL_MIN {
            return false;
        }
        let began = passed.at.saturating_sub(passed.busy);
        let last = self.stalled.replace(passed.at);
        last.is_none_or(|last| began.saturating_sub(last) > AGAIN)
    }
}

/// As much of `whole` as `weight` is of the memory.
fn share(whole: Duration, weight: Duration) -> Duration {
    const SECOND: u64 = 1_000_000_000;
    let nanos = |span: Duration| span.as_secs() * SECOND + u64::from(span.subsec_nanos());
    // Nothing overflows up to eighteen seconds, and 64 bits divide in a third of the time of 128.
    let product = nanos(whole.min(WHOLE_MAX)) * nanos(weight.min(MEMORY));
    Duration::from_nanos(product / const { SECOND * MEMORY.as_secs() })
}

/// Longer ones are shared out as if they were so long.
const WHOLE_MAX: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = ms(100);

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A lag and the time it has seen.
    #[derive(Default)]
    struct Course {
        lag: Lag,
        at: Duration,
    }

    impl Course {
        fn turn(&mut self, rested: Duration, busy: Duration) {
            self.at += rested + busy;
            let at = self.at;
            self.lag.observe(Passed { rested, busy, at }, LIMIT);
        }

        /// Turns until it is or is not over; how long that took.
        fn until(&mut self, is_over: bool, rested: Duration, busy: Duration) -> Duration {
            let began = self.at;
            while self.lag.is_over() != is_over {
                assert!(self.at < began + ms(60_000), "{:?}", self.lag);
                self.turn(rested, busy);
            }
            self.at - began
        }
    }

    #[test]
    fn long_turns_are_lag_and_short_ones_are_not() {
        let mut course = Course::default();
        for _ in 0..10_000 {
            course.turn(ms(0), ms(90));
        }
        assert!(!course.lag.is_over(), "{:?}", course.lag);
        assert!(course.lag.mean().abs_diff(ms(90)) < ms(1));
        let took = course.until(true, ms(0), ms(200));
        assert!(took < ms(1_000), "{took:?}");
    }

    #[test]
    fn it_keeps_up_again_below_half_of_the_limit() {
        let mut course = Course::default();
        course.until(true, ms(0), ms(300));
        for _ in 0..1_000 {
            course.turn(ms(0), ms(60));
        }
        assert!(course.lag.is_over(), "60 ms are more than half");
        let took = course.until(false, ms(0), ms(10));
        assert!((ms(50)..ms(3_000)).contains(&took), "{took:?}");
    }

    #[test]
    fn rest_makes_up_for_work() {
        let mut course = Course::default();
        course.until(true, ms(0), ms(300));
        let took = course.until(false, ms(80), ms(0));
        assert!(took < ms(3_000), "{took:?}");
        // A quarter of a second of work in each second leaves time enough.
        for _ in 0..1_000 {
            course.turn(ms(750), ms(250));
            assert!(!course.lag.is_over(), "{:?}", course.lag);
        }
        course.turn(ms(3_600_000), ms(0));
        assert_eq!(course.lag.mean(), ms(0));
    }

    #[test]
    fn a_single_gap_is_no_load_however_long() {
        for gap in [400, 500, 501, 3_000, 600_000, 100_000_000] {
            let mut course = Course::default();
            for _ in 0..1_000 {
                course.turn(ms(0), ms(20));
            }
            for _ in 0..5 {
                course.turn(ms(0), ms(gap));
                assert!(!course.lag.is_over(), "{gap} ms: {:?}", course.lag);
                for _ in 0..110 {
                    course.turn(ms(0), ms(20));
                }
            }
        }
    }

    #[test]
    fn gap_upon_gap_is_a_load() {
        for gap in [400, 600, 3_000] {
            let mut course = Course::default();
            let took = course.until(true, ms(0), ms(gap));
            assert!(took <= 5 * ms(gap), "{gap} ms: {took:?}");
        }
    }

    #[test]
    fn without_a_limit_nothing_is_lag() {
        let mut lag = Lag::default();
        for turn in 0..1_000 {
            let passed = Passed {
                rested: ms(0),
                busy: ms(400),
                at: ms(400) * turn,
            };
            lag.observe(passed, Duration::MAX);
        }
        assert!(!lag.is_over());
        assert!(lag.mean() > ms(390));
    }
}
