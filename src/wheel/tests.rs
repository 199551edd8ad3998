//! The wheel beside a sorted map, and its edges one by one.

use std::collections::HashMap;

use proptest::prelude::*;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use super::*;

/// A wheel beside a map that does the same slowly, in time that does not wrap.
struct Pair {
    wheel: Wheel,
    start: Tick,
    now: i64,
    deadlines: HashMap<u32, i64>,
}

impl Pair {
    fn new(start: Tick, slots: u32) -> Self {
        Self {
            wheel: Wheel::with_slots(start, slots, 8),
            start,
            now: 0,
            deadlines: HashMap::new(),
        }
    }

    fn tick(&self, time: i64) -> Tick {
        Tick(self.start.0.wrapping_add(low(time)))
    }

    /// Sets `key` to `distance` from now, which may be negative.
    fn set(&mut self, key: u32, distance: i64) {
        let time = self.now + distance;
        self.wheel.set(key, self.tick(time));
        self.deadlines.insert(key, time);
    }

    fn remove(&mut self, key: u32) {
        self.wheel.remove(key);
        self.deadlines.remove(&key);
    }

    /// Moves both on; returns what came due, which must be due, and where nothing more is said to
    /// be due, all that is.
    fn advance(&mut self, ticks: i64, max: usize) -> Vec<u32> {
        self.now += ticks;
        let mut due = Vec::new();
        let more = self.wheel.advance(self.tick(self.now), max, &mut due);
        assert!(due.len() <= max);
        for key in &due {
            let time = self.deadlines.remove(key);
            let time = time.unwrap_or_else(|| panic!("key {key} is not set, or came up twice"));
            assert!(time <= self.now, "key {key} is early");
        }
        let left = self.deadlines.values().any(|&time| time <= self.now);
        assert!(more || !left, "due at {}, and nobody said so", self.now);
        due
    }

    fn compare(&self) {
        let first = self.deadlines.values().min();
        let first = first.map(|&time| self.tick(time.max(self.now)));
        match (self.wheel.next(), first) {
            (Some(next), Some(first)) => assert!(!first.is_before(next), "asks late"),
            (next, first) => assert_eq!(next, first),
        }
        assert_eq!(self.wheel.len(), self.deadlines.len());
        assert_eq!(self.wheel.is_empty(), self.deadlines.is_empty());
    }

    fn compare_fully(&self, keys: impl Iterator<Item = u32>) {
        self.compare();
        self.wheel.check();
        for key in keys {
            let time = self.deadlines.get(&key);
            assert_eq!(self.wheel.get(key), time.map(|&time| self.tick(time)));
        }
    }
}

fn low(time: i64) -> u32 {
    u32::try_from(time & i64::from(u32::MAX)).expect("masked")
}

/// Key `n` of a test: every third one is a timer.
fn key(n: u32) -> u32 {
    if n % 3 == 2 { Wheel::TIMER | n } else { n }
}

#[derive(Clone, Debug)]
enum Op {
    Set(u32, i64),
    Remove(u32),
    Advance(i64, usize),
}

fn op(turn: i64) -> impl Strategy<Value = Op> {
    let keys = || (0..24_u32).prop_map(key);
    let near = -3..turn + 3;
    let far = -3 * turn..5 * turn;
    prop_oneof![
        4 => (keys(), near).prop_map(|(key, distance)| Op::Set(key, distance)),
        2 => (keys(), far).prop_map(|(key, distance)| Op::Set(key, distance)),
        1 => keys().prop_map(Op::Remove),
        2 => (0..4_i64, 0..6_usize).prop_map(|(ticks, max)| Op::Advance(ticks, max)),
        1 => (0..turn * 3, 0..30_usize)
            .prop_map(|(ticks, max)| Op::Advance(ticks, max)),
    ]
}

fn ops() -> impl Strategy<Value = (u32, Vec<Op>)> {
    prop::sample::select(vec![2_u32, 16, 64, 256]).prop_flat_map(|slots| {
        let ops = prop::collection::vec(op(i64::from(slots)), 1..120);
        (Just(slots), ops)
    })
}

