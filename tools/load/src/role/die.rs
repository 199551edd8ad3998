//! Lives an orderly life until a disturbed phase begins, and then dies in one of the known ways.
//!
//! The server should close the silent `expect` after it heard their last byte, and those that say
//! FIN at once. A reset leaves us no socket, and one that has vanished hears nothing any more: when
//! the server has noticed is seen in its descriptors (`--server-pid`).
//!
//! How late an end is counts to the moment when the kernel took it in, not to the one when we came
//! to look: what lies between is our own fault, and recorded as such (`seen_late`).
//!
//! To vanish takes no privilege: the socket asks for packets with more hops left than any has, so
//! that our kernel throws away whatever comes without an answer, and we say nothing. That is all
//! the peer of a pulled plug ever sees.

use std::io;
use std::time::Duration;

use mio::net::TcpStream;
use pulsegate::net::{Ending, Net};

use socket2::SockRef;

use super::paced::Paced;
use super::{Role, Talk, Wish};
use crate::plan::{Cohort, Death};
use crate::sockopt;
use crate::speech::Heard;
use crate::tally::{Count, Timing};
use crate::units::nanos;
use crate::worker::conn::NEVER;

/// Who will die.
pub(crate) struct Die {
    life: Paced,
    how: Death,
    expect: u64,
    /// Everybody says a last heartbeat when the deaths begin, so that all are due at once.
    together: bool,
    /// By index of a connection: when it is to be closed; zero while it lives.
    deadlines: Vec<u64>,
}

impl Die {
    pub(crate) fn new(
        cohort: &Cohort,
        (how, together): (Death, bool),
        (every, expect): (Duration, Duration),
    ) -> Self {
        Self {
            life: Paced::beat(cohort, every, 0.0, true),
            how,
            expect: nanos(expect),
            together,
            deadlines: Vec::new(),
        }
    }

    /// Says one heartbeat, and notes when.
    fn beat(talk: &mut Talk<'_>) {
        // Before the bytes leave: the server's timeout can not have begun any earlier.
        talk.conn.began = talk.desk.look_at_clock();
        talk.note(talk.now(), 1);
        talk.request(1);
    }

    /// Notes that the server should close by `deadline`.
    fn set_deadline(&mut self, talk: &Talk<'_>, deadline: u64) {
        let index = talk.index as usize;
        if index >= self.deadlines.len() {
            self.deadlines.resize(index + 1, 0);
        }
        self.deadlines[index] = deadline;
    }

    fn deadline(&self, talk: &Talk<'_>) -> u64 {
        let deadline = self.deadlines.get(talk.index as usize);
        deadline.copied().unwrap_or(0)
    }
}

impl Role for Die {
    fn ready(&mut self, talk: &mut Talk<'_>) {
        self.life.ready(talk);
        // The first byte: from here on there is a last one.
        talk.conn.began = talk.now();
        if !talk.desk.is_resting {
            Self::beat(talk);
        }
    }

    fn due(&mut self, talk: &mut Talk<'_>) {
        // As in `beat`.
        talk.conn.began = talk.desk.look_at_clock();
        self.life.due(talk);
    }

    fn heard(&mut self, talk: &mut Talk<'_>, heard: &Heard, input: &[u8]) {
        self.life.heard(talk, heard, input);
    }

    fn disturb(&mut self, talk: &mut Talk<'_>) {
        talk.wake_at(NEVER);
        talk.tally().add(Count::Died, 1);
        if self.together {
            Self::beat(talk);
        }
        let now = talk.desk.look_at_clock();
        match self.how {
            Death::Silent => self.set_deadline(talk, talk.conn.began + self.expect),
            Death::Fin => {
                self.set_deadline(talk, now);
                if let Some(stream) = &mut talk.conn.stream {
                    // Where it fails the peer is gone, which will be read.
                    let _ = talk.desk.net.shutdown_write(stream);
                }
            }
            Death::Rst => {
                talk.forget();
                talk.wish = Some(Wish::Leave(Ending::Abort));
            }
            Death::Vanish => {
                talk.forget();
                talk.conn.is_deaf = true;
                if talk
                    .conn
                    .stream
                    .as_ref()
                    .is_some_and(|stream| vanish(stream).is_err())
                {
                    talk.tally().add(Count::NotDead, 1);
                }
                let silence = talk.desk.phase_began.saturating_sub(talk.conn.began);
                talk.tally().record(Timing::Silence, silence, 1);
            }
        }
    }

    fn ended(&mut self, talk: &mut Talk<'_>) -> bool {
        let deadline = self.deadline(talk);
        if deadline == 0 {
            return false;
        }
        let now = talk.desk.look_at_clock();
        let stream = talk.conn.stream.as_ref();
        let lag = stream.and_then(sockopt::since_fin).map(nanos);
        talk.forget();
        talk.tally().add(Count::Closed, 1);
        if let Some(lag) = lag {
            talk.tally().record(Timing::SeenLate, lag, 1);
        }
        let closed = now.saturating_sub(lag.unwrap_or(0));
        match closed.checked_sub(deadline) {
            Some(late) => talk.tally().record(Timing::CloseLate, late, 1),
            // Only what was seen before the deadline is surely early.
            None if now >= deadline && deadline - closed <= LAG_BLUR => {
                talk.tally().record(Timing::CloseLate, 0, 1);
            }
            None => talk.tally().add(Count::ClosedEarly, 1),
        }
        true
    }

    fn rest(&mut self, talk: &mut Talk<'_>) {
        self.life.rest(talk);
    }

    fn give_up(&mut self, talk: &mut Talk<'_>) {
        talk.forget();
    }
}

/// Our own lag is known to a few of the kernel's ticks, which come late themselves on a machine
/// that is not always given its time: 20 ms.
const LAG_BLUR: u64 = 20_000_000;

/// Has our kernel throw away what comes, and end the socket by a reset once the run is over: nobody
/// would answer a FIN.
fn vanish(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
    let (level, name) = if stream.peer_addr()?.is_ipv4() {
        (libc::IPPROTO_IP, libc::IP_MINTTL)
    } else {
        (libc::IPPROTO_IPV6, libc::IPV6_MINHOPCOUNT)
    };
    sockopt::set(stream, level, name, HOPS_MAX)
}

/// Packets begin with 64 hops, seldom with 128; one with all 255 of them has come no way at all.
const HOPS_MAX: libc::c_int = 255;
