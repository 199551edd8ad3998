//! What the kernel says of its limits: files below a root, as numbers.

use std::fs;
use std::path::PathBuf;

use crate::error::Fatal;

/// The machine, as its files tell.
pub(super) struct Machine {
    root: PathBuf,
}

impl Machine {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }

    /// The numbers in a file; `None` where there is no such file.
    pub(super) fn numbers(&self, path: &str) -> Option<Vec<u64>> {
        let text = self.text(path)?;
        let numbers = text.split_whitespace().map(|word| word.parse().ok());
        numbers.collect()
    }

    /// The first number in a file of `/proc/sys`.
    pub(super) fn setting(&self, name: &str) -> Option<u64> {
        let path = format!("proc/sys/{}", name.replace('.', "/"));
        self.numbers(&path)?.first().copied()
    }

    /// Descriptors a process may have when it has raised its limit as far as it may.
    pub(super) fn files_of(&self, process: &str) -> Result<u64, Fatal> {
        let path = format!("proc/{process}/limits");
        let find = || {
            let text = self.text(&path)?;
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("Max open files"))?;
            match line.split_whitespace().nth(1)? {
                "unlimited" => Some(u64::MAX),
                number => number.parse().ok(),
            }
        };
        find().ok_or_else(|| {
            Fatal::Environment(format!("/{path} does not tell the limit on open files"))
        })
    }

    /// Bytes that can be had without swapping.
    pub(super) fn memory(&self) -> Option<u64> {
        let text = self.text("proc/meminfo")?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("MemAvailable:"))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib * 1_024)
    }

    /// Pages that TCP's buffers take now.
    pub(super) fn tcp_pages(&self) -> u64 {
        let find = || {
            let text = self.text("proc/net/sockstat")?;
            let line = text.lines().find_map(|line| line.strip_prefix("TCP: "))?;
            let mut words = line.split_whitespace().skip_while(|word| *word != "mem");
            words.nth(1)?.parse().ok()
        };
        find().unwrap_or(0)
    }
}
