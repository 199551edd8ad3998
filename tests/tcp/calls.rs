//! What a request costs in calls to the kernel: one read, one write, and none that is in vain.
//!
//! `strace` watches the daemon. Where it is not installed, or may not watch, the test says so and
//! does nothing; where `PULSEGATE_NO_SKIP` is set, as it is in CI, that is a failure.

use std::path::Path;
use std::process::Command;

use crate::client::{Client, Framing, eventually};
use crate::daemon::Daemon;

const CLIENTS: usize = 20;
const ROUNDS: usize = 25;

/// Whether there is a `strace` that may watch.
fn can_watch() -> bool {
    let tried = Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .output();
    let why = match tried {
        Err(error) => format!("strace: {error}"),
        Ok(done) if !done.status.success() => String::from_utf8_lossy(&done.stderr).into_owned(),
        Ok(_) => return true,
    };
    let may_skip = std::env::var_os("PULSEGATE_NO_SKIP").is_none();
    assert!(may_skip, "PULSEGATE_NO_SKIP is set, and {why}");
    eprintln!("skipped: {why}");
    false
}

/// Every call on a descriptor between the requests that mark `begin` and `end`.
fn calls(log: &Path, begin: &str, end: &str) -> Vec<String> {
    let text = eventually("strace has written everything", || {
        let text = std::fs::read_to_string(log).unwrap();
        text.contains("+++ killed by SIGKILL +++").then_some(text)
    });
    let lines = text.lines().skip_while(|line| !line.contains(begin));
    let between = lines.take_while(|line| !line.contains(end)).skip(1);
    between.map(str::to_owned).collect()
}

fn of<'a>(calls: &'a [String], name: &str) -> Vec<&'a str> {
    let named = calls.iter().filter(|call| call.starts_with(name));
    named.map(String::as_str).collect()
}

/// Asks for a topic that nobody needs, so that its name stands in the log.
fn mark(client: &mut Client, name: &str) {
    client.asks(&format!("join {name}"), "ok");
}

#[test]
fn a_request_takes_one_read_and_one_write_and_no_call_is_in_vain() {
    if !can_watch() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("calls");
    let daemon = Daemon::start_watched(
        "[[listener]]\nname = \"main\"\nbind = \"127.0.0.1:0\"\n",
        &log,
    );
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| daemon.main(Framing::Line)).collect();
    for client in &mut clients {
        client.asks("ping", "pong");
    }
    clients[0].login("ann");
    mark(&mut clients[0], "one-begins");
    for _ in 0..ROUNDS {
        for client in &mut clients {
            client.say("ping");
        }
        for client in &mut clients {
            client.hears("pong");
        }
    }
    mark(&mut clients[0], "sixteen-begin");
    for _ in 0..ROUNDS {
        for client in &mut clients {
            client.send("ping\n".repeat(16));
        }
        for client in &mut clients {
            client.exactly(16 * "pong\n".len());
        }
    }
    mark(&mut clients[0], "the-end");
    drop(daemon);
    for (begin, end) in [
        ("one-begins", "sixteen-begin"),
        ("sixteen-begin", "the-end"),
    ] {
        let calls = calls(&log, begin, end);
        let (reads, writes) = (of(&calls, "recvfrom("), of(&calls, "sendto("));
        let waits = of(&calls, "epoll_wait(");
        let batches = CLIENTS * ROUNDS;
        assert_eq!(reads.len(), batches, "{begin}: {calls:#?}");
        // The mark that begins it is answered, too.
        assert_eq!(writes.len(), batches + 1, "{begin}: {calls:#?}");
        assert_eq!(
            calls.len(),
            reads.len() + writes.len() + waits.len(),
            "{calls:#?}"
        );
        let vain: Vec<_> = calls
            .iter()
            .filter(|call| call.contains("= -1 E"))
            .collect();
        assert!(vain.is_empty(), "{begin}: {vain:#?}");
        assert!(
            reads.iter().all(|read| read.contains("\"ping\\n")),
            "{reads:#?}"
        );
    }
}
