//! What overload does in a turn, and what it excuses.

use pulsegate::{RestCause, Step};

use super::Run;
use crate::world::marks::Mark;

impl Run {
    /// A loop that has too much to do takes nobody, and none faster than it may; whether newcomers
    /// wait for that.
    pub(super) fn judge_lag(&mut self) -> bool {
        let gate = self.server.gate();
        let accepted = gate.stats().accepted;
        let newcomers = accepted - std::mem::replace(&mut self.accepted, accepted);
        let (clock, is_draining) = (self.server.net().kernel.clock, gate.is_draining());
        let is_rated = gate.rests().resting(RestCause::Rate) > 0;
        if let Some(guard) = self.judge.guard.as_mut().filter(|_| !is_draining) {
            guard.note_taken(newcomers, clock);
            if is_rated {
                guard.judge_rest(clock);
            }
        }
        let lags = gate.pace().lag.is_over() && !is_draining;
        let step = gate.step();
        assert!(
            !lags || step >= Step::Accepts,
            "the loop lags, and nothing but {step:?} is done"
        );
        let waits = step >= Step::Accepts && !gate.is_draining();
        assert!(
            !waits || newcomers == 0,
            "{newcomers} newcomers were taken although there is too much to do"
        );
        let resting: Vec<_> = gate.resting().collect();
        let net = self.server.net_mut();
        for conn in resting {
            net.kernel.marks.reach(Mark::Rests);
            if let Some(key) = net.kernel.find(conn)
                && let Some(socket) = net.kernel.get_mut(key)
            {
                socket.facts.was_blocked = true;
            }
        }
        let has_newcomers = net.kernel.has_newcomers();
        let is_kept_out = waits && has_newcomers;
        let marks = &mut net.kernel.marks;
        marks.reach_if(is_kept_out && lags, Mark::Lagged);
        marks.reach_if(is_kept_out && !lags, Mark::KeptOut);
        marks.reach_if(is_rated && has_newcomers, Mark::RateRested);
        self.judge.note_step(step, clock);
        waits || is_rated
    }
}
