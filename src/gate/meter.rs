//! Frames and bytes of one connection, counted by the interval, where its listener has a limit.
//!
//! Who is above it is not read until the interval is over, and is ended where that happens in
//! interval after interval. What a connection has sent is counted anyway: a meter only remembers
//! where the interval began, 16 bytes, and those exist only where a listener has a limit. Any
//! other connection pays one look at a flag. Time in which nobody was read, for no fault of the
//! peer's, moves that beginning: what could not be said then may be said now.

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
    /// Frames received by then, on a circle of 2^32; later where more may be said than an interval
    /// allows.
    frames: u32,
    /// The same for bytes; later where more was read than the interval before allowed.
    bytes: u32,
    /// Frames of the interval before, up to 2^24 - 1, and above them the number of the last stall
    /// that was made up for.
    last: u32,
}

/// The bits of [`Meter::last`] that count frames.
const LAST: u32 = u32::MAX >> 8;

const _: () = assert!(size_of::<Meter>() == 16);

impl Allowance {
    pub(crate) fn of(settings: &Settings) -> Option<Self> {
        let is_limited = settings.message_rate.is_some() || settings.byte_rate.is_some();
        let bytes = |bytes| u32::try_from(bytes).unwrap_or(u32::MAX / 2);
        is_limited.then(|| Self {
            frames: settings.message_rate,
            bytes: settings.byte_rate.map(bytes),
            // No stamp is rounded here: the grid of intervals is one of ticks.
            interval: Span(Span::covering(settings.rate_interval).0 - 1),
            strikes: settings.rate_strikes,
        })
    }

    /// Whether one frame or byte more is above it.
    fn is_used_up(&self, frames: u32, bytes: u32) -> bool {
        self.frames.is_some_and(|most| frames >= most)
            || self.bytes.is_some_and(|most| bytes >= most)
    }

    /// Whether one frame more is, of the bytes that are counted already.
    fn is_above(&self, frames: u32, bytes: u32) -> bool {
        self.frames.is_some_and(|most| frames >= most)
            || self.bytes.is_some_and(|most| bytes > most)
    }
}

/// How much of its interval a connection has used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// All of it: nothing more may be read.
    pub(crate) is_used_up: bool,
    /// All of it, or more: no frame may be handled either.
    pub(crate) is_above: bool,
    /// The interval has just begun: what is used of it is a debt of those before.
    pub(crate) is_new: bool,
}

impl Standing {
    const FREE: Self = Self {
        is_used_up: false,
        is_above: false,
        is_new: false,
    };
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "what is counted is compared on a circle of 2^32"
)]
impl Meter {
    fn begin(conn: &Conn, now: Tick, stalls: u8) -> Self {
        Self {
            began: now,
            frames: conn.frames_in as u32,
            bytes: conn.bytes_in as u32,
            last: u32::from(stalls) << 24,
        }
    }

    /// Frames of the interval before.
    fn last(&self) -> u32 {
        self.last & LAST
    }

    /// The number of the last stall that was made up for.
    fn stalls(&self) -> u8 {
        (self.last >> 24) as u8
    }

    /// Makes up for the stalls since then. What piled up meanwhile comes now, and has a whole
    /// interval to be handled in.
    fn pass_stalls(&mut self, clock: &Clock, allowance: &Allowance) {
        let before = self.stalls();
        if before != clock.stalls() {
            self.began = clock.live();
            self.credit(clock.stalled_since(before), allowance);
            self.last = self.last() | u32::from(clock.stalls()) << 24;
        }
    }

    /// Frames and bytes of the interval so far.
    fn used(&self, conn: &Conn) -> (u32, u32) {
        // Beyond half the circle lie those that are still to come.
        let since = |now: u64, began: u32| match (now as u32).wrapping_sub(began) {
            used if used > u32::MAX / 2 => 0,
            used => used,
        };
        let frames = since(conn.frames_in, self.frames);
        (frames, since(conn.bytes_in, self.bytes))
    }

