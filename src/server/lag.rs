//! A loop that has too much to do takes nobody: newcomers wait in the kernel's queue, and
//! established connections have the loop to themselves until it keeps up again.
//!
//! Listeners are held for a short while at a time, as where descriptors ran out; whoever wants to
//! know why finds it in [`Step`](crate::Step) and [`Lag`](crate::Lag).

use std::time::Duration;

use log::{info, warn};

use super::{Server, Stopping};
use crate::gate::{RestCause, Step};
use crate::handler::Handler;
use crate::net::Net;

/// What is said of overload: a line where another step is taken, and one where newcomers wait.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Alarm {
    /// Since when newcomers wait.
    since: Option<Duration>,
    /// Whether that was said.
    is_told: bool,
    /// When it was last said.
    told: Option<Duration>,
    /// The step that was said last, and when.
    step: (Step, Duration),
}

/// How often it is said at most that newcomers wait.
const TOLD_EVERY: Duration = Duration::from_secs(10);
/// How often it is said at most which step was taken.
const STEP_EVERY: Duration = Duration::from_secs(1);

impl<N: Net, H: Handler + 'static> Server<N, H> {
    /// Holds every listener while there is too much to do; whether there is. At the end whoever has
    /// connected is told of it, however late.
    pub(super) fn rests_for_load(&mut self) -> bool {
        if self.gate.step() != self.alarm.step.0 {
            self.tell_step();
        }
        if self.stopping != Stopping::No {
            return false;
        }
        let waits = self.gate.stops_accepts();
        if waits != self.alarm.since.is_some() {
            self.tell_of_rest(waits);
        }
        if waits {
            let cause = match self.gate.pace.lag.is_over() {
                true => RestCause::Lag,
                false => RestCause::Budget,
            };
            for door in 0..self.doors.len() {
                if !self.doors[door].is_held() {
                    self.hold(door, cause);
                }
            }
        }
        waits
    }

    /// Whether newcomers wait because there is too much to do.
    pub(super) fn waits_for_load(&self) -> bool {
        self.stopping == Stopping::No && self.alarm.since.is_some()
    }

    /// The lag, its limit, and how much of the output budget waits.
    fn load(&self) -> String {
        let (gate, [_, output, _]) = (&self.gate, self.gate.bytes_held());
        let (mean, limit) = (gate.pace.lag.mean(), gate.limits.lag);
        let (mean, limit) = (mean.as_millis(), limit.as_millis());
        let share = output * 100 / gate.limits.output_budget.max(1);
        format!("lag={mean}ms limit={limit}ms output={share}%")
    }

    /// Says which step was taken, the last one in a second.
    fn tell_step(&mut self) {
        let (now, step) = (self.gate.clock.elapsed(), self.gate.step());
        let (told, at) = self.alarm.step;
        if at != Duration::ZERO && now - at < STEP_EVERY {
            return;
        }
        self.alarm.step = (step, now);
        let (number, word) = (step as u8, step.word());
        if step > told {
            warn!("overload: step={number} {word} {}", self.load());
        } else {
            info!("overload: step={number} {word} {}", self.load());
        }
    }

    fn tell_of_rest(&mut self, waits: bool) {
        let now = self.gate.clock.elapsed();
        let is_told = self.alarm.is_told;
        if let Some(since) = self.alarm.since.take()
            && is_told
        {
            let waited = now.saturating_sub(since).as_millis();
            let lag = self.gate.pace.lag.mean().as_millis();
            info!("accepting goes on: lag={lag}ms newcomers-waited={waited}ms");
        }
        if waits {
            let last = self.alarm.told;
            self.alarm.since = Some(now);
            self.alarm.is_told = last.is_none_or(|told| now - told >= TOLD_EVERY);
            if self.alarm.is_told {
                self.alarm.told = Some(now);
                let why = match self.gate.pace.lag.is_over() {
                    true => "the loop lags",
                    false => "the output budget is nearly used up",
                };
                warn!("accepting rests: {why}: {}", self.load());
            }
        }
    }
}
