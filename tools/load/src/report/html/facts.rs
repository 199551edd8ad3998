//! The few figures that stand at the top of the page.

use crate::report::{CohortReport, Report};
use crate::units::{grouped, show_bytes, show_nanos, three_digits};

/// Names and values, the most important first.
pub(super) fn of(report: &Report) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        facts.extend(value.map(|value| (name.to_owned(), value)));
    };
    let connections = &report.connections;
    add("ready to be measured", connections.ready.map(grouped));
    let fewer = |trough: &u64| Some(*trough) != connections.ready;
    add("fewest open", connections.trough.filter(fewer).map(grouped));
    for (name, counter) in [
        ("answers a second", "answered"),
        ("deliveries a second", "delivered"),
    ] {
        let rate = rate(report, counter);
        add(name, (rate > 0.0).then(|| three_digits(rate)));
    }
    for name in ["lost", "missing"] {
        let count = counted(report, name).filter(|count| *count > 0);
        add(name, count.map(grouped));
    }
    let errors: u64 = cohorts(report, false).map(|cohort| cohort.errors).sum();
    add("errors", Some(grouped(errors)));
    for name in MAIN {
        let timed = cohorts(report, true).filter_map(|cohort| cohort.timings.get(name));
        let worst = timed.max_by_key(|timing| timing.p99);
        let p99 = worst.map(|timing| show_nanos(timing.p99));
        add(&format!("{name} p99"), p99);
    }
    for recovery in cohorts(report, false).filter_map(|cohort| cohort.recovery.as_ref()) {
        let all = recovery
            .to_100
            .map_or_else(|| String::from("never"), show_nanos);
        add("all back after", Some(all));
    }
    if let Some(server) = &report.server {
        add("server, resident", Some(show_bytes(server.resident_peak)));
        let bytes = server.bytes_per_connection.filter(|bytes| *bytes > 0.0);
        add("server, bytes a connection", bytes.map(three_digits));
        let kernel = server.kernel_bytes_per_connection;
        let kernel = kernel.filter(|bytes| *bytes > 0.0);
        add("kernel, bytes a connection", kernel.map(three_digits));
        let share = format!("{:.0} %", server.cpu_share * 100.0);
        add("server, of a processor", Some(share));
        // Where messages are spread, an answer is the least of it.
        let is_plain = |_: &f64| counted(report, "delivered") == Some(0);
        let per_answer = server.cpu_per_answer.filter(is_plain);
        let micros = per_answer.map(|nanos| three_digits(nanos / 1e3));
        add(
            "server, an answer",
            micros.map(|micros| format!("{micros} us")),
        );
    }
    let late = report.generator.send_late.as_ref();
    add("own lateness p99", late.map(|late| show_nanos(late.p99)));
    facts
}

/// What is timed for its own sake.
const MAIN: [&str; 6] = [
    "beat_response",
    "response",
    "rtt",
    "delivery",
    "close_late",
    "life",
];

fn cohorts(report: &Report, is_judged: bool) -> impl Iterator<Item = &CohortReport> {
    let phases = report.phases.iter();
    let phases = phases.filter(move |phase| phase.judged || !is_judged);
    phases.flat_map(|phase| &phase.cohorts)
}

/// Over all phases; `missing` is what no counter counts.
fn counted(report: &Report, name: &str) -> Option<u64> {
    let sum = |name: &str| -> u64 {
        let counts = cohorts(report, false).filter_map(|cohort| cohort.counts.get(name));
        counts.sum()
    };
    if name == "missing" {
        return sum("expected").checked_sub(sum("delivered"));
    }
    Some(sum(name))
}

/// A second, in the judged phases.
fn rate(report: &Report, name: &str) -> f64 {
    let counts = cohorts(report, true).filter_map(|cohort| cohort.counts.get(name));
    let counted: u64 = counts.sum();
    let judged = report.phases.iter().filter(|phase| phase.judged);
    let seconds: f64 = judged.map(|phase| phase.seconds).sum();
    counted as f64 / seconds.max(1e-9)
}
