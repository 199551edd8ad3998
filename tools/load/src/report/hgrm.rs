//! Distributions as HdrHistogram's text form, which its plotters read; values in milliseconds.

use std::fmt::Write;

use hdrhistogram::Histogram;

use super::Report;

/// Every distribution of the judged phases, each under a line that names it.
pub(crate) fn of(report: &Report) -> String {
    let mut text = String::new();
    for phase in report.phases.iter().filter(|phase| phase.judged) {
        for cohort in &phase.cohorts {
            for (name, timing) in &cohort.timings {
                // Writing to a string does not fail.
                let _ = writeln!(text, "#[{}/{}.{name}]", phase.name, cohort.name);
                if let Some(timing) = timing.histogram() {
                    let _ = write(&timing, &mut text);
                }
            }
        }
    }
    text
}

fn write(timing: &Histogram<u64>, text: &mut String) -> std::fmt::Result {
    writeln!(
        text,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    )?;
    let millis = |nanos: u64| nanos as f64 / 1e6;
    let mut total = 0;
    for step in timing.iter_quantiles(5) {
        total += step.count_since_last_iteration();
        let quantile = step.quantile_iterated_to();
        let value = millis(step.value_iterated_to());
        if quantile < 1.0 {
            let odds = 1.0 / (1.0 - quantile);
            writeln!(text, "{value:12.6} {quantile:2.12} {total:10} {odds:14.2}")?;
        } else {
            writeln!(text, "{value:12.6} {quantile:2.12} {total:10}")?;
        }
    }
    let (mean, deviation) = (timing.mean() / 1e6, timing.stdev() / 1e6);
    writeln!(
        text,
        "#[Mean    = {mean:12.6}, StdDeviation   = {deviation:12.6}]"
    )?;
    let (max, count) = (millis(timing.max()), timing.len());
    writeln!(text, "#[Max     = {max:12.6}, Total count    = {count:12}]")?;
    writeln!(
        text,
        "#[Buckets = {:12}, SubBuckets     = {:12}]",
        timing.buckets(),
        2_048
    )
}
