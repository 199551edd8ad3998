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
            began: wall,
            configured: (wall, 0),
            process: Process::default(),
            answered: [0; 4],
            peers: 0,
        }
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
        if !routes::is_open(&head.path) && !self.access.admits(head.token.as_deref()) {
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
