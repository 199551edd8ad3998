//! `storm`: everybody leaves at once and comes back; how long until all are served again?

use std::time::Duration;

use crate::cli::{Asked, Common, Target};
use crate::error::Fatal;
use crate::plan::{Cohort, Part, Phase, Policy, Until};
use crate::units::read_span;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// When a client that was cut off tries again
    #[arg(long, value_enum, default_value = "exponential")]
    policy: Choice,
    /// The fixed time, or the first bound of the exponential ones
    #[arg(long, default_value = "100ms", value_parser = read_span, value_name = "TIME")]
    base: Duration,
    /// The last bound of the exponential ones
    #[arg(long, default_value = "10s", value_parser = read_span, value_name = "TIME")]
    max: Duration,
    /// Time between two heartbeats of a connection
    #[arg(long, default_value = "1s", value_parser = read_span, value_name = "TIME")]
    every: Duration,
    /// How long the way back may take
    #[arg(long, default_value = "60s", value_parser = read_span, value_name = "TIME")]
    within: Duration,
    #[command(flatten)]
    common: Common,
}

/// The policies by name.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Choice {
    /// At once
    Immediate,
    /// After a fixed time
    Fixed,
    /// After a time drawn from nothing to a bound that doubles with each attempt
    Exponential,
}

impl Args {
    pub(crate) fn plan(&self) -> Result<Asked<'_>, Fatal> {
        let (target, common) = (&self.target, &self.common);
        let mut plan = target.plan("storm", common)?;
        let role = Part::Beat {
            every: self.every,
            jitter: 0.1,
        };
        plan.cohorts = vec![Cohort {
            reconnect: match self.policy {
                Choice::Immediate => Policy::Immediate,
                Choice::Fixed => Policy::Fixed { after: self.base },
                Choice::Exponential => Policy::Exponential {
                    base: self.base,
                    max: self.max,
                },
            },
            leaves: true,
            ..target.cohort("returning", role)
        }];
        let named = |name: &str, judged| Phase {
            name: String::from(name),
            judged,
            ..target.measure_phase()
        };
        plan.phases = vec![
            target.ramp_phase(common),
            named("before", false),
            Phase {
                name: String::from("storm"),
                until: Until::Settled {
                    within: self.within,
                },
                disturb: true,
                judged: true,
            },
            named("after", true),
        ];
        // Whoever had asked and left has no answer.
        plan.thresholds.push(String::from("after/unanswered==0"));
        let outputs = &common.outputs;
        Ok(Asked { plan, outputs })
    }
}
