//! A thread that looks whether the loop still turns. Where a turn takes too long it says so while
//! it takes so long, and where; where that is configured it ends the process, with what it knows.
//!
//! - It is there only where it is asked for: with a second thread every system call of the loop
//!   costs more, since its descriptors are then shared.
//! - It counts how often it has looked and goes by no clock: a process that is stopped, or a
//!   machine that sleeps, is nobody's hang.
//! - It never says anything itself: what hangs may be the log. Another thread does, and is waited
//!   for no longer than a little.
//! - What the kernel knows of the loop is opened before the process gives up the right to.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Weak};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use log::{error, info, warn};
use rustix::thread::{NanosleepRelativeResult, Timespec, gettid, nanosleep};

use crate::config::Process;
use crate::server::pulse::{At, Place, Pulse};

/// How often it looks while the shorter of its spans goes by.
const LOOKS: u32 = 4;
/// How long it waits for its last words.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Who looks at the loop, before it begins.
#[derive(Debug)]
pub(super) struct Watch {
    warn: Option<Duration>,
    abort: Option<Duration>,
    files: Arc<Files>,
}

/// What the kernel tells of the loop's thread and of the process.
#[derive(Debug)]
struct Files {
    stat: Option<File>,
    call: Option<File>,
    process: Option<File>,
}

/// What it has seen of the turn that the loop is in.
#[derive(Clone, Copy, Debug, Default)]
struct Hang {
    turn: u64,
    /// Looks since the first one at this turn.
    looks: u32,
    is_told: bool,
}

impl Watch {
    /// `None` where nobody asks for it. To be called by the thread of the loop.
    pub(super) fn new(process: &Process) -> Option<Self> {
        let (warn, abort) = (process.hang_warn, process.hang_abort);
        warn.or(abort)?;
        let thread = gettid().as_raw_nonzero();
        let open = |name: &str| File::open(format!("/proc/self/task/{thread}/{name}")).ok();
        let files = Files {
            stat: open("stat"),
            call: open("syscall"),
            process: File::open("/proc/self/status").ok(),
        };
        Some(Self {
            warn,
            abort,
            files: Arc::new(files),
        })
    }

    /// Begins to look, for as long as there is a loop. Says so where there is no thread for it.
    pub(super) fn begin(self, pulse: Weak<Pulse>) {
        let thread = Builder::new().name(String::from("watch"));
        if let Err(error) = thread.spawn(move || self.look_on(&pulse)) {
            warn!("nobody watches the loop: {error}");
        }
    }

    fn look_on(&self, pulse: &Weak<Pulse>) {
        let spans = self.warn.into_iter().chain(self.abort);
        let step = spans.min().unwrap_or_default() / LOOKS;
        let mut hang = Hang::default();
        loop {
            rest(step);
            let Some(pulse) = pulse.upgrade() else {
                return;
            };
            let place = pulse.place();
            if place.at == At::Wait || place.turn != hang.turn {
                if hang.is_told {
                    let lasted = step * hang.looks;
                    tell(move || info!("the loop turns again: it hung for {lasted:?} or longer"));
                }
                hang = Hang {
                    turn: place.turn,
                    ..Hang::default()
                };
                continue;
            }
            hang.looks += 1;
            let lasts = step * hang.looks;
            if self.abort.is_some_and(|abort| lasts >= abort) {
                self.give_up(place, lasts);
            }
            if !hang.is_told && self.warn.is_some_and(|warn| lasts >= warn) {
                hang.is_told = true;
                let files = Arc::clone(&self.files);
                tell(move || warn!("the loop hangs: {}", told(place, lasts, &files)));
            }
        }
    }

    /// The end of the process, which whoever started it may begin again.
    fn give_up(&self, place: Place, lasts: Duration) -> ! {
        let files = Arc::clone(&self.files);
        let words = tell(move || {
            error!("the loop is given up: {}", told(place, lasts, &files));
            error!("the process was: {}", process(&files));
        });
        let step = LAST_WORDS / 50;
        for _ in 0..50 {
            if words.as_ref().is_none_or(JoinHandle::is_finished) {
                break;
            }
            rest(step);
        }
        std::process::abort();
    }
}

/// Has something said by a thread of its own.
fn tell(what: impl FnOnce() + Send + 'static) -> Option<JoinHandle<()>> {
    Builder::new().name(String::from("words")).spawn(what).ok()
}

fn told(place: Place, lasts: Duration, files: &Files) -> String {
    let Place {
        turn,
        at,
        connections,
    } = place;
    let lasts = lasts.as_millis();
    // "PID (NAME) STATE …": the name may hold anything.
    let stat = text(files.stat.as_ref());
    let state = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let state = state.split(' ').next().unwrap_or_default();
    // "NUMBER ARGUMENT …", or "running".
    let call = text(files.call.as_ref());
    let call = call.split_whitespace().next().unwrap_or("unknown");
    format!("at={at} turn={turn} for={lasts}ms connections={connections} state={state} call={call}")
}

/// The lines of the kernel's that tell of memory and threads.
fn process(files: &Files) -> String {
    let status = text(files.process.as_ref());
    let wanted = [
        "VmRSS:", "VmSize:", "Threads:", "FDSize:", "SigPnd:", "ShdPnd:",
    ];
    let lines = status
        .lines()
        .filter(|line| wanted.iter().any(|one| line.starts_with(one)));
    let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    words.collect::<Vec<_>>().join(", ")
}

/// A file of the kernel's own, from its beginning.
fn text(file: Option<&File>) -> String {
    let mut bytes = [0; 4_096];
    let read = file.and_then(|file| file.read_at(&mut bytes, 0).ok());
    String::from_utf8_lossy(&bytes[..read.unwrap_or(0)]).into_owned()
}

/// Sleeps for so long.
fn rest(span: Duration) {
    let Ok(mut left) = Timespec::try_from(span) else {
        return;
    };
    while let NanosleepRelativeResult::Interrupted(rest) = nanosleep(&left) {
        left = rest;
    }
}
