//! The hashed timing wheel: which keys are to be asked, and when.
//!
//! Knows no clock and no connection; a key is a number and asking is the caller's business. A key
//! has one deadline, whatever it waits for: the caller derives the earliest of its own, sets that,
//! and when the key comes up either acts or sets it again.
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
//! - What is at or before `now` waits in the *due list*, in the order in which it fell due. Moving
//!   on hangs whole slots onto its end, so the wheel never lags behind `now`, however few keys the
//!   caller takes at once and however long it slept.
//! - A deadline that moves to later is only written down. The key keeps its place; when that comes
//!   up, the key is hung where its deadline is now. This is the way of heartbeats: most deadlines
//!   move many times before their first place comes up.
//! - In the same way a removed key leaves its place behind, and takes it again where it is set
//!   before that comes up. A deadline that moves to earlier gets a further place, and the old one
//!   counts for nothing when it comes up: an entry says which tick its key hangs at, and any place
//!   of another tick is stale. There are never more places than twice the keys and the slots.
//! - A deadline beyond the turn hangs at the last slot of the turn, and from there at the next.
//! - A deadline at or before `now` joins the due list at once: it can neither be lost for a turn
//!   nor overtake what has waited longer.
//!
//! Costs: 8 bytes for each key below the largest one used, 5 for each place in a full chunk and 64
//! in one of its own, 8 for each slot. `set`, `remove`, `get` and `next` are O(1), `set` amortized:
//! where deadlines moved to earlier as often as there are keys, one call sweeps all of them.
//! `advance` is O(places looked at + occupied slots passed), and empty slots cost nothing. A key in
//! any order costs one cache miss, for its entry (`benches/wheel.rs`).

mod occupied;
mod places;
#[cfg(test)]
mod tests;

use std::mem;

