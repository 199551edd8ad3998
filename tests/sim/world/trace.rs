//! The fingerprint of a run: every call that the server makes, with what it got back.
//!
//! Two runs of one seed must have the same fingerprint. The readable log of a replay is made in
//! the same place, so that what is hashed is what is shown.

/// The kind of call, as the log names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Call {
    Wait,
    Ready,
    Now,
    Wall,
    Entropy,
    Listen,
    Accept,
    Register,
    Read,
    Peek,
    Write,
    Shutdown,
    Close,
    Unlisten,
    Rest,
}

/// A running hash over calls and results, and whether they are printed.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    calls: u64,
    pub(crate) is_verbose: bool,
}

impl Trace {
    pub(crate) fn new(is_verbose: bool) -> Self {
        Self {
            hash: 0xCBF2_9CE4_8422_2325,
            calls: 0,
            is_verbose,
        }
    }

    #[inline]
    pub(crate) fn note(&mut self, call: Call, about: u64, result: u64) {
        self.calls += 1;
        self.mix(call as u64);
        self.mix(about);
        self.mix(result);
    }

    /// What moved through a socket belongs to the fingerprint.
    pub(crate) fn note_bytes(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.mix(u64::from_le_bytes(
                chunk.try_into().expect("a chunk has 8 bytes"),
            ));
        }
        for &byte in chunks.remainder() {
            self.mix(u64::from(byte));
        }
    }

    /// Prints a line of the readable log; formats nothing where nobody reads it.
    #[inline]
    pub(crate) fn say(&self, now: u64, line: impl FnOnce() -> String) {
        if self.is_verbose {
            eprintln!("{:>12.6} {}", now as f64 / 1e9, line());
        }
    }

    pub(crate) fn fingerprint(&self) -> (u64, u64) {
        (self.hash, self.calls)
    }

    #[inline]
    fn mix(&mut self, word: u64) {
        self.hash = (self.hash.rotate_left(5) ^ word).wrapping_mul(0x517C_C1B7_2722_0A95);
    }
}
