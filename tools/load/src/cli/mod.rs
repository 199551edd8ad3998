//! The command line: a subcommand becomes a plan, a plan becomes an exit code. This alone turns
//! errors into text.

mod args;
mod compare;
mod places;
mod show;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub(crate) use args::{Common, Outputs, Target};
pub(crate) use places::{read_sources, resolve};

use crate::crew;
use crate::error::{Fatal, USAGE};
use crate::plan::{Cohort, Fleet, Limits, Part, Plan};
use crate::proc::Look;
use crate::report::{Report, observer, to_stdout};
use crate::scenario;
use crate::verdict::Threshold;
use crate::{doctor, selftest, sink, worker};

/// Puts long connections on a server and tells what became of each.
#[derive(Debug, Parser)]
#[command(
    name = "pulsegate-load",
    version,
    max_term_width = 100,
    after_help = "Try: pulsegate-load beat 127.0.0.1:7373 -c 1000 --every 1s -d 10s",
    after_long_help = AFTER_HELP
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Open connections and keep them, silent
    Hold(scenario::hold::Args),
    /// A heartbeat on each connection by the clock, and how long its answer takes
    Beat(scenario::beat::Args),
    /// Requests and answers: as fast as they come, or at a rate
    Echo(scenario::echo::Args),
    /// Short connections at a rate: connect, exchange, close
    Churn(scenario::churn::Args),
    /// Connections die in known ways: how late does the server notice
    Die(scenario::die::Args),
    /// Messages through the server to many receivers: did all arrive, once, in order
    Push(scenario::push::Args),
    /// Everybody leaves at once and comes back: how long until all are served again
    Storm(scenario::storm::Args),
    /// Some do not read: what the others notice of it
    Slow(scenario::slow::Args),
    /// Frames glued, dripped, half, giant, nonsense: what the server does with each
    Torn(scenario::torn::Args),
    /// A plan of your own: cohorts and phases from a file
    Run(scenario::run::Args),
    /// Show an older run again, or write its page
    Report(show::Args),
    /// Hold runs against each other: ratios, spreads, limits
    Compare(compare::Args),
    /// Whether this machine allows so many connections, and what to type where it does not
    Doctor(doctor::Args),
    /// The tool against its own sink, which does wrong on purpose: does it see what happens
    Selftest,
    /// A small server with faults that can be switched on
    Sink(sink::Args),
    /// One worker process; started by the tool itself
    #[command(hide = true)]
    Worker,
}

/// What a subcommand asks for.
pub(crate) struct Asked<'a> {
    pub(crate) plan: Plan,
    pub(crate) outputs: &'a Outputs,
}

const AFTER_HELP: &str = "\
Durations are written 500ms, 10s, 1m30s.

Thresholds are METRIC[:STATISTIC] COMPARISON VALUE: \"beat_rtt:p99<5ms\", \"errors==0\",
\"rps>100000\". A cohort and a phase may stand before it: \"measure/healthy.beat_rtt:p99<5ms\".
Unless they are mentioned, errors==0, lost==0 and unanswered==0 hold, and where messages are
received missing==0, duplicates==0 and reordered==0.

Times of what is sent by the clock (beats, echo with a rate) are counted from the moment it was
due, `response`, so that a server that stalls is seen to stall; the time from the moment it was
really sent, `rtt`, stands beside it.

Exit codes: 0 passed, 1 a threshold was broken, 2 the command line is wrong, 3 the run is invalid
(it says nothing about the server), 4 this machine or the target does not allow it, 130 and 143
interrupted; the report is written all the same.

