//! What follows from the word of a server that does not want us.

use std::time::Duration;

use super::step::{Refusal, Step};
use super::{Book, Failing, SPAN_MIN};

impl<C, W> Book<C, W> {
    /// The server does not want us. Each time that it says so after the rest, the rest is doubled.
    pub(super) fn shun(&mut self, now: Duration) {
        let first = self.options.retry_max.max(SPAN_MIN);
        let longest = first.saturating_mul(UNWANTED_MAX);
        let rest = |rest: Duration| Failing {
            rest,
            retry_at: now.saturating_add(rest),
        };
        self.unwanted = Some(match self.unwanted {
            Some(same) if same.retry_at > now => same,
            Some(last) if now - last.retry_at < longest => {
                rest(last.rest.saturating_mul(2).min(longest))
            }
            _ => rest(first),
        });
    }

    /// Whether there is nothing to wait for but the end of that rest.
    pub(super) fn is_shut(&self, now: Duration) -> bool {
        let rests = self
            .unwanted
            .is_some_and(|unwanted| unwanted.retry_at > now);
        rests && self.pooled + self.extra == 0
    }

    /// Tells those who wait, or lets the keeper look where others may still come back.
    pub(super) fn dismiss_unwanted(&mut self, now: Duration) {
        while self.is_shut(now)
            && let Some((wake, _)) = self.line.call(Step::Refused(Refusal::Unwanted))
        {
            self.stats.refused += 1;
            self.errands.wake.push(wake);
        }
        if let Some(retry_at) = self.retry_at(now)
            && !self.line.is_empty()
        {
            self.look_by(retry_at);
        }
    }

    /// Before when nothing is opened.
    pub(super) fn retry_at(&self, now: Duration) -> Option<Duration> {
        let failing = self.failing.map(|failing| failing.retry_at);
        let unwanted = self.unwanted.map(|unwanted| unwanted.retry_at);
        failing.max(unwanted.filter(|at| *at > now))
    }
}

/// The rest after the server has sent us away grows up to so many times the longest other one.
const UNWANTED_MAX: u32 = 64;
