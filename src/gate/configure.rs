//! Changing the configuration from inside the loop: who wants it asks here, the handler's
//! [`on_configure`](crate::Handler::on_configure) sees to it, now or later, and says what came of
//! it. Reading and judging a file takes its time, so between the two lie turns of the loop.

use std::collections::VecDeque;

use super::Gate;
use crate::config::Change;

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Configure {
    /// Read the configuration again and take over what has changed.
    Reload,
    /// Say what a reload of this text would change; change nothing.
    Check(String),
}

/// What came of it: what has changed or would change, or everything that is wrong, by line.
pub type Verdict = Result<Vec<Change>, Vec<String>>;

/// One such request; none is used twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ticket {
    number: u64,
    is_reload: bool,
}

/// Requests that wait, and verdicts that were not fetched.
#[derive(Debug, Default)]
pub(crate) struct Configuring {
    made: u64,
    asked: VecDeque<(Ticket, Configure)>,
    told: VecDeque<(Ticket, Verdict)>,
    /// There are verdicts that nobody was told of.
    has_news: bool,
}

/// Requests, and verdicts, that are kept.
const KEPT: usize = 16;

impl Gate {
    /// Asks for a change of configuration; `None` where too many are asked for already. What came
    /// of it is fetched by [`verdict`](Gate::verdict), some turns later.
    pub fn configure(&mut self, what: Configure) -> Option<Ticket> {
        let waiting = &mut self.configuring;
        if waiting.asked.len() >= KEPT {
            return None;
        }
        waiting.made += 1;
        let ticket = Ticket {
            number: waiting.made,
            is_reload: what == Configure::Reload,
        };
        waiting.asked.push_back((ticket, what));
        Some(ticket)
    }

    /// Says what came of a request: to be called by the handler.
    pub fn configured(&mut self, ticket: Ticket, verdict: Verdict) {
        if ticket.is_reload {
            self.stats.reloads += u64::from(verdict.is_ok());
            self.stats.reloads_refused += u64::from(verdict.is_err());
        }
        let told = &mut self.configuring.told;
        // Nobody has fetched the oldest: whoever asked by a signal never does.
        told.truncate(KEPT - 1);
        told.push_front((ticket, verdict));
        self.configuring.has_news = true;
    }

    /// What came of a request, once; `None` as long as it is not known. Only the latest few are
    /// kept for whoever asked.
    pub fn verdict(&mut self, ticket: Ticket) -> Option<Verdict> {
        let told = &mut self.configuring.told;
        let place = told.iter().position(|(other, _)| *other == ticket)?;
        told.remove(place).map(|(_, verdict)| verdict)
    }

    /// Whether verdicts have come in.
    pub(crate) fn has_verdicts(&self) -> bool {
        self.configuring.has_news
    }

    /// The same, and whoever awaits one is told now.
    pub(crate) fn take_verdicts(&mut self) -> bool {
        std::mem::take(&mut self.configuring.has_news)
    }

    /// The next request for the handler.
    pub(crate) fn next_configure(&mut self) -> Option<(Ticket, Configure)> {
        self.configuring.asked.pop_front()
    }

    /// Whether the handler is to be asked.
    pub(crate) fn is_configure_asked(&self) -> bool {
        !self.configuring.asked.is_empty()
    }
}
