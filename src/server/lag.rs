//! A loop that lags takes nobody: newcomers wait in the kernel's queue, and established connections
//! have the loop to themselves until it keeps up again.
//!
//! Listeners are held for a short while at a time, as where descriptors ran out; whoever wants to
//! know the lag finds it in [`Lag`](crate::Lag).

use std::time::Duration;

use log::{info, warn};

use super::{Server, Stopping};
use crate::gate::RestCause;
use crate::handler::Handler;
use crate::net::Net;

/// What is said of the lag: one line where it begins and one where it ends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Alarm {
    /// Since when newcomers wait.
    since: Option<Duration>,
    /// Whether that was said.
    is_told: bool,
    /// When it was last said.
    told: Option<Duration>,
}

/// How often it is said at most.
const TOLD_EVERY: Duration = Duration::from_secs(10);

impl<N: Net, H: Handler + 'static> Server<N, H> {
    /// Holds every listener while the loop lags; whether it does. At the end whoever has connected
    /// is told of it, however late.
    pub(super) fn rests_for_lag(&mut self) -> bool {
        if self.stopping != Stopping::No {
            return false;
        }
        let lags = self.gate.pace.lag.is_over();
        if lags != self.alarm.since.is_some() {
            self.tell_of_lag(lags);
        }
        if lags {
            for door in 0..self.doors.len() {
                if !self.doors[door].is_held() {
                    self.hold(door, RestCause::Lag);
                }
            }
        }
        lags
    }

    /// Whether newcomers wait because the loop lags.
    pub(super) fn lags(&self) -> bool {
        self.stopping == Stopping::No && self.alarm.since.is_some()
    }

    fn tell_of_lag(&mut self, lags: bool) {
        let now = self.gate.clock.elapsed();
        let (mean, limit) = (self.gate.pace.lag.mean(), self.gate.limits.lag);
        let (mean, limit) = (mean.as_millis(), limit.as_millis());
        let alarm = &mut self.alarm;
        if let Some(since) = alarm.since.take() {
            let waited = now.saturating_sub(since).as_millis();
            if alarm.is_told {
                info!("accepting goes on: lag={mean}ms newcomers-waited={waited}ms");
            }
        }
        if lags {
            alarm.since = Some(now);
            alarm.is_told = alarm.told.is_none_or(|told| now - told >= TOLD_EVERY);
            if alarm.is_told {
                alarm.told = Some(now);
                warn!("accepting rests: the loop lags: lag={mean}ms limit={limit}ms");
            }
        }
    }
}
