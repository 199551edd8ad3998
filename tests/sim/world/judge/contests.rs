//! Logins under a name that is somebody's: who goes, and what he is told of coming back.

use pulsegate::CloseReason;

use super::Judge;
use crate::world::agenda::MILLI;
use crate::world::facts::Facts;
use crate::world::kernel::Kernel;
use crate::world::watch::Contest;

impl Judge {
    /// What it says of a rest must be what whoever goes for it is told.
    pub(super) fn on_contest(&mut self, contest: &Contest, kernel: &mut Kernel) {
        if let Some((conn, rest)) = self.quarrels.judge(contest, &mut kernel.marks)
            && let Some(key) = kernel.find(conn)
            && let Some(socket) = kernel.get_mut(key)
        {
            socket.facts.rest = Some(rest);
        }
    }
}

/// Who went for a quarrel was told when to come back.
pub(super) fn judge_rest(facts: &Facts) {
    let is_one = |reason| matches!(reason, CloseReason::Replaced | CloseReason::RateLimited);
    if let Some((least, most)) = facts.rest.filter(|_| facts.told.is_some_and(is_one)) {
        let told = facts.told_ms * MILLI;
        assert!(
            (least..=most).contains(&told),
            "told to come back in {told} of {least} to {most} ns"
        );
    }
}
