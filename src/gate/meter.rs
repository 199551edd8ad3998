//! Frames and bytes of one connection, counted by the interval, where its listener has a limit.
//!
//! Who is above it is not read until the interval is over, and is ended where that happens in
//! interval after interval. What a connection has sent is counted anyway: a meter only remembers
//! where the interval began, 16 bytes, and those exist only where a listener has a limit. Any
//! other connection pays one look at a flag.
//!
//! What is used of an interval is what was received less where it began. That beginning is moved
//! back by a debt, bytes that one read took beyond the limit, and ahead by a credit: what might
//! have been said while nobody was read, or this connection was not for no fault of its own. A
//! credit lapses with the interval in which all that had piled up is handled.

use super::Gate;
use super::clock::Clock;
use super::conn::{Conn, Flags};
use super::end::{End, EndDetail};
use crate::reason::CloseReason;
use crate::settings::Settings;
use crate::time::{Span, Tick};

/// What a listener allows in an interval.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Allowance {
    frames: Option<u32>,
    bytes: Option<u32>,
    pub(crate) interval: Span,
    strikes: u8,
}

/// Where a connection's interval began, and what the one before it came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    /// On the live clock.
    began: Tick,
    /// Frames received by then, on a circle of 2^32; more where there is a credit.
    frames: u32,
    /// The same for bytes; less where there is a debt.
    bytes: u32,
    /// Frames of the interval before, up to 2^24 - 1, and above them the number of the last stall
    /// that was made up for.
    last_and_stalls: u32,
}

/// The bits of [`Meter::last_and_stalls`] that count frames.
const LAST: u32 = u32::MAX >> 8;

/// The highest limit: more could not be told on a circle.
const MOST: u32 = 1 << 30;

/// Credits beyond this lapse at once: on a circle they would look like debts.
const CREDIT_MAX: i64 = MOST as i64;

const _: () = assert!(size_of::<Meter>() == 16);

impl Allowance {
    pub(crate) fn of(settings: &Settings) -> Option<Self> {
        let is_limited = settings.message_rate.is_some() || settings.byte_rate.is_some();
        let bytes = |bytes| u32::try_from(bytes).map_or(MOST, |bytes| bytes.min(MOST));
        is_limited.then(|| Self {
            frames: settings.message_rate.map(|frames| frames.min(MOST)),
            bytes: settings.byte_rate.map(bytes),
            // No stamp is rounded here: the grid of intervals is one of ticks.
            interval: Span((Span::covering(settings.rate_interval).0 - 1).max(1)),
            strikes: settings.rate_strikes,
        })
    }

    /// Whether one byte more is above it.
    fn is_full(&self, bytes: i64) -> bool {
        self.bytes.is_some_and(|most| bytes >= i64::from(most))
    }

    /// Whether one frame more is, of the bytes that are counted already.
    fn is_above(&self, frames: i64, bytes: i64) -> bool {
        self.frames.is_some_and(|most| frames >= i64::from(most))
            || self.bytes.is_some_and(|most| bytes > i64::from(most))
    }

    /// What is used when a time has passed in which `most` an interval were allowed.
    fn settle(&self, used: i64, most: Option<u32>, time: &Passed) -> i64 {
        let share = |span: Span| {
            let most = i64::from(most.unwrap_or(0));
            most * i64::from(span.0) / i64::from(self.interval.0)
        };
        let credit = if time.keeps_credit { used.min(0) } else { 0 };
        let left = (used - share(time.had)).max(credit);
        (left - share(time.missed)).max(-CREDIT_MAX)
    }
}

/// Time that has gone by for a connection.
#[derive(Clone, Copy, Debug)]
struct Passed {
    /// So long it could say something: what it did not is lost.
    had: Span,
    /// So long it could not, and may say that now.
    missed: Span,
    /// Something of what piled up before still waits.
    keeps_credit: bool,
}

/// How much of its interval a connection has used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// All bytes of it: nothing more may be read.
    pub(crate) is_full: bool,
    /// No frame may be handled.
    pub(crate) is_above: bool,
}

impl Standing {
    const FREE: Self = Self {
        is_full: false,
        is_above: false,
    };
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "what is counted is compared on a circle of 2^32"
)]
impl Meter {
    fn begin(conn: &Conn, clock: &Clock) -> Self {
        Self {
            began: clock.live(),
            frames: conn.frames_in as u32,
            bytes: conn.bytes_in as u32,
            last_and_stalls: u32::from(clock.stalls()) << 24,
        }
    }

    /// Frames of the interval before.
    fn last(&self) -> u32 {
        self.last_and_stalls & LAST
    }

    /// The number of the last stall that was made up for.
    fn stalls(&self) -> u8 {
        (self.last_and_stalls >> 24) as u8
    }

