//! Users whose connections oust each other: two devices that come back whenever they are replaced
//! would go on for ever. Each replacement is owed for, as a login is; beyond the rate the name
//! rests after each, twice as long every time, until the rate is kept to again.
//!
//! State exists for users who owe something, 12 bytes and a place in a tree each, never for more
//! than there are users who are remembered: whoever is forgotten owes nothing. Two are looked at
//! with every one that comes, and more now and then: who is quits is forgotten long before the
//! circle of ticks has turned by half.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Gate;
use super::bucket::Price;
use crate::settings::{Rate, UserPolicy};
use crate::time::{Span, TICK_MS, Tick};

/// How long a name rests at first: a second.
const REST_TICKS: u32 = 1_000 / TICK_MS;
/// It is doubled so often at most: to about a minute.
const DOUBLINGS: u32 = 6;
/// Users looked at by each [`Gate::trim`].
const LOOKS: u32 = 256;

/// What is owed for a user's replacements.
#[derive(Clone, Copy, Debug)]
struct Rivalry {
    debt: u32,
    /// When the last one was (real clock).
    stamp: Tick,
    /// How long the name rests from then on.
    rest: Span,
}

/// All users who owe something, by slot.
#[derive(Debug, Default)]
pub(crate) struct Rivals {
    entries: BTreeMap<u32, Rivalry>,
    /// Who is looked at next, for whether he still owes something.
    next: u32,
}

impl Rivals {
    /// How long the name still rests.
    fn wait(&self, user: u32, now: Tick) -> Option<Span> {
        let entry = self.entries.get(&user)?;
        let passed = now.since(entry.stamp);
        (passed < entry.rest).then(|| Span(entry.rest.0 - passed.0))
    }

    /// One more replacement: how long the name rests now.
    fn note(&mut self, user: u32, price: Price, now: Tick) -> Duration {
        self.trim(price, now, 2);
        let owed = self
            .entries
            .get(&user)
            .map_or(0, |entry| price.settle(entry.debt, now.since(entry.stamp)));
        let (debt, beyond) = price.take_beyond(owed, DOUBLINGS + 1);
        let rest = match beyond {
            0 => Span::ZERO,
            // Not rounded up: who comes back just when he was told to is not too early.
            _ => Span(REST_TICKS << (beyond - 1)),
        };
        let stamp = now;
        self.entries.insert(user, Rivalry { debt, stamp, rest });
        rest.duration()
    }

    /// Another rate, or none, takes the place of the one before. Rests last as long as was told.
    fn reprice(&mut self, [before, after]: [Option<Price>; 2], now: Tick) {
        let (Some(before), Some(after)) = (before, after) else {
            return self.entries.clear();
        };
        for entry in self.entries.values_mut() {
            let passed = now.since(entry.stamp);
            let debt = before.settle(entry.debt, passed);
            *entry = Rivalry {
                debt: after.convert(debt, before, DOUBLINGS + 1),
                stamp: now,
                rest: Span(entry.rest.0.saturating_sub(passed.0)),
            };
        }
    }

    /// Looks at so many more users, and forgets those who are quits.
    fn trim(&mut self, price: Price, now: Tick, looks: u32) {
        for _ in 0..looks {
            let found = self.entries.range(self.next..).next();
            let Some((&user, entry)) = found else {
                self.next = 0;
                return;
            };
            self.next = user.saturating_add(1);
            let passed = now.since(entry.stamp);
            if price.settle(entry.debt, passed) == 0 && passed >= entry.rest {
                self.entries.remove(&user);
            }
        }
    }

    /// Nobody remembers the user.
    pub(crate) fn forget(&mut self, user: u32) {
        // Nearly always nobody owes anything.
        if !self.entries.is_empty() {
            self.entries.remove(&user);
        }
    }

    pub(crate) fn users(&self) -> impl Iterator<Item = u32> {
        self.entries.keys().copied()
    }
}

impl Gate {
    /// How long the name rests, where a login would replace a connection and may not yet.
    pub(crate) fn takeover_rest(&self, user: &str) -> Option<Span> {
        self.limits.user_takeover_rate?;
        let user = self.users.find(user)?;
        let is_full = self.users.conns(user).len() >= self.shared_by();
        is_full.then(|| self.rivals.wait(user, self.clock.real()))?
    }

    /// A connection of the user is about to be replaced: for how long it is the last one.
    pub(crate) fn note_takeover(&mut self, user: u32) -> Duration {
        match self.limits.user_takeover_rate.map(Price::of) {
            Some(price) => self.rivals.note(user, price, self.clock.real()),
            None => Duration::ZERO,
        }
    }

    /// Takes another limit on takeovers.
    pub(crate) fn see_takeovers(&mut self, rate: Option<Rate>) {
        let before = std::mem::replace(&mut self.limits.user_takeover_rate, rate);
        if before != rate {
            let prices = [before, rate].map(|rate| rate.map(Price::of));
            self.rivals.reprice(prices, self.clock.real());
        }
    }

    /// Forgets some of those who owe nothing any more.
    pub(super) fn trim_rivals(&mut self) {
        if let Some(price) = self.limits.user_takeover_rate.map(Price::of) {
            self.rivals.trim(price, self.clock.real(), LOOKS);
        }
    }

    /// How many connections share a user.
    pub(crate) fn shared_by(&self) -> usize {
        match self.policy {
            UserPolicy::Replace | UserPolicy::Reject => 1,
            UserPolicy::Devices(devices) => usize::from(devices.max(1)),
        }
    }

    /// Full sweep: only users who are remembered owe anything.
    pub(crate) fn check_rivals(&self) {
        let mut users = self.rivals.users();
        let is_known = |user| self.users.get(user).is_some();
        assert!(users.all(is_known), "who is forgotten owes nothing");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_widen_beyond_the_rate_and_are_forgotten_with_time() {
        let per = Duration::from_secs(60);
        let price = Price::of(Rate { count: 3, per });
        let mut rivals = Rivals::default();
        let mut now = Tick(u32::MAX - 1_000);
        let mut rests = Vec::new();
        for _ in 0..12 {
            rests.push(rivals.note(7, price, now).as_secs());
            assert_eq!(rivals.wait(8, now), None);
        }
        assert_eq!(rests, [0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 64, 64]);
        let rest = rivals.wait(7, now).expect("it rests");
        now = now.after(Span(rest.0 - 1));
        assert_eq!(rivals.wait(7, now), Some(Span(1)));
        now = now.after(Span(1));
        assert_eq!(rivals.wait(7, now), None);
        // One a 20 s is within the rate: what is owed gets no less, and no more.
        assert!(rivals.note(7, price, now) > Duration::ZERO);
        now = now.after(Span::covering(per * 5));
        assert_eq!(rivals.note(9, price, now), Duration::ZERO);
        assert_eq!(rivals.users().collect::<Vec<_>>(), [9], "7 owes nothing");
        assert_eq!(rivals.note(7, price, now), Duration::ZERO);
        rivals.forget(7);
        assert_eq!(rivals.users().collect::<Vec<_>>(), [9]);
        rivals.trim(price, now.after(Span::covering(per)), LOOKS);
        assert_eq!(rivals.users().count(), 0, "9 is quits, and nobody came");
    }
}
