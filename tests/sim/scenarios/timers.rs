//! Group C: heartbeats and deadlines.

use std::time::Duration;

use pulsegate::time::Tick;
use pulsegate::{CloseReason, Limits, Login, Options, Settings};

use super::{Stage, ms, s};
use crate::world::Path;
use crate::world::agenda::{MICRO, MILLI, Nanos, SECOND, nanos};
use crate::world::dice::Rate;

#[test]
fn a_silent_peer_is_closed_at_its_deadline() {
    // 28
    let mut stage = Stage::new(Settings::default());
    let peer = stage.connect();
    stage.say(peer, "ping\n");
    let said = stage.now();
    stage.pass(s(61));
    stage.assert_ended(peer, CloseReason::IdleTimeout, said + 60 * SECOND);
    assert_eq!(stage.hear(peer), "pong\nclose idle-timeout\n");
}

/// When a peer is closed, on the loop's clock, whose second beat arrives at `beat`, or that sends
/// none, but lets the same turns happen; `None`: it is not.
fn end_with_beat_at(beat: u64, is_sent: bool) -> Option<u64> {
    let mut stage = Stage::new(Settings::default());
    let peer = stage.connect_by(Path {
        delay: SECOND,
        ..Path::default()
    });
    stage.say(peer, "\n");
    stage.pass(s(59));
    let now = stage.now();
    let socket = stage.net().kernel.get_mut(peer).expect("it is there");
    socket.to_server.delay = beat - now;
    if is_sent {
        stage.say(peer, "\n");
    }
    stage.pass(s(30));
    stage.end(peer).map(|(_, at)| at)
}

#[test]
fn a_beat_in_the_turn_of_the_deadline_saves() {
    // 29: the server wakes for the deadline and finds the beat in the same wait.
    let end = end_with_beat_at(100 * SECOND, false).expect("silent");
    let early = end - 3 * MILLI;
    for beat in (early..=end).step_by(1_000) {
        assert_eq!(
            end_with_beat_at(beat, true),
            None,
            "{} ns before the end",
            end - beat
        );
    }
    assert_eq!(
        end_with_beat_at(end + MILLI, true),
        Some(end),
        "too late is too late"
    );
}

#[test]
fn deadlines_longer_than_the_wheel_fire_in_the_right_round() {
    // 31: a wheel of 64 slots turns once in 128 ms.
    for millis in [126, 128, 130, 254, 256, 258, 1_280, 60_000] {
        let options = Options {
            wheel_slots: 64,
            ..Options::default()
        };
        let timeout = Some(ms(millis));
        let mut stage = Stage::with(
            Settings {
                idle_timeout: timeout,
                ..Settings::default()
            },
            options,
        );
        let peer = stage.connect();
        stage.say(peer, "\n");
        let said = stage.now();
        stage.pass(ms(millis + 100));
        stage.assert_ended(peer, CloseReason::IdleTimeout, said + millis * MILLI);
    }
}

#[test]
fn a_hundred_thousand_deadlines_in_the_same_instant_are_all_kept() {
    // 32: each end takes three calls or four, of a microsecond each.
    const MANY: u32 = 100_000;
    const SLACK: Nanos = 500 * MILLI;
    let mut stage = Stage::within(Limits {
        connections: MANY,
        ..Limits::default()
    });
    stage.checks = false;
    stage.judge.slack = SLACK;
    let peers: Vec<_> = (0..MANY)
        .map(|_| {
            loop {
                match stage.net().kernel.dial(0, None, Path::default()) {
                    Some(peer) => break peer,
                    None => stage.turn(),
                }
            }
        })
        .collect();
    stage.settle();
    assert_eq!(stage.server.gate().connections(), MANY);
    let said = stage.now();
    for &peer in &peers {
        stage.net().kernel.say(peer, b"\n");
    }
    stage.pass(ms(500));
    stage.net().toll = MICRO;
    stage.pass(s(59));
    let ended = |stage: &Stage| stage.server.gate().stats().closed(CloseReason::IdleTimeout);
    let (until, mut most) = (stage.now() + 2 * SECOND, 0);
    stage.net().horizon = until;
    while stage.now() < until {
        let before = ended(&stage);
        stage.turn();
        most = most.max(ended(&stage) - before);
    }
    // So many a turn, and each is counted with how late it came.
    let gate = stage.server.gate();
    assert!(
        most <= u64::from(gate.limits().expiries),
        "{most} in a turn"
    );
    let late = gate.pace().lateness;
    assert_eq!(late.count(), u64::from(MANY));
    assert!(nanos(late.longest()) <= SLACK, "{:?}", late.longest());
    gate.check();
    assert_eq!(stage.ends.len(), MANY as usize);
    for (_, reason, at) in &stage.ends {
        assert_eq!(*reason, CloseReason::IdleTimeout);
        assert!(*at >= said + 60 * SECOND, "early");
        assert!(*at <= said + 60 * SECOND + SLACK, "late by {}", at - said);
    }
}

