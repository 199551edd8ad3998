//! `echo`: requests and answers, in a closed loop or at a rate.

use super::period;
use crate::cli::{Asked, Common, Target};
use crate::error::Fatal;
use crate::plan::Part;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Requests under way on each connection
    #[arg(
        short = 'D',
        long,
        default_value_t = 1,
        value_name = "N",
        conflicts_with = "rate"
    )]
    pipeline: u32,
    /// Requests a second over all connections, whatever the answers do
    #[arg(short, long, value_name = "PER_SECOND")]
    rate: Option<f64>,
    #[command(flatten)]
    common: Common,
}

impl Args {
    pub(crate) fn plan(&self) -> Result<Asked<'_>, Fatal> {
        let (target, common) = (&self.target, &self.common);
        let mut plan = target.plan("echo", common)?;
        let role = match self.rate {
            None => Part::Echo {
                depth: self.pipeline,
            },
            Some(rate) => Part::Rated {
                every: period(rate, target.connections)?,
            },
        };
        plan.cohorts = vec![target.cohort("asking", role)];
        plan.phases = vec![target.ramp_phase(common), target.measure_phase()];
        let outputs = &common.outputs;
        Ok(Asked { plan, outputs })
    }
}