use occupied::Occupied;
use places::{List, Places};

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
    slots: Vec<List>,
    occupied: Occupied,
    /// Ticks from `now` to the first occupied slot; more than a turn where all are empty.
    ahead: u32,
    /// What is at or before `now`, and how far its first chunk is taken.
    due: List,
    taken: u32,
    places: Places,
    /// The deadlines of the plain keys, and of the keys from [`Wheel::TIMER`] on.
    entries: [Vec<Entry>; 2],
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
    /// A small wheel answers no differently, it only looks more often at what is far off.
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
            slots: vec![List::EMPTY; slots as usize],
            occupied: Occupied::new(slots),
            ahead: NEVER,
            due: List::EMPTY,
            taken: 0,
            places: Places::new(places_max(keys, slots as usize), slots as usize),
            entries: [Vec::with_capacity(keys), Vec::new()],
            len: 0,
        }
    }

    /// Sets `key` to be asked at `at`, instead of any deadline it had.
    ///
    /// An `at` that has passed is due at once.
    pub fn set(&mut self, key: u32, at: Tick) {
        let (range, index) = place(key);
        if index >= self.entries[range].len() {
            self.entries[range].resize(index + 1, Entry::FREE);
        }
        let (now, mask) = (self.now, self.mask);
        let entry = &mut self.entries[range][index];
        self.len += usize::from(!entry.is_set());
        entry.at = at;
        if entry.hangs_within(distance(now, at, mask), now, mask) {
            entry.hung |= Entry::SET;
        } else {
            self.hang(key, at);
        }
    }

    /// Forgets `key`; does nothing where it is not set.
    ///
    /// Never reaches back into a list of due keys that [`advance`](Self::advance) has given out.
    pub fn remove(&mut self, key: u32) {
        let (range, index) = place(key);
        if let Some(entry) = self.entries[range].get_mut(index) {
            self.len -= usize::from(entry.is_set());
            entry.hung &= !Entry::SET;
        }
    }

    /// Moves on to `now`, looks at no more than `max` keys that may be due, and appends those that
    /// are to `due`, taking them out. Returns whether there are more to look at.
    ///
    /// Never goes back: a `now` less than a turn behind the present changes nothing, and any other
    /// is taken to lie ahead, so that even a wheel that slept for months asks everything once.
    pub fn advance(&mut self, now: Tick, max: usize, due: &mut Vec<u32>) -> bool {
        self.turn_to(now);
        for _ in 0..max {
            let Some((key, tick)) = self.places.take(&mut self.due, &mut self.taken) else {
                return false;
            };
            self.look(key, tick, due);
        }
        !self.due.is_empty()
    }

    /// The earliest tick at which a key may have to be asked; not after the present where one may
    /// be due, and never after the deadline of any key.
    #[must_use]
    pub fn next(&self) -> Option<Tick> {
        if self.is_empty() {
            return None;
        }
        if let Some(tick) = self.places.first_tick(&self.due) {
            return Some(tick.min(self.now));
        }
        (self.ahead != NEVER).then(|| self.now.after(Span(self.ahead)))
    }

    /// When `key` is to be asked: what was [`set`](Self::set).
    #[must_use]
    pub fn get(&self, key: u32) -> Option<Tick> {
        let (range, index) = place(key);
        let entry = self.entries[range].get(index)?;
        entry.is_set().then_some(entry.at)
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
        while self.ahead <= gap && self.ahead != NEVER {
            let slot = self.now.after(Span(self.ahead)).0 & self.mask;
            self.occupied.clear(slot);
            let fallen = mem::replace(&mut self.slots[slot as usize], List::EMPTY);
            self.places.join(&mut self.due, fallen);
            self.ahead = self.first_ahead();
        }
        if self.ahead != NEVER {
            self.ahead -= gap;
        }
        self.now = now;
    }

    /// One place of `tick` came up: takes its key where that is due, hangs it elsewhere where it is
    /// not, and forgets the place where it is stale.
    fn look(&mut self, key: u32, tick: Tick, due: &mut Vec<u32>) {
        let (range, index) = place(key);
        let entry = &mut self.entries[range][index];
        if !entry.hangs_at(tick) {
            return;
        }
        let Entry { at, .. } = *entry;
        let is_set = entry.is_set();
        entry.hung = 0;
        if !is_set {
            return;
        }
        let overslept = self.now.0.wrapping_sub(tick.0) >= OVERSLEPT;
        if at.is_due(self.now) || overslept {
            self.len -= 1;
            due.push(key);
        } else {
            self.hang(key, at);
        }
    }

    /// Gives a key that is set a place for its deadline.
    fn hang(&mut self, key: u32, at: Tick) {
        let tick = self.now.after(Span(distance(self.now, at, self.mask)));
        let list = if tick == self.now {
            &mut self.due
        } else {
            let slot = tick.0 & self.mask;
            self.occupied.set(slot);
            self.ahead = self.ahead.min(tick.since(self.now).0);
            &mut self.slots[slot as usize]
        };
        self.places.append(list, key, tick);
        let (range, index) = place(key);
        let entry = &mut self.entries[range][index];
        entry.hung = Entry::hung(tick);
        if self.places.len() > self.places_max() {
            self.sweep();
        }
    }

    /// Gives every key that is set its place anew: nothing stale is left.
    #[cold]
    fn sweep(&mut self) {
        self.places.clear();
        self.slots.fill(List::EMPTY);
        self.occupied = Occupied::new(self.mask + 1);
        self.ahead = NEVER;
        (self.due, self.taken) = (List::EMPTY, 0);
        for range in [0, Self::TIMER] {
            for number in 0..self.entries[place(range).0].len() {
                let key = range | u32::try_from(number).expect("keys have 31 bits");
                let (range, index) = place(key);
                let entry = &mut self.entries[range][index];
                let (at, is_set) = (entry.at, entry.is_set());
                entry.hung = 0;
                if is_set {
                    self.hang(key, at);
                }
            }
        }
    }

    /// Ticks from now to the occupied slot that comes up first.
    fn first_ahead(&self) -> u32 {
        let slot = self.occupied.first_from(self.now.0 & self.mask);
        slot.map_or(NEVER, |slot| self.ahead_of(slot))
    }

    /// Ticks from now until a slot comes up.
    fn ahead_of(&self, slot: u32) -> u32 {
        slot.wrapping_sub(self.now.0) & self.mask
    }

    /// Full sweep of the invariants: O(keys + places + slots), for tests and the simulation.
    ///
    /// # Panics
    /// Where a place lies in another list than its tick says, a key that is set hangs nowhere or
    /// after its deadline, the occupancy is wrong in either direction, or keys or places are lost
    /// or counted twice.
    pub fn check(&self) {
        let mut places = 0;
        let mut hangs = [0, 1].map(|range: usize| vec![false; self.entries[range].len()]);
        let mut see = |key: u32, tick: Tick, ahead: u32| {
            places += 1;
            let (range, index) = place(key);
            let entry = self.entries[range][index];
            if entry.hangs_at(tick) {
                let in_time = ahead <= distance(self.now, entry.at, self.mask);
                assert!(in_time || !entry.is_set(), "key {key} comes up late");
                hangs[range][index] = true;
            }
        };
        for (key, tick) in self.places.iter(self.due, self.taken) {
            see(key, tick, 0);
        }
        for (slot, list) in (0..).zip(&self.slots) {
            assert_eq!(self.occupied.get(slot), !list.is_empty(), "slot {slot}");
            let ahead = self.ahead_of(slot);
            for (key, tick) in self.places.iter(*list, 0) {
                assert_eq!(tick, self.now.after(Span(ahead)), "slot of key {key}");
                see(key, tick, ahead);
            }
        }
        assert_eq!(places, self.places.len(), "places in lists, and the count");
        assert!(places <= self.places_max(), "{places} places");
        let entries = || self.entries.iter().flatten();
        for (entry, hangs) in entries().zip(hangs.iter().flatten()) {
            assert_eq!(entry.hung != 0, *hangs, "{entry:?} hangs where it says");
        }
        let set = entries().filter(|entry| entry.is_set()).count();
        assert_eq!(set, self.len, "keys set, and the count");
        self.occupied.check();
        assert_eq!(self.ahead, self.first_ahead(), "the first occupied slot");
    }

    /// With more places than this, some are stale for sure.
    fn places_max(&self) -> usize {
        let keys = self.entries[0].len() + self.entries[1].len();
        places_max(keys, self.slots.len())
    }
}

