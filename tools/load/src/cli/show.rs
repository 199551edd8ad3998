//! `report`: an older run, shown again.

use std::path::PathBuf;

use crate::error::{Doing, Fatal};
use crate::report::{Forms, Report, SCHEMA, to_stdout};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What --json has written; `-` is standard input
    #[arg(value_name = "RUN.json", required_unless_present = "is_schema")]
    run: Option<PathBuf>,
    /// Write a page with tables and plots: one HTML file, complete in itself
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the timeline as CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write the distributions as HdrHistogram text
    #[arg(long, value_name = "FILE")]
    hgrm: Option<PathBuf>,
    /// Print the JSON schema of what --json writes
    #[arg(long = "schema", exclusive = true)]
    is_schema: bool,
}

impl Args {
    /// Whatever the run's verdict was, to show it is no failure.
    pub(super) fn obey(&self) -> Result<u8, Fatal> {
        let Some(run) = &self.run else {
            let doing = || String::from("writing the schema");
            return to_stdout(SCHEMA.as_bytes()).doing(doing).map(|()| 0);
        };
        let forms = Forms {
            json: None,
            csv: self.csv.clone(),
            hgrm: self.hgrm.clone(),
            html: self.html.clone(),
        };
        Report::read(run)?.publish(&forms).map(|()| 0)
    }
}
