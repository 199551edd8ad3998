//! From an outcome to a report.

use std::time::SystemTime;

use hdrhistogram::Histogram;

use super::server;
use super::{CohortReport, Connections, GeneratorReport, PhaseReport, Recovery, Report, VERSION};
use crate::crew::{Outcome, Stretch};
use crate::plan::Plan;
use crate::tally::{Count, Tally, Timing};
use crate::verdict::Verdict;

impl Report {
    pub(crate) fn new(plan: &Plan, outcome: &Outcome, server: Option<u32>) -> Self {
        let phases = plan.phases.iter().zip(&outcome.phases);
        Self {
            version: VERSION,
            tool: env!("CARGO_PKG_NAME").to_owned(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            ended: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            seconds: outcome.seconds,
            verdict: Verdict::of(plan, outcome),
            connections: Connections {
                wanted: plan.connections(),
                ready: outcome.ready_at_start,
                trough: outcome.trough,
            },
            phases: phases
                .map(|(phase, stretch)| PhaseReport {
                    name: phase.name.clone(),
                    began: stretch.began,
                    seconds: stretch.seconds(),
                    judged: phase.judged,
                    cohorts: cohorts(plan, stretch),
                })
                .collect(),
            generator: generator(plan, outcome),
            server: server.and_then(|pid| server::of(pid, plan, outcome)),
            timeline: outcome.timeline.clone(),
            plan: plan.clone(),
        }
    }
}

fn cohorts(plan: &Plan, stretch: &Stretch) -> Vec<CohortReport> {
    let parts = plan.cohorts.iter().zip(&stretch.tallies);
    let silent = |tally: &Tally| tally.is_empty();
    parts
        .filter(|(_, tally)| !silent(tally))
        .map(|(cohort, tally)| CohortReport {
            name: cohort.name.clone(),
            errors: tally.errors(),
            rps: tally.count(Count::Answered) as f64 / stretch.seconds().max(1e-9),
            counts: Count::ALL
                .iter()
                .map(|what| (what.name().to_owned(), tally.count(*what)))
                .filter(|(_, count)| *count > 0)
                .collect(),
            timings: Timing::ALL
                .iter()
                .filter_map(|what| Some((what.name().to_owned(), tally.timing(*what)?.into())))
                .collect(),
            recovery: recovery(tally),
        })
        .collect()
}

fn recovery(tally: &Tally) -> Option<Recovery> {
    let left = tally.count(Count::Left);
    if left == 0 {
        return None;
    }
    let timing = tally.timing(Timing::Back);
    let back = timing.map_or(0, Histogram::len);
    let to = |percent: u64| {
        let rank = (left * percent).div_ceil(100);
        let share = rank as f64 / back.max(1) as f64;
        timing
            .filter(|_| rank <= back)
            .map(|timing| timing.value_at_quantile(share))
    };
    Some(Recovery {
        left,
        back,
        to_50: to(50),
        to_95: to(95),
        to_99: to(99),
        to_100: to(100),
        wasted: tally.errors(),
    })
}

fn generator(plan: &Plan, outcome: &Outcome) -> GeneratorReport {
    let judged = || {
        let phases = plan.phases.iter().zip(&outcome.phases);
        phases
            .filter(|(phase, _)| phase.judged)
            .map(|(_, stretch)| stretch)
    };
    let mut own = Tally::new();
    judged().for_each(|stretch| own.merge(&stretch.own));
    let sum = outcome.sum(|at| plan.phases[at].judged);
    GeneratorReport {
        workers: outcome.generator.workers,
        cpu_seconds: outcome.generator.cpu() as f64 / 1e9,
        busiest: judged().filter_map(Stretch::busiest).reduce(f64::max),
        bytes_per_connection: outcome.generator.bytes_per_connection(),
        loop_turn: own.timing(Timing::LoopTurn).map(Into::into),
        send_late: sum.timing(Timing::SendLate).map(Into::into),
    }
}
