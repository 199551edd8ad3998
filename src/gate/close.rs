//! How a connection ends. One way in: a reason is set once, the user and the topics are free at
//! once, the handler is told in this turn; the socket follows when its output has left.

use std::time::Duration;

use super::Gate;
use super::conn::{Flags, NONE, Phase};
use super::end::{End, EndedBy};
use super::queue::Farewell;
use crate::codec::reply::{self, Reply};
use crate::id::ConnId;
use crate::reason::CloseReason;

impl Gate {
    /// Ends a connection: what waits for it is still written, then the goodbye, where its dialect
    /// has one. Whether it was still open.
    pub fn close(&mut self, conn: ConnId, reason: CloseReason) -> bool {
        self.close_by(conn, End::by(reason, EndedBy::Application))
    }

    /// The same, whoever asks for it.
    pub(crate) fn close_by(&mut self, conn: ConnId, end: End) -> bool {
        let found = self.conns.find_open(conn);
        found.inspect(|&index| self.close_at(index, end)).is_some()
    }

    /// Ends every connection of a user with `close kicked`; how many there were.
    pub fn kick(&mut self, user: &str) -> usize {
        self.kick_by(user, EndedBy::Application)
    }

    /// The same, whoever asks for it.
    pub(crate) fn kick_by(&mut self, user: &str, by: EndedBy) -> usize {
        let end = End::by(CloseReason::Kicked, by);
        let conns: Vec<ConnId> = self.connections_of(user).collect();
        let ended = conns.iter().filter(|conn| self.close_by(**conn, end));
        ended.count()
    }

    pub(crate) fn close_at(&mut self, index: u32, end: impl Into<End>) {
        let end = end.into();
        let after = match end.reason {
            CloseReason::Overloaded | CloseReason::RateLimited => {
                self.rules_of(index).settings.reconnect
            }
            _ => Duration::ZERO,
        };
        self.close_until(index, end, after);
    }

    /// The same; the goodbye says when to come back.
    pub(crate) fn close_until(&mut self, index: u32, end: End, after: Duration) {
        let ms = u32::try_from(after.as_millis()).unwrap_or(u32::MAX);
        let reason = end.reason;
        let has_goodbye = self.rules_of(index).is_gate() && !reason.is_peer_gone();
        let goodbye = Reply::Close(reason, ms);
        if has_goodbye && self.is_tapping() && self.conns.at(index).is_open() {
            // As long as it is known whose connection it is.
            self.show(index, &goodbye);
        }
        if !self.retire(index, end) {
            return;
        }
        if reason == CloseReason::PeerReset {
            return self.cut_at(index, end);
        }
        if has_goodbye {
            self.reply(index, &goodbye, None);
        }
        self.settle_closing(index);
    }

    /// Shows a reply that is still to be said to whoever taps the user.
    #[cold]
    fn show(&mut self, index: u32, reply: &Reply<'_>) {
        let framing = self.wires.get(self.wire_of(index));
        let mut frame = Vec::new();
        if reply::encode(reply, None, framing, &mut frame).is_ok() {
            self.tell_frame(index, "out", &frame);
        }
    }

    /// A decoder or the handler panicked over what the connection sent: a bug that ends this
    /// connection. It may have been half-way through a change of the gate, which is swept for that
    /// at the end of the turn.
    pub(crate) fn survive(&mut self, index: u32) {
        self.stats.panics += 1;
        self.is_suspect = true;
        self.close_at(index, CloseReason::Internal);
        self.answering = NONE;
        self.held.clear();
    }

    /// Ends a connection without a word: what it speaks is not our protocol.
    pub(crate) fn close_silently(&mut self, index: u32, end: End) {
        if self.retire(index, end) {
            self.settle_closing(index);
        }
    }

    /// Ends a connection at once, by a reset: what waits for it is thrown away. Also for one that
    /// takes too long over its goodbye.
    pub(crate) fn cut_at(&mut self, index: u32, end: impl Into<End>) {
        self.retire(index, end.into());
        self.drop_output(index);
        self.leave_socket(index, Phase::Cut);
    }