    /// Allows as much on top as in a span of time.
    fn credit(&mut self, span: Span, allowance: &Allowance) {
        let more = |most: Option<u32>| {
            let more = u64::from(most.unwrap_or(0)) * u64::from(span.0);
            (more / u64::from(allowance.interval.0)).min(u64::from(u32::MAX / 4)) as u32
        };
        self.frames = self.frames.wrapping_add(more(allowance.frames));
        self.bytes = self.bytes.wrapping_add(more(allowance.bytes));
    }

    /// What was said before counts for no more than this allows.
    fn forgive(&mut self, conn: &Conn, allowance: &Allowance) {
        let (_, bytes) = self.used(conn);
        let most = allowance.bytes.unwrap_or(u32::MAX);
        self.bytes = self.bytes.wrapping_add(bytes.saturating_sub(most));
    }

    /// Intervals that are over.
    fn passed(&self, now: Tick, interval: Span) -> u32 {
        // A stamp of the future is one that the circle has gone past.
        let is_ancient = now.is_before(self.began);
        let passed = now.since(self.began).0 / interval.0;
        if is_ancient { u32::MAX } else { passed }
    }

    /// Goes on to the interval that `now` lies in.
    fn roll(&mut self, conn: &Conn, now: Tick, allowance: &Allowance) {
        let passed = self.passed(now, allowance.interval);
        if passed == 0 {
            return;
        }
        let (frames, bytes) = self.used(conn);
        let next = Self::begin(conn, now, self.stalls());
        // What one read took beyond the limit is owed.
        let paid = allowance
            .bytes
            .map_or(bytes, |most| most.saturating_mul(passed));
        *self = Self {
            began: match passed {
                1 => self.began.after(allowance.interval),
                _ => now,
            },
            last: next.last | if passed == 1 { frames.min(LAST) } else { 0 },
            bytes: next.bytes.wrapping_sub(bytes.saturating_sub(paid)),
            ..next
        };
    }
}

impl Gate {
    /// Gives a connection a meter, or takes it, as its listener's rules say.
    pub(crate) fn see_meter(&mut self, index: u32) {
        let is_limited = self.rules_of(index).allowance.is_some();
        let conn = self.conns.at_mut(index);
        if !is_limited {
            conn.flags.clear(Flags::METERED | Flags::STRUCK);
            conn.strikes = 0;
            return self.resume(index, Flags::THROTTLED);
        }
        if !conn.flags.raise(Flags::METERED) {
            return self.let_go_on(index);
        }
        let meter = Meter::begin(conn, self.clock.live(), self.clock.stalls());
        if self.meters.capacity() == 0 {
            // Address space, so that no growing table moves in one turn.
            self.meters.reserve_exact(self.slots as usize);
        }
        let needed = index as usize + 1;
        if self.meters.len() < needed {
            self.meters.resize(needed, Meter::default());
        }
        self.meters[index as usize] = meter;
    }

    /// Reads a connection again whom what is allowed now would not have held back; what it was
    /// allowed before is no strike now, and no debt.
    fn let_go_on(&mut self, index: u32) {
        let rules = self.rules_of(index);
        let (allowance, is_new) = (rules.allowance, rules.is_repriced);
        let Some(allowance) = allowance else { return };
        let (conn, meter) = (self.conns.at_mut(index), &mut self.meters[index as usize]);
        if is_new {
            meter.forgive(conn, &allowance);
        }
        let (frames, bytes) = meter.used(conn);
        if !allowance.is_used_up(frames, bytes) {
            self.resume(index, Flags::THROTTLED);
        } else if is_new {
            conn.flags.set(Flags::STRUCK);
        }
    }

