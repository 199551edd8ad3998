//! The books of a pool: who has what, who waits, what is due. No sockets, no clock, no locks.
//!
//! Each call is told the time since the pool began. What a caller has to do is told by a [`Step`],
//! what the keeper has to do by a [`Chore`], and what anybody has to do once the lock is released
//! lies in the [`Errands`].
//!
//! Invariants ([`check`](Book::check)):
//! - never more than `max` pooled ones and `extra_max` others, those being opened included, and
//!   those being closed until they are
//! - nobody waits while there is something to be had
//! - what is handed out without a check has answered within the beat, and since the last time that
//!   one was found broken
//!
//! Lending and returning an idle one is O(1) and allocates nothing.

mod chores;
mod step;
mod unwanted;

use std::time::Duration;

pub(super) use self::step::{Chore, Condition, Errands, Refusal, Step};
use super::line::Line;
pub(super) use super::line::Ticket;
use super::options::{Exhausted, Options};
use super::shelf::Shelf;
pub(super) use super::shelf::{Kind, Loan};
use super::stats::PoolStats;

/// Who has what. `C` is a connection, `W` wakes one who waits.
#[derive(Debug)]
pub(super) struct Book<C, W> {
    options: Options,
    shelf: Shelf<C>,
    line: Line<W, Step<C>>,
    /// Those being closed count until that is done, here as among the extra ones.
    pooled: u32,
    extra: u32,
    opening: u32,
    /// Of the pooled ones, those that are being closed.
    closing: u32,
    /// Since a connection could not be opened: when the next one is tried.
    failing: Option<Failing>,
    /// Since the server has sent us away: nothing is opened by itself any more, and for those who
    /// ask only after a rest that grows from time to time.
    unwanted: Option<Failing>,
    /// How long after an answer a connection may be lent unchecked.
    beat: Option<Duration>,
    /// When one was last found broken: what was proven before is in doubt.
    doubt: Duration,
    /// When the keeper looks by itself.
    look_at: Duration,
    errands: Errands<C, W>,
    is_closed: bool,
    stats: PoolStats,
}

#[derive(Clone, Copy, Debug)]
struct Failing {
    rest: Duration,
    retry_at: Duration,
}