#[test]
fn a_connection_that_ends_while_its_neighbours_expire_harms_nobody() {
    // 33: all share one slot of the wheel, and asking one ends others through a replaced login.
    let settings = Settings {
        idle_timeout: Some(s(1)),
        ..Settings::default()
    };
    let limits = Limits {
        expiries: 3,
        ..Limits::default()
    };
    let mut stage = Stage::limited(settings, limits);
    let peers: Vec<_> = (0..20).map(|_| stage.dial(Path::default())).collect();
    stage.settle();
    for &peer in &peers {
        stage.say(peer, "\n");
    }
    let said = stage.now();
    stage.pass(ms(999));
    for &peer in peers.iter().step_by(3) {
        stage.net().kernel.reset(peer);
    }
    for &peer in peers.iter().skip(1).step_by(3) {
        stage.say(peer, "\n");
    }
    stage.pass(ms(500));
    for (place, &peer) in peers.iter().enumerate() {
        match place % 3 {
            0 => assert_eq!(stage.reason(peer), Some(CloseReason::PeerReset)),
            1 => assert_eq!(stage.reason(peer), None),
            _ => stage.assert_ended(peer, CloseReason::IdleTimeout, said + SECOND),
        }
    }
}

#[test]
fn the_tick_counter_wraps_and_nothing_happens() {
    // 35: the counter starts half a minute before its wrap.
    let mut stage = Stage::new(Settings::default());
    let began = Tick::at(stage.server.gate().now());
    let peer = stage.connect();
    let dead = stage.connect();
    for _ in 0..5 {
        stage.pass(s(20));
        stage.say(peer, "ping\n");
    }
    stage.settle();
    assert_eq!(stage.reason(peer), None);
    assert_eq!(stage.reason(dead), Some(CloseReason::IdleTimeout));
    let now = Tick::at(stage.server.gate().now());
    assert!(now.0 < began.0, "{now:?} after {began:?}: that was no wrap");
}

#[test]
fn a_loop_with_idle_connections_wakes_seldom() {
    // 37: ten connections that beat every 20 s need a wake-up a beat and a few for the wheel.
    let mut stage = Stage::new(Settings::default());
    let peers: Vec<_> = (0..10).map(|_| stage.connect()).collect();
    let before = stage.server.gate().stats().turns;
    for _ in 0..30 {
        for &peer in &peers {
            stage.say(peer, "\n");
        }
        stage.pass(s(20));
    }
    let turns = stage.server.gate().stats().turns - before;
    assert!(turns < 1_500, "{turns} turns in 600 s");
}

#[test]
fn a_stopped_process_takes_its_own_sleep_for_nobodys_silence() {
    // 81: three minutes, three times the timeout; beats wait in the sockets.
    let mut stage = Stage::new(Settings::default());
    let peers: Vec<_> = (0..50).map(|_| stage.connect()).collect();
    for _ in 0..3 {
        for &peer in &peers {
            stage.say(peer, "ping\n");
        }
        stage.pass(s(20));
    }
    stage.net().lose(180 * SECOND);
    let turns = stage.server.gate().stats().turns;
    stage.pass(s(1));
    let turns = stage.server.gate().stats().turns - turns;
    assert!(turns < 100, "one step for all that was missed: {turns}");
    assert_eq!(
        stage.ends,
        [],
        "nobody was silent for a minute of the loop's time"
    );
    for &peer in &peers {
        stage.say(peer, "ping\n");
    }
    let said = stage.now();
    stage.pass(s(61));
    assert_eq!(stage.ends.len(), 50);
    for &peer in &peers {
        stage.assert_ended(peer, CloseReason::IdleTimeout, said + 60 * SECOND);
    }
}

#[test]
fn a_lifetime_goes_by_real_time_even_across_a_stop() {
    let settings = Settings {
        lifetime: Some(s(100)),
        ..Settings::default()
    };
    let mut stage = Stage::new(settings);
    let peer = stage.connect();
    let born = stage.now() - 5 * MILLI;
    stage.net().lose(99 * SECOND);
    stage.pass(ms(900));
    assert_eq!(stage.reason(peer), None);
    stage.pass(ms(200));
    let (reason, at) = stage.end(peer).expect("it ended");
    assert_eq!(reason, CloseReason::Lifetime);
    assert!(at - born < 100 * SECOND + 20 * MILLI, "lived {}", at - born);
}

#[test]
fn a_lifetime_is_exact_whatever_the_client_sends() {
    let settings = Settings {
        lifetime: Some(s(10)),
        ..Settings::default()
    };
    let mut stage = Stage::new(settings);
    let peer = stage.dial(Path::default());
    let born = stage.now();
    for _ in 0..25 {
        stage.pass(ms(500));
        stage.net().kernel.say(peer, b"ping\n");
    }
    let (reason, at) = stage.end(peer).expect("it ended");
    assert_eq!(reason, CloseReason::Lifetime);
    let lived = at - born;
    assert!(
        (10 * SECOND..=10 * SECOND + 10 * MILLI).contains(&lived),
        "lived {lived}"
    );
}

