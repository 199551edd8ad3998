//! Verdicts, exit codes, and the forms of a report.

use crate::house::House;
use crate::tool::{count, end, read, report, run, start, worker_of};
use pulsegate::Settings;
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn a_broken_threshold_fails_and_is_named() {
    let house = House::new(Settings::default());
    let target = house.target();
    let args = ["beat", &target, "-c", "5", "--every", "20ms", "-d", "200ms"];
    let impossible = [
        "--threshold",
        "beat_rtt:p50<1ns",
        "--threshold",
        "errors==0",
    ];
    let (run, report) = report(&[&args[..], &impossible].concat());
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert_eq!(report["verdict"]["outcome"], "failed");
    let thresholds = report["verdict"]["thresholds"].as_array().unwrap();
    let kept = |text: &str| {
        let found = thresholds.iter().find(|entry| entry["threshold"] == text);
        found.unwrap()["is_kept"].as_bool().unwrap()
    };
    assert!(!kept("beat_rtt:p50<1ns") && kept("errors==0") && kept("lost==0"));
}

#[test]
fn a_tool_that_is_late_itself_makes_the_run_invalid() {
    let house = House::new(Settings::default());
    let target = house.target();
    let args = ["beat", &target, "-c", "5", "--every", "20ms", "-d", "200ms"];
    let late = run(&[&args[..], &["--late-limit", "1ns"]].concat());
    assert_eq!(late.code, Some(3), "{}", late.stdout);
    assert!(late.stdout.contains("INVALID"), "{}", late.stdout);
    assert!(late.stdout.contains("bottleneck"), "{}", late.stdout);
    assert!(late.stderr.is_empty() || late.stderr.contains("open 5"));
}

#[test]
fn a_server_that_takes_fewer_is_told_from_one_that_was_asked_for_fewer() {
    let limits = pulsegate::Limits {
        connections: 5,
        ..pulsegate::Limits::default()
    };
    let house = House::limited(Settings::default(), limits);
    let target = house.target();
    let args = ["beat", &target, "-c", "8", "-d", "300ms", "--user", "ann"];
    let full = run(&[&args[..], &["--late-limit", "10s", "-q"]].concat());
    assert_eq!(full.code, Some(3), "{}", full.stdout);
    for part in [
        "only 5 of 8 connections",
        "(greeting_failed 3",
        "raise the server's limits",
    ] {
        assert!(full.stdout.contains(part), "{part:?} in {}", full.stdout);
    }
}

#[test]
fn a_target_that_dies_in_mid_run_fails_it() {
    let mut house = House::new(Settings::default());
    let target = house.target();
    let args = ["hold", &target, "-c", "40", "-d", "60s"];
    let child = start(&[&args[..], crate::tool::JSON].concat());
    house.wait_for(40);
    house.shut_down();
    // Nobody is left, so that it does not wait for the minute to pass.
    let run = end(child);
    let report = read(&run);
    assert_eq!(count(&report, "lost"), 40);
    let outcome = report["verdict"]["outcome"].as_str().unwrap();
    // The server may have died before the last one was counted as ready.
    assert!(["failed", "invalid"].contains(&outcome), "{outcome}");
    assert!([Some(1), Some(3)].contains(&run.code));
}

#[test]
fn an_interrupted_run_still_reports() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let house = House::new(Settings::default());
        let target = house.target();
        let args = ["hold", &target, "-c", "10", "-d", "60s"];
        let child = start(&[&args[..], crate::tool::JSON].concat());
        house.wait_for(10);
        let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
        let run = end(child);
        assert_eq!(run.code, Some(code), "{}", run.stderr);
        let report = read(&run);
        assert_eq!(report["verdict"]["outcome"], "invalid");
        assert_eq!(count(&report, "opened"), 10);
    }
}

#[test]
fn every_form_of_the_report_is_written() {
    let house = House::new(Settings::default());
    let target = house.target();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (json, csv, hgrm) = (path("a.json"), path("a.csv"), path("a.hgrm"));
    let forms = ["--json", &json, "--csv", &csv, "--hgrm", &hgrm];
    let args = ["beat", &target, "-c", "5", "--every", "20ms", "-d", "500ms"];
    let server = std::process::id().to_string();
    let more = [
        "--interval",
        "100ms",
        "--server-pid",
        &server,
        "--late-limit",
        "10s",
    ];
    let done = run(&[&args[..], &forms, &more].concat());
    assert_eq!(done.code, Some(0), "{}", done.stdout);
    assert!(done.stdout.contains("passed"), "{}", done.stdout);
    assert!(done.stderr.lines().count() >= 4, "{}", done.stderr);
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    let report: serde_json::Value = serde_json::from_str(&read(&json)).unwrap();
    assert_eq!(report["version"], 1);
    assert_eq!(report["plan"]["cohort"][0]["name"], "beating");
    assert!(report["server"]["resident_peak"].as_u64().unwrap() > 0);
    let timeline = report["timeline"].as_array().unwrap();
    let ends = timeline.iter().map(|sample| sample["at"].as_f64().unwrap());
    assert!(ends.is_sorted_by(|one, next| one < next), "{timeline:#?}");
    let csv = read(&csv);
    let columns = csv.lines().next().unwrap().split(',').count();
    assert!(csv.lines().count() >= 5, "{csv}");
    assert!(
        csv.lines().all(|line| line.split(',').count() == columns),
        "{csv}"
    );
    let hgrm = read(&hgrm);
    assert!(hgrm.contains("#[measure/beating.beat_response]"), "{hgrm}");
    assert!(hgrm.contains("#[Max "), "{hgrm}");
}

#[test]
fn a_worker_that_is_killed_makes_the_run_invalid() {
    let house = House::new(Settings::default());
    let target = house.target();
    let child = start(
        &[
            &["hold", &target, "-c", "10", "-d", "60s"][..],
            crate::tool::JSON,
        ]
        .concat(),
    );
    house.wait_for(10);
    kill_process(worker_of(child.id()), Signal::KILL).unwrap();
    let run = end(child);
    assert_eq!(run.code, Some(3), "{}", run.stderr);
    assert!(run.stdout.contains("ended on its own"), "{}", run.stdout);
}

#[test]
fn a_parent_that_is_killed_takes_its_workers_along() {
    let house = House::new(Settings::default());
    let target = house.target();
    let mut child = start(&["hold", &target, "-c", "10", "-d", "60s", "-q"]);
    house.wait_for(10);
    child.kill().unwrap();
    child.wait().unwrap();
    house.wait_for_none();
}
