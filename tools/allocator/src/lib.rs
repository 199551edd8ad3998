//! The program's allocator, mimalloc, and the one call of it that no crate wraps.
//!
//! A crate of its own, because a foreign function can not be called without `unsafe`, and the
//! daemon has none.

#![expect(unsafe_code, reason = "a foreign function")]

/// mimalloc: it gives pages back to the system wherever they lie.
pub use mimalloc::MiMalloc as Allocator;

unsafe extern "C" {
    // Takes no pointer and returns none, and may be called by any thread at any time.
    safe fn mi_collect(force: bool);
}

/// Gives pages back that hold no block of this thread, and what threads that ended have left.
///
/// Without it pages of freed blocks stay until something near them is freed later, and the last
/// page of each size of block for good. Does nothing in a program that has another allocator.
pub fn give_back() {
    mi_collect(true);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: Allocator = Allocator;

    /// Resident memory that belongs to no file.
    fn resident() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").expect("proc is mounted");
        let line = status.lines().find(|line| line.starts_with("RssAnon:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        kib.and_then(|kib| kib.parse().ok())
            .expect("a number of KiB")
    }

    #[test]
    fn what_was_freed_is_given_back() {
        let sizes = || (0..12_000).map(|number| 16 << (number % 12));
        let blocks: Vec<Vec<u8>> = sizes().map(|size| vec![1; size]).collect();
        let most = resident();
        drop(blocks);
        give_back();
        let rest = resident();
        assert!(most > 50_000, "that is not much: {most} KiB");
        assert!(rest < 4_000, "{rest} KiB of {most} stayed");
    }
}
