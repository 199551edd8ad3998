//! One number of a run: where it is found, and how it is written.

use std::collections::BTreeSet;
use std::fmt;

use super::Side;
use crate::report::{CohortReport, PhaseReport, Report, ServerReport, TimingReport};
use crate::tally::{Count, Timing, empty};
use crate::units::{show_bytes, show_nanos, three_digits};
use crate::verdict::Metric;

/// What is compared.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Figure {
    /// Of connections, in a phase and a cohort if they are named.
    Load {
        phase: Option<String>,
        cohort: Option<String>,
        metric: Metric,
        /// The metric as it was written.
        name: String,
    },
    /// Of the watched process.
    Server(&'static str),
}

/// Which way is up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wish {
    Less,
    More,
    /// It depends.
    None,
}

const SERVER: [&str; 5] = [
    "cpu_per_answer",
    "cpu_share",
    "resident_peak",
    "bytes_per_connection",
    "kernel_bytes_per_connection",
];

impl Figure {
    /// Reads `[PHASE/][COHORT.]METRIC[:STATISTIC]` or `server.NAME`.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        if let Some(name) = text.trim().strip_prefix("server.") {
            let known = SERVER.iter().find(|known| **known == name);
            let known = known.ok_or_else(|| {
                format!(
                    "of the server there are {}, not {name:?}",
                    SERVER.join(", ")
                )
            })?;
            return Ok(Self::Server(known));
        }
        let (phase, cohort, metric) = Metric::read_in_place(text)?;
        let name = text.rsplit('/').next().unwrap_or(text).trim();
        let name = match &cohort {
            Some(_) => name.split_once('.').map_or(name, |(_, name)| name),
            None => name,
        };
        Ok(Self::Load {
            phase,
            cohort,
            metric,
            name: name.trim().to_owned(),
        })
    }

    /// Its value in a run; `None` where there is none.
    pub(super) fn value(&self, run: &Report) -> Option<f64> {
        match self {
            Self::Server(name) => of_server(run.server.as_ref()?, name),
            Self::Load {
                phase,
                cohort,
                metric,
                ..
            } => Slice::of(run, phase.as_deref(), cohort.as_deref(), *metric).value(run, *metric),
        }
    }

    pub(super) fn wish(&self) -> Wish {
        match self {
            Self::Server(_) => Wish::Less,
            Self::Load { metric, .. } => match metric {
                Metric::Timing(_, _) | Metric::Errors | Metric::Missing => Wish::Less,
                Metric::Rate | Metric::ReadyRatio => Wish::More,
                Metric::Count(what) => of_count(*what),
            },
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "times and bytes, not negative"
    )]
    pub(super) fn show(&self, value: f64) -> String {
        match self {
            Self::Load { metric, .. } => metric.show(value),
            Self::Server("cpu_per_answer") => show_nanos(value as u64),
            Self::Server("cpu_share") => format!("{} %", three_digits(value * 100.0)),
            Self::Server(_) => show_bytes(value as u64),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(name) => write!(f, "server.{name}"),
            Self::Load {
                phase,
                cohort,
                name,
                ..
            } => {
                if let Some(phase) = phase {
                    write!(f, "{phase}/")?;
                }
                if let Some(cohort) = cohort {
                    write!(f, "{cohort}.")?;
                }
                f.write_str(name)
            }
        }
    }
}

fn of_server(server: &ServerReport, name: &str) -> Option<f64> {
    match name {
        "cpu_per_answer" => server.cpu_per_answer,
        "cpu_share" => Some(server.cpu_share),
        "resident_peak" => Some(server.resident_peak as f64),
        "bytes_per_connection" => server.bytes_per_connection,
        _ => server.kernel_bytes_per_connection,
    }
}

fn of_count(what: Count) -> Wish {
    let is_bad = Count::ERRORS.contains(&what)
        || [
            Count::Lost,
            Count::Unanswered,
            Count::Overlapped,
            Count::Duplicates,
            Count::Reordered,
        ]
        .contains(&what);
    if is_bad { Wish::Less } else { Wish::None }
}

/// The parts of a report that a figure is about.
struct Slice<'a> {
    cohorts: Vec<&'a CohortReport>,
    seconds: f64,
}

