//! The hashed timing wheel: which keys are to be asked, and when.
//!
//! Knows no clock and no connection; a key is a number and asking is the caller's business. A key
//! has one entry, whatever it waits for: the caller derives the earliest of its deadlines, sets
//! that, and when the key comes up either acts or sets it again.
//!
//! A turn of the wheel has as many slots as ticks, and a slot holds the keys of one tick:
//!
//! ```text
//! 16 slots, now = 21        now + 1                      now + 15
//! tick                   21   22   23   24  ..  31   32  ..   36
//! slot (tick mod 16)      5    6    7    8  ..  15    0  ..    4
//! ```
//!
//! - The slots hold the ticks after `now`, up to one turn. The slot of `now` itself is empty.
//! - What is at or before `now` waits in the *due list*, in the order of its ticks. Moving on hangs
//!   whole slots onto its end, so the wheel never lags behind `now`, however few keys the caller
//!   takes at once and however long it slept.
//! - A deadline beyond the turn is cut to the last slot of the turn. The key comes up there, is
//!   found not to be due, and is set again: asking early is harmless, and no entry has to count
//!   turns.
//! - A deadline at or before `now` joins the due list at once, with `now` as its tick: it can be
//!   neither lost for a turn nor overtake what has waited longer.
//! - Within one tick, keys come up in the order in which they were set.
//!
//! Costs: 12 bytes for each key below the largest one used, 8 for each slot. `set`, `remove`, `get`
//! and `next` are O(1); `advance` is O(keys taken + occupied slots passed), and empty slots cost
//! nothing. With a million keys in the order of their numbers, setting one again takes about 10 ns;
//! in any other order it is the cache misses on three links that count (`benches/wheel.rs`).

use std::mem;

use crate::time::{Span, Tick};

/// Slots of a wheel made by [`Wheel::new`]: a turn of 33 s.
pub const SLOTS: u32 = 16_384;

/// A hashed timing wheel over two dense ranges of keys.
///
/// It never asks late: a key comes up in the first [`advance`](Self::advance) that reaches its
/// tick, or stays due until there is room for it.
#[derive(Debug)]
pub struct Wheel {
    now: Tick,
    /// Slots minus one: the mask from tick to slot, and the furthest distance that has a slot.
    mask: u32,
    /// One list for each slot, and the due list behind them.
    lists: Vec<List>,
    occupied: Occupied,
    /// The links of the plain keys, and of the keys from [`Wheel::TIMER`] on.
    links: [Vec<Link>; 2],
    len: usize,
}

impl Wheel {
    /// Marks a key that belongs to no connection; such keys are dense from here on.
    pub const TIMER: u32 = 1 << 31;

    /// An empty wheel at `now`, with room for `keys` plain keys before it has to grow.
    ///
    /// Room is address space: pages that no key has touched cost nothing.
    #[must_use]
    pub fn new(now: Tick, keys: usize) -> Self {
        Self::with_slots(now, SLOTS, keys)
    }

    /// An empty wheel of `slots` slots, which are a power of two and at least two.
    ///
    /// A small wheel answers no differently, it only asks more often about what is far off.
    ///
    /// # Panics
    /// Where `slots` is anything else, or beyond 2^20.
    #[must_use]
    pub fn with_slots(now: Tick, slots: u32, keys: usize) -> Self {
        assert!(
            slots.is_power_of_two() && (2..=1 << 20).contains(&slots),
            "{slots} slots"
        );
        Self {
            now,
            mask: slots - 1,
            lists: vec![List::EMPTY; slots as usize + 1],
            occupied: Occupied::new(slots),
            links: [Vec::with_capacity(keys), Vec::new()],
            len: 0,
        }
    }

    /// Sets `key` to be asked at `at`; moves it where it was set already.
    ///
    /// An `at` that has passed counts as the present tick, one beyond the turn as its last tick.
    ///
    /// # Panics
    /// For the two largest keys: their numbers mark the ends of lists.
    pub fn set(&mut self, key: u32, at: Tick) {
        let at = self.cut(at);
        let (range, index) = place(key);
        if index >= self.links[range].len() {
            self.grow(key);
        }
        let &Link {
            next,
            prev,
            at: old,
        } = self.link(key);
        if next == FREE {
            self.len += 1;
        } else if old == at {
            return;
        } else {
            self.unlink(next, prev, old);
        }
        self.append(key, at);
    }

