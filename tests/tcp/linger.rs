//! The time after a goodbye: it arrives, and then the socket is let go.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::client::{Client, Framing, eventually};
use crate::daemon::Daemon;
use crate::skip::skip;

#[test]
fn a_goodbye_arrives_however_much_input_was_left_unread() {
    // Closing a socket with unread input turns the FIN into a reset, which destroys what was sent.
    let daemon = Daemon::new("");
    for round in 0..100 {
        let mut client = daemon.line();
        let rest = "ping\n".repeat(round * 120);
        client.send(format!("quit\n{rest}"));
        client.closes("quit");
    }
    for round in 0..100 {
        let mut client = daemon.client(Framing::Binary);
        let mut bytes = b"\xff\xff\xff\xff".to_vec();
        bytes.resize(4 + round * 600, 0);
        client.send(bytes);
        client.closes("protocol");
    }
}

#[test]
fn a_replaced_flooder_still_hears_why() {
    let daemon = Daemon::new("");
    for _ in 0..20 {
        let mut old = daemon.user("alice");
        old.send("pong\n".repeat(10_000));
        let _new = daemon.user("alice");
        old.closes("replaced");
    }
}

#[test]
fn who_goes_on_sending_after_a_goodbye_is_cut_off() {
    let daemon = Daemon::new("");
    let mut client = daemon.line();
    client.send("quit\n");
    let block = "ping\n".repeat(10_000);
    let began = Instant::now();
    while client.try_send(&block).is_ok() {
        assert!(began.elapsed() < Duration::from_secs(10), "never cut off");
    }
}

#[test]
fn who_never_closes_after_a_goodbye_is_let_go_after_the_linger() {
    let daemon = Daemon::new("");
    let idle = daemon.descriptors();
    let mut clients: Vec<_> = (0..10).map(|_| daemon.line()).collect();
    for client in &mut clients {
        client.say("quit");
        client.hears("close quit");
    }
    eventually("their descriptors are free", || {
        (daemon.descriptors() == idle).then_some(())
    });
    drop(clients);
}

/// Sockets of a listener that no process has any more, those that only wait out their time left
/// aside. `None` where this machine does not tell.
fn orphans(listener: SocketAddr) -> Option<usize> {
    let mut ss = Command::new("ss");
    let port = format!("( sport = :{} )", listener.port());
    ss.args(["-tnHO", "state", "fin-wait-1", "state", "fin-wait-2"]);
    ss.args(["state", "closing", "state", "last-ack", &port]);
    let Ok(output) = ss.output() else {
        return skip("the tool `ss` is not installed");
    };
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8_lossy(&output.stdout).lines().count())
}

/// Clients who ask for more than their windows hold and read none of it, and then say this; how
/// many sockets are left of them when the daemon has let them go.
fn left_behind(what: &str, reason: &str) -> Option<usize> {
    const CROWD: usize = 50;
    let daemon = crate::admin::daemon("", "");
    let idle = daemon.descriptors();
    let mut crowd: Vec<_> = (0..CROWD)
        .map(|_| Client::narrow(daemon.addr("line"), Framing::Line))
        .collect();
    for client in &mut crowd {
        client.send("ping\n".repeat(1_500) + what);
    }
    let mut most = 0;
    eventually("their descriptors are free", || {
        most = most.max(daemon.descriptors() - idle);
        (most > 0 && daemon.descriptors() == idle).then_some(())
    });
    let left = orphans(daemon.addr("line"))?;
    let closed = &daemon.http().json("/v1/stats")["closed"];
    assert_eq!(closed[reason], CROWD, "{closed}");
    drop(crowd);
    Some(left)
}

#[test]
fn who_is_closed_for_what_it_did_and_reads_nothing_leaves_the_kernel_nothing() {
    // 64
    let Some(left) = left_behind(&"nonsense\n".repeat(16), "protocol") else {
        return;
    };
    assert_eq!(left, 0);
    // Who leaves by itself gets what it was owed, should it ever read.
    assert!(left_behind("quit\n", "quit").unwrap() > 0);
}
