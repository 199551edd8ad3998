//! The daemon's handler: the protocol as it stands, a line in the log for each end, and what an
//! operator and a service manager want of it.

use std::time::Duration;

use log::debug;

use super::reload::Desk;
use super::service::Service;
use super::sweep::Sweep;
use crate::gate::{Configure, Gate, Ticket, TimerId};
use crate::handler::Handler;
use crate::id::ConnId;
use crate::reason::CloseReason;

/// What the last bytes of a shutdown may take beyond its own timeout.
const MARGIN: Duration = Duration::from_secs(5);

/// Passes everything on to the gate.
#[derive(Debug)]
pub(crate) struct Door {
    pub(super) desk: Desk,
    pub(super) service: Service,
    pub(super) sweep: Sweep,
}

impl Handler for Door {
    fn on_open(&mut self, gate: &mut Gate, conn: ConnId) {
        if let Some(peer) = gate.peer(conn) {
            debug!("{conn} opened peer={peer}");
        }
    }

    fn on_close(&mut self, gate: &mut Gate, conn: ConnId, reason: CloseReason) {
        if log::log_enabled!(log::Level::Debug) {
            let user = gate.user(conn).unwrap_or("-");
            let age = gate.age(conn).unwrap_or_default().as_secs();
            let (received, sent) = gate.traffic(conn).unwrap_or_default();
            debug!("{conn} closed reason={reason} user={user} age={age}s in={received} out={sent}");
        }
    }

    fn on_timer(&mut self, gate: &mut Gate, timer: TimerId) {
        if !self.service.on_timer(gate, timer) {
            self.sweep.on_timer(gate, timer);
        }
    }

    fn on_configure(&mut self, gate: &mut Gate, ticket: Ticket, what: Configure) {
        let reloads = what == Configure::Reload;
        match self.desk.ask(gate, ticket, what) {
            Ok(true) if reloads => self.service.reloading(),
            Ok(_) => {}
            Err(refused) => self.service.reloaded(&Err(vec![refused])),
        }
    }

    fn on_drain(&mut self, gate: &mut Gate) {
        let most = gate.drain_time() + MARGIN;
        self.service.stopping(gate, most);
    }
}