    /// Forgets `key`; does nothing where it is not set.
    ///
    /// Never reaches back into a list of due keys that [`advance`](Self::advance) has given out.
    pub fn remove(&mut self, key: u32) {
        let Some(&Link { next, prev, at }) = self.find(key) else {
            return;
        };
        self.unlink(next, prev, at);
        *self.link_mut(key) = Link::FREE;
        self.len -= 1;
    }

    /// Moves on to `now` and appends at most `max` keys that are due to `due`, taking them out.
    /// Returns whether more are due than were taken.
    ///
    /// Never goes back: a `now` less than a turn behind the present changes nothing, and any other
    /// is taken to lie ahead, so that even a wheel that slept for months asks everything once.
    pub fn advance(&mut self, now: Tick, max: usize, due: &mut Vec<u32>) -> bool {
        self.turn_to(now);
        for _ in 0..max {
            let key = self.list(self.due_list()).head;
            if key == NIL {
                return false;
            }
            self.remove(key);
            due.push(key);
        }
        self.list(self.due_list()).head != NIL
    }

    /// The earliest tick at which a key is to be asked; not after the present where one is due.
    #[must_use]
    pub fn next(&self) -> Option<Tick> {
        let first = self.list(self.due_list()).head;
        if first != NIL {
            return Some(self.link(first).at.min(self.now));
        }
        let slot = self.first_slot()?;
        Some(self.now.after(Span(self.ahead(slot))))
    }

    /// When `key` is to be asked: what was [`set`](Self::set), cut to the turn.
    #[must_use]
    pub fn get(&self, key: u32) -> Option<Tick> {
        self.find(key).map(|link| link.at)
    }

    /// Keys that are set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no key is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Hangs every slot up to `now` onto the due list.
    fn turn_to(&mut self, now: Tick) {
        let gap = now.0.wrapping_sub(self.now.0);
        if gap > u32::MAX - self.mask {
            return;
        }
        while let Some(slot) = self.first_slot()
            && self.ahead(slot) <= gap
        {
            self.fall_due(slot);
        }
        self.now = now;
    }

    /// Hangs the keys of one slot onto the end of the due list, without touching each.
    fn fall_due(&mut self, slot: u32) {
        let fresh = mem::replace(self.list_mut(slot), List::EMPTY);
        self.occupied.clear(slot);
        let due = self.due_list();
        let last = self.list(due).tail;
        if last == NIL {
            *self.list_mut(due) = fresh;
        } else {
            self.link_mut(last).next = fresh.head;
            self.link_mut(fresh.head).prev = last;
            self.list_mut(due).tail = fresh.tail;
        }
    }

    /// Hangs `key` onto the end of the list of `at`, which is cut already.
    fn append(&mut self, key: u32, at: Tick) {
        let list = self.list_of(at);
        let prev = mem::replace(&mut self.list_mut(list).tail, key);
        if prev == NIL {
            self.list_mut(list).head = key;
            self.mark(list);
        } else {
            self.link_mut(prev).next = key;
        }
        *self.link_mut(key) = Link {
            next: NIL,
            prev,
            at,
        };
    }

    /// Closes the gap that a key leaves; its own link is the caller's to overwrite.
    ///
    /// Takes the fields one by one: where keys are set again in the order in which they were set,
    /// each was written to by the one before, and a load of the whole link would wait for that.
    fn unlink(&mut self, next: u32, prev: u32, at: Tick) {
        let list = self.list_of(at);
        if prev == NIL {
            self.list_mut(list).head = next;
        } else {
            self.link_mut(prev).next = next;
        }
        if next == NIL {
            self.list_mut(list).tail = prev;
        } else {
            self.link_mut(next).prev = prev;
        }
        if prev == NIL && next == NIL {
            self.mark(list);
        }
    }

    /// Brings the occupancy of a list up to date; the due list has none.
    fn mark(&mut self, list: u32) {
        if list == self.due_list() {
            return;
        }
        if self.list(list).head == NIL {
            self.occupied.clear(list);
        } else {
            self.occupied.set(list);
        }
    }

    /// `at`, held between the present and the last slot of the turn.
    fn cut(&self, at: Tick) -> Tick {
        if at.is_due(self.now) {
            return self.now;
        }
        at.min(self.now.after(Span(self.mask)))
    }

