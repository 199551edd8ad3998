//! The outbox of a connection against a plain queue of bytes, wherever the socket cuts.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;
use pulsegate::time::Tick;

use crate::take::Take;

// Private to the library: the same files, compiled once more.
#[path = "../../../../src/gate/outbox.rs"]
#[allow(dead_code, unreachable_pub, reason = "the gate uses all of it")]
mod gate_outbox;
#[path = "../../../../src/gate/pieces.rs"]
#[allow(dead_code, unreachable_pub, reason = "the gate uses all of it")]
mod pieces;

use gate_outbox::{Outbox, SLICES_MAX};

/// The outbox, and what must be in it.
#[derive(Default)]
struct Bench {
    outbox: Outbox,
    model: VecDeque<u8>,
    /// Where each append that waits ends in the stream, and when it was made.
    ages: VecDeque<(u64, u32)>,
    /// Bytes ever appended.
    appended: u64,
    next: u8,
    now: u32,
}

pub(super) fn run(bytes: &[u8]) {
    let mut take = Take::new(bytes);
    let mut bench = Bench::default();
    while !take.is_empty() {
        let deed = take.byte();
        let len = match take.byte() {
            small @ 0..=199 => usize::from(small),
            large => usize::from(large - 199) * 101,
        };
        bench.act(deed, len);
        if bench.outbox.is_empty() {
            // It goes back to the pool.
            bench.recycle();
        }
        bench.now += u32::from(deed >> 4);
        bench.check();
    }
    while !bench.model.is_empty() {
        bench.write(usize::MAX);
    }
    bench.check();
}

impl Bench {
    fn act(&mut self, deed: u8, len: usize) {
        let is_shared = deed & 0x80 != 0;
        match deed % 8 {
            0..=3 => self.append(len, is_shared),
            4 if len > 0 => {
                // Said, and thought better of.
                let before = self.outbox.len();
                self.append(len, is_shared);
                self.outbox.retract(before);
                self.model.truncate(before);
                self.ages.pop_back();
                self.appended -= len as u64;
            }
            5 if is_shared => self.recycle(),
            _ => self.write(len),
        }
    }

    /// What the pool does between two connections.
    fn recycle(&mut self) {
        self.outbox.recycle();
        self.model.clear();
        self.ages.clear();
        let cost = self.outbox.cost();
        assert!(cost <= Outbox::spare_max(), "a spare one of {cost} bytes");
    }

    fn append(&mut self, len: usize, is_shared: bool) {
        let mut next = || {
            self.next = self.next.wrapping_mul(5).wrapping_add(1);
            self.next
        };
        let bytes: Vec<u8> = (0..len).map(|_| next()).collect();
        self.model.extend(&bytes);
        let appended = if is_shared {
            self.outbox.share(&Bytes::from(bytes))
        } else {
            self.outbox.copy(&bytes)
        };
        assert!(appended.is_ok(), "there is memory for {len} bytes");
        if len > 0 {
            self.appended += len as u64;
            self.outbox.mark(self.appended, Tick(self.now));
            self.ages.push_back((self.appended, self.now));
        }
    }

    /// The socket takes so much of what it is offered.
    fn write(&mut self, most: usize) {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let count = self.outbox.slices(&mut slices);
        let slices = slices[..count].iter();
        let offered: Vec<u8> = slices.flat_map(|slice| slice.iter().copied()).collect();
        assert_eq!(offered.is_empty(), self.model.is_empty(), "what is offered");
        if let Some(only) = self.outbox.only() {
            assert_eq!(only, offered, "one piece is all of it");
        }
        let taken = most.min(offered.len());
        let expected: Vec<u8> = self.model.drain(..taken).collect();
        assert_eq!(&offered[..taken], expected, "something else leaves");
        self.outbox.advance(taken);
        let written = self.appended - self.model.len() as u64;
        self.outbox.unmark(written);
        while self.ages.front().is_some_and(|(end, _)| *end <= written) {
            self.ages.pop_front();
        }
    }

    fn check(&self) {
        self.outbox.check();
        assert_eq!(self.outbox.len(), self.model.len());
        assert_eq!(self.outbox.is_empty(), self.model.is_empty());
        if let Some((_, since)) = self.ages.front() {
            let told = self.outbox.oldest().expect("bytes wait").0;
            let late = told.wrapping_sub(*since);
            assert!(late < 4, "waiting since {since}, told {told}");
        }
    }
}
