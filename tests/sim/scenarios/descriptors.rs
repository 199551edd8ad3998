//! Group E: descriptors, slots and newcomers.

use pulsegate::{CloseReason, Limits, Settings};
use rustix::io::Errno;

use super::{Stage, ms, s};
use crate::world::Path;
use crate::world::agenda::{MILLI, SECOND};
use crate::world::faults::{DROUGHT, NEWCOMER};

#[test]
fn newcomers_are_accepted_when_descriptors_come_back_without_a_new_edge() {
    // 51, 52
    let mut stage = Stage::new(Settings::default());
    let old = stage.connect();
    stage.net().kernel.fd_limit = 2;
    let newcomer = stage.dial(Path::default());
    let before = stage.server.gate().stats().turns;
    stage.pass(s(10));
    let turns = stage.server.gate().stats().turns - before;
    assert!(turns < 400, "{turns} turns in 10 s: it spins");
    assert_eq!(stage.ask(old, "ping\n"), "pong\n", "the old ones live");
    stage.net().kernel.fd_limit = 3;
    stage.pass(ms(200));
    assert_eq!(
        stage.ask(newcomer, "ping\n"),
        "pong\n",
        "accepted within 200 ms"
    );
}

#[test]
fn every_error_of_exhaustion_pauses_and_every_error_of_a_newcomer_is_skipped() {
    // 53
    for errno in DROUGHT {
        let mut stage = Stage::new(Settings::default());
        let until = stage.now() + 3 * SECOND;
        stage.net().drought = Some((until, errno));
        let peer = stage.dial(Path::default());
        let before = stage.server.gate().stats().turns;
        stage.pass(ms(2_900));
        let turns = stage.server.gate().stats().turns - before;
        assert!(turns < 150, "{errno:?}: {turns} turns in 3 s");
        stage.pass(ms(200));
        assert_eq!(stage.ask(peer, "ping\n"), "pong\n", "{errno:?}");
    }
    assert!(NEWCOMER.contains(&Errno::CONNABORTED));
    let mut stage = Stage::new(Settings::default());
    stage.net().faults.newcomer_failed = crate::world::dice::Rate::per_mille(700);
    let peers: Vec<_> = (0..100).map(|_| stage.dial(Path::default())).collect();
    stage.pass(ms(20));
    let stats = stage.server.gate().stats().clone();
    assert_eq!(
        stats.accepted + stats.accept_faults,
        100,
        "each one is taken or skipped at once"
    );
    assert_eq!(stats.accept_pauses, 0);
    assert_eq!(peers.len(), 100);
}

#[test]
fn one_too_many_is_told_so_and_closed() {
    // 54
    let limits = Limits {
        connections: 3,
        refusals: 2,
        ..Limits::default()
    };
    let mut stage = Stage::within(limits);
    let peers: Vec<_> = (0..3).map(|_| stage.connect()).collect();
    for round in 0..10 {
        let extra = stage.connect();
        assert_eq!(stage.hear(extra), "close overloaded 1000\n", "{round}");
        stage.net().kernel.leave(extra);
        stage.settle();
    }
    assert_eq!(stage.server.gate().connections(), 3);
    let stats = stage.server.gate().stats();
    assert_eq!((stats.refused, stats.accepted), (10, 13), "each is counted");
    stage.net().kernel.leave(peers[0]);
    stage.settle();
    let next = stage.connect();
    assert_eq!(stage.ask(next, "ping\n"), "pong\n");
    assert_eq!(
        stage.events.len(),
        5,
        "who was refused was never told to the handler"
    );
}

#[test]
fn refused_newcomers_that_do_not_leave_do_not_block_the_door_for_ever() {
    // 54
    let limits = Limits {
        connections: 1,
        refusals: 2,
        ..Limits::default()
    };
    let mut stage = Stage::within(limits);
    let first = stage.connect();
    let rude: Vec<_> = (0..6).map(|_| stage.dial(Path::default())).collect();
    stage.pass(s(5));
    for peer in rude {
        assert_eq!(stage.hear(peer), "close overloaded 1000\n");
    }
    stage.net().kernel.leave(first);
    stage.settle();
    let next = stage.connect();
    assert_eq!(stage.ask(next, "ping\n"), "pong\n");
}

#[test]
fn a_storm_of_newcomers_costs_the_old_ones_nothing() {
    // 61: 5,000 arrive within a second while 100 beat on.
    let limits = Limits {
        accepts: 16,
        ..Limits::default()
    };
    let settings = Settings {
        idle_timeout: Some(s(1)),
        ..Settings::default()
    };
    let mut stage = Stage::limited(settings, limits);
    stage.checks = false;
    let old: Vec<_> = (0..100).map(|_| stage.dial(Path::default())).collect();
    stage.settle();
    for round in 0..10 {
        for _ in 0..500 {
            stage.net().kernel.dial(0, None, Path::default());
        }
        for &peer in &old {
            stage.say(peer, "ping\n");
        }
        let until = stage.now() + 100 * MILLI;
        stage.net().horizon = until;
        while stage.now() < until {
            let before = stage.server.gate().stats().accepted;
            stage.turn();
            let taken = stage.server.gate().stats().accepted - before;
            assert!(taken <= 16, "{taken} newcomers in a turn");
        }
        for &peer in &old {
            assert_eq!(stage.hear(peer), "pong\n", "round {round}");
        }
    }
    stage.server.gate().check();
    assert_eq!(stage.server.gate().stats().accepted, 5_100);
    assert!(old.iter().all(|&peer| stage.reason(peer).is_none()));
}

#[test]
fn a_connection_that_can_not_be_registered_is_let_go() {
    let mut stage = Stage::new(Settings::default());
    stage.net().faults.register_failed = crate::world::dice::Rate(u32::MAX);
    let peer = stage.dial(Path::default());
    stage.settle();
    stage.net().faults.register_failed = crate::world::dice::Rate::NEVER;
    assert_eq!(stage.server.net().kernel.held, 0);
    assert_eq!(stage.events, [], "the handler knows nothing of it");
    stage.net().kernel.leave(peer);
    stage.pass(ms(200));
    let next = stage.connect();
    assert_eq!(stage.ask(next, "ping\n"), "pong\n");
}

#[test]
fn a_second_listener_is_not_starved_by_a_full_house() {
    // 106: every slot that becomes free must not always go to the first listener.
    let limits = Limits {
        connections: 2,
        refusals: 1,
        ..Limits::default()
    };
    let mut stage = Stage::within(limits);
    stage.server.listen(Settings::default()).expect("listens");
    stage.checks = false;
    for _ in 0..2 {
        stage.connect();
    }
    let other = stage
        .net()
        .kernel
        .dial(1, None, Path::default())
        .expect("connects");
    let end = stage.now() + 3 * SECOND;
    while stage.now() < end {
        for _ in 0..4 {
            let rude = stage.net().kernel.dial(0, None, Path::default());
            if let Some(peer) = rude {
                stage.net().kernel.leave(peer);
            }
        }
        stage.pass(std::time::Duration::from_nanos(20 * MILLI));
    }
    let waits = stage.server.net().kernel.listeners[1]
        .queue
        .contains(&other);
    assert!(!waits, "three seconds at the second door");
    assert_eq!(stage.reason(other), None::<CloseReason>);
}
