//! A sorted table that is searched in steps of one cache line or a few: every sixteenth key stands
//! in the table above, every sixteenth of those in the one above that. A million keys are five
//! steps, of which only the last two are seldom in the cache.

/// What is compared in a ladder.
pub(super) trait Key: Copy + Ord {
    /// The key after it; none after the last.
    fn next(self) -> Option<Self>;
}

impl Key for u32 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Key for u64 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Key for u128 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

/// Keys of one step.
const STEP: usize = 16;

/// Sorted keys.
#[derive(Debug)]
pub(super) struct Ladder<K> {
    keys: Vec<K>,
    /// Every 16th key of the table below, the narrowest table first.
    above: Vec<Vec<K>>,
}

impl<K: Key> Ladder<K> {
    pub(super) fn new(keys: Vec<K>) -> Self {
        let mut above: Vec<Vec<K>> = Vec::new();
        loop {
            let below = above.last().unwrap_or(&keys);
            if below.len() <= STEP {
                break;
            }
            let every = below.iter().step_by(STEP).copied().collect();
            above.push(every);
        }
        above.reverse();
        Self { keys, above }
    }

    /// The place of the last key that is not above `key`; none where all are.
    #[inline]
    pub(super) fn last_up_to(&self, key: K) -> Option<usize> {
        let mut step = 0;
        for table in &self.above {
            step = last_of(table, step, key)?;
        }
        last_of(&self.keys, step, key)
    }

    pub(super) fn get(&self, place: usize) -> K {
        self.keys[place]
    }

    pub(super) fn bytes(&self) -> usize {
        let above = self.above.iter().map(|table| size_of_val(&table[..]));
        size_of_val(&self.keys[..]) + above.sum::<usize>()
    }
}

/// The place of the last key of a step that is not above `key`.
#[inline]
fn last_of<K: Key>(table: &[K], step: usize, key: K) -> Option<usize> {
    let from = step * STEP;
    let rest = &table[from..];
    let count = match rest.first_chunk::<STEP>() {
        // Without a branch: all are compared.
        Some(whole) => whole.iter().fold(0, |count: usize, held| {
            count.wrapping_add(usize::from(*held <= key))
        }),
        None => rest.partition_point(|held| *held <= key),
    };
    (from + count).checked_sub(1).filter(|_| count > 0)
}
