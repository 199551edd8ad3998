//! `hold`: open connections and keep them.

use crate::cli::{Asked, Common, Target};
use crate::error::Fatal;
use crate::plan::Part;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    common: Common,
}

impl Args {
    pub(crate) fn plan(&self) -> Result<Asked<'_>, Fatal> {
        let (target, common) = (&self.target, &self.common);
        let mut plan = target.plan("hold", common)?;
        plan.cohorts = vec![target.cohort("idle", Part::Hold)];
        plan.phases = vec![target.ramp_phase(common), target.measure_phase()];
        let outputs = &common.outputs;
        Ok(Asked { plan, outputs })
    }
}
