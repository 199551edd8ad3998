//! Runs held against each other: known numbers in, known ratios out.

use serde_json::{Value, json};

use crate::house::House;
use crate::tool::{Run, run};
use pulsegate::Settings;

/// A folder of reports that were made up from a real one.
struct Shelf {
    folder: tempfile::TempDir,
    real: Value,
}

impl Shelf {
    fn new() -> Self {
        let house = House::new(Settings::default());
        let target = house.target();
        let args = ["beat", &target, "-c", "5", "--every", "20ms", "-d", "200ms"];
        let (run, real) = crate::tool::report(&args);
        assert_eq!(run.code, Some(0), "{}", run.stdout);
        let folder = tempfile::tempdir().unwrap();
        Self { folder, real }
    }

    /// Writes a report in which the server took `cpu` for an answer and so many were answered.
    fn put(&self, name: &str, cpu: f64, answered: u64, change: impl Fn(&mut Value)) -> String {
        let mut report = self.real.clone();
        let look = json!({
            "cpu": 0, "user": 0, "system": 0, "resident": 0, "files": 0, "sockets": 0,
            "socket_bytes": 0, "slab_bytes": 0, "listen_drops": 0
        });
        report["server"] = json!({
            "pid": 1, "before": look, "after": look, "resident_peak": 1_000, "cpu_seconds": 1.0,
            "cpu_share": 0.5, "cpu_per_answer": cpu, "bytes_per_connection": null,
            "bytes_once": null, "listen_drops": 0, "kernel_bytes_per_connection": null
        });
        report["phases"][1]["seconds"] = json!(1.0);
        report["phases"][1]["cohorts"][0]["counts"]["answered"] = json!(answered);
        change(&mut report);
        let path = self.folder.path().join(name);
        std::fs::write(&path, report.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Reports with these figures, as one side.
    fn side(&self, name: &str, cpus: &[f64]) -> String {
        let paths = cpus
            .iter()
            .enumerate()
            .map(|(number, cpu)| self.put(&format!("{name}{number}.json"), *cpu, 1_000, |_| {}));
        paths.collect::<Vec<_>>().join(",")
    }
}

fn compare(a: &str, b: &str, limits: &[&str]) -> (Run, Value) {
    let mut args = vec!["compare", a, b, "--json", "-"];
    for limit in limits {
        args.extend(["--threshold", limit]);
    }
    let run = run(&args);
    let told = serde_json::from_str(&run.stdout);
    let told = told.unwrap_or_else(|error| panic!("{error}: {}{}", run.stdout, run.stderr));
    (run, told)
}

fn row<'a>(told: &'a Value, figure: &str) -> &'a Value {
    let rows = told["rows"].as_array().unwrap();
    let found = rows.iter().find(|row| row["figure"] == figure);
    found.unwrap_or_else(|| panic!("no {figure} in {rows:?}"))
}

