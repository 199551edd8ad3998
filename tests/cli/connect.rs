//! `connect`: what a person sees and types, what a program reads, and how it fails.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::commands::{admin, daemon as with_admin, fails, login, row, told};
use crate::daemon::{Daemon, LINE};
use crate::program::{Outcome, PATIENCE, exit, outcome, program};

/// `connect` with somebody at its other end.
struct Person {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    stderr: Receiver<String>,
}

impl Person {
    fn at(place: impl ToString, arguments: &[&str]) -> Self {
        let mut command = program();
        command
            .args(["connect", &place.to_string()])
            .args(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let lines = follow(child.stdout.take().unwrap());
        let stderr = follow(child.stderr.take().unwrap());
        Self {
            child,
            stdin,
            lines,
            stderr,
        }
    }

    fn types(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// The next line that holds this; others are passed over.
    #[track_caller]
    fn sees(&self, text: &str) -> String {
        hears(&self.lines, text)
    }

    /// The same of what is no part of the answer.
    #[track_caller]
    fn is_told(&self, text: &str) -> String {
        hears(&self.stderr, text)
    }

    /// There is nothing more to type; the exit code.
    #[track_caller]
    fn leaves(&mut self) -> Option<i32> {
        self.stdin = None;
        exit(&mut self.child).code()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn follow(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines() {
            let _ = sender.send(line.unwrap());
        }
    });
    lines
}

#[track_caller]
fn hears(lines: &Receiver<String>, text: &str) -> String {
    let mut before = Vec::new();
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) if line.contains(text) => return line,
            Ok(line) => before.push(line),
            Err(_) => panic!("{text:?} does not come: {before:#?}"),
        }
    }
}

/// Runs it to its end.
pub fn connect(place: impl ToString, arguments: &[&str]) -> Outcome {
    let mut command = program();
    command
        .args(["connect", &place.to_string()])
        .args(arguments);
    outcome(command)
}

/// A server that says this to everybody at once and closes, or holds the connection.
fn server(says: &'static [u8], closes: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept() {
            // What is not read would make a reset of the end.
            let _ = stream.read(&mut [0; 256]);
            let _ = stream.write_all(says);
            if !closes {
                held.push(stream);
            }
        }
    });
    addr
}

/// An address where nobody listens.
pub fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// The lines of what was printed, without their times.
pub fn untimed(text: &str) -> Vec<&str> {
    let rows = text.lines().take_while(|line| !line.is_empty());
    rows.map(|line| {
        line.split_once("  ").map_or(line, |(time, rest)| {
            assert_eq!(time.len(), "00:00:00.000".len(), "{line}");
            rest
        })
    })
    .collect()
}

const JSON: &str = "[[listener]]\nbind = \"127.0.0.1:0\"\nframing = \"lenhdr\"\n";
const BINARY: &str = "[[listener]]\nbind = \"127.0.0.1:0\"\nframing = \"binary\"\n";

#[test]
fn two_people_talk_in_every_framing() {
    for (config, framing) in [(LINE, "line"), (JSON, "lenhdr"), (BINARY, "binary")] {
        let daemon = Daemon::start(config);
        let at = daemon.addrs()[0];
        let person = |name| Person::at(at, &["--user", name, "--framing", framing]);
        let (mut ann, mut bob) = (person("ann"), person("bob"));
        ann.sees("  connected");
        bob.sees("  connected");
        ann.types("send bob hello there");
        ann.sees("  ok queued=1");
        bob.sees("  from ann: hello there");
        bob.types("join news");
        bob.sees("  ok");
        ann.types("pub news extra");
        bob.sees("  from ann to news: extra");
        bob.types("asend ann sure");
        ann.sees("  from bob: sure");
        ann.types("send nobody hello");
        ann.sees("  error no-such-user");
        ann.types("ping");
        ann.sees("  pong");
        // What is wrong is told by the command, and what it does by itself.
        ann.types("sned bob x");
        ann.is_told("pulsegate: not sent: unknown message");
        ann.types("send bob");
        ann.is_told("pulsegate: not sent: expected: send USER TEXT");
        ann.types("login eve");
        ann.is_told("pulsegate: not sent: the client says that by itself");
        ann.types("/help");
        ann.is_told("/history tells");
        ann.types("quit");
        ann.sees("  left");
        assert_eq!(
            (ann.leaves(), bob.leaves()),
            (Some(0), Some(0)),
            "{framing}"
        );
    }
}

