//! What must hold for a run to pass: `errors==0`, `beat_rtt:p99<5ms`.

use std::fmt;
use std::str::FromStr;

use hdrhistogram::Histogram;

use super::{Judged, ready_wanted};
use crate::crew::Outcome;
use crate::plan::Plan;
use crate::tally::{Count, Tally, Timing};
use crate::units::{nanos, read_span, show_nanos, three_digits};

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

/// What is judged.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Metric {
    Count(Count),
    /// All that went wrong, lost connections apart.
    Errors,
    /// Messages that receivers should have got and have not.
    Missing,
    /// Answers a second.
    Rate,
    /// The share of connections that was open when the judged phase began.
    ReadyRatio,
    Timing(Timing, Statistic),
}

/// Which figure of a distribution.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Statistic {
    Percentile(f64),
    Min,
    Mean,
    Max,
    Count,
}

/// What a value is to its bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Comparison {
    Below,
    AtMost,
    Above,
    AtLeast,
    Equal,
    Unequal,
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
    pub(super) fn judge(&self, plan: &Plan, outcome: &Outcome) -> Judged {
        let is_asked = |at: usize| match &self.phase {
            Some(name) => plan.phases[at].name == *name,
            None => self.metric.is_count() || plan.phases[at].judged,
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
            Metric::Missing => {
                let expected = tally.count(Count::Expected);
                Some(expected.saturating_sub(tally.count(Count::Delivered)) as f64)
            }
            Metric::Rate => Some(tally.count(Count::Answered) as f64 / seconds.max(1e-9)),
            Metric::ReadyRatio => outcome
                .ready_at_start
                .map(|ready| ready as f64 / ready_wanted(plan).max(1) as f64),
            Metric::Timing(what, statistic) => {
                tally.timing(what).map(|timing| statistic.of(timing))
            }
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
        let (phase, cohort, metric) = Metric::read_in_place(left).map_err(wrong)?;
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
    /// `[PHASE/][COHORT.]METRIC[:STATISTIC]`: where, of whom, what.
    pub(crate) fn read_in_place(
        text: &str,
    ) -> Result<(Option<String>, Option<String>, Self), String> {
        let (phase, left) = match text.trim().split_once('/') {
            Some((phase, rest)) => (Some(phase.trim().to_owned()), rest),
            None => (None, text),
        };
        let (name, statistic) = match left.trim().split_once(':') {
            Some((name, statistic)) => (name, Some(statistic.trim())),
            None => (left.trim(), None),
        };
        let (cohort, name) = match name.trim().split_once('.') {
            Some((cohort, name)) => (Some(cohort.trim().to_owned()), name),
            None => (None, name),
        };
        Ok((phase, cohort, Self::read(name.trim(), statistic)?))
    }

    /// Whether it is judged over the whole run, unless a phase is named.
    pub(crate) fn is_count(self) -> bool {
        matches!(self, Self::Count(_) | Self::Errors | Self::Missing)
    }

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
            ("missing", _) => Ok(Self::Missing),
            ("rps", _) => Ok(Self::Rate),
            ("ready_ratio", _) => Ok(Self::ReadyRatio),
            (_, Some(count)) => Ok(Self::Count(count)),
            (_, None) => Err(format!(
                "there is no metric {name:?}; there are errors, missing, rps, ready_ratio, {} and \
                 the times {}",
                names(Count::ALL.iter().map(|count| count.name())),
                timings()
            )),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Count(what) => what.name(),
            Self::Errors => "errors",
            Self::Missing => "missing",
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
    pub(crate) fn show(self, value: f64) -> String {
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
    pub(crate) fn of(self, timing: &Histogram<u64>) -> f64 {
        match self {
            Self::Percentile(percent) => timing.value_at_percentile(percent) as f64,
            Self::Min => timing.min() as f64,
            Self::Mean => timing.mean(),
            Self::Max => timing.max() as f64,
            Self::Count => timing.len() as f64,
        }
    }

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
    pub(crate) fn split(text: &str) -> Option<(&str, Self, &str)> {
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

    pub(crate) fn holds(self, value: f64, bound: f64) -> bool {
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
