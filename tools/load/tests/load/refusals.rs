//! What the tool does not do, and how it says so: one sentence, and the right code.

use std::net::TcpListener;

use crate::tool::run;

/// The tool refuses with a code, and says this.
fn refuses(args: &[&str], code: i32, hint: &str) {
    let run = run(args);
    assert_eq!(
        run.code,
        Some(code),
        "{args:?}: {}{}",
        run.stdout,
        run.stderr
    );
    assert!(run.stderr.contains(hint), "{args:?}: {}", run.stderr);
    assert_eq!(run.stdout, "", "{args:?}");
}

const TARGET: &str = "127.0.0.1:9";

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    for (args, hint) in [
        (&["hold"][..], "HOST:PORT"),
        (&["hold", "127.0.0.1"], "write HOST:PORT"),
        (&["hold", TARGET, "-c", "0"], "at least one connection"),
        (&["hold", TARGET, "-d", "10"], "write 500ms"),
        (&["hold", TARGET, "--source", "nowhere"], "write 127.0.0.2"),
        (&["hold", TARGET, "--source", "::1"], "all IPv4 or all IPv6"),
        (
            &["hold", TARGET, "--framing", "raw"],
            "not spoken on framing raw",
        ),
        (&["hold", TARGET, "--threshold", "errors"], "write METRIC"),
        (
            &["hold", TARGET, "--threshold", "x.errors==0"],
            "there is no cohort",
        ),
        (&["beat", TARGET, "--every", "0"], "longer than nothing"),
        (&["beat", TARGET, "--jitter", "2"], "between 0 and 1"),
        (&["echo", TARGET, "-D", "0"], "at least one request"),
        (&["echo", TARGET, "-r", "0"], "is none"),
        (
            &["echo", TARGET, "-r", "5", "-D", "2"],
            "cannot be used with",
        ),
        (
            &["echo", TARGET, "--dialect", "sink"],
            "nothing is answered",
        ),
        (&["echo", TARGET, "--dialect", "custom"], "--request HEX"),
        (
            &["echo", TARGET, "--preset", "redis", "--framing", "raw"],
            "own framing",
        ),
        (&["stomp", TARGET], "unrecognized subcommand"),
    ] {
        refuses(args, 2, hint);
    }
}

#[test]
fn what_the_machine_does_not_allow_is_told_before_anything_is_opened() {
    let many = ["hold", TARGET, "-c", "4000000", "--workers", "1"];
    refuses(&many, 4, "--workers");
    refuses(&many, 4, "`ulimit -n 4000032`");
    refuses(&many, 4, "see `pulsegate-load doctor -c 4000000`");
    let nobody = ["hold", TARGET, "-c", "1", "--server-pid", "4194999"];
    refuses(&nobody, 4, "no such process");
    let one_source = ["hold", TARGET, "-c", "100000", "--source", "127.0.0.1"];
    refuses(&one_source, 4, "--source");
    refuses(&one_source, 4, "sysctl -w net.ipv4.ip_local_port_range");
    let far = ["hold", "192.0.2.1:9", "-c", "300000"];
    refuses(&far, 4, "connections need");
    let nowhere = ["hold", TARGET, "--html", "/nowhere/at/all.html"];
    refuses(&nowhere, 4, "writing /nowhere/at/all.html: No such file");
    refuses(&["hold", "nobody.invalid:80"], 4, "is the name right?");
}

#[test]
fn a_refused_target_is_not_a_verdict() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    let args = ["hold", &target, "-c", "20", "-d", "60s", "-q"];
    refuses(&args, 4, "none of 20 connects");
}

#[test]
fn a_dry_run_tells_the_plan_and_opens_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let args = [
        "beat",
        &target,
        "-c",
        "60000",
        "--every",
        "30s",
        "--ramp",
        "5s",
        "--dry-run",
    ];
    let run = run(&args);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert_eq!(
        run.stdout,
        crate::tool::run(&args).stdout,
        "a plan is always the same"
    );
    for line in [
        "scenario    beat, seed 1",
        "speech      gate on line",
        "127.1.0.1 to 127.1.0.5 (5)",
        "60,000 connections, a heartbeat each 30s",
        "they open over 5s",
        "phase 2     measure: for 10s, judged",
        "256 connects under way at most, each for 10s",
        "after it    answers are waited for, at most 2s; told every 1s",
        "invalid     where our own sends are later than 5ms",
        "threshold   lost==0",
    ] {
        assert!(run.stdout.contains(line), "{line:?} in {}", run.stdout);
    }
    let accepted = listener.accept().map(drop);
    assert_eq!(accepted.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_dry_run_tells_everything_that_was_asked_for() {
    let plan = |args: &[&str]| {
        let run = run(&[args, &["--dry-run"]].concat());
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        run.stdout
    };
    let custom = [
        "echo",
        TARGET,
        "-c",
        "40",
        "-r",
        "200",
        "-d",
        "3s",
        "--ramp",
        "2s",
        "--source",
        "127.0.0.5",
        "--seed",
        "7",
        "--dialect",
        "custom",
        "--request",
        "50",
        "--answer-end",
        "0d0a",
    ];
    let told = plan(&custom);
    for line in [
        "scenario    echo, seed 7",
        "speech      custom, request 50, answer ends with 0d0a",
        "sources     127.0.0.5",
        "40 connections, a request each 200ms; they open over 2s",
        "measure: for 3s, judged",
    ] {
        assert!(told.contains(line), "{line:?} in {told}");
    }
    assert_eq!(told, plan(&custom), "the same command is the same plan");
    let other = plan(&[&custom[..13], &["8"], &custom[14..]].concat());
    assert_ne!(told, other, "another seed is another plan");
}

#[test]
fn help_is_there_in_both_lengths() {
    for args in [
        &["--help"][..],
        &["-h"],
        &["beat", "--help"],
        &["echo", "-h"],
    ] {
        let run = run(args);
        assert_eq!(run.code, Some(0));
        assert!(run.stdout.contains("Usage: "), "{}", run.stdout);
        assert!(run.stdout.lines().all(|line| line.chars().count() <= 100));
    }
}