fn places_max(keys: usize, slots: usize) -> usize {
    2 * keys + slots
}

/// The range that `key` lies in, and its place there.
fn place(key: u32) -> (usize, usize) {
    ((key >> 31) as usize, (key & !Wheel::TIMER) as usize)
}

/// Ticks from `now` to the place of a deadline: none where it has passed, a turn at most.
fn distance(now: Tick, at: Tick, mask: u32) -> u32 {
    at.since(now).0.min(mask)
}

/// No slot is occupied.
const NEVER: u32 = u32::MAX;

/// A place that is looked at so many ticks (25 days) late: whether its deadline lies before or
/// behind can no longer be told, and the key is asked.
const OVERSLEPT: u32 = 1 << 30;

/// A key's deadline, and the tick at which it hangs.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at: Tick,
    /// The low 30 bits of the tick, with [`HUNG`](Self::HUNG) and [`SET`](Self::SET); zero for a
    /// key that is neither. Ticks that differ above them are told apart by nobody: they are 25 days
    /// apart, and mistaking one for the other only means to look once more.
    hung: u32,
}

const _: () = assert!(size_of::<Entry>() == 8);

impl Entry {
    const FREE: Self = Self {
        at: Tick(0),
        hung: 0,
    };

    /// The key has a place that counts.
    const HUNG: u32 = 1 << 30;
    /// The key has a deadline.
    const SET: u32 = 1 << 31;
    const TICK: u32 = Self::HUNG - 1;

    fn hung(tick: Tick) -> u32 {
        tick.0 & Self::TICK | Self::HUNG | Self::SET
    }

    fn is_set(self) -> bool {
        self.hung & Self::SET != 0
    }

    /// Whether a place of `tick` is the one that counts.
    fn hangs_at(self, tick: Tick) -> bool {
        self.hung & !Self::SET == tick.0 & Self::TICK | Self::HUNG
    }

    /// Whether it has a place that comes up within `distance` ticks from `now`.
    fn hangs_within(self, distance: u32, now: Tick, mask: u32) -> bool {
        let ahead = self.hung.wrapping_sub(now.0) & Self::TICK;
        // beyond a turn is where ticks lie that have passed
        self.hung & Self::HUNG != 0 && (ahead <= distance || ahead > mask)
    }
}
