//! An open loop: what is sent, and when, does not depend on the answers.
//!
//! The connections of a cohort have their places spread evenly over the period. What is late was
//! late from the moment it was meant for, however that came about.

use std::time::Duration;

use rand_xoshiro::rand_core::Rng;

use super::{Role, Talk};
use crate::plan::Cohort;
use crate::speech::Heard;
use crate::tally::{Count, Timing};
use crate::units::{nanos, share};
use crate::worker::conn::NEVER;

/// Heartbeats or requests by the clock.
pub(crate) struct Paced {
    every: u64,
    /// The most by which one may be behind its place.
    jitter: u64,
    connections: u32,
    is_answered: bool,
    /// Nobody asks before everybody is open: a rate beyond what can be had leaves nothing for
    /// newcomers. Heartbeats keep the first alive while the last come.
    is_patient: bool,
    rtt: Timing,
    response: Timing,
}

impl Paced {
    pub(crate) fn beat(cohort: &Cohort, every: Duration, jitter: f64, is_answered: bool) -> Self {
        Self {
            // Within the period, so that the place of a beat can be told from its moment.
            jitter: nanos(every.mul_f64(jitter)).min(nanos(every).saturating_sub(1)),
            is_answered,
            rtt: Timing::BeatRtt,
            response: Timing::BeatResponse,
            ..Self::request(cohort, every)
        }
    }

    pub(crate) fn request(cohort: &Cohort, every: Duration) -> Self {
        Self {
            every: nanos(every).max(1),
            jitter: 0,
            connections: cohort.connections,
            is_answered: true,
            is_patient: false,
            rtt: Timing::Rtt,
            response: Timing::Response,
        }
    }

    /// The same, who waits until everybody is open.
    pub(crate) fn patient(self) -> Self {
        Self {
            is_patient: true,
            ..self
        }
    }

    /// The first place of connection `number` that is after `after`.
    fn place_after(&self, number: u32, after: u64) -> u64 {
        let offset = share(self.every, number, self.connections);
        let periods = after.saturating_sub(offset) / self.every + 1;
        offset + periods * self.every
    }

    pub(super) fn set_next(&self, talk: &mut Talk<'_>, after: u64) {
        let place = self.place_after(talk.conn.number, after);
        let late = if self.jitter == 0 {
            0
        } else {
            talk.desk.dice.next_u64() % (self.jitter + 1)
        };
        talk.conn.intended = place + late;
    }
}

impl Role for Paced {
    fn ready(&mut self, talk: &mut Talk<'_>) {
        if talk.desk.is_resting || self.is_patient && talk.desk.is_opening {
            return;
        }
        let now = talk.now();
        self.set_next(talk, now);
        talk.wake_at(talk.conn.intended);
    }

    fn begin(&mut self, talk: &mut Talk<'_>) {
        if talk.conn.due == NEVER {
            self.ready(talk);
        }
    }

    fn due(&mut self, talk: &mut Talk<'_>) {
        let now = talk.now();
        let mut count = 0;
        while talk.conn.intended <= now {
            let intended = talk.conn.intended;
            talk.tally().record(Timing::SendLate, now - intended, 1);
            if !talk.conn.flight.is_empty() {
                talk.tally().add(Count::Overlapped, 1);
            }
            self.set_next(talk, intended);
            if self.is_answered && talk.desk.outstanding >= OUTSTANDING_MAX {
                talk.tally().add(Count::Skipped, 1);
                continue;
            }
            if self.is_answered {
                talk.note(intended, 1);
            }
            count += 1;
        }
        talk.wake_at(talk.conn.intended);
        talk.request(count);
    }

    fn heard(&mut self, talk: &mut Talk<'_>, heard: &Heard, _: &[u8]) {
        talk.answered(heard.answers, self.rtt, Some(self.response));
        talk.tally().add(Count::Refused, heard.refused.into());
    }

    fn rest(&mut self, talk: &mut Talk<'_>) {
        talk.wake_at(NEVER);
    }

    /// An answer that never came took at least as long as it was waited for.
    fn give_up(&mut self, talk: &mut Talk<'_>) {
        let now = talk.now();
        for at in 0..talk.conn.flight.len() {
            let sent = talk.conn.flight[at];
            let age = now.saturating_sub(sent.intended);
            talk.tally().record(self.response, age, sent.count.into());
        }
    }
}

/// Requests of a worker without an answer: beyond, what is due is not sent, and the run is invalid.
/// Each takes 24 bytes; a rate that nobody can keep would take all memory.
const OUTSTANDING_MAX: u64 = 1 << 22;
