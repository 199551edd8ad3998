//! What the callers of a pool and its keeper share: the books behind one lock, and what is done
//! without it. No connection is opened, checked, looked at or closed while the lock is held.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::book::{Book, Condition, Errands, Kind, Loan, Refusal, Step, Ticket};
use super::clock::Clock;
use super::{Lent, Options, PoolError, Pooled};

type Bell = Arc<Condvar>;

/// One for each pool.
pub(super) struct Shared<C: Pooled> {
    settings: C::Settings,
    clock: Clock,
    wait_max: Duration,
    desk: Mutex<Desk<C>>,
    /// Wakes the keeper.
    pub(super) keeper: Condvar,
}

/// What lies behind the lock.
pub(super) struct Desk<C: Pooled> {
    pub(super) book: Book<C, Bell>,
    /// Why a connection could not be opened the last time.
    error: Option<Arc<C::Error>>,
}

impl<C: Pooled> Shared<C> {
    pub(super) fn new(settings: C::Settings, options: Options) -> Self {
        let desk = Desk {
            book: Book::new(options),
            error: None,
        };
        Self {
            settings,
            clock: Clock::new(),
            wait_max: options.wait_max,
            desk: Mutex::new(desk),
            keeper: Condvar::new(),
        }
    }

    pub(super) fn wait_max(&self) -> Duration {
        self.wait_max
    }

    pub(super) fn now(&self) -> Duration {
        self.clock.now()
    }

