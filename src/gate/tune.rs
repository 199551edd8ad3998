//! Other settings and limits while connections live.
//!
//! Deadlines are derived from facts and rules whenever they are asked for, so a later deadline
//! needs nothing. An earlier one must be told to the wheel: a walk looks at every connection once,
//! so many a turn, and asks nobody in the meantime who was not due under the old rules.
//!
//! A bound that shrinks below what is in use ends nobody: it comes down with the use, turn by turn.

use std::time::Duration;

use super::Gate;
use super::conn::{Flags, Phase};
use super::rules::Rules;
use crate::limits::Limits;
use crate::server::Options;
use crate::settings::Settings;

/// What the loop itself goes by, beyond limits and listeners.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Course {
    pub(crate) coalesce: Option<Duration>,
    pub(crate) drain_over: Duration,
    pub(crate) drain_timeout: Duration,
}

/// A change that is not through yet.
#[derive(Debug)]
pub(crate) struct Tuning {
    /// The slot that the walk looks at next, and how many it has still to look at. It goes in a
    /// circle, so that reload after reload can not keep it at the beginning.
    next: u32,
    left: u32,
    /// The slots that the circle goes through: those there were when the walk began. Whoever takes
    /// a later one has come under the new rules.
    circle: u32,
    /// Slots to look at until all have been since a listener's rules changed: a walk that begins
    /// anew does not make that later.
    repriced: u32,
    /// Bounds to come down to.
    wanted: Option<Bounds>,
    /// Connections that the tables were made for.
    reserved: u32,
}

/// The bounds that what is in use may be above when they shrink.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Bounds {
    connections: u32,
    input: usize,
    output: usize,
    offline: usize,
}

impl Course {
    pub(crate) fn of(options: &Options) -> Self {
        Self {
            coalesce: options.coalesce,
            drain_over: options.drain_over,
            drain_timeout: options.drain_timeout,
        }
    }
}

impl Tuning {
    pub(crate) fn new(reserved: u32) -> Self {
        Self {
            next: 0,
            left: 0,
            circle: 0,
            repriced: 0,
            wanted: None,
            reserved,
        }
    }
}

impl Gate {
    /// Puts other settings in the place of those of the listener that has their name, also for the
    /// connections it has; `false` where there is none.
    ///
    /// A shorter deadline holds from now on: whoever is beyond it already is ended as the wheel is
    /// told, [`Limits::expiries`](crate::Limits::expiries) connections a turn. What a listening
    /// socket or its connections are made of stays as it is: addresses, framing, dialect, socket
    /// options. Messages that are parked keep their time.
    pub fn retune(&mut self, settings: &Settings) -> bool {
        let is_meant = |rules: &Rules| rules.settings.name == settings.name;
        let Some(place) = self.rules.iter().position(is_meant) else {
            return false;
        };
        let rules = &mut self.rules[place];
        let old = &rules.settings;
        let settings = Settings {
            bind: old.bind.clone(),
            framing: old.framing,
            dialect: old.dialect,
            socket: old.socket.clone(),
            ..settings.clone()
        };
        if settings != *old {
            rules.change(settings);
            self.reserve_meters();
            self.see_taps();
            self.walk();
            self.tuning.repriced = self.tuning.circle;
        }
        true
    }

    /// Takes other limits and policies: connections (up to what was reserved at start), budgets,
    /// topics, what a second login does, resting, and how a shutdown goes. The other limits and the
    /// wheel stay as they are.
    ///
    /// A bound below what is in use ends nobody: it comes down with what is in use.
    pub fn tune(&mut self, options: &Options) {
        self.policy = options.users;
        self.course = Course::of(options);
        let Limits {
            connections,
            input_budget,
            output_budget,
            offline_budget,
            topics,
            address_connections,
            accept_rate,
            address_accept_rate,
            login_rate,
            address_login_rate,
            user_login_rate,
            user_takeover_rate,
            ..
        } = options.limits;
        self.limits = Limits {
            topics,
            address_connections,
            accept_rate,
            address_accept_rate,
            login_rate,
            address_login_rate,
            user_login_rate,
            ..self.limits.clone()
        };
        self.see_sources();
        self.see_takeovers(user_takeover_rate);
        if self.sources.is_some() {
            self.walk();
        }
        self.tuning.wanted = Some(Bounds {
            connections: connections.min(self.tuning.reserved),
            input: input_budget,
            output: output_budget,
            offline: offline_budget,
        });
        self.lower_bounds();
    }

