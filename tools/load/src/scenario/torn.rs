//! `torn`: frames that are glued, dripped, half, giant or nonsense; what does the server do?

use crate::cli::{Asked, Common, Target};
use crate::error::Fatal;
use crate::plan::{Part, Trick};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    common: Common,
}

impl Args {
    /// `--connections` is the number for each trick.
    pub(crate) fn plan(&self) -> Result<Asked<'_>, Fatal> {
        let (target, common) = (&self.target, &self.common);
        let mut plan = target.plan("torn", common)?;
        let cohort = |(name, trick): &(&str, Trick)| {
            let trick = *trick;
            target.cohort(name, Part::Torn { trick })
        };
        plan.cohorts = TRICKS.iter().map(cohort).collect();
        plan.phases = vec![target.measure_phase()];
        let outputs = &common.outputs;
        Ok(Asked { plan, outputs })
    }
}

const TRICKS: &[(&str, Trick)] = &[
    ("glued", Trick::Glued),
    ("dripped", Trick::Dripped),
    ("half", Trick::Half),
    ("giant", Trick::Giant),
    ("garbage", Trick::Garbage),
];
