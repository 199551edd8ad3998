//! Every way a connection ends, as the client sees it.

use std::time::{Duration, Instant};

use crate::client::{eventually, framed};
use crate::daemon::Daemon;

const MS: Duration = Duration::from_millis(1);

#[test]
fn silence_ends_with_idle_timeout_and_never_early() {
    let daemon = Daemon::new("idle_timeout = \"300ms\"");
    let began = Instant::now();
    for mut client in daemon.each() {
        client.closes("idle-timeout");
        assert!(began.elapsed() >= 300 * MS, "{:?}", began.elapsed());
    }
    let mut client = daemon.line();
    client.fence();
    let last = Instant::now();
    client.fence();
    client.closes("idle-timeout");
    assert!(last.elapsed() >= 300 * MS);
}

#[test]
fn a_ping_of_the_server_saves_nobody_who_does_not_answer() {
    let daemon = Daemon::new("ping_after = \"100ms\"\nidle_timeout = \"400ms\"");
    let mut client = daemon.line();
    let began = Instant::now();
    client.hears("ping");
    assert!(began.elapsed() >= 100 * MS);
    while client.hear_text() == "ping" {}
    assert!(began.elapsed() >= 400 * MS);
    client.eof();
}

#[test]
fn any_byte_counts_against_idleness() {
    let daemon = Daemon::new("idle_timeout = \"1s\"");
    let mut client = daemon.line();
    let began = Instant::now();
    // Empty lines, bare bytes of a frame, whole frames: twice the timeout in all.
    for byte in ["\n", "\n", "p", "i", "n", "g"] {
        client.send(byte);
        client.quiet(340 * MS);
    }
    client.send("\n");
    client.hears("pong");
    assert!(began.elapsed() > 2_000 * MS);
    client.closes("idle-timeout");
}

#[test]
fn heartbeats_keep_a_connection_for_ever() {
    let daemon = Daemon::new("idle_timeout = \"200ms\"");
    let mut clients = daemon.each();
    let pings: [&[u8]; 3] = [b"ping", br#"{"type":"ping"}"#, b"\x01"];
    let began = Instant::now();
    while began.elapsed() < 1_000 * MS {
        for (client, ping) in clients.iter_mut().zip(pings) {
            client.say(ping);
            client.hear();
        }
        clients[0].quiet(30 * MS);
    }
}

#[test]
fn who_does_not_log_in_in_time_is_closed() {
    let daemon = Daemon::new("login = \"required\"\nlogin_timeout = \"300ms\"");
    let began = Instant::now();
    for mut client in daemon.each() {
        client.closes("login-timeout");
        assert!(began.elapsed() >= 300 * MS);
    }
    let mut busy = daemon.line();
    let mut user = daemon.user("alice");
    for _ in 0..5 {
        busy.fence();
    }
    busy.closes("login-timeout");
    user.fence();
}

#[test]
fn a_half_frame_ends_with_frame_timeout_however_it_drips() {
    let daemon = Daemon::new("frame_timeout = \"300ms\"");
    let halves: [&[u8]; 3] = [b"pi", b"length:00", b"\0\0"];
    for (mut client, half) in daemon.each().into_iter().zip(halves) {
        let began = Instant::now();
        client.send(half);
        client.closes("frame-timeout");
        assert!(began.elapsed() >= 300 * MS);
    }
    let mut client = daemon.line();
    let began = Instant::now();
    client.send("x");
    while began.elapsed() < 200 * MS {
        client.quiet(20 * MS);
        client.send("x");
    }
    client.closes("frame-timeout");
    assert!(began.elapsed() >= 300 * MS);
}

#[test]
fn each_frame_has_its_own_time() {
    let daemon = Daemon::new("frame_timeout = \"300ms\"");
    let mut client = daemon.line();
    let began = Instant::now();
    while began.elapsed() < 900 * MS {
        client.send("pi");
        client.quiet(50 * MS);
        client.send("ng\n");
        client.hears("pong");
    }
}

#[test]
fn a_lifetime_ends_whatever_is_sent() {
    let daemon = Daemon::new("lifetime = \"300ms\"");
    let began = Instant::now();
    for mut client in daemon.each() {
        client.closes("lifetime");
        assert!(began.elapsed() >= 300 * MS);
    }
    let mut client = daemon.line();
    loop {
        client.say("ping");
        let answer = client.hear_text();
        if answer == "close lifetime" {
            break;
        }
        assert_eq!(answer, "pong");
    }
}

#[test]
fn quit_is_answered_and_nothing_after_it() {
    let daemon = Daemon::new("");
    let mut client = daemon.line();
    client.send("ping\nquit\nping\nping\n");
    client.hears("pong");
    client.closes("quit");
}

#[test]
fn a_half_close_is_answered_to_the_last_frame_and_ends_without_goodbye() {
    let daemon = Daemon::new("");
    let pings: [&[u8]; 3] = [b"ping", br#"{"type":"ping"}"#, b"\x01"];
    for (mut client, ping) in daemon.each().into_iter().zip(pings) {
        let frames = framed(client.framing(), ping).repeat(500);
        let half = &framed(client.framing(), ping)[..3];
        client.send([&frames, half].concat());
        client.half_close();
        for _ in 0..500 {
            client.hear();
        }
        client.eof();
    }
}

#[test]
fn a_half_close_alone_is_a_close() {
    let daemon = Daemon::new("");
    for mut client in daemon.each() {
        client.half_close();
        client.eof();
    }
}

#[test]
fn one_connection_too_many_is_told_when_to_come_back() {
    let daemon = Daemon::with("[limits]\nconnections = 2", "");
    let mut first = daemon.line();
    let mut second = daemon.line();
    first.fence();
    second.fence();
    for mut client in daemon.each() {
        let (reason, ms) = client.goodbye();
        assert_eq!(reason, "overloaded");
        assert!(ms.is_some_and(|ms| ms > 0));
        client.eof();
    }
    first.fence();
    second.say("quit");
    second.closes("quit");
    eventually("there is room again", || {
        let mut client = daemon.line();
        client.try_send("ping\n").ok()?;
        (client.hear_text() == "pong").then_some(())
    });
    first.fence();
}

#[test]
fn a_storm_over_the_limit_leaves_everybody_inside_in_peace() {
    let daemon = Daemon::with("[limits]\nconnections = 20", "");
    let mut inside: Vec<_> = (0..20).map(|_| daemon.line()).collect();
    for client in &mut inside {
        client.fence();
    }
    let outside: Vec<_> = (0..200).map(|_| daemon.line()).collect();
    for client in &mut inside {
        client.fence();
    }
    for mut client in outside {
        let (rest, _) = client.rest();
        let text = String::from_utf8(rest).unwrap();
        // Where more linger than there are places to linger in, the goodbye is skipped.
        assert!(
            text.is_empty() || text.starts_with("close overloaded "),
            "{text}"
        );
    }
    for client in &mut inside {
        client.fence();
    }
}

#[test]
fn no_descriptor_is_left_behind() {
    let daemon = Daemon::new("");
    let idle = daemon.descriptors();
    for round in 0..20 {
        let clients = [daemon.each(), daemon.each()].into_iter().flatten();
        for (at, mut client) in clients.enumerate() {
            match (round + at) % 4 {
                0 => client.reset(),
                1 => client.send("GET / HTTP/1.1\r\n\r\n"),
                2 => client.half_close(),
                _ => {}
            }
        }
    }
    eventually("all descriptors are free", || {
        (daemon.descriptors() == idle).then_some(())
    });
    daemon.line().fence();
}