#[test]
fn medians_ranges_and_ratios_are_those_of_the_runs() {
    let shelf = Shelf::new();
    let a = shelf.side("a", &[100.0, 300.0, 200.0]);
    let b = shelf.side("b", &[500.0, 400.0, 600.0]);
    let (run, told) = compare(&a, &b, &[]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let cpu = row(&told, "server.cpu_per_answer");
    assert_eq!(
        cpu["a"],
        json!({"runs": 3, "min": 100.0, "median": 200.0, "max": 300.0})
    );
    assert_eq!(cpu["b"]["median"], 500.0);
    assert_eq!(
        (&cpu["ratio"], &cpu["lies_apart"]),
        (&json!(2.5), &json!(true))
    );
    let same = row(&told, "beat_rtt:p99");
    assert_eq!(
        (&same["ratio"], &same["lies_apart"]),
        (&json!(1.0), &json!(false))
    );
    assert_eq!(told["differences"], json!([]));
    let table = crate::tool::run(&["compare", &a, &b]).stdout;
    let line = table.lines().find(|line| line.contains("cpu_per_answer"));
    let line = line.unwrap();
    for part in ["200 ns", "100 ns..300 ns", "500 ns", "2.500x", "worse"] {
        assert!(line.contains(part), "{part} in {table}");
    }
    assert!(table.contains("by chance once in 10 times"), "{table}");
}

#[test]
fn limits_on_ratios_decide_the_exit_code() {
    let shelf = Shelf::new();
    let a = shelf.put("a.json", 200.0, 1_000, |_| {});
    let b = shelf.put("b.json", 300.0, 900, |_| {});
    for (limit, code) in [
        ("server.cpu_per_answer<1.6x", 0),
        ("server.cpu_per_answer<=+50%", 0),
        ("server.cpu_per_answer<1.5x", 1),
        ("rps>0.85x", 0),
        ("measure/beating.rps>=-10%", 0),
        ("rps>-5%", 1),
        ("beat_rtt:p99.9==1x", 0),
        ("lost==1x", 0),
        ("delivery:p99<2x", 1),
    ] {
        let (run, told) = compare(&a, &b, &[limit]);
        assert_eq!(run.code, Some(code), "{limit}: {told}");
        assert_eq!(told["limits"][0]["is_kept"], code == 0, "{limit}");
    }
}

#[test]
fn a_limit_may_ask_for_more_than_the_spread() {
    let shelf = Shelf::new();
    let a = shelf.side("a", &[100.0, 300.0, 200.0]);
    let b = shelf.side("b", &[250.0, 260.0, 400.0]);
    let args = [
        "compare",
        &a,
        &b,
        "--threshold",
        "server.cpu_per_answer<1.1x",
    ];
    let strict = run(&args);
    assert_eq!(strict.code, Some(1), "{}", strict.stdout);
    assert!(strict.stdout.contains("BROKEN"), "{}", strict.stdout);
    let lenient = run(&[&args[..], &["--beyond-spread"]].concat());
    assert_eq!(lenient.code, Some(0), "{}", lenient.stdout);
    assert!(
        lenient.stdout.contains("1.300x, within the spread"),
        "{}",
        lenient.stdout
    );
}

#[test]
fn runs_of_different_kinds_are_told_apart() {
    let shelf = Shelf::new();
    let a = shelf.put("a.json", 1.0, 1, |_| {});
    let b = shelf.put("b.json", 1.0, 1, |report| {
        report["plan"]["seed"] = json!(2);
        report["plan"]["cohort"][0]["connections"] = json!(50);
    });
    let (_, told) = compare(&a, &b, &[]);
    let expected = json!([
        {"setting": "cohort.1.connections", "a": "5", "b": "50"},
        {"setting": "seed", "a": "1", "b": "2"},
    ]);
    assert_eq!(told["differences"], expected);
    let table = run(&["compare", &a, &b]).stdout;
    assert!(table.contains("differs seed: A 1, B 2"), "{table}");
    assert!(table.contains("one run a side has no spread"), "{table}");
    let (_, told) = compare(&format!("{a},{b}"), &a, &[]);
    let notes = told["notes"].to_string();
    assert!(notes.contains("A: seed is 1, but 2 in"), "{notes}");
}

#[test]
fn an_invalid_run_makes_the_comparison_invalid() {
    let shelf = Shelf::new();
    let a = shelf.put("a.json", 1.0, 1, |_| {});
    let b = shelf.put("b.json", 1.0, 1, |report| {
        report["verdict"]["outcome"] = json!("invalid");
    });
    let (run, told) = compare(&a, &b, &["rps>0.1x"]);
    assert_eq!((run.code, &told["outcome"]), (Some(3), &json!("invalid")));
    assert!(
        told["notes"].to_string().contains("b.json is invalid"),
        "{told}"
    );
}

#[test]
fn a_wrong_limit_is_a_usage_error() {
    let refused = run(&["compare", "a.json", "b.json", "--threshold", "rps>5"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("write 1.1x"), "{}", refused.stderr);
}
