//! Whether there is memory, asked ahead of code that can not be told that there is none.

use std::hint::black_box;

/// What takes no more than this is not asked for: the allocator has it at hand.
const SMALL: usize = 4_096;

/// Whether `bytes` can be had now. On one thread, whoever takes no more than that in this turn of
/// the loop gets it. Costs an allocation that is not touched.
pub(crate) fn is_there(bytes: usize) -> bool {
    let mut room = Vec::<u8>::new();
    // The compiler may otherwise do without an allocation that nobody uses.
    bytes <= SMALL || black_box(&mut room).try_reserve_exact(bytes).is_ok()
}

/// A copy; none where there is no memory for it.
pub(crate) fn copy<T: Copy>(items: &[T]) -> Option<Vec<T>> {
    gather(items.iter().copied(), items.len())
}

/// So many items at most; none where there is no memory for so many.
pub(crate) fn gather<T>(items: impl Iterator<Item = T>, most: usize) -> Option<Vec<T>> {
    let mut all = Vec::new();
    all.try_reserve_exact(most).ok()?;
    all.extend(items.take(most));
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_there_is_can_not_be_had() {
        assert!(is_there(1 << 20));
        assert!(!is_there(usize::MAX));
        assert_eq!(copy(&[1, 2, 3]), Some(vec![1, 2, 3]));
        assert_eq!(gather(0.., usize::MAX), None);
        assert_eq!(gather(0.., 2), Some(vec![0, 1]));
    }
}
