//! The scenarios in which something goes wrong on purpose.

use std::time::Duration;

use pulsegate::Settings;

use crate::house::House;
use crate::tool::{count, end, read, report, run, start, timing, worker_of};
use rustix::process::{Signal, kill_process};

fn impatient() -> House {
    House::new(Settings {
        idle_timeout: Some(Duration::from_millis(500)),
        frame_timeout: Some(Duration::from_millis(300)),
        ..Settings::default()
    })
}

#[test]
fn the_silent_are_closed_after_their_timeout_and_never_before() {
    let house = impatient();
    let target = house.target();
    let args = [
        "die", &target, "-c", "50", "-d", "200ms", "--every", "100ms",
    ];
    let (run, report) = report(&[&args[..], &["--expect", "500ms"]].concat());
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    assert_eq!(count(&report, "closed"), 50);
    assert_eq!(count(&report, "closed_early"), 0);
    assert_eq!(timing(&report, "die", "dying", "close_late")["count"], 50);
}

#[test]
fn a_server_that_is_too_quick_is_told_from_one_that_is_late() {
    let house = impatient();
    let target = house.target();
    let args = [
        "die", &target, "-c", "20", "-d", "200ms", "--every", "100ms",
    ];
    let (early, report) = report(&[&args[..], &["--expect", "5s"]].concat());
    assert_eq!(early.code, Some(1), "{}", early.stdout);
    assert_eq!(count(&report, "closed_early"), 20);
    let patient = House::new(Settings::default());
    let target = patient.target();
    let args = [
        "die", &target, "-c", "20", "-d", "100ms", "--expect", "100ms",
    ];
    let late = run(&[&args[..], &["--grace", "200ms", "-q"]].concat());
    assert_eq!(late.code, Some(1), "{}", late.stdout);
    assert!(
        late.stdout.contains("closed==20 (seen: 0)"),
        "{}",
        late.stdout
    );
}

#[test]
fn a_tool_that_looks_late_does_not_take_the_server_to_be_late() {
    let house = impatient();
    let target = house.target();
    let args = ["die", &target, "-c", "50", "-d", "1s", "--every", "400ms"];
    let more = ["--expect", "500ms", "--grace", "20s"];
    let child = start(&[&args[..], &more, crate::tool::JSON].concat());
    house.wait_for(50);
    // From the first end on the tool sees nothing until all are over, 400 ms later.
    house.wait_for_fewer(50);
    let worker = worker_of(child.id());
    kill_process(worker, Signal::STOP).unwrap();
    house.wait_for_none();
    kill_process(worker, Signal::CONT).unwrap();
    let run = end(child);
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    let report = read(&run);
    assert_eq!(count(&report, "closed"), 50);
    let of = |name| {
        timing(&report, "die", "dying", name)["p50"]
            .as_u64()
            .unwrap()
    };
    let (seen, late) = (of("seen_late"), of("close_late"));
    assert!(seen >= 100_000_000, "the tool was late by {seen}");
    assert!(late < 60_000_000, "and not the server, by {late}");
}

#[test]
fn those_who_fall_silent_together_are_due_at_once() {
    let house = impatient();
    let target = house.target();
    let args = ["die", &target, "-c", "50", "-d", "200ms", "--together"];
    // Each says its first beat at a moment of its own within `--every`: none of them in this time.
    let more = ["--every", "1000h", "--expect", "500ms"];
    let (run, report) = report(&[&args[..], &more].concat());
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    assert_eq!(count(&report, "closed"), 50);
    // Their first bytes came 200 ms before: by those they would have been closed early.
    assert_eq!(count(&report, "closed_early"), 0);
    assert_eq!(count(&report, "sent"), 100);
    let spoken = ["--how", "fin", "--together", "--expect", "1s"];
    let refused = crate::tool::run(&[&["die", &target][..], &spoken].concat());
    assert_eq!(refused.code, Some(2), "{}", refused.stdout);
    assert!(refused.stderr.contains("for silence"), "{}", refused.stderr);
}

#[test]
fn a_fin_is_noticed_at_once_and_a_reset_leaves_nobody_behind() {
    let house = House::new(Settings::default());
    let target = house.target();
    let args = ["die", &target, "-c", "50", "-d", "100ms", "--expect", "60s"];
    let (run, report) = report(&[&args[..], &["--how", "fin"]].concat());
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    assert_eq!(count(&report, "closed"), 50);
    let args = [
        "die", &target, "-c", "50", "-d", "100ms", "--expect", "100ms",
    ];
    let more = ["--how", "rst", "--grace", "100ms", "-q"];
    let run = crate::tool::run(&[&args[..], &more].concat());
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    assert!(run.stdout.contains("died 50"), "{}", run.stdout);
}