#[test]
fn what_was_asked_is_answered_before_it_leaves() {
    let daemon = Daemon::start(LINE);
    let mut ann = Person::at(daemon.addrs()[0], &["--user", "ann"]);
    (0..100).for_each(|n| ann.types(&format!("send ann {n}")));
    assert_eq!(ann.leaves(), Some(0));
    let lines: Vec<String> = ann.lines.iter().collect();
    let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!((count("  ok queued=1"), count("  from ann: ")), (100, 100));
}

#[test]
fn what_came_moves_no_cursor() {
    let daemon = Daemon::start(LINE);
    for flags in [&[][..], &["--json"]] {
        let mut eve = login(&daemon, "eve");
        let ann = Person::at(daemon.addrs()[0], &[&["--user", "ann"], flags].concat());
        ann.sees("connected");
        eve.asks("send ann \u{1b}[2J\u{9b}\u{202e}", "ok queued=1");
        let line = ann.sees("2J");
        assert!(!line.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{line:?}");
    }
}

#[test]
fn programs_read_an_object_a_line() {
    let daemon = Daemon::start(JSON);
    let arguments = ["--user", "ann", "--framing", "lenhdr", "--json"];
    let mut ann = Person::at(daemon.addrs()[0], &arguments);
    let next = |ann: &Person| -> Value {
        let line = ann.lines.recv_timeout(PATIENCE).unwrap();
        let object: Value = serde_json::from_str(&line).unwrap();
        assert!(
            object["time"].as_u64().unwrap() > 1_600_000_000_000,
            "{line}"
        );
        object
    };
    assert_eq!(next(&ann)["type"], "connected");
    ann.types("send ann \"hi\"");
    let ok = next(&ann);
    assert_eq!(
        (&ok["type"], &ok["request"], &ok["queued"]),
        (&"ok".into(), &1.into(), &1.into())
    );
    let msg = next(&ann);
    assert_eq!(
        (&msg["type"], &msg["from"], &msg["body"]),
        (&"msg".into(), &"ann".into(), &"\"hi\"".into())
    );
    ann.types("send bob hi");
    let error = next(&ann);
    assert_eq!(
        (&error["type"], &error["code"]),
        (&"error".into(), &"no-such-user".into())
    );
    ann.types("ping");
    let pong = next(&ann);
    assert_eq!(
        (&pong["type"], &pong["request"]),
        (&"pong".into(), &3.into())
    );
    ann.types("quit");
    assert_eq!(next(&ann)["type"], "left");
    assert_eq!(ann.leaves(), Some(0));
}

#[test]
fn heartbeats_keep_it_and_it_listens_for_as_long_as_it_is_told() {
    let daemon = Daemon::start_with(LINE, &["--idle-timeout", "3s"]);
    let at = daemon.addrs()[0];
    for beats in [
        &["--user", "ann"][..],
        &["--user", "bob", "--heartbeat", "adaptive"],
    ] {
        let began = Instant::now();
        let outcome = connect(at, &[beats, &["--for", "4500ms"]].concat());
        assert_eq!(
            (outcome.code, &outcome.stderr[..]),
            (Some(0), ""),
            "{outcome:#?}"
        );
        assert!(began.elapsed() >= Duration::from_millis(4_500));
        let lines = untimed(&outcome.stdout);
        assert_eq!(lines[0], "connected", "{outcome:#?}");
        assert!(!outcome.stdout.contains("idle-timeout"), "{outcome:#?}");
    }
}

#[test]
fn it_comes_back_and_tells_its_history() {
    let daemon = Daemon::start_with(LINE, &["--idle-timeout", "300ms"]);
    let mut ann = Person::at(daemon.addrs()[0], &["--user", "ann", "--heartbeat", "off"]);
    ann.sees("  connected");
    ann.sees("  lost (idle-timeout)");
    ann.sees("  retrying (1, in ");
    ann.sees("  connected");
    ann.types("send ann here again");
    ann.sees("  from ann: here again");
    ann.types("/history");
    ann.sees("WHAT HAPPENED TO THE CONNECTION");
    for what in [
        "  connected",
        "  lost (idle-timeout)",
        "  retrying (1, in ",
        "  connected",
    ] {
        ann.sees(what);
    }
    assert_eq!(ann.leaves(), Some(0));
}

#[test]
fn who_is_sent_away_for_good_is_told_why() {
    let daemon = with_admin(LINE);
    let at = daemon.addrs()[0];
    let ann = Person::at(at, &["--user", "ann"]);
    ann.sees("  connected");
    told(&daemon, &["kick", "ann"]);
    ann.sees("  lost (kicked)");
    ann.is_told(&format!("pulsegate: {at}: kicked"));
    let mut ann = ann;
    assert_eq!(exit(&mut ann.child).code(), Some(1));

    let mut first = Person::at(at, &["--user", "ann"]);
    first.sees("  connected");
    let mut second = Person::at(at, &["--user", "ann"]);
    second.sees("  connected");
    first.is_told(&format!("pulsegate: {at}: replaced"));
    assert_eq!(exit(&mut first.child).code(), Some(1));
    // The other one lives on.
    second.types("send ann still me");
    second.sees("  from ann: still me");
    assert_eq!(second.leaves(), Some(0));
    let why = told(&daemon, &["why", "ann"]);
    assert_eq!(row(&why, "ENDED")[1], "CAUSE");
    assert!(admin(&daemon).starts_with("http://"));
}

#[test]
fn once_means_once() {
    let daemon = Daemon::start_with(LINE, &["--idle-timeout", "200ms"]);
    let at = daemon.addrs()[0];
    let arguments = ["--user", "ann", "--heartbeat", "off", "--once"];
    let outcome = connect(at, &[&arguments[..], &["--for", "1m"]].concat());
    assert_eq!(outcome.code, Some(1), "{outcome:#?}");
    let says = format!("pulsegate: {at}: idle-timeout");
    assert!(outcome.stderr.starts_with(&says), "{outcome:#?}");
}

#[test]
fn what_is_wrong_at_the_other_end_is_told_in_a_sentence_and_in_time() {
    let long = format!("{}:1", "x".repeat(64));
    let alert = b"\x15\x03\x01\x00\x02\x02\x28";
    let web = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    for (place, framing, says) in [
        (
            nobody().to_string(),
            "line",
            "connection refused: nobody listens there",
        ),
        (long, "line", "the name is not found: "),
        (
            server(alert, true).to_string(),
            "line",
            "a TLS port: it answers with a TLS record",
        ),
        (
            server(alert, true).to_string(),
            "lenhdr",
            "a TLS port: it answers with a TLS record",
        ),
        (
            server(alert, false).to_string(),
            "line",
            "a TLS port: it answers with a TLS record",
        ),
        (
            server(web, true).to_string(),
            "line",
            "a web server: it answers with HTTP",
        ),
        (
            server(web, true).to_string(),
            "binary",
            "a web server: it answers with HTTP",
        ),
        (
            server(b"SSH-2.0-x\r\n", true).to_string(),
            "line",
            "an SSH server",
        ),
        (
            server(b"hello\n", true).to_string(),
            "line",
            "no message of the gate: \"hello\"",
        ),
        (
            server(b"hello\n", true).to_string(),
            "lenhdr",
            "no frame of this framing (",
        ),
        (
            server(b"", true).to_string(),
            "line",
            "closed without an answer: is it a gate of this",
        ),
        (
            server(b"", false).to_string(),
            "line",
            "connected, but no answer within 500ms: is it",
        ),
    ] {
        let began = Instant::now();
        let arguments = ["--user", "ann", "--framing", framing, "--timeout", "500ms"];
        let outcome = connect(&place, &arguments);
        fails(&outcome, 1, &[&format!("pulsegate: {place}: {says}")]);
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:#?}");
        assert!(began.elapsed() < Duration::from_secs(5), "{place}: {says}");
    }
}

#[test]
fn without_a_client_the_same_is_told() {
    let (refused, long) = (nobody().to_string(), format!("{}:1", "x".repeat(64)));
    let other = server(b"\x15\x03\x01\x00\x02\x02\x28", true).to_string();
    for (place, says) in [
        (refused, "connection refused: nobody listens there"),
        (long, "the name is not found: "),
    ] {
        let outcome = connect(&place, &["--raw", "--timeout", "500ms"]);
        fails(&outcome, 1, &[&format!("pulsegate: {place}: {says}")]);
    }
    let mut person = Person::at(&other, &["--raw", "--framing", "lenhdr"]);
    person.sees("  connected");
    person.types("{}");
    let says = format!("pulsegate: {other}: what comes is no frame of this framing: ");
    person.is_told(&says);
    assert_eq!(person.leaves(), Some(1));
}

#[test]
fn a_gate_of_another_framing_is_no_riddle() {
    for (config, framing) in [
        (LINE, "lenhdr"),
        (JSON, "line"),
        (BINARY, "line"),
        (LINE, "binary"),
    ] {
        let daemon = Daemon::start(config);
        let at = daemon.addrs()[0];
        let outcome = connect(at, &["--framing", framing, "--timeout", "1s"]);
        fails(&outcome, 1, &[&format!("pulsegate: {at}: ")]);
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:#?}");
    }
}

#[test]
fn a_line_that_is_no_text_is_not_the_last_one() {
    let daemon = Daemon::start(LINE);
    let mut ann = Person::at(daemon.addrs()[0], &["--user", "ann"]);
    ann.sees("connected");
    let stdin = ann.stdin.as_mut().unwrap();
    stdin.write_all(b"send ann \xff\n").unwrap();
    ann.is_told("pulsegate: not sent: the line is not UTF-8");
    ann.types("ping");
    ann.sees("  pong");
    assert_eq!(ann.leaves(), Some(0));
}

#[test]
fn a_login_that_is_refused_is_told() {
    let daemon = Daemon::start_with(LINE, &["--user-policy", "reject"]);
    let at = daemon.addrs()[0];
    let _ann = login(&daemon, "ann");
    let outcome = connect(at, &["--user", "ann"]);
    fails(&outcome, 1, &[&format!("{at}: login refused: user-taken ")]);
    let daemon = Daemon::start_with(LINE, &["--login", "none"]);
    let at = daemon.addrs()[0];
    let outcome = connect(at, &["--user", "ann"]);
    fails(&outcome, 1, &[&format!("{at}: login refused: forbidden ")]);
}

#[test]
fn a_wrong_command_line_is_told_and_nothing_is_tried() {
    let at = nobody().to_string();
    for wrong in [
        &[][..],
        &["host:port"],
        &["::1"],
        &[&at, "--framing", "smoke"],
        &[&at, "--framing", "raw"],
        &[&at, "--heartbeat", "often"],
        &[&at, "--heartbeat", "1ms"],
        &[&at, "--user", "a b"],
        &[&at, "--token-file", "x"],
        &[&at, "--timeout", "soon"],
        &[&at, "--speed", "0"],
        &[&at, "--raw", "--user", "ann"],
        &[&at, "--script", "missing"],
        &[&at, "--script", "a", "--for", "1s"],
    ] {
        let mut command = program();
        command.arg("connect").args(wrong);
        fails(&outcome(command), 2, &[]);
    }
    let mut command = program();
    command.args(["--idle-timeout", "5s", "connect", &at]);
    fails(&outcome(command), 2, &["leave --idle-timeout out"]);
}
