//! Runs held against each other: medians, ranges, ratios, limits.
//!
//! A side is one run or several of the same kind. A difference means something only where the
//! ranges of both sides lie apart; with one run a side there is no range, and nobody can tell.

mod figure;
mod limit;
mod show;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

pub(crate) use limit::Limit;

use crate::error::{FAILED, INVALID, PASSED};
use crate::report::Report;
use crate::verdict::Means;
use figure::Figure;

/// Runs of the same kind, by the names of their files.
pub(crate) struct Side {
    pub(crate) runs: Vec<(String, Report)>,
}

/// All that is told, which is its JSON form.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    outcome: Means,
    a: Vec<String>,
    b: Vec<String>,
    /// What should be known before the figures are believed.
    notes: Vec<String>,
    /// In which way A and B were not the same run.
    differences: Vec<Difference>,
    rows: Vec<Row>,
    limits: Vec<Held>,
}

/// A setting that is not the same on both sides.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Difference {
    setting: String,
    a: String,
    b: String,
}

/// A figure of both sides.
#[derive(Debug, Serialize)]
struct Row {
    figure: String,
    #[serde(skip)]
    what: Figure,
    a: Spread,
    b: Spread,
    /// B/A of the medians; `None` where A is zero and B is not.
    ratio: Option<f64>,
    /// `None` where a side has one run only.
    lies_apart: Option<bool>,
}

/// A figure's values over the runs of a side.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
struct Spread {
    runs: usize,
    min: f64,
    median: f64,
    max: f64,
}

/// A limit and what became of it.
#[derive(Debug, Serialize)]
struct Held {
    limit: String,
    /// B/A; `None` where a side has no such figure, or A is zero.
    ratio: Option<f64>,
    is_kept: bool,
    shown: String,
}

impl Comparison {
    pub(crate) fn of(a: &Side, b: &Side, limits: &[Limit], is_lenient: bool) -> Self {
        let rows: Vec<Row> = figure::of_all(a, b)
            .into_iter()
            .filter_map(|figure| Row::of(figure, a, b))
            .collect();
        let limits: Vec<Held> = limits
            .iter()
            .map(|limit| limit.hold(Row::of(limit.figure.clone(), a, b).as_ref(), is_lenient))
            .collect();
        let is_invalid = |side: &Side| side.of(Means::Invalid).next().is_some();
        let outcome = if is_invalid(a) || is_invalid(b) {
            Means::Invalid
        } else if limits.iter().all(|held| held.is_kept) {
            Means::Passed
        } else {
            Means::Failed
        };
        Self {
            outcome,
            a: a.names(),
            b: b.names(),
            notes: notes(a, b),
            differences: differences(&a.runs[0].1, &b.runs[0].1),
            rows,
            limits,
        }
    }

    pub(crate) fn code(&self) -> u8 {
        match self.outcome {
            Means::Passed => PASSED,
            Means::Failed => FAILED,
            Means::Invalid => INVALID,
        }
    }
}

impl Side {
    fn names(&self) -> Vec<String> {
        self.runs.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The runs that ended so.
    fn of(&self, outcome: Means) -> impl Iterator<Item = &str> {
        let ended = self.runs.iter();
        let ended = ended.filter(move |(_, run)| run.verdict.outcome == outcome);
        ended.map(|(name, _)| name.as_str())
    }
}

impl Row {
    /// `None` where a side has no such figure at all.
    fn of(what: Figure, a: &Side, b: &Side) -> Option<Self> {
        let spread = |side: &Side| {
            let values = side.runs.iter().filter_map(|(_, run)| what.value(run));
            Spread::of(values.collect())
        };
        let (a, b) = (spread(a)?, spread(b)?);
        let is_alone = a.runs < 2 || b.runs < 2;
        Some(Self {
            figure: what.to_string(),
            what,
            a,
            b,
            ratio: a.ratio(b),
            lies_apart: (!is_alone).then_some(a.max < b.min || b.max < a.min),
        })
    }
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self {
            runs: values.len(),
            min,
            median,
            max,
        })
    }

    /// How many times as much `other` is; nothing is as much as nothing.
    fn ratio(self, other: Self) -> Option<f64> {
        if self.median == other.median {
            return Some(1.0);
        }
        (self.median != 0.0).then(|| other.median / self.median)
    }
}

