//! The daemon's handler: the protocol as it stands, and a line in the log for each end.

use log::debug;

use crate::gate::Gate;
use crate::handler::Handler;
use crate::id::ConnId;
use crate::reason::CloseReason;

/// Takes logins as they come and passes everything on to the gate.
#[derive(Debug)]
pub(crate) struct Door;

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
}
