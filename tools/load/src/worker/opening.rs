//! The way to an open connection, from it, and back: see [`State`].

use pulsegate::net::{Ending, Net};
use pulsegate::{ConnId, Token};
use rand_xoshiro::rand_core::Rng;

use super::Worker;
use super::conn::{NEVER, State};
use crate::dial;
use crate::plan::Policy;
use crate::role::send;
use crate::speech::Heard;
use crate::tally::{Count, Timing};
use crate::units::nanos;

impl Worker {
    /// The connection's moment has come.
    pub(super) fn expire_one(&mut self, index: u32) {
        let conn = &mut self.conns[index as usize];
        if conn.due == NEVER {
            return;
        }
        if conn.due > self.desk.now {
            return self.desk.agenda.set(index, conn.due);
        }
        conn.due = NEVER;
        match conn.state {
            State::Waiting => {
                self.desk.shift(conn, State::Queued);
                self.queue.push_back(index);
            }
            State::Dialing => self.failed(index, Count::ConnectTimeout),
            State::Greeting => self.failed(index, Count::GreetingFailed),
            State::Open => self.with_role(index, |role, talk| role.due(talk)),
            State::Off | State::Queued | State::Gone => {}
        }
    }

    /// Begins as many connects as may be under way.
    pub(super) fn dial(&mut self) {
        for _ in 0..DIALS {
            if self.desk.in_flight >= self.dial_max {
                return;
            }
            let Some(index) = self.queue.pop_front() else {
                return;
            };
            if self.conns[index as usize].state == State::Queued {
                self.dial_one(index);
            }
        }
    }

    fn dial_one(&mut self, index: u32) {
        let now = self.desk.look_at_clock();
        let conn = &mut self.conns[index as usize];
        self.desk.tally(conn).add(Count::Dials, 1);
        self.desk.shift(conn, State::Dialing);
        self.desk.in_flight += 1;
        conn.began = now;
        conn.serial = (conn.serial + 1) & ConnId::SERIAL_MAX;
        let token = Token::Conn(ConnId {
            index,
            serial: conn.serial,
        });
        let dialed = self
            .routes
            .dial(self.desk.id_of(conn))
            .and_then(|mut stream| {
                self.desk.net.register(&mut stream, token)?;
                Ok(stream)
            });
        match dialed {
            Ok(stream) => {
                conn.stream = Some(stream);
                let timeout = nanos(self.desk.plan.dial.timeout);
                self.desk.wake(index, conn, now + timeout);
            }
            Err(error) => self.failed(index, dial::kind(&error)),
        }
    }

    /// Looks what became of a connect.
    pub(super) fn dialed(&mut self, index: u32) {
        let conn = &mut self.conns[index as usize];
        let Some(stream) = &conn.stream else { return };
        match dial::outcome(stream) {
            None => {}
            Some(Err(error)) => self.failed(index, dial::kind(&error)),
            Some(Ok(())) => {
                let now = self.desk.look_at_clock();
                let tally = self.desk.tally(conn);
                tally.record(Timing::Connect, now - conn.began, 1);
                self.desk.shift(conn, State::Greeting);
                let mut greeting = Vec::new();
                let id = self.desk.id_of(conn);
                let speech = &self.desk.speech;
                let role = &self.roles[usize::from(conn.cohort)];
                conn.greeting = speech.greet(id, &mut greeting);
                conn.greeting += role.greet(conn, speech, &mut greeting);
                if !greeting.is_empty() && send(&mut self.desk.net, conn, &greeting).is_err() {
                    return self.failed(index, Count::GreetingFailed);
                }
                if conn.greeting == 0 {
                    self.opened(index);
                }
            }
        }
    }

    /// Answers have come to a greeting.
    pub(super) fn greeted(&mut self, index: u32, heard: &Heard) {
        if heard.refused > 0 {
            return self.failed(index, Count::GreetingFailed);
        }
        let conn = &mut self.conns[index as usize];
        conn.greeting = conn.greeting.saturating_sub(heard.answers);
        if conn.greeting == 0 {
            self.opened(index);
        }
    }

    fn opened(&mut self, index: u32) {
        let conn = &mut self.conns[index as usize];
        self.desk.wake(index, conn, NEVER);
        self.desk.in_flight -= 1;
        self.desk.shift(conn, State::Open);
        conn.attempts = 0;
        let (now, intended) = (self.desk.now, conn.intended);
        let tally = self.desk.tally(conn);
        tally.add(Count::Opened, 1);
        tally.record(Timing::Ready, now.saturating_sub(intended), 1);
        let left = std::mem::replace(&mut conn.left, NEVER);
        if left != NEVER {
            let back = now.saturating_sub(left);
            self.desk.tally(conn).record(Timing::Back, back, 1);
        }
        self.with_role(index, |role, talk| role.ready(talk));
    }

