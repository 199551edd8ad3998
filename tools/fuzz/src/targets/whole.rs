//! A whole world of the simulation with its judge: the bytes choose the seed and what is left out
//! of it (clients, kinds of faults, habits, time), each choice by itself.

use crate::take::Take;
use crate::world::cut::{Cut, HABITS};
use crate::world::run::play;

pub(super) fn run(bytes: &[u8]) {
    let mut take = Take::new(bytes);
    let seed = u64::from(take.long());
    let (faults, clients, habits) = (take.long(), take.giant(), take.byte());
    let mut cut = Cut {
        faults,
        habits: habits % (1 << HABITS.len()),
        seconds: Some(u64::from(take.byte() % 60) + 1),
        ..Cut::default()
    };
    cut.clients
        .extend((0..64).filter(|who| clients >> who & 1 == 1));
    play(seed, &cut, false);
}