proptest! {
    #[test]
    fn any_sequence_of_operations_answers_as_a_sorted_map_does(
        (slots, ops) in ops(),
        before_wrap in 0..300_u32,
    ) {
        let mut pair = Pair::new(Tick(u32::MAX - before_wrap), slots);
        for op in ops {
            match op {
                Op::Set(key, distance) => pair.set(key, distance),
                Op::Remove(key) => pair.remove(key),
                Op::Advance(ticks, max) => drop(pair.advance(ticks, max)),
            }
            pair.compare_fully((0..24).map(key));
        }
    }
}

/// One operation drawn by a generator, on a wheel of the default size.
fn step(pair: &mut Pair, random: &mut Xoshiro256PlusPlus) {
    let key = key(random.next_u32() % 3_000);
    match random.next_u32() % 16 {
        0..8 => pair.set(key, i64::from(random.next_u32() % 20_000) - 100),
        8 => pair.remove(key),
        9 => drop(pair.advance(i64::from(random.next_u32() % 40_000), 5)),
        _ => {
            let max = random.next_u32() as usize % 8;
            let due = pair.advance(i64::from(random.next_u32() % 24), max);
            for key in due {
                pair.set(key, i64::from(random.next_u32() % 16) * 1_000 - 1);
            }
        }
    }
}

#[test]
fn a_long_run_answers_as_a_sorted_map_does() {
    for seed in 0..4 {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut pair = Pair::new(Tick::START, SLOTS);
        for round in 0..40_000 {
            step(&mut pair, &mut random);
            pair.compare();
            if round % 2_000 == 0 {
                pair.compare_fully((0..3_000).map(key));
            }
        }
        assert!(
            pair.now > 40_000_000,
            "the run wraps the counter, and turns often"
        );
    }
}

/// Follows one deadline to its end; returns the distance at which the key came up.
fn follow(slots: u32, offset: u32, distance: u32) -> u32 {
    let start = Tick(u32::MAX - 20).after(Span(offset));
    let mut wheel = Wheel::with_slots(start, slots, 1);
    wheel.set(0, start.after(Span(distance)));
    let mut due = Vec::new();
    let mut passed = (0..).skip_while(|&passed| {
        let next = wheel.next().expect("a key is set");
        assert!(!start.after(Span(distance)).is_before(next), "asks late");
        wheel.advance(start.after(Span(passed)), 1, &mut due);
        wheel.check();
        due.is_empty()
    });
    passed.next().expect("the deadline comes")
}

#[test]
fn every_distance_is_due_exactly_on_its_tick_from_every_slot() {
    for slots in [2, 16, 64] {
        for offset in 0..slots.min(40) {
            for distance in 0..slots * 4 + 2 {
                let due = follow(slots, offset, distance);
                assert_eq!(due, distance, "{slots} slots from {offset}");
            }
        }
    }
}

#[test]
fn what_lies_beyond_the_turn_is_looked_at_in_its_last_slot_and_hung_again() {
    let now = Tick(u32::MAX - 3);
    let mut wheel = Wheel::with_slots(now, 16, 4);
    wheel.set(0, now.after(Span(40)));
    for passed in [15, 30, 40] {
        assert_eq!(wheel.get(0), Some(now.after(Span(40))));
        let next = now.after(Span(passed));
        assert_eq!(wheel.next(), Some(next));
        let mut due = Vec::new();
        assert!(!wheel.advance(next, 1, &mut due));
        assert_eq!(!due.is_empty(), passed == 40);
        wheel.check();
    }
}

#[test]
fn a_deadline_that_moves_to_earlier_and_back_comes_up_once() {
    let mut wheel = Wheel::with_slots(Tick(0), 16, 4);
    for at in [9, 4, 12, 2, 9] {
        wheel.set(0, Tick(at));
        wheel.check();
    }
    let mut due = Vec::new();
    for now in 1..20 {
        wheel.advance(Tick(now), 9, &mut due);
        assert_eq!(due.len(), usize::from(now >= 9), "at {now}");
        wheel.check();
    }
}