    /// The list that holds the keys of `at`: its slot where it lies ahead, else the due list.
    fn list_of(&self, at: Tick) -> u32 {
        let ahead = at.0.wrapping_sub(self.now.0);
        if ahead.wrapping_sub(1) < self.mask {
            at.0 & self.mask
        } else {
            self.due_list()
        }
    }

    fn list(&self, list: u32) -> &List {
        &self.lists[list as usize]
    }

    fn list_mut(&mut self, list: u32) -> &mut List {
        &mut self.lists[list as usize]
    }

    fn due_list(&self) -> u32 {
        self.mask + 1
    }

    /// The occupied slot that comes up first.
    fn first_slot(&self) -> Option<u32> {
        self.occupied.first_from(self.now.0 & self.mask)
    }

    /// Ticks from now until a slot comes up.
    fn ahead(&self, slot: u32) -> u32 {
        slot.wrapping_sub(self.now.0) & self.mask
    }

    fn link(&self, key: u32) -> &Link {
        let (range, index) = place(key);
        &self.links[range][index]
    }

    fn link_mut(&mut self, key: u32) -> &mut Link {
        let (range, index) = place(key);
        &mut self.links[range][index]
    }

    /// The link of a key that may never have been set.
    fn find(&self, key: u32) -> Option<&Link> {
        let (range, index) = place(key);
        self.links[range].get(index).filter(|link| link.is_set())
    }

    /// Makes the range of `key` long enough to hold it.
    #[cold]
    fn grow(&mut self, key: u32) {
        assert!(key < FREE, "no such key: {key}");
        let (range, index) = place(key);
        self.links[range].resize(index + 1, Link::FREE);
    }

    /// Full sweep of the invariants: O(keys + slots), for tests and the simulation.
    ///
    /// # Panics
    /// Where a list is broken, a key lies in another list than its tick says, the due list is out
    /// of order, the occupancy is wrong in either direction, or keys are lost or counted twice.
    pub fn check(&self) {
        let found: usize = (0..=self.due_list())
            .map(|list| self.check_list(list))
            .sum();
        assert_eq!(found, self.len, "keys in lists, and the count");
        let links = self.links.iter().flatten();
        let set = links.filter(|link| link.is_set()).count();
        assert_eq!(set, self.len, "keys set, and the count");
        self.occupied.check();
    }

    /// Walks one list; returns its length.
    fn check_list(&self, list: u32) -> usize {
        let (mut count, mut last, mut key) = (0, NIL, self.list(list).head);
        let mut age_last = u32::MAX;
        while key != NIL {
            let link = self.link(key);
            assert_eq!(link.prev, last, "key {key} of list {list}: link back");
            assert_eq!(self.list_of(link.at), list, "key {key}: list of its tick");
            if list == self.due_list() {
                let age = self.now.0.wrapping_sub(link.at.0);
                assert!(age <= age_last, "key {key}: order of the due list");
                age_last = age;
            }
            count += 1;
            assert!(count <= self.len, "list {list} runs in a circle");
            (last, key) = (key, link.next);
        }
        assert_eq!(self.list(list).tail, last, "list {list}: tail");
        let occupied = list <= self.mask && self.occupied.get(list);
        assert_eq!(
            occupied,
            list <= self.mask && count > 0,
            "occupancy of list {list}"
        );
        count
    }
}

/// The range that `key` lies in, and its place there.
fn place(key: u32) -> (usize, usize) {
    ((key >> 31) as usize, (key & !Wheel::TIMER) as usize)
}

/// The end of a list, and no key.
const NIL: u32 = u32::MAX;

/// In place of the next key: this key is in no list.
const FREE: u32 = u32::MAX - 1;

/// One key's place in the list of its tick.
#[derive(Clone, Copy, Debug)]
struct Link {
    next: u32,
    prev: u32,
    at: Tick,
}

const _: () = assert!(size_of::<Link>() == 12);

impl Link {
    const FREE: Self = Self {
        next: FREE,
        prev: NIL,
        at: Tick(0),
    };

    fn is_set(&self) -> bool {
        self.next != FREE
    }
}

/// The two ends of a list of keys, linked through [`Link`]s; both or neither are [`NIL`].
#[derive(Clone, Copy, Debug)]
struct List {
    head: u32,
    tail: u32,
}

impl List {
    const EMPTY: Self = Self {
        head: NIL,
        tail: NIL,
    };
}

