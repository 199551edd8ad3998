//! A run shown again: the same table, its page, its other forms.

use std::path::Path;

use pulsegate::Settings;

use crate::house::House;
use crate::tool::{Run, read_file, run};

/// A folder with a report, and the run that wrote it.
struct Shelf {
    folder: tempfile::TempDir,
    made: Run,
}

impl Shelf {
    /// Runs the tool with these flags, and keeps its report.
    fn of(scenario: &str, more: &[&str]) -> Self {
        let house = House::new(Settings::default());
        let folder = tempfile::tempdir().unwrap();
        let (target, json) = (house.target(), path(folder.path(), "run.json"));
        let html = path(folder.path(), "run.html");
        let args = [scenario, &target, "-c", "20", "-d", "400ms", "-q"];
        let forms = ["--interval", "100ms", "--json", &json, "--html", &html];
        let late = if more.contains(&"--late-limit") {
            &[][..]
        } else {
            &["--late-limit", "10s"]
        };
        let made = run(&[&args[..], &forms, late, more].concat());
        Self { folder, made }
    }

    fn path(&self, name: &str) -> String {
        path(self.folder.path(), name)
    }

    fn page(&self) -> String {
        read_file(&self.path("run.html"))
    }
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

#[test]
fn a_run_is_shown_again_as_it_was_and_its_page_too() {
    let shelf = Shelf::of("beat", &["--every", "50ms"]);
    let (json, again) = (shelf.path("run.json"), shelf.path("again.html"));
    let shown = run(&["report", &json, "--html", &again]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert_eq!(shown.stdout, shelf.made.stdout);
    assert_eq!(read_file(&again), shelf.page());
    let csv = run(&["report", &json, "--csv", "-"]);
    assert!(
        csv.stdout.starts_with("seconds,span,phase,"),
        "{}",
        csv.stdout
    );
}

#[test]
fn a_failed_run_is_shown_without_failing() {
    let shelf = Shelf::of("beat", &["--threshold", "beat_rtt:p50<1ns"]);
    assert_eq!(shelf.made.code, Some(1), "{}", shelf.made.stdout);
    let shown = run(&["report", &shelf.path("run.json")]);
    assert_eq!((shown.code, shown.stdout), (Some(0), shelf.made.stdout));
}

#[test]
fn the_page_refers_to_nothing_outside_of_it() {
    let page = Shelf::of("beat", &["--every", "50ms"]).page();
    for outside in [
        "http:", "https:", "//", "src=", "href=", "<script", "@import", "url(",
    ] {
        assert!(!page.contains(outside), "{outside} in the page");
    }
    assert!(page.contains("prefers-color-scheme: dark"));
    assert!(page.contains("name=\"viewport\""));
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    assert_eq!(
        page.matches("<figure").count(),
        page.matches("</figure>").count()
    );
    for title in [
        "Latency by percentile",
        "Latency over time",
        "Connections",
        "Rates",
    ] {
        assert!(page.contains(title), "no curve {title}");
    }
}

#[test]
fn the_page_says_first_what_came_of_it_and_why() {
    let headline = |shelf: &Shelf| {
        let page = shelf.page();
        let header = page.split("<header").nth(1).unwrap();
        header.split("</header>").next().unwrap().to_owned()
    };
    let passed = headline(&Shelf::of("beat", &[]));
    assert!(
        passed.contains("<b>passed</b>") && passed.contains("were kept"),
        "{passed}"
    );
    let broken = Shelf::of("beat", &["--threshold", "beat_rtt:p50<1ns"]);
    let failed = headline(&broken);
    assert!(failed.contains("<b>failed</b>"), "{failed}");
    assert!(failed.contains("beat_rtt:p50&lt;1ns is broken"), "{failed}");
    let late = Shelf::of("beat", &["--late-limit", "1ns", "--every", "50ms"]);
    let invalid = headline(&late);
    assert!(invalid.contains("<b>invalid</b>"), "{invalid}");
    assert!(invalid.contains("the tool was the bottleneck"), "{invalid}");
}

#[test]
fn a_storm_has_a_curve_of_its_way_back_and_a_watched_server_its_own() {
    let pid = std::process::id().to_string();
    let shelf = Shelf::of("storm", &["--policy", "immediate", "--server-pid", &pid]);
    assert_eq!(shelf.made.code, Some(0), "{}", shelf.made.stdout);
    let page = shelf.page();
    for title in [
        "Recovery",
        "Memory of the server",
        "Processor of the server",
    ] {
        assert!(page.contains(title), "no curve {title}");
    }
}

#[test]
fn the_intervals_of_the_timeline_add_up_to_the_run() {
    let shelf = Shelf::of("beat", &["--every", "50ms"]);
    let report: serde_json::Value =
        serde_json::from_str(&read_file(&shelf.path("run.json"))).unwrap();
    let samples = report["timeline"].as_array().unwrap();
    for name in ["answered", "sent", "opened"] {
        let seen = samples.iter().map(|sample| sample[name].as_u64().unwrap());
        assert_eq!(
            seen.sum::<u64>(),
            crate::tool::count(&report, name),
            "{name}"
        );
    }
    let spans = samples
        .iter()
        .map(|sample| sample["span"].as_f64().unwrap());
    let (sum, last) = (
        spans.sum::<f64>(),
        samples.last().unwrap()["at"].as_f64().unwrap(),
    );
    assert!((sum - last).abs() < 1e-6, "{sum} {last}");
}

#[test]
fn what_is_no_report_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text, hint) in [
        ("no.json", "nonsense", "no report that --json has written"),
        (
            "other.json",
            r#"{"tool": "k6", "version": 1}"#,
            "not of this tool",
        ),
        (
            "newer.json",
            r#"{"tool": "pulsegate-load", "version": 99}"#,
            "understands version 1",
        ),
    ] {
        let file = path(folder.path(), name);
        std::fs::write(&file, text).unwrap();
        let refused = run(&["report", &file]);
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains(hint), "{}", refused.stderr);
    }
    let missing = run(&["report", &path(folder.path(), "missing.json")]);
    assert_eq!(missing.code, Some(4), "{}", missing.stderr);
}
