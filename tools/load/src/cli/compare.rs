//! `compare`: runs held against each other.

use std::path::{Path, PathBuf};

use crate::compare::{Comparison, Limit, Side};
use crate::error::{Doing, Fatal};
use crate::report::{Report, to_stdout, write_to};

#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The base: what --json has written, several runs with commas
    #[arg(value_name = "A.json[,A2.json...]")]
    base: String,
    /// What is held against it, in the same way
    #[arg(value_name = "B.json[,B2.json...]")]
    news: String,
    /// What must hold of B/A, as in "beat_rtt:p99<1.1x" or "rps>=-5%"; may be repeated
    #[arg(long, value_name = "EXPR")]
    threshold: Vec<String>,
    /// A limit is broken only where the ranges of both sides lie apart
    #[arg(long = "beyond-spread")]
    is_lenient: bool,
    /// Write the comparison as JSON; `-` is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
Each side is one run or several of the same kind. Shown are the medians of each side with their
ranges from the least to the most, and the ratio of the medians. A difference is called better or
worse only where the two ranges lie apart; with one run a side nobody can tell.

Thresholds are METRIC[:STATISTIC] COMPARISON FACTOR: \"beat_rtt:p99<1.1x\", \"rps>0.95x\",
\"connect:p99<=+10%\", \"server.resident_peak<1.05x\". A phase and a cohort may stand before the
metric: \"measure/healthy.beat_rtt:p99<2x\". Of the server there are cpu_per_answer, cpu_share,
resident_peak, bytes_per_connection and kernel_bytes_per_connection.

Exit codes: 0 every threshold was kept (or there is none), 1 one was broken, 2 the command line or
a file is wrong, 3 a run was invalid, so that the comparison is, 4 a file can not be read.";

impl Args {
    pub(super) fn obey(&self) -> Result<u8, Fatal> {
        let read = |limit: &String| limit.parse::<Limit>().map_err(Fatal::Usage);
        let limits: Vec<Limit> = self.threshold.iter().map(read).collect::<Result<_, _>>()?;
        let (base, news) = (read_side(&self.base)?, read_side(&self.news)?);
        let comparison = Comparison::of(&base, &news, &limits, self.is_lenient);
        if let Some(path) = &self.json {
            let doing = || String::from("writing the comparison as JSON");
            let mut json = serde_json::to_vec_pretty(&comparison).doing(doing)?;
            json.push(b'\n');
            write_to(path, &json)?;
        }
        if self.json.as_deref() != Some(Path::new("-")) {
            let doing = || String::from("writing the comparison");
            to_stdout(comparison.show().as_bytes()).doing(doing)?;
        }
        Ok(comparison.code())
    }
}

fn read_side(names: &str) -> Result<Side, Fatal> {
    let mut runs = Vec::new();
    for name in names.split(',').filter(|name| !name.is_empty()) {
        runs.push((name.to_owned(), Report::read(Path::new(name))?));
    }
    if runs.is_empty() {
        return Err(Fatal::Usage(String::from(
            "a side without a run: write A.json or A.json,A2.json",
        )));
    }
    Ok(Side { runs })
}