/// A bit for each slot that holds a key, and a bit above for each word of them that is not zero.
///
/// 16,384 slots are 256 words under 4 summary words: a search looks at seven words at most.
#[derive(Debug)]
struct Occupied {
    words: Vec<u64>,
    summary: Vec<u64>,
}

impl Occupied {
    fn new(slots: u32) -> Self {
        let words = (slots as usize).div_ceil(64);
        Self {
            words: vec![0; words],
            summary: vec![0; words.div_ceil(64)],
        }
    }

    fn get(&self, slot: u32) -> bool {
        self.words[slot as usize / 64] & bit(slot) != 0
    }

    fn set(&mut self, slot: u32) {
        let word = slot / 64;
        self.words[word as usize] |= bit(slot);
        self.summary[word as usize / 64] |= bit(word);
    }

    fn clear(&mut self, slot: u32) {
        let word = slot / 64;
        self.words[word as usize] &= !bit(slot);
        if self.words[word as usize] == 0 {
            self.summary[word as usize / 64] &= !bit(word);
        }
    }

    /// The first occupied slot at or after `slot`, around the wheel.
    fn first_from(&self, slot: u32) -> Option<u32> {
        self.at_or_after(slot).or_else(|| self.at_or_after(0))
    }

    /// The first occupied slot at or after `slot`, up to the last.
    fn at_or_after(&self, slot: u32) -> Option<u32> {
        let word = slot / 64;
        let rest = self.words[word as usize] & from(slot);
        if rest != 0 {
            return Some(word * 64 + rest.trailing_zeros());
        }
        let word = self.word_from(word + 1)?;
        Some(word * 64 + self.words[word as usize].trailing_zeros())
    }

    /// The first word at or after `word` that is not zero.
    fn word_from(&self, word: u32) -> Option<u32> {
        let mut above = word / 64;
        let mut rest = self.summary.get(above as usize)? & from(word);
        while rest == 0 {
            above += 1;
            rest = *self.summary.get(above as usize)?;
        }
        Some(above * 64 + rest.trailing_zeros())
    }

    fn check(&self) {
        for (word, &bits) in self.words.iter().enumerate() {
            let told = self.summary[word / 64] >> (word % 64) & 1 == 1;
            assert_eq!(told, bits != 0, "summary of word {word}");
        }
    }
}

/// The bit of an index within its word.
fn bit(index: u32) -> u64 {
    1 << (index % 64)
}

