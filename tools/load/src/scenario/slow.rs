//! `slow`: what those who do not read do to those who do.

use std::time::Duration;

use crate::cli::{Asked, Common, Target};
use crate::error::Fatal;
use crate::plan::{Cohort, Part, Phase};
use crate::units::read_span;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Connections that hardly read, beside the healthy ones
    #[arg(long, default_value_t = 10, value_name = "N")]
    slow: u32,
    /// Bytes that each of them reads a second
    #[arg(long, default_value_t = 0, value_name = "BYTES")]
    drink: u32,
    /// Time between two heartbeats of a healthy connection
    #[arg(long, default_value = "1s", value_parser = read_span, value_name = "TIME")]
    every: Duration,
    #[command(flatten)]
    common: Common,
}

impl Args {
    pub(crate) fn plan(&self) -> Result<Asked<'_>, Fatal> {
        let (target, common) = (&self.target, &self.common);
        let mut plan = target.plan("slow", common)?;
        let beat = Part::Beat {
            every: self.every,
            jitter: 0.1,
        };
        let slow = Part::Slow {
            bytes_per_second: self.drink,
        };
        plan.cohorts = vec![
            target.cohort("healthy", beat),
            Cohort {
                connections: self.slow,
                from: 2,
                ramp: Duration::ZERO,
                ..target.cohort("slow", slow)
            },
        ];
        let named = |name: &str, judged| Phase {
            name: String::from(name),
            judged,
            ..target.measure_phase()
        };
        plan.phases = vec![
            target.ramp_phase(common),
            named("before", false),
            named("beside", true),
        ];
        let outputs = &common.outputs;
        Ok(Asked { plan, outputs })
    }
}
