//! The flags that scenarios share.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::places::{read_sources, resolve};
use crate::error::Fatal;
use crate::plan::{Cohort, Dialing, Part, Phase, Plan, Policy, Until};
use crate::report::Forms;
use crate::speech::{Dialect, Manner, Wire};
use crate::units::read_span;

/// Where to, how many, and how it is spoken.
#[derive(Clone, Debug, Args)]
pub(crate) struct Target {
    /// HOST:PORT of the server; several are taken in turn
    #[arg(required = true, value_name = "HOST:PORT")]
    targets: Vec<String>,
    /// Connections in all
    #[arg(short, long, default_value_t = 100, value_name = "N")]
    pub(crate) connections: u32,
    /// How long to measure, once everybody is connected
    #[arg(short, long, default_value = "10s", value_parser = read_span, value_name = "TIME")]
    pub(crate) duration: Duration,
    /// Spread the connects over so long; the default is as fast as they succeed
    #[arg(long, default_value = "0", value_parser = read_span, value_name = "TIME")]
    pub(crate) ramp: Duration,
    /// What is spoken
    #[arg(long, visible_alias = "preset", value_enum, default_value_t)]
    dialect: Dialect,
    /// How pulsegate's own dialects are framed
    #[arg(long, value_enum, default_value_t)]
    framing: Wire,
    /// Bytes of a body, for dialects echo and sink
    #[arg(long, value_name = "BYTES")]
    size: Option<u32>,
    /// Log in as PREFIX-0, PREFIX-1 and so on
    #[arg(long, value_name = "PREFIX")]
    user: Option<String>,
    /// Dialect custom: the request's bytes in hex
    #[arg(long, value_name = "HEX")]
    request: Option<String>,
    /// Dialect custom: the answer's bytes in hex
    #[arg(long, value_name = "HEX")]
    answer: Option<String>,
    /// Dialect custom: the bytes that end an answer, in hex
    #[arg(long, value_name = "HEX")]
    answer_end: Option<String>,
}

/// How it is carried out.
#[derive(Clone, Debug, Args)]
pub(crate) struct Machinery {
    /// Come from these addresses: A, A-B or A/BITS, separated by commas
    #[arg(long, value_name = "ADDRESSES", help_heading = "Machinery")]
    source: Option<String>,
    /// Connects under way at once
    #[arg(
        long,
        default_value_t = 256,
        value_name = "N",
        help_heading = "Machinery"
    )]
    in_flight: u32,
    /// Then a connect is given up
    #[arg(
        long, default_value = "10s", value_parser = read_span, value_name = "TIME",
        help_heading = "Machinery"
    )]
    connect_timeout: Duration,
    /// Worker processes; the default is as few as the descriptors allow
    #[arg(
        long,
        default_value_t = 0,
        value_name = "N",
        help_heading = "Machinery"
    )]
    workers: u32,
    /// Every dice follows from it
    #[arg(
        long,
        default_value_t = 1,
        value_name = "N",
        help_heading = "Machinery"
    )]
    seed: u64,
    /// Own sends later than this (99th percentile) make the run invalid
    #[arg(
        long, default_value = "5ms", value_parser = read_span, value_name = "TIME",
        help_heading = "Machinery"
    )]
    late_limit: Duration,
    /// How long answers are waited for at the end
    #[arg(
        long, default_value = "2s", value_parser = read_span, value_name = "TIME",
        help_heading = "Machinery"
    )]
    drain: Duration,
    /// How often progress is told
    #[arg(
        long, default_value = "1s", value_parser = read_span, value_name = "TIME",
        help_heading = "Machinery"
    )]
    interval: Duration,
}

/// How it is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct Outputs {
    /// Say what would be done, and do nothing
    #[arg(long = "dry-run", help_heading = "Machinery")]
    pub(crate) is_dry: bool,
    /// What must hold, as in "beat_rtt:p99<5ms"; may be repeated
    #[arg(long, value_name = "EXPR", help_heading = "Results")]
    pub(crate) threshold: Vec<String>,
    /// Watch this process as the server: processor, memory, descriptors
    #[arg(long, value_name = "PID", help_heading = "Results")]
    pub(crate) server_pid: Option<u32>,
    /// Write the whole report as JSON; `-` is standard output
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    json: Option<PathBuf>,
    /// Write the timeline as CSV
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    csv: Option<PathBuf>,
    /// Write the distributions as HdrHistogram text
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    hgrm: Option<PathBuf>,
    /// Write a page with tables and plots: one HTML file, complete in itself
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    html: Option<PathBuf>,
    /// No progress on standard error
    #[arg(short = 'q', long = "quiet", help_heading = "Results")]
    pub(crate) is_quiet: bool,
}

impl Outputs {
    pub(crate) fn forms(&self) -> Forms {
        Forms {
            json: self.json.clone(),
            csv: self.csv.clone(),
            hgrm: self.hgrm.clone(),
            html: self.html.clone(),
        }
    }
}

/// The flags of every scenario.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) machinery: Machinery,
    #[command(flatten)]
    pub(crate) outputs: Outputs,
}

impl Target {
    /// A plan of these flags, still without cohorts and phases.
    pub(crate) fn plan(&self, scenario: &str, common: &Common) -> Result<Plan, Fatal> {
        let machinery = &common.machinery;
        let mut targets = Vec::new();
        for target in &self.targets {
            targets.push(resolve(target)?);
        }
        let sources = machinery
            .source
            .as_deref()
            .map_or(Ok(Vec::new()), read_sources)?;
        Ok(Plan {
            scenario: scenario.to_owned(),
            targets,
            sources,
            speech: self.manner(),
            seed: machinery.seed,
            workers: machinery.workers,
            dial: Dialing {
                in_flight: machinery.in_flight,
                timeout: machinery.connect_timeout,
            },
            cohorts: Vec::new(),
            phases: Vec::new(),
            thresholds: common.outputs.threshold.clone(),
            late_limit: machinery.late_limit,
            drain: machinery.drain,
            interval: machinery.interval,
        })
    }

    fn manner(&self) -> Manner {
        Manner {
            dialect: self.dialect,
            framing: self.framing,
            size: self.size,
            user: self.user.clone(),
            request: self.request.clone(),
            answer: self.answer.clone(),
            answer_end: self.answer_end.clone(),
        }
    }

    /// Everybody of this command, in one role.
    pub(crate) fn cohort(&self, name: &str, role: Part) -> Cohort {
        Cohort {
            name: name.to_owned(),
            connections: self.connections,
            role,
            ramp: self.ramp,
            from: 0,
            reconnect: Policy::Never,
            leaves: false,
        }
    }

    /// The phase in which everybody connects.
    pub(crate) fn ramp_phase(&self, common: &Common) -> Phase {
        let within = self.ramp + common.machinery.connect_timeout * 3;
        Phase {
            name: String::from("ramp"),
            until: Until::Settled { within },
            disturb: false,
            judged: false,
        }
    }

    /// The phase that is measured.
    pub(crate) fn measure_phase(&self) -> Phase {
        Phase {
            name: String::from("measure"),
            until: Until::Elapsed {
                span: self.duration,
            },
            disturb: false,
            judged: true,
        }
    }
}