#[test]
fn who_does_not_log_in_is_closed_at_the_login_deadline() {
    // 15
    let settings = Settings {
        login: Login::Required,
        ..Settings::default()
    };
    let mut stage = Stage::new(settings);
    let mute = stage.dial(Path::default());
    let born = stage.now();
    stage.settle();
    let chatty = stage.connect();
    let late = stage.connect();
    for _ in 0..12 {
        stage.pass(ms(400));
        stage.net().kernel.say(chatty, b"ping\n");
    }
    stage.say(late, "login late\n");
    stage.pass(s(2));
    stage.assert_ended(mute, CloseReason::LoginTimeout, born + 5 * SECOND);
    assert_eq!(stage.reason(chatty), Some(CloseReason::LoginTimeout));
    assert_eq!(stage.reason(late), None);
}

#[test]
fn the_server_pings_after_silence_and_any_byte_answers() {
    let settings = Settings {
        ping_after: Some(s(10)),
        ..Settings::default()
    };
    let mut stage = Stage::new(settings);
    let peer = stage.connect();
    let mute = stage.connect();
    stage.pass(ms(9_900));
    assert_eq!(stage.hear(peer), "");
    stage.pass(ms(200));
    assert_eq!(stage.hear(peer), "ping\n");
    stage.pass(s(30));
    assert_eq!(stage.hear(peer), "", "one silence, one ping");
    stage.say(peer, "pong\n");
    stage.pass(ms(10_100));
    assert_eq!(stage.hear(peer), "ping\n", "the next silence");
    stage.pass(s(20));
    assert_eq!(
        stage.reason(mute),
        Some(CloseReason::IdleTimeout),
        "pings keep nobody alive"
    );
    assert_eq!(stage.reason(peer), None);
}

#[test]
fn idle_stands_still_while_reading_is_paused() {
    let settings = Settings {
        outbox_low: 100,
        write_timeout: None,
        output_age: None,
        idle_timeout: Some(s(5)),
        ..Settings::default()
    };
    let mut stage = Stage::new(settings);
    let peer = stage.connect_by(Path {
        down_window: 10,
        ..Path::default()
    });
    stage.say(peer, &"ping\n".repeat(200));
    stage.pass(s(60));
    assert_eq!(stage.reason(peer), None, "it is we who do not read");
    stage.net().kernel.set_window(peer, 1 << 20);
    stage.settle();
    assert_eq!(stage.hear(peer), "pong\n".repeat(200));
    let read = stage.now();
    stage.pass(s(6));
    let (reason, at) = stage.end(peer).expect("now its silence counts");
    assert_eq!(reason, CloseReason::IdleTimeout);
    assert!(
        at >= read + nanos(ms(4_990)) && at <= read + nanos(ms(5_020)),
        "{}",
        at - read
    );
}

#[test]
fn frames_that_wait_for_their_turn_are_no_silence() {
    // One frame a turn, and every turn is late, by less than a stop of the loop would be.
    let mut options = Options::default();
    options.limits.frames = 1;
    let settings = Settings {
        idle_timeout: Some(s(1)),
        ..Settings::default()
    };
    let mut stage = Stage::with(settings, options);
    let peer = stage.connect();
    stage.net().faults.late = Rate::per_mille(1_000);
    stage.net().faults.late_most = 400 * MILLI;
    stage.say(peer, &"ping\n".repeat(30));
    stage.pass(ms(500));
    // Nobody reads it before the thirty are answered.
    stage.say(peer, "ping\n");
    let mut heard = String::new();
    while heard.len() < "pong\n".len() * 31 {
        stage.turn();
        assert_eq!(stage.reason(peer), None, "it has said more than was heard");
        heard += &stage.hear(peer);
    }
}

#[test]
fn wall_clock_jumps_move_no_deadline() {
    // 80
    let mut stage = Stage::new(Settings::default());
    let peer = stage.connect();
    stage.say(peer, "\n");
    let said = stage.now();
    for jump in [3_600, -3_600, 315_360_000, -315_360_000] {
        stage.pass(Duration::from_secs(10));
        stage.net().wall_offset = jump;
    }
    stage.pass(s(21));
    stage.assert_ended(peer, CloseReason::IdleTimeout, said + 60 * SECOND);
}

#[test]
fn a_clock_that_stands_still_for_many_turns_stops_nothing() {
    // 83: a frame a turn, a thousand turns in one instant.
    let mut options = Options::default();
    options.limits.frames = 1;
    let mut stage = Stage::with(Settings::default(), options);
    let peer = stage.connect();
    stage.say(peer, &"ping\n".repeat(1_000));
    let turns = stage.server.gate().stats().turns;
    stage.pass(ms(3));
    let turns = stage.server.gate().stats().turns - turns;
    assert!(turns >= 1_000, "{turns} turns in 3 ms");
    let said = stage.now();
    assert_eq!(stage.hear(peer), "pong\n".repeat(1_000));
    stage.pass(s(59));
    assert_eq!(stage.reason(peer), None);
    stage.pass(s(2));
    let (reason, at) = stage.end(peer).expect("it ended");
    assert_eq!(reason, CloseReason::IdleTimeout);
    assert!(at <= said + 60 * SECOND + 10 * MILLI, "at {at}");
}
