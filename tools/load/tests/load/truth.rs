//! Whether the tool tells the truth: its sink, its selftest, and what it takes itself.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout};
use std::time::{Duration, Instant};

use pulsegate::Settings;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::house::House;
use crate::tool::{count, report, run, skip, start, timing};

#[test]
fn the_selftest_proves_what_it_claims_and_is_quick() {
    let began = Instant::now();
    let run = run(&["selftest"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    let lines: Vec<_> = run.stdout.lines().collect();
    let (last, proofs) = lines.split_last().unwrap();
    assert_eq!(*last, format!("all {} proofs hold", proofs.len()));
    for (proof, claim) in proofs.iter().zip([
        "a stall",
        "a server that is killed",
        "a delay",
        "not answered",
        "lost",
        "twice",
        "out of order",
        "invalid",
    ]) {
        assert!(
            proof.starts_with("proved") && proof.contains(claim),
            "{proof}"
        );
    }
}

/// The tool's sink in a process of its own; it ends with this value.
struct Sink {
    child: Child,
    target: String,
    lines: BufReader<ChildStdout>,
}

impl Sink {
    fn start(flags: &[&str]) -> Self {
        let mut child = start(&[&["sink", "--bind", "127.0.0.1:0"], flags].concat());
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut target = String::new();
        lines.read_line(&mut target).unwrap();
        Self {
            child,
            target: target.trim_end().to_owned(),
            lines,
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_sink_stalls_by_the_clock_and_says_how_long() {
    let mut sink = Sink::start(&["--stall", "100ms", "--every", "50ms"]);
    let args = [
        "beat",
        &sink.target,
        "-c",
        "10",
        "--every",
        "20ms",
        "-d",
        "700ms",
    ];
    let (run, report) = report(&args);
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    let response = timing(&report, "measure", "beating", "beat_response");
    assert!(
        response["max"].as_u64().unwrap() >= 90_000_000,
        "{response}"
    );
    for _ in 0..3 {
        let mut line = String::new();
        sink.lines.read_line(&mut line).unwrap();
        let nanos = line.trim_end().strip_prefix("stalled ").unwrap();
        assert!(nanos.parse::<u64>().unwrap() >= 100_000_000, "{line}");
    }
}

#[test]
fn those_who_leave_no_socket_behind_are_seen_in_the_servers_descriptors() {
    let sink = Sink::start(&["--idle", "500ms"]);
    let pid = sink.child.id().to_string();
    let args = [
        "die",
        &sink.target,
        "-c",
        "50",
        "-d",
        "300ms",
        "--every",
        "100ms",
    ];
    let more = ["--expect", "500ms", "--grace", "2s", "--server-pid", &pid];
    for how in ["vanish", "rst"] {
        let (run, report) = report(&[&args[..], &more, &["--how", how]].concat());
        assert_eq!(run.code, Some(0), "{how}: {}", run.stdout);
        assert_eq!(count(&report, "died"), 50, "{how}");
        assert_eq!(count(&report, "closed"), 50, "{how}");
        assert_eq!(
            count(&report, "closed_early") + count(&report, "not_dead"),
            0,
            "{how}"
        );
        let late = timing(&report, "die", "dying", "close_late");
        assert_eq!(late["count"], 50, "{how}");
        assert!(late["p50"].as_u64().unwrap() < 300_000_000, "{how}: {late}");
    }
    // Who is expected to be closed much sooner than the server does is late, and by how much.
    let more = ["--expect", "100ms", "--grace", "2s", "--server-pid", &pid];
    let (_, report) = report(&[&args[..], &more, &["--how", "vanish"]].concat());
    let late = timing(&report, "die", "dying", "close_late");
    let median = late["p50"].as_u64().unwrap();
    assert!((380_000_000..700_000_000).contains(&median), "{late}");
}

/// Connections that are held while the tool is weighed: enough that what it needs once, some 2 MB
/// shared among them, is not the most of it.
const HELD: u32 = 12_000;

#[test]
fn an_idle_connection_takes_at_most_512_bytes_of_the_tool() {
    let (soft, hard) = raised_files();
    if hard < u64::from(HELD) + 500 {
        return skip(&format!(
            "only {hard} descriptors are allowed ({soft} at first)"
        ));
    }
    let house = House::new(Settings::default());
    let target = house.target();
    let held = HELD.to_string();
    let args = [
        "hold",
        &target,
        "-c",
        &held,
        "-d",
        "300ms",
        "--workers",
        "1",
    ];
    let (run, report) = report(&[&args[..], &["--interval", "50ms"]].concat());
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    let bytes = report["generator"]["bytes_per_connection"]
        .as_f64()
        .unwrap();
    assert!(bytes > 0.0 && bytes <= 512.0, "{bytes}");
}

/// As many descriptors as this process may have; what it had, and what that is.
fn raised_files() -> (u64, u64) {
    let mut limit = getrlimit(Resource::Nofile);
    let soft = limit.current.unwrap_or(u64::MAX);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    (soft, limit.maximum.unwrap_or(u64::MAX))
}
