//! Timers that belong to no connection: users' messages, listeners on hold, the drain, and those
//! that a handler sets for itself. They share the wheel with the connections, under keys of their
//! own range, and go by the real clock.

use slab::Slab;

use super::Gate;
use super::spare::is_roomy;
use crate::id::ListenerId;
use crate::time::{Span, Tick};
use crate::wheel::Wheel;
use std::time::Duration;

/// What a timer is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TimerKind {
    /// A user's oldest message expires, or an absent user is forgotten.
    User(u32),
    /// A listener that is on hold tries again.
    Listener(ListenerId),
    /// More are told that the server shuts down.
    Drain,
    /// How far overload has led is weighed again, and who rests for it is read again.
    Overload,
    /// Some are let in no more.
    Bans,
    /// Whoever has not left by then is cut.
    Cut,
    /// The patience with a connection to the admin interface is over; its slot.
    Admin(u32),
    /// The admin interface, which ran out of descriptors, accepts again.
    AdminDoor,
    /// The handler asked for it.
    Handler(TimerId),
}

/// A timer that a handler has set.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TimerId {
    entry: u32,
    serial: u32,
}

#[derive(Debug)]
struct Timer {
    at: Tick,
    kind: TimerKind,
}

/// All such timers.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    entries: Slab<Timer>,
    handlers: u32,
    made: u32,
}

impl Timers {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Entries for which there is room.
    #[cfg(test)]
    pub(crate) fn room(&self) -> usize {
        self.entries.capacity()
    }

    /// Gives up the room behind the last timer, where most is empty. What is set next is set far in
    /// front.
    pub(crate) fn trim(&mut self) {
        if is_roomy(self.entries.len(), self.entries.capacity()) {
            self.entries.shrink_to_fit();
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, TimerKind)> {
        self.entries
            .iter()
            .map(|(key, timer)| (key_of(key), timer.kind))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "bounded by limits of type u32"
)]
fn key_of(entry: usize) -> u32 {
    entry as u32 | Wheel::TIMER
}

fn entry_of(key: u32) -> usize {
    (key & !Wheel::TIMER) as usize
}

impl Gate {
    /// Sets a timer for the handler, `after` from now or up to 10 ms later, on the clock that goes
    /// on while the machine sleeps. `None` where [`Limits::timers`](crate::Limits::timers) are set.
    pub fn set_timer(&mut self, after: Duration) -> Option<TimerId> {
        if self.timers.handlers >= self.limits.timers {
            return None;
        }
        self.timers.handlers += 1;
        self.timers.made = self.timers.made.wrapping_add(1);
        let id = TimerId {
            entry: key_of(self.timers.entries.vacant_key()),
            serial: self.timers.made,
        };
        self.start_timer(
            self.clock.real().after(Span::covering(after)),
            TimerKind::Handler(id),
        );
        Some(id)
    }

    /// Takes a timer back; whether it was still to come.
    pub fn cancel_timer(&mut self, timer: TimerId) -> bool {
        let set = self.timers.entries.get(entry_of(timer.entry));
        let is_set = set.is_some_and(|set| set.kind == TimerKind::Handler(timer));
        if is_set {
            self.stop_timer(timer.entry);
        }
        is_set
    }

    pub(crate) fn start_timer(&mut self, at: Tick, kind: TimerKind) -> u32 {
        let key = key_of(self.timers.entries.insert(Timer { at, kind }));
        self.wheel.set(key, at);
        key
    }

    pub(crate) fn stop_timer(&mut self, key: u32) -> TimerKind {
        self.wheel.remove(key);
        let timer = self.timers.entries.remove(entry_of(key));
        if matches!(timer.kind, TimerKind::Handler(_)) {
            self.timers.handlers -= 1;
        }
        timer.kind
    }

    pub(crate) fn move_timer(&mut self, key: u32, at: Tick) {
        self.timers.entries[entry_of(key)].at = at;
        self.wheel.set(key, at);
    }

    /// Moves a timer to `at` where that is earlier.
    pub(crate) fn advance_timer(&mut self, key: u32, at: Tick) {
        if at.is_before(self.timers.entries[entry_of(key)].at) {
            self.move_timer(key, at);
        }
    }

    /// A timer's slot came up: what it was for where its time has come, else it is set again.
    pub(crate) fn ring(&mut self, key: u32) -> Option<TimerKind> {
        // Stopped by what another timer of the same turn did.
        let at = self.timers.entries.get(entry_of(key))?.at;
        if at.is_due(self.clock.real()) {
            return Some(self.stop_timer(key));
        }
        self.wheel.set(key, at);
        None
    }
}
