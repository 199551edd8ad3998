//! Gives memory back after work.
//!
//! What was freed is the allocator's to keep, and it does, until something near it is freed later;
//! what was a buffer is a spare one. A timer of the loop looks every few seconds whether the loop
//! has turned since: then there are no spare buffers, and the allocator is asked for what it has.
//! It goes on while there is work: what an attack has taken comes back although others stay.

use std::time::Duration;

use crate::gate::{Gate, TimerId};

/// From one look to the next.
const EVERY: Duration = Duration::from_secs(5);

/// The timer, and what it asks.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    /// Makes the allocator of the program give back what it has, where it can.
    give_back: Option<fn()>,
    timer: Option<TimerId>,
    /// Turns of the loop by the last look.
    seen: u64,
}

impl Sweep {
    pub(crate) fn new(give_back: Option<fn()>) -> Self {
        Self {
            give_back,
            ..Self::default()
        }
    }

    /// Begins to look.
    pub(crate) fn begin(&mut self, gate: &mut Gate) {
        self.timer = gate.set_timer(EVERY);
        self.seen = gate.stats().turns;
    }

    /// A timer has come; whether it was this one.
    pub(crate) fn on_timer(&mut self, gate: &mut Gate, timer: TimerId) -> bool {
        let is_ours = self.timer == Some(timer);
        if is_ours {
            // This turn is for the timer.
            if gate.stats().turns > self.seen + 1 {
                gate.trim();
                if let Some(give_back) = self.give_back {
                    give_back();
                }
            }
            self.begin(gate);
        }
        is_ours
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::limits::Limits;

    static ASKED: AtomicU32 = AtomicU32::new(0);

    fn ask() {
        ASKED.fetch_add(1, Ordering::Relaxed);
    }

    #[test]
    fn it_asks_after_work_alone() {
        let mut gate = Gate::bare(Limits::default());
        let mut sweep = Sweep::new(Some(ask));
        sweep.begin(&mut gate);
        let mut look_after = |turns: u64| {
            gate.stats.turns += turns;
            let timer = sweep.timer.expect("it is set again");
            gate.cancel_timer(timer);
            let another = gate.set_timer(EVERY).expect("there is room");
            assert!(!sweep.on_timer(&mut gate, another));
            gate.cancel_timer(another);
            assert!(sweep.on_timer(&mut gate, timer));
            ASKED.load(Ordering::Relaxed)
        };
        assert_eq!(
            [0, 1, 2, 1, 500, 1].map(&mut look_after),
            [0, 0, 1, 1, 2, 2]
        );
    }
}
