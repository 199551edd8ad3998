//! The daemon's program: everything is in the library.

use std::process::ExitCode;

/// Gives the pages of what was freed back to the system, wherever they lie: see the manual, memory.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    pulsegate::cli::main()
}
