//! What makes a plan impossible, told before anything is opened.

use std::net::IpAddr;
use std::time::Duration;

use super::{Cohort, Death, Part, Plan};
use crate::error::Fatal;
use crate::verdict::Threshold;

impl Plan {
    /// # Errors
    /// The first thing that makes no sense, with what would.
    pub(crate) fn check(&self) -> Result<(), Fatal> {
        let wrong = |text: String| Err(Fatal::Usage(text));
        if self.targets.is_empty() {
            return wrong(String::from("there is no target: give HOST:PORT"));
        }
        if self.cohorts.is_empty() || self.phases.is_empty() {
            return wrong(String::from(
                "a plan needs at least one cohort and one phase",
            ));
        }
        let is_v4 = |ip: &IpAddr| ip.is_ipv4();
        let family = self.targets[0].is_ipv4();
        if self.targets.iter().any(|target| target.is_ipv4() != family)
            || self.sources.iter().any(|source| is_v4(source) != family)
        {
            return wrong(String::from(
                "targets and sources must be all IPv4 or all IPv6",
            ));
        }
        if self.dial.in_flight == 0 || self.dial.timeout.is_zero() {
            return wrong(String::from(
                "at least one connect must be allowed under way, and some time for it",
            ));
        }
        if self.interval < Duration::from_millis(10) {
            return wrong(String::from("the interval must be at least 10ms"));
        }
        self.speech.check().map_err(Fatal::Usage)?;
        for cohort in &self.cohorts {
            self.check_cohort(cohort)?;
        }
        for threshold in &self.thresholds {
            let threshold: Threshold = threshold.parse().map_err(Fatal::Usage)?;
            threshold.check(self).map_err(Fatal::Usage)?;
        }
        Ok(())
    }

    fn check_cohort(&self, cohort: &Cohort) -> Result<(), Fatal> {
        let name = &cohort.name;
        let wrong = |text: &str| Err(Fatal::Usage(format!("cohort {name}: {text}")));
        if cohort.connections == 0 {
            return wrong("it needs at least one connection");
        }
        if cohort.from >= self.phases.len() {
            return wrong("it begins in a phase that does not exist");
        }
        match cohort.role {
            Part::Beat { every, .. }
            | Part::Rated { every }
            | Part::Churn { every, .. }
            | Part::Die { every, .. }
            | Part::Publish { every, .. }
                if every.is_zero() =>
            {
                wrong("`every` must be longer than nothing")
            }
            Part::Die {
                how: Death::Fin | Death::Rst,
                together: true,
                ..
            } => wrong("who says that it goes has no last heartbeat: `together` is for silence"),
            Part::Beat { jitter, .. } if !(0.0..=1.0).contains(&jitter) => {
                wrong("`jitter` is a share between 0 and 1")
            }
            Part::Receive { .. } | Part::Publish { .. } if !self.speech.knows_topics() => {
                wrong("this dialect knows no topics: use gate, nats, mqtt or redis")
            }
            Part::Echo { depth: 0 } => wrong("at least one request must be under way"),
            Part::Echo { depth } if depth > 65_536 => {
                wrong("at most 65536 requests may be under way on a connection")
            }
            Part::Echo { .. } | Part::Rated { .. } if !self.speech.is_answered() => {
                wrong("nothing is answered in this dialect: use `beat`, or another dialect")
            }
            _ => Ok(()),
        }
    }
}
