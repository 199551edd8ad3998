//! Which branches an input has reached, where the build counts them.
//!
//! `tools/fuzz/run --guided` has the compiler put an 8-bit counter at every edge; it hands their
//! place to the two functions below before `main`. In any other build nobody calls those, there are
//! no counters, and nothing is ever new.

use std::sync::Mutex;

/// Where counters lie: the first and how many, for each piece of the program.
static COUNTERS: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

/// What all inputs so far have reached, counts in powers of two.
#[derive(Debug, Default)]
pub struct Seen {
    buckets: Vec<u8>,
}

impl Seen {
    /// Whether the run since the last [`clear`] reached something new; it is known from now on.
    pub fn learn(&mut self) -> bool {
        let mut is_new = false;
        let mut at = 0;
        each(|counter| {
            if at == self.buckets.len() {
                self.buckets.push(0);
            }
            if *counter > 0 {
                let bucket = 1 << (7 - counter.leading_zeros());
                is_new |= self.buckets[at] & bucket == 0;
                self.buckets[at] |= bucket;
            }
            at += 1;
        });
        is_new
    }

    /// Edges reached, of how many.
    #[must_use]
    pub fn share(&self) -> (usize, usize) {
        let reached = self.buckets.iter().filter(|bucket| **bucket > 0).count();
        (reached, self.buckets.len())
    }
}

/// Whether this build has counters.
#[must_use]
pub fn is_there() -> bool {
    COUNTERS.lock().is_ok_and(|pieces| !pieces.is_empty())
}

/// Sets all counters to zero.
pub fn clear() {
    each(|counter| *counter = 0);
}

#[allow(unsafe_code, reason = "the compiler's counters are static memory")]
fn each(mut what: impl FnMut(&mut u8)) {
    let pieces = COUNTERS.lock().expect("nobody panics with it");
    for &(start, len) in pieces.iter() {
        // SAFETY: the compiler named this range; it is there as long as the program, and each
        // campaign is one thread, which is in here.
        let counters = unsafe { std::slice::from_raw_parts_mut(start as *mut u8, len) };
        counters.iter_mut().for_each(&mut what);
    }
}

/// Called before `main` for each piece of the program that has counters.
#[allow(unsafe_code, reason = "the compiler calls it by this name")]
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut u8, stop: *mut u8) {
    let piece = (start as usize, stop as usize - start as usize);
    if let Ok(mut pieces) = COUNTERS.lock()
        && piece.1 > 0
        && !pieces.contains(&piece)
    {
        pieces.push(piece);
    }
}

/// The places of those counters in the code; of no use here.
#[allow(unsafe_code, reason = "the compiler calls it by this name")]
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_pcs_init(_start: *const usize, _stop: *const usize) {}
