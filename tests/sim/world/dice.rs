//! The only source of chance: one small generator for each actor of a seed.
//!
//! Never reads entropy of the machine. Each actor forks a generator of its own, so that taking one
//! actor out of a world leaves the choices of the others as they were.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use super::agenda::Nanos;

/// A seeded generator with the questions that a simulation asks.
#[derive(Clone, Debug)]
pub(crate) struct Dice(Xoshiro256PlusPlus);

/// How often something happens, as a part of 2^32. Zero asks no generator.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Rate(pub(crate) u32);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// A generator for one actor; `label` keeps actors apart that are forked from the same state.
    pub(crate) fn fork(&mut self, label: u64) -> Self {
        Self::new(self.next() ^ label.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a die needs a side");
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// The same for sizes.
    pub(crate) fn size(&mut self, low: usize, high: usize) -> usize {
        self.between(low as u64, high as u64) as usize
    }

    /// Whether something of that rate happens now.
    #[inline]
    pub(crate) fn happens(&mut self, rate: Rate) -> bool {
        rate.0 != 0 && ((self.next() >> 32) as u32) < rate.0
    }

    /// True in one of `n` cases.
    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One of the choices.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }

    /// A time in whole microseconds from `low` to `high`.
    pub(crate) fn span(&mut self, low: Nanos, high: Nanos) -> Nanos {
        self.between(low / 1_000, high / 1_000) * 1_000
    }
}

impl Rate {
    pub(crate) const NEVER: Self = Self(0);

    /// `n` times in a thousand.
    pub(crate) fn per_mille(n: u32) -> Self {
        Self(u32::MAX / 1_000 * n)
    }

    /// `n` times in a million.
    pub(crate) fn per_million(n: u32) -> Self {
        Self(u32::MAX / 1_000_000 * n)
    }
}
