//! `run`: a plan from a file.

use std::path::PathBuf;

use crate::cli::{Asked, Outputs, resolve};
use crate::error::{Doing, Fatal};
use crate::plan::Plan;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plan, as TOML; what a report holds under `plan` is one, too
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// HOST:PORT of the server, in the place of the file's targets
    #[arg(value_name = "HOST:PORT")]
    targets: Vec<String>,
    #[command(flatten)]
    outputs: Outputs,
}

impl Args {
    pub(crate) fn plan(&self) -> Result<Asked<'_>, Fatal> {
        let name = self.file.display();
        let text = std::fs::read_to_string(&self.file).doing(|| format!("reading {name}"))?;
        let mut plan: Plan =
            toml::from_str(&text).map_err(|error| Fatal::Usage(format!("{name}: {error}")))?;
        if !self.targets.is_empty() {
            let targets = self.targets.iter().map(|target| resolve(target));
            plan.targets = targets.collect::<Result<_, _>>()?;
        }
        plan.thresholds.extend(self.outputs.threshold.clone());
        let outputs = &self.outputs;
        Ok(Asked { plan, outputs })
    }
}
