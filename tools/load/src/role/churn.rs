//! Opens, exchanges what it is there for, closes, and comes again by the clock.

use std::time::Duration;

use pulsegate::net::Ending;

use super::{Role, Talk, Wish};
use crate::plan::Cohort;
use crate::speech::Heard;
use crate::tally::{Count, Timing};
use crate::units::{nanos, share};

/// Short connections at a rate: each slot of the cohort has its own place in the period.
pub(crate) struct Churn {
    every: u64,
    requests: u32,
    ending: Ending,
    connections: u32,
}

impl Churn {
    pub(crate) fn new(cohort: &Cohort, every: Duration, requests: u32, reset: bool) -> Self {
        Self {
            every: nanos(every).max(1),
            requests,
            ending: if reset {
                Ending::Abort
            } else {
                Ending::Graceful
            },
            connections: cohort.connections,
        }
    }

    /// Its time is over; where the next one was due meanwhile, that one is late.
    fn leave(&self, talk: &mut Talk<'_>) {
        let life = talk.now().saturating_sub(talk.conn.intended);
        talk.tally().record(Timing::Life, life, 1);
        let next = talk.conn.intended + self.every;
        talk.wish = Some(if talk.desk.is_resting {
            Wish::Leave(self.ending)
        } else {
            Wish::Return(self.ending, next)
        });
    }
}

impl Role for Churn {
    fn ready(&mut self, talk: &mut Talk<'_>) {
        if self.requests == 0 {
            self.leave(talk);
        } else {
            talk.note(talk.now(), self.requests);
            talk.request(self.requests);
        }
    }

    fn heard(&mut self, talk: &mut Talk<'_>, heard: &Heard, _: &[u8]) {
        talk.answered(heard.answers, Timing::Rtt, None);
        talk.tally().add(Count::Refused, heard.refused.into());
        if talk.conn.flight.is_empty() {
            self.leave(talk);
        }
    }

    fn first_dial(&self, number: u32, began: u64) -> Option<u64> {
        Some(began + share(self.every, number, self.connections))
    }

    fn next_dial(&self, intended: u64) -> Option<u64> {
        Some(intended + self.every)
    }
}
