//! What no decent client sends, and what the server did with it.

use pulsegate::net::Ending;

use super::{Role, Talk, Wish};
use crate::plan::{Plan, Trick};
use crate::speech::Heard;
use crate::tally::{Count, Timing};
use crate::worker::conn::NEVER;

/// One trick, played once on each connection.
pub(crate) struct Torn {
    trick: Trick,
    /// What is sent at once.
    bytes: Vec<u8>,
    /// By index of a connection: how much of a request it has dripped.
    dripped: Vec<usize>,
}

impl Torn {
    pub(crate) fn new(trick: Trick, plan: &Plan) -> Self {
        // The plan was checked: there is a speech.
        let request = plan
            .speech
            .speech()
            .map_or_else(|_| Vec::new(), |speech| speech.request().to_vec());
        let bytes = match trick {
            Trick::Glued => request.repeat(GLUED as usize),
            Trick::Dripped => request,
            Trick::Half => request[..request.len().div_ceil(2)].to_vec(),
            Trick::Giant => plan.speech.giant(),
            Trick::Garbage => (0..GARBAGE)
                .map(|place: u8| place.wrapping_mul(167) | 0x80)
                .collect(),
        };
        Self {
            trick,
            bytes,
            dripped: Vec::new(),
        }
    }

    /// Whether it is right that the server makes an end.
    fn deserves_it(&self) -> bool {
        matches!(self.trick, Trick::Half | Trick::Giant | Trick::Garbage)
    }
}

impl Role for Torn {
    fn ready(&mut self, talk: &mut Talk<'_>) {
        talk.conn.began = talk.now();
        match self.trick {
            Trick::Dripped => {
                talk.note(talk.now(), 1);
                talk.tally().add(Count::Sent, 1);
                talk.wake_at(talk.now() + DRIP);
            }
            Trick::Glued => {
                talk.note(talk.now(), GLUED);
                talk.tally().add(Count::Sent, GLUED.into());
                talk.say(&self.bytes);
            }
            Trick::Half | Trick::Giant | Trick::Garbage => talk.say(&self.bytes),
        }
    }

    /// The next byte of a request.
    fn due(&mut self, talk: &mut Talk<'_>) {
        let index = talk.index as usize;
        if index >= self.dripped.len() {
            self.dripped.resize(index + 1, 0);
        }
        let place = self.dripped[index];
        if let Some(byte) = self.bytes.get(place) {
            talk.say(&[*byte]);
            self.dripped[index] += 1;
            talk.wake_at(talk.now() + DRIP);
        }
    }

    fn heard(&mut self, talk: &mut Talk<'_>, heard: &Heard, _: &[u8]) {
        if self.deserves_it() {
            // An answer that says no is one of the right things to do.
            talk.tally().add(Count::Answered, heard.answers.into());
        } else {
            talk.answered(heard.answers, Timing::Rtt, None);
            talk.tally().add(Count::Refused, heard.refused.into());
            if talk.conn.flight.is_empty() {
                talk.wish = Some(Wish::Leave(Ending::Graceful));
            }
        }
    }

    fn ended(&mut self, talk: &mut Talk<'_>) -> bool {
        if self.deserves_it() {
            let after = talk.now() - talk.conn.began;
            talk.tally().add(Count::Closed, 1);
            talk.tally().record(Timing::ClosedAfter, after, 1);
        }
        self.deserves_it()
    }

    fn rest(&mut self, talk: &mut Talk<'_>) {
        if self.trick == Trick::Dripped
            && self.dripped.get(talk.index as usize) < Some(&self.bytes.len())
        {
            talk.forget();
        }
        talk.wake_at(NEVER);
    }
}

/// Requests in one segment.
const GLUED: u32 = 16;
/// Between two bytes: 5 ms.
const DRIP: u64 = 5_000_000;
/// Bytes that mean nothing.
const GARBAGE: u8 = 200;
