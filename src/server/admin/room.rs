//! Who gives way where there is no room for a newcomer.

use super::{DAWDLE, Office};
use crate::admin::peer::Peer;
use crate::gate::Gate;
use crate::net::{Ending, Net};
use crate::time::{Span, Tick};

impl<N: Net> Office<N> {
    /// Ends a connection that can be done without, for a newcomer: whether there was one.
    pub(super) fn make_way(&mut self, net: &mut N, gate: &mut Gate) -> bool {
        let slot = self.dispensable(gate.clock.live());
        if let Some(slot) = slot {
            self.drop_peer(net, gate, slot, Ending::Graceful);
        }
        slot.is_some()
    }

    /// Who makes room for a newcomer: who lets us wait for longest, else who rests for longest.
    pub(super) fn dispensable(&self, now: Tick) -> Option<usize> {
        // A request that has come and is not read yet is no rest.
        let rests = |peer: &Peer| peer.rests_since().filter(|_| !peer.is_queued);
        let dawdles = |since: &Tick| since.after(Span::covering(DAWDLE)).is_due(now);
        let late = self.longest(Peer::dawdles_since);
        late.filter(|(_, since)| dawdles(since))
            .or_else(|| self.longest(rests))
            .map(|(slot, _)| slot)
    }

    pub(super) fn longest(&self, since: impl Fn(&Peer) -> Option<Tick>) -> Option<(usize, Tick)> {
        let peers = self.peers.iter();
        let found = peers.filter_map(|(slot, (_, peer))| Some((slot, since(peer)?)));
        found.reduce(|one, other| if other.1.is_before(one.1) { other } else { one })
    }
}
