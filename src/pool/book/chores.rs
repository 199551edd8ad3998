//! What the keeper of a pool has to do, and when it has to look again.

use std::time::Duration;

use super::step::Chore;
use super::{Book, Loan, Options, SPAN_MIN, is_fresh};

impl<C, W> Book<C, W> {
    /// What the keeper has to do now.
    pub(in crate::pool) fn chore(&mut self, now: Duration) -> Chore<C> {
        self.errands.wake_keeper = false;
        if self.is_closed {
            return Chore::Rest(None);
        }
        self.serve(now);
        self.retire(now);
        let (beat, doubt) = (self.beat, self.doubt);
        let is_due = |loan: &Loan<C>| !is_fresh(loan, beat, doubt, now);
        if let Some(loan) = self.shelf.take_stalest(is_due) {
            self.stats.beats += 1;
            return Chore::Check(loan);
        }
        if self.lacks() && self.may_open(now) {
            self.pooled += 1;
            self.opening += 1;
            return Chore::Open;
        }
        let until = self.next_look(now);
        self.look_at = until.unwrap_or(Duration::MAX);
        Chore::Rest(until)
    }

    /// Closes the idle that are too old, or too many for too long.
    fn retire(&mut self, now: Duration) {
        let age_max = self.options.age_max.unwrap_or(Duration::MAX);
        let is_aged = |loan: &Loan<C>| now.saturating_sub(loan.born) >= age_max;
        while let Some(loan) = self.shelf.take_stalest(is_aged) {
            self.stats.closed_aged += 1;
            self.drop_one(loan);
        }
        let idle_max = self.options.idle_max.unwrap_or(Duration::MAX);
        while self.staying() > self.options.min
            && let Some(loan) = self.shelf.take_rested(now, idle_max)
        {
            self.stats.closed_idle += 1;
            self.drop_one(loan);
        }
    }

    /// When the keeper has to look again. While some are lent it looks four times in the shortest
    /// of its spans, so that no return has to wake it.
    fn next_look(&self, now: Duration) -> Option<Duration> {
        let due = self.shelf.iter().map(|loan| self.due(loan)).min();
        let retry = self.retry_at(now);
        // while one is being opened, its outcome tells how to go on
        let is_wanted = self.opening == 0 && (self.lacks() || !self.line.is_empty());
        let retry = retry.filter(|_| is_wanted);
        let away = (self.pooled + self.extra) as usize > self.shelf.len();
        let spans = [self.beat, self.options.idle_max, self.options.age_max];
        let span = spans.into_iter().flatten().min().filter(|_| away);
        let by_itself = span.map(|span| now.saturating_add((span / 4).max(SPAN_MIN)));
        let all = [due.filter(|due| *due < Duration::MAX), retry, by_itself];
        all.into_iter().flatten().min()
    }

    /// When an idle one has to be looked at.
    pub(super) fn due(&self, loan: &Loan<C>) -> Duration {
        let never = Duration::MAX;
        if loan.is_doubtful || loan.proven < self.doubt {
            return Duration::ZERO;
        }
        let after = |since: Duration, span: Option<Duration>| {
            span.map_or(never, |span| since.saturating_add(span))
        };
        let idle_max = self.options.idle_max;
        let idle_max = idle_max.filter(|_| self.staying() > self.options.min);
        after(loan.proven, self.beat)
            .min(after(loan.moved, idle_max))
            .min(after(loan.born, self.options.age_max))
    }

    /// Wakes the keeper where it means to look later than that.
    pub(super) fn look_by(&mut self, at: Duration) {
        if at < self.look_at {
            self.look_at = at;
            self.errands.wake_keeper = true;
        }
    }

    /// Whether there are fewer than the minimum and there is room for one more, and the server may
    /// want it.
    pub(super) fn lacks(&self) -> bool {
        let Options { min, max, .. } = self.options;
        let has_room = self.staying() < min && self.pooled < max;
        has_room && !self.is_closed && self.unwanted.is_none()
    }
}
