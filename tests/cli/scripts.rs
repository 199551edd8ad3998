//! Scripts of `connect`: each step within its deadline, and those of `tools/scripts` replayed.

use std::net::SocketAddr;

use crate::commands::{daemon as with_admin, fails, told};
use crate::connect::{connect, nobody, untimed};
use crate::daemon::{Daemon, LINE};
use crate::program::{Outcome, folder, outcome, program};

/// Plays a script against a daemon.
fn play(at: SocketAddr, script: &str, arguments: &[&str]) -> Outcome {
    let folder = folder(&[("a.script", script)]);
    let mut command = program();
    command
        .args(["connect", &at.to_string(), "--script", "a.script"])
        .args(arguments)
        .current_dir(folder.path());
    outcome(command)
}

#[test]
fn a_script_does_what_it_says() {
    let daemon = Daemon::start(LINE);
    let at = daemon.addrs()[0];
    let script = "# said twice\nrepeat 2\nsend ann hi\nend\nexpect from ann: hi\n\
                  expect within 5s from ann: hi\ntry send nobody x\nexpect error no-such-user\n\
                  sleep 1s\n";
    let outcome = play(at, script, &["--user", "ann", "--speed", "20"]);
    assert_eq!(
        (outcome.code, &outcome.stderr[..]),
        (Some(0), ""),
        "{outcome:#?}"
    );
    let lines = untimed(&outcome.stdout);
    assert_eq!(lines[..3], ["connected", "> send ann hi", "ok queued=1"]);
    let count = |text: &str| lines.iter().filter(|line| **line == text).count();
    let counts = ["> send ann hi", "ok queued=1", "from ann: hi", "left"].map(count);
    assert_eq!(counts, [2, 2, 2, 1], "{outcome:#?}");
}

#[test]
fn a_script_that_is_wrong_is_told_by_line_and_not_begun() {
    let at = nobody();
    for (script, says) in [
        ("ping\nsnd x\n", "a.script:2: unknown message"),
        ("repeat 2\nping\n", "a.script:1: this repeat has no end"),
        ("write \"x\"\n", "a.script:1: write needs --raw"),
    ] {
        fails(&play(at, script, &["--user", "ann"]), 2, &[says]);
    }
}

#[test]
fn a_step_that_fails_ends_the_script() {
    let daemon = Daemon::start_with(LINE, &["--idle-timeout", "300ms"]);
    let at = daemon.addrs()[0];
    let silent = ["--user", "ann", "--heartbeat", "off"];
    for (script, says) in [
        (
            "ping\nexpect within 50ms nothing\n",
            "2: expected \"nothing\", which did not come within 50ms",
        ),
        ("ping\nsend bob hi\nping\n", "2: error no-such-user"),
        (
            "never lost\nsleep 10s\n",
            "2: never expected \"lost\": lost (idle-timeout)",
        ),
    ] {
        let outcome = play(at, script, &silent);
        assert_eq!(outcome.code, Some(3), "{outcome:#?}");
        let says = format!("pulsegate: a.script:{says}");
        assert!(outcome.stderr.starts_with(&says), "{outcome:#?}");
    }
    // Lost for good, expected or not.
    let once = [&silent[..], &["--once"]].concat();
    assert_eq!(play(at, "sleep 1s\n", &once).code, Some(1));
    assert_eq!(
        play(at, "sleep 1s\nexpect lost (idle-timeout)\n", &once).code,
        Some(0)
    );
    let outcome = play(at, "sleep 1s\nexpect connected\nexpect connected\n", &once);
    assert_eq!(outcome.code, Some(3), "{outcome:#?}");
}

/// Plays a script of `tools/scripts`, and demands that it comes to its end.
#[track_caller]
fn replay(daemon: &Daemon, name: &str, arguments: &[&str]) -> String {
    let path = format!("{}/tools/scripts/{name}.script", env!("CARGO_MANIFEST_DIR"));
    let script = ["--script", &path];
    let outcome = connect(daemon.addrs()[0], &[&script, arguments].concat());
    assert_eq!(
        (outcome.code, &outcome.stderr[..]),
        (Some(0), ""),
        "{name}: {outcome:#?}"
    );
    outcome.stdout
}

/// Where a line begins with this, from `from` on.
#[track_caller]
fn position(lines: &[&str], begin: &str, from: usize) -> usize {
    let mut found = lines[from..].iter();
    let at = found.position(|line| line.starts_with(begin));
    from + at.unwrap_or_else(|| panic!("{begin}: {lines:#?}"))
}

#[test]
fn the_classic_demonstration_ends_in_the_silence_and_comes_back() {
    let daemon = with_admin(&format!("{LINE}idle_timeout = \"1500ms\"\n"));
    let arguments = ["--user", "demo", "--heartbeat", "off", "--speed", "10"];
    let text = replay(&daemon, "classic", &arguments);
    let lines = untimed(&text);
    let count = |text: &str| lines.iter().filter(|line| **line == text).count();
    assert_eq!(count("from demo: one of ten"), 10, "{text}");
    assert_eq!(count("from demo: one of ten more"), 10, "{text}");
    assert_eq!(count("lost (idle-timeout)"), 1, "{text}");
    assert_eq!(count("connected"), 2, "{text}");
    let lost = position(&lines, "lost (idle-timeout)", 0);
    let back = position(&lines, "connected", lost);
    assert!(
        lines[..lost]
            .iter()
            .all(|line| *line != "from demo: one of ten more"),
        "{text}"
    );
    assert!(
        lines[back..]
            .iter()
            .all(|line| *line != "from demo: one of ten"),
        "{text}"
    );
    // The server says the same.
    let why = told(&daemon, &["why", "demo"]);
    assert_eq!(why.matches("idle-timeout").count(), 1, "{why}");
}

#[test]
fn a_short_connection_ends_though_it_keeps_sending() {
    let daemon = with_admin(&format!("{LINE}lifetime = \"1s\"\n"));
    let text = replay(&daemon, "lifetime", &["--user", "demo", "--speed", "10"]);
    let lines = untimed(&text);
    let lost = position(&lines, "lost (lifetime)", 0);
    let said = lines[..lost]
        .iter()
        .filter(|line| **line == "from demo: still here");
    assert!(said.count() >= 3, "{text}");
    let why = told(&daemon, &["why", "demo"]);
    assert!(
        why.contains("lifetime") && !why.contains("idle-timeout"),
        "{why}"
    );
}

#[test]
fn a_heartbeat_in_half_the_limit_keeps_it() {
    let daemon = with_admin(&format!("{LINE}idle_timeout = \"2s\"\n"));
    let arguments = ["--user", "demo", "--heartbeat", "off", "--speed", "30"];
    let text = replay(&daemon, "heartbeat", &arguments);
    assert_eq!(text.matches("> ping").count(), 6, "{text}");
    let why = told(&daemon, &["why", "demo"]);
    assert!(
        why.contains("quit") && !why.contains("idle-timeout"),
        "{why}"
    );
}

#[test]
fn torn_and_glued_frames_are_all_the_same() {
    let framing = "framing = { lenhdr = { bare_ping = true } }\n";
    let daemon = Daemon::start(&format!("{LINE}{framing}"));
    let text = replay(&daemon, "torn", &["--raw", "--framing", "lenhdr"]);
    assert_eq!(text.matches("{\"type\":\"pong\",").count(), 4, "{text}");
    assert!(text.contains("lost (closed by the server)"), "{text}");
}
