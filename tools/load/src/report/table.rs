//! The report for people: tables on standard output.

use std::fmt::Write;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

use super::paint::Paint;
use super::{PhaseReport, Recovery, Report};
use crate::units::{grouped, show_nanos, three_digits};
use crate::verdict::{Judged, Means};

pub(super) fn of(report: &Report, is_coloured: bool) -> String {
    let mut text = String::new();
    for phase in &report.phases {
        if !phase.cohorts.is_empty() {
            text += &of_phase(phase);
        }
    }
    text += &of_both_ends(report);
    text += &of_verdict(report, is_coloured);
    text
}

fn of_phase(phase: &PhaseReport) -> String {
    let mut text = format!("phase {} ({} s)\n", phase.name, three_digits(phase.seconds));
    for cohort in &phase.cohorts {
        let mut line = format!("  {}:", cohort.name);
        if cohort.rps > 0.0 {
            let _ = write!(line, " {} answers/s,", three_digits(cohort.rps));
        }
        for (name, count) in &cohort.counts {
            let _ = write!(line, " {name} {},", grouped(*count));
        }
        text += line.trim_end_matches(',');
        text.push('\n');
        if !cohort.timings.is_empty() {
            text += &of_timings(cohort);
        }
        if let Some(recovery) = &cohort.recovery {
            text += &of_recovery(recovery);
        }
    }
    text.push('\n');
    text
}

pub(super) fn of_recovery(recovery: &Recovery) -> String {
    let show = |time: Option<u64>| time.map_or_else(|| String::from("never"), show_nanos);
    format!(
        "    {} of {} back; 50 % after {}, 95 % after {}, 99 % after {}, all after {}; {} connects \
         wasted\n",
        grouped(recovery.back),
        grouped(recovery.left),
        show(recovery.to_50),
        show(recovery.to_95),
        show(recovery.to_99),
        show(recovery.to_100),
        grouped(recovery.wasted)
    )
}

fn of_timings(cohort: &super::CohortReport) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header([
        "   ", "count", "min", "mean", "p50", "p90", "p99", "p99.9", "max",
    ]);
    for (name, timing) in &cohort.timings {
        let mut cells = vec![format!("    {name}"), grouped(timing.count)];
        let times = [
            timing.min,
            timing.mean_nanos(),
            timing.p50,
            timing.p90,
            timing.p99,
            timing.p999,
            timing.max,
        ];
        cells.extend(times.map(show_nanos));
        table.add_row(cells);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt() + "\n"
}

fn of_both_ends(report: &Report) -> String {
    let generator = &report.generator;
    let mut text = format!(
        "tool    {} worker(s), {} s of processor",
        generator.workers,
        three_digits(generator.cpu_seconds)
    );
    if let Some(busiest) = generator.busiest {
        let _ = write!(text, ", busiest {:.0} %", busiest * 100.0);
    }
    if let Some(bytes) = generator.bytes_per_connection {
        let _ = write!(text, ", {bytes:.0} bytes a connection");
    }
    if let Some(late) = &generator.send_late {
        let _ = write!(text, ", own lateness p99 {}", show_nanos(late.p99));
    }
    text.push('\n');
    if let Some(server) = &report.server {
        let _ = write!(
            text,
            "server  {:.0} % of a processor, {} bytes resident",
            server.cpu_share * 100.0,
            grouped(server.resident_peak)
        );
        if let Some(nanos) = server.cpu_per_answer {
            let _ = write!(text, ", {} us an answer", three_digits(nanos / 1e3));
        }
        if let Some(bytes) = server.bytes_per_connection {
            let _ = write!(text, ", {bytes:.0} bytes a connection");
        }
        if let Some(once) = server.bytes_once.filter(|once| *once > 0.0) {
            let _ = write!(text, " and {:.0} KiB once", once / 1_024.0);
        }
        if let Some(bytes) = server.kernel_bytes_per_connection {
            let _ = write!(text, ", {bytes:.0} of the kernel's (both ends)");
        }
        if server.listen_drops > 0 {
            let drops = grouped(server.listen_drops);
            let _ = write!(text, ", {drops} connects dropped at a full listen queue");
        }
        text.push('\n');
    }
    text
}

fn of_verdict(report: &Report, is_coloured: bool) -> String {
    let verdict = &report.verdict;
    let mut text = String::new();
    for note in &verdict.notes {
        let _ = writeln!(text, "note    {note}");
    }
    for judged in &verdict.thresholds {
        let Judged {
            threshold, shown, ..
        } = judged;
        let (paint, mark) = if judged.is_kept {
            (Paint::Plain, "kept  ")
        } else {
            (Paint::Bad, "BROKEN")
        };
        paint.write(mark, is_coloured, &mut text);
        let _ = writeln!(text, "  {threshold} (seen: {shown})");
    }
    let (paint, word) = match verdict.outcome {
        Means::Passed => (Paint::Good, "passed"),
        Means::Failed => (Paint::Bad, "FAILED"),
        Means::Invalid => (Paint::Odd, "INVALID"),
    };
    paint.write(word, is_coloured, &mut text);
    text.push('\n');
    for reason in &verdict.reasons {
        let _ = writeln!(text, "        {reason}");
    }
    text
}
