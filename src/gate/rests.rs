//! When and for how long listeners take nobody, by what for.
//!
//! Counted by the causes, not by the listeners: two that rest for the same cause at the same time
//! rest once.

use std::time::Duration;

use super::Gate;

/// Why a listener takes nobody for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RestCause {
    /// Descriptors or memory ran out.
    Resources,
    /// All places are taken, and those for newcomers who are turned away too.
    Places,
    /// The loop lags: established connections come first.
    Lag,
    /// The output budget is nearly used up.
    Budget,
    /// Newcomers come faster than `accept_rate` lets them in.
    Rate,
}

/// How listeners have rested.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rests {
    resting: [u32; RestCause::ALL.len()],
    /// Since when at least one rests.
    since: [Duration; RestCause::ALL.len()],
    lasted: [Duration; RestCause::ALL.len()],
}

impl RestCause {
    /// Every cause, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::Resources,
        Self::Places,
        Self::Lag,
        Self::Budget,
        Self::Rate,
    ];

    /// The word for it in metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Resources => "resources",
            Self::Places => "places",
            Self::Lag => "lag",
            Self::Budget => "budget",
            Self::Rate => "rate",
        }
    }
}

impl Rests {
    /// Listeners that rest now for this cause.
    #[must_use]
    pub fn resting(&self, cause: RestCause) -> u32 {
        self.resting[cause as usize]
    }

    /// How long there was one that did, without the time since the last began.
    #[must_use]
    pub fn lasted(&self, cause: RestCause) -> Duration {
        self.lasted[cause as usize]
    }

    pub(crate) fn begin(&mut self, cause: RestCause, now: Duration) {
        let cause = cause as usize;
        if self.resting[cause] == 0 {
            self.since[cause] = now;
        }
        self.resting[cause] += 1;
    }

    pub(crate) fn end(&mut self, cause: RestCause, now: Duration) {
        let cause = cause as usize;
        self.resting[cause] -= 1;
        if self.resting[cause] == 0 {
            self.lasted[cause] += now.saturating_sub(self.since[cause]);
        }
    }
}

impl Gate {
    /// When and for how long listeners took nobody.
    #[must_use]
    pub fn rests(&self) -> &Rests {
        &self.rests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_that_rest_at_the_same_time_rest_once() {
        let second = Duration::from_secs(1);
        let mut rests = Rests::default();
        rests.begin(RestCause::Lag, second);
        rests.begin(RestCause::Lag, second * 2);
        rests.begin(RestCause::Places, second * 2);
        assert_eq!(rests.resting(RestCause::Lag), 2);
        rests.end(RestCause::Lag, second * 3);
        assert_eq!(rests.lasted(RestCause::Lag), Duration::ZERO);
        rests.end(RestCause::Lag, second * 5);
        assert_eq!(rests.lasted(RestCause::Lag), second * 4);
        assert_eq!(rests.resting(RestCause::Lag), 0);
        assert_eq!(rests.resting(RestCause::Places), 1);
    }
}
