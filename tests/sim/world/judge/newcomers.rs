//! Newcomers: who may come in, who is told why not, and that nobody is here who should not be.
//!
//! Ends of those of whom the handler never hears are read from the gate's own records.

use std::net::IpAddr;

use pulsegate::{CloseReason, ConnId, EndDetail, Gate};

use super::Judge;
use crate::world::clients::Fate;
use crate::world::facts::{Facts, Stamp};
use crate::world::guard::source_of;
use crate::world::kernel::Kernel;
use crate::world::marks::Mark;
use crate::world::socket::Key;

impl Judge {
    /// What the gate has written down since the last turn.
    pub(super) fn read_deaths(&mut self, gate: &Gate, clock: Stamp) {
        let Some(guard) = &mut self.guard else { return };
        guard.ordered.clone_from(&self.orders.networks);
        let ends: u64 = gate.stats().closed.iter().sum();
        self.died = (ends - self.buried) as usize;
        self.buried = ends;
        assert!(
            self.died <= gate.deaths().len(),
            "the records reach back a turn"
        );
        for death in gate.deaths().take(self.died) {
            if death.detail == Some(EndDetail::Resources) {
                // It came in, and nobody was told.
                guard.note_entry(death.peer.ip(), clock);
            }
            self.deaths.insert(death.conn, (death.reason, death.detail));
        }
    }

    /// Connections whose header has not come yet, or those of whom nobody is told.
    pub(super) fn veiled(&self, kernel: &Kernel) -> usize {
        if self.guard.is_none() {
            return 0;
        }
        let held = kernel.keys().filter_map(|key| kernel.get(key));
        let veiled = held.filter(|socket| {
            let facts = &socket.facts;
            socket.is_held() && !facts.was_opened && facts.verdict.is_none()
        });
        let of_clients = veiled.filter(|socket| Some(socket.listener) != kernel.admin);
        of_clients.count()
    }

    /// Ends of connections that the handler was never told of.
    pub(super) fn judge_untold(&mut self, kernel: &mut Kernel) {
        for (conn, (reason, detail)) in std::mem::take(&mut self.deaths) {
            let Some(key) = kernel.find(conn) else {
                // Who was refused, and then could not be registered.
                let is_unknown = kernel.marks.has(Mark::Unregistered);
                assert!(is_unknown, "{conn}: {reason} of nobody");
                self.orders.note_end(conn, reason);
                continue;
            };
            let socket = kernel.get_mut(key).expect("it is there");
            if socket.facts.was_opened {
                self.deaths.insert(conn, (reason, detail));
                continue;
            }
            socket.facts.verdict = Some(reason);
            self.orders.note_end(conn, reason);
            // Who was never let in is no part of those who leave.
            if let Some(drain) = &mut self.drain {
                let is_told = reason == CloseReason::Shutdown;
                drain.ends += u64::from(is_told);
                drain.turned_away += u64::from(!is_told);
            }
            let has_fin = socket.to_server.fin_arrived;
            let (who, listener) = (socket.peer.owner, socket.listener);
            let facts = std::mem::take(&mut socket.facts);
            self.judge_newcomer(
                conn,
                (reason, detail),
                &facts,
                (who, listener, has_fin),
                kernel,
            );
            let socket = kernel.get_mut(key).expect("it is there");
            socket.facts = facts;
        }
    }

