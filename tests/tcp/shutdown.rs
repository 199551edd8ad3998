//! How the daemon leaves: told to everybody, spread where wanted, never longer than allowed.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::client::eventually;
use crate::daemon::Daemon;
use crate::slow::Stuck;

const MS: Duration = Duration::from_millis(1);

#[test]
fn a_shutdown_says_goodbye_to_everybody_and_exits_with_zero() {
    let mut daemon = Daemon::new("");
    let mut clients = daemon.each();
    let mut user = daemon.user("alice");
    daemon.signal(Signal::TERM);
    for client in &mut clients {
        let (reason, _) = client.goodbye();
        assert_eq!(reason, "shutdown");
        client.eof();
    }
    assert_eq!(user.goodbye().0, "shutdown");
    user.eof();
    let status = daemon.exit();
    assert!(status.success(), "{status}");
}

#[test]
fn an_interrupt_is_a_shutdown_too() {
    let mut daemon = Daemon::new("");
    let mut client = daemon.line();
    client.fence();
    daemon.signal(Signal::INT);
    assert_eq!(client.goodbye().0, "shutdown");
    client.eof();
    assert!(daemon.exit().success());
}

#[test]
fn a_shutdown_delivers_what_was_queued_before() {
    let mut daemon = Daemon::new("");
    let mut alice = daemon.user("alice");
    let mut bob = daemon.user("bob");
    for number in 0..100 {
        alice.asks(&format!("send bob {number}"), "ok queued=1");
    }
    daemon.signal(Signal::TERM);
    for number in 0..100 {
        assert_eq!(bob.message().body, number.to_string());
    }
    assert_eq!(bob.goodbye().0, "shutdown");
    assert!(daemon.exit().success());
}

#[test]
fn a_shutdown_waits_for_nobody_longer_than_its_timeout() {
    let top = "[drain]\ntimeout = \"300ms\"";
    let mut daemon = Daemon::with(top, "write_timeout = \"60s\"\noutput_age = \"60s\"");
    let mut alice = daemon.user("alice");
    let stuck = Stuck::new(&daemon, "stuck");
    stuck.fill(&mut alice, 100);
    let began = Instant::now();
    daemon.signal(Signal::TERM);
    daemon.exit();
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn the_goodbyes_of_a_shutdown_may_be_spread() {
    let mut daemon = Daemon::with("[drain]\nover = \"400ms\"", "");
    let mut clients: Vec<_> = (0..20).map(|_| daemon.line()).collect();
    for client in &mut clients {
        client.fence();
    }
    let began = Instant::now();
    daemon.signal(Signal::TERM);
    let mut ends = Vec::new();
    for client in &mut clients {
        assert_eq!(client.goodbye().0, "shutdown");
        client.eof();
        ends.push(began.elapsed());
    }
    assert!(ends.iter().max() >= Some(&(200 * MS)), "{ends:?}");
    assert!(daemon.exit().success());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut daemon = Daemon::with("[drain]\nover = \"60s\"\ntimeout = \"60s\"", "");
    let mut clients: Vec<_> = (0..20).map(|_| daemon.line()).collect();
    for client in &mut clients {
        client.fence();
    }
    daemon.signal(Signal::TERM);
    // The first one was taken once somebody is told, or newcomers are refused.
    eventually("the first signal is obeyed", || {
        std::net::TcpStream::connect(daemon.addr("line"))
            .is_err()
            .then_some(())
    });
    daemon.signal(Signal::TERM);
    daemon.exit();
}

#[test]
fn a_hang_up_ends_nothing() {
    let mut daemon = Daemon::new("");
    let mut client = daemon.line();
    for _ in 0..10 {
        daemon.signal(Signal::HUP);
        client.fence();
    }
    daemon.signal(Signal::TERM);
    assert_eq!(client.goodbye().0, "shutdown");
    assert!(daemon.exit().success());
}
