//! A closed loop: so many requests are under way, and each answer brings the next one.
//!
//! Nobody asks before everybody is open: a loop that takes all a server has leaves none of it for
//! newcomers.

use super::{Role, Talk};
use crate::speech::Heard;
use crate::tally::{Count, Timing};

/// Keeps `depth` requests under way.
pub(crate) struct Echo {
    pub(crate) depth: u32,
}

impl Echo {
    fn ask(&self, talk: &mut Talk<'_>) {
        talk.note(talk.now(), self.depth);
        talk.request(self.depth);
    }
}

impl Role for Echo {
    fn ready(&mut self, talk: &mut Talk<'_>) {
        if !talk.desk.is_opening && !talk.desk.is_resting {
            self.ask(talk);
        }
    }

    fn begin(&mut self, talk: &mut Talk<'_>) {
        if talk.conn.flight.is_empty() {
            self.ask(talk);
        }
    }

    fn heard(&mut self, talk: &mut Talk<'_>, heard: &Heard, _: &[u8]) {
        if heard.answers == 0 {
            return;
        }
        talk.answered(heard.answers, Timing::Rtt, None);
        talk.tally().add(Count::Refused, heard.refused.into());
        if !talk.desk.is_resting {
            talk.note(talk.now(), heard.answers);
            talk.request(heard.answers);
        }
    }

    /// Whoever waits for an answer before speaking again has nothing to lose by not waiting.
    fn rest(&mut self, talk: &mut Talk<'_>) {
        talk.forget();
    }
}