    /// Frames and bytes of the interval so far; below zero where there is a credit.
    fn used(&self, conn: &Conn) -> (i64, i64) {
        let since = |now: u64, began: u32| i64::from((now as u32).wrapping_sub(began) as i32);
        let frames = since(conn.frames_in, self.frames);
        (frames, since(conn.bytes_in, self.bytes))
    }

    fn set_used(&mut self, conn: &Conn, frames: i64, bytes: i64) {
        self.frames = (conn.frames_in as u32).wrapping_sub(frames as u32);
        self.bytes = (conn.bytes_in as u32).wrapping_sub(bytes as u32);
    }

    /// Intervals that are over.
    fn passed(&self, now: Tick, interval: Span) -> u32 {
        // A stamp of the future is one that the circle has gone past.
        let is_ancient = now.is_before(self.began);
        let passed = now.since(self.began).0 / interval.0;
        if is_ancient { u32::MAX } else { passed }
    }

    /// Goes on by so many intervals, `missed` of which could not be used.
    fn roll(&mut self, conn: &Conn, now: Tick, allowance: &Allowance, passed: u32, missed: u32) {
        let interval = allowance.interval;
        let (frames, bytes) = self.used(conn);
        let span = |intervals: u32| Span(intervals.saturating_mul(interval.0));
        let time = Passed {
            had: span(passed - missed),
            missed: span(missed),
            keeps_credit: conn.flags.has(Flags::BEHIND),
        };
        let settle = |used, most: Option<u32>| match most {
            Some(_) => allowance.settle(used, most, &time),
            None => 0,
        };
        let owed = settle(bytes, allowance.bytes);
        // Frames are handled one by one: nobody owes any.
        self.set_used(conn, settle(frames, allowance.frames).min(0), owed);
        self.began = match passed {
            1 => self.began.after(interval),
            _ => now,
        };
        let last = if passed == 1 { frames.max(0) as u32 } else { 0 };
        self.last_and_stalls = self.last_and_stalls & !LAST | last.min(LAST);
    }

    /// Makes up for the stalls since then. What piled up meanwhile comes now, and has a whole
    /// interval to be handled in; the time before has paid for its share.
    fn pass_stalls(&mut self, conn: &Conn, clock: &Clock, allowance: &Allowance) {
        let (frames, bytes) = self.used(conn);
        let time = Passed {
            had: clock.live().since(self.began),
            missed: clock.stalled_since(self.stalls()),
            keeps_credit: conn.flags.has(Flags::BEHIND),
        };
        let frames = allowance.settle(frames, allowance.frames, &time);
        self.set_used(
            conn,
            frames,
            allowance.settle(bytes, allowance.bytes, &time),
        );
        self.began = clock.live();
        self.last_and_stalls = self.last() | u32::from(clock.stalls()) << 24;
    }
}

impl Gate {
    /// Gives a connection a meter, or takes it, as its listener's rules say; where they have just
    /// changed it begins anew.
    pub(crate) fn see_meter(&mut self, index: u32) {
        let rules = self.rules_of(index);
        let (is_limited, is_repriced) = (rules.allowance.is_some(), rules.is_repriced);
        let conn = self.conns.at_mut(index);
        let is_first = is_limited && conn.flags.raise(Flags::METERED);
        if is_limited && !is_first && !is_repriced {
            return;
        }
        conn.flags
            .clear(Flags::STRUCK | Flags::BEHIND | Flags::PAYS | Flags::ABOVE);
        conn.strikes = 0;
        if is_limited {
            self.begin_meter(index);
        } else {
            conn.flags.clear(Flags::METERED);
        }
        self.resume(index, Flags::THROTTLED);
    }

    /// An interval begins now.
    fn begin_meter(&mut self, index: u32) {
        let needed = index as usize + 1;
        if self.meters.len() < needed {
            self.meters.resize(needed, Meter::default());
        }
        self.meters[index as usize] = Meter::begin(self.conns.at(index), &self.clock);
    }

    /// Address space for the meters, where a listener has a limit: no growing table moves in one
    /// turn.
    pub(crate) fn reserve_meters(&mut self) {
        let is_limited = self.rules.iter().any(|rules| rules.allowance.is_some());
        if is_limited && self.meters.capacity() == 0 {
            self.meters.reserve_exact(self.slots as usize);
        }
    }

    /// Everybody was looked at: where no listener has a limit any more, nothing is kept for one.
    pub(crate) fn forget_meters(&mut self) {
        let is_limited = self.rules.iter().any(|rules| rules.allowance.is_some());
        if !is_limited {
            self.meters = Vec::new();
        }
    }

    /// A connection was not read for so long, for no fault of its own: it may say now what it might
    /// have said in the intervals that lie within.
    pub(crate) fn make_up(&mut self, index: u32, span: Span) {
        if let Some(allowance) = self.rules_of(index).allowance {
            self.begin_interval(index, &allowance, span);
        }
    }

