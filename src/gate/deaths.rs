//! What is left of a connection that ended: a small record each, the latest ones.
//!
//! A ring of bounded length: the oldest record makes room for the newest. Written when the reason
//! is set, so it tells what the connection was like then. Costs 136 bytes a record, and the name of
//! the user where it has more than 23 bytes; about 50 ns a death.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use smol_str::SmolStr;

use super::Gate;
use super::conn::NONE;
use super::end::{End, EndDetail, EndedBy};
use crate::id::{ConnId, ListenerId};
use crate::reason::CloseReason;

/// How a connection ended.
#[derive(Clone, Debug)]
pub struct Death {
    /// Which connection it was.
    pub conn: ConnId,
    /// Why it ended.
    pub reason: CloseReason,
    /// Who asked for it.
    pub by: EndedBy,
    /// Which of the things that its reason stands for it was, where there are several.
    pub detail: Option<EndDetail>,
    /// Whose it was; the name that was tried where that one is banned.
    pub user: Option<SmolStr>,
    /// Where the peer was.
    pub peer: SocketAddr,
    /// Which listener it came through.
    pub listener: ListenerId,
    /// When it ended, on the clock that [`Gate::now`] shows.
    pub at: Duration,
    /// The same on the clock that goes on while the loop stalls.
    pub(crate) ended: Duration,
    /// How long it had lived, in whole seconds.
    pub age: Duration,
    /// How long the peer had been silent; what the loop slept through and pauses of reading are
    /// not counted.
    pub silent: Duration,
    /// How long the socket had taken no bytes from us, stalls of the loop not counted.
    pub unsent: Duration,
    /// Bytes read from it.
    pub bytes_in: u64,
    /// Bytes its socket took.
    pub bytes_out: u64,
    /// Frames received.
    pub frames_in: u64,
    /// Frames put into its outbox.
    pub frames_out: u64,
    /// Bytes that waited for the socket.
    pub waiting: usize,
}

/// The latest deaths, the newest last.
#[derive(Debug, Default)]
pub(crate) struct Deaths(VecDeque<Death>);

/// Memory of one record, with a name of the longest kind.
pub(crate) const DEATH_COST: usize = size_of::<Death>() + 128 + 16;

impl Gate {
    /// The latest connections that ended, newest first; at most
    /// [`Limits::deaths`](crate::Limits::deaths).
    pub fn deaths(&self) -> impl ExactSizeIterator<Item = &Death> {
        self.deaths.0.iter().rev()
    }

    /// Writes down how a connection ends; to be called while it still has all that it had.
    pub(crate) fn bury(&mut self, index: u32, end: End) {
        let most = self.limits.deaths as usize;
        if most == 0 {
            return;
        }
        let live = self.clock.live();
        let conn = self.conns.at(index);
        let seconds = self.clock.seconds().saturating_sub(conn.opened_seconds);
        let user = (conn.user != NONE).then(|| self.users.at(conn.user).name.clone());
        let death = Death {
            conn: self.conns.id(index),
            reason: end.reason,
            by: end.by,
            detail: end.detail,
            user,
            peer: conn.peer(),
            listener: conn.listener,
            at: self.now(),
            ended: self.clock.elapsed(),
            age: Duration::from_secs(u64::from(seconds)),
            silent: live.since(conn.last_in).duration(),
            unsent: live.since(conn.last_out).duration(),
            bytes_in: conn.bytes_in,
            bytes_out: conn.bytes_out,
            frames_in: conn.frames_in,
            frames_out: conn.frames_out,
            waiting: conn.waiting(),
        };
        while self.deaths.0.len() >= most {
            self.deaths.0.pop_front();
        }
        self.deaths.0.push_back(death);
    }

    /// The connection that was just ended was nobody's, but would have been that user's.
    pub(crate) fn name_death(&mut self, index: u32, user: &str) {
        let conn = self.conns.id(index);
        if let Some(death) = self.deaths.0.back_mut()
            && death.conn == conn
        {
            death.user.get_or_insert_with(|| user.into());
        }
    }

    /// Full sweep: as many records as connections ended, up to the limit.
    pub(crate) fn check_deaths(&self) {
        let ended: u64 = self.stats.closed.iter().sum();
        let kept = self.deaths.0.len() as u64;
        let expected = ended.min(u64::from(self.limits.deaths));
        assert_eq!(kept, expected, "a record for each death, up to the limit");
    }
}