#[test]
fn everybody_comes_back_from_a_storm_by_each_policy() {
    let house = House::new(Settings::default());
    let target = house.target();
    for policy in ["immediate", "fixed", "exponential"] {
        let args = [
            "storm", &target, "-c", "200", "-d", "100ms", "--policy", policy,
        ];
        let (run, report) = report(&args);
        assert_eq!(run.code, Some(0), "{policy}: {}", run.stdout);
        assert_eq!(count(&report, "left"), 200, "{policy}");
        let back = timing(&report, "storm", "returning", "back");
        assert_eq!(back["count"], 200, "{policy}");
        let recovery = &report["phases"][2]["cohorts"][0]["recovery"];
        assert_eq!(
            (&recovery["left"], &recovery["back"]),
            (&200.into(), &200.into())
        );
        assert!(recovery["to_50"].as_u64() <= recovery["to_100"].as_u64());
        assert!(recovery["to_100"].as_u64().is_some());
        let least = back["min"].as_u64().unwrap();
        assert!(policy != "fixed" || least >= 100_000_000, "{least}");
    }
}

#[test]
fn the_slow_are_closed_and_the_healthy_do_not_notice() {
    let house = House::new(Settings {
        write_timeout: Some(Duration::from_millis(300)),
        ..Settings::default()
    });
    let target = house.target();
    // Nothing at all, and a byte a second: the server's window does not open either way.
    for drink in ["0", "1"] {
        let args = ["slow", &target, "-c", "20", "--slow", "3", "-d", "3s"];
        let more = ["--every", "50ms", "--drink", drink];
        let (run, report) = report(&[&args[..], &more].concat());
        assert_eq!(run.code, Some(0), "{drink}: {}", run.stdout);
        assert_eq!(count(&report, "closed"), 3, "{drink}");
        let after = timing(&report, "beside", "slow", "closed_after");
        assert!(after["min"].as_u64().unwrap() >= 300_000_000, "{drink}");
        for phase in ["before", "beside"] {
            let beats = timing(&report, phase, "healthy", "beat_response");
            assert!(beats["count"].as_u64().unwrap() > 400, "{drink} {phase}");
        }
    }
}

#[test]
fn torn_frames_are_answered_or_punished() {
    for framing in ["line", "lenhdr", "binary"] {
        use pulsegate::codec::framing::{Endian, Framing, Layout};
        let house = House::new(Settings {
            framing: match framing {
                "line" => Framing::Line,
                "lenhdr" => Framing::LenHdr { bare_ping: false },
                _ => Framing::Binary(Layout {
                    width: 4,
                    endian: Endian::Big,
                    offset: 0,
                    adjust: 0,
                    strip: None,
                }),
            },
            frame_timeout: Some(Duration::from_millis(300)),
            ..Settings::default()
        });
        let target = house.target();
        let args = ["torn", &target, "-c", "3", "-d", "5s", "--framing", framing];
        let (run, report) = report(&args);
        assert_eq!(run.code, Some(0), "{framing}: {}", run.stdout);
        let cohorts = report["phases"][0]["cohorts"].as_array().unwrap();
        let of = |name: &str, what: &str| {
            let cohort = cohorts.iter().find(|cohort| cohort["name"] == name);
            cohort.unwrap()["counts"][what].as_u64().unwrap_or(0)
        };
        assert_eq!(of("glued", "answered"), 48, "{framing}");
        assert_eq!(of("dripped", "answered"), 3, "{framing}");
        for trick in ["half", "giant", "garbage"] {
            assert_eq!(of(trick, "closed"), 3, "{framing} {trick}");
        }
        assert!(
            report["seconds"].as_f64().unwrap() < 4.5,
            "it ends with the last one"
        );
    }
}

#[test]
fn a_plan_of_ones_own_is_carried_out() {
    let house = House::new(Settings::default());
    let target = house.target();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.toml");
    let file = file.to_str().unwrap();
    let plan = r#"
        scenario = "mixed"
        thresholds = ["measure/beating.beat_rtt:p50<1s"]
        late_limit = "10s"

        [[cohort]]
        name = "idle"
        connections = 20
        role = "hold"

        [[cohort]]
        name = "beating"
        connections = 10
        ramp = "100ms"
        from = 1
        role = { beat = { every = "50ms", jitter = 0.5 } }
        reconnect = { exponential = { base = "10ms", max = "1s" } }

        [[phase]]
        name = "ramp"
        until = { settled = { within = "5s" } }

        [[phase]]
        name = "settle"
        until = { settled = { within = "5s" } }

        [[phase]]
        name = "measure"
        until = { elapsed = { for = "300ms" } }
        judged = true
    "#;
    std::fs::write(file, plan).unwrap();
    let done = run(&["run", file, &target, "--quiet", "--json", "-"]);
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    let report = read(&done);
    assert_eq!(count(&report, "opened"), 30);
    assert_eq!(report["connections"]["ready"], 30);
    assert!(report["phases"][1]["seconds"].as_f64().unwrap() >= 0.05);
    for (wrong, hint) in [
        (plan.replace("\"hold\"", "\"jump\""), "jump"),
        (
            plan.replace("connections = 20", "connection = 20"),
            "connection",
        ),
        (
            plan.replace("beating.beat_rtt", "bleating.beat_rtt"),
            "bleating",
        ),
        (plan.replace("from = 1", "from = 7"), "does not exist"),
    ] {
        std::fs::write(file, wrong).unwrap();
        let refused = run(&["run", file, &target]);
        assert_eq!(refused.code, Some(2), "{hint}: {}", refused.stderr);
        assert!(refused.stderr.contains(hint), "{}", refused.stderr);
    }
}
