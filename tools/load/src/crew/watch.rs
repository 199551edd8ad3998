//! Deaths that leave nothing to read: how late did the server notice?
//!
//! Whoever was reset or has vanished has no socket on which the server's end would be seen. Where
//! the server runs on this machine, its descriptors are counted instead: each one less is a
//! connection that it has let go. The first to be let go is taken for the first that was due.

use crate::plan::{Death, Part, Plan};
use crate::proc::files_of;
use crate::tally::{Count, Tally, Timing};
use crate::units::nanos;

/// A server's descriptors, counted while connections die.
pub(super) struct Watch {
    pid: u32,
    /// The phase and the cohort in which they die.
    pub(super) phase: usize,
    pub(super) cohort: usize,
    /// When the phase began, and with that the deaths.
    began: u64,
    /// From the last byte to the moment when they should be let go; `None` where that is at once.
    expect: Option<u64>,
    /// The fewest descriptors so far.
    fewest: u64,
    /// When the next count is due.
    pub(super) next: u64,
    /// The moment at which each was seen to be gone.
    gone: Vec<u64>,
}

impl Watch {
    /// `None` where the ends of a phase's deaths are seen otherwise, or can not be told apart.
    pub(super) fn of(plan: &Plan, phase: usize, server: Option<u32>, began: u64) -> Option<Self> {
        let is_dying = |part: &Part| matches!(part, Part::Die { .. });
        let mut dying = (0..plan.cohorts.len()).filter(|at| is_dying(&plan.cohorts[*at].role));
        let (Some(cohort), None) = (dying.next(), dying.next()) else {
            return None;
        };
        let expect = match plan.cohorts[cohort].role {
            Part::Die {
                how: Death::Rst, ..
            } => None,
            Part::Die {
                how: Death::Vanish,
                expect,
                ..
            } => Some(nanos(expect)),
            _ => return None,
        };
        let pid = server.filter(|_| plan.phases[phase].disturb)?;
        Some(Self {
            pid,
            phase,
            cohort,
            began,
            expect,
            fewest: files_of(pid)?,
            next: began,
            gone: Vec::new(),
        })
    }

    /// Counts.
    pub(super) fn look(&mut self, now: u64) {
        self.next = now + BETWEEN;
        let files = files_of(self.pid).unwrap_or(0);
        while self.fewest > files {
            self.fewest -= 1;
            self.gone.push(now);
        }
    }

    /// Compares what was seen with what was due, once everything of the cohort is known.
    pub(super) fn judge(&self, tally: &mut Tally) {
        let mut due: Vec<u64> = Vec::new();
        let died = tally.count(Count::Died);
        match (self.expect, tally.timing(Timing::Silence)) {
            (Some(expect), Some(silence)) => {
                for step in silence.iter_recorded() {
                    let moment = (self.began + expect).saturating_sub(step.value_iterated_to());
                    due.extend((0..step.count_since_last_iteration()).map(|_| moment));
                }
            }
            _ => due.extend((0..died).map(|_| self.began)),
        }
        due.sort_unstable();
        for (due, gone) in due.into_iter().zip(&self.gone) {
            tally.add(Count::Closed, 1);
            match gone.checked_sub(due) {
                Some(late) => tally.record(Timing::CloseLate, late, 1),
                // Silences are known to a thousandth.
                None if due - gone < self.expect.unwrap_or(0) / 500 => {
                    tally.record(Timing::CloseLate, 0, 1);
                }
                None => tally.add(Count::ClosedEarly, 1),
            }
        }
    }
}

/// Between two counts: 2 ms.
const BETWEEN: u64 = 2_000_000;
