//! Which messages have come already, so that none is told twice; bounded.
//!
//! A message that wants an ack comes again where its ack was lost. Once the server has answered a
//! ping that was sent after the ack, on the same connection, it has read the ack: that message does
//! not come again, and its id may be forgotten. Until then it is remembered, up to a bound. Whoever
//! acks so many that the bound is near [is to ask](Seen::is_crowded) by a ping.

use std::collections::VecDeque;

/// Ids that came, the latest ones.
#[derive(Debug)]
pub(super) struct Seen {
    /// Nothing, where a client is idle: what was settled last is all that is kept then.
    ids: Option<Box<Ids>>,
    /// Settled ids, and plain ones, that are remembered nevertheless.
    kept: [u64; KEPT],
    /// The largest of all: ids grow, so nearly every new one is told by this alone.
    largest: u64,
}

/// Ids by what is still to happen to them.
#[derive(Default, Debug)]
struct Ids {
    /// Those that want an ack and have not got one from us, in the order in which they came.
    owed: VecDeque<u64>,
    /// Those that were acked: the first `old` on a connection that is gone, or on none; the next
    /// `marked` before the last ping left, the rest after it.
    acked: Vec<u64>,
    /// Those that want no ack. They have a window of their own, and drive no others out.
    plain: Vec<u64>,
    old: u32,
    marked: u32,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            ids: None,
            // The largest there is is looked for only where it has come.
            kept: [u64::MAX; KEPT],
            largest: 0,
        }
    }
}

impl Seen {
    /// Takes note of an id; whether it is new.
    pub(super) fn is_new(&mut self, id: u64, wants_ack: bool) -> bool {
        if id <= self.largest && self.has(id) {
            return false;
        }
        self.largest = self.largest.max(id);
        let ids = self.ids.get_or_insert_default();
        if wants_ack {
            ids.owed.push_back(id);
        } else {
            if ids.plain.len() == PLAIN {
                // Many at once, so that moving the rest costs little.
                ids.plain.drain(..PLAIN / 4);
            }
            ids.plain.push(id);
        }
        true
    }

    fn has(&self, id: u64) -> bool {
        let has = |ids: &Ids| {
            ids.owed.contains(&id) || ids.acked.contains(&id) || ids.plain.contains(&id)
        };
        self.kept.contains(&id) || self.ids.as_deref().is_some_and(has)
    }

    /// Whether the ack of a message is still to be said.
    pub(super) fn is_owed(&self, id: u64) -> bool {
        self.ids.as_ref().is_some_and(|ids| ids.owed.contains(&id))
    }

    /// The application may leave acks unsaid for ever: only so many are waited for.
    pub(super) fn bound_owed(&mut self) {
        if let Some(ids) = &mut self.ids
            && ids.owed.len() > MAX
        {
            ids.owed.pop_front();
        }
    }

    /// The ack of a message is said: to the server, or only remembered without a connection.
    pub(super) fn acked(&mut self, id: u64, is_said: bool) {
        if let Some(ids) = &mut self.ids {
            ids.acked(id, is_said);
        }
    }

    /// Whether so many acks were said since the last ping that another one is worth its while.
    pub(super) fn is_crowded(&self) -> bool {
        let since_ping = |ids: &Ids| ids.acked.len() - (ids.old + ids.marked) as usize;
        self.ids.as_deref().map_or(0, since_ping) >= CROWD
    }

    /// A ping leaves.
    pub(super) fn mark(&mut self) {
        if let Some(ids) = &mut self.ids {
            ids.marked = ids.said() - ids.old;
        }
    }

    /// The connection is gone, and with it the ping; whether the acks arrived nobody knows.
    pub(super) fn unmark(&mut self) {
        if let Some(ids) = &mut self.ids {
            (ids.old, ids.marked) = (ids.said(), 0);
        }
    }

    /// The last ping is answered: what was acked on this connection before it does not come again.
    pub(super) fn settle(&mut self) {
        let Some(ids) = &mut self.ids else { return };
        let (old, marked) = (ids.old as usize, ids.marked as usize);
        let settled = ids.acked.drain(old..old + marked);
        for id in settled.chain(ids.plain.drain(..)) {
            self.kept.rotate_left(1);
            self.kept[KEPT - 1] = id;
        }
        ids.marked = 0;
    }

    /// Gives memory back that is not needed.
    pub(super) fn relax(&mut self) {
        let Some(ids) = &mut self.ids else { return };
        if ids.owed.is_empty() && ids.acked.is_empty() && ids.plain.is_empty() {
            self.ids = None;
        } else {
            ids.owed.shrink_to_fit();
            ids.acked.shrink_to_fit();
            ids.plain.shrink_to_fit();
        }
    }
}

