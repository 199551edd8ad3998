//! What is told: one [`Report`], which is the JSON schema, and its other forms.
//!
//! Results go to standard output or to files, progress to standard error.

mod build;
mod csv;
mod hgrm;
mod html;
mod live;
mod paint;
mod progress;
mod server;
mod table;
mod timing;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::crew::{Observer, Sample};
use crate::error::{Doing, Fatal};
use crate::plan::Plan;
use crate::proc::Look;
use crate::verdict::Verdict;

/// The version of the schema: grows where a field changes its meaning or goes.
pub(crate) const VERSION: u32 = 1;

/// The schema itself.
pub(crate) const SCHEMA: &str = include_str!("../../report.schema.json");

/// A run and its result.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// See [`VERSION`].
    pub(crate) version: u32,
    pub(crate) tool: String,
    pub(crate) tool_version: String,
    /// When the run ended, RFC 3339.
    pub(crate) ended: String,
    pub(crate) seconds: f64,
    pub(crate) verdict: Verdict,
    pub(crate) connections: Connections,
    pub(crate) phases: Vec<PhaseReport>,
    pub(crate) generator: GeneratorReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<ServerReport>,
    pub(crate) timeline: Vec<Sample>,
    pub(crate) plan: Plan,
}

/// How many there were.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Connections {
    pub(crate) wanted: u64,
    /// Open when the first judged phase began.
    pub(crate) ready: Option<u64>,
    /// The fewest open at any interval of a judged phase.
    pub(crate) trough: Option<u64>,
}

/// One phase.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PhaseReport {
    pub(crate) name: String,
    pub(crate) began: f64,
    pub(crate) seconds: f64,
    pub(crate) judged: bool,
    pub(crate) cohorts: Vec<CohortReport>,
}

/// One cohort in one phase.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CohortReport {
    pub(crate) name: String,
    /// All that went wrong, lost connections apart.
    pub(crate) errors: u64,
    /// Answers a second.
    pub(crate) rps: f64,
    pub(crate) counts: BTreeMap<String, u64>,
    pub(crate) timings: BTreeMap<String, TimingReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recovery: Option<Recovery>,
}

/// The way back from a disturbance: nanoseconds until so many of a hundred were served again;
/// `None` where it never came so far.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Recovery {
    pub(crate) left: u64,
    pub(crate) back: u64,
    pub(crate) to_50: Option<u64>,
    pub(crate) to_95: Option<u64>,
    pub(crate) to_99: Option<u64>,
    pub(crate) to_100: Option<u64>,
    /// Connects that came to nothing.
    pub(crate) wasted: u64,
}

/// A distribution; times in nanoseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TimingReport {
    pub(crate) count: u64,
    pub(crate) min: u64,
    pub(crate) mean: f64,
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p95: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) p9999: u64,
    pub(crate) max: u64,
    /// All of it: HdrHistogram V2, deflated, in base64.
    pub(crate) hdr: String,
}

/// What the tool itself took.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct GeneratorReport {
    pub(crate) workers: u32,
    pub(crate) cpu_seconds: f64,
    /// The share of a processor that the busiest worker took in the judged phases.
    pub(crate) busiest: Option<f64>,
    /// Our own memory for each connection.
    pub(crate) bytes_per_connection: Option<f64>,
    /// How long the loops were busy between two waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) loop_turn: Option<TimingReport>,
    /// How late we sent what was due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) send_late: Option<TimingReport>,
}

/// What the target took, in the judged phases where it is a cost of operations.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ServerReport {
    pub(crate) pid: u32,
    pub(crate) before: Look,
    pub(crate) after: Look,
    pub(crate) resident_peak: u64,
    /// Seconds of a processor in the judged phases, and the share of them.
    pub(crate) cpu_seconds: f64,
    pub(crate) cpu_share: f64,
    /// Nanoseconds of a processor for each answer of the judged phases; for each request, where
    /// the dialect has no answers.
    pub(crate) cpu_per_answer: Option<f64>,
    /// Resident bytes that each further connection took, once a tenth of them were open.
    pub(crate) bytes_per_connection: Option<f64>,
    /// Resident bytes that came besides: code and tables that are used for the first time. Zero
    /// where too few connections came too quickly to tell them apart.
    pub(crate) bytes_once: Option<f64>,
    /// Connects that the kernel dropped since the beginning because a listen queue was full, on the
    /// whole machine.
    pub(crate) listen_drops: u64,
    /// The kernel's bytes for each further connection, slab and socket buffers of the whole
    /// machine: of both ends, where both are on it.
    pub(crate) kernel_bytes_per_connection: Option<f64>,
}

