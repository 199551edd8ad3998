//! A plan as text, for `--dry-run`.

use std::fmt::Write;

use super::{Cohort, Fleet, Part, Phase, Plan, Policy, Until};
use crate::units::grouped;

impl Plan {
    /// Every connection and every phase, one line each.
    pub(crate) fn show(&self, fleet: &Fleet) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(fleet, &mut text);
        text
    }

    fn write(&self, fleet: &Fleet, text: &mut String) -> std::fmt::Result {
        let span = humantime::format_duration;
        writeln!(text, "scenario    {}, seed {}", self.scenario, self.seed)?;
        let targets: Vec<String> = self.targets.iter().map(ToString::to_string).collect();
        writeln!(text, "target      {}", targets.join(", "))?;
        writeln!(text, "speech      {}", self.speech)?;
        let sources = match fleet.sources.as_slice() {
            [] => String::from("chosen by the kernel"),
            [one] => one.to_string(),
            [first, .., last] => format!("{first} to {last} ({})", fleet.sources.len()),
        };
        writeln!(text, "sources     {sources}")?;
        writeln!(
            text,
            "connections {} from {} worker(s), {} connects under way at most, each for {}",
            grouped(self.connections()),
            fleet.workers,
            self.dial.in_flight,
            span(self.dial.timeout)
        )?;
        for cohort in &self.cohorts {
            writeln!(text, "cohort      {}", cohort.line(&self.phases))?;
        }
        for (number, phase) in self.phases.iter().enumerate() {
            writeln!(text, "phase {}     {}", number + 1, phase.line())?;
        }
        writeln!(
            text,
            "after it    answers are waited for, at most {}; told every {}",
            span(self.drain),
            span(self.interval)
        )?;
        writeln!(
            text,
            "invalid     where our own sends are later than {} (99th percentile)",
            span(self.late_limit)
        )?;
        for threshold in &self.thresholds {
            writeln!(text, "threshold   {threshold}")?;
        }
        Ok(())
    }
}

impl Cohort {
    fn line(&self, phases: &[Phase]) -> String {
        let ramp = if self.ramp.is_zero() {
            String::from("all at once")
        } else {
            format!("over {}", humantime::format_duration(self.ramp))
        };
        format!(
            "{}: {} connections, {}; they open {ramp} in `{}`{}",
            self.name,
            grouped(self.connections.into()),
            self.role.line(),
            phases.get(self.from).map_or("?", |phase| &phase.name),
            self.reconnect.line()
        )
    }
}

impl Part {
    fn line(self) -> String {
        let span = humantime::format_duration;
        match self {
            Self::Hold => String::from("silent"),
            Self::Beat { every, jitter } => {
                let off = jitter * 100.0;
                format!("a heartbeat each {}, up to {off:.0} % off", span(every))
            }
            Self::Echo { depth } => format!("{depth} request(s) under way on each"),
            Self::Rated { every } => format!("a request each {}", span(every)),
            Self::Die {
                how,
                every,
                expect,
                together,
            } => format!(
                "a heartbeat each {}{} until they die ({how:?}); closed after {}",
                span(every),
                if together {
                    ", the last one together,"
                } else {
                    ""
                },
                span(expect)
            ),
            Self::Slow { bytes_per_second } => {
                format!("asking without end, reading {bytes_per_second} bytes a second")
            }
            Self::Torn { trick } => format!("torn: {trick:?}"),
            Self::Receive { topics } => format!("receiving from one of {topics} topic(s)"),
            Self::Publish { every, size, .. } => {
                format!("publishing {size} bytes each {}", span(every))
            }
            Self::Churn {
                every,
                requests,
                reset,
            } => format!(
                "each opens once in {}, exchanges {requests} request(s) and closes by {}",
                span(every),
                if reset { "RST" } else { "FIN" }
            ),
        }
    }
}

impl Policy {
    fn line(self) -> String {
        let span = humantime::format_duration;
        match self {
            Self::Never => String::new(),
            Self::Immediate => String::from(", back at once when lost"),
            Self::Fixed { after } => format!(", back {} after a loss", span(after)),
            Self::Exponential { base, max } => {
                format!(", back after 0 to {} doubling to {}", span(base), span(max))
            }
        }
    }
}

impl Phase {
    fn line(&self) -> String {
        let until = match self.until {
            Until::Settled { within } => format!(
                "until everybody is open, at most {}",
                humantime::format_duration(within)
            ),
            Until::Deserted { within } => format!(
                "until nobody is open, at most {}",
                humantime::format_duration(within)
            ),
            Until::Elapsed { span } | Until::Watched { span } => {
                format!("for {}", humantime::format_duration(span))
            }
        };
        let disturb = if self.disturb { ", disturbed" } else { "" };
        let judged = if self.judged { ", judged" } else { "" };
        format!("{}: {until}{disturb}{judged}", self.name)
    }
}
