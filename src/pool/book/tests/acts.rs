//! What may happen to the books, and which pools it may happen to.

use std::time::Duration;

use proptest::prelude::*;

use crate::pool::options::{Exhausted, Options};

/// What happens next; a number chooses among those it can happen to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Ask {
        may_wait: bool,
    },
    /// The check, the opening or the closing that one is at comes to its end.
    Finish(usize),
    /// The closing of one that came back does.
    Close(usize),
    Use(usize),
    Return(usize, bool),
    Leave(usize),
    /// A connection dies without a word.
    Die(usize),
    Server {
        is_up: bool,
    },
    Keeper,
    Pass(u64),
}

pub(super) fn act() -> impl Strategy<Value = Act> {
    let any = || 0..64_usize;
    prop_oneof![
        6 => any().prop_map(|n| Act::Ask { may_wait: n > 8 }),
        6 => any().prop_map(Act::Finish),
        2 => any().prop_map(Act::Close),
        3 => any().prop_map(Act::Use),
        5 => any().prop_map(|n| Act::Return(n, n % 16 == 0)),
        1 => any().prop_map(Act::Leave),
        1 => any().prop_map(Act::Die),
        1 => any().prop_map(|n| Act::Server { is_up: n > 16 }),
        4 => Just(Act::Keeper),
        2 => (0..40_u64).prop_map(Act::Pass),
        1 => (0..2_000_u64).prop_map(Act::Pass),
    ]
}

pub(super) fn options() -> impl Strategy<Value = Options> {
    let span = |max: u64| prop::option::of((1..max).prop_map(Duration::from_millis));
    let exhausted = prop_oneof![
        Just(Exhausted::Wait),
        Just(Exhausted::Extra),
        Just(Exhausted::Refuse)
    ];
    let counts = (0..3_u32, 1..4_u32, 0..3_u32, 0..6_usize);
    (counts, exhausted, span(900), span(2_000), span(300)).prop_map(
        |((min, more, extra_max, queue_max), exhausted, idle_max, age_max, beat)| Options {
            min,
            max: min.max(1) + more - 1,
            exhausted,
            extra_max,
            queue_max,
            idle_max,
            age_max,
            beat,
            retry_min: Duration::from_millis(5),
            retry_max: Duration::from_millis(60),
            ..Options::default()
        },
    )
}