fn notes(a: &Side, b: &Side) -> Vec<String> {
    let mut notes = Vec::new();
    for (label, side) in [("A", a), ("B", b)] {
        for name in side.of(Means::Invalid) {
            notes.push(format!("{label}: {name} is invalid and says nothing"));
        }
        for name in side.of(Means::Failed) {
            notes.push(format!("{label}: {name} failed"));
        }
        for (name, run) in &side.runs[1..] {
            let first = &side.runs[0].1;
            for Difference { setting, a, b } in differences(first, run) {
                notes.push(format!("{label}: {setting} is {a}, but {b} in {name}"));
            }
        }
    }
    let (a, b) = (a.runs.len(), b.runs.len());
    if a < 2 || b < 2 {
        let text = "one run a side has no spread: give several, A1.json,A2.json B1.json,B2.json";
        notes.push(text.to_owned());
    } else {
        let odds = ways(a, b) / 2.0;
        notes.push(format!(
            "ranges of {a} and {b} runs lie apart by chance once in {odds:.0} times"
        ));
    }
    notes
}

/// In how many ways runs of one kind may fall to the two sides.
fn ways(a: usize, b: usize) -> f64 {
    (1..=a).fold(1.0, |ways, at| ways * (b + at) as f64 / at as f64)
}

/// What of the plan, or of the tool, is not the same.
fn differences(a: &Report, b: &Report) -> Vec<Difference> {
    let (mut ours, mut theirs) = (settings(a), settings(b));
    let names: Vec<String> = ours.keys().chain(theirs.keys()).cloned().collect();
    let mut found = Vec::new();
    for setting in names {
        let none = || String::from("none");
        let (a, b) = (ours.remove(&setting), theirs.remove(&setting));
        if a != b {
            let (a, b) = (a.unwrap_or_else(none), b.unwrap_or_else(none));
            found.push(Difference { setting, a, b });
        }
    }
    found
}

fn settings(run: &Report) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    settings.insert(String::from("tool_version"), run.tool_version.clone());
    // A plan came from JSON or goes there.
    flatten(
        "",
        &serde_json::to_value(&run.plan).unwrap_or_default(),
        &mut settings,
    );
    settings
}

fn flatten(path: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    let below = |name: &str| match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                flatten(&below(name), value, into);
            }
        }
        Value::Array(parts) => {
            for (number, value) in parts.iter().enumerate() {
                flatten(&below(&(number + 1).to_string()), value, into);
            }
        }
        Value::Null => {}
        Value::String(text) => drop(into.insert(path.to_owned(), text.clone())),
        other => drop(into.insert(path.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_nothing_is_as_much_as_nothing() {
        let of = |values: &[f64]| Spread::of(values.to_vec()).unwrap();
        let odd = of(&[3.0, 1.0, 2.0]);
        assert_eq!((odd.min, odd.median, odd.max), (1.0, 2.0, 3.0));
        assert_eq!(of(&[4.0, 1.0]).median, 2.5);
        assert!(Spread::of(Vec::new()).is_none());
        assert_eq!(odd.ratio(of(&[3.0])), Some(1.5));
        let zero = of(&[0.0]);
        assert_eq!((zero.ratio(zero), zero.ratio(odd)), (Some(1.0), None));
    }

    #[test]
    fn chance_is_counted() {
        assert_eq!((ways(2, 2), ways(3, 3), ways(5, 5)), (6.0, 20.0, 252.0));
    }
}