#[test]
fn a_removed_key_is_not_asked_and_takes_its_place_again() {
    let mut wheel = Wheel::with_slots(Tick(0), 16, 4);
    wheel.set(0, Tick(3));
    wheel.remove(0);
    assert_eq!((wheel.next(), wheel.get(0), wheel.len()), (None, None, 0));
    wheel.check();
    wheel.set(0, Tick(8));
    let mut due = Vec::new();
    assert!(!wheel.advance(Tick(7), 9, &mut due));
    assert!(due.is_empty());
    assert_eq!(wheel.next(), Some(Tick(8)));
    wheel.remove(0);
    assert!(!wheel.advance(Tick(30), 9, &mut due));
    assert!(due.is_empty());
    wheel.check();
}

#[test]
fn moving_to_earlier_for_ever_takes_no_memory() {
    let mut wheel = Wheel::with_slots(Tick(0), 64, 4);
    let (mut due, mut most) = (Vec::new(), 0);
    for now in 0..300 {
        for key in 0..4 {
            for ahead in (2..60).rev() {
                wheel.set(key, Tick(now + ahead));
            }
            wheel.set(key, Tick(now + 61));
        }
        wheel.advance(Tick(now), 4, &mut due);
        wheel.check();
        most = most.max(wheel.places.len());
    }
    assert!(due.is_empty());
    assert!(most > 64, "it was swept: {most} places at most");
}

#[test]
fn what_has_passed_is_due_at_once_and_not_a_turn_later() {
    let mut wheel = Wheel::with_slots(Tick(7), 16, 4);
    for (key, at) in [
        (0, Tick(7)),
        (1, Tick(6)),
        (2, Tick(0)),
        (3, Tick(u32::MAX)),
    ] {
        wheel.set(key, at);
        assert_eq!(wheel.next(), Some(Tick(7)));
    }
    wheel.check();
    let mut due = Vec::new();
    assert!(!wheel.advance(Tick(7), 9, &mut due));
    assert_eq!(due, [0, 1, 2, 3]);
}

#[test]
fn a_budget_leaves_the_rest_due_in_order() {
    let mut wheel = Wheel::with_slots(Tick(100), 16, 8);
    for key in 0..6 {
        wheel.set(key, Tick(102 + key / 2));
    }
    let mut due = Vec::new();
    assert!(wheel.advance(Tick(103), 0, &mut due));
    assert!(due.is_empty());
    assert!(wheel.advance(Tick(103), 3, &mut due));
    assert_eq!(due, [0, 1, 2]);
    assert_eq!(wheel.next(), Some(Tick(103)), "not after now");
    wheel.check();
    assert!(wheel.advance(Tick(110), 2, &mut due));
    assert!(!wheel.advance(Tick(110), 1, &mut due));
    assert_eq!(due, [0, 1, 2, 3, 4, 5]);
    assert_eq!(wheel.next(), None);
}

#[test]
fn a_key_set_again_while_others_wait_does_not_overtake_them() {
    let mut wheel = Wheel::with_slots(Tick(0), 16, 8);
    for key in 0..4 {
        wheel.set(key, Tick(3));
    }
    let (mut due, mut all) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        wheel.advance(Tick(40), 1, &mut due);
        let key = due[0];
        all.append(&mut due);
        wheel.set(key, Tick(1));
        wheel.check();
    }
    assert_eq!(all, [0, 1, 2, 3]);
}

