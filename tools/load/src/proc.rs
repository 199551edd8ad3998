//! What the kernel says of a process and of its sockets, by `/proc`.

use std::fs;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One look at a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Look {
    /// Nanoseconds on a processor, all threads that live.
    pub(crate) cpu: u64,
    /// Nanoseconds in user and in kernel mode, in steps of the kernel's clock tick.
    pub(crate) user: u64,
    pub(crate) system: u64,
    pub(crate) resident: u64,
    pub(crate) files: u64,
    /// Of the whole machine: TCP sockets in use, and the memory they take.
    pub(crate) sockets: u64,
    pub(crate) socket_bytes: u64,
    /// Of the whole machine: what the kernel's objects take, sockets among them.
    pub(crate) slab_bytes: u64,
    /// Of the whole machine, since it was started: connects dropped at a full listen queue.
    pub(crate) listen_drops: u64,
}

/// Resident bytes of this process; zero where the kernel does not tell.
pub(crate) fn resident_of_self() -> u64 {
    resident("self").unwrap_or(0)
}

/// Open descriptors of a process; `None` where there is none.
pub(crate) fn files_of(pid: u32) -> Option<u64> {
    let path = format!("/proc/{pid}/fd");
    // Since Linux 6.2 that is their number, before it is nothing.
    match fs::metadata(&path).ok()?.len() {
        0 => fs::read_dir(path).ok().map(|files| files.count() as u64),
        files => Some(files),
    }
}

impl Look {
    /// Looks at a process; `None` where there is none.
    pub(crate) fn at(number: u32) -> Option<Self> {
        let pid = number.to_string();
        let (user, system) = user_and_system(&pid)?;
        let (sockets, socket_bytes) = sockets().unwrap_or((0, 0));
        Some(Self {
            cpu: on_cpu(&pid).unwrap_or(user + system),
            user,
            system,
            resident: resident(&pid)?,
            files: files_of(number).unwrap_or(0),
            sockets,
            socket_bytes,
            slab_bytes: slab_bytes().unwrap_or(0),
            listen_drops: listen_drops().unwrap_or(0),
        })
    }
}

/// A counter of `/proc/net/netstat`: names on one line, numbers on the next.
fn listen_drops() -> Option<u64> {
    let text = fs::read_to_string("/proc/net/netstat").ok()?;
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let mut pairs = names.split_whitespace().zip(numbers.split_whitespace());
    pairs
        .find(|(name, _)| *name == "ListenDrops")?
        .1
        .parse()
        .ok()
}

/// Exactly, where the kernel adds it up; its running counts, which lag behind by some hundred
/// kilobytes, where it does not.
fn resident(pid: &str) -> Option<u64> {
    kilobytes(&format!("/proc/{pid}/smaps_rollup"), "Rss:").or_else(|| counted(pid))
}

/// What the kernel's own objects take, on the whole machine.
fn slab_bytes() -> Option<u64> {
    kilobytes("/proc/meminfo", "Slab:")
}

/// The bytes of a line that says `NAME: 12 kB`.
fn kilobytes(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes << 10)
}

fn counted(pid: &str) -> Option<u64> {
    let pages = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = pages.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

fn on_cpu(pid: &str) -> Option<u64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let of = |path: std::path::PathBuf| -> Option<u64> {
        let text = fs::read_to_string(path.join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok()
    };
    Some(tasks.flatten().filter_map(|task| of(task.path())).sum())
}

fn user_and_system(pid: &str) -> Option<(u64, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold spaces; the fields after it do not.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split_whitespace().skip(11);
    let tick =
        Duration::from_secs(1) / u32::try_from(rustix::param::clock_ticks_per_second()).ok()?;
    let mut next = || -> Option<u64> {
        let ticks: u64 = fields.next()?.parse().ok()?;
        Some(ticks * crate::units::nanos(tick))
    };
    Some((next()?, next()?))
}

/// TCP sockets in use and bytes that their buffers take, on the whole machine.
fn sockets() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/net/sockstat").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("TCP: "))?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let of = |name: &str| -> Option<u64> {
        let pair = words.chunks(2).find(|pair| pair[0] == name)?;
        pair.get(1)?.parse().ok()
    };
    Some((of("inuse")?, of("mem")? * rustix::param::page_size() as u64))
}
