//! Rows whose promise is a number: what is counted, held once, refused, or not done again.

use std::time::Duration;

use pulsegate::codec::framing::Guess;
use pulsegate::{CloseReason, ErrorCode, Limits, Push, Target};
use rustix::io::Errno;

use super::{Stage, ms, s};
use crate::world::Path;
use crate::world::agenda::{MILLI, SECOND};
use crate::world::dice::Rate;
use crate::world::socket::Key;

fn stage(limits: Limits) -> Stage {
    Stage::within(limits)
}

fn crowd(stage: &mut Stage, count: usize, down_window: usize) -> Vec<Key> {
    let path = Path {
        down_window,
        ..Path::default()
    };
    let peers = (0..count).map(|_| stage.dial(path)).collect();
    stage.settle();
    peers
}

#[test]
fn each_guess_of_another_protocol_has_its_counter() {
    // 5
    let mut stage = stage(Limits::default());
    let openings: [(Guess, &[u8]); 3] = [
        (Guess::Http, b"GET / HTTP/1.1\r\n\r\n"),
        (Guess::Tls, b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"),
        (Guess::Ssh, b"SSH-2.0-x\r\n"),
    ];
    for (times, (guess, opening)) in (1..).zip(openings) {
        for _ in 0..times {
            let peer = stage.connect();
            stage.net().kernel.say(peer, opening);
            stage.settle();
            assert_eq!(stage.reason(peer), Some(CloseReason::Protocol), "{guess:?}");
        }
    }
    assert_eq!(stage.server.gate().stats().foreign, [1, 2, 3]);
    let peer = stage.connect();
    stage.say(peer, "GETTING there\n");
    stage.settle();
    assert_eq!(stage.server.gate().stats().foreign, [1, 2, 3]);
}

#[test]
fn a_hundred_thousand_beats_leave_one_timer_each_and_move_the_deadline() {
    // 34: the sweep demands that the wheel has one entry a connection; beats wake nobody else.
    let mut stage = stage(Limits::default());
    stage.checks = false;
    let peers = crowd(&mut stage, 10, 1 << 16);
    let beats = "\n".repeat(100);
    for _ in 0..100 {
        for &peer in &peers {
            stage.say(peer, &beats);
        }
        stage.pass(ms(997));
        stage.server.gate().check();
    }
    let said = stage.now() - 997 * SECOND / 1_000;
    assert_eq!(stage.server.gate().stats().beats, 100_000);
    let turns = stage.server.gate().stats().turns;
    stage.pass(s(58));
    let woken = stage.server.gate().stats().turns - turns;
    assert!(woken < 200, "{woken} turns in 58 quiet seconds");
    assert_eq!(stage.ends, []);
    stage.pass(s(2));
    for peer in peers {
        stage.assert_ended(peer, CloseReason::IdleTimeout, said + 60 * SECOND);
    }
}

#[test]
fn a_message_to_many_is_held_once() {
    // 42: a payload, and a reference for each of those who are stuck; nobody waits for them.
    const MANY: u32 = 100_000;
    const STUCK: usize = 1_000;
    let mut stage = stage(Limits {
        connections: MANY,
        ..Limits::default()
    });
    stage.checks = false;
    let mut stuck = crowd(&mut stage, STUCK, 16);
    let canary = stage.connect();
    let (mut others, rest) = (Vec::new(), MANY as usize - 1 - STUCK);
    while others.len() < rest {
        let some = (rest - others.len()).min(4_000);
        others.extend(crowd(&mut stage, some, 4_096));
    }
    let body = "x".repeat(2_000);
    let receipt = stage
        .server
        .gate_mut()
        .push(Target::Everyone, &Push::text(&body));
    assert_eq!(receipt.map(|receipt| receipt.queued), Ok(MANY));
    // Whoever speaks meanwhile is answered in the turn that hears it.
    let frames_out = |stage: &Stage| stage.server.gate().stats().frames_out;
    let (before, mut turns) = (frames_out(&stage), 0);
    while frames_out(&stage) - before < u64::from(MANY) + turns / 2 {
        stage.say(canary, "ping\n");
        stage.turn();
        stage.turn();
        turns += 2;
        assert_eq!(stage.hear(canary).matches("pong\n").count(), 1);
    }
    let least = u64::from(MANY) / u64::from(stage.server.gate().limits().fanout);
    assert!((least..=least + 4).contains(&turns), "{turns} turns");
    stage.settle();
    let held = stage.server.gate().bytes_held()[1];
    let most = body.len() + 1_000 + STUCK * 500;
    assert!((body.len()..most).contains(&held), "{held} of {most}");
    for peer in others {
        let heard = stage.hear(peer).len();
        assert!(heard > body.len(), "{heard} bytes arrived");
    }
    for peer in stuck.drain(..) {
        stage.net().kernel.reset(peer);
    }
    stage.settle();
    assert_eq!(stage.server.gate().bytes_held(), [0, 0, 0]);
    stage.server.gate().check();
}

#[test]
fn a_storm_of_broadcasts_is_refused_by_jobs_by_receivers_and_by_bytes() {
    // 43
    let storms = [
        (8, 1 << 20, 1 << 20, 10),
        (1_000, 500, 1 << 20, 10),
        (1_000, 1 << 20, 100_000, 20_000),
    ];
    for (pushes, push_targets, output_budget, size) in storms {
        let mut stage = stage(Limits {
            fanout: 10,
            pushes,
            push_targets,
            output_budget,
            ..Limits::default()
        });
        let peers = crowd(&mut stage, 100, 1 << 20);
        let text = "b".repeat(size);
        let gate = stage.server.gate_mut();
        let answers: Vec<_> = (0..100)
            .map(|_| gate.push(Target::Everyone, &Push::text(&text)))
            .collect();
        let taken = answers.iter().filter(|answer| answer.is_ok()).count();
        assert!((2..=8).contains(&taken), "{taken} of {pushes}");
        let refused = answers.iter().filter_map(|answer| answer.err());
        assert!(refused.eq([ErrorCode::Overloaded].repeat(100 - taken)));
        stage.pass(s(1));
        for &peer in &peers {
            assert_eq!(
                stage.hear(peer).lines().count(),
                taken,
                "all of those taken"
            );
        }
        let again = stage
            .server
            .gate_mut()
            .push(Target::Everyone, &Push::text("x"));
        assert!(again.is_ok(), "the storm has passed");
    }
}

#[test]
fn a_call_that_a_signal_cut_short_is_made_again() {
    // 70
    let mut stage = stage(Limits::default());
    stage.net().faults.interrupted_call = Rate::per_mille(500);
    stage.net().faults.interrupted = Rate::per_mille(500);
    let peer = stage.login("peer");
    for _ in 0..50 {
        assert_eq!(stage.ask(peer, "ping\nping\n"), "pong\npong\n");
    }
    assert_eq!(stage.reason(peer), None);
}

#[test]
fn a_kernel_that_gives_up_on_sent_bytes_is_a_write_timeout_only_where_more_waits() {
    // 70: ETIMEDOUT.
    for (window, reason) in [
        (1 << 16, CloseReason::PeerReset),
        (8, CloseReason::WriteTimeout),
    ] {
        let mut stage = stage(Limits::default());
        let peer = crowd(&mut stage, 1, window)[0];
        stage.say(peer, "ping\nping\nping\n");
        stage.settle();
        let socket = stage.net().kernel.get_mut(peer).expect("it is there");
        socket.facts.causes.add(reason);
        stage.net().kernel.reset_at_server(peer, Errno::TIMEDOUT);
        stage.settle();
        assert_eq!(stage.reason(peer), Some(reason));
        assert_eq!(stage.server.gate().bytes_held(), [0, 0, 0]);
    }
}

#[test]
fn no_silent_peer_is_closed_early_or_more_than_two_ticks_late() {
    // P1: last signs of life at every place within a tick, against the tick of the deadline.
    let mut stage = stage(Limits::default());
    let peers = crowd(&mut stage, 300, 1 << 16);
    let mut last = Vec::new();
    for &peer in &peers {
        stage.say(peer, "ping\n");
        let said = stage.now();
        let mut heard = String::new();
        while heard.is_empty() {
            stage.turn();
            stage.net().run_due();
            heard = stage.hear(peer);
        }
        last.push((peer, said, stage.now()));
        stage.pass(Duration::from_micros(1_037));
    }
    stage.pass(s(61));
    for (peer, said, answered) in last {
        let (reason, at) = stage.end(peer).expect("it was silent");
        assert_eq!(reason, CloseReason::IdleTimeout);
        assert!(at >= said + 60 * SECOND, "early");
        let late = at.saturating_sub(answered + 60 * SECOND);
        assert!(late <= 4 * MILLI, "late by {late} ns");
    }
}
