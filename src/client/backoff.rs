//! When to come back: exponential backoff with full jitter.
//!
//! The wait is drawn evenly between zero and a bound that doubles: of ten thousand that lost the
//! same server in the same instant no two come back together for long. Knows no clock.

use std::time::Duration;

use super::event::GaveUp;
use super::options::Retry;
use super::stamp::Stamp;

/// How far the attempts have come.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    /// Losses in a row without a stable connection between them.
    losses: u32,
    /// When the first of them was.
    first: Stamp,
    dice: Dice,
}

/// A small generator of even numbers (SplitMix64); its seed is handed in.
#[derive(Clone, Debug)]
pub(super) struct Dice(pub(super) u64);

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            losses: 0,
            first: Stamp::ZERO,
            dice: Dice(seed),
        }
    }

    /// A connection ends that was good since `since`: where that was long enough, what happened
    /// before is forgotten.
    pub(super) fn lived(&mut self, retry: &Retry, since: Duration, now: Duration) {
        if now.saturating_sub(since) >= retry.stable_after {
            self.losses = 0;
        }
    }

    /// After a loss: which attempt comes next, and after how long. Where the server has named a
    /// time, never before that, and the limit on the time does not cut it; it cuts what is drawn,
    /// so that the last attempt comes at its end at the latest.
    ///
    /// # Errors
    /// Where the limits do not allow another one.
    pub(super) fn next(
        &mut self,
        retry: &Retry,
        named: Option<Duration>,
        now: Duration,
    ) -> Result<(u32, Duration), GaveUp> {
        if self.losses == 0 {
            self.first = Stamp::of(now);
        }
        if let Some(attempts) = retry.attempts
            && self.losses >= attempts
        {
            return Err(GaveUp::Attempts(attempts));
        }
        let doubled = 1_u32.checked_shl(self.losses).unwrap_or(u32::MAX);
        let bound = retry.base.saturating_mul(doubled).min(retry.max);
        let (named, mut drawn) = (named.unwrap_or_default(), self.dice.below(bound));
        if let Some(within) = retry.within {
            let left = self.first.after(within).checked_sub(now);
            let left = left.ok_or(GaveUp::Within(within))?;
            drawn = drawn.min(left.saturating_sub(named));
        }
        self.losses += 1;
        Ok((self.losses, named.saturating_add(drawn)))
    }
}

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Evenly from zero to `bound`.
    pub(super) fn below(&mut self, bound: Duration) -> Duration {
        let nanos = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
        let drawn = (u128::from(self.next()) * (u128::from(nanos) + 1)) >> 64;
        Duration::from_nanos(u64::try_from(drawn).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_bound_doubles_up_to_the_most_and_every_wait_below_it_comes() {
        let retry = Retry::FOR_EVER;
        for losses in [0, 1, 2, 5, 6, 7, 31, 32, 1_000] {
            let bound = retry
                .base
                .saturating_mul(1 << losses.min(20))
                .min(retry.max);
            let waits: Vec<_> = (0..2_000)
                .map(|seed| {
                    let mut backoff = Backoff::new(seed);
                    backoff.losses = losses;
                    backoff.next(&retry, None, SECOND).unwrap().1
                })
                .collect();
            let mean = waits.iter().sum::<Duration>() / 2_000;
            assert!(waits.iter().all(|wait| *wait <= bound));
            assert!(mean.abs_diff(bound / 2) < bound / 40, "{losses}: {mean:?}");
            // Evenly: a tenth of them in each tenth.
            for tenth in 0..10 {
                let within = |wait: &&Duration| {
                    (bound * tenth / 10..bound * (tenth + 1) / 10).contains(*wait)
                };
                let count = waits.iter().filter(within).count();
                assert!((140..260).contains(&count), "{losses}: {count} in {tenth}");
            }
        }
    }

    #[test]
    fn attempts_and_time_are_limited() {
        let (attempts, base) = (Some(3), Duration::ZERO);
        let retry = Retry {
            attempts,
            base,
            ..Retry::FOR_EVER
        };
        let mut backoff = Backoff::new(1);
        for attempt in 1..=3 {
            let next = backoff.next(&retry, None, SECOND);
            assert_eq!(next, Ok((attempt, Duration::ZERO)));
        }
        let next = backoff.next(&retry, None, SECOND);
        assert_eq!(next, Err(GaveUp::Attempts(3)));

        let (within, attempts) = (Some(5 * SECOND), None);
        let retry = Retry {
            within,
            attempts,
            ..retry
        };
        let mut backoff = Backoff::new(1);
        assert!(backoff.next(&retry, None, SECOND).is_ok());
        assert!(backoff.next(&retry, None, 6 * SECOND).is_ok());
        let next = backoff.next(&retry, None, 6 * SECOND + Duration::from_nanos(1));
        assert_eq!(next, Err(GaveUp::Within(5 * SECOND)));
        let never = Backoff::new(1).next(&Retry::NEVER, None, SECOND);
        assert_eq!(never, Err(GaveUp::Attempts(0)));
    }

    #[test]
    fn nobody_gives_up_before_the_time_is_over() {
        let within = 10 * SECOND;
        let retry = Retry {
            base: 60 * SECOND,
            within: Some(within),
            ..Retry::FOR_EVER
        };
        for seed in 0..100 {
            let mut backoff = Backoff::new(seed);
            let (_, wait) = backoff.next(&retry, None, SECOND).unwrap();
            assert!(wait <= within, "{wait:?}");
            let last = backoff.next(&retry, None, 11 * SECOND).unwrap();
            assert_eq!(last, (2, Duration::ZERO));
            let over = backoff.next(&retry, None, 11 * SECOND + Duration::from_nanos(1));
            assert_eq!(over, Err(GaveUp::Within(within)));
        }
        // The server's word counts, for one attempt.
        let mut backoff = Backoff::new(1);
        let named = backoff.next(&retry, Some(45 * SECOND), SECOND);
        assert_eq!(named, Ok((1, 45 * SECOND)));
        let over = backoff.next(&retry, None, 46 * SECOND);
        assert_eq!(over, Err(GaveUp::Within(within)));
    }

    #[test]
    fn only_a_stable_connection_makes_it_forget() {
        let retry = Retry::FOR_EVER;
        let mut backoff = Backoff::new(1);
        for _ in 0..4 {
            backoff.next(&retry, None, SECOND).unwrap();
        }
        backoff.lived(
            &retry,
            SECOND,
            SECOND + retry.stable_after - Duration::from_nanos(1),
        );
        assert_eq!(backoff.next(&retry, None, 50 * SECOND).unwrap().0, 5);
        backoff.lived(&retry, SECOND, SECOND + retry.stable_after);
        assert_eq!(backoff.next(&retry, None, 50 * SECOND).unwrap().0, 1);
    }

    proptest! {
        #[test]
        fn the_time_that_the_server_names_is_never_cut_short(
            seed in any::<u64>(),
            named in 0..1_000_000_u64,
            losses in 0..40_u32,
        ) {
            let named = Duration::from_millis(named);
            let mut backoff = Backoff::new(seed);
            backoff.losses = losses;
            let (_, wait) = backoff.next(&Retry::FOR_EVER, Some(named), SECOND).unwrap();
            prop_assert!(wait >= named && wait <= named + Retry::FOR_EVER.max);
        }
    }
}