impl Ids {
    fn said(&self) -> u32 {
        u32::try_from(self.acked.len()).unwrap_or(u32::MAX)
    }

    fn acked(&mut self, id: u64, is_said: bool) {
        // Nearly always the first: they are taken in the order in which they came.
        if let Some(at) = self.owed.iter().position(|owed| *owed == id) {
            self.owed.remove(at);
        } else if let Some(at) = self.acked[..self.old as usize]
            .iter()
            .position(|old| *old == id)
        {
            self.acked.remove(at);
            self.old -= 1;
        } else {
            return;
        }
        if is_said {
            self.acked.push(id);
        } else {
            self.acked.insert(self.old as usize, id);
            self.old += 1;
        }
        if self.acked.len() > MAX {
            self.acked.drain(..MAX / 4);
            let more = MAX_QUARTER.saturating_sub(self.old);
            self.old = self.old.saturating_sub(MAX_QUARTER);
            self.marked = self.marked.saturating_sub(more);
        }
    }
}

/// Acked ids remembered at most, and acks of the application waited for at most.
const MAX: usize = 16_384;
const MAX_QUARTER: u32 = 4_096;

/// So many acks are worth a ping that settles them.
const CROWD: usize = 1_024;

/// Ids that want no ack remembered at most.
const PLAIN: usize = 1_024;

/// How many of those that are settled are remembered.
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
            seen.acked(id, true);
        }
        seen.mark();
        assert!(seen.is_new(100, true));
        seen.settle();
        let ids = seen.ids.as_ref().unwrap();
        assert_eq!((ids.acked.len(), ids.owed.len()), (0, 1));
        assert!(!seen.is_new(100, true) && !seen.is_new(97, true));
    }

    #[test]
    fn what_is_not_acked_is_not_forgotten() {
        let mut seen = Seen::default();
        for id in 0..100 {
            seen.is_new(id, true);
        }
        for id in 1..100 {
            seen.acked(id, true);
        }
        seen.mark();
        seen.settle();
        assert!(!seen.is_new(0, true) && seen.is_owed(0));
    }

    #[test]
    fn a_ping_settles_nothing_of_another_connection() {
        let mut seen = Seen::default();
        for id in 0..20 {
            seen.is_new(id, true);
            seen.acked(id, id < 10);
        }
        seen.unmark();
        // The first comes again, and is acked again.
        assert!(!seen.is_new(0, true));
        seen.acked(0, true);
        for id in 20..30 {
            seen.is_new(id, true);
            seen.acked(id, true);
        }
        seen.mark();
        seen.settle();
        assert!((1..20).all(|id| !seen.is_new(id, true)), "acked elsewhere");
        assert!(seen.is_new(0, true), "its ack has arrived");
    }

    #[test]
    fn plain_messages_drive_none_out_that_wants_an_ack() {
        let mut seen = Seen::default();
        for id in 0..4_096 {
            assert!(seen.is_new(id, true));
        }
        for id in 4_096..20_000 {
            assert!(seen.is_new(id, false));
        }
        assert!((0..4_096).all(|id| seen.is_owed(id)));
        assert!(seen.ids.unwrap().plain.len() <= PLAIN);
    }

    #[test]
    fn many_acks_ask_for_a_ping() {
        let mut seen = Seen::default();
        for id in 0..CROWD as u64 {
            assert!(!seen.is_crowded());
            seen.is_new(id, true);
            seen.acked(id, true);
        }
        assert!(seen.is_crowded());
        seen.mark();
        assert!(!seen.is_crowded());
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
        fn memory_is_bounded(count in 0..40_000_u64, acks in any::<bool>(), lost in any::<bool>()) {
            let mut seen = Seen::default();
            for id in 0..count {
                seen.is_new(id, id % 3 > 0);
                seen.bound_owed();
                if acks {
                    seen.acked(id, true);
                }
                if lost && id % 5_000 == 0 {
                    seen.unmark();
                } else if id % 3_000 == 0 {
                    seen.mark();
                }
                let ids = seen.ids.as_ref().unwrap();
                prop_assert!((ids.old + ids.marked) as usize <= ids.acked.len());
            }
            let ids = seen.ids.unwrap_or_default();
            let lengths = [ids.owed.len(), ids.acked.len(), ids.plain.len()];
            prop_assert!(lengths.iter().all(|length| *length <= MAX));
        }
    }
}
