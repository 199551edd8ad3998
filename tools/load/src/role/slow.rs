//! Asks without end and hardly reads the answers, until the server has enough.

use socket2::SockRef;

use super::{Role, Talk};
use crate::tally::{Count, Timing};

/// A reader of so many bytes a second.
pub(crate) struct Slow {
    /// Bytes taken by one sip.
    sip: usize,
    /// Between two sips.
    every: u64,
}

impl Slow {
    pub(crate) fn new(bytes_per_second: u32) -> Self {
        let rate = u64::from(bytes_per_second);
        let sips = rate.clamp(1, SIPS_A_SECOND);
        Self {
            sip: usize::try_from(rate.div_ceil(sips)).unwrap_or(usize::MAX),
            every: SECOND / sips,
        }
    }
}

impl Role for Slow {
    fn ready(&mut self, talk: &mut Talk<'_>) {
        talk.conn.is_deaf = true;
        if let Some(stream) = &talk.conn.stream {
            // Where it fails, more fits in between before the server feels anything.
            let _ = SockRef::from(stream).set_recv_buffer_size(WINDOW);
        }
        talk.conn.began = talk.now();
        // Here: the next sip.
        talk.conn.intended = talk.now();
        self.due(talk);
    }

    fn due(&mut self, talk: &mut Talk<'_>) {
        if talk.desk.is_resting {
            return;
        }
        if self.sip > 0 && talk.conn.intended <= talk.now() {
            talk.conn.intended += self.every;
            talk.sip(self.sip);
        }
        if talk.conn.unsent.is_empty() {
            talk.request(ASKED);
        }
        talk.wake_at(talk.now() + LOOK);
    }

    fn ended(&mut self, talk: &mut Talk<'_>) -> bool {
        let after = talk.now() - talk.conn.began;
        talk.tally().add(Count::Closed, 1);
        talk.tally().record(Timing::ClosedAfter, after, 1);
        true
    }
}

const SECOND: u64 = 1_000_000_000;
const SIPS_A_SECOND: u64 = 20;
/// Between two looks whether more can be asked.
const LOOK: u64 = SECOND / 20;
/// Requests at once.
const ASKED: u32 = 32_768;
/// Bytes that our kernel takes in for us: the least it will.
const WINDOW: usize = 2_048;
