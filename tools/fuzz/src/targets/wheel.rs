//! The timing wheel against a sorted map: a key is asked once, never before its tick, and in the
//! first advance that reaches it unless there was no room.

use std::collections::BTreeMap;

use pulsegate::time::{Span, Tick};
use pulsegate::wheel::Wheel;

use crate::take::Take;

const KEYS: u32 = 24;

/// The wheel, and what it must do.
struct Bench {
    wheel: Wheel,
    /// Ticks since the start; those of the wheel wrap, these do not.
    now: u64,
    /// When each key is to be asked.
    model: BTreeMap<u32, u64>,
}

pub(super) fn run(bytes: &[u8]) {
    let mut take = Take::new(bytes);
    let slots = take.pick(&[16, 64, 128]);
    let mut bench = Bench {
        wheel: Wheel::with_slots(Tick::START, slots, 4),
        now: 0,
        model: BTreeMap::new(),
    };
    while !take.is_empty() {
        bench.act(&mut take, u64::from(slots));
        bench.check();
    }
    // Everything comes up in the end.
    let last = bench.model.values().copied().max().unwrap_or_default();
    bench.advance(last.saturating_sub(bench.now) + 1, 1_000);
    assert!(bench.wheel.is_empty(), "{:?} is left", bench.model);
    bench.check();
}

impl Bench {
    fn act(&mut self, take: &mut Take<'_>, slots: u64) {
        let deed = take.byte();
        let key = u32::from(take.byte()) % KEYS;
        let key = if deed & 0x80 == 0 {
            key
        } else {
            Wheel::TIMER + key
        };
        match deed % 8 {
            0..=2 => self.set(key, i64::from(take.byte())),
            3 => self.set(key, i64::from(take.word() % 8_192)),
            4 => self.set(key, -i64::from(take.byte() % 16)),
            5 => {
                self.wheel.remove(key);
                self.model.remove(&key);
            }
            6 => self.advance(u64::from(take.byte()), usize::from(take.byte() % 8)),
            _ => self.advance(u64::from(take.byte() % 8) * slots, 1_000),
        }
    }

    fn set(&mut self, key: u32, from_now: i64) {
        let at = self.now.saturating_add_signed(from_now);
        self.wheel.set(key, tick(at));
        self.model.insert(key, at);
    }

    fn advance(&mut self, by: u64, most: usize) {
        self.now += by;
        let mut due = Vec::new();
        let has_more = self.wheel.advance(tick(self.now), most, &mut due);
        assert!(due.len() <= most, "{} of at most {most}", due.len());
        for key in due {
            let at = self.model.remove(&key);
            let at = at.unwrap_or_else(|| panic!("{key} is asked and was not set"));
            assert!(at <= self.now, "{key} is asked {} early", at - self.now);
        }
        if !has_more {
            let late = self.model.iter().find(|(_, at)| **at <= self.now);
            assert!(late.is_none(), "{late:?} is late at {}", self.now);
        }
    }

    fn check(&self) {
        self.wheel.check();
        assert_eq!(self.wheel.len(), self.model.len());
        for key in (0..KEYS).flat_map(|key| [key, Wheel::TIMER + key]) {
            let at = self.model.get(&key).map(|at| tick(*at));
            assert_eq!(self.wheel.get(key), at, "{key}");
        }
        if let Some(first) = self.model.values().min() {
            let next = self.wheel.next().expect("somebody waits");
            // What is due is asked now, however long it has been so.
            let first = tick(self.now.max(*first));
            assert!(
                !first.is_before(next),
                "sleeps past {first:?}, until {next:?}"
            );
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "ticks wrap")]
fn tick(at: u64) -> Tick {
    Tick::START.after(Span(at as u32))
}