    /// Goes on to the interval that it is now, and makes up for those that were missed, up to so
    /// long a time.
    fn begin_interval(&mut self, index: u32, allowance: &Allowance, missed: Span) {
        let now = self.clock.live();
        let meter = &mut self.meters[index as usize];
        let conn = self.conns.at_mut(index);
        let passed = meter.passed(now, allowance.interval);
        if passed == 0 {
            return;
        }
        if !conn.flags.lower(Flags::STRUCK) {
            conn.strikes = 0;
        }
        let missed = (missed.0 / allowance.interval.0).min(passed - 1);
        meter.roll(conn, now, allowance, passed, missed);
        conn.flags.clear(Flags::PAYS);
        let (frames, bytes) = meter.used(conn);
        if allowance.is_above(frames, bytes) {
            conn.flags.set(Flags::PAYS);
        }
        if missed > 0 {
            conn.flags.set(Flags::BEHIND);
        }
    }

    /// How much of its interval a connection has used; where nothing is counted, none. Begins the
    /// next interval where this one is over.
    #[inline]
    pub(crate) fn standing(&mut self, index: u32) -> Standing {
        let flags = self.conns.at(index).flags;
        // A proxy's header has its own deadline, and its client is yet unknown.
        if !flags.has(Flags::METERED) || flags.has(Flags::VEILED) {
            return Standing::FREE;
        }
        self.standing_metered(index)
    }

    fn standing_metered(&mut self, index: u32) -> Standing {
        let Some(allowance) = self.rules_of(index).allowance else {
            return Standing::FREE;
        };
        self.begin_interval(index, &allowance, Span(0));
        let (meter, conn) = (&mut self.meters[index as usize], self.conns.at_mut(index));
        if meter.stalls() != self.clock.stalls() {
            // Half an interval without a strike ends the row as a whole one does.
            let had = self.clock.live().since(meter.began);
            if !conn.flags.has(Flags::STRUCK) && had.0 >= allowance.interval.0 / 2 {
                conn.strikes = 0;
            }
            meter.pass_stalls(conn, &self.clock, &allowance);
            conn.flags.set(Flags::BEHIND);
        }
        let (frames, bytes) = meter.used(conn);
        let is_above = allowance.is_above(frames, bytes);
        if !is_above {
            conn.flags.clear(Flags::PAYS);
        }
        Standing {
            is_full: allowance.is_full(bytes),
            is_above,
        }
    }

    /// Stops reading a connection until its next interval. Where this one `is_strike`, the last one
    /// ends it.
    pub(crate) fn hold_back(&mut self, index: u32, is_strike: bool) {
        let rules = self.rules_of(index);
        let strikes = rules.allowance.map_or(0, |one| one.strikes);
        let is_excused = rules.is_repriced;
        let conn = self.conns.at_mut(index);
        if !conn.is_open() {
            return;
        }
        let is_strike = is_strike && !is_excused && conn.flags.raise(Flags::STRUCK);
        conn.strikes = conn.strikes.saturating_add(u8::from(is_strike));
        let is_last = is_strike && conn.strikes >= strikes;
        self.stats.throttled += 1;
        if is_last {
            let end = End::over(CloseReason::RateLimited, EndDetail::RateStrikes);
            self.close_at(index, end);
        } else {
            self.pause(index, Flags::THROTTLED);
            self.rank_input(index);
            self.touch(index);
        }
    }

    /// When a connection that is held back is read again (live clock).
    pub(crate) fn refill_at(&self, index: u32) -> Option<Tick> {
        let allowance = self.rules_of(index).allowance?;
        let meter = self.meters.get(index as usize)?;
        Some(meter.began.after(allowance.interval))
    }

    /// Frames of the connection's last whole interval, and bytes of this one so far, less what was
    /// made up for; `None` where they are not counted.
    pub(crate) fn interval(&self, index: u32) -> Option<(u32, u32)> {
        let conn = self.conns.at(index);
        let allowance = self.rules_of(index).allowance?;
        if !conn.flags.has(Flags::METERED) {
            return None;
        }
        let meter = &self.meters[index as usize];
        let (frames, bytes) = meter.used(conn);
        let count = |used: i64| u32::try_from(used).unwrap_or(0);
        Some(match meter.passed(self.clock.live(), allowance.interval) {
            0 => (meter.last(), count(bytes)),
            1 => (count(frames), 0),
            _ => (0, 0),
        })
    }

    /// Full sweep: who has a meter, and who is held back by it.
    pub(crate) fn check_meter(&self, index: u32, conn: &Conn) {
        let is_limited = self.rules_of(index).allowance.is_some();
        let has_meter = conn.flags.has(Flags::METERED);
        assert!(
            is_limited == has_meter || self.is_retuning(),
            "a meter where there is a limit"
        );
        let is_held = conn.flags.has(Flags::THROTTLED | Flags::BEHIND);
        assert!(has_meter || !is_held, "only what is counted is held back");
        assert!(
            !has_meter || self.meters.len() > index as usize,
            "a meter has its place"
        );
    }
}