    /// The books. They never panic between two states, so that a poisoned lock is as good.
    pub(super) fn lock(&self) -> MutexGuard<'_, Desk<C>> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that is idle or new, or the reason why not.
    pub(super) fn checkout(&self, wait: Duration) -> Result<Lent<'_, C>, PoolError<C::Error>> {
        let began = self.now();
        let until = began.saturating_add(wait);
        let mut now = began;
        let mut desk = self.lock();
        let ticket = desk.book.draw();
        let mut step = desk.book.ask(ticket, now < until, now);
        loop {
            let next = match step {
                Step::Wait => self.wait(desk, ticket, now, until),
                step => {
                    self.settle(desk);
                    step
                }
            };
            let (got, closed) = match next {
                Step::Take(loan) => self.try_out(loan),
                Step::Open(kind) => (self.open(kind), None),
                Step::Renew(loan) => {
                    end(loan.conn);
                    (self.open(loan.kind), None)
                }
                Step::Wait => return Err(self.because(PoolError::TimedOut(wait))),
                Step::Refused(Refusal::Closed) => return Err(PoolError::Closed),
                Step::Refused(Refusal::Unwanted) => {
                    return Err(self.because(PoolError::Unwanted));
                }
                Step::Refused(Refusal::Full) => return Err(self.because(PoolError::Full)),
                Step::Refused(Refusal::Exhausted) => {
                    return Err(self.because(PoolError::Exhausted));
                }
            };
            if let Some(lent) = got {
                return Ok(lent);
            }
            now = self.now();
            // Who does not wait its turn waits for what it takes to check and open, as often as
            // that fails; its time is not what bounds it.
            let may_wait = now < until;
            if !may_wait && !wait.is_zero() {
                self.leave(ticket, closed);
                return Err(self.because(PoolError::TimedOut(wait)));
            }
            desk = self.lock();
            step = match closed {
                Some(kind) => desk.book.trade(ticket, kind, may_wait, now),
                None => desk.book.ask_again(ticket, may_wait, now),
            };
        }
    }

    /// Its time is over, after it has closed a broken one or not.
    fn leave(&self, ticket: Ticket, closed: Option<Kind>) {
        let now = self.now();
        let mut desk = self.lock();
        desk.book.leave(ticket);
        if let Some(kind) = closed {
            desk.book.closed(kind, now);
        }
        self.settle(desk);
    }

    /// Waits for its turn; [`Step::Wait`] where it does not come in time.
    fn wait<'a>(
        &'a self,
        mut desk: MutexGuard<'a, Desk<C>>,
        ticket: Ticket,
        now: Duration,
        until: Duration,
    ) -> Step<C> {
        let bell = Bell::default();
        desk.book.wait(ticket, now, Arc::clone(&bell));
        loop {
            if let Some(errands) = desk.book.errands() {
                drop(desk);
                self.run(errands);
                desk = self.lock();
            }
            match desk.book.collect(ticket) {
                Step::Wait => {}
                step => return step,
            }
            let left = until.saturating_sub(self.now());
            if left.is_zero() {
                desk.book.leave(ticket);
                return Step::Wait;
            }
            let woken = bell.wait_timeout(desk, left);
            (desk, _) = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Where the server cannot be reached, that is what the caller has to know.
    fn because(&self, error: PoolError<C::Error>) -> PoolError<C::Error> {
        let desk = self.lock();
        match &desk.error {
            Some(cause) if desk.book.is_failing() => PoolError::Connect(Arc::clone(cause)),
            _ => error,
        }
    }

    /// An idle one if it can be lent: a look where it has answered lately, else a question. Where
    /// it can not, it is closed, and its place is there to be traded in.
    fn try_out(&self, loan: Loan<C>) -> (Option<Lent<'_, C>>, Option<Kind>) {
        let mut lent = Lent::new(self, loan);
        let is_good = if lent.loan().is_doubtful {
            lent.check()
        } else {
            lent.loan_mut().conn.is_open()
        };
        if is_good {
            return (Some(lent), None);
        }
        let condition = match lent.is_unwanted() {
            true => Condition::Unwanted,
            false => Condition::Broken,
        };
        let Some(loan) = lent.into_loan() else {
            return (None, None);
        };
        let now = self.now();
        let mut desk = self.lock();
        desk.book.doom(loan.kind, condition, now);
        self.settle(desk);
        end(loan.conn);
        (None, Some(loan.kind))
    }

    /// Opens one; the place in the books is given up where that fails, even by a panic.
    pub(super) fn open(&self, kind: Kind) -> Option<Lent<'_, C>> {
        let mut opening = Opening {
            shared: self,
            kind: Some(kind),
            error: None,
        };
        let opened = C::connect(&self.settings).and_then(|mut conn| {
            let timeout = conn.server_timeout()?;
            Ok((conn, timeout))
        });
        match opened {
            Ok((conn, timeout)) => {
                opening.kind = None;
                let now = self.now();
                let mut desk = self.lock();
                let loan = desk.book.opened(conn, kind, timeout, now);
                desk.error = None;
                self.settle(desk);
                Some(Lent::new(self, loan))
            }
            Err(error) => {
                opening.error = Some(error);
                None
            }
        }
    }

    /// A heartbeat to an idle one.
    pub(super) fn beat(&self, loan: Loan<C>) {
        let mut lent = Lent::new(self, loan);
        if !lent.check() {
            return lent.discard();
        }
        if let Some(loan) = lent.into_loan() {
            let now = self.now();
            let mut desk = self.lock();
            desk.book.checked(loan, now);
            self.settle(desk);
        }
    }

    pub(super) fn give_back(&self, loan: Loan<C>, condition: Condition) {
        let now = self.now();
        let mut desk = self.lock();
        desk.book.give_back(loan, condition, now);
        self.settle(desk);
    }

    pub(super) fn close(&self) {
        let mut desk = self.lock();
        desk.book.close();
        self.settle(desk);
    }

    /// Releases the lock and does what is to be done without it.
    fn settle(&self, mut desk: MutexGuard<'_, Desk<C>>) {
        let errands = desk.book.errands();
        drop(desk);
        if let Some(errands) = errands {
            self.run(errands);
        }
    }

    /// Does what is to be done, and what follows from that. The books count a connection until it
    /// has been closed.
    pub(super) fn run(&self, errands: Errands<C, Bell>) {
        let mut close = self.ring(errands);
        while let Some(loan) = close.pop() {
            end(loan.conn);
            let now = self.now();
            let mut desk = self.lock();
            desk.book.closed(loan.kind, now);
            let errands = desk.book.errands();
            drop(desk);
            close.extend(errands.into_iter().flat_map(|errands| self.ring(errands)));
        }
    }

    /// Wakes whom there is to be woken, and leaves what is to be closed.
    fn ring(&self, errands: Errands<C, Bell>) -> Vec<Loan<C>> {
        for bell in errands.wake {
            bell.notify_one();
        }
        if errands.wake_keeper {
            self.keeper.notify_one();
        }
        errands.close
    }
}

/// Closes one. One that panics is gone, and whoever closes it goes on with what it has in hand.
fn end<C: Pooled>(conn: C) {
    let _ = catch_unwind(AssertUnwindSafe(|| conn.close()));
}

/// A place in the books for a connection that is being opened.
struct Opening<'a, C: Pooled> {
    shared: &'a Shared<C>,
    kind: Option<Kind>,
    error: Option<C::Error>,
}

impl<C: Pooled> Drop for Opening<'_, C> {
    fn drop(&mut self) {
        let Some(kind) = self.kind else { return };
        let now = self.shared.now();
        let mut desk = self.shared.lock();
        match &self.error {
            Some(error) if C::is_final(error) => desk.book.turned_away(kind, now),
            _ => desk.book.failed(kind, now),
        }
        if let Some(error) = self.error.take() {
            desk.error = Some(Arc::new(error));
        }
        self.shared.settle(desk);
    }
}

#[cfg(test)]
mod tests;
