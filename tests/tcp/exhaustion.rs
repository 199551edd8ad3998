//! What runs out: descriptors, places, somebody to read the log.

use std::time::{Duration, Instant};

use crate::admin;
use crate::client::{Client, Framing, eventually};
use crate::daemon::{Daemon, Ear};

const LINE: &str = "[[listener]]\nname = \"line\"\nbind = \"127.0.0.1:0\"\n";

/// Leaves the daemon so many descriptors; returns the limit before.
fn leave(daemon: &Daemon, spare: usize) -> Option<u64> {
    let wanted = (daemon.descriptors() + spare) as u64;
    daemon.limit_descriptors(Some(wanted))
}

#[test]
fn without_descriptors_newcomers_wait_nobody_spins_and_nobody_is_disturbed() {
    let daemon = Daemon::new("");
    let mut canary = daemon.line();
    canary.fence();
    let before = leave(&daemon, 2);
    let mut newcomers: Vec<_> = (0..12).map(|_| daemon.line()).collect();
    for newcomer in &mut newcomers {
        newcomer.say("ping");
    }
    for _ in 0..50 {
        canary.fence();
    }
    let used = daemon.cpu_ticks();
    canary.quiet(Duration::from_secs(1));
    let used = daemon.cpu_ticks() - used;
    assert!(
        used < 5,
        "the loop spins: {used} ticks of 10 ms in a second"
    );
    daemon.limit_descriptors(before);
    let freed = Instant::now();
    // Nobody knocks again: those who wait are let in all the same.
    for newcomer in &mut newcomers {
        newcomer.hears("pong");
    }
    assert!(
        freed.elapsed() < Duration::from_secs(1),
        "{:?}",
        freed.elapsed()
    );
    canary.fence();
}

#[test]
fn who_waits_for_a_descriptor_gets_that_of_who_leaves() {
    let daemon = Daemon::new("");
    let mut inside: Vec<_> = (0..5).map(|_| daemon.line()).collect();
    for client in &mut inside {
        client.fence();
    }
    leave(&daemon, 0);
    let mut outside: Vec<_> = (0..5).map(|_| daemon.line()).collect();
    for client in &mut outside {
        client.say("ping");
    }
    for mut client in inside {
        client.half_close();
        client.eof();
    }
    for client in &mut outside {
        client.hears("pong");
    }
}

#[test]
fn the_descriptor_limit_decides_how_many_connections_there_may_be() {
    let daemon = Daemon::start_limited(LINE, 160);
    let mut canary = daemon.line();
    canary.fence();
    let mut served = 0;
    let mut clients: Vec<_> = (0..100).map(|_| daemon.line()).collect();
    for client in &mut clients {
        let _ = client.try_send("ping\n");
    }
    for client in &mut clients {
        let answer = client.hear_text();
        served += usize::from(answer == "pong");
        assert!(
            answer == "pong" || answer.starts_with("close overloaded "),
            "{answer}"
        );
    }
    assert!((10..100).contains(&served), "{served}");
    canary.fence();
}

#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    // 62
    for ear in [Ear::Blocked, Ear::Closed] {
        let daemon = admin::daemon("[log]\nlevel = \"trace\"\n", "");
        daemon.listen_to_log(ear);
        // More lines than a pipe holds, were each connection one or two.
        for _ in 0..1_000 {
            let mut client = Client::connect(daemon.addr("line"), Framing::Line);
            client.fails("quit quit quit quit quit quit quit", "bad-request");
        }
        daemon.line().fence();
        // What nobody could be told is counted.
        let metrics = daemon.http().get("/metrics").text();
        let lines = metrics.lines();
        let mut dropped =
            lines.filter_map(|line| line.strip_prefix("pulsegate_log_lines_dropped_total "));
        let dropped: u64 = dropped.next().unwrap().parse().unwrap();
        assert!(dropped > 100, "{ear:?}: {dropped}");
    }
}

#[test]
fn resets_in_every_state_leave_nothing_behind() {
    let daemon = Daemon::new("");
    let mut watcher = daemon.user("watcher");
    let mut other = daemon.user("other");
    other.asks("join t", "ok");
    let idle = daemon.descriptors();
    let states = [
        "",
        "pi",
        "login half",
        "login u\n",
        "login u\njoin t\n",
        "login u\njoin t\nasend u x\n",
        "login u\njoin t\nsend other half a fr",
        "quit\n",
        "quit\nand more",
        "GET / HT",
        "GET / HTTP",
        "login u\nquit\n",
        "\u{fffd}\n",
        "login u\njoin t\npub t x\n",
    ];
    for round in 0..20 {
        for state in states {
            let mut client = daemon.line();
            let _ = client.try_send(state);
            if round % 2 == 0 {
                // With a broadcast under way, or not.
                watcher.say("pub t hello");
                watcher.hears_some("ok queued=");
            }
            client.reset();
        }
    }
    eventually("all their descriptors are free", || {
        (daemon.descriptors() == idle).then_some(())
    });
    eventually("their user is gone", || {
        watcher.say("send u x");
        watcher
            .hear_text()
            .starts_with("error no-such-user")
            .then_some(())
    });
    watcher.asks("pub t last", "ok queued=1");
    while other.message().body != "last" {}
    other.fence();
}
