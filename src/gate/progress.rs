//! Who needs nothing more of the message to many that is under way.
//!
//! Only of the first can anybody have a copy while others wait for their turn, so one set of marks
//! serves: a bit for each user and each connection, taken when there is something to mark.

/// Users and connections that are served, by slot.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    settled: Marks,
    served: Marks,
}

/// A set of slots.
#[derive(Debug, Default)]
struct Marks(Vec<u64>);

impl Marks {
    fn has(&self, slot: u32) -> bool {
        let word = self.0.get(slot as usize / 64);
        word.is_some_and(|word| word & (1 << (slot % 64)) != 0)
    }

    /// Marks it, where there is memory for that.
    fn set(&mut self, slot: u32) {
        let place = slot as usize / 64;
        if place >= self.0.len() {
            let more = place + 1 - self.0.len();
            if self.0.try_reserve(more).is_err() {
                return;
            }
            self.0.resize(place + 1, 0);
        }
        self.0[place] |= 1 << (slot % 64);
    }

    fn unset(&mut self, slot: u32) {
        if let Some(word) = self.0.get_mut(slot as usize / 64) {
            *word &= !(1 << (slot % 64));
        }
    }
}

impl Progress {
    /// Whether the user has acknowledged it, or its time was over before he did: no further copy is
    /// waited for or kept.
    pub(crate) fn is_settled(&self, user: u32) -> bool {
        self.settled.has(user)
    }

    /// Whether the connection has had it from its user's mailbox, before its turn.
    pub(crate) fn is_served(&self, index: u32) -> bool {
        self.served.has(index)
    }

    pub(crate) fn settle(&mut self, user: u32) {
        self.settled.set(user);
    }

    pub(super) fn serve(&mut self, index: u32) {
        self.served.set(index);
    }

    /// The slot is another user's from now on.
    pub(crate) fn forget(&mut self, user: u32) {
        self.settled.unset(user);
    }

    pub(super) fn clear(&mut self) {
        self.settled.0.clear();
        self.served.0.clear();
    }

    pub(crate) fn trim(&mut self) {
        self.settled.0.shrink_to_fit();
        self.served.0.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_of_slots_and_cleared_together() {
        let mut progress = Progress::default();
        assert!(!progress.is_settled(u32::MAX - 1));
        for slot in [0, 63, 64, 1_000] {
            progress.settled.set(slot);
        }
        progress.served.set(5);
        let settled: Vec<u32> = (0..2_000)
            .filter(|&slot| progress.is_settled(slot))
            .collect();
        assert_eq!(settled, [0, 63, 64, 1_000]);
        let served: Vec<u32> = (0..2_000)
            .filter(|&slot| progress.is_served(slot))
            .collect();
        assert_eq!(served, [5]);
        progress.forget(63);
        progress.forget(1_000_000);
        assert!(!progress.is_settled(63) && progress.is_settled(64));
        progress.clear();
        assert!(!progress.is_settled(64) && !progress.is_served(5));
        progress.trim();
        assert_eq!(progress.settled.0.capacity(), 0);
    }
}