Results: the table on standard output; --json writes everything that is known of the run, --html a
page of it with plots, --csv the timeline (a line for each interval), --hgrm the distributions for
HdrHistogram's plotters. `report RUN.json` shows a run again or writes its other forms; `compare
A.json,A2.json B.json,B2.json` holds several runs against each other. On a terminal a run is shown
as it goes, elsewhere there is a line for each interval; --quiet leaves both out, NO_COLOR the
colours.";

pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { USAGE } else { 0 };
            // Help that nobody takes is no failure.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match obey(&cli.command) {
        Ok(code) => ExitCode::from(code),
        Err(fatal) => {
            let line = format!("error: {fatal}\n");
            let _ = std::io::stderr().write_all(line.as_bytes());
            ExitCode::from(fatal.code())
        }
    }
}

fn obey(command: &Command) -> Result<u8, Fatal> {
    match command {
        Command::Hold(args) => run(args.plan()?),
        Command::Beat(args) => run(args.plan()?),
        Command::Echo(args) => run(args.plan()?),
        Command::Churn(args) => run(args.plan()?),
        Command::Die(args) => run(args.plan()?),
        Command::Push(args) => run(args.plan()?),
        Command::Storm(args) => run(args.plan()?),
        Command::Slow(args) => run(args.plan()?),
        Command::Torn(args) => run(args.plan()?),
        Command::Run(args) => run(args.plan()?),
        Command::Report(args) => args.obey(),
        Command::Compare(args) => args.obey(),
        Command::Doctor(args) => doctor::main(args),
        Command::Selftest => selftest::main(),
        Command::Sink(args) => sink::main(args),
        Command::Worker => worker::main().map(|()| 0),
    }
}

/// The plan of a command line, as [`selftest`] runs it.
pub(crate) fn plan_of(words: &[&str]) -> Result<Plan, Fatal> {
    let words = [env!("CARGO_PKG_NAME")].iter().chain(words);
    let cli = Cli::try_parse_from(words).map_err(|error| Fatal::Usage(error.to_string()))?;
    let mut plan = match &cli.command {
        Command::Hold(args) => args.plan()?.plan,
        Command::Beat(args) => args.plan()?.plan,
        Command::Echo(args) => args.plan()?.plan,
        Command::Push(args) => args.plan()?.plan,
        _ => return Err(Fatal::Usage(String::from("no scenario of the selftest"))),
    };
    add_usual_thresholds(&mut plan);
    plan.check()?;
    Ok(plan)
}

/// Checks a plan and carries it out; returns the exit code.
fn run(asked: Asked<'_>) -> Result<u8, Fatal> {
    let Asked { mut plan, outputs } = asked;
    add_usual_thresholds(&mut plan);
    plan.check()?;
    let fleet = Fleet::of(&plan, Limits::of_this_machine()?)?;
    if outputs.is_dry {
        return to_stdout(plan.show(&fleet).as_bytes())
            .map(|()| 0)
            .map_err(|source| Fatal::System {
                doing: String::from("writing the plan"),
                source,
            });
    }
    if let Some(pid) = outputs.server_pid.filter(|pid| Look::at(*pid).is_none()) {
        return Err(Fatal::Environment(format!(
            "--server-pid {pid}: there is no such process, or it may not be looked at"
        )));
    }
    outputs.forms().check()?;
    let mut told = observer(&plan, outputs.is_quiet);
    let outcome = crew::run(&plan, &fleet, outputs.server_pid, &mut *told)?;
    // It leaves the terminal as it was before anything else is written.
    drop(told);
    outcome.check_target(&plan)?;
    let report = Report::new(&plan, &outcome, outputs.server_pid);
    report.publish(&outputs.forms())?;
    Ok(report.verdict.code())
}

/// What goes without saying, unless something else is said of it.
fn add_usual_thresholds(plan: &mut Plan) {
    let receives = |cohort: &Cohort| matches!(cohort.role, Part::Receive { .. });
    let messages = if plan.cohorts.iter().any(receives) {
        USUAL_OF_MESSAGES
    } else {
        &[]
    };
    for (metric, usual) in USUAL.iter().chain(messages) {
        let is_about = |text: &String| {
            let threshold: Result<Threshold, _> = text.parse();
            threshold.is_ok_and(|threshold| threshold.is_about(metric))
        };
        if !plan.thresholds.iter().any(is_about) {
            plan.thresholds.push((*usual).to_owned());
        }
    }
}

const USUAL: &[(&str, &str)] = &[
    ("errors", "errors==0"),
    ("lost", "lost==0"),
    ("unanswered", "unanswered==0"),
];

const USUAL_OF_MESSAGES: &[(&str, &str)] = &[
    ("missing", "missing==0"),
    ("duplicates", "duplicates==0"),
    ("reordered", "reordered==0"),
];
