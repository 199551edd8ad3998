//! The tool's binary.

use std::io::Write;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::Pid;
use serde_json::Value;

/// What a run of the tool left behind.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Starts the tool.
pub(crate) fn start(args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_pulsegate-load"))
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for its end.
pub(crate) fn end(child: Child) -> Run {
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().unwrap();
    Run {
        code: status.code(),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}

/// Runs the tool to its end.
pub(crate) fn run(args: &[&str]) -> Run {
    end(start(args))
}

/// The flags of a run whose report is wanted as JSON. A test says nothing about a server's speed,
/// so the tool may be as late as this machine makes it.
pub(crate) const JSON: &[&str] = &["--quiet", "--json", "-", "--late-limit", "10s"];

/// Says that a test can not be done here, and fails it where `PULSEGATE_NO_SKIP` is set.
pub(crate) fn skip(why: &str) {
    assert!(
        std::env::var_os("PULSEGATE_NO_SKIP").is_none(),
        "PULSEGATE_NO_SKIP is set, and {why}"
    );
    // Not by a macro for printing: what those write is kept from sight while a test passes.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// The worker of a tool that has one.
pub(crate) fn worker_of(tool: u32) -> Pid {
    let path = format!("/proc/{tool}/task/{tool}/children");
    let children = std::fs::read_to_string(path).unwrap();
    let pid = children.split_whitespace().next().unwrap().parse().unwrap();
    Pid::from_raw(pid).unwrap()
}

/// Runs the tool for its report.
pub(crate) fn report(args: &[&str]) -> (Run, Value) {
    let run = run(&[args, JSON].concat());
    let report = read(&run);
    (run, report)
}

/// The report of a run that was asked for JSON.
pub(crate) fn read(run: &Run) -> Value {
    serde_json::from_str(&run.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", run.stdout, run.stderr))
}

/// A file that the tool has written.
pub(crate) fn read_file(path: &str) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// A counter summed up over all phases and cohorts.
pub(crate) fn count(report: &Value, name: &str) -> u64 {
    let phases = report["phases"].as_array().unwrap().iter();
    let cohorts = phases.flat_map(|phase| phase["cohorts"].as_array().unwrap());
    cohorts
        .filter_map(|cohort| cohort["counts"][name].as_u64())
        .sum()
}

/// A distribution of a cohort in a phase.
pub(crate) fn timing<'a>(report: &'a Value, phase: &str, cohort: &str, name: &str) -> &'a Value {
    let of = |list: &'a Value, name: &str| -> &'a Value {
        let all = list.as_array().unwrap();
        let found = all.iter().find(|entry| entry["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {list}"))
    };
    &of(&of(&report["phases"], phase)["cohorts"], cohort)["timings"][name]
}
