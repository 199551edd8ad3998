//! The proofs, each with its fault and what must be seen of it.

use hdrhistogram::Histogram;

use super::Proof;
use super::host::{Host, Run};
use crate::error::{FAILED, Fatal, INVALID};
use crate::tally::{Count, Tally, Timing, empty};
use crate::units::{grouped, show_nanos};

/// In the order in which they are shown.
pub(super) const ALL: &[fn() -> Result<Proof, Fatal>] = &[
    stall, death, delay, silence, loss, repetition, disorder, saturation,
];

/// 400 heartbeats a second, whatever the server does.
const BEATS: &[&str] = &["-c", "20", "--every", "50ms", "-d", "3s"];
const CONNECTIONS: u64 = 20;
const BEATS_PER_SECOND: f64 = 400.0;
/// 0.7 s after the first connection: in the middle of the run.
const STALL: &[&str] = &["--stall", "2s", "--every", "700ms"];

/// A pause is as high in the response times as it was long, and as wide as the clock says.
fn stall() -> Result<Proof, Fatal> {
    let mut host = Host::start(STALL)?;
    let run = host.run("beat", BEATS)?;
    let (stalled, response) = (host.stalled()?, run.timing(Timing::BeatResponse));
    let highest = response.max();
    let is_high = highest + 100 * MS > stalled && highest < stalled + 400 * MS;
    let mut seen = format!(
        "the sink stood still for {}, the slowest response is {}",
        show_nanos(stalled),
        show_nanos(highest)
    );
    let mut is_wide = true;
    for least in [500 * MS, 1_000 * MS, 1_500 * MS] {
        // What was due in the stall, at the latest so long before its end. A machine that is busy
        // makes it longer for us than it was for the sink, by what the slowest response shows.
        let due_in = |span: u64| span.saturating_sub(least) as f64 / 1e9 * BEATS_PER_SECOND;
        let (due, most) = (due_in(stalled), due_in(stalled.max(highest)));
        let slow = response.count_between(least, u64::MAX) as f64;
        is_wide &= slow >= due * 0.9 - 10.0 && slow <= most * 1.1 + 10.0;
        seen += &format!(", {slow} above {} ({due:.0} were due)", show_nanos(least));
    }
    seen += &format!("; a loop that waits for its answers would show {CONNECTIONS} slow ones");
    let claim = "a stall shows in the response times, as high and as often as it was";
    Ok(Proof::new(claim, &run.outcome, is_high && is_wide, seen))
}

/// Whoever is killed is seen to be dead, by everybody and at once.
fn death() -> Result<Proof, Fatal> {
    let mut host = Host::start(&[])?;
    let run = host.run_and_die("hold", &["-c", "40", "-d", "20s"])?;
    let (lost, code) = (run.count(Count::Lost), run.verdict.code());
    let seconds = run.outcome.seconds;
    let holds = lost == 40 && code == FAILED && seconds < 15.0;
    let seen =
        format!("{lost} of 40 connections lost, exit code {code}, over after {seconds:.2} s");
    let claim = "a server that is killed shows as dead";
    Ok(Proof::new(claim, &run.outcome, holds, seen))
}

/// Answers that come later move the median by just so much.
fn delay() -> Result<Proof, Fatal> {
    let flags = &["-c", "20", "-r", "400", "-d", "600ms"];
    let median = |faults: &[&str]| -> Result<(Run, u64), Fatal> {
        let run = Host::start(faults)?.run("echo", flags)?;
        let median = run.timing(Timing::Response).value_at_quantile(0.5);
        Ok((run, median))
    };
    let (_, prompt) = median(&[])?;
    let (run, late) = median(&["--delay", "40ms"])?;
    let shift = late.saturating_sub(prompt);
    let holds = (38 * MS..80 * MS).contains(&shift);
    let [prompt, late] = [prompt, late].map(show_nanos);
    let seen = format!("p50 {prompt} without, {late} with answers 40 ms late");
    let claim = "a delay shifts the median by itself";
    Ok(Proof::new(claim, &run.outcome, holds, seen))
}

