//! How the loop keeps time: how long its turns take, how late deadlines are noticed.
//!
//! One observation a turn and one a death: a few nanoseconds, no clock is read for it.

use std::time::Duration;

use super::Gate;
use super::lag::{Lag, Passed};

/// How often something took how long: buckets that double from 64 microseconds to two seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Histogram {
    buckets: [u64; Self::BUCKETS + 1],
    sum: Duration,
    longest: Duration,
}

/// How the loop keeps time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pace {
    /// How long the work of a turn takes, without the wait.
    pub turns: Histogram,
    /// How long after its deadline a silent connection is ended.
    pub lateness: Histogram,
    /// The work of the last turn.
    pub last: Duration,
    /// How long whoever becomes ready waits, lately.
    pub lag: Lag,
    /// When the work of this turn began, since the loop began.
    woke: Duration,
    /// When the work of the last one ended, or a rest after it.
    slept: Duration,
    /// How much later than it asked to the loop woke for this turn.
    late: Duration,
}

impl Histogram {
    const BUCKETS: usize = 16;
    /// The first bucket ends at two to the power of this, in microseconds.
    const FIRST: u32 = 6;

    pub(crate) fn observe(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        // A bucket holds what is at most its end.
        let bits = u64::BITS - micros.saturating_sub(1).leading_zeros();
        let bucket = bits.saturating_sub(Self::FIRST) as usize;
        self.buckets[bucket.min(Self::BUCKETS)] += 1;
        self.sum += took;
        self.longest = self.longest.max(took);
    }

    /// The end of each bucket and how many were at most that long; those beyond the last end are
    /// in [`count`](Self::count) only.
    pub fn cumulated(&self) -> impl Iterator<Item = (Duration, u64)> {
        let ends = (Self::FIRST..).map(|power| Duration::from_micros(1 << power));
        let mut sum = 0;
        ends.zip(&self.buckets[..Self::BUCKETS])
            .map(move |(end, count)| {
                sum += count;
                (end, sum)
            })
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// How long all of them took together.
    #[must_use]
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// How long the longest took.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.longest
    }

    /// The end of the bucket below which so many of a thousand lie.
    #[must_use]
    pub fn permille(&self, share: u64) -> Duration {
        let wanted = (self.count() * share).div_ceil(1_000);
        let found = self.cumulated().find(|(_, count)| *count >= wanted);
        found.map_or(self.longest, |(end, _)| end.min(self.longest))
    }
}

impl Gate {
    /// The work of a turn is done.
    pub(crate) fn pace_turn(&mut self) {
        let (pace, now) = (&mut self.pace, self.clock.elapsed());
        pace.last = now.saturating_sub(pace.woke);
        pace.turns.observe(pace.last);
        let passed = Passed {
            rested: pace.woke.saturating_sub(pace.slept + pace.late),
            busy: pace.late + pace.last,
            at: now,
        };
        pace.lag.observe(passed, self.limits.lag);
        pace.slept = now;
        self.weigh();
    }

    /// The loop woke from a wait that was to last no longer than `asked`, from `slept` on.
    pub(crate) fn pace_wake(&mut self, asleep: Duration, asked: Option<Duration>) {
        let now = self.clock.elapsed();
        let asked = asked.unwrap_or(Duration::MAX);
        self.pace.late = now.saturating_sub(asleep).saturating_sub(asked);
        self.pace.woke = now;
    }

    /// How the loop keeps time.
    #[must_use]
    pub fn pace(&self) -> &Pace {
        &self.pace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_observation_is_in_the_bucket_that_ends_behind_it() {
        let mut histogram = Histogram::default();
        for micros in [0, 1, 64, 65, 128, 129, 2_097_152, 2_097_153, u64::MAX / 4] {
            histogram.observe(Duration::from_micros(micros));
        }
        let counts: Vec<(u128, u64)> = histogram
            .cumulated()
            .map(|(end, count)| (end.as_micros(), count))
            .collect();
        assert_eq!(counts[..3], [(64, 3), (128, 5), (256, 6)]);
        assert_eq!(counts.last(), Some(&(2_097_152, 7)));
        assert_eq!(histogram.count(), 9);
        assert_eq!(histogram.permille(500), Duration::from_micros(128));
    }
}