/// What tells whether the rest can be understood.
#[derive(Deserialize)]
struct Head {
    tool: String,
    version: u32,
}

/// The forms that were asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forms {
    pub(crate) json: Option<PathBuf>,
    pub(crate) csv: Option<PathBuf>,
    pub(crate) hgrm: Option<PathBuf>,
    pub(crate) html: Option<PathBuf>,
}

impl Report {
    /// Reads one that was written as JSON; `-` is standard input.
    ///
    /// # Errors
    /// Where it can not be read, or is none that this version understands.
    pub(crate) fn read(path: &Path) -> Result<Self, Fatal> {
        let name = path.display();
        let doing = || format!("reading {name}");
        let mut bytes = Vec::new();
        if path.as_os_str() == "-" {
            io::stdin().lock().read_to_end(&mut bytes).doing(doing)?;
        } else {
            bytes = std::fs::read(path).doing(doing)?;
        }
        let wrong = |why: String| Fatal::Usage(format!("{name}: {why}"));
        let no_report = |error| wrong(format!("no report that --json has written: {error}"));
        let head: Head = serde_json::from_slice(&bytes).map_err(no_report)?;
        if head.tool != env!("CARGO_PKG_NAME") {
            return Err(wrong(format!(
                "a report of {:?}, not of this tool",
                head.tool
            )));
        }
        if head.version != VERSION {
            return Err(wrong(format!(
                "a report of version {}; this tool understands version {VERSION}",
                head.version
            )));
        }
        serde_json::from_slice(&bytes).map_err(no_report)
    }

    /// Writes every form that was asked for, and the table.
    ///
    /// # Errors
    /// Where one can not be written, with its name; the others are written all the same.
    pub(crate) fn publish(&self, forms: &Forms) -> Result<(), Fatal> {
        let json = || -> Result<Vec<u8>, Fatal> {
            let mut json = serde_json::to_vec_pretty(self)
                .doing(|| String::from("writing the report as JSON"))?;
            json.push(b'\n');
            Ok(json)
        };
        let write = |path: &Option<PathBuf>, form: &dyn Fn() -> Result<Vec<u8>, Fatal>| match path {
            Some(path) => write_to(path, &form()?),
            None => Ok(()),
        };
        let written = [
            write(&forms.json, &json),
            write(&forms.csv, &|| Ok(csv::of(self).into_bytes())),
            write(&forms.hgrm, &|| Ok(hgrm::of(self).into_bytes())),
            write(&forms.html, &|| Ok(html::of(self).into_bytes())),
        ];
        if !forms.paths().any(|path| path.as_os_str() == "-") {
            let is_coloured = paint::is_coloured(&io::stdout());
            to_stdout(table::of(self, is_coloured).as_bytes())
                .doing(|| String::from("writing the report"))?;
        }
        written.into_iter().collect()
    }
}

impl Forms {
    fn paths(&self) -> impl Iterator<Item = &Path> {
        let all = [&self.json, &self.csv, &self.hgrm, &self.html];
        all.into_iter().flatten().map(PathBuf::as_path)
    }

    /// Looks whether all of them can be written: told before the run, not after it.
    ///
    /// # Errors
    /// Where one can not be, with its name.
    pub(crate) fn check(&self) -> Result<(), Fatal> {
        for path in self.paths().filter(|path| path.as_os_str() != "-") {
            let is_new = !path.exists();
            if !is_new && !path.is_file() && !path.is_dir() {
                // Whoever reads a pipe would take the trial for all of it.
                continue;
            }
            let mut options = std::fs::OpenOptions::new();
            let opened = options.append(true).create(true).open(path);
            opened.doing(|| format!("writing {}", path.display()))?;
            if is_new {
                // What was only tried leaves nothing behind.
                let _ = std::fs::remove_file(path);
            }
        }
        Ok(())
    }
}

/// Whoever tells how a run goes: nobody, a view on a terminal, or a line for each interval.
pub(crate) fn observer(plan: &Plan, is_quiet: bool) -> Box<dyn Observer + '_> {
    if is_quiet {
        Box::new(progress::Quiet)
    } else if paint::is_screen(&io::stderr()) {
        Box::new(live::Live::new(plan))
    } else {
        Box::new(progress::Progress)
    }
}

/// Writes a file; `-` is standard output.
///
/// # Errors
/// Where it can not be written, with its name.
pub(crate) fn write_to(path: &Path, bytes: &[u8]) -> Result<(), Fatal> {
    if path.as_os_str() == "-" {
        return to_stdout(bytes).doing(|| String::from("writing the report"));
    }
    std::fs::write(path, bytes).doing(|| format!("writing {}", path.display()))
}

/// A reader that has had enough is no error.
pub(crate) fn to_stdout(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
