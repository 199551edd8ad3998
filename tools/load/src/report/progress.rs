//! How it goes: one line on standard error for each interval.

use std::io::Write;

use crate::crew::{Observer, Sample};
use crate::units::{grouped, show_nanos};

/// Writes a line, or keeps quiet.
pub(crate) struct Progress {
    pub(crate) is_quiet: bool,
    pub(crate) interval: f64,
}

impl Observer for Progress {
    fn interval(&mut self, sample: &Sample) {
        if self.is_quiet {
            return;
        }
        let mut line = format!(
            "{:6.1} s  {:<8} open {}",
            sample.at,
            sample.phase,
            grouped(sample.open)
        );
        if sample.under_way > 0 {
            line += &format!(" (+{} under way)", grouped(sample.under_way));
        }
        let rate = |count: u64| three(count as f64 / self.interval);
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
fn three(rate: f64) -> String {
    grouped(rate.round() as u64)
}
