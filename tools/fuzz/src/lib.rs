//! Targets for fuzzing: each is one function that takes bytes and panics where something is wrong.
//!
//! - [`TARGETS`]: all of them, by name; [`run`] runs one under the watch of the allocator
//! - `targets/`: one file for each, with its oracle in its first lines
//! - [`mutate`]: makes new inputs of old ones; [`coverage`]: tells which of them see new code
//! - [`campaign`]: what the binary does
//!
//! `tools/fuzz/run SECONDS` throws mutations of the corpora at each target for so long, with any
//! toolchain; `tools/fuzz/run --guided SECONDS` builds it with counters at every branch and keeps
//! what reaches new ones. The corpora in `tools/fuzz/corpus/` are replayed by the usual tests.
//!
//! A new target is a file in `targets/`, a line in [`TARGETS`], and a few small files in
//! `corpus/NAME/`.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")
)]

pub mod campaign;
pub mod coverage;
pub mod heap;
pub mod mutate;
mod take;
mod targets;
// The simulated world of the tests.
#[allow(clippy::unwrap_used, reason = "test code")]
#[path = "../../../tests/sim/world/mod.rs"]
mod world;

pub use targets::{TARGETS, Target};

// Where files that are private to the library, compiled once more by some targets, look for them.
use pulsegate::time;
mod settings {
    pub(crate) use pulsegate::Rate;
}

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a target on one input; what it complains of, in words.
///
/// # Errors
/// The message of its panic.
pub fn run(target: &Target, bytes: &[u8]) -> Result<(), String> {
    let result = catch_unwind(AssertUnwindSafe(|| {
        let ((), used) = heap::watch(|| (target.run)(bytes));
        let most = (target.heap_max)(bytes.len());
        assert!(
            used.peak <= most,
            "{} bytes of input took {} of memory, {most} are allowed",
            bytes.len(),
            used.peak
        );
    }));
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
        text.unwrap_or_else(|| "a panic without words".into())
    })
}
