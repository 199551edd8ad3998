//! Sweeps over everybody: nobody is overdue, nothing lies unread, nobody is here who should not be.

use std::time::Duration;

use pulsegate::Gate;

use super::Judge;
use crate::world::agenda::{SECOND, nanos};
use crate::world::facts::Stamp;
use crate::world::guard::{Crowds, may_be_held_back};
use crate::world::kernel::Kernel;

impl Judge {
    /// A sweep over all sockets while the server sleeps: nobody is overdue, nothing lies unread.
    pub(crate) fn sweep(&self, kernel: &Kernel) {
        let clock = kernel.clock;
        for key in kernel.keys() {
            let Some(socket) = kernel.get(key).filter(|socket| socket.is_held()) else {
                continue;
            };
            let facts = &socket.facts;
            if facts.verdict.is_some() || !facts.was_opened || facts.was_blocked {
                continue;
            }
            let settings = &self.settings[usize::from(socket.listener)];
            if may_be_held_back(facts, settings) {
                continue;
            }
            let passed = |since: Stamp| {
                // Where deadlines were shortened just now, they are about to be looked at.
                if self.retuned.is_some_and(|retuned| {
                    let lag = clock.lag.saturating_sub(retuned.lag);
                    clock.at <= retuned.at + lag + 10 * self.slack
                }) {
                    return 0;
                }
                clock
                    .at
                    .saturating_sub(since.at + clock.lag.saturating_sub(since.lag) + self.slack)
            };
            let overdue = |span: Option<Duration>, since: Stamp| {
                span.is_some_and(|span| passed(since) > nanos(span))
            };
            assert!(
                !overdue(settings.idle_timeout, facts.heard),
                "{key:?} is idle, and open"
            );
            assert!(
                !overdue(settings.lifetime, facts.accepted),
                "{key:?} outlives its life"
            );
            let is_known = !facts.is_wild && facts.is_frame_next();
            if let Some(began) = facts.frame_began.filter(|_| is_known) {
                assert!(
                    !overdue(settings.frame_timeout, began),
                    "{key:?}: half frame, and open"
                );
            }
            if let Some(waiting) = facts.waiting {
                assert!(
                    passed(waiting).min(passed(facts.accepted)) < 2 * SECOND,
                    "{key:?}: input lies unread, a stall"
                );
            }
        }
    }

    /// A turn is over: nobody is here who should not be.
    pub(crate) fn guard_house(&mut self, kernel: &Kernel, gate: &Gate, is_sweep: bool) {
        let clock = kernel.clock;
        let Some(guard) = &mut self.guard else { return };
        guard.is_overruled |= self.orders.lets_in;
        guard.end_turn(self.behind.is_some(), gate.is_retuning(), clock);
        if !is_sweep || self.behind.is_some() || gate.is_retuning() {
            return;
        }
        let mut crowds = Crowds::new();
        for (source, came) in self.sources.values() {
            crowds.entry(*source).or_default().push(*came);
        }
        guard.judge_crowds(&crowds);
        for (conn, user) in &self.open {
            let facts = kernel.find(*conn).and_then(|key| kernel.get(key));
            let source = facts.and_then(|socket| socket.facts.source);
            let is_out = source.is_some_and(|source| guard.is_out(user.as_ref(), source));
            assert!(
                !is_out,
                "{conn}, {user:?} from {source:?}, is listed, and here"
            );
        }
        let veiled = kernel.keys().filter_map(|key| kernel.get(key));
        for socket in veiled.filter(|socket| socket.is_held()) {
            let facts = &socket.facts;
            if facts.was_opened || facts.verdict.is_some() || facts.header.is_none() {
                continue;
            }
            let settings = &self.settings[usize::from(socket.listener)];
            let passed = clock.at - facts.accepted.at - (clock.lag - facts.accepted.lag);
            let most = nanos(settings.proxy_timeout) + self.slack;
            assert!(
                passed <= most,
                "no header for {passed} of {most} ns, and open"
            );
        }
    }
}
