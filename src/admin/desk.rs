//! All connections to the admin interface, and what they are judged by. Knows no socket.

use std::net::SocketAddr;
use std::time::Duration;

use super::access::AdminAccess;
use super::answer::Refusal;
use super::limits::AdminLimits;
use super::routes;
use crate::codec::http::Head;
use crate::gate::Gate;
use crate::net::Process;

/// What the answers of all connections are made from, beside the gate.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) limits: AdminLimits,
    pub(crate) access: AdminAccess,
    /// Where it is bound; `None` is a Unix socket.
    pub(crate) bound: Option<SocketAddr>,
    /// Bytes of bodies that are under way.
    pub(crate) bodies: usize,
    /// Bytes of memory that connections hold: requests, answers, what they are made from.
    pub(crate) held: usize,
    /// The wall clock, this turn.
    pub(crate) wall: Duration,
    /// What the wall clock showed when that of the loop began. Points in time are counted from it,
    /// so that each is told as the same however often it is asked for.
    epoch: Duration,
    /// The same when the loop began.
    pub(crate) began: Duration,
    /// The wall clock when a configuration was taken over, how many had been by then.
    pub(crate) configured: (Duration, u64),
    /// What the system said of the process, lately.
    pub(crate) process: Process,
    /// Requests answered, by the hundreds of their status, from 200 on.
    pub(crate) answered: [u64; 4],
    /// Connections now.
    pub(crate) peers: usize,
}

/// Where the wall clock is off by more, it was set.
const CLOCK_SET: Duration = Duration::from_millis(500);

impl Facts {
    pub(crate) fn new(
        limits: AdminLimits,
        access: AdminAccess,
        bound: Option<SocketAddr>,
        wall: Duration,
    ) -> Self {
        Self {
            limits,
            access,
            bound,
            bodies: 0,
            held: 0,
            wall,
            epoch: Duration::MAX,
            began: wall,
            configured: (wall, 0),
            process: Process::default(),
            answered: [0; 4],
            peers: 0,
        }
    }

    /// Takes a reading of the wall clock; `now` is how long the loop has run.
    pub(crate) fn read_wall(&mut self, wall: Duration, now: Duration) {
        self.wall = wall;
        let epoch = wall.saturating_sub(now);
        if epoch.abs_diff(self.epoch) > CLOCK_SET {
            self.epoch = epoch;
        }
    }

    /// A point in time, `at` since the loop began, in milliseconds since 1970.
    pub(crate) fn point(&self, at: Duration) -> u64 {
        let at = self.epoch.saturating_add(at);
        u64::try_from(at.as_millis()).unwrap_or(u64::MAX)
    }

    /// A reload has news for us in the turn in which it takes place.
    pub(crate) fn note_reloads(&mut self, gate: &Gate) {
        let reloads = gate.stats().reloads;
        if self.configured.1 != reloads {
            self.configured = (self.wall, reloads);
        }
    }

    /// Judges a head, before its body is read.
    pub(crate) fn permit(&self, head: &Head) -> Result<(), Refusal> {
        let host = head.host.as_deref();
        if host.is_some_and(|host| !self.access.knows(host, self.bound)) {
            return Err(Refusal::forbidden("this interface has another Host"));
        }
        // What is open to everybody has no body: who sends one waits for nobody's sake.
        let is_open = routes::is_open(&head.path) && head.body == 0;
        if !is_open && !self.access.admits(head.token.as_ref()) {
            let text = "show the token: Authorization: Bearer TOKEN";
            return Err(Refusal::new(401, "bad-credentials", text));
        }
        if head.body > self.limits.body_bytes {
            return Err(Refusal::too_large("the body is too large"));
        }
        if self.bodies + head.body > self.limits.bodies_budget {
            return Err(Refusal::overloaded("too many bodies are under way"));
        }
        Ok(())
    }
}
