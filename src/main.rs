//! The daemon's program: everything is in the library.

use std::process::ExitCode;

/// Gives the pages of what was freed back to the system, wherever they lie: see the manual, memory.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: pulsegate_allocator::Allocator = pulsegate_allocator::Allocator;

#[cfg(feature = "mimalloc")]
const GIVE_BACK: fn() = pulsegate_allocator::give_back;
#[cfg(not(feature = "mimalloc"))]
const GIVE_BACK: fn() = || {};

fn main() -> ExitCode {
    pulsegate::cli::main(GIVE_BACK)
}
