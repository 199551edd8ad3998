//! The timeline as CSV: a line for each interval.

use std::fmt::Write;

use super::Report;

pub(crate) fn of(report: &Report) -> String {
    let mut text = String::from(
        "seconds,span,phase,open,under_way,opened,lost,errors,sent,answered,messages,\
         p50_ns,p99_ns,max_ns,server_cpu_ns,server_resident,server_files\n",
    );
    for sample in &report.timeline {
        let latency = sample
            .latency
            .map(|latency| [latency.p50, latency.p99, latency.max]);
        let server = sample
            .server
            .map(|look| [look.cpu, look.resident, look.files]);
        let cells = |cells: Option<[u64; 3]>| {
            cells.map_or_else(
                || String::from(",,"),
                |cells| cells.map(|cell| cell.to_string()).join(","),
            )
        };
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{:.3},{:.3},{},{},{},{},{},{},{},{},{},{},{}",
            sample.at,
            sample.span,
            quoted(&sample.phase),
            sample.open,
            sample.under_way,
            sample.opened,
            sample.lost,
            sample.errors,
            sample.sent,
            sample.answered,
            sample.messages,
            cells(latency),
            cells(server)
        );
    }
    text
}

/// A cell as it is, unless it holds what parts cells.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_parts_cells_is_quoted() {
        assert_eq!(quoted("ramp"), "ramp");
        assert_eq!(quoted("one, \"two\""), "\"one, \"\"two\"\"\"");
    }
}
