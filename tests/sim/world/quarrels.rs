//! Who replaces whom, and how long a name must rest then: by arithmetic of its own.
//!
//! The gate forgets a user who is not here, sooner or later. So there are two books: one in which
//! nothing is ever forgotten, and one in which everything is that may be. A login that is held has
//! a reason in the first, one that is let through has none against it in the second.

use std::collections::{BTreeMap, BTreeSet};

use pulsegate::{ConnId, Rate, UserPolicy};

use super::agenda::{MILLI, Nanos, SECOND, nanos};
use super::marks::{Mark, Marks};
use super::watch::Contest;

/// What is owed, and how long the name rests for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Debt {
    owed: Nanos,
    rest: Nanos,
}

/// The quarrel for one name.
#[derive(Debug)]
struct Quarrel {
    least: Debt,
    most: Debt,
    /// When the last one was replaced.
    stamp: Nanos,
    /// By whom: nothing is forgotten while it is here.
    taker: Option<ConnId>,
}

/// The quarrels of a world.
#[derive(Debug)]
pub(crate) struct Quarrels {
    rate: Option<Rate>,
    policy: UserPolicy,
    names: BTreeMap<String, Quarrel>,
    /// Who was sent away for one, and is about to end.
    held: BTreeSet<ConnId>,
}

/// Who is told to stay away, and for how long at least and at most.
pub(crate) type Rest = (ConnId, (Nanos, Nanos));

/// Ticks of the gate's clock are rounded.
const SLACK: Nanos = 6 * MILLI;
/// So many beyond the rate are counted: the name rests for 64 s.
const BEYOND_MAX: Nanos = 7;

impl Debt {
    /// One more, after so long.
    fn take(self, passed: Nanos, rate: Rate) -> Self {
        let (cost, limit) = (nanos(rate.per) / Nanos::from(rate.count), nanos(rate.per));
        let owed = self.owed.saturating_sub(passed) + cost;
        let owed = owed.min(limit + BEYOND_MAX * cost);
        let beyond = owed.saturating_sub(limit).div_ceil(cost);
        let rest = match beyond {
            0 => 0,
            _ => SECOND << (beyond - 1),
        };
        Self { owed, rest }
    }
}

impl Quarrels {
    pub(crate) fn new(rate: Option<Rate>, policy: UserPolicy) -> Self {
        Self {
            rate,
            policy,
            names: BTreeMap::new(),
            held: BTreeSet::new(),
        }
    }

    /// A login was answered, or held.
    pub(crate) fn judge(&mut self, contest: &Contest, marks: &mut Marks) -> Option<Rest> {
        let conn = &contest.conn;
        if let Some(old) = contest.was.as_ref().and_then(|was| self.names.get_mut(was)) {
            // The name that it leaves may be nobody's for a while.
            old.taker = old.taker.filter(|taker| taker != conn);
        }
        let shared_by = match self.policy {
            UserPolicy::Replace => 1,
            UserPolicy::Devices(most) => usize::from(most.max(1)),
            UserPolicy::Reject => usize::MAX,
        };
        let is_full = contest.owners.len() >= shared_by;
        let Some(rate) = self.rate.filter(|_| is_full) else {
            assert!(!contest.is_held, "{conn} is held, and replaces nobody");
            return None;
        };
        match contest.is_held {
            true => Some(self.hold(contest, marks)),
            false => Some(self.replace(contest, rate)),
        }
    }

    /// It was sent away: there is a reason for it.
    fn hold(&mut self, contest: &Contest, marks: &mut Marks) -> Rest {
        let Contest { conn, user, .. } = contest;
        let quarrel = self.names.get(user);
        let quarrel = quarrel.unwrap_or_else(|| panic!("{conn} is held: {user} has no quarrel"));
        let passed = nanos(contest.at) - quarrel.stamp;
        assert!(
            passed < quarrel.most.rest + SLACK,
            "{conn} is held {passed} ns after {user:?} was taken: {quarrel:?}"
        );
        let least = match quarrel.is_remembered(contest) {
            true => quarrel.least.rest,
            false => 0,
        };
        marks.reach(Mark::Held);
        marks.reach_if(least >= 8 * SECOND, Mark::HeldLong);
        self.held.insert(*conn);
        let left = |rest: Nanos| rest.saturating_sub(passed);
        let most = left(quarrel.most.rest) + SLACK;
        (*conn, (left(least).saturating_sub(SLACK), most))
    }

    /// It has replaced somebody: the name did not rest.
    fn replace(&mut self, contest: &Contest, rate: Rate) -> Rest {
        let Contest { conn, user, .. } = contest;
        let at = nanos(contest.at);
        let (mut least, mut most) = (Debt::default(), Debt::default());
        let mut passed = 0;
        if let Some(quarrel) = self.names.get(user) {
            passed = at - quarrel.stamp;
            most = quarrel.most;
            if quarrel.is_remembered(contest) {
                least = quarrel.least;
            }
        }
        assert!(
            passed + SLACK >= least.rest,
            "{conn} takes {user:?} after {passed} of {} ns",
            least.rest
        );
        let least = least.take(passed + SLACK, rate);
        let most = most.take(passed.saturating_sub(SLACK), rate);
        let taker = Some(*conn);
        let stamp = at;
        let quarrel = Quarrel {
            least,
            most,
            stamp,
            taker,
        };
        self.names.insert(user.clone(), quarrel);
        (contest.owners[0], (least.rest, most.rest))
    }

    /// Whether that end was one of those who were sent away.
    pub(crate) fn end(&mut self, conn: ConnId) -> bool {
        self.held.remove(&conn)
    }
}

impl Quarrel {
    /// Whether the user was here ever since.
    fn is_remembered(&self, contest: &Contest) -> bool {
        let taker = self.taker.as_ref();
        taker.is_some_and(|taker| contest.owners.contains(taker))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three a minute.
    fn rate() -> Rate {
        let per = std::time::Duration::from_secs(60);
        Rate { count: 3, per }
    }

    #[test]
    fn beyond_the_rate_a_name_rests_twice_as_long_each_time_until_it_is_kept_to() {
        let rate = rate();
        let mut debt = Debt::default();
        let mut rests = Vec::new();
        for _ in 0..11 {
            debt = debt.take(0, rate);
            rests.push(debt.rest / SECOND);
        }
        assert_eq!(rests, [0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 64]);
        assert_eq!(debt.take(140 * SECOND, rate).rest, SECOND);
        assert_eq!(debt.take(160 * SECOND, rate).rest, 0);
    }
}