#[test]
fn neighbours_survive_removal_from_the_list_being_drained() {
    for victim in 1..5 {
        let mut wheel = Wheel::with_slots(Tick(u32::MAX), 16, 8);
        for key in 0..5 {
            wheel.set(key, Tick(4));
        }
        let mut due = Vec::new();
        assert!(wheel.advance(Tick(4), 1, &mut due));
        wheel.remove(victim);
        wheel.remove(victim);
        wheel.set(0, Tick(5));
        wheel.check();
        assert!(!wheel.advance(Tick(4), 9, &mut due));
        let expected: Vec<u32> = (0..5).filter(|&key| key != victim).collect();
        assert_eq!(due, expected);
        assert_eq!(wheel.get(0), Some(Tick(5)));
    }
}

#[test]
fn a_waiting_key_that_is_given_more_time_is_not_asked() {
    let mut wheel = Wheel::with_slots(Tick(0), 16, 8);
    for key in 0..3 {
        wheel.set(key, Tick(2));
    }
    let mut due = Vec::new();
    assert!(wheel.advance(Tick(5), 1, &mut due));
    wheel.set(1, Tick(9));
    wheel.check();
    assert!(!wheel.advance(Tick(8), 9, &mut due));
    assert_eq!(due, [0, 2]);
    assert_eq!(wheel.next(), Some(Tick(9)));
}

#[test]
fn plain_keys_and_timers_of_the_same_number_are_different_keys() {
    let mut wheel = Wheel::with_slots(Tick(0), 16, 0);
    let timer = Wheel::TIMER | 5;
    wheel.set(5, Tick(3));
    wheel.set(timer, Tick(3));
    assert_eq!((wheel.len(), wheel.get(timer)), (2, Some(Tick(3))));
    wheel.remove(5);
    assert_eq!((wheel.get(5), wheel.get(timer)), (None, Some(Tick(3))));
    wheel.remove(Wheel::TIMER | 70_000);
    wheel.remove(70_000);
    wheel.check();
    let mut due = Vec::new();
    assert!(!wheel.advance(Tick(3), 9, &mut due));
    assert_eq!(due, [timer]);
}

#[test]
fn any_gap_makes_due_what_it_passed_and_the_wheel_goes_on_from_there() {
    for gap in [15, 16, 17, 1_000, 1 << 31, (1 << 31) + 1, u32::MAX - 16] {
        let now = Tick(50).after(Span(gap));
        let mut wheel = Wheel::with_slots(Tick(50), 16, 4);
        wheel.set(0, Tick(65));
        wheel.set(1, Tick(51));
        let mut due = Vec::new();
        assert!(wheel.advance(now, 1, &mut due), "gap of {gap}");
        assert!(wheel.next().is_some_and(|at| at.is_due(now)));
        wheel.check();
        assert!(!wheel.advance(now, 1, &mut due));
        assert_eq!(due, [1, 0]);
        wheel.set(2, now.after(Span(2)));
        assert_eq!(wheel.next(), Some(now.after(Span(2))), "gap of {gap}");
    }
}

#[test]
fn time_that_steps_back_changes_nothing() {
    let mut wheel = Wheel::with_slots(Tick(4), 16, 4);
    wheel.set(0, Tick(9));
    let mut due = Vec::new();
    assert!(!wheel.advance(Tick(8), 9, &mut due));
    for back in 0..16 {
        assert!(!wheel.advance(Tick(8).before(Span(back)), 9, &mut due));
        wheel.check();
    }
    assert_eq!(wheel.next(), Some(Tick(9)));
    assert!(!wheel.advance(Tick(9), 9, &mut due));
    assert_eq!(due, [0]);
}

#[test]
fn the_next_tick_is_found_from_every_slot_to_every_slot() {
    for slots in [2, 16, 64, 128, 8_192] {
        let stride = if slots > 128 { 509 } else { 1 };
        for now in (0..slots).step_by(stride) {
            for ahead in (1..slots).step_by(stride) {
                let at = Tick(now).after(Span(ahead));
                let mut wheel = Wheel::with_slots(Tick(now), slots, 1);
                wheel.set(0, at);
                assert_eq!(wheel.next(), Some(at), "{slots} slots");
                wheel.remove(0);
                assert_eq!(wheel.next(), None);
            }
        }
    }
}