    /// Open connections of the listener of that name.
    #[must_use]
    pub fn connections_at(&self, listener: &str) -> u32 {
        let mut rules = self.rules.iter();
        let found = rules.find(|rules| rules.settings.name == listener);
        found.map_or(0, |rules| rules.crowd.open)
    }

    /// Whether some connections are still to be looked at under the rules they have got.
    #[must_use]
    pub fn is_retuning(&self) -> bool {
        self.tuning.left > 0
    }

    /// Once a turn: brings bounds down as far as what is in use allows.
    pub(crate) fn lower_bounds(&mut self) {
        let Some(wanted) = self.tuning.wanted else {
            return;
        };
        let used = Bounds {
            connections: self.conns.open_count(),
            input: self.ledger.input,
            output: self.ledger.output(),
            offline: self.ledger.offline(),
        };
        let bounds = Bounds {
            connections: wanted.connections.max(used.connections),
            input: wanted.input.max(used.input),
            output: wanted.output.max(used.output),
            offline: wanted.offline.max(used.offline),
        };
        self.limits.connections = bounds.connections;
        self.limits.input_budget = bounds.input;
        self.limits.output_budget = bounds.output;
        self.limits.offline_budget = bounds.offline;
        if bounds == wanted {
            self.tuning.wanted = None;
        }
    }

    /// Every connection is looked at, once.
    pub(crate) fn walk(&mut self) {
        if self.tuning.repriced > 0 {
            // Whoever has come since lies between those and the others now.
            self.tuning.repriced += self.conns.len() - self.tuning.circle;
        }
        self.tuning.circle = self.conns.len();
        self.tuning.left = self.tuning.circle;
        if self.tuning.circle == 0 {
            self.end_walk();
        }
    }

    /// Goes on with the walk, so many slots.
    pub(crate) fn go_on_retuning(&mut self) {
        let slots = self.tuning.circle;
        let budget = self.tuning.left.min(self.limits.expiries);
        for _ in 0..budget {
            let index = self.tuning.next % slots;
            self.tuning.next = index + 1;
            self.review(index);
        }
        self.tuning.left -= budget;
        self.tuning.repriced = self.tuning.repriced.saturating_sub(budget);
        if budget > 0 && self.tuning.left.min(self.tuning.repriced) == 0 {
            self.end_walk();
        }
    }

    /// Everybody was looked at since the walk began, or since rules changed.
    fn end_walk(&mut self) {
        if self.tuning.left == 0 {
            self.forget_meters();
        }
        if self.tuning.repriced == 0 {
            for rules in &mut self.rules {
                rules.is_repriced = false;
            }
        }
    }

    /// Looks at one connection under the rules that it has got.
    fn review(&mut self, index: u32) {
        let now = self.clock.live();
        let conn = self.conns.at_mut(index);
        if matches!(conn.phase, Phase::Free | Phase::Gone | Phase::Cut) {
            return;
        }
        let soft = self.rules[usize::from(conn.listener.0)]
            .settings
            .outbox_soft;
        if let Some(outbox) = &mut conn.outbox {
            if outbox.len() > soft {
                self.ledger.note_high(outbox, now);
            } else {
                self.ledger.note_low(outbox);
            }
        }
        self.after_write(index);
        self.judge_again(index);
        if self.conns.at(index).is_open() {
            self.see_meter(index);
            if !self.conns.at(index).flags.has(Flags::VEILED) {
                self.count_source(index, false);
            }
        }
        self.touch(index);
    }
}
