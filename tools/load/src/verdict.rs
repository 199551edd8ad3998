//! What a run means: passed, failed, or invalid because it says nothing about the server.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::crew::Outcome;
use crate::error::{FAILED, INVALID, PASSED};
use crate::plan::Plan;
use crate::tally::{Count, Tally, Timing};
use crate::units::{nanos, read_span, show_nanos, three_digits};

/// The judgement, as the report has it.
#[derive(Debug, Serialize)]
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
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Means {
    Passed,
    Failed,
    Invalid,
}

/// A threshold and what became of it.
#[derive(Debug, Serialize)]
pub(crate) struct Judged {
    pub(crate) threshold: String,
    /// `None` where nothing of the kind was seen.
    pub(crate) value: Option<f64>,
    pub(crate) shown: String,
    pub(crate) is_kept: bool,
}

/// `[PHASE/][COHORT.]METRIC[:STATISTIC] COMPARISON VALUE`.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Threshold {
    text: String,
    phase: Option<String>,
    cohort: Option<String>,
    metric: Metric,
    comparison: Comparison,
    value: f64,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Metric {
    Count(Count),
    /// All that went wrong, lost connections apart.
    Errors,
    /// Answers a second.
    Rate,
    /// The share of connections that was open when the judged phase began.
    ReadyRatio,
    Timing(Timing, Statistic),
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Statistic {
    Percentile(f64),
    Min,
    Mean,
    Max,
    Count,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Comparison {
    Below,
    AtMost,
    Above,
    AtLeast,
    Equal,
    Unequal,
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
        let states_ready = |threshold: &Threshold| threshold.metric == Metric::ReadyRatio;
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
        reasons.push(String::from("a worker of the tool ended on its own"));
    }
    let (ready, wanted) = (outcome.ready_at_start, ready_wanted(plan));
    if let Some(ready) = ready.filter(|ready| *ready < wanted && !is_ratio_stated) {
        reasons.push(format!(
            "only {ready} of {wanted} connections were open when the judged phase began"
        ));
    }
    let judged = judged_sum(plan, outcome);
    if let Some(late) = judged.timing(Timing::SendLate) {
        let late = late.value_at_quantile(0.99);
        if late > nanos(plan.late_limit) {
            reasons.push(format!(
                "the tool was the bottleneck: its own sends were {} late (99th percentile; at \
                 most {} is allowed by --late-limit)",
                show_nanos(late),
                show_nanos(nanos(plan.late_limit))
            ));
        }
    }
    reasons
}

/// What a reader of the figures should know.
fn notes(plan: &Plan, outcome: &Outcome) -> Vec<String> {
    let mut notes = Vec::new();
    for (phase, stretch) in plan.phases.iter().zip(&outcome.phases) {
        let busiest = stretch
            .busiest()
            .filter(|share| phase.judged && *share > 0.95);
        if let Some(share) = busiest {
            notes.push(format!(
                "in phase {} a worker had {:.0} % of a processor: the rate may be the tool's own",
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

fn judged_sum(plan: &Plan, outcome: &Outcome) -> Tally {
    outcome.sum(|at| plan.phases[at].judged)
}

impl Threshold {
    /// Whether it speaks of this metric, under whatever name.
    pub(crate) fn is_about(&self, name: &str) -> bool {
        self.metric.name() == name
    }

    /// Whether its names exist in the plan.
    pub(crate) fn check(&self, plan: &Plan) -> Result<(), String> {
        let text = &self.text;
        let known = |what: &str, name: &Option<String>, names: Vec<&str>| match name {
            Some(name) if !names.contains(&name.as_str()) => Err(format!(
                "threshold {text:?}: there is no {what} {name:?}, but {}",
                names.join(", ")
            )),
            _ => Ok(()),
        };
        let cohorts = plan.cohorts.iter().map(|cohort| cohort.name.as_str());
        known("cohort", &self.cohort, cohorts.collect())?;
        let phases = plan.phases.iter().map(|phase| phase.name.as_str());
        known("phase", &self.phase, phases.collect())
    }

    /// Counts are over the whole run, times and rates over the judged phases, unless a phase is
    /// named.
    fn judge(&self, plan: &Plan, outcome: &Outcome) -> Judged {
        let is_count = matches!(self.metric, Metric::Count(_) | Metric::Errors);
        let is_asked = |at: usize| match &self.phase {
            Some(name) => plan.phases[at].name == *name,
            None => is_count || plan.phases[at].judged,
        };
        let (mut tally, mut seconds) = (Tally::new(), 0.0);
        for (at, stretch) in outcome
            .phases
            .iter()
            .enumerate()
            .filter(|(at, _)| is_asked(*at))
        {
            let _ = at;
            seconds += stretch.seconds();
            for (cohort, part) in plan.cohorts.iter().zip(&stretch.tallies) {
                if self.cohort.as_ref().is_none_or(|name| *name == cohort.name) {
                    tally.merge(part);
                }
            }
        }
        let value = match self.metric {
            Metric::Count(what) => Some(tally.count(what) as f64),
            Metric::Errors => Some(tally.errors() as f64),
            Metric::Rate => Some(tally.count(Count::Answered) as f64 / seconds.max(1e-9)),
            Metric::ReadyRatio => outcome
                .ready_at_start
                .map(|ready| ready as f64 / ready_wanted(plan).max(1) as f64),
            Metric::Timing(what, statistic) => tally.timing(what).map(|timing| match statistic {
                Statistic::Percentile(percent) => timing.value_at_percentile(percent) as f64,
                Statistic::Min => timing.min() as f64,
                Statistic::Mean => timing.mean(),
                Statistic::Max => timing.max() as f64,
                Statistic::Count => timing.len() as f64,
            }),
        };
        Judged {
            threshold: self.text.clone(),
            value,
            shown: value.map_or_else(|| String::from("nothing"), |value| self.metric.show(value)),
            is_kept: value.is_some_and(|value| self.comparison.holds(value, self.value)),
        }
    }
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: String| format!("threshold {text:?}: {why}");
        let (left, comparison, right) = Comparison::split(text).ok_or_else(|| {
            wrong(String::from(
                "write METRIC:STATISTIC<VALUE, as in \"beat_rtt:p99<5ms\" or \"errors==0\"",
            ))
        })?;
        let (phase, left) = match left.trim().split_once('/') {
            Some((phase, rest)) => (Some(phase.trim().to_owned()), rest),
            None => (None, left),
        };
        let (name, statistic) = match left.trim().split_once(':') {
            Some((name, statistic)) => (name, Some(statistic.trim())),
            None => (left.trim(), None),
        };
        let (cohort, name) = match name.trim().split_once('.') {
            Some((cohort, name)) => (Some(cohort.trim().to_owned()), name),
            None => (None, name),
        };
        let metric = Metric::read(name.trim(), statistic).map_err(wrong)?;
        let value = metric.read_value(right.trim()).map_err(wrong)?;
        Ok(Self {
            text: text.to_owned(),
            phase,
            cohort,
            metric,
            comparison,
            value,
        })
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Metric {
    fn read(name: &str, statistic: Option<&str>) -> Result<Self, String> {
        if let Some(timing) = Timing::of_name(name) {
            let statistic = statistic
                .ok_or_else(|| format!("say which {name} is meant: {name}:p99, {name}:max"))?;
            return Ok(Self::Timing(timing, Statistic::read(statistic)?));
        }
        if statistic.is_some() {
            return Err(format!("{name:?} is nothing that is timed: {}", timings()));
        }
        match (name, Count::of_name(name)) {
            ("errors", _) => Ok(Self::Errors),
            ("rps", _) => Ok(Self::Rate),
            ("ready_ratio", _) => Ok(Self::ReadyRatio),
            (_, Some(count)) => Ok(Self::Count(count)),
            (_, None) => Err(format!(
                "there is no metric {name:?}; there are errors, rps, ready_ratio, {} and the times \
                 {}",
                names(Count::ALL.iter().map(|count| count.name())),
                timings()
            )),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Count(what) => what.name(),
            Self::Errors => "errors",
            Self::Rate => "rps",
            Self::ReadyRatio => "ready_ratio",
            Self::Timing(what, _) => what.name(),
        }
    }

    fn is_time(self) -> bool {
        matches!(self, Self::Timing(_, statistic) if statistic != Statistic::Count)
    }

    fn read_value(self, text: &str) -> Result<f64, String> {
        if self.is_time() {
            return read_span(text).map(|span| nanos(span) as f64);
        }
        let plain: String = text.chars().filter(|digit| *digit != '_').collect();
        plain.parse().map_err(|_| format!("{text:?} is no number"))
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time in nanoseconds, not negative"
    )]
    fn show(self, value: f64) -> String {
        if self.is_time() {
            show_nanos(value as u64)
        } else if value.fract() == 0.0 {
            format!("{value}")
        } else {
            three_digits(value)
        }
    }
}

fn timings() -> String {
    names(Timing::ALL.iter().map(|timing| timing.name()))
}

fn names<'a>(all: impl Iterator<Item = &'a str>) -> String {
    all.collect::<Vec<_>>().join(", ")
}

impl Statistic {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "min" => return Ok(Self::Min),
            "mean" => return Ok(Self::Mean),
            "max" => return Ok(Self::Max),
            "count" => return Ok(Self::Count),
            _ => {}
        }
        let percent = text.strip_prefix('p').and_then(|p| p.parse::<f64>().ok());
        percent
            .filter(|percent| (0.0..=100.0).contains(percent))
            .map(Self::Percentile)
            .ok_or_else(|| format!("{text:?} is none of p50, p99.9, min, mean, max, count"))
    }
}

impl Comparison {
    /// Cuts a text at its comparison.
    fn split(text: &str) -> Option<(&str, Self, &str)> {
        const ALL: [(&str, Comparison); 6] = [
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("==", Comparison::Equal),
            ("!=", Comparison::Unequal),
            ("<", Comparison::Below),
            (">", Comparison::Above),
        ];
        ALL.iter().find_map(|(sign, comparison)| {
            let (left, right) = text.split_once(sign)?;
            Some((left, *comparison, right))
        })
    }

    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Below => value < bound,
            Self::AtMost => value <= bound,
            Self::Above => value > bound,
            Self::AtLeast => value >= bound,
            Self::Equal => (value - bound).abs() < 1e-9,
            Self::Unequal => (value - bound).abs() >= 1e-9,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_read() {
        let threshold: Threshold = "measure/healthy.beat_rtt:p99.9 <= 5ms".parse().unwrap();
        assert_eq!(threshold.phase.as_deref(), Some("measure"));
        assert_eq!(threshold.cohort.as_deref(), Some("healthy"));
        let quantile = Statistic::Percentile(99.9);
        assert_eq!(threshold.metric, Metric::Timing(Timing::BeatRtt, quantile));
        assert_eq!(threshold.comparison, Comparison::AtMost);
        assert!((threshold.value - 5e6).abs() < 1.0);
        let threshold: Threshold = "rps>100_000".parse().unwrap();
        assert!(threshold.is_about("rps"));
        assert!((threshold.value - 1e5).abs() < 1e-6);
    }

    #[test]
    fn a_wrong_threshold_is_told_what_would_be_right() {
        for (wrong, hint) in [
            ("errors", "write METRIC"),
            ("beat_rtt<5ms", "beat_rtt:p99"),
            ("beat_rtt:p101<5ms", "p99.9"),
            ("beat_rtt:p99<5", "no duration"),
            ("nonsense==0", "there is no metric"),
            ("errors:p99==0", "nothing that is timed"),
            ("errors==none", "no number"),
        ] {
            let told = wrong.parse::<Threshold>().unwrap_err();
            assert!(told.contains(hint), "{wrong}: {told}");
        }
    }
}
