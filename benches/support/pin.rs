//! Processes that stay on one processor.

use rustix::thread::{CpuSet, Pid, sched_setaffinity};

/// Keeps a process (`None`: this one) to one processor, where there is one of that number.
pub(crate) fn pin(bench: &str, pid: Option<u32>, processor: usize) {
    let pid = pid.map(|pid| Pid::from_raw(pid.cast_signed()).expect("a process has a number"));
    let mut set = CpuSet::new();
    set.set(processor);
    if let Err(error) = sched_setaffinity(pid, &set) {
        println!("{bench} nobody is pinned to processor {processor}: {error}");
    }
}
