//! Which messages have come already, so that none is told twice; bounded.
//!
//! A message that wants an ack comes again where its ack was lost. Once the server has answered a
//! ping that was sent after the ack, it has read the ack: that message does not come again, and
//! its id may be forgotten. Until then it is remembered, up to a bound.

/// Ids that came, the latest ones.
#[derive(Debug, Default)]
pub(super) struct Seen {
    ids: Vec<u64>,
    /// The largest of all: ids grow, so nearly every new one is told by this alone.
    largest: u64,
    /// Those that want an ack and have not got one from us.
    owed: Vec<u64>,
    /// How many of `ids` had come when the last ping left: its pong settles them.
    marked: u32,
}

impl Seen {
    /// Takes note of an id; whether it is new.
    pub(super) fn is_new(&mut self, id: u64, wants_ack: bool) -> bool {
        if id <= self.largest && self.ids.contains(&id) {
            return false;
        }
        if self.ids.len() == MAX {
            // Many at once, so that moving the rest costs little.
            self.ids.drain(..MAX / 4);
            self.marked = self.marked.saturating_sub(MAX_QUARTER);
        }
        self.ids.push(id);
        self.largest = self.largest.max(id);
        if wants_ack {
            if self.owed.len() == MAX {
                self.owed.remove(0);
            }
            self.owed.push(id);
        }
        true
    }

    /// Whether the ack of a message is still to be said by the application.
    pub(super) fn is_owed(&self, id: u64) -> bool {
        self.owed.contains(&id)
    }

    /// The ack of a message is said.
    pub(super) fn acked(&mut self, id: u64) {
        // Nearly always the first: they are taken in the order in which they came.
        if let Some(at) = self.owed.iter().position(|owed| *owed == id) {
            self.owed.remove(at);
        }
    }

    /// A ping leaves.
    pub(super) fn mark(&mut self) {
        self.marked = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
    }

    /// The connection is gone, and with it the ping.
    pub(super) fn unmark(&mut self) {
        self.marked = 0;
    }

    /// The last ping is answered: what was acked before it does not come again.
    pub(super) fn settle(&mut self) {
        let most = self
            .ids
            .len()
            .saturating_sub(KEPT)
            .min(self.marked as usize);
        let settled = &self.ids[..most];
        let first_owed = settled.iter().position(|id| self.is_owed(*id));
        self.ids.drain(..first_owed.unwrap_or(most));
        self.marked = 0;
    }

    /// Gives memory back that is not needed.
    pub(super) fn relax(&mut self) {
        self.ids.shrink_to_fit();
        self.owed.shrink_to_fit();
    }
}

/// Ids remembered at most.
const MAX: usize = 1_024;
const MAX_QUARTER: u32 = 256;

/// Settled ids that are remembered nevertheless.
const KEPT: usize = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_is_forgotten_once_its_ack_is_settled_and_others_have_come() {
        let mut seen = Seen::default();
        for id in 0..100 {
            assert!(seen.is_new(id, true));
            seen.acked(id);
        }
        seen.mark();
        assert!(seen.is_new(100, true));
        seen.settle();
        assert_eq!(seen.ids.len(), KEPT);
        assert!(!seen.is_new(100, true) && !seen.is_new(97, true));
    }

    #[test]
    fn what_is_not_acked_is_not_forgotten() {
        let mut seen = Seen::default();
        for id in 0..100 {
            seen.is_new(id, true);
        }
        for id in 1..100 {
            seen.acked(id);
        }
        seen.mark();
        seen.settle();
        assert!(!seen.is_new(0, true) && seen.is_owed(0));
    }

    proptest! {
        #[test]
        fn within_its_bound_no_id_is_new_twice(
            ids in prop::collection::vec(0..50_u64, 0..200),
            settles in any::<bool>(),
        ) {
            let mut seen = Seen::default();
            let mut model = std::collections::HashSet::new();
            for id in ids {
                prop_assert_eq!(seen.is_new(id, true), model.insert(id));
                if settles && id % 7 == 0 {
                    // Nothing is acked: nothing may be forgotten.
                    seen.mark();
                    seen.settle();
                }
            }
        }

        #[test]
        fn memory_is_bounded(count in 0..5_000_u64) {
            let mut seen = Seen::default();
            for id in 0..count {
                seen.is_new(id, true);
            }
            prop_assert!(seen.ids.len() <= MAX && seen.owed.len() <= MAX);
        }
    }
}
