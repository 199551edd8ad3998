//! `churn`: short connections at a rate.

use super::period;
use crate::cli::{Asked, Common, Target};
use crate::error::Fatal;
use crate::plan::Part;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Connections opened a second; `--connections` is how many may be open at once
    #[arg(short, long, default_value_t = 1_000.0, value_name = "PER_SECOND")]
    rate: f64,
    /// Requests exchanged on each before it is closed
    #[arg(long, default_value_t = 1, value_name = "N")]
    requests: u32,
    /// Close by RST, which leaves no TIME_WAIT behind, instead of FIN
    #[arg(long)]
    reset: bool,
    #[command(flatten)]
    common: Common,
}

impl Args {
    pub(crate) fn plan(&self) -> Result<Asked<'_>, Fatal> {
        let (target, common) = (&self.target, &self.common);
        let mut plan = target.plan("churn", common)?;
        let role = Part::Churn {
            every: period(self.rate, target.connections)?,
            requests: self.requests,
            reset: self.reset,
        };
        plan.cohorts = vec![target.cohort("passing", role)];
        plan.phases = vec![target.measure_phase()];
        let outputs = &common.outputs;
        Ok(Asked { plan, outputs })
    }
}
