//! A connection that is lent: it goes back by itself.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::Pooled;
use super::book::{Condition, Loan};
use super::shared::Shared;

/// A connection of a pool, for as long as this is held; dropping it gives it back.
///
/// One that is borrowed mutably is taken to have been used, and to have been answered where it
/// does not say of itself that it [has failed](Pooled::has_failed). Where its holder panics, the
/// connection is checked before the next one gets it.
pub struct Lent<'a, C: Pooled> {
    shared: &'a Shared<C>,
    /// There, until it goes back.
    loan: Option<Loan<C>>,
    condition: Condition,
    /// What a panic makes of it.
    mishap: Condition,
}

impl<'a, C: Pooled> Lent<'a, C> {
    pub(super) fn new(shared: &'a Shared<C>, loan: Loan<C>) -> Self {
        Self {
            shared,
            loan: Some(loan),
            condition: Condition::Unused,
            mishap: Condition::Doubtful,
        }
    }

    /// Gives it back as broken: it is closed, and replaced where the pool needs one.
    pub fn discard(mut self) {
        self.condition = Condition::Broken;
    }

    /// Asks the server for a sign of life.
    pub(super) fn check(&mut self) -> bool {
        // one whose check panics would do so again and again
        self.mishap = Condition::Broken;
        let is_alive = self.loan_mut().conn.check().is_ok();
        self.mishap = Condition::Doubtful;
        if is_alive {
            let now = self.shared.now();
            self.loan_mut().prove(now);
        }
        is_alive
    }

    /// Takes it, without a return.
    pub(super) fn into_loan(mut self) -> Option<Loan<C>> {
        self.loan.take()
    }

    pub(super) fn loan(&self) -> &Loan<C> {
        self.loan.as_ref().expect("it is here until it goes back")
    }

    pub(super) fn loan_mut(&mut self) -> &mut Loan<C> {
        self.loan.as_mut().expect("it is here until it goes back")
    }
}

impl<C: Pooled> Deref for Lent<'_, C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.loan().conn
    }
}

impl<C: Pooled> DerefMut for Lent<'_, C> {
    fn deref_mut(&mut self) -> &mut C {
        self.condition = Condition::Used;
        &mut self.loan_mut().conn
    }
}

impl<C: Pooled> fmt::Debug for Lent<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent").finish_non_exhaustive()
    }
}

impl<C: Pooled> Drop for Lent<'_, C> {
    fn drop(&mut self) {
        let Some(loan) = self.loan.take() else { return };
        // One that panics when it is asked is of no use.
        let asked = catch_unwind(AssertUnwindSafe(|| {
            (loan.conn.has_failed(), loan.conn.is_unwanted())
        }));
        let (has_failed, is_unwanted) = asked.unwrap_or((true, false));
        let condition = if is_unwanted {
            Condition::Unwanted
        } else if has_failed {
            Condition::Broken
        } else if std::thread::panicking() {
            self.mishap
        } else {
            self.condition
        };
        self.shared.give_back(loan, condition);
    }
}