/// What is never answered is counted, and taken for at least as long as it was waited for.
fn silence() -> Result<Proof, Fatal> {
    let host = Host::start(&["--mute", "10"])?;
    // Each connection asks less than once, so that no later answer is taken for an earlier one's.
    let flags = &["-c", "200", "--every", "10s", "--jitter", "0", "-d", "1s"];
    let more = &["--drain", "500ms", "--late-limit", "1s"];
    let run = host.run("beat", &[&flags[..], more].concat())?;
    let (sent, unanswered) = (run.count(Count::Sent), run.count(Count::Unanswered));
    let slow = run
        .timing(Timing::BeatResponse)
        .count_between(450 * MS, u64::MAX);
    let code = run.verdict.code();
    let holds = sent >= 10 && unanswered == sent / 10 && slow >= unanswered && code == FAILED;
    let seen = format!(
        "{unanswered} of {sent} unanswered where each tenth is, {slow} responses above 450 ms, \
         exit code {code}"
    );
    let claim = "what is not answered is counted and timed";
    Ok(Proof::new(claim, &run.outcome, holds, seen))
}

/// Ten receive what one publishes: each tenth message is the last receiver's.
const PUBLISHED: &[&str] = &[
    "-c",
    "10",
    "-r",
    "100",
    "-d",
    "600ms",
    "--drain",
    "800ms",
    "--late-limit",
    "1s",
];

/// Messages that were lost on the way are missing, to the last one.
fn loss() -> Result<Proof, Fatal> {
    let host = Host::start(&["--drop", "10"])?;
    let run = host.run("push", PUBLISHED)?;
    let (expected, missing) = (run.count(Count::Expected), run.outcome.missing());
    let code = run.verdict.code();
    let holds = expected >= 100 && missing == expected / 10 && code == FAILED;
    let seen = format!(
        "{missing} of {} messages missing where each tenth is, exit code {code}",
        grouped(expected)
    );
    let claim = "a message that is lost is counted as lost";
    Ok(Proof::new(claim, &run.outcome, holds, seen))
}

/// Messages that come twice are seen to, and are not taken for others.
fn repetition() -> Result<Proof, Fatal> {
    let host = Host::start(&["--twice", "10"])?;
    let run = host.run("push", PUBLISHED)?;
    let (expected, twice) = (run.count(Count::Expected), run.count(Count::Duplicates));
    let (delivered, code) = (run.count(Count::Delivered), run.verdict.code());
    let holds =
        expected >= 100 && twice == expected / 10 && delivered == expected && code == FAILED;
    let seen = format!(
        "{twice} of {} messages more than once where each tenth is, exit code {code}",
        grouped(expected)
    );
    let claim = "a message that comes twice is counted as such";
    Ok(Proof::new(claim, &run.outcome, holds, seen))
}

/// Messages that overtake one another are seen to.
fn disorder() -> Result<Proof, Fatal> {
    let host = Host::start(&["--swap", "10"])?;
    let run = host.run("push", PUBLISHED)?;
    let (published, late) = (run.count(Count::Published), run.count(Count::Reordered));
    let code = run.verdict.code();
    // Of an odd number the last one waits for its turn for ever.
    let is_whole = run.outcome.missing() == published % 2;
    let holds = published >= 10 && late == published / 2 && is_whole && code == FAILED;
    let seen = format!(
        "{late} overtaken where each second of {published} is for one of 10 receivers, exit code \
         {code}"
    );
    let claim = "a message out of order is counted as such";
    Ok(Proof::new(claim, &run.outcome, holds, seen))
}

/// A rate that the tool can not keep makes the run invalid, not the server slow.
fn saturation() -> Result<Proof, Fatal> {
    let host = Host::start(&[])?;
    let flags = &["-c", "500", "-r", "5000000", "-d", "500ms", "--drain", "0"];
    let run = host.run("echo", &[&flags[..], &["--late-limit", "1ms"]].concat())?;
    let late = run.timing(Timing::SendLate).value_at_quantile(0.99);
    let (code, reasons) = (run.verdict.code(), &run.verdict.reasons);
    let is_named = reasons.iter().any(|reason| reason.contains("bottleneck"));
    let seen = format!(
        "asked for 5,000,000 a second, its own sends were {} late, exit code {code}: {}",
        show_nanos(late),
        reasons.join("; ")
    );
    let claim = "a tool that is too slow says that the run is invalid";
    let holds = is_named && code == INVALID;
    Ok(Proof::new(claim, &run.outcome, holds, seen))
}

impl Run {
    /// Over the judged phases.
    fn judged(&self) -> Tally {
        self.outcome.sum(|at| self.plan.phases[at].judged)
    }

    fn timing(&self, what: Timing) -> Histogram<u64> {
        self.judged().timing(what).cloned().unwrap_or_else(empty)
    }

    /// Over the whole run.
    fn count(&self, what: Count) -> u64 {
        self.outcome.sum(|_| true).count(what)
    }
}

const MS: u64 = 1_000_000;
