//! Each scenario against pulsegate, and what it counts.

use std::time::Duration;

use pulsegate::codec::framing::{Endian, Framing, Layout};
use pulsegate::{Dialect, Settings};

use crate::house::House;
use crate::tool::{count, end, read, report, start, timing};

/// So many a second, within a fifth, over the time that all phases took.
fn is_near(count: u64, rate: f64, report: &serde_json::Value) {
    let phases = report["phases"].as_array().unwrap().iter();
    let seconds: f64 = phases.map(|phase| phase["seconds"].as_f64().unwrap()).sum();
    let expected = rate * seconds;
    let range = expected * 0.8 - 5.0..=expected * 1.2 + 5.0;
    assert!(range.contains(&(count as f64)), "{count} in {seconds} s");
}

#[test]
fn hold_opens_them_all_and_loses_none() {
    let house = House::new(Settings::default());
    let target = house.target();
    let (run, report) = report(&[
        "hold",
        &target,
        "-c",
        "300",
        "-d",
        "200ms",
        "--workers",
        "2",
    ]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(count(&report, "opened"), 300);
    assert_eq!(report["connections"]["ready"], 300);
    assert_eq!(report["generator"]["workers"], 2);
    assert_eq!(report["verdict"]["outcome"], "passed");
    assert_eq!(timing(&report, "ramp", "idle", "connect")["count"], 300);
}

#[test]
fn every_beat_is_answered_and_timed_twice() {
    let house = House::new(Settings::default());
    let target = house.target();
    let args = [
        "beat", &target, "-c", "50", "--every", "50ms", "-d", "500ms",
    ];
    let (run, report) = report(&args);
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    let sent = count(&report, "sent");
    is_near(sent, 1_000.0, &report);
    assert_eq!(count(&report, "answered"), sent);
    let of = |name| timing(&report, "measure", "beating", name);
    assert_eq!(of("beat_rtt")["count"], of("beat_response")["count"]);
    let median = |name| of(name)["p50"].as_u64().unwrap();
    assert!(median("beat_rtt") <= median("beat_response"));
}

#[test]
fn a_stalled_server_is_seen_to_stall() {
    let house = House::new(Settings::default());
    let target = house.target();
    let args = ["beat", &target, "-c", "10", "--every", "20ms", "-d", "1s"];
    let child = start(&[&args, crate::tool::JSON].concat());
    house.wait_for(10);
    let stalled = house.stall();
    std::thread::park_timeout(Duration::from_millis(400));
    drop(stalled);
    let run = end(child);
    let report = read(&run);
    let response = timing(&report, "measure", "beating", "beat_response");
    // A quarter of the run was stalled: a tool that waits for answers would see ten slow ones.
    let (slow, max) = (
        response["p90"].as_u64().unwrap(),
        response["max"].as_u64().unwrap(),
    );
    assert!(max >= 300_000_000, "{max}");
    assert!(slow >= 100_000_000, "{slow}");
    assert!(count(&report, "overlapped") > 50);
}

#[test]
fn an_echo_is_the_same_on_every_framing() {
    let binary = |width| {
        Framing::Binary(Layout {
            width,
            endian: Endian::Big,
            offset: 0,
            adjust: 0,
            strip: None,
        })
    };
    for (name, framing) in [
        ("raw", Framing::Raw),
        ("line", Framing::Line),
        ("lenhdr", Framing::LenHdr { bare_ping: false }),
        ("binary", binary(4)),
        ("binary2", binary(2)),
    ] {
        for (word, dialect) in [("gate", Dialect::Gate), ("echo", Dialect::Echo)] {
            if framing == Framing::Raw && dialect == Dialect::Gate {
                continue;
            }
            let house = House::new(Settings {
                framing,
                dialect,
                ..Settings::default()
            });
            let target = house.target();
            let args = ["echo", &target, "-c", "20", "-D", "8", "-d", "150ms"];
            let more = ["--framing", name, "--dialect", word];
            let (run, report) = report(&[&args[..], &more].concat());
            assert_eq!(run.code, Some(0), "{name} {word}: {}", run.stdout);
            assert!(count(&report, "answered") > 160, "{name} {word}");
            assert_eq!(count(&report, "garbled"), 0, "{name} {word}");
        }
    }
}

#[test]
fn a_rate_is_kept() {
    let house = House::new(Settings::default());
    let target = house.target();
    let (run, report) = report(&["echo", &target, "-c", "20", "-r", "2000", "-d", "1s"]);
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    let response = timing(&report, "measure", "asking", "response");
    let answered = response["count"].as_u64().unwrap();
    is_near(answered, 2_000.0, &report);
}

#[test]
fn users_log_in_before_anything_else() {
    let house = House::new(Settings {
        login: pulsegate::Login::Required,
        ..Settings::default()
    });
    let target = house.target();
    let args = ["echo", &target, "-c", "10", "-d", "100ms"];
    let (run, report) = report(&[&args[..], &["--user", "load"]].concat());
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    assert!(count(&report, "answered") > 10);
}

#[test]
fn churn_opens_at_its_rate_and_leaves_nobody_behind() {
    let house = House::new(Settings::default());
    let target = house.target();
    let args = [
        "churn", &target, "-c", "20", "-r", "500", "-d", "1s", "--reset",
    ];
    let (run, report) = report(&args);
    assert_eq!(run.code, Some(0), "{}", run.stdout);
    let opened = count(&report, "opened");
    is_near(opened, 500.0, &report);
    assert_eq!(count(&report, "answered"), opened);
    assert_eq!(count(&report, "lost"), 0);
}

#[test]
fn every_message_reaches_every_receiver_once_and_in_order() {
    for (framing, workers) in [
        ("line", "1"),
        ("line", "3"),
        ("lenhdr", "1"),
        ("binary", "2"),
    ] {
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
            ..Settings::default()
        });
        let target = house.target();
        let args = [
            "push",
            &target,
            "-c",
            "31",
            "--publishers",
            "4",
            "--topics",
            "2",
        ];
        let more = [
            "-r",
            "100",
            "-d",
            "500ms",
            "--framing",
            framing,
            "--workers",
            workers,
        ];
        let (run, report) = report(&[&args[..], &more].concat());
        assert_eq!(run.code, Some(0), "{framing}: {}", run.stdout);
        let published = count(&report, "published");
        is_near(published, 100.0, &report);
        let (expected, delivered) = (count(&report, "expected"), count(&report, "delivered"));
        assert_eq!(expected, delivered, "{framing}");
        assert!(
            (published * 15..=published * 16).contains(&expected),
            "{framing}"
        );
        assert_eq!(
            count(&report, "duplicates") + count(&report, "reordered"),
            0
        );
        let of = |name| {
            let phases = report["phases"].as_array().unwrap().iter();
            let cohorts = phases.flat_map(|phase| phase["cohorts"].as_array().unwrap());
            let counts = cohorts.filter_map(|cohort| cohort["timings"][name]["count"].as_u64());
            counts.sum::<u64>()
        };
        assert_eq!(
            (of("skew"), of("to_last")),
            (published, published),
            "{framing}"
        );
    }
}
