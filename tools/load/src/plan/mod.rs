//! What is to happen: cohorts of connections, led through phases.
//!
//! A plan is plain values. It is made by a scenario or read from a file, [checked](Plan::check)
//! before anything is opened, shown by `--dry-run`, handed to the workers and kept in the report.

mod check;
mod fleet;
mod show;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use fleet::{Fleet, Limits, RESERVE};

use crate::speech::Manner;
use crate::units::span;

/// A whole run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    /// What it is called in the report.
    pub(crate) scenario: String,
    /// Connections go to them in turn.
    #[serde(default)]
    pub(crate) targets: Vec<SocketAddr>,
    /// Connections come from them in turn; empty leaves it to the kernel.
    #[serde(default)]
    pub(crate) sources: Vec<IpAddr>,
    /// How the protocol is spoken.
    #[serde(default)]
    pub(crate) speech: Manner,
    /// Every dice in the run follows from it.
    #[serde(default = "defaults::seed")]
    pub(crate) seed: u64,
    /// Processes; 0 takes as few as the descriptors allow.
    #[serde(default)]
    pub(crate) workers: u32,
    #[serde(default)]
    pub(crate) dial: Dialing,
    /// Who connects, and what for.
    #[serde(rename = "cohort")]
    pub(crate) cohorts: Vec<Cohort>,
    /// What happens, one after the other.
    #[serde(rename = "phase")]
    pub(crate) phases: Vec<Phase>,
    /// What must hold for the run to pass.
    #[serde(default)]
    pub(crate) thresholds: Vec<String>,
    /// Where the tool itself sends its 99th percentile later than this, the run is invalid.
    #[serde(default = "defaults::late_limit", with = "span")]
    pub(crate) late_limit: Duration,
    /// How long answers are waited for at the end.
    #[serde(default = "defaults::drain", with = "span")]
    pub(crate) drain: Duration,
    /// How often the workers report.
    #[serde(default = "defaults::interval", with = "span")]
    pub(crate) interval: Duration,
}

/// How connections are opened.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Dialing {
    /// Connects under way at once, in all.
    pub(crate) in_flight: u32,
    /// Then one is given up.
    #[serde(with = "span")]
    pub(crate) timeout: Duration,
}

/// Connections that do the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cohort {
    pub(crate) name: String,
    pub(crate) connections: u32,
    /// What each connection does.
    pub(crate) role: Part,
    /// The opening is spread over so long; zero is as fast as the budget allows.
    #[serde(default, with = "span")]
    pub(crate) ramp: Duration,
    /// The phase in which it opens.
    #[serde(default)]
    pub(crate) from: usize,
    /// What a connection does that did not come about or was lost.
    #[serde(default)]
    pub(crate) reconnect: Policy,
    /// At a disturbed phase everybody leaves, and comes back by `reconnect`.
    #[serde(default)]
    pub(crate) leaves: bool,
}

/// What a connection does.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Part {
    /// Stays open and says nothing.
    Hold,
    /// Says a heartbeat once in `every`, whatever became of the last one.
    Beat {
        #[serde(with = "span")]
        every: Duration,
        /// Share of `every` by which a beat may be off its place.
        #[serde(default)]
        jitter: f64,
    },
    /// Keeps `depth` requests under way: the next goes out when an answer comes.
    Echo { depth: u32 },
    /// Sends requests once in `every`, whatever became of the last one.
    Rated {
        #[serde(with = "span")]
        every: Duration,
    },
    /// Connects, exchanges `requests`, and closes; begins again once in `every`.
    Churn {
        #[serde(with = "span")]
        every: Duration,
        requests: u32,
        /// Closes by a reset, which leaves no TIME_WAIT.
        #[serde(default)]
        reset: bool,
    },
    /// Says a heartbeat once in `every` until a disturbed phase begins, and then dies.
    Die {
        how: Death,
        #[serde(with = "span")]
        every: Duration,
        /// The server's idle timeout: it is late from then on.
        #[serde(with = "span")]
        expect: Duration,
        /// The last heartbeat of all is said at once, as that phase begins.
        #[serde(default)]
        together: bool,
    },
    /// Asks without end and reads so many bytes a second of the answers.
    Slow { bytes_per_second: u32 },
    /// Sends what no decent client sends.
    Torn { trick: Trick },
    /// Joins one of so many topics, in turn, and checks what comes.
    Receive { topics: u32 },
    /// Publishes to one of so many topics, in turn, once in `every`.
    Publish {
        #[serde(with = "span")]
        every: Duration,
        /// Bytes of a message.
        size: u32,
        topics: u32,
    },
}