impl<C, W> Book<C, W> {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            shelf: Shelf::new(),
            line: Line::new(),
            pooled: 0,
            extra: 0,
            opening: 0,
            closing: 0,
            failing: None,
            unwanted: None,
            beat: options.beat.map(|beat| beat.max(SPAN_MIN)),
            doubt: Duration::ZERO,
            look_at: Duration::ZERO,
            errands: Errands::default(),
            is_closed: false,
            stats: PoolStats::default(),
        }
    }

    pub(super) fn stats(&self) -> PoolStats {
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        PoolStats {
            pooled: self.pooled,
            extra: self.extra,
            opening: self.opening,
            idle: count(self.shelf.len()),
            waiting: count(self.line.len()),
            ..self.stats
        }
    }

    /// How often an idle one is checked.
    pub(super) fn beat(&self) -> Option<Duration> {
        self.beat
    }

    /// Whether the last attempt to open one failed.
    pub(super) fn is_failing(&self) -> bool {
        self.failing.is_some() || self.unwanted.is_some()
    }

    /// What is to be done without the lock; `None` where there is nothing.
    pub(super) fn errands(&mut self) -> Option<Errands<C, W>> {
        (!self.errands.is_empty()).then(|| std::mem::take(&mut self.errands))
    }

    // --- those who ask ---

    /// A new place in the order of arrival.
    pub(super) fn draw(&mut self) -> Ticket {
        self.line.draw()
    }

    /// Asks for a connection.
    pub(super) fn ask(&mut self, ticket: Ticket, may_wait: bool, now: Duration) -> Step<C> {
        let has_room = self.line.len() < self.options.queue_max;
        self.find(ticket, may_wait, has_room, now)
    }

    /// One who had leave to open one, and could not, asks again with the same ticket: it is not
    /// behind those who came later, and there is room for it in any line.
    pub(super) fn ask_again(&mut self, ticket: Ticket, may_wait: bool, now: Duration) -> Step<C> {
        self.find(ticket, may_wait, true, now)
    }

    /// One who was handed a broken one has closed it, once it was [`doomed`](Self::doom), and asks
    /// again, before those are served who came later.
    pub(super) fn trade(
        &mut self,
        ticket: Ticket,
        kind: Kind,
        may_wait: bool,
        now: Duration,
    ) -> Step<C> {
        self.uncount_closed(kind);
        let step = self.find(ticket, may_wait, true, now);
        self.fill(now);
        step
    }

    fn find(&mut self, ticket: Ticket, may_wait: bool, has_room: bool, now: Duration) -> Step<C> {
        if self.is_closed {
            return Step::Refused(Refusal::Closed);
        }
        if self.line.is_first(ticket)
            && let Some(step) = self.obtain(now)
        {
            return step;
        }
        let refusal = match self.options.exhausted {
            _ if self.is_shut(now) => Refusal::Unwanted,
            Exhausted::Refuse => Refusal::Exhausted,
            _ if !may_wait => Refusal::Exhausted,
            _ if !has_room => Refusal::Full,
            _ => return Step::Wait,
        };
        self.stats.refused += 1;
        Step::Refused(refusal)
    }

    /// Waits, as [`ask`](Self::ask) has allowed.
    pub(super) fn wait(&mut self, ticket: Ticket, now: Duration, wake: W) {
        self.line.join(ticket, now, wake);
        if let Some(retry_at) = self.retry_at(now) {
            self.look_by(retry_at);
        }
    }

    /// What has been laid down for one who waits; [`Step::Wait`] where nothing has.
    pub(super) fn collect(&mut self, ticket: Ticket) -> Step<C> {
        match self.line.collect(ticket) {
            Some(step) => step,
            None if self.is_closed => Step::Refused(Refusal::Closed),
            None => Step::Wait,
        }
    }

    /// Waits no longer: [`collect`](Self::collect) had nothing in time.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        self.line.leave(ticket);
        self.stats.timed_out += 1;
    }

    // --- what becomes of connections ---

    /// One was opened, and the server may have told how long it waits on an idle one.
    pub(super) fn opened(
        &mut self,
        conn: C,
        kind: Kind,
        timeout: Option<Duration>,
        now: Duration,
    ) -> Loan<C> {
        self.opening -= 1;
        self.stats.opened += 1;
        self.failing = None;
        self.learn(timeout);
        self.serve(now);
        if self.lacks() {
            self.look_by(now);
        }
        Loan {
            conn,
            kind,
            born: now,
            proven: now,
            moved: now,
            is_doubtful: false,
        }
    }

    /// One could not be opened. Failures of the same burst lengthen the rest once.
    pub(super) fn failed(&mut self, kind: Kind, now: Duration) {
        let Options {
            retry_min,
            retry_max,
            ..
        } = self.options;
        self.opening -= 1;
        self.uncount(kind);
        self.stats.failed += 1;
        let rest = |rest: Duration| Failing {
            rest: rest.max(SPAN_MIN),
            retry_at: now.saturating_add(rest.max(SPAN_MIN)),
        };
        let failing = match self.failing {
            None => rest(retry_min),
            Some(failing) if failing.retry_at <= now => {
                rest(failing.rest.saturating_mul(2).min(retry_max))
            }
            Some(failing) => failing,
        };
        self.failing = Some(failing);
        self.look_by(failing.retry_at);
    }

    /// One could not be opened, and another attempt would be of no use.
    pub(super) fn turned_away(&mut self, kind: Kind, now: Duration) {
        self.opening -= 1;
        self.uncount(kind);
        self.stats.failed += 1;
        self.shun(now);
        self.dismiss_unwanted(now);
    }

    /// One comes back.
    pub(super) fn give_back(&mut self, mut loan: Loan<C>, condition: Condition, now: Duration) {
        match condition {
            Condition::Unused => {}
            // it has answered at some time since it was lent
            Condition::Used => loan.proven = loan.proven.max(loan.moved),
            Condition::Doubtful => loan.is_doubtful = true,
            Condition::Broken | Condition::Unwanted => {
                self.doom(loan.kind, condition, now);
                return self.errands.close.push(loan);
            }
        }
        loan.moved = now;
        self.rest(loan, now);
    }

    /// One has answered the keeper; that is no use, it goes on resting where it was.
    pub(super) fn checked(&mut self, mut loan: Loan<C>, now: Duration) {
        loan.prove(now);
        self.rest(loan, now);
    }

    /// One is broken, and whoever has it closes it: whatever has not answered since is in doubt.
    pub(super) fn doom(&mut self, kind: Kind, condition: Condition, now: Duration) {
        if condition == Condition::Unwanted {
            self.shun(now);
        }
        self.begin_close(kind);
        self.stats.broken += 1;
        self.doubt = now;
        self.dismiss_unwanted(now);
        if self.shelf.len() > 0 || self.lacks() {
            self.look_by(now);
        }
    }

    /// One of the errands has been closed: from now on there is room for another one.
    pub(super) fn closed(&mut self, kind: Kind, now: Duration) {
        self.uncount_closed(kind);
        self.fill(now);
    }

    /// Closes the pool: the idle at once, the lent as they come back.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        while let Some(loan) = self.shelf.take_last() {
            self.drop_one(loan);
        }
        self.errands.wake.extend(self.line.dismiss());
        self.errands.wake_keeper = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    // --- within ---

    /// The server has told how long it waits: idle ones are checked a little more often.
    fn learn(&mut self, timeout: Option<Duration>) {
        let Some(timeout) = timeout else {
            return;
        };
        let beat = (timeout / 8 * 7).max(SPAN_MIN);
        if self.beat.is_none_or(|known| beat < known) {
            self.look_at = Duration::ZERO;
            self.errands.wake_keeper = true;
        }
        self.beat = Some(beat);
    }

    /// An idle one, or leave to open one.
    fn obtain(&mut self, now: Duration) -> Option<Step<C>> {
        while let Some(mut loan) = self.shelf.take_last() {
            if !self.is_aged(&loan, now) {
                loan.moved = now;
                return Some(self.lend(loan, now));
            }
            self.stats.closed_aged += 1;
            if self.shelf.len() == 0 && self.may_open(now) {
                self.opening += 1;
                return Some(Step::Renew(loan));
            }
            self.drop_one(loan);
        }
        if !self.may_open(now) {
            return None;
        }
        let kind = if self.pooled < self.options.max {
            self.pooled += 1;
            Kind::Pooled
        } else if self.options.exhausted == Exhausted::Extra && self.extra < self.options.extra_max
        {
            self.extra += 1;
            Kind::Extra
        } else {
            return None;
        };
        self.opening += 1;
        Some(Step::Open(kind))
    }

    fn lend(&mut self, mut loan: Loan<C>, now: Duration) -> Step<C> {
        loan.is_doubtful = !is_fresh(&loan, self.beat, self.doubt, now);
        self.stats.lent += 1;
        Step::Take(loan)
    }

    /// One is free: the first who waits has it, or it rests.
    fn rest(&mut self, loan: Loan<C>, now: Duration) {
        if self.is_closed {
            return self.drop_one(loan);
        }
        if self.is_aged(&loan, now) {
            self.stats.closed_aged += 1;
            return self.drop_one(loan);
        }
        if !self.line.is_empty() {
            let loan = Loan { moved: now, ..loan };
            let step = self.lend(loan, now);
            return self.call(step, now);
        }
        if loan.kind == Kind::Extra {
            self.stats.closed_extra += 1;
            return self.drop_one(loan);
        }
        self.look_by(self.due(&loan));
        self.shelf.put(loan);
    }

    /// Calls as many from the line as there is something for.
    fn serve(&mut self, now: Duration) {
        while !self.line.is_empty()
            && let Some(step) = self.obtain(now)
        {
            self.call(step, now);
        }
    }

    fn call(&mut self, step: Step<C>, now: Duration) {
        if let Some((wake, since)) = self.line.call(step) {
            self.stats.waited.observe(now.saturating_sub(since));
            self.errands.wake.push(wake);
        }
    }

    /// Whether one may be opened now: while the server does not answer, one at a time after a rest.
    fn may_open(&self, now: Duration) -> bool {
        if self
            .unwanted
            .is_some_and(|unwanted| unwanted.retry_at > now)
        {
            return false;
        }
        match self.failing {
            Some(failing) => self.opening == 0 && failing.retry_at <= now,
            None => true,
        }
    }

    fn is_aged(&self, loan: &Loan<C>, now: Duration) -> bool {
        let age = now.saturating_sub(loan.born);
        self.options.age_max.is_some_and(|age_max| age >= age_max)
    }

    fn drop_one(&mut self, loan: Loan<C>) {
        self.begin_close(loan.kind);
        self.errands.close.push(loan);
        if self.lacks() {
            self.look_by(Duration::ZERO);
        }
    }

    /// There is room for others: for those who wait, and up to the minimum.
    fn fill(&mut self, now: Duration) {
        self.serve(now);
        self.dismiss_unwanted(now);
        if self.lacks() {
            self.look_by(now);
        }
    }

    fn begin_close(&mut self, kind: Kind) {
        self.closing += u32::from(kind == Kind::Pooled);
    }

    fn uncount_closed(&mut self, kind: Kind) {
        self.closing -= u32::from(kind == Kind::Pooled);
        self.uncount(kind);
    }

    /// Pooled ones that are not on their way out.
    fn staying(&self) -> u32 {
        self.pooled - self.closing
    }

    fn uncount(&mut self, kind: Kind) {
        match kind {
            Kind::Pooled => self.pooled -= 1,
            Kind::Extra => self.extra -= 1,
        }
    }

    /// Demands that the books are in order.
    #[cfg(test)]
    pub(super) fn check(&self) {
        let Options { max, extra_max, .. } = self.options;
        self.line.check();
        self.shelf.check();
        assert!(self.pooled <= max && self.extra <= extra_max);
        let (counted, moving) = (self.pooled + self.extra, self.opening + self.closing);
        assert!(self.shelf.len() + moving as usize <= counted as usize);
        if self.line.is_empty() {
            return;
        }
        // nobody waits while there is something to be had
        assert!(self.shelf.len() == 0 && !self.is_closed);
        let wants_extra = self.options.exhausted == Exhausted::Extra;
        let is_full = self.pooled == max && (!wants_extra || self.extra == extra_max);
        assert!(is_full || self.is_failing());
    }
}

/// Spans below this are taken for it: the keeper has to rest between two looks.
const SPAN_MIN: Duration = Duration::from_millis(1);

/// Whether one may be lent unchecked.
fn is_fresh<C>(loan: &Loan<C>, beat: Option<Duration>, doubt: Duration, now: Duration) -> bool {
    let rested = now.saturating_sub(loan.proven);
    !loan.is_doubtful && loan.proven >= doubt && beat.is_none_or(|beat| rested < beat)
}

#[cfg(test)]
mod tests;
