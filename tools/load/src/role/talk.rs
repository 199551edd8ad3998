//! How a role acts on a connection.

use std::io::{ErrorKind, IoSlice};

use pulsegate::net::mio::MioNet;
use pulsegate::net::{Ending, Net};

use crate::tally::{Count, Tally, Timing};
use crate::worker::conn::{Conn, Sent};
use crate::worker::desk::Desk;

/// A connection in a role's hands.
pub(crate) struct Talk<'a> {
    pub(crate) desk: &'a mut Desk,
    pub(crate) conn: &'a mut Conn,
    pub(crate) index: u32,
    /// What is to become of the connection once the role is done with it.
    pub(crate) wish: Option<Wish>,
}

/// What a role wants done with a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wish {
    /// Close it for good.
    Leave(Ending),
    /// Close it and open it again at this moment.
    Return(Ending, u64),
}

impl Talk<'_> {
    /// The clock, as of the event in hand.
    pub(crate) fn now(&self) -> u64 {
        self.desk.now
    }

    pub(crate) fn tally(&mut self) -> &mut Tally {
        self.desk.tally(self.conn)
    }

    /// Has [`Role::due`](super::Role::due) called at `at`.
    pub(crate) fn wake_at(&mut self, at: u64) {
        self.desk.wake(self.index, self.conn, at);
    }

    /// Notes requests that are about to be sent and were meant for `intended`.
    pub(crate) fn note(&mut self, intended: u64, count: u32) {
        let sent = self.desk.now;
        self.desk.outstanding += u64::from(count);
        self.conn.flight.push_back(Sent {
            intended,
            sent,
            count,
        });
    }

    /// Sends so many requests.
    pub(crate) fn request(&mut self, mut count: u32) {
        self.tally().add(Count::Sent, u64::from(count));
        while count > 0 {
            let (bytes, times) = self.desk.speech.requests(count);
            // A request is never empty, nor longer than a bulk.
            assert!(times > 0, "a bulk holds at least one request");
            count -= times;
            let sent = bytes.len() as u64;
            if send(&mut self.desk.net, self.conn, bytes).is_err() {
                self.desk.fallen.push(self.index);
            }
            self.desk.tallies[usize::from(self.conn.cohort)].add(Count::BytesOut, sent);
        }
    }

    /// Sends bytes that are no request.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        if send(&mut self.desk.net, self.conn, bytes).is_err() {
            self.desk.fallen.push(self.index);
        }
        self.tally().add(Count::BytesOut, bytes.len() as u64);
    }

    /// Reads at most so many bytes, and throws them away.
    pub(crate) fn sip(&mut self, bytes: usize) {
        let mut buffer = [0; 1_024];
        let bytes = bytes.min(buffer.len());
        let Some(stream) = &mut self.conn.stream else {
            return;
        };
        match self.desk.net.read(stream, &mut buffer[..bytes]) {
            Ok(0) => self.desk.fallen.push(self.index),
            Ok(count) => self.tally().add(Count::BytesIn, count as u64),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.desk.fallen.push(self.index),
        }
    }

    /// Counts so many answers and times them, from the oldest request on.
    pub(crate) fn answered(&mut self, mut count: u32, rtt: Timing, response: Option<Timing>) {
        let now = self.desk.now;
        let tally = &mut self.desk.tallies[usize::from(self.conn.cohort)];
        while count > 0 {
            // Answers to what was forgotten when the run came to its end.
            let Some(oldest) = self.conn.flight.front_mut() else {
                return;
            };
            let part = oldest.count.min(count);
            let times = u64::from(part);
            tally.add(Count::Answered, times);
            tally.record(rtt, now.saturating_sub(oldest.sent), times);
            if let Some(response) = response {
                tally.record(response, now.saturating_sub(oldest.intended), times);
            }
            self.desk.outstanding -= times;
            oldest.count -= part;
            count -= part;
            if oldest.count == 0 {
                self.conn.flight.pop_front();
            }
        }
    }

    /// Forgets the requests without an answer.
    pub(crate) fn forget(&mut self) {
        self.desk.outstanding -= self.conn.outstanding();
        self.conn.flight.clear();
    }
}

/// The socket takes nothing any more: it is dead.
#[derive(Debug)]
pub(crate) struct Fallen;

/// Sends, behind what waits; what the socket does not take waits.
///
/// # Errors
/// Where the socket is dead.
pub(crate) fn send(net: &mut MioNet, conn: &mut Conn, bytes: &[u8]) -> Result<(), Fallen> {
    let Some(stream) = &mut conn.stream else {
        return Ok(());
    };
    let mut taken = 0;
    if conn.unsent.is_empty() {
        match net.write(stream, &[IoSlice::new(bytes)]) {
            Ok(written) => taken = written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return Err(Fallen),
        }
    }
    conn.unsent.extend_from_slice(&bytes[taken..]);
    Ok(())
}