/// How a connection dies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Death {
    /// Says nothing more; our kernel still acknowledges
    Silent,
    /// Says that nothing more comes, and listens on
    Fin,
    /// Reset
    Rst,
    /// Gone without a packet, as by a pulled plug
    Vanish,
}

/// What a torn connection sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Trick {
    /// Sixteen requests in one segment.
    Glued,
    /// A request byte by byte.
    Dripped,
    /// Half a request, and nothing more.
    Half,
    /// A frame that announces, or is, more than anybody takes.
    Giant,
    /// Bytes that mean nothing.
    Garbage,
}

/// What follows a connect that failed or a connection that was lost.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Policy {
    /// Nothing.
    #[default]
    Never,
    /// The next attempt at once.
    Immediate,
    /// The next attempt after a fixed time.
    Fixed {
        #[serde(with = "span")]
        after: Duration,
    },
    /// A time drawn evenly from nothing to a bound that doubles with each attempt.
    Exponential {
        #[serde(with = "span")]
        base: Duration,
        #[serde(with = "span")]
        max: Duration,
    },
}

/// A stretch of the run with figures of its own.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Phase {
    pub(crate) name: String,
    pub(crate) until: Until,
    /// At its beginning every role does what it is there for: die, leave, turn slow.
    #[serde(default)]
    pub(crate) disturb: bool,
    /// Thresholds are judged on it.
    #[serde(default)]
    pub(crate) judged: bool,
}

/// When a phase ends.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Until {
    /// Nobody is on the way to an open connection any more; at the latest then.
    Settled {
        #[serde(with = "span")]
        within: Duration,
    },
    /// Nobody is open any more, nor on the way; at the latest then.
    Deserted {
        #[serde(with = "span")]
        within: Duration,
    },
    /// So much later, even if nobody is left: the server is watched.
    Watched {
        #[serde(rename = "for", with = "span")]
        span: Duration,
    },
    /// So much later, or when nobody is left.
    Elapsed {
        #[serde(rename = "for", with = "span")]
        span: Duration,
    },
}

impl Plan {
    /// The highest number of connections in a cohort that publishes.
    pub(crate) fn publishers(&self) -> u32 {
        let publishing = |cohort: &&Cohort| matches!(cohort.role, Part::Publish { .. });
        let cohorts = self.cohorts.iter().filter(publishing);
        cohorts.map(|cohort| cohort.connections).max().unwrap_or(0)
    }

    /// Connections of the cohorts that open in a phase or before it.
    pub(crate) fn wanted_in(&self, phase: usize) -> u64 {
        let cohorts = self.cohorts.iter().filter(|cohort| cohort.from <= phase);
        cohorts.map(|cohort| u64::from(cohort.connections)).sum()
    }

    /// Connections of all cohorts.
    pub(crate) fn connections(&self) -> u64 {
        let each = self.cohorts.iter().map(|cohort| cohort.connections);
        each.map(u64::from).sum()
    }
}

impl Until {
    /// When it ends at the latest.
    pub(crate) fn longest(self) -> Duration {
        match self {
            Self::Settled { within } | Self::Deserted { within } => within,
            Self::Elapsed { span } | Self::Watched { span } => span,
        }
    }
}

impl Default for Dialing {
    fn default() -> Self {
        Self {
            in_flight: 256,
            timeout: Duration::from_secs(10),
        }
    }
}

mod defaults {
    use std::time::Duration;

    pub(super) fn seed() -> u64 {
        1
    }

    pub(super) fn late_limit() -> Duration {
        Duration::from_millis(5)
    }

    pub(super) fn drain() -> Duration {
        Duration::from_secs(2)
    }

    pub(super) fn interval() -> Duration {
        Duration::from_secs(1)
    }
}
