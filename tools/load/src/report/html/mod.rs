//! The report as one page: headline, figures, curves, tables. It needs no network and no script.

mod charts;
mod facts;
mod timeline;

use std::fmt::{Result, Write};

use super::{CohortReport, PhaseReport, Report, TimingReport};
use crate::plot::escape;
use crate::units::{grouped, show_nanos, three_digits};
use crate::verdict::Means;

/// The whole page.
pub(super) fn of(report: &Report) -> String {
    let mut page = String::new();
    // Writing to a string does not fail.
    let _ = write(report, &mut page);
    page
}

fn write(report: &Report, page: &mut String) -> Result {
    let scenario = escape(&report.plan.scenario);
    let word = word(report.verdict.outcome);
    writeln!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{scenario} {word} - pulsegate-load</title>\n<style>\n{}</style>\n</head>\n<body>",
        include_str!("page.css")
    )?;
    write_headline(report, page)?;
    write_facts(report, page)?;
    write_thresholds(report, page)?;
    let charts = charts::of(report).concat();
    if !charts.is_empty() {
        let head = "<h2>Curves</h2>\n<div class=\"plots\">";
        writeln!(page, "{head}\n{charts}</div>")?;
    }
    let told = report
        .phases
        .iter()
        .filter(|phase| !phase.cohorts.is_empty());
    for phase in told {
        write_phase(phase, page)?;
    }
    let plan = serde_json::to_string_pretty(&report.plan).unwrap_or_default();
    writeln!(
        page,
        "<details><summary>Plan</summary>\n<pre>{}</pre></details>",
        escape(&plan)
    )?;
    writeln!(
        page,
        "<p class=\"soft\">{} {}, report version {}</p>\n</body>\n</html>",
        escape(&report.tool),
        escape(&report.tool_version),
        report.version
    )
}

fn word(outcome: Means) -> &'static str {
    match outcome {
        Means::Passed => "passed",
        Means::Failed => "failed",
        Means::Invalid => "invalid",
    }
}

fn write_headline(report: &Report, page: &mut String) -> Result {
    let (plan, word) = (&report.plan, word(report.verdict.outcome));
    let targets: Vec<String> = plan.targets.iter().map(ToString::to_string).collect();
    writeln!(
        page,
        "<header class=\"{word}\">\n<h1><b>{word}</b> <span>{}: {} connections to \
         {}</span></h1>\n<ul>",
        escape(&plan.scenario),
        grouped(report.connections.wanted),
        escape(&targets.join(", "))
    )?;
    for why in why(report) {
        writeln!(page, "<li>{}</li>", escape(&why))?;
    }
    writeln!(
        page,
        "</ul>\n<p class=\"soft\">{}; ended {}, after {} s</p>\n</header>",
        escape(&plan.speech.to_string()),
        escape(&report.ended),
        three_digits(report.seconds)
    )
}

/// What the verdict rests on.
fn why(report: &Report) -> Vec<String> {
    let verdict = &report.verdict;
    let mut why = verdict.reasons.clone();
    if verdict.outcome == Means::Invalid {
        why.push(String::from("so the run says nothing about the server"));
    }
    let judged = verdict.thresholds.iter();
    for broken in judged.filter(|judged| !judged.is_kept) {
        let (threshold, shown) = (&broken.threshold, &broken.shown);
        why.push(format!("{threshold} is broken: {shown} was seen"));
    }
    let is_kept = verdict.outcome == Means::Passed;
    match verdict.thresholds.len() {
        many if many > 1 && is_kept => why.push(format!("all {many} thresholds were kept")),
        1 if is_kept => why.push(String::from("the threshold was kept")),
        _ => {}
    }
    why.extend(verdict.notes.clone());
    why
}

fn write_facts(report: &Report, page: &mut String) -> Result {
    writeln!(page, "<dl class=\"facts\">")?;
    for (name, value) in facts::of(report) {
        let (name, value) = (escape(&name), escape(&value));
        writeln!(page, "<div><dt>{name}</dt><dd>{value}</dd></div>")?;
    }
    writeln!(page, "</dl>")
}

fn write_thresholds(report: &Report, page: &mut String) -> Result {
    if report.verdict.thresholds.is_empty() {
        return Ok(());
    }
    writeln!(
        page,
        "<h2>Thresholds</h2>\n<div class=\"sheet\"><table>\n\
         <tr><th>threshold</th><th>seen</th><th></th></tr>"
    )?;
    for judged in &report.verdict.thresholds {
        let word = if judged.is_kept { "kept" } else { "broken" };
        let (threshold, shown) = (escape(&judged.threshold), escape(&judged.shown));
        writeln!(
            page,
            "<tr><td>{threshold}</td><td>{shown}</td><td class=\"{word}\">{word}</td></tr>"
        )?;
    }
    writeln!(page, "</table></div>")
}

fn write_phase(phase: &PhaseReport, page: &mut String) -> Result {
    let judged = if phase.judged { ", judged" } else { "" };
    let (name, seconds) = (escape(&phase.name), three_digits(phase.seconds));
    writeln!(
        page,
        "<h2>Phase {name} <small>{seconds} s{judged}</small></h2>"
    )?;
    let mut cohorts = phase.cohorts.iter();
    cohorts.try_for_each(|cohort| write_cohort(cohort, page))
}

fn write_cohort(cohort: &CohortReport, page: &mut String) -> Result {
    let name = escape(&cohort.name);
    writeln!(page, "<h3>{name}</h3>\n<p class=\"counts\">")?;
    if cohort.rps > 0.0 {
        writeln!(page, "<span>{} answers/s</span>", three_digits(cohort.rps))?;
    }
    for (name, count) in &cohort.counts {
        writeln!(page, "<span>{} {}</span>", escape(name), grouped(*count))?;
    }
    writeln!(page, "</p>")?;
    if let Some(recovery) = &cohort.recovery {
        let told = super::table::of_recovery(recovery);
        writeln!(page, "<p class=\"counts\">{}</p>", escape(told.trim()))?;
    }
    if cohort.timings.is_empty() {
        return Ok(());
    }
    writeln!(
        page,
        "<div class=\"sheet\"><table class=\"times\">\n<tr><th></th><th>count</th><th>min</th>\
         <th>mean</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>p99.99</th>\
         <th>max</th></tr>"
    )?;
    for (name, timing) in &cohort.timings {
        write_timing(name, timing, page)?;
    }
    writeln!(page, "</table></div>")
}

fn write_timing(name: &str, timing: &TimingReport, page: &mut String) -> Result {
    let count = grouped(timing.count);
    write!(page, "<tr><th>{}</th><td>{count}</td>", escape(name))?;
    for time in [
        timing.min,
        timing.mean_nanos(),
        timing.p50,
        timing.p90,
        timing.p99,
        timing.p999,
        timing.p9999,
        timing.max,
    ] {
        write!(page, "<td>{}</td>", show_nanos(time))?;
    }
    writeln!(page, "</tr>")
}
