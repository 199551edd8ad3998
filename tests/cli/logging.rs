//! The log never stops the daemon, whatever becomes of stderr, and never says what a stranger
//! wants it to.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::client::Client;
use crate::daemon::{Daemon, LINE};
use crate::program::{program, shell};

/// Makes many lines of log, and demands quick answers all the while.
fn torment(daemon: &Daemon) {
    let mut canary = daemon.client();
    let mut slowest = Duration::ZERO;
    for _ in 0..1_500 {
        let mut client = daemon.client();
        client.send("nonsense\nquit\n");
        let began = Instant::now();
        canary.fence();
        slowest = slowest.max(began.elapsed());
        assert!(client.text().ends_with("close quit\n"));
    }
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}

#[test]
fn a_log_that_goes_nowhere_stops_nothing() {
    for redirect in ["2>&-", "2>/dev/full", "2>/dev/null", "0<&- >&- 2>&-"] {
        let command = shell(&format!("exec \"$0\" \"$@\" {redirect}"));
        let mut daemon = Daemon::unheard(command, LINE, &["-vv"]);
        torment(&daemon);
        daemon.signal(Signal::TERM);
        assert!(daemon.exit().success(), "{redirect}");
    }
}

#[test]
fn a_pipe_that_nobody_reads_stops_nothing() {
    for format in ["text", "json"] {
        let line = format!("exec \"$0\" \"$@\" --log-format {format}");
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = shell(&line);
        command.stderr(Stdio::from(writer));
        let mut daemon = Daemon::redirected(command, LINE, &["-vv"]);
        torment(&daemon);
        daemon.signal(Signal::TERM);
        assert!(daemon.exit().success());
        // What went into the pipe before it was full are whole lines.
        let text = std::io::read_to_string(reader).unwrap();
        assert!(text.len() > 50_000, "{}", text.len());
        assert!(
            text.ends_with('\n') && text.lines().all(|line| is_line(line, format)),
            "{text}"
        );
    }
}

fn is_line(line: &str, format: &str) -> bool {
    match format {
        "json" => serde_json::from_str::<serde_json::Value>(line).is_ok(),
        _ => line.contains(" [20") && line.contains("Z] "),
    }
}

#[test]
fn a_reader_of_the_log_that_goes_stops_nothing() {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = program();
    command.stderr(Stdio::from(writer));
    let mut daemon = Daemon::redirected(command, LINE, &["-vv"]);
    daemon.client().fence();
    drop(reader);
    torment(&daemon);
    daemon.signal(Signal::TERM);
    assert!(daemon.exit().success());
}

#[test]
fn what_strangers_send_never_reaches_the_log_raw() {
    const HOSTILE: [&str; 8] = [
        "a\u{1b}[31mred",
        "a\rINFO  [2026-01-01T00:00:00.000Z] forged",
        "a\u{202e}b",
        "a\0b",
        "a\u{85}b",
        "a\u{2028}b",
        "INFO",
        "{\"level\":\"error\"}",
    ];
    for format in ["text", "json"] {
        let mut daemon = Daemon::start_with(LINE, &["-vv", "--log-format", format]);
        for name in HOSTILE {
            let mut client = daemon.client();
            client.send(format!(
                "login {name}\njoin {name}\npub {name} {name}\n{name}\nquit\n"
            ));
            assert!(client.text().ends_with("close quit\n"), "{name:?}");
        }
        // A first frame like these is dropped without an answer.
        for frame in [
            "GET / HTTP/1.1\r\n\r\n",
            "\x16\x03\x01\u{1b}[\x01\n",
            "SSH-2.0-\u{1b}c\r\n",
        ] {
            let mut client = daemon.client();
            client.send(frame);
            assert_eq!(client.rest(), b"", "{frame:?}");
        }
        let mut invalid = daemon.client();
        invalid.send(b"login \xff\x1b[31m\n");
        assert_eq!(invalid.text(), "close protocol\n");
        daemon.signal(Signal::TERM);
        assert!(daemon.exit().success());
        daemon.logs("done");
        let log = daemon.log();
        let raw = |char: char| {
            char != '\n' && (char.is_control() || ('\u{2028}'..='\u{202e}').contains(&char))
        };
        assert!(!log.contains(raw), "{log:?}");
        for line in log.lines() {
            assert!(is_line(line, format), "{line}");
            assert!(
                !line.starts_with("INFO") || !line.contains("forged"),
                "{line}"
            );
        }
    }
}

#[test]
fn a_flood_of_strangers_adds_no_line_to_the_log() {
    // Nobody can fill a disk by knocking: above debug the log is the life of the process.
    let mut daemon = Daemon::start(LINE);
    for number in 0..500 {
        let mut client = daemon.client();
        client.send(format!("nonsense {number}\n\u{fffd}{number}\nquit\n"));
        assert!(client.text().ends_with("close quit\n"));
    }
    daemon.signal(Signal::TERM);
    assert!(daemon.exit().success());
    daemon.logs("done");
    assert_eq!(daemon.log().lines().count(), 3, "{}", daemon.log());
}

#[test]
fn debug_tells_every_connection_from_its_begin_to_its_end() {
    let daemon = Daemon::start_with(LINE, &["-v"]);
    let mut clients: Vec<Client> = (0..50).map(|_| daemon.client()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.login(&format!("user-{number}"));
        client.asks("quit", "close quit");
    }
    for number in 0..50 {
        daemon.logs(&format!(" closed reason=quit user=user-{number} "));
    }
    assert_eq!(daemon.log().matches(" opened peer=127.0.0.1:").count(), 50);
}

#[test]
fn the_journal_stamps_lines_itself() {
    let starts_like = |command: Command| {
        let daemon = Daemon::launch(command, LINE, &[]);
        daemon.log()
    };
    // The variable alone is inherited by whoever a service starts: it names another stream.
    let mut command = program();
    command.env("JOURNAL_STREAM", "1:2");
    assert!(starts_like(command).starts_with("INFO  [20"));
    // Here it names the stream that is stderr.
    let line = "export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2); exec \"$0\" \"$@\"";
    let log = starts_like(shell(line));
    assert!(
        log.starts_with("INFO  [pulsegate") && !log.contains("[20"),
        "{log}"
    );
}
