//! Newcomers: who is let in. First the room there is, then the header of a proxy where one must
//! come, then what is said of the address, then how many and how fast it comes.

use std::net::{IpAddr, SocketAddr};

use super::Gate;
use super::conn::{Flags, Phase};
use super::end::{End, EndDetail};
use crate::id::{ConnId, ListenerId};
use crate::reason::CloseReason;
use crate::time::Span;

/// So many slots are looked at in a turn where somebody has to make room.
const LOOKS: u32 = 1_024;

/// Who has not taken its goodbye for so long makes room as well: a second.
const GOODBYE: Span = Span(500);

impl Gate {
    /// Every place is taken, but not by who is open: some whose goodbye is behind them leave for
    /// good with the end of this turn. Whether anybody does, or may in the next one.
    ///
    /// Else a single address could keep all the others out, whatever limit it is under: with
    /// connections that are turned away, or end at once, and linger.
    pub(crate) fn make_room(&mut self) -> bool {
        if self.conns.open_count() >= self.limits.connections {
            return false;
        }
        let (now, slots) = (self.clock.live(), self.conns.len());
        let most = self.limits.refusals.max(1);
        let (mut left, mut are_leaving) = (most, false);
        for _ in 0..slots.min(LOOKS) {
            let index = self.room_from % slots;
            self.room_from = index + 1;
            let conn = self.conns.at(index);
            let phase = match conn.phase {
                // What it was told has left.
                Phase::Lingering => Phase::Gone,
                // It is told in this turn.
                Phase::Closing if conn.flags.has(Flags::ON_DIRTY) => {
                    are_leaving = true;
                    continue;
                }
                Phase::Closing if now.since(conn.since) >= GOODBYE => {
                    self.drop_output(index);
                    Phase::Cut
                }
                _ => continue,
            };
            self.leave_socket(index, phase);
            left -= 1;
            if left == 0 {
                break;
            }
        }
        left < most || are_leaving
    }

    /// Takes a new connection into its slot. One too many is told so, and ends.
    pub(crate) fn open(&mut self, index: u32, listener: ListenerId, peer: SocketAddr) -> ConnId {
        let is_full = self.conns.open_count() >= self.limits.connections;
        let id = self.conns.open(index, peer);
        self.rates.forget(index);
        let (real, live, seconds) = (self.clock.real(), self.clock.live(), self.clock.seconds());
        let conn = self.conns.at_mut(index);
        conn.listener = listener;
        (conn.opened, conn.opened_live, conn.opened_seconds) = (real, live, seconds);
        (conn.last_in, conn.last_out) = (live, live);
        // A fresh socket has room; what it can read is told by its first event.
        conn.flags.set(Flags::WRITABLE);
        self.crowd_of(index).open += 1;
        self.stats.accepted += 1;
        let rules = &self.rules[usize::from(listener.0)];
        let (is_proxied, is_metered) = (rules.is_proxied(), rules.allowance.is_some());
        self.touch(index);
        if is_full {
            self.stats.refused += 1;
            let detail = EndDetail::Connections;
            self.turn_away(index, End::over(CloseReason::Overloaded, detail));
        } else if is_proxied {
            self.veil(index, peer.ip());
        } else if let Some(end) = self.refusal(index) {
            self.turn_away(index, end);
        }
        if self.conns.at(index).is_open() {
            self.note_newcomer(id);
        }
        if is_metered {
            self.see_meter(index);
        }
        id
    }

    /// Takes a proxy's connection, whose client is still to be told; refuses everybody else's.
    fn veil(&mut self, index: u32, proxy: IpAddr) {
        let mut trusted = self.rules_of(index).settings.trusted_proxies.iter();
        if !trusted.any(|network| network.holds(proxy)) {
            self.stats.strangers += 1;
            let end = End::over(CloseReason::Protocol, EndDetail::TrustedProxies);
            return self.turn_away(index, end);
        }
        self.conns
            .at_mut(index)
            .flags
            .set(Flags::VEILED | Flags::UNTOLD);
        self.touch(index);
    }

    /// The proxy has told for whom it connects. The connection is still open where that one may
    /// come in; then the handler is to be told of it.
    pub(crate) fn unveil(&mut self, index: u32, client: Option<SocketAddr>) {
        let conn = self.conns.at_mut(index);
        conn.flags.clear(Flags::VEILED | Flags::UNTOLD);
        if let Some(client) = client {
            conn.set_peer(client);
        }
        match self.refusal(index) {
            Some(end) => self.turn_away(index, end),
            None => self.touch(index),
        }
    }

    /// Why the address of a newcomer is not let in, where it is not.
    fn refusal(&mut self, index: u32) -> Option<End> {
        if self.is_banned_ip(self.conns.at(index).peer().ip()) {
            let detail = EndDetail::BannedAddress;
            return Some(End::over(CloseReason::Banned, detail));
        }
        self.enter_source(index)
    }

    /// Whether the handler is to be told of a newcomer now.
    pub(crate) fn is_to_be_told(&self, index: u32) -> bool {
        let conn = self.conns.at(index);
        conn.is_open() && !conn.flags.has(Flags::UNTOLD)
    }

    /// Ends a newcomer of whom the handler is never told.
    fn turn_away(&mut self, index: u32, end: End) {
        self.conns.at_mut(index).flags.set(Flags::UNTOLD);
        self.close_at(index, end);
    }
}
