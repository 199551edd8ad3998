//! How it goes: one line on standard error for each interval, where it is no terminal.

use std::io::Write;

use crate::crew::{Observer, Sample};
use crate::units::{grouped, show_nanos};

/// Writes a line.
pub(super) struct Progress;

/// Writes nothing.
pub(super) struct Quiet;

impl Observer for Quiet {
    fn interval(&mut self, _: &Sample) {}
}

impl Observer for Progress {
    fn interval(&mut self, sample: &Sample) {
        let mut line = format!(
            "{:6.1} s  {:<8} open {}",
            sample.at,
            sample.phase,
            grouped(sample.open)
        );
        if sample.under_way > 0 {
            line += &format!(" (+{} under way)", grouped(sample.under_way));
        }
        let rate = |count: u64| per_second(count, sample.span);
        if sample.opened > 0 {
            line += &format!("  opened {}/s", rate(sample.opened));
        }
        if sample.answered > 0 || sample.sent > 0 {
            line += &format!("  answers {}/s", rate(sample.answered));
        }
        if sample.messages > 0 {
            line += &format!("  messages {}/s", rate(sample.messages));
        }
        if let Some(latency) = sample.latency {
            let [p50, p99, max] = [latency.p50, latency.p99, latency.max].map(show_nanos);
            line += &format!("  p50 {p50}  p99 {p99}  max {max}");
        }
        if sample.lost + sample.errors > 0 {
            line += &format!("  lost {}  errors {}", sample.lost, sample.errors);
        }
        line.push('\n');
        // Progress that nobody takes is no reason to stop.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate, not negative"
)]
pub(super) fn per_second(count: u64, span: f64) -> String {
    grouped((count as f64 / span.max(1e-3)).round() as u64)
}
