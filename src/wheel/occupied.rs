//! Which slots hold keys: two levels of bits, so that finding the next one is O(1).

/// A bit for each slot that holds a key, and a bit above for each word of them that is not zero.
///
/// 16,384 slots are 256 words under 4 summary words: a search looks at seven words at most.
#[derive(Debug)]
pub(super) struct Occupied {
    words: Vec<u64>,
    summary: Vec<u64>,
}

impl Occupied {
    pub(super) fn new(slots: u32) -> Self {
        let words = (slots as usize).div_ceil(64);
        Self {
            words: vec![0; words],
            summary: vec![0; words.div_ceil(64)],
        }
    }

    pub(super) fn get(&self, slot: u32) -> bool {
        self.words[slot as usize / 64] & bit(slot) != 0
    }

    pub(super) fn set(&mut self, slot: u32) {
        let word = slot / 64;
        self.words[word as usize] |= bit(slot);
        self.summary[word as usize / 64] |= bit(word);
    }

    pub(super) fn clear(&mut self, slot: u32) {
        let word = slot / 64;
        self.words[word as usize] &= !bit(slot);
        if self.words[word as usize] == 0 {
            self.summary[word as usize / 64] &= !bit(word);
        }
    }

    /// The first occupied slot at or after `slot`, around the wheel.
    pub(super) fn first_from(&self, slot: u32) -> Option<u32> {
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

    pub(super) fn check(&self) {
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
