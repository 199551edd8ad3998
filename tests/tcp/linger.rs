//! The time after a goodbye: it arrives, and then the socket is let go.

use std::time::{Duration, Instant};

use crate::client::{Framing, eventually};
use crate::daemon::Daemon;

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