    /// Everything but the socket: user, topics, input, counters; the handler is told this turn.
    fn retire(&mut self, index: u32, end: End) -> bool {
        if !self.conns.at(index).is_open() {
            return false;
        }
        let reason = end.reason;
        self.bury(index, end);
        drop(self.take_input(index));
        while let Some(held) = self.conns.at(index).topics().last().copied() {
            self.topics.leave(&mut self.conns, held.topic, index);
        }
        self.track_held(index);
        self.leave_source(index);
        let user = self.unbind(index, reason == CloseReason::Replaced);
        self.tell_close(index, reason, user.as_deref());
        self.conns.retire(index, Phase::Closing, reason);
        let crowd = self.crowd_of(index);
        crowd.open -= 1;
        crowd.closing += 1;
        self.stats.closed[reason as usize] += 1;
        let now = self.clock.live();
        let conn = self.conns.at_mut(index);
        conn.flags
            .clear(Flags::THROTTLED | Flags::RESTING | Flags::VEILED);
        let pending = conn.extra.take().and_then(|extra| extra.pending);
        conn.since = now;
        let passing = Flags::CHOKED | Flags::OWED | Flags::BUFFERED | Flags::HALF_FRAME;
        conn.flags.clear(passing | Flags::TRACKS | Flags::COLLECTS);
        if !conn.flags.has(Flags::UNTOLD) {
            let conn = self.conns.id(index);
            self.queues.farewells.push_back(Farewell { conn, user });
        }
        self.undecided -= u32::from(pending.is_some_and(|pending| pending.is_login));
        true
    }

    /// What comes after the goodbye was appended: nothing where nothing waits.
    fn settle_closing(&mut self, index: u32) {
        let conn = self.conns.at(index);
        if conn.phase != Phase::Closing {
            return;
        }
        if conn.outbox.is_none() {
            return self.leave_socket(index, Phase::Gone);
        }
        self.touch(index);
    }

    /// All output of a closing connection was written. Whether the loop must now shut its side
    /// down and wait for the peer to read; else the socket can go.
    pub(crate) fn begin_linger(&mut self, index: u32) -> bool {
        let now = self.clock.live();
        let conn = self.conns.at_mut(index);
        if conn.flags.has(Flags::EOF) {
            self.leave_socket(index, Phase::Gone);
            return false;
        }
        conn.phase = Phase::Lingering;
        conn.since = now;
        conn.lingered = 0;
        if conn.flags.has(Flags::READABLE) {
            self.queues.push_ready(&mut self.conns, index);
        }
        self.touch(index);
        true
    }

    /// Input after the goodbye: counted and thrown away, up to a limit.
    pub(crate) fn lingered(&mut self, index: u32, bytes: usize) {
        let conn = self.conns.at_mut(index);
        conn.lingered = conn
            .lingered
            .saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        if conn.lingered > self.limits.linger_bytes {
            self.end_linger(index);
        }
    }

    /// The peer had its time to read the goodbye, and has not closed its side.
    ///
    /// Where its end is its own fault, a reset throws away what the kernel still holds for it:
    /// else whoever reads nothing leaves a socket without an owner behind, for minutes, and a
    /// crowd of them as many. A goodbye that has arrived can be read after it as before.
    pub(crate) fn end_linger(&mut self, index: u32) {
        let reason = self.conns.at(index).reason;
        let phase = match reason.is_some_and(CloseReason::is_peers_fault) {
            true => Phase::Cut,
            false => Phase::Gone,
        };
        self.leave_socket(index, phase);
    }

    /// The socket can be closed.
    pub(crate) fn leave_socket(&mut self, index: u32, phase: Phase) {
        let conn = self.conns.at_mut(index);
        match conn.phase {
            Phase::Closing | Phase::Lingering => {}
            Phase::Free | Phase::Open | Phase::Gone | Phase::Cut => return,
        }
        conn.phase = phase;
        self.queues.gone.push_back(self.conns.id(index));
    }

    /// The socket is closed: forgets the connection.
    pub(crate) fn forget(&mut self, index: u32) {
        self.drop_output(index);
        self.wheel.remove(index);
        self.crowd_of(index).closing -= 1;
        self.conns.release(index);
    }
}
