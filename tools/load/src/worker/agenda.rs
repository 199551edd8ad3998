//! When which connection is to be asked, to a few microseconds.
//!
//! The library's wheel with ticks of 33 us instead of 2 ms, and a timer of the kernel instead of
//! the millisecond of a poll's timeout: what is sent late by us would be taken for a slow server.

use std::io;
use std::time::Duration;

use mio::net::TcpStream;
use pulsegate::Token;
use pulsegate::net::Net;
use pulsegate::net::mio::MioNet;
use pulsegate::time::Tick;
use pulsegate::wheel::Wheel;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// Keys and the nanoseconds of `CLOCK_BOOTTIME` at which they are to be asked.
pub(crate) struct Agenda {
    wheel: Wheel,
    /// Where ticks count from.
    base: u64,
    now: u64,
    /// A timer in the place of a stream: the net only has to wait for it.
    alarm: TcpStream,
    armed: u64,
}

impl Agenda {
    pub(crate) fn new(net: &mut MioNet, token: Token, keys: usize, now: u64) -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Boottime, flags)?;
        let mut alarm = TcpStream::from_std(timer.into());
        net.register(&mut alarm, token)?;
        Ok(Self {
            wheel: Wheel::with_slots(Tick(0), SLOTS, keys),
            base: now,
            now,
            alarm,
            armed: 0,
        })
    }

    /// Asks `key` at `at` or, where that is far off, earlier and in vain.
    pub(crate) fn set(&mut self, key: u32, at: u64) {
        let far = self.now + (u64::from(SLOTS) << TICK_BITS);
        let ticks = (at.min(far).saturating_sub(self.base) + TICK - 1) >> TICK_BITS;
        self.wheel.set(key, wrapped(ticks));
    }

    pub(crate) fn remove(&mut self, key: u32) {
        self.wheel.remove(key);
    }

    /// Appends the keys that are to be asked by `now`.
    pub(crate) fn take(&mut self, now: u64, due: &mut Vec<u32>) {
        self.now = now;
        let ticks = now.saturating_sub(self.base) >> TICK_BITS;
        self.wheel.advance(wrapped(ticks), usize::MAX, due);
    }

    /// Sees to it that the next wait ends by `until` and with the next key; returns the timeout
    /// that the wait needs besides.
    pub(crate) fn arm(&mut self, now: u64, until: u64) -> Option<Duration> {
        let next = self.wheel.next().map_or(until, |tick| {
            let present = wrapped(self.now.saturating_sub(self.base) >> TICK_BITS);
            let ticks = u64::from(tick.since(present).0);
            let begin = (self.now.saturating_sub(self.base) >> TICK_BITS) + ticks;
            until.min(self.base + (begin << TICK_BITS))
        });
        if next <= now {
            return Some(Duration::ZERO);
        }
        if next != self.armed {
            self.armed = next;
            let once = Itimerspec {
                it_interval: Timespec::default(),
                it_value: Timespec::try_from(Duration::from_nanos(next)).unwrap_or_default(),
            };
            if timerfd_settime(&self.alarm, TimerfdTimerFlags::ABSTIME, &once).is_err() {
                return Some(Duration::from_nanos(next - now));
            }
        }
        None
    }

    /// The alarm has gone off: it must be set anew even for the same moment.
    pub(crate) fn rang(&mut self) {
        self.armed = 0;
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the circle of ticks wraps, and is meant to"
)]
fn wrapped(ticks: u64) -> Tick {
    Tick(ticks as u32)
}

/// A tick is 2^15 ns.
const TICK_BITS: u32 = 15;
const TICK: u64 = 1 << TICK_BITS;
/// A turn of 4.3 s; what lies beyond is asked once a turn.
const SLOTS: u32 = 1 << 17;
