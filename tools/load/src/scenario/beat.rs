//! `beat`: a heartbeat on each connection by the clock.

use std::time::Duration;

use crate::cli::{Asked, Common, Target};
use crate::error::Fatal;
use crate::plan::Part;
use crate::units::read_span;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Time between two heartbeats of a connection
    #[arg(long, default_value = "1s", value_parser = read_span, value_name = "TIME")]
    every: Duration,
    /// Share of that time by which a heartbeat may be behind its place, 0 to 1
    #[arg(long, default_value_t = 0.1, value_name = "SHARE")]
    jitter: f64,
    #[command(flatten)]
    common: Common,
}

impl Args {
    pub(crate) fn plan(&self) -> Result<Asked<'_>, Fatal> {
        let (target, common) = (&self.target, &self.common);
        let mut plan = target.plan("beat", common)?;
        let (every, jitter) = (self.every, self.jitter);
        plan.cohorts = vec![target.cohort("beating", Part::Beat { every, jitter })];
        plan.phases = vec![target.ramp_phase(common), target.measure_phase()];
        let outputs = &common.outputs;
        Ok(Asked { plan, outputs })
    }
}
