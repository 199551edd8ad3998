//! Token buckets: so many at once, and as many again in so long.
//!
//! What is kept is a debt, which time pays off: no float, no rounding, nothing that grows. Debts
//! are of the real clock.

use crate::settings::Rate;
use crate::time::{Span, TICK_MS, Tick};

/// A rate, made ready: what one costs, what a tick pays, and how much may be owed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Price {
    cost: u32,
    paid: u32,
    most: u32,
}

/// One bucket: what is owed, and when that was so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    debt: u32,
    stamp: Tick,
}

impl Price {
    pub(crate) fn of(rate: Rate) -> Self {
        let ticks = (rate.per.as_millis() / u128::from(TICK_MS)).max(1);
        let exact = u32::try_from(ticks).unwrap_or(u32::MAX);
        let count = rate.count.max(1);
        let common = common(exact, count);
        let (exact, paid) = (exact / common, count / common);
        // Very many in very long are paid a little too much: a part in 2^30 / ticks at most, which
        // is one in 596 in an hour.
        let mut cost = exact;
        while cost > 1 && u64::from(cost) * u64::from(count) > u64::from(u32::MAX / 2) {
            cost /= 2;
        }
        let paid = (u64::from(paid) * u64::from(cost)).div_ceil(u64::from(exact));
        Self {
            cost,
            paid: u32::try_from(paid).unwrap_or(u32::MAX),
            most: cost.saturating_mul(count),
        }
    }

    /// What is left of a debt after so long.
    pub(crate) fn settle(self, debt: u32, passed: Span) -> u32 {
        debt.saturating_sub(self.paid.saturating_mul(passed.0))
    }

    /// Takes one: the new debt, or nothing where too much would be owed.
    pub(crate) fn take(self, debt: u32) -> Option<u32> {
        let debt = debt.saturating_add(self.cost);
        (debt <= self.most).then_some(debt)
    }

    /// Takes one however much is owed: the new debt, and how many of them are beyond what may be
    /// owed, `most` of which are kept.
    pub(crate) fn take_beyond(self, debt: u32, most: u32) -> (u32, u32) {
        let debt = debt.saturating_add(self.cost).min(self.end(most));
        (debt, debt.saturating_sub(self.most).div_ceil(self.cost))
    }

    /// What a debt at the price that was in force before comes to at this one: as many are owed,
    /// up to `beyond` above what may be.
    pub(crate) fn convert(self, debt: u32, before: Self, beyond: u32) -> u32 {
        let debt = u64::from(debt) * u64::from(self.cost);
        let debt = debt.div_ceil(u64::from(before.cost));
        u32::try_from(debt)
            .unwrap_or(u32::MAX)
            .min(self.end(beyond))
    }

    /// The same where there may be no price before or after: nothing is owed then.
    pub(crate) fn carry([before, after]: [Option<Self>; 2], debt: u32) -> u32 {
        let both = before.zip(after);
        both.map_or(0, |(before, after)| after.convert(debt, before, 0))
    }

    /// A debt that is `beyond` so many above what may be.
    fn end(self, beyond: u32) -> u32 {
        self.most.saturating_add(self.cost.saturating_mul(beyond))
    }

    /// How long until one can be taken.
    fn wait(self, debt: u32) -> Span {
        let excess = debt.saturating_add(self.cost).saturating_sub(self.most);
        Span(excess.div_ceil(self.paid))
    }
}

fn common(one: u32, other: u32) -> u32 {
    if other == 0 {
        one
    } else {
        common(other, one % other)
    }
}

impl Bucket {
    pub(crate) fn new(now: Tick) -> Self {
        Self {
            debt: 0,
            stamp: now,
        }
    }

    /// Lets time pay.
    fn settle(&mut self, price: Price, now: Tick) {
        self.debt = price.settle(self.debt, now.since(self.stamp));
        self.stamp = now;
    }

    /// Goes on under another price, or none, where nothing is owed.
    pub(crate) fn reprice(&mut self, prices: [Option<Price>; 2], now: Tick) {
        if let [Some(before), _] = prices {
            self.settle(before, now);
        }
        self.debt = Price::carry(prices, self.debt);
        self.stamp = now;
    }

    /// Takes one; whether there was one.
    pub(crate) fn take(&mut self, price: Price, now: Tick) -> bool {
        self.settle(price, now);
        let debt = price.take(self.debt);
        self.debt = debt.unwrap_or(self.debt);
        debt.is_some()
    }

    /// How long until one can be taken; nothing where one can be.
    pub(crate) fn wait(&mut self, price: Price, now: Tick) -> Option<Span> {
        self.settle(price, now);
        let wait = price.wait(self.debt);
        (wait > Span::ZERO).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn price(count: u32, per: Duration) -> Price {
        Price::of(Rate { count, per })
    }

    #[test]
    fn so_many_at_once_and_then_one_by_one() {
        let price = price(3, Duration::from_secs(3));
        let mut now = Tick(u32::MAX - 100);
        let mut bucket = Bucket::new(now);
        for _ in 0..3 {
            assert!(bucket.take(price, now));
        }
        assert!(!bucket.take(price, now));
        assert_eq!(bucket.wait(price, now), Some(Span(500)));
        now = now.after(Span(499));
        assert!(!bucket.take(price, now));
        now = now.after(Span(1));
        assert!(bucket.take(price, now) && !bucket.take(price, now));
        now = now.after(Span(1_000_000));
        for _ in 0..3 {
            assert_eq!(bucket.wait(price, now), None);
            assert!(bucket.take(price, now));
        }
        assert!(!bucket.take(price, now), "no more than all are saved up");
    }

    proptest! {
        /// Over any time no more than the rate and what was saved up.
        #[test]
        fn a_rate_is_kept_to_whatever_the_clock_does(
            count in 1u32..=1_000_000,
            centis in 1u64..=360_000,
            steps in proptest::collection::vec((0u32..5_000, 0u32..50), 1..200),
        ) {
            let per = Duration::from_millis(10 * centis);
            let price = price(count, per);
            let mut now = Tick(u32::MAX - 5_000);
            let began = now;
            let mut bucket = Bucket::new(now);
            let mut taken = 0u64;
            for (pause, wanted) in steps {
                now = now.after(Span(pause));
                taken += (0..wanted).filter(|_| bucket.take(price, now)).count() as u64;
                let passed = u128::from(now.since(began).0);
                let earned = passed * u128::from(count) * 1_002 / (u128::from(centis) * 5_000);
                let most = u128::from(count) + earned + 1;
                prop_assert!(u128::from(taken) <= most, "{} of {}", taken, most);
            }
        }

        /// Who waits for as long as it is told gets one then, and not before.
        #[test]
        fn the_wait_is_as_long_as_it_is_told(
            count in 1u32..=100_000,
            centis in 1u64..=360_000,
            taken in 0u32..2_000,
        ) {
            let price = price(count, Duration::from_millis(10 * centis));
            let now = Tick(7);
            let mut bucket = Bucket::new(now);
            for _ in 0..taken {
                bucket.take(price, now);
            }
            if let Some(wait) = bucket.wait(price, now) {
                let mut early = bucket;
                prop_assert!(!early.take(price, now.after(Span(wait.0 - 1))));
                prop_assert!(bucket.take(price, now.after(wait)));
            }
        }
    }
}