impl<'a> Slice<'a> {
    /// As thresholds have it: counts over the whole run, the rest over the judged phases, unless a
    /// phase is named. How connections came about is told by the phase in which they did.
    fn of(run: &'a Report, phase: Option<&str>, cohort: Option<&str>, metric: Metric) -> Self {
        let opens = matches!(metric, Metric::Timing(Timing::Connect | Timing::Ready, _));
        let is_asked = |part: &&PhaseReport| match phase {
            Some(name) => part.name == name,
            None => part.judged || opens || metric.is_count(),
        };
        let phases = || run.phases.iter().filter(is_asked);
        let cohorts = phases().flat_map(|phase| &phase.cohorts);
        let is_meant = |part: &&CohortReport| cohort.is_none_or(|name| part.name == name);
        Self {
            cohorts: cohorts.filter(is_meant).collect(),
            seconds: phases().map(|phase| phase.seconds).sum(),
        }
    }

    fn value(&self, run: &Report, metric: Metric) -> Option<f64> {
        let count = |name: &str| -> u64 {
            let counts = self
                .cohorts
                .iter()
                .filter_map(|cohort| cohort.counts.get(name));
            counts.sum()
        };
        match metric {
            Metric::ReadyRatio => {
                let ready = run.connections.ready? as f64;
                Some(ready / run.connections.wanted.max(1) as f64)
            }
            Metric::Timing(what, statistic) => {
                let mut sum = empty();
                let timings = self
                    .cohorts
                    .iter()
                    .map(|cohort| cohort.timings.get(what.name()));
                for timing in timings.flatten().filter_map(TimingReport::histogram) {
                    // A histogram that grows by itself takes every value.
                    let _ = sum.add(timing);
                }
                (!sum.is_empty()).then(|| statistic.of(&sum))
            }
            _ if self.cohorts.is_empty() => None,
            Metric::Count(what) => Some(count(what.name()) as f64),
            Metric::Errors => {
                let errors = self.cohorts.iter().map(|cohort| cohort.errors);
                Some(errors.sum::<u64>() as f64)
            }
            Metric::Missing => Some(count("expected").saturating_sub(count("delivered")) as f64),
            Metric::Rate => Some(count("answered") as f64 / self.seconds.max(1e-9)),
        }
    }
}

/// The figures that are shown without being asked for.
pub(super) fn of_all(a: &Side, b: &Side) -> Vec<Figure> {
    let runs = || a.runs.iter().chain(&b.runs).map(|(_, run)| run);
    let mut names = Vec::new();
    let judged = |run: &Report| run.phases.iter().filter(|phase| phase.judged).count();
    let is_plain = runs().all(|run| judged(run) < 2 && run.plan.cohorts.len() < 2);
    let first = &a.runs[0].1;
    for phase in first.phases.iter().filter(|phase| phase.judged) {
        for cohort in &phase.cohorts {
            let place = match is_plain {
                true => String::new(),
                false => format!("{}/{}.", phase.name, cohort.name),
            };
            names.extend(of_cohort(cohort).map(|name| format!("{place}{name}")));
        }
    }
    names.extend(["connect:p50", "connect:p99", "ready:p99"].map(String::from));
    let bad: BTreeSet<&str> = runs().flat_map(bad_counts).collect();
    names.push(String::from("errors"));
    names.extend(bad.into_iter().map(String::from));
    names.extend(SERVER.map(|name| format!("server.{name}")));
    let figures = names.iter().filter_map(|name| Figure::read(name).ok());
    figures.collect()
}

fn of_cohort(cohort: &CohortReport) -> impl Iterator<Item = String> {
    let rate = (cohort.rps > 0.0).then(|| String::from("rps"));
    let timings = cohort
        .timings
        .keys()
        .filter(|name| !APART.contains(&&***name));
    let statistics = timings.flat_map(|name| {
        let one = move |statistic| format!("{name}:{statistic}");
        ["p50", "p99", "p99.9", "max"].map(one)
    });
    rate.into_iter().chain(statistics.collect::<Vec<_>>())
}

/// Told once for all phases, or the tool's own affair.
const APART: [&str; 4] = ["connect", "ready", "send_late", "loop_turn"];

/// Counters of things that went wrong, and that have counted something.
fn bad_counts(run: &Report) -> impl Iterator<Item = &'static str> {
    let is_seen = |what: &Count| {
        let mut cohorts = run.phases.iter().flat_map(|phase| &phase.cohorts);
        cohorts.any(|cohort| cohort.counts.contains_key(what.name()))
    };
    let bad = Count::ALL
        .iter()
        .filter(|what| of_count(**what) == Wish::Less);
    bad.filter(move |what| is_seen(what))
        .map(|what| what.name())
}
