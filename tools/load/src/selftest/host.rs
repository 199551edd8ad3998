//! A sink in a process of its own, and runs against it.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::cli::plan_of;
use crate::crew::{self, Observer, Outcome, Sample};
use crate::error::{Doing, Fatal};
use crate::plan::{Fleet, Limits, Plan};
use crate::verdict::Verdict;

/// A sink; it ends with this value.
pub(super) struct Host {
    child: Child,
    addr: String,
    lines: BufReader<ChildStdout>,
}

/// A run that is over.
pub(super) struct Run {
    pub(super) plan: Plan,
    pub(super) outcome: Outcome,
    pub(super) verdict: Verdict,
}

impl Host {
    /// Starts a sink with these flags, and waits until it listens.
    pub(super) fn start(flags: &[&str]) -> Result<Self, Fatal> {
        let what = || String::from("starting the sink");
        let mut child = Command::new(std::env::current_exe().doing(what)?)
            .args(["sink", "--with-parent", "--bind", "127.0.0.1:0"])
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .doing(what)?;
        let Some(stdout) = child.stdout.take() else {
            unreachable!("standard output was asked for");
        };
        let mut host = Self {
            child,
            addr: String::new(),
            lines: BufReader::new(stdout),
        };
        host.addr = host.line()?;
        Ok(host)
    }

    /// The next line it says.
    fn line(&mut self) -> Result<String, Fatal> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line);
        read.doing(|| String::from("reading from the sink"))?;
        Ok(line.trim_end().to_owned())
    }

    /// Nanoseconds that its next stall, or the last one, took.
    pub(super) fn stalled(&mut self) -> Result<u64, Fatal> {
        let line = self.line()?;
        let nanos = line.strip_prefix("stalled ");
        Ok(nanos.and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
    }

    /// Runs a scenario against it.
    pub(super) fn run(&self, scenario: &str, flags: &[&str]) -> Result<Run, Fatal> {
        run(&self.addr, scenario, flags, &mut Silent)
    }

    /// The same, and ends it without a goodbye once so many connections are measured.
    pub(super) fn run_and_die(&mut self, scenario: &str, flags: &[&str]) -> Result<Run, Fatal> {
        let addr = self.addr.clone();
        run(&addr, scenario, flags, &mut Killer(&mut self.child))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(
    addr: &str,
    scenario: &str,
    flags: &[&str],
    observer: &mut dyn Observer,
) -> Result<Run, Fatal> {
    let plan = plan_of(&[&[scenario, addr, "--interval", "50ms"], flags].concat())?;
    let fleet = Fleet::of(&plan, Limits::of_this_machine()?)?;
    let outcome = crew::run(&plan, &fleet, None, observer)?;
    Ok(Run {
        verdict: Verdict::of(&plan, &outcome),
        plan,
        outcome,
    })
}

struct Silent;

impl Observer for Silent {
    fn interval(&mut self, _: &Sample) {}
}

/// Kills the server at the first sample of the measured phase.
struct Killer<'a>(&'a mut Child);

impl Observer for Killer<'_> {
    fn interval(&mut self, sample: &Sample) {
        if sample.phase == "measure" {
            // It may be dead already.
            let _ = self.0.kill();
        }
    }
}
