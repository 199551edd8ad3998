//! The log: lines on stderr that never block the loop, never end the process and never flood.
//!
//! A front for `simple_logger`, which prints with `eprintln!`: by itself that panics where the
//! reader of a pipe has gone and blocks where it does not read.
//!
//! - A line is printed only if stderr takes one now; else it is dropped and [counted](dropped). It
//!   is at most [`LINE_MAX`] bytes, less than a pipe takes at once.
//! - A call site prints at most [`RATE_MAX`] lines a second, [`RATE_DEBUG_MAX`] below `info`. The
//!   rest is counted, and its next line tells how many there were.
//! - An event is one line: control characters and bidirectional marks are escaped.
//! - A panic is a line like any other: the standard hook would block where stderr is not read.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use log::{Level, Log, Metadata, Record};
use rustix::event::{PollFd, PollFlags, Timespec};
use simple_logger::SimpleLogger;

use crate::config::{Log as Settings, LogFormat};

/// Bytes of a line at most, its end included; what is longer is cut.
pub const LINE_MAX: usize = 1_024;
/// Lines a second of one call site, from `info` up.
pub const RATE_MAX: u32 = 10;
/// The same for `debug` and `trace`, which somebody asked for.
pub const RATE_DEBUG_MAX: u32 = 10_000;

/// Lines dropped so far, for whatever cause.
static DROPPED: AtomicU64 = AtomicU64::new(0);
/// Lines that stderr did not take and that no line has told of yet.
static LOST: AtomicU64 = AtomicU64::new(0);

/// Makes this the log of the process, and of its panics. Does nothing where it has a log already.
pub fn start(settings: Settings) {
    let front = Front {
        printer: SimpleLogger::new(),
        format: settings.format,
        has_stamps: !is_journal(),
        rates: Mutex::default(),
    };
    if log::set_boxed_logger(Box::new(front)).is_ok() {
        log::set_max_level(settings.level);
        std::panic::set_hook(Box::new(tell_panic));
    }
}

/// Lines dropped so far: too many of a call site, or stderr took none.
#[must_use]
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// `text` as a line of the log tells it: without what could end the line, move the cursor or turn
/// the direction of writing, and short enough for a line.
#[must_use]
pub fn escaped_line(text: &str, format: LogFormat) -> String {
    let escape = match format {
        LogFormat::Text => Escape::Text,
        LogFormat::Json => Escape::Json,
    };
    escaped(text, LINE_MAX, escape)
}

/// What stands before the printer.
struct Front {
    printer: SimpleLogger,
    format: LogFormat,
    /// The journal has stamps of its own.
    has_stamps: bool,
    rates: Mutex<Rates>,
}

