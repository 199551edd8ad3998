//! A sorted table that is looked up with two steps into memory. The first bits of a key are the
//! number of a slot, an index tells where the entries of that slot begin, and they lie side by
//! side, about four of them.
//!
//! How many bits that takes is found when the table is made: more where entries stand closely
//! together. Where very many still share a slot, they are searched by halves.

/// What is compared.
pub(super) trait Key: Copy + Ord {
    /// The key after it; none after the last.
    fn next(self) -> Option<Self>;

    /// How far it is above `base`, in steps of 2 to the power of `shift`.
    fn steps(self, base: Self, shift: u32) -> usize;

    /// How many bits that distance takes.
    fn width(self, base: Self) -> u32;

    /// Whether the first bits are the same.
    fn shares(self, other: Self, bits: u8) -> bool;
}

macro_rules! keys {
    ($($number:ty)*) => {$(
        impl Key for $number {
            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }

            #[inline]
            fn steps(self, base: Self, shift: u32) -> usize {
                let steps = (self - base).checked_shr(shift).unwrap_or(0);
                usize::try_from(steps).unwrap_or(usize::MAX)
            }

            fn width(self, base: Self) -> u32 {
                Self::BITS - (self - base).leading_zeros()
            }

            #[inline]
            fn shares(self, other: Self, bits: u8) -> bool {
                let rest = Self::BITS - u32::from(bits);
                (self ^ other).checked_shr(rest).unwrap_or(0) == 0
            }
        }
    )*};
}

keys!(u32 u64 u128);

/// What stands in a table.
pub(super) trait Entry: Copy {
    type Key: Key;

    /// What it is found by.
    fn key(self) -> Self::Key;
}

/// Sorted entries and their index.
#[derive(Debug)]
pub(super) struct Slots<E> {
    entries: Vec<E>,
    /// Where the entries of each slot begin, and where the last of them end.
    begins: Vec<u32>,
    shift: u32,
}

/// An entry shares its slot with so many, itself included, unless that would take too many slots.
const CROWD: usize = 6;

/// Slots are at most 2 to this power.
const BITS_MAX: u32 = 22;

impl<E: Entry> Slots<E> {
    /// A table of entries that are in order.
    pub(super) fn new(entries: Vec<E>) -> Self {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return Self {
                entries,
                begins: Vec::new(),
                shift: 0,
            };
        };
        let base = first.key();
        let width = last.key().width(base);
        let most = (entries.len().ilog2() + 2).min(BITS_MAX);
        let least = (entries.len() / CROWD).max(1).ilog2();
        let mut shifts = (least..=most).map(|bits| width.saturating_sub(bits));
        let widest = width.saturating_sub(most);
        let shift = shifts
            .find(|shift| crowd(&entries, base, *shift) <= CROWD)
            .unwrap_or(widest);
        Self {
            begins: index(&entries, base, shift),
            entries,
            shift,
        }
    }

    /// The last entry that is not above `key`; none where all are.
    #[inline]
    pub(super) fn last_up_to(&self, key: E::Key) -> Option<E> {
        let base = self.entries.first()?.key();
        if key < base {
            return None;
        }
        let last = self.begins.len() - 2;
        let slot = key.steps(base, self.shift).min(last);
        let (from, to) = (self.begins[slot] as usize, self.begins[slot + 1] as usize);
        let within = &self.entries[from..to];
        let count = within.partition_point(|entry| entry.key() <= key);
        // Where it is before all of its slot, the one before them is meant.
        let place = (from + count).checked_sub(1)?;
        Some(self.entries[place])
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&self.entries[..]) + size_of_val(&self.begins[..])
    }
}

/// With how many an entry shares its slot in the mean, itself included.
fn crowd<E: Entry>(entries: &[E], base: E::Key, shift: u32) -> usize {
    let slot = |entry: &E| entry.key().steps(base, shift);
    let slots = entries.chunk_by(|one, other| slot(one) == slot(other));
    slots.map(|slot| slot.len() * slot.len()).sum::<usize>() / entries.len()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "entries are bounded by a limit that is far below"
)]
fn index<E: Entry>(entries: &[E], base: E::Key, shift: u32) -> Vec<u32> {
    let mut begins = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        // Slots that nobody is in begin where the next one does.
        begins.resize(entry.key().steps(base, shift) + 1, place as u32);
    }
    begins.push(entries.len() as u32);
    begins.shrink_to_fit();
    begins
}
