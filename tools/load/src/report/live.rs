//! How it goes, on a terminal: a few lines on standard error, written again at each interval.
//!
//! It hides no cursor and changes no mode, so that whatever ends the tool leaves the terminal as
//! it was; its own end takes the lines away.

use std::io::Write;
use std::time::Duration;

use super::paint::{self, Paint};
use super::progress::per_second;
use crate::crew::{Observer, Sample};
use crate::plan::{Plan, Until};
use crate::units::{grouped, show_bytes, show_nanos};

/// The lines on the screen.
pub(super) struct Live<'a> {
    plan: &'a Plan,
    is_coloured: bool,
    phase: usize,
    phase_began: f64,
    last: Option<Sample>,
    /// What has gone wrong so far.
    lost: u64,
    errors: u64,
    /// The share of a processor that the server took.
    server_share: Option<f64>,
    /// Lines that are ours, above the cursor.
    lines: usize,
}

/// A line, piece by piece.
#[derive(Default)]
struct Line(Vec<(Paint, String)>);

impl<'a> Live<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            is_coloured: paint::is_coloured(&std::io::stderr()),
            phase: 0,
            phase_began: 0.0,
            last: None,
            lost: 0,
            errors: 0,
            server_share: None,
            lines: 0,
        }
    }

    fn draw(&mut self) {
        let (columns, rows) = size();
        let mut lines = self.content();
        lines.truncate(rows.saturating_sub(1).max(1));
        let mut text = self.erasing();
        for line in &lines {
            line.write(columns.saturating_sub(1), self.is_coloured, &mut text);
            text.push('\n');
        }
        self.lines = lines.len();
        // A view that nobody takes is no reason to stop.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    /// What takes our lines away.
    fn erasing(&self) -> String {
        match self.lines {
            0 => String::new(),
            lines => format!("\r\x1b[{lines}A\x1b[J"),
        }
    }

    fn content(&self) -> Vec<Line> {
        let plan = self.plan;
        let mut head = Line::default();
        head.bold(&plan.scenario);
        let target = plan.targets.first().map(ToString::to_string);
        head.plain(&format!(
            "  {}, {} connections",
            target.unwrap_or_default(),
            grouped(plan.connections())
        ));
        let mut lines = vec![head, self.of_phase()];
        if let Some(sample) = &self.last {
            lines.push(self.of_connections(sample));
            lines.push(of_rates(sample));
            lines.extend(of_latency(sample));
            lines.extend(self.of_server(sample));
        }
        lines
    }

    fn of_phase(&self) -> Line {
        let phase = &self.plan.phases[self.phase];
        let at = self.last.as_ref().map_or(0.0, |sample| sample.at);
        let passed = (at - self.phase_began).max(0.0);
        let longest = phase.until.longest();
        let time = humantime::format_duration(longest);
        let mut line = Line::default();
        line.label(&phase.name);
        let (share, words) = match phase.until {
            Until::Settled { .. } => {
                let open = self.last.as_ref().map_or(0, |sample| sample.open);
                let wanted = self.plan.wanted_in(self.phase);
                let of = format!("{} of {} open", grouped(open), grouped(wanted));
                let share = open as f64 / wanted.max(1) as f64;
                (share, format!("{of}, {passed:.1} s of at most {time}"))
            }
            Until::Deserted { .. } => (
                passed / longest.as_secs_f64(),
                format!("{passed:.1} s of at most {time}"),
            ),
            Until::Elapsed { .. } | Until::Watched { .. } => (
                passed / longest.as_secs_f64().max(1e-9),
                format!("{passed:.1} s of {time}"),
            ),
        };
        line.plain(&bar(share));
        line.plain(&format!("  {words}"));
        let (number, of) = (self.phase + 1, self.plan.phases.len());
        line.dim(&format!("  phase {number} of {of}"));
        line
    }

    fn of_connections(&self, sample: &Sample) -> Line {
        let mut line = Line::default();
        line.label("open");
        line.plain(&grouped(sample.open));
        if sample.under_way > 0 {
            line.plain(&format!("   under way {}", grouped(sample.under_way)));
        }
        for (name, count) in [("lost", self.lost), ("errors", self.errors)] {
            let text = format!("   {name} {}", grouped(count));
            let paint = if count > 0 { Paint::Bad } else { Paint::Plain };
            line.0.push((paint, text));
        }
        line
    }

    fn of_server(&self, sample: &Sample) -> Option<Line> {
        let look = sample.server?;
        let mut line = Line::default();
        line.label("server");
        line.plain(&format!("{} resident", show_bytes(look.resident)));
        if let Some(share) = self.server_share {
            line.plain(&format!("   {:.0} % of a processor", share * 100.0));
        }
        Some(line)
    }
}