impl Log for Front {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let now = SystemTime::now();
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = rates.pass(record, second(now));
        drop(rates);
        let Some(withheld) = passed else {
            DROPPED.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let is_printed = is_open() && {
            let lost = LOST.swap(0, Ordering::Relaxed);
            let is_printed = print(&self.line(record, now, withheld, lost));
            if !is_printed {
                LOST.fetch_add(lost, Ordering::Relaxed);
            }
            is_printed
        };
        if !is_printed {
            DROPPED.fetch_add(1, Ordering::Relaxed);
            LOST.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&self) {}
}

/// A line on its way out.
enum Line<'a> {
    /// Printed by `simple_logger`, which writes the level before it.
    Text(&'a SimpleLogger, Level, String, String),
    /// Printed as it is.
    Json(String),
}

impl Front {
    /// A record as it is printed, with what was not printed before it.
    fn line(&self, record: &Record<'_>, now: SystemTime, withheld: u32, lost: u64) -> Line<'_> {
        let stamp = humantime::format_rfc3339_millis(now);
        let mut tail = String::new();
        if withheld > 0 {
            let _ = write!(tail, " ({withheld} more like this were not shown)");
        }
        if lost > 0 {
            let _ = write!(tail, " ({lost} lines before this one were lost)");
        }
        match self.format {
            LogFormat::Text => {
                let target = if self.has_stamps {
                    stamp.to_string()
                } else {
                    record.target().chars().take(TARGET_MAX).collect()
                };
                // "LEVEL [target] text\n"
                let room = LINE_MAX - target.len() - 10 - tail.len();
                let text = escaped(record.args(), room, Escape::Text) + &tail;
                Line::Text(&self.printer, record.level(), target, text)
            }
            LogFormat::Json => {
                let level = record.level().as_str().to_lowercase();
                let target = escaped(record.target(), TARGET_MAX, Escape::Json);
                let mut line = format!(
                    "{{\"ts\":\"{stamp}\",\"level\":\"{level}\",\"target\":\"{target}\",\"msg\":\""
                );
                let room = LINE_MAX - line.len() - 3 - tail.len();
                line += &escaped(record.args(), room, Escape::Json);
                line += &tail;
                line += "\"}\n";
                Line::Json(line)
            }
        }
    }
}

/// Prints a line; whether stderr took it.
fn print(line: &Line<'_>) -> bool {
    match line {
        Line::Json(line) => io::stderr().write_all(line.as_bytes()).is_ok(),
        Line::Text(printer, level, target, text) => {
            // The reader may go between the look and the print, and a disk may be full:
            // `eprintln!` panics then. Nothing of ours is half-done by it.
            let print = || {
                let args = format_args!("{text}");
                let mut builder = Record::builder();
                printer.log(&builder.level(*level).target(target).args(args).build());
            };
            catch_unwind(AssertUnwindSafe(print)).is_ok()
        }
    }
}

/// Whether stderr takes a line now.
fn is_open() -> bool {
    let stderr = io::stderr();
    let mut fds = [PollFd::new(&stderr, PollFlags::OUT)];
    let asked = rustix::event::poll(&mut fds, Some(&Timespec::default()));
    asked == Ok(1) && fds[0].revents() == PollFlags::OUT
}

/// Whether stderr is a stream of systemd's journal: the variable names its device and inode, and
/// may have been inherited by a process whose stderr goes elsewhere.
fn is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    let stat = rustix::fs::fstat(io::stderr());
    stat.is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// Logs a panic. Where stderr itself was the cause, nothing could be told.
fn tell_panic(panic: &PanicHookInfo<'_>) {
    let what = panic.payload_as_str().unwrap_or("for no stated reason");
    if what.starts_with("failed printing to") {
        return;
    }
    let place = panic
        .location()
        .map_or_else(String::new, |place| format!(" at {place}"));
    log::error!("panicked{place}: {what}");
    let trace = Backtrace::capture();
    if trace.status() == BacktraceStatus::Captured {
        for frame in trace.to_string().lines() {
            // Of no call site, so that it is told whole.
            let args = format_args!("{frame}");
            let mut builder = Record::builder();
            log::logger().log(
                &builder
                    .level(Level::Error)
                    .target("panic")
                    .args(args)
                    .build(),
            );
        }
    }
}

fn second(now: SystemTime) -> u64 {
    now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// How many lines each call site has printed in this second: as many entries as the program has
/// places that log.
#[derive(Default)]
struct Rates(BTreeMap<(&'static str, u32), Site>);

#[derive(Default)]
struct Site {
    second: u64,
    printed: u32,
    /// Not printed since the last line that was.
    withheld: u32,
}

impl Rates {
    /// Whether a line may be printed; then, how many like it were not, since the last that was.
    fn pass(&mut self, record: &Record<'_>, second: u64) -> Option<u32> {
        let (Some(file), Some(line)) = (record.file_static(), record.line()) else {
            return Some(0);
        };
        let most = if record.level() <= Level::Info {
            RATE_MAX
        } else {
            RATE_DEBUG_MAX
        };
        let site = self.0.entry((file, line)).or_default();
        // Any other second: a clock that was set back must not silence anybody.
        if site.second != second {
            (site.second, site.printed) = (second, 0);
        }
        if site.printed >= most {
            site.withheld += 1;
            return None;
        }
        site.printed += 1;
        Some(std::mem::take(&mut site.withheld))
    }
}

/// How what must not be printed is written instead.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    /// As Rust writes it.
    Text,
    /// As JSON has it, with quotes and backslashes too.
    Json,
}

/// What `says` says, escaped, in at most `room` bytes.
fn escaped(says: impl fmt::Display, room: usize, escape: Escape) -> String {
    let mut cut = Cut {
        text: String::new(),
        room: room - CUT.len(),
        escape,
    };
    if write!(cut, "{says}").is_err() {
        cut.text += CUT;
    }
    cut.text
}

/// A text that takes no more than it has room for.
struct Cut {
    text: String,
    room: usize,
    escape: Escape,
}

impl fmt::Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            let before = self.text.len();
            self.push(char)?;
            if self.text.len() > self.room {
                self.text.truncate(before);
                return Err(fmt::Error);
            }
        }
        Ok(())
    }
}

impl Cut {
    fn push(&mut self, char: char) -> fmt::Result {
        let is_json = self.escape == Escape::Json;
        match char {
            '\n' => self.text += "\\n",
            '\r' => self.text += "\\r",
            '\t' => self.text += "\\t",
            '"' | '\\' if is_json => self.text.extend(['\\', char]),
            _ if !is_hidden(char) => self.text.push(char),
            _ if is_json => return write!(self.text, "\\u{:04x}", u32::from(char)),
            _ => return write!(self.text, "{}", char.escape_unicode()),
        }
        Ok(())
    }
}

/// Whether a character can move the cursor, end the line or turn the direction of writing.
fn is_hidden(char: char) -> bool {
    let is_mark = matches!(char,
        '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}' | '\u{2029}'
        | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    char.is_control() || is_mark
}

/// What stands at the end of a text that was cut.
const CUT: &str = "…";
/// Bytes of a target.
const TARGET_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn front(format: LogFormat) -> Front {
        let printer = SimpleLogger::new();
        Front {
            printer,
            format,
            has_stamps: true,
            rates: Mutex::default(),
        }
    }

    fn json(says: &str, withheld: u32) -> String {
        let args = format_args!("{says}");
        let mut builder = Record::builder();
        let record = builder
            .level(Level::Warn)
            .target("pulsegate::x")
            .args(args)
            .build();
        match front(LogFormat::Json).line(&record, UNIX_EPOCH, withheld, 0) {
            Line::Json(line) => line,
            Line::Text(..) => panic!("not JSON"),
        }
    }

    #[test]
    fn an_event_is_one_line_whatever_it_says() {
        let says = "a\nb\r\t\u{1b}[2J\u{7f}\u{85}\u{202e}c\u{2028}\"\\é";
        let text = escaped(says, 200, Escape::Text);
        assert_eq!(
            text,
            "a\\nb\\r\\t\\u{1b}[2J\\u{7f}\\u{85}\\u{202e}c\\u{2028}\"\\é"
        );
        let line = json(says, 0);
        assert!(
            line.ends_with("}\n") && line.matches('\n').count() == 1,
            "{line}"
        );
        assert!(
            !line.chars().any(|char| char != '\n' && is_hidden(char)),
            "{line}"
        );
        let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(value["msg"], says);
        assert_eq!(value["ts"], "1970-01-01T00:00:00.000Z");
        assert_eq!(
            (&value["level"], &value["target"]),
            (&"warn".into(), &"pulsegate::x".into())
        );
    }

    #[test]
    fn no_line_is_longer_than_a_pipe_takes_at_once() {
        for char in ["x", "é", "\"", "\n", "\u{202e}", "𝄞"] {
            let says = char.repeat(5_000);
            let line = json(&says, u32::MAX);
            assert!(line.len() <= LINE_MAX, "{}", line.len());
            assert!(line.len() > LINE_MAX - 24, "{}", line.len());
            let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            let told = value["msg"].as_str().unwrap_or_default();
            assert!(
                told.ends_with("… (4294967295 more like this were not shown)"),
                "{told}"
            );
            let args = format_args!("{says}");
            let mut builder = Record::builder();
            let record = builder.level(Level::Error).args(args).build();
            let front = front(LogFormat::Text);
            let Line::Text(_, level, target, text) = front.line(&record, UNIX_EPOCH, 7, 3) else {
                panic!("not text");
            };
            let printed = format!("{level:<5} [{target}] {text}\n").len();
            assert!(printed <= LINE_MAX && printed > LINE_MAX - 24, "{printed}");
        }
    }

    #[test]
    fn a_call_site_is_limited_by_the_second_and_tells_what_it_withheld() {
        let mut rates = Rates::default();
        let mut pass = |level, line, second| {
            let mut builder = Record::builder();
            let record = builder
                .level(level)
                .file_static(Some("a.rs"))
                .line(Some(line))
                .build();
            rates.pass(&record, second)
        };
        for _ in 0..RATE_MAX {
            assert_eq!(pass(Level::Warn, 1, 5), Some(0));
        }
        assert_eq!(
            (pass(Level::Warn, 1, 5), pass(Level::Warn, 1, 5)),
            (None, None)
        );
        assert_eq!(pass(Level::Warn, 2, 5), Some(0), "another site");
        assert_eq!(pass(Level::Warn, 1, 6), Some(2), "the next second tells");
        assert_eq!(
            pass(Level::Warn, 1, 4),
            Some(0),
            "a clock set back silences nobody"
        );
        let told = (0..RATE_DEBUG_MAX + 3).filter(|_| pass(Level::Debug, 3, 5).is_some());
        assert_eq!(told.count(), RATE_DEBUG_MAX as usize);
    }

    #[test]
    fn a_line_of_no_call_site_is_never_withheld() {
        let mut rates = Rates::default();
        let record = Record::builder().level(Level::Error).build();
        assert!((0..RATE_MAX * 3).all(|_| rates.pass(&record, 1) == Some(0)));
    }
}