/// The bits of an index and those after it, within its word.
fn from(index: u32) -> u64 {
    u64::MAX << (index % 64)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use proptest::prelude::*;
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    use super::*;

    /// A wheel beside a sorted map that does the same slowly, in time that does not wrap.
    struct Pair {
        wheel: Wheel,
        start: Tick,
        turn: u64,
        now: u64,
        serial: u64,
        order: BTreeMap<(u64, u64), u32>,
        places: HashMap<u32, (u64, u64)>,
    }

    impl Pair {
        fn new(start: Tick, slots: u32) -> Self {
            Self {
                wheel: Wheel::with_slots(start, slots, 8),
                start,
                turn: u64::from(slots) - 1,
                now: 0,
                serial: 0,
                order: BTreeMap::new(),
                places: HashMap::new(),
            }
        }

        fn tick(&self, time: u64) -> Tick {
            Tick(self.start.0.wrapping_add(low(time)))
        }

        /// Sets `key` to `distance` from now, which may be negative.
        fn set(&mut self, key: u32, distance: i64) {
            let at = Tick(
                self.tick(self.now)
                    .0
                    .wrapping_add(low(distance.cast_unsigned())),
            );
            self.wheel.set(key, at);
            let time = self.now + distance.max(0).unsigned_abs().min(self.turn);
            let place = self.places.entry(key).or_insert((u64::MAX, 0));
            if place.0 != time {
                self.order.remove(place);
                self.serial += 1;
                *place = (time, self.serial);
                self.order.insert(*place, key);
            }
        }

        fn remove(&mut self, key: u32) {
            self.wheel.remove(key);
            if let Some(place) = self.places.remove(&key) {
                self.order.remove(&place);
            }
        }

        /// Moves both on; returns what came due, which must be the same in the same order.
        fn advance(&mut self, ticks: u64, max: usize) -> Vec<u32> {
            self.now += ticks;
            let mut due = Vec::new();
            let more = self.wheel.advance(self.tick(self.now), max, &mut due);
            let mut expected = Vec::new();
            while let Some(entry) = self.order.first_entry()
                && entry.key().0 <= self.now
                && expected.len() < max
            {
                self.places.remove(entry.get());
                expected.push(entry.remove());
            }
            assert_eq!(due, expected, "due at {}", self.now);
            let left = self.order.first_key_value();
            assert_eq!(more, left.is_some_and(|(place, _)| place.0 <= self.now));
            due
        }

        fn compare(&self) {
            let first = self.order.first_key_value();
            assert_eq!(
                self.wheel.next(),
                first.map(|(place, _)| self.tick(place.0))
            );
            assert_eq!(self.wheel.len(), self.places.len());
            assert_eq!(self.wheel.is_empty(), self.places.is_empty());
        }

        fn compare_fully(&self, keys: impl Iterator<Item = u32>) {
            self.compare();
            self.wheel.check();
            for key in keys {
                let place = self.places.get(&key);
                assert_eq!(self.wheel.get(key), place.map(|place| self.tick(place.0)));
            }
        }
    }

    fn low(time: u64) -> u32 {
        u32::try_from(time & u64::from(u32::MAX)).expect("masked")
    }

    /// Key `n` of a test: every third one is a timer.
    fn key(n: u32) -> u32 {
        if n % 3 == 2 { Wheel::TIMER | n } else { n }
    }

    #[derive(Clone, Debug)]
    enum Op {
        Set(u32, i64),
        Remove(u32),
        Advance(u64, usize),
    }

    fn op(turn: i64) -> impl Strategy<Value = Op> {
        let keys = || (0..24_u32).prop_map(key);
        let near = -3..turn + 3;
        let far = -3 * turn..5 * turn;
        prop_oneof![
            4 => (keys(), near).prop_map(|(key, distance)| Op::Set(key, distance)),
            2 => (keys(), far).prop_map(|(key, distance)| Op::Set(key, distance)),
            1 => keys().prop_map(Op::Remove),
            2 => (0..4_u64, 0..6_usize).prop_map(|(ticks, max)| Op::Advance(ticks, max)),
            1 => (0..turn.unsigned_abs() * 3, 0..30_usize)
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
            9 => drop(pair.advance(u64::from(random.next_u32() % 40_000), 5)),
            _ => {
                let max = random.next_u32() as usize % 8;
                let due = pair.advance(u64::from(random.next_u32() % 24), max);
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

    /// Follows one deadline to its end, setting the key again whenever it is asked early.
    /// Returns the distance at which it was truly due, and how often it was asked.
    fn follow(slots: u32, offset: u32, distance: u32) -> (u32, u32) {
        let start = Tick(u32::MAX - 20).after(Span(offset));
        let at = start.after(Span(distance));
        let mut wheel = Wheel::with_slots(start, slots, 1);
        wheel.set(0, at);
        let (mut asked, mut due) = (0, Vec::new());
        for passed in 0.. {
            let now = start.after(Span(passed));
            wheel.advance(now, 1, &mut due);
            wheel.check();
            if due.pop().is_some() {
                asked += 1;
                if at.is_due(now) {
                    return (passed, asked);
                }
                wheel.set(0, at);
            }
        }
        unreachable!("the deadline comes")
    }

    #[test]
    fn every_distance_is_due_exactly_on_its_tick_from_every_slot() {
        for slots in [2, 16, 64] {
            for offset in 0..slots.min(40) {
                for distance in 0..slots * 4 + 2 {
                    let (due, asked) = follow(slots, offset, distance);
                    assert_eq!(due, distance, "{slots} slots from {offset}");
                    assert_eq!(
                        asked,
                        distance.div_ceil(slots - 1).max(1),
                        "{distance} ahead"
                    );
                }
            }
        }
    }

    #[test]
    fn what_lies_beyond_the_turn_is_asked_in_its_last_slot() {
        let now = Tick(u32::MAX - 3);
        let mut wheel = Wheel::with_slots(now, 16, 4);
        for (key, ahead) in [14, 15, 16, 17, 1_000_000].into_iter().enumerate() {
            wheel.set(u32::try_from(key).expect("few"), now.after(Span(ahead)));
        }
        assert_eq!(wheel.get(0), Some(Tick(10)));
        for key in 1..5 {
            assert_eq!(wheel.get(key), Some(Tick(11)), "key {key}");
        }
        wheel.check();
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
}
