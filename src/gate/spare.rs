//! What is kept for the next who needs it, and given up after much work.

use std::collections::VecDeque;

use super::Gate;

impl Gate {
    /// Gives up what is kept for later use: spare outboxes, and room in queues and tables for much
    /// more than they hold. It is made again as it is needed, so call it now and then, not in every
    /// turn: the daemon does by a timer of some seconds.
    ///
    /// Blocks that are freed by it are the allocator's to give back to the system.
    pub fn trim(&mut self) {
        self.outboxes = Vec::new();
        self.queues.trim();
        self.timers.trim();
        self.trim_receipts();
        self.trim_rivals();
        self.pushes.progress.trim();
        if self.held.is_empty() {
            self.held = Vec::new();
        }
    }
}

/// Whether a table has so much more room than it needs that moving it is worth while.
pub(crate) fn is_roomy(len: usize, capacity: usize) -> bool {
    capacity > 64 && len < capacity / 4
}

/// Leaves room for twice what a queue holds.
pub(crate) fn trim<T>(queue: &mut VecDeque<T>) {
    if is_roomy(queue.len(), queue.capacity()) {
        queue.shrink_to(2 * queue.len());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::limits::Limits;

    #[test]
    fn a_queue_keeps_what_it_holds_and_loses_its_room() {
        let mut queue: VecDeque<u32> = (0..10_000).collect();
        queue.drain(..9_990);
        trim(&mut queue);
        assert!(queue.capacity() < 64, "{}", queue.capacity());
        assert!(queue.into_iter().eq(9_990..10_000));
    }

    #[test]
    fn spares_are_given_up_and_timers_go_on() {
        let mut gate = Gate::bare(Limits::default());
        let before = gate.memory(0).fixed;
        for _ in 0..100 {
            gate.give_back(Box::default());
        }
        let mut set = || gate.set_timer(Duration::from_secs(1));
        let timers: Vec<_> = (0..1_000).map_while(|_| set()).collect();
        assert_eq!(timers.len(), 1_000);
        for timer in &timers[1..] {
            assert!(gate.cancel_timer(*timer));
        }
        assert!(gate.memory(0).fixed > before + 100 * 1_000);
        gate.trim();
        assert!(gate.timers.room() < 64, "{}", gate.timers.room());
        assert!(!gate.cancel_timer(timers[999]), "it was taken back");
        assert!(gate.cancel_timer(timers[0]), "it is still to come");
        gate.trim();
        assert_eq!(gate.memory(0).fixed, before);
    }
}