    /// A connection was not read for so long, for no fault of its own: it may say now what it might
    /// have said in the intervals that lie within.
    pub(crate) fn make_up(&mut self, index: u32, span: Span) {
        let Some(allowance) = self.rules_of(index).allowance else {
            return;
        };
        let interval = allowance.interval;
        let meter = &self.meters[index as usize];
        let passed = meter.passed(self.clock.live(), interval);
        let missed = passed.saturating_sub(1).min(span.0 / interval.0);
        if missed > 0 {
            self.begin_interval(index, &allowance);
            let missed = Span(missed * interval.0);
            self.meters[index as usize].credit(missed, &allowance);
        }
    }

    /// Goes on to the interval that it is now; whether that is another one.
    fn begin_interval(&mut self, index: u32, allowance: &Allowance) -> bool {
        let now = self.clock.live();
        let meter = &mut self.meters[index as usize];
        let conn = self.conns.at_mut(index);
        let passed = meter.passed(now, allowance.interval);
        if passed == 0 {
            return false;
        }
        let was_struck = conn.flags.lower(Flags::STRUCK);
        if passed > 1 || !was_struck {
            conn.strikes = 0;
        }
        meter.roll(conn, now, allowance);
        true
    }

    /// Everybody was looked at: where no listener has a limit any more, nothing is kept for one.
    pub(crate) fn forget_meters(&mut self) {
        let is_limited = self.rules.iter().any(|rules| rules.allowance.is_some());
        if !is_limited {
            self.meters = Vec::new();
        }
        for rules in &mut self.rules {
            rules.is_repriced = false;
        }
    }

    /// How much of its interval a connection has used; where nothing is counted, none.
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
        let is_new = self.begin_interval(index, &allowance);
        let meter = &mut self.meters[index as usize];
        meter.pass_stalls(&self.clock, &allowance);
        let (frames, bytes) = meter.used(self.conns.at(index));
        Standing {
            is_used_up: allowance.is_used_up(frames, bytes),
            is_above: allowance.is_above(frames, bytes),
            is_new,
        }
    }

    /// Handles no more frames of a connection that is above its rate: whether it is.
    #[inline]
    pub(crate) fn throttle(&mut self, index: u32) -> bool {
        let standing = self.standing(index);
        if standing.is_above {
            self.hold_back(index, !standing.is_new);
        }
        standing.is_above
    }

    /// Stops reading a connection until its next interval. Where it `is_above` its rate, this one
    /// is a strike, and the last one ends it.
    pub(crate) fn hold_back(&mut self, index: u32, is_above: bool) {
        let strikes = self.rules_of(index).allowance.map_or(0, |one| one.strikes);
        let conn = self.conns.at_mut(index);
        if !conn.is_open() {
            return;
        }
        let is_strike = is_above && conn.flags.raise(Flags::STRUCK);
        conn.strikes = conn.strikes.saturating_add(u8::from(is_strike));
        let is_last = is_strike && conn.strikes >= strikes;
        self.stats.throttled += 1;
        if is_last {
            let end = End::over(CloseReason::RateLimited, EndDetail::RateStrikes);
            self.close_at(index, end);
        } else {
            self.pause(index, Flags::THROTTLED);
            self.touch(index);
        }
    }

    /// When a connection that is held back is read again (live clock).
    pub(crate) fn refill_at(&self, index: u32) -> Option<Tick> {
        let allowance = self.rules_of(index).allowance?;
        let meter = self.meters.get(index as usize)?;
        Some(meter.began.after(allowance.interval))
    }

    /// Frames of the connection's last whole interval; `None` where they are not counted.
    pub(crate) fn frames_per_interval(&self, index: u32) -> Option<u32> {
        let conn = self.conns.at(index);
        let allowance = self.rules_of(index).allowance?;
        if !conn.flags.has(Flags::METERED) {
            return None;
        }
        let meter = &self.meters[index as usize];
        Some(match meter.passed(self.clock.live(), allowance.interval) {
            0 => meter.last(),
            1 => meter.used(conn).0,
            _ => 0,
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
        let is_held = conn.flags.has(Flags::THROTTLED);
        assert!(has_meter || !is_held, "only what is counted is held back");
        assert!(
            !has_meter || self.meters.len() > index as usize,
            "a meter has its place"
        );
    }
}