impl Observer for Live<'_> {
    fn interval(&mut self, sample: &Sample) {
        self.lost += sample.lost;
        self.errors += sample.errors;
        let before = self.last.replace(sample.clone());
        let looks = before.and_then(|before| before.server).zip(sample.server);
        if let Some((before, now)) = looks.filter(|_| sample.span > 0.0) {
            let used = Duration::from_nanos(now.cpu.saturating_sub(before.cpu));
            self.server_share = Some(used.as_secs_f64() / sample.span);
        }
        self.draw();
    }

    fn phase(&mut self, index: usize, at: f64) {
        (self.phase, self.phase_began) = (index, at);
        self.draw();
    }
}

impl Drop for Live<'_> {
    fn drop(&mut self) {
        let _ = std::io::stderr().write_all(self.erasing().as_bytes());
    }
}

fn of_rates(sample: &Sample) -> Line {
    let mut line = Line::default();
    line.label("rates");
    let rates = [
        ("answers", sample.answered),
        ("messages", sample.messages),
        ("opened", sample.opened),
    ];
    let seen = rates.iter().filter(|(_, count)| *count > 0);
    let shown: Vec<String> = seen
        .map(|(name, count)| format!("{} {name}/s", per_second(*count, sample.span)))
        .collect();
    line.plain(&if shown.is_empty() {
        String::from("nothing happens")
    } else {
        shown.join("   ")
    });
    line
}

fn of_latency(sample: &Sample) -> Option<Line> {
    let latency = sample.latency?;
    let [p50, p99, max] = [latency.p50, latency.p99, latency.max].map(show_nanos);
    let mut line = Line::default();
    line.label("latency");
    line.plain(&format!("p50 {p50}   p99 {p99}   max {max}"));
    Some(line)
}

impl Line {
    fn plain(&mut self, text: &str) {
        self.0.push((Paint::Plain, text.to_owned()));
    }

    fn bold(&mut self, text: &str) {
        self.0.push((Paint::Bold, text.to_owned()));
    }

    fn dim(&mut self, text: &str) {
        self.0.push((Paint::Dim, text.to_owned()));
    }

    fn label(&mut self, text: &str) {
        self.dim(&format!("{text:<9} "));
    }

    /// Appends it, cut off at so many columns.
    fn write(&self, columns: usize, is_coloured: bool, out: &mut String) {
        let mut left = columns;
        for (paint, text) in &self.0 {
            let shown: String = text.chars().take(left).collect();
            left -= shown.chars().count();
            if !shown.is_empty() {
                paint.write(&shown, is_coloured, out);
            }
        }
    }
}

/// Twenty places of a bar.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of twenty"
)]
fn bar(share: f64) -> String {
    let full = (share.clamp(0.0, 1.0) * 20.0).round() as usize;
    format!("[{}{}]", "#".repeat(full), "-".repeat(20 - full))
}

/// Columns and rows; what a terminal had before windows where it does not tell.
fn size() -> (usize, usize) {
    let told = rustix::termios::tcgetwinsize(std::io::stderr());
    let told = told.ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
    told.map_or((80, 24), |size| (size.ws_col.into(), size.ws_row.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_the_edge_and_colours_take_no_room() {
        let mut line = Line::default();
        line.label("open");
        line.0.push((Paint::Bad, String::from("lost 12345")));
        let of = |columns, is_coloured| {
            let mut text = String::new();
            line.write(columns, is_coloured, &mut text);
            text
        };
        assert_eq!(of(16, false), "open      lost 1");
        assert_eq!(
            of(16, true),
            "\x1b[2mopen      \x1b[0m\x1b[1;31mlost 1\x1b[0m"
        );
        assert_eq!(of(4, false), "open");
    }

    #[test]
    fn a_bar_stays_within_its_places() {
        assert_eq!(bar(0.5), format!("[{}{}]", "#".repeat(10), "-".repeat(10)));
        assert_eq!(bar(7.0).len(), bar(f64::NAN).len());
    }
}
