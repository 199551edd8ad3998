//! The log: one line an event to stderr, which never blocks the loop and never panics it.
//!
//! In front of `simple_logger`, which prints with `eprintln!`: that blocks where a pipe is full and
//! panics where it is closed. A line is printed only where stderr takes it at once; else it is
//! dropped and counted. A place in the code that logs too often is held to a few lines a second,
//! so that what a stranger sends can not flood the log.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use log::{Level, LevelFilter, Log, Metadata, Record};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use simple_logger::SimpleLogger;

use crate::config::{Log as Settings, LogFormat};

/// A line is cut to this length, so that a pipe takes it whole or not at all (`PIPE_BUF` is 4096).
const LINE_MAX: usize = 1_024;
/// How long printing rests after it failed.
const REST_SECONDS: u64 = 5;
/// Lines that one place in the code may log in a second.
const LINES_PER_SECOND: u32 = 20;

static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Lines that were not printed: stderr did not take them, or there were too many from one place.
#[must_use]
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Starts logging. Does nothing where a logger is set already.
pub fn start(settings: Settings) {
    let front = Front {
        printer: SimpleLogger::new().with_level(settings.level),
        format: settings.format,
        level: settings.level,
        is_journal: std::env::var_os("JOURNAL_STREAM").is_some(),
        places: Mutex::default(),
        breaks: AtomicU64::new(0),
    };
    if log::set_boxed_logger(Box::new(front)).is_ok() {
        log::set_max_level(settings.level);
    }
}

/// What stands before the printer.
struct Front {
    printer: SimpleLogger,
    format: LogFormat,
    level: LevelFilter,
    /// The journal stamps lines itself.
    is_journal: bool,
    places: Mutex<HashMap<(&'static str, u32), Place>>,
    /// When printing last failed, in seconds of the wall clock; 0 never.
    breaks: AtomicU64,
}

/// How much a place in the code has logged lately.
#[derive(Clone, Copy)]
struct Place {
    since: Instant,
    lines: u32,
    held_back: u32,
}

impl Log for Front {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.level
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let Some(held_back) = self.admit(record) else {
            DROPPED.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let mut line = escape(&record.args().to_string());
        if held_back > 0 {
            let _ = write!(line, " (and {held_back} more like it)");
        }
        if !self.print(record.level(), &line) {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&self) {}
}

impl Front {
    /// Whether this place may log now, and how many of its lines were held back before.
    fn admit(&self, record: &Record<'_>) -> Option<u32> {
        let key = (
            record.file_static().unwrap_or(""),
            record.line().unwrap_or(0),
        );
        let now = Instant::now();
        let mut places = self
            .places
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let place = places.entry(key).or_insert(Place {
            since: now,
            lines: 0,
            held_back: 0,
        });
        let mut told = 0;
        if now.duration_since(place.since).as_secs() >= 1 {
            told = place.held_back;
            *place = Place {
                since: now,
                lines: 0,
                held_back: 0,
            };
        }
        if place.lines >= LINES_PER_SECOND {
            place.held_back += 1;
            return None;
        }
        place.lines += 1;
        Some(told)
    }

    /// Prints a line where stderr takes it: whether it did.
    fn print(&self, level: Level, line: &str) -> bool {
        if self.is_broken() || !takes_a_line() {
            return false;
        }
        let stamp = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let print = || match self.format {
            LogFormat::Text => {
                // The printer shows the target in brackets: the stamp's place.
                let target = if self.is_journal { "pulsegate" } else { &stamp };
                let args = format_args!("{line}");
                let record = Record::builder()
                    .level(level)
                    .target(target)
                    .args(args)
                    .build();
                self.printer.log(&record);
            }
            LogFormat::Json => {
                let level = level.as_str().to_lowercase();
                let line = serde_json::Value::from(line);
                eprintln!(r#"{{"ts":"{stamp}","level":"{level}","msg":{line}}}"#);
            }
        };
        let is_printed = catch_unwind(AssertUnwindSafe(print)).is_ok();
        if !is_printed {
            self.breaks.store(seconds(), Ordering::Relaxed);
        }
        is_printed
    }

    /// Whether printing failed a moment ago (a full disk): it is not tried for a while, since each
    /// failure is a panic inside the printer.
    fn is_broken(&self) -> bool {
        let broke = self.breaks.load(Ordering::Relaxed);
        broke > 0 && seconds() < broke + REST_SECONDS
    }
}

/// Whole seconds of the wall clock.
fn seconds() -> u64 {
    SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |since| since.as_secs())
}

/// Whether stderr takes a line at once: a full pipe does not, a closed one never will.
fn takes_a_line() -> bool {
    let stderr = std::io::stderr();
    let mut fds = [PollFd::new(&stderr, PollFlags::OUT)];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let ready = poll(&mut fds, Some(&at_once)).unwrap_or(0);
    let gone = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    ready > 0 && !fds[0].revents().intersects(gone)
}

/// One event is one line, without anything that a terminal obeys: control characters and marks of
/// direction are spelled out, and what is too long is cut.
fn escape(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(LINE_MAX));
    for char in text.chars() {
        if line.len() > LINE_MAX {
            line.push('…');
            break;
        }
        if char.is_control() || is_direction(char) {
            line.extend(char.escape_default());
        } else {
            line.push(char);
        }
    }
    line
}

fn is_direction(char: char) -> bool {
    matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_is_one_plain_line() {
        let hostile = "a\nb\r\u{1b}[31m\0\u{202e}c\u{85}";
        let line = escape(hostile);
        assert!(
            line.chars()
                .all(|char| !char.is_control() && !is_direction(char)),
            "{line}"
        );
        assert_eq!(escape("plain ünïcode"), "plain ünïcode");
        assert!(escape(&"x".repeat(9_999)).len() <= LINE_MAX + 4);
    }
}
