//! What a run means: passed, failed, or invalid because it says nothing about the server.

mod threshold;

use serde::{Deserialize, Serialize};

pub(crate) use threshold::{Comparison, Metric, Threshold};

use crate::crew::Outcome;
use crate::error::{FAILED, INVALID, PASSED};
use crate::plan::{Plan, Until};
use crate::tally::{Count, Tally, Timing};
use crate::units::{nanos, show_nanos};

/// The judgement, as the report has it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) outcome: Means,
    /// Why it is invalid; notes where it is not.
    pub(crate) reasons: Vec<String>,
    pub(crate) notes: Vec<String>,
    pub(crate) thresholds: Vec<Judged>,
    /// The signal that ended the run early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) interrupted: Option<i32>,
}

/// One of three words.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Means {
    Passed,
    Failed,
    Invalid,
}

/// A threshold and what became of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Judged {
    pub(crate) threshold: String,
    /// `None` where nothing of the kind was seen.
    pub(crate) value: Option<f64>,
    pub(crate) shown: String,
    pub(crate) is_kept: bool,
}

impl Verdict {
    pub(crate) fn of(plan: &Plan, outcome: &Outcome) -> Self {
        let thresholds: Vec<Threshold> = plan
            .thresholds
            .iter()
            .filter_map(|text| text.parse().ok())
            .collect();
        let judged: Vec<Judged> = thresholds
            .iter()
            .map(|threshold| threshold.judge(plan, outcome))
            .collect();
        let states_ready = |threshold: &Threshold| threshold.is_about("ready_ratio");
        let mut reasons = why_invalid(plan, outcome, thresholds.iter().any(states_ready));
        if outcome.interrupted.is_some() {
            reasons.push(String::from("it was interrupted"));
        }
        let means = if !reasons.is_empty() {
            Means::Invalid
        } else if judged.iter().all(|judged| judged.is_kept) {
            Means::Passed
        } else {
            Means::Failed
        };
        Self {
            outcome: means,
            reasons,
            notes: notes(plan, outcome),
            thresholds: judged,
            interrupted: outcome.interrupted,
        }
    }

    pub(crate) fn code(&self) -> u8 {
        if let Some(signal) = self.interrupted {
            return 128 + u8::try_from(signal).unwrap_or(0);
        }
        match self.outcome {
            Means::Passed => PASSED,
            Means::Failed => FAILED,
            Means::Invalid => INVALID,
        }
    }
}

/// Everything by which the run says nothing about the server.
fn why_invalid(plan: &Plan, outcome: &Outcome, is_ratio_stated: bool) -> Vec<String> {
    let mut reasons = Vec::new();
    if outcome.is_broken {
        reasons.push(String::from(
            "a worker of the tool ended on its own: was it killed, or the memory used up?",
        ));
    }
    if outcome.is_cut {
        reasons.push(String::from(
            "a worker of the tool had too much to do to come to an end, and its last report is \
             missing: the tool was the bottleneck; choose a lower rate or more --workers",
        ));
    }
    if outcome.opened() == 0 {
        reasons.push(String::from("no connection came about"));
    }
    let all = outcome.sum(|_| true);
    let (ready, wanted) = (outcome.ready_at_start, ready_wanted(plan));
    if let Some(ready) = ready.filter(|ready| *ready < wanted && !is_ratio_stated) {
        reasons.push(format!(
            "only {ready} of {wanted} connections were open when the judged phase began{}: raise \
             the server's limits, ask for fewer, or give them longer by --ramp or \
             --connect-timeout",
            seen_of_failures(&all)
        ));
    }
    for (what, why) in [
        (
            Count::NoPorts,
            "no port was free: give more addresses with --source",
        ),
        (
            Count::NoFiles,
            "descriptors ran out: give more --workers, or raise `ulimit -n`",
        ),
    ] {
        let count = all.count(what);
        if count > 0 {
            reasons.push(format!("for {count} connects {why}"));
        }
    }
    let skipped = all.count(Count::Skipped);
    if skipped > 0 {
        reasons.push(format!(
            "{skipped} requests that were due were not sent, since millions had no answer: the \
             rate is beyond the tool or the server, choose a lower one"
        ));
    }
    // While connections are opened as fast as they can be, everything else is late.
    let is_opening = |at: usize| matches!(plan.phases[at].until, Until::Settled { .. });
    let steady = outcome.sum(|at| plan.phases[at].judged && !is_opening(at));
    if let Some(late) = steady.timing(Timing::SendLate) {
        let late = late.value_at_quantile(0.99);
        if late > nanos(plan.late_limit) {
            reasons.push(format!(
                "the tool was the bottleneck: its own sends were {} late (99th percentile; at \
                 most {} is allowed by --late-limit): give it more --workers, a core of its own \
                 or a lower rate",
                show_nanos(late),
                show_nanos(nanos(plan.late_limit))
            ));
        }
    }
    reasons
}

/// ` (connect_timeout 3, goodbyes 7)`; nothing where nothing went wrong.
fn seen_of_failures(all: &Tally) -> String {
    let kinds = Count::ERRORS.iter().chain(&[Count::Lost, Count::Goodbyes]);
    let seen = kinds.filter(|what| all.count(**what) > 0);
    let seen: Vec<String> = seen
        .map(|what| format!("{} {}", what.name(), all.count(*what)))
        .collect();
    if seen.is_empty() {
        String::new()
    } else {
        format!(" ({})", seen.join(", "))
    }
}

/// What a reader of the figures should know.
fn notes(plan: &Plan, outcome: &Outcome) -> Vec<String> {
    let mut notes = Vec::new();
    let goodbyes = outcome.sum(|_| true).count(Count::Goodbyes);
    if goodbyes > 0 {
        notes.push(format!(
            "the server said {goodbyes} times that it closes a connection: its log tells why"
        ));
    }
    for (phase, stretch) in plan.phases.iter().zip(&outcome.phases) {
        let busiest = stretch
            .busiest()
            .filter(|share| phase.judged && *share > 0.95);
        if let Some(share) = busiest {
            notes.push(format!(
                "in phase {} a worker had {:.0} % of a processor: the rate may be the tool's own; \
                 more --workers, each on a core of its own, would tell",
                phase.name,
                share * 100.0
            ));
        }
    }
    notes
}

/// Connections that should be open when the first judged phase begins.
fn ready_wanted(plan: &Plan) -> u64 {
    let first = plan.phases.iter().position(|phase| phase.judged);
    let is_in = |from: usize| first.is_some_and(|first| from < first);
    let cohorts = plan.cohorts.iter().filter(|cohort| is_in(cohort.from));
    cohorts.map(|cohort| u64::from(cohort.connections)).sum()
}