    /// An attempt came to nothing.
    pub(super) fn failed(&mut self, index: u32, kind: Count) {
        let conn = &self.conns[index as usize];
        let intended = conn.intended;
        self.desk.tally(conn).add(kind, 1);
        self.leave(index, Ending::Abort);
        self.come_back(index, intended);
    }

    /// A connection has ended that should not have.
    pub(super) fn lose(&mut self, index: u32, ending: Ending) {
        let conn = &self.conns[index as usize];
        match conn.state {
            State::Open => self.lose_open(index, ending),
            State::Greeting => self.failed(index, Count::GreetingFailed),
            State::Dialing => self.failed(index, Count::ConnectReset),
            State::Off | State::Waiting | State::Queued | State::Gone => {}
        }
    }

    fn lose_open(&mut self, index: u32, ending: Ending) {
        let mut is_meant = false;
        self.with_role(index, |role, talk| is_meant = role.ended(talk));
        let conn = &mut self.conns[index as usize];
        if conn.state != State::Open {
            return;
        }
        let intended = conn.intended;
        if !is_meant {
            conn.left = self.desk.now;
            self.desk.tally(conn).add(Count::Lost, 1);
        }
        self.leave(index, ending);
        if !is_meant {
            self.come_back(index, intended);
        }
    }

    /// Leaves in a disturbance, to come back by the cohort's policy.
    pub(super) fn storm_out(&mut self, index: u32) {
        let conn = &mut self.conns[index as usize];
        conn.left = self.desk.phase_began;
        let intended = conn.intended;
        self.desk.tally(conn).add(Count::Left, 1);
        self.leave(index, Ending::Abort);
        self.come_back(index, intended);
    }

    /// Closes a connection, and forgets what belonged to it.
    pub(super) fn leave(&mut self, index: u32, ending: Ending) {
        let conn = &mut self.conns[index as usize];
        if matches!(conn.state, State::Dialing | State::Greeting) {
            self.desk.in_flight -= 1;
        }
        self.desk.wake(index, conn, NEVER);
        let unanswered = conn.outstanding();
        self.desk.outstanding -= unanswered;
        self.desk.tally(conn).add(Count::Unanswered, unanswered);
        conn.flight.clear();
        (conn.held, conn.unsent) = (Vec::new(), Vec::new());
        // Whatever is still told of the old socket is told of nobody.
        conn.serial = (conn.serial + 1) & ConnId::SERIAL_MAX;
        if let Some(stream) = conn.stream.take() {
            let _ = self.desk.net.close(stream, ending);
        }
        self.desk.shift(conn, State::Gone);
    }

    /// What follows a failure or a loss.
    fn come_back(&mut self, index: u32, intended: u64) {
        let conn = &mut self.conns[index as usize];
        if self.desk.is_resting {
            return;
        }
        let own = self.roles[usize::from(conn.cohort)].next_dial(intended);
        let policy = self.desk.plan.cohorts[usize::from(conn.cohort)].reconnect;
        let attempts = conn.attempts;
        conn.attempts = attempts.saturating_add(1);
        let pause = match policy {
            Policy::Never => own.map(|at| at.saturating_sub(self.desk.now)),
            // A breath, lest a refusal be answered within the same turn for ever.
            Policy::Immediate => Some(u64::from(attempts > 0) * IMMEDIATELY),
            Policy::Fixed { after } => Some(nanos(after)),
            Policy::Exponential { base, max } => {
                let bound = nanos(base)
                    .saturating_mul(1 << attempts.min(32))
                    .min(nanos(max));
                Some(self.desk.dice.next_u64() % (bound + 1))
            }
        };
        if let Some(pause) = pause {
            let at = own.unwrap_or(self.desk.now + pause);
            self.wait_until(index, at);
        }
    }

    /// Has the connection opened at `at`.
    pub(super) fn wait_until(&mut self, index: u32, at: u64) {
        let conn = &mut self.conns[index as usize];
        conn.intended = at;
        self.desk.shift(conn, State::Waiting);
        self.desk.wake(index, conn, at);
    }
}

/// Connects begun in a turn: who is due must not wait for all of them.
const DIALS: u32 = 16;
/// The pause between immediate attempts after the first: 1 ms.
const IMMEDIATELY: u64 = 1_000_000;
