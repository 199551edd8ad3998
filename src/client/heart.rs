//! How long a connection may be silent before the client says that it lives.

use std::fmt;
use std::time::Duration;

use super::options::{Heartbeat, Options};
use super::stamp::Stamp;

/// Learns how long a connection may be silent, in the place of a fixed interval.
pub trait Rhythm: fmt::Debug + Send {
    /// How long to be silent before the next heartbeat.
    fn interval(&self) -> Duration;

    /// The server closes after so long a silence of ours.
    fn set_timeout(&mut self, timeout: Duration);

    /// A heartbeat was answered: nothing had passed either way for `idle` before it, and the
    /// answer took `rtt`.
    fn alive(&mut self, idle: Duration, rtt: Duration);

    /// The connection died and nobody said so: nothing had passed either way for `idle` before the
    /// heartbeat that was not answered.
    fn died(&mut self, idle: Duration);
}

/// A connection's heartbeat.
#[derive(Debug)]
pub(super) struct Heart {
    /// What the server named, or a third of its timeout.
    granted: Stamp,
    rhythm: Option<Box<dyn Rhythm>>,
    /// The heartbeat under way: when it left, and when something had passed before it.
    under_way: Option<(Stamp, Stamp)>,
    /// How long nothing had passed before the request that the server owes an answer to, where not
    /// one byte has come since.
    quiet: Option<Stamp>,
}

impl Heart {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            granted: Stamp::of(options.idle_timeout / 3),
            rhythm: None,
            under_way: None,
            quiet: None,
        }
    }

    pub(super) fn set_rhythm(&mut self, rhythm: Box<dyn Rhythm>) {
        self.rhythm = Some(rhythm);
    }

    pub(super) fn has_rhythm(&self) -> bool {
        self.rhythm.is_some()
    }

    /// A connection is good; the server has named an interval, or not.
    pub(super) fn begin(&mut self, options: &Options, named: Option<u64>) {
        let third = options.idle_timeout / 3;
        let named = named.filter(|ms| *ms > 0).map(Duration::from_millis);
        // Who named no time at all would have us beat for ever without a pause.
        let granted = named.unwrap_or(third).max(SHORTEST);
        self.granted = Stamp::of(granted);
        (self.under_way, self.quiet) = (None, None);
        if let Some(rhythm) = &mut self.rhythm {
            rhythm.set_timeout(granted.saturating_mul(3));
        }
    }

    /// When the next heartbeat is due, after what was sent and heard last. One at a time, unless we
    /// do not listen to the answers.
    pub(super) fn due(
        &self,
        options: &Options,
        listens: bool,
        (sent, heard): (Duration, Duration),
    ) -> Option<Duration> {
        if self.under_way.is_some() && listens {
            return None;
        }
        let every = match (&self.rhythm, options.heartbeat) {
            (Some(rhythm), _) => {
                // The server counts our bytes alone, boxes in between those of both.
                let interval = rhythm.interval();
                let ours = sent.saturating_add(interval.max(self.granted.time()));
                return Some(ours.min(sent.max(heard).saturating_add(interval)));
            }
            (None, Heartbeat::Server) => self.granted.time(),
            (None, Heartbeat::Every(interval)) => interval.max(SHORTEST),
            (None, Heartbeat::Off) => return None,
        };
        Some(sent.saturating_add(every))
    }

    /// After so long a silence of ours the server closes, as far as it is known.
    pub(super) fn timeout(&self) -> Duration {
        self.granted.time().saturating_mul(3)
    }

    /// A heartbeat leaves.
    pub(super) fn beat(&mut self, now: Duration, (sent, heard): (Duration, Duration)) {
        self.under_way = Some((Stamp::of(now), Stamp::of(sent.max(heard))));
    }

    /// A request leaves that is the first to be answered.
    pub(super) fn asked(&mut self, now: Duration, (sent, heard): (Duration, Duration)) {
        self.quiet = Some(Stamp::of(now.saturating_sub(sent.max(heard))));
    }

    /// Something has come: whatever silence there was is survived.
    pub(super) fn heard(&mut self) {
        self.quiet = None;
    }

    /// It is answered.
    pub(super) fn answered(&mut self, now: Duration) {
        if let (Some((at, before)), Some(rhythm)) = (self.under_way.take(), &mut self.rhythm) {
            let idle = at.time().saturating_sub(before.time());
            rhythm.alive(idle, now.saturating_sub(at.time()));
        }
    }

    /// The connection is gone; without a word, or with one.
    pub(super) fn end(&mut self, is_silent: bool) {
        let beat = self.under_way.take();
        let beat = beat.map(|(at, before)| at.time().saturating_sub(before.time()));
        let asked = self.quiet.take().map(Stamp::time);
        let (Some(rhythm), true) = (&mut self.rhythm, is_silent) else {
            return;
        };
        // A death that a request has found tells as much as one that a heartbeat has, but for one
        // that silence has little to do with: whoever talks all the time dies of other things.
        let asked = asked.filter(|idle| *idle >= rhythm.interval() / 2);
        if let Some(idle) = asked.or(beat) {
            rhythm.died(idle);
        }
    }
}

/// No heartbeat is more often, whoever asks for it.
const SHORTEST: Duration = Duration::from_millis(1);
