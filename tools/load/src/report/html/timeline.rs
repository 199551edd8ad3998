//! Curves over the time of a run, from its samples.

use crate::crew::{Latency, Sample};
use crate::plot::{Axis, Mark, Plot, Scale, Series, Unit};
use crate::report::Report;

pub(super) fn connections(report: &Report) -> Plot {
    let of = |name, count: fn(&Sample) -> u64| {
        let samples = report.timeline.iter();
        let points = samples.map(|sample| (sample.at, count(sample) as f64));
        series(name, points.collect())
    };
    let mut shown = vec![of("open", |sample| sample.open)];
    if report.timeline.iter().any(|sample| sample.under_way > 0) {
        shown.push(of("under way", |sample| sample.under_way));
    }
    let y = Axis::new("connections", Scale::Linear, Unit::Count);
    plot(
        report,
        ("Connections", "at the end of each interval"),
        y,
        shown,
    )
}

pub(super) fn rates(report: &Report) -> Plot {
    let mut shown = Vec::new();
    let mut add = |name, count: fn(&Sample) -> u64| {
        if report.timeline.iter().any(|sample| count(sample) > 0) {
            let samples = report.timeline.iter();
            let whole = samples.filter(|sample| is_whole(report, sample));
            let rate = |sample: &Sample| (sample.at, count(sample) as f64 / span(report, sample));
            shown.push(series(name, whole.map(rate).collect()));
        }
    };
    add("answers", |sample| sample.answered);
    add("messages", |sample| sample.messages);
    add("opened", |sample| sample.opened);
    add("lost", |sample| sample.lost);
    add("errors", |sample| sample.errors);
    let y = Axis::new("per second", Scale::Linear, Unit::Count);
    plot(report, ("Rates", "of each interval"), y, shown)
}

pub(super) fn latency(report: &Report) -> Plot {
    let of = |name, time: fn(&Latency) -> u64| {
        let samples = report.timeline.iter();
        let points = samples.filter_map(|sample| {
            let latency = sample.latency.as_ref()?;
            Some((sample.at, time(latency) as f64))
        });
        series(name, points.collect())
    };
    let shown = vec![
        of("p50", |latency| latency.p50),
        of("p99", |latency| latency.p99),
        of("max", |latency| latency.max),
    ];
    let y = Axis::new("time", Scale::Log, Unit::Nanos);
    let note = "of what was answered or delivered in each interval";
    plot(report, ("Latency over time", note), y, shown)
}

pub(super) fn server_memory(report: &Report) -> Plot {
    let samples = report.timeline.iter();
    let points = samples.filter_map(|sample| Some((sample.at, sample.server?.resident as f64)));
    let shown = vec![series("resident", points.collect())];
    let y = Axis::new("resident memory", Scale::Linear, Unit::Bytes);
    plot(
        report,
        ("Memory of the server", "the watched process"),
        y,
        shown,
    )
}

pub(super) fn server_processor(report: &Report) -> Plot {
    let mut before = report.server.as_ref().map(|server| server.before.cpu);
    let mut points = Vec::new();
    for sample in &report.timeline {
        let used = sample.server.map(|look| look.cpu);
        let earlier = std::mem::replace(&mut before, used);
        if let Some((used, earlier)) = used.zip(earlier).filter(|_| is_whole(report, sample)) {
            let seconds = used.saturating_sub(earlier) as f64 / 1e9;
            points.push((sample.at, seconds / span(report, sample)));
        }
    }
    let shown = vec![series("processor", points)];
    let y = Axis::new("share of a processor", Scale::Linear, Unit::Percent);
    plot(
        report,
        ("Processor of the server", "of each interval"),
        y,
        shown,
    )
}

fn series(name: &str, points: Vec<(f64, f64)>) -> Series {
    Series {
        name: name.to_owned(),
        points,
    }
}

fn plot(report: &Report, (title, note): (&str, &str), y: Axis, series: Vec<Series>) -> Plot {
    let marks = report.phases.iter().filter(|phase| phase.seconds > 0.0);
    Plot {
        title: title.to_owned(),
        note: note.to_owned(),
        x: Axis::new("time since the beginning", Scale::Exact, Unit::Seconds),
        y,
        series,
        marks: marks
            .map(|phase| Mark {
                at: phase.began,
                name: phase.name.clone(),
            })
            .collect(),
    }
}

/// Seconds of an interval, at least of one that a rate can be told of.
fn span(report: &Report, sample: &Sample) -> f64 {
    if sample.span > 0.0 {
        return sample.span;
    }
    report.plan.interval.as_secs_f64().max(1e-3)
}

/// Whether an interval is long enough for a rate; the last one may be a rest.
fn is_whole(report: &Report, sample: &Sample) -> bool {
    let is_only = report.timeline.len() == 1;
    is_only || span(report, sample) > 0.3 * report.plan.interval.as_secs_f64()
}