    /// The end of somebody who was not let in, or has not yet said who he is.
    fn judge_newcomer(
        &mut self,
        conn: ConnId,
        (reason, detail): (CloseReason, Option<EndDetail>),
        facts: &Facts,
        (who, listener, has_fin): (Option<u32>, u16, bool),
        kernel: &mut Kernel,
    ) {
        let clock = kernel.clock;
        self.ends[reason as usize] += 1;
        let settings = self.rules_of(listener, clock);
        let source = facts.source.expect("it has an address");
        let others = self.others_of(source);
        let guard = self
            .guard
            .as_mut()
            .expect("ends are read where addresses matter");
        match (reason, detail) {
            (_, Some(EndDetail::TrustedProxies)) => {
                assert!(facts.is_stranger, "{conn} is a trusted proxy");
            }
            (CloseReason::Overloaded, Some(EndDetail::Connections)) => {
                let reach = kernel.held_of_clients() + self.died;
                let most = guard.limits.connections as usize;
                assert!(reach >= most, "{conn}: full with {reach} of {most}");
            }
            (CloseReason::Overloaded, Some(EndDetail::AddressConnections)) => {
                guard.judge_crowd(source, others);
            }
            (CloseReason::Overloaded, Some(EndDetail::Resources)) => {}
            (CloseReason::RateLimited, Some(EndDetail::AddressAcceptRate)) => {
                guard.judge_hurry(source, clock);
            }
            (CloseReason::Banned, _) => {
                kernel.marks.reach(Mark::Listed);
                guard.judge_ban(who, source, detail);
            }
            (CloseReason::FrameTimeout, _) => {
                kernel.marks.reach(Mark::HeaderLate);
                let (_, bytes) = facts.header.expect("a header was to come");
                // Where none comes, what may open another protocol is told by its first 12 bytes.
                assert!(facts.taken <= bytes.max(11), "{conn}: the header was there");
                let span = Some(settings.proxy_timeout);
                let is_plain = !facts.was_blocked;
                self.deadline(conn, reason, facts, clock)
                    .judge(span, facts.accepted, is_plain);
            }
            _ => {
                let is_wrong = reason == CloseReason::Protocol;
                kernel.marks.reach_if(is_wrong, Mark::HeaderWrong);
                self.judge(conn, reason, facts, &settings, clock, (false, has_fin));
            }
        }
    }

    /// Connections of an address that are here, or were at the beginning of the turn.
    fn others_of(&self, source: IpAddr) -> usize {
        let source = source_of(source);
        let open = self.sources.values().filter(|(other, _)| *other == source);
        let guard = self.guard.iter().flat_map(|guard| &guard.ended);
        open.count() + guard.filter(|other| **other == source).count()
    }

    /// Somebody came in: as who he says he is, where a proxy had to say so.
    pub(super) fn judge_entry(&mut self, conn: ConnId, key: Key, kernel: &mut Kernel, gate: &Gate) {
        let clock = kernel.clock;
        let facts = &mut kernel.get_mut(key).expect("it is there").facts;
        facts.was_opened = true;
        facts.came = clock;
        let is_named = facts.header.is_some_and(|(fate, _)| fate == Fate::Good);
        assert!(!facts.is_stranger, "{conn} is no proxy, and came in");
        assert!(facts.is_unveiled(), "{conn} came in before its header");
        if let (Some(guard), Some(source)) = (&mut self.guard, facts.source) {
            guard.note_entry(source, clock);
            let peer = gate.peer(conn).map(|peer| peer.ip().to_canonical());
            assert!(
                peer.is_none_or(|peer| peer == source),
                "{conn} is {source}, not {peer:?}"
            );
            self.sources.insert(conn, (source_of(source), clock));
        }
        kernel.marks.reach_if(is_named, Mark::Unveiled);
    }

    /// An end by a ban: whether it is judged with that.
    pub(super) fn judge_ban(
        &mut self,
        key: Key,
        detail: Option<EndDetail>,
        kernel: &mut Kernel,
    ) -> bool {
        let (clock, socket) = (kernel.clock, kernel.get(key).expect("it is there"));
        let (Some(guard), Some(source)) = (&self.guard, socket.facts.source) else {
            return false;
        };
        let is_user = detail == Some(EndDetail::BannedUser);
        if is_user && self.orders.excuse(CloseReason::Banned, None) {
            return false;
        }
        guard.judge_ban(socket.peer.owner, source, detail);
        let was_here = socket.facts.came != clock;
        kernel.marks.reach_if(is_user, Mark::ListedUser);
        kernel.marks.reach_if(was_here, Mark::ListedLater);
        true
    }
}
