//! Which curves a report has, and from where: the same figures as in its JSON.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::timeline;
use crate::plot::{Axis, Plot, Scale, Series, Unit};
use crate::report::{CohortReport, PhaseReport, Report, TimingReport};

/// Every figure that there is something for.
pub(super) fn of(report: &Report) -> Vec<String> {
    let mut plots = vec![latency(report), timeline::latency(report)];
    plots.extend(shares_back(report));
    plots.extend(shares_closed(report));
    plots.extend([
        timeline::connections(report),
        timeline::rates(report),
        opening(report),
        timeline::server_memory(report),
        timeline::server_processor(report),
        own_lateness(report),
    ]);
    plots.iter().filter_map(Plot::figure).collect()
}

/// By percentile, what was timed in the judged phases.
fn latency(report: &Report) -> Plot {
    let judged = || report.phases.iter().filter(|phase| phase.judged);
    let (phases, cohorts) = (judged().count(), report.plan.cohorts.len());
    let mut series = Vec::new();
    for (phase, cohort) in judged().flat_map(with_cohorts) {
        for (name, timing) in &cohort.timings {
            if APART.contains(&&**name) {
                continue;
            }
            let mut words = Vec::new();
            words.extend((phases > 1).then_some(&*phase.name));
            words.extend((cohorts > 1).then_some(&*cohort.name));
            words.push(name);
            let name = words.join(" ");
            series.extend(timing.histogram().map(|timing| spectrum(&name, &timing)));
        }
    }
    let note = "times in the judged phases; each step to the right holds a tenth of the rest";
    by_percentile("Latency by percentile", note, series)
}

/// Times that the first plot leaves to others: how connections came about, how they ended, and
/// what was the tool's own fault.
const APART: [&str; 7] = [
    "connect",
    "ready",
    "send_late",
    "loop_turn",
    "back",
    "close_late",
    "closed_after",
];

/// By percentile, how connections came about.
fn opening(report: &Report) -> Plot {
    let mut sums: BTreeMap<&str, Histogram<u64>> = BTreeMap::new();
    for (_, cohort) in report.phases.iter().flat_map(with_cohorts) {
        for name in ["connect", "ready"] {
            let timing = cohort.timings.get(name).and_then(TimingReport::histogram);
            if let Some(timing) = timing {
                let sum = sums.entry(name).or_insert_with(crate::tally::empty);
                // A histogram that grows by itself takes every value.
                let _ = sum.add(timing);
            }
        }
    }
    let series = sums.iter().map(|(name, sum)| spectrum(name, sum)).collect();
    let note = "connect: from the first packet; ready: from the intended moment to the answered \
                greeting; all phases";
    by_percentile("Opening a connection, by percentile", note, series)
}

/// By percentile, what was the tool's own fault.
fn own_lateness(report: &Report) -> Plot {
    let generator = &report.generator;
    let own = [
        ("send_late", &generator.send_late),
        ("loop_turn", &generator.loop_turn),
    ];
    let series = own.iter().filter_map(|(name, timing)| {
        let timing = timing.as_ref()?.histogram()?;
        Some(spectrum(name, &timing))
    });
    let note = "send_late: how late the tool sent what was due; loop_turn: how long it was busy \
                between two waits";
    by_percentile(
        "The tool's own lateness, by percentile",
        note,
        series.collect(),
    )
}

fn with_cohorts(phase: &PhaseReport) -> impl Iterator<Item = (&PhaseReport, &CohortReport)> {
    phase.cohorts.iter().map(move |cohort| (phase, cohort))
}

fn by_percentile(title: &str, note: &str, series: Vec<Series>) -> Plot {
    Plot {
        title: title.to_owned(),
        note: note.to_owned(),
        x: Axis::new("percentile", Scale::Tail, Unit::Percent),
        y: Axis::new("time", Scale::Log, Unit::Nanos),
        series,
        marks: Vec::new(),
    }
}

/// A curve of quantiles; the largest value stands where the last but one of all would end.
fn spectrum(name: &str, timing: &Histogram<u64>) -> Series {
    let last = 1.0 - 1.0 / (timing.len() as f64).max(2.0);
    let points = timing.iter_quantiles(5).map(|step| {
        let quantile = step.quantile_iterated_to().min(last);
        (quantile, step.value_iterated_to() as f64)
    });
    Series {
        name: name.to_owned(),
        points: points.collect(),
    }
}

/// The way back from a disturbance.
fn shares_back(report: &Report) -> Option<Plot> {
    let mut series = Vec::new();
    for (_, cohort) in report.phases.iter().flat_map(with_cohorts) {
        let left = cohort.recovery.as_ref().map(|recovery| recovery.left);
        if let Some((left, back)) = left.zip(cohort.timings.get("back")) {
            series.extend(shares(&cohort.name, back, left));
        }
    }
    let note = "the share of those who left that is served again, by the time since they left";
    let axes = ("time since the disturbance", "share back");
    by_share("Recovery", note, axes, series)
}

/// How soon the server ended what it should end.
fn shares_closed(report: &Report) -> Vec<Plot> {
    let of = |timing: &str, title, note, label| {
        let mut series = Vec::new();
        for (_, cohort) in report.phases.iter().flat_map(with_cohorts) {
            let wanted = report.plan.cohorts.iter();
            let wanted = wanted.filter(|part| part.name == cohort.name);
            let all: u64 = wanted.map(|part| u64::from(part.connections)).sum();
            if let Some(timing) = cohort.timings.get(timing) {
                series.extend(shares(&cohort.name, timing, all.max(timing.count)));
            }
        }
        by_share(title, note, (label, "share closed"), series)
    };
    let late = of(
        "close_late",
        "Lateness of the server's close",
        "the share of the dead that the server has closed, by the time since it should have",
        "time since the deadline",
    );
    let after = of(
        "closed_after",
        "Close after misbehaviour",
        "the share of the misbehaving that the server has closed, by the time since they began",
        "time since it began",
    );
    late.into_iter().chain(after).collect()
}

fn by_share(title: &str, note: &str, (x, y): (&str, &str), series: Vec<Series>) -> Option<Plot> {
    (!series.is_empty()).then(|| Plot {
        title: title.to_owned(),
        note: note.to_owned(),
        x: Axis::new(x, Scale::Exact, Unit::Nanos),
        y: Axis::new(y, Scale::Linear, Unit::Percent),
        series,
        marks: Vec::new(),
    })
}

/// What share of `all` had come by which time.
fn shares(name: &str, timing: &TimingReport, all: u64) -> Option<Series> {
    let timing = timing.histogram()?;
    let mut points = vec![(0.0, 0.0)];
    let mut come = 0;
    for step in timing.iter_recorded() {
        come += step.count_since_last_iteration();
        let share = come as f64 / all.max(1) as f64;
        points.push((step.value_iterated_to() as f64, share));
    }
    Some(Series {
        name: name.to_owned(),
        points,
    })
}
