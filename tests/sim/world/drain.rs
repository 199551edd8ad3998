//! Whether a shutdown goes as it should: goodbyes spread evenly, nobody before his turn, and nobody
//! forgotten.

use pulsegate::ConnId;

use super::agenda::{MILLI, Nanos};
use super::facts::Stamp;

/// A shutdown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drain {
    /// When it began at the earliest, and at the latest.
    pub(crate) since: Stamp,
    pub(crate) began: Stamp,
    /// The goodbyes are spread over so long.
    pub(crate) over: Nanos,
    /// Connections that there may be at most when it begins, and how many have ended since.
    pub(crate) most: u64,
    pub(crate) ends: u64,
    /// Newcomers that were turned away meanwhile: the gate had counted them as here.
    pub(crate) turned_away: u64,
    /// Of those ends, as many as had come before it began and may be told of only now.
    pub(crate) late: u64,
    /// Connections that there are at least when it has begun.
    pub(crate) least: u64,
}

impl Drain {
    /// By now no more have gone than should have, and not after the time for goodbyes.
    pub(crate) fn judge_goodbye(&self, conn: ConnId, clock: Stamp, slack: Nanos) {
        let passed = clock.at.saturating_sub(self.since.at);
        let ends = self.ends.saturating_sub(self.late);
        let share = self.over * ends / self.most.max(1);
        assert!(
            passed + 2 * MILLI >= share,
            "{conn}: told {passed} ns after the shutdown began, before its turn: {share}"
        );
        let passed = clock.at.saturating_sub(self.began.at);
        let excuse = clock.lag.saturating_sub(self.began.lag) + 2 * slack;
        assert!(
            passed <= self.over + excuse,
            "{conn}: told {passed} ns after the shutdown began, late: {}",
            self.over
        );
    }

    /// As many have left as should have by now: no part of a shutdown is empty.
    pub(crate) fn judge_pace(&self, clock: Stamp, slack: Nanos) {
        let excuse = clock.lag.saturating_sub(self.began.lag) + 5 * slack;
        let passed = clock.at.saturating_sub(self.began.at + excuse);
        let due = self.least * passed.min(self.over) / self.over.max(1);
        assert!(
            self.ends + self.turned_away + 1 >= due.min(self.least),
            "{} of {} have left after {passed} of {} ns",
            self.ends,
            self.least,
            self.over
        );
    }
}
