//! The hashed timing wheel.

use crate::time::Tick;

/// A hashed timing wheel.
#[derive(Debug)]
pub struct Wheel {}

impl Wheel {
    /// An empty wheel at `now`, with room for `keys` plain keys before it has to grow.
    #[must_use]
    pub fn new(now: Tick, keys: usize) -> Self {
        let _ = (now, keys);
        Self {}
    }
    /// Sets `key` to be asked at `at`; moves it where it was set already.
    pub fn set(&mut self, key: u32, at: Tick) {
        let _ = (key, at);
    }
    /// Forgets `key`; does nothing where it is not set.
    pub fn remove(&mut self, key: u32) {
        let _ = key;
    }
    /// Moves on to `now` and appends at most `max` keys that are due to `due`, taking them out.
    /// Returns whether more are due than were taken.
    pub fn advance(&mut self, now: Tick, max: usize, due: &mut Vec<u32>) -> bool {
        let _ = (now, max, due);
        false
    }
    /// The earliest tick at which a key is to be asked.
    #[must_use]
    pub fn next(&self) -> Option<Tick> {
        None
    }
    /// When `key` is to be asked.
    #[must_use]
    pub fn get(&self, key: u32) -> Option<Tick> {
        let _ = key;
        None
    }
    /// Keys that are set.
    #[must_use]
    pub fn len(&self) -> usize {
        0
    }
    /// Whether no key is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        true
    }
    /// Full sweep of the invariants.
    pub fn check(&self) {}
}
