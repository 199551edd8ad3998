//! Rates and time in which nobody could say anything: what piled up meanwhile may be said.

use std::time::Duration;

use pulsegate::{CloseReason, Limits, LoginCheck, Settings};

use super::rates::{ask, limited, stage};
use super::{Stage, ms, s};
use crate::world::Path;
use crate::world::agenda::{MILLI, SECOND, nanos};
use crate::world::socket::Key;

/// Says so many frames a second for so long, ten times a second, and after each `live` time the
/// loop stands still for `stall`: what was heard, and what was said.
fn talk(
    stage: &mut Stage,
    key: Key,
    a_second: u64,
    times: u64,
    live: Duration,
    stall: Duration,
) -> (usize, usize) {
    let (mut said, mut heard, mut owed) = (0, 0, 0);
    let mut speak = |stage: &mut Stage, span: Duration| {
        owed += a_second * nanos(span);
        let frames = (owed / SECOND) as usize;
        owed %= SECOND;
        let text = "ping\n".repeat(frames);
        assert_eq!(stage.net().kernel.say(key, text.as_bytes()), text.len());
        frames
    };
    for _ in 0..times {
        for _ in 0..live.as_millis() / 100 {
            said += speak(stage, ms(100));
            stage.pass(ms(100));
            heard += stage.hear(key).len() / 5;
        }
        said += speak(stage, stall);
        stage.net().lose(nanos(stall));
    }
    stage.pass(s(1));
    (said, heard + stage.hear(key).len() / 5)
}

#[test]
fn who_keeps_to_its_rate_is_not_above_it_for_stops_of_the_loop() {
    // 50, 60: a stop in the midst of an interval, once and again and again.
    let cases = [
        (9, 1, ms(900), ms(600)),
        (9, 1, ms(500), s(5)),
        (8, 20, ms(900), ms(600)),
        (5, 40, ms(900), ms(600)),
        (9, 20, ms(1_300), ms(700)),
        (9, 5, ms(2_000), s(20)),
    ];
    for (a_second, times, live, stall) in cases {
        for (frames, bytes) in [(Some(10), None), (None, Some(50))] {
            let settings = Settings {
                idle_timeout: None,
                rate_strikes: 1,
                ..limited(frames, bytes)
            };
            let mut stage = stage(settings, Limits::default());
            let key = stage.connect();
            let (said, heard) = talk(&mut stage, key, a_second, times, live, stall);
            let what = format!("{a_second} a second, {times} times {live:?} and {stall:?}");
            assert_eq!(stage.reason(key), None, "{what}");
            assert_eq!(heard, said, "{what}");
            assert_eq!(stage.server.gate().stats().throttled, 0, "{what}");
        }
    }
}

#[test]
fn stops_of_the_loop_let_nobody_say_more_than_its_rate() {
    // 50, 60
    for (frames, bytes) in [(Some(10), None), (None, Some(50))] {
        let settings = Settings {
            idle_timeout: None,
            rate_strikes: 255,
            ..limited(frames, bytes)
        };
        let limits = Limits {
            read_bytes: 16,
            ..Limits::default()
        };
        let mut stage = stage(settings, limits);
        let key = stage.connect();
        let (live, stall) = (ms(900), ms(600));
        let (said, heard) = talk(&mut stage, key, 30, 40, live, stall);
        let most = 10 * 40 * 15 / 10;
        assert!(said > 2 * most, "{said} were said");
        assert!(
            (most - 40..=most + 20).contains(&heard),
            "{heard} of {most}"
        );
    }
}

#[test]
fn what_piles_up_while_somebody_else_is_served_is_not_said_at_once() {
    // 50, 60: the stop lies within a turn, and who is served behind it does not know of it yet.
    let settings = Settings {
        idle_timeout: None,
        rate_strikes: 1,
        ..limited(Some(10), None)
    };
    let mut stage = stage(settings, Limits::default());
    let (first, second) = (stage.connect(), stage.connect());
    stage.pass(ms(300));
    for key in [first, second] {
        stage.net().kernel.say(key, b"ping\n");
    }
    stage.net().slow_once = Some(20 * SECOND);
    stage
        .net()
        .kernel
        .say(second, "ping\n".repeat(100).as_bytes());
    stage.settle();
    stage.settle();
    assert_eq!(stage.hear(second).len(), 101 * 5);
    assert_eq!(stage.reason(second), None::<CloseReason>);
}

#[test]
fn a_backlog_that_takes_long_to_be_handled_is_handled_whole() {
    // 50, 60, 81: few frames a turn, and each turn takes its time.
    let limits = Limits {
        frames: 4,
        ..Limits::default()
    };
    let settings = Settings {
        idle_timeout: None,
        rate_strikes: 1,
        ..limited(Some(10), None)
    };
    let mut stage = stage(settings, limits);
    let key = stage.connect();
    stage.pass(ms(300));
    stage
        .net()
        .kernel
        .say(key, "ping\n".repeat(3_000).as_bytes());
    stage.net().lose(600 * SECOND);
    stage.net().toll = 20 * MILLI;
    let mut heard = 0;
    for _ in 0..60 {
        stage.net().kernel.say(key, "ping\n".repeat(5).as_bytes());
        stage.pass(s(1));
        heard += stage.hear(key).len() / 5;
    }
    assert_eq!((stage.reason(key), heard), (None, 3_300));
    // It lapses with what had piled up.
    stage.net().toll = 0;
    stage.pass(s(2));
    stage.net().kernel.say(key, "ping\n".repeat(100).as_bytes());
    stage.settle();
    assert_eq!(stage.reason(key), Some(CloseReason::RateLimited));
}

#[test]
fn a_crowd_that_is_read_late_pays_no_strikes_for_that_and_is_struck_all_the_same() {
    // 50: refills come one a turn, and a turn takes longer than an interval.
    let limits = Limits {
        expiries: 1,
        ..Limits::default()
    };
    let mut stage = stage(limited(Some(10), None), limits);
    let keys: Vec<Key> = (0..4).map(|_| stage.connect()).collect();
    for &key in &keys {
        stage
            .net()
            .kernel
            .say(key, "ping\n".repeat(1_000).as_bytes());
    }
    stage.net().toll = 80 * MILLI;
    stage.pass(s(60));
    for &key in &keys {
        assert_eq!(stage.reason(key), Some(CloseReason::RateLimited));
    }
}

#[test]
fn the_front_of_the_next_frame_is_not_one_frame_more() {
    // 50: one frame a second, each in two halves around the end of an interval.
    let settings = Settings {
        rate_strikes: 1,
        ..limited(Some(1), None)
    };
    let mut stage = stage(settings, Limits::default());
    let key = stage.connect();
    stage.pass(ms(100));
    let mut text = "pi";
    for half in 0..20 {
        assert_eq!(stage.net().kernel.say(key, text.as_bytes()), text.len());
        text = "ng\npi";
        stage.pass(ms(1_000));
        let wanted = if half == 0 { "" } else { "pong\n" };
        assert_eq!(stage.hear(key), wanted);
    }
    assert_eq!(stage.reason(key), None);
    assert_eq!(
        ask(&mut stage, key, "ng\nping\n"),
        "pong\nclose rate-limited 1000\n"
    );
}

#[test]
fn what_waits_for_its_rate_costs_nobody_a_half_frame() {
    // 40, 50
    let limits = Limits {
        input_budget: 20_000,
        ..Limits::default()
    };
    let settings = Settings {
        rate_strikes: 255,
        rate_interval: s(60),
        ..limited(Some(10), None)
    };
    let mut stage = stage(settings, limits);
    let fair = stage.connect();
    assert_eq!(ask(&mut stage, fair, "pi"), "");
    let floods: Vec<Key> = (0..4).map(|_| stage.connect()).collect();
    let text = "ping\n".repeat(1_500);
    for &key in &floods {
        assert_eq!(stage.net().kernel.say(key, text.as_bytes()), text.len());
    }
    stage.settle();
    let ended = |key: Key| stage.reason(key) == Some(CloseReason::Overloaded);
    assert!(floods.iter().any(|&key| ended(key)), "the budget is kept");
    assert_eq!(ask(&mut stage, fair, "ng\n"), "pong\n");
}

#[test]
fn what_piles_up_while_the_loop_stands_still_is_not_said_at_once() {
    // 50, 60: half of what is allowed, and a stall of twenty intervals.
    for (frames, bytes) in [(Some(10), None), (None, Some(50))] {
        let settings = Settings {
            idle_timeout: None,
            ..limited(frames, bytes)
        };
        let mut stage = stage(settings, Limits::default());
        let key = stage.connect();
        stage.pass(ms(900));
        assert_eq!(ask(&mut stage, key, &"ping\n".repeat(5)).len(), 25);
        stage.net().kernel.say(key, "ping\n".repeat(100).as_bytes());
        stage.net().lose(20 * SECOND);
        stage.pass(ms(50));
        let mut heard = stage.hear(key).len();
        for _ in 0..20 {
            heard += ask(&mut stage, key, &"ping\n".repeat(5)).len();
            stage.pass(s(1));
            heard += stage.hear(key).len();
        }
        assert_eq!(stage.reason(key), None);
        assert_eq!(heard, 200 * 5);
        assert_eq!(stage.server.gate().stats().throttled, 0);
        // It is made up for once, whenever it is heard of; newcomers have missed nothing.
        stage.net().lose(20 * SECOND);
        stage.pass(ms(2_500));
        let newcomer = stage.connect();
        assert_eq!(ask(&mut stage, key, &"ping\n".repeat(100)).len(), 500);
        assert_eq!(stage.server.gate().stats().throttled, 0);
        for key in [key, newcomer] {
            stage.pass(s(1));
            assert!(ask(&mut stage, key, &"ping\n".repeat(100)).len() <= 50);
        }
    }
}

#[test]
fn what_piles_up_behind_a_late_answer_is_not_said_at_once() {
    // 50, 20
    let mut stage = stage(
        Settings {
            login_check: LoginCheck::Users,
            login_delay: Some(s(10)),
            idle_timeout: None,
            ..limited(Some(10), None)
        },
        Limits::default(),
    );
    let key = stage.connect();
    assert_eq!(ask(&mut stage, key, "login bob guess\n"), "");
    let waiting = "ping\n".repeat(50);
    assert_eq!(ask(&mut stage, key, &waiting), "");
    stage.pass(ms(10_100));
    let heard = stage.hear(key);
    assert_eq!(heard.matches("pong").count(), 50, "{heard}");
    assert_eq!(stage.server.gate().stats().throttled, 0);
    // No more than ten a second are made up for.
    let key = stage.connect();
    ask(&mut stage, key, "login bob guess\n");
    ask(&mut stage, key, &"ping\n".repeat(200));
    stage.pass(ms(10_100));
    let heard = stage.hear(key).matches("pong").count();
    assert!((90..=110).contains(&heard), "{heard}");
}

#[test]
fn a_stop_while_a_debt_is_paid_is_no_strike() {
    // 50, 60
    let settings = Settings {
        idle_timeout: None,
        rate_strikes: 2,
        ..limited(None, Some(100))
    };
    let mut stage = stage(settings, Limits::default());
    let key = stage.connect();
    assert_eq!(ask(&mut stage, key, &"ping\n".repeat(400)).len(), 0);
    for _ in 0..20 {
        stage.pass(ms(500));
        stage.net().lose(600 * MILLI);
        stage.pass(ms(500));
    }
    assert_eq!(stage.hear(key), "pong\n".repeat(400));
    assert_eq!(stage.reason(key), None);
}

#[test]
fn frames_that_are_read_and_within_the_rate_are_handled_before_more_is_looked_for() {
    // 50
    let limits = Limits {
        read_bytes: 1_000,
        frames: 16,
        ..Limits::default()
    };
    let mut stage = stage(limited(None, Some(1_000)), limits);
    let key = stage.connect();
    assert_eq!(ask(&mut stage, key, &"ping\n".repeat(201)).len(), 1_000);
    stage.pass(s(1));
    assert_eq!(stage.hear(key), "pong\n");
}

#[test]
fn another_rate_reaches_everybody_once_however_many_come_meanwhile() {
    // 50
    let limits = Limits {
        expiries: 1,
        ..Limits::default()
    };
    let settings = |frames| Settings {
        idle_timeout: None,
        rate_strikes: 1,
        rate_interval: s(3_600),
        ..limited(Some(frames), None)
    };
    let mut stage = stage(settings(100), limits);
    let keys: Vec<Key> = (0..10).map(|_| stage.connect()).collect();
    for &key in &keys {
        assert_eq!(ask(&mut stage, key, &"ping\n".repeat(90)).len(), 450);
    }
    stage.retune(&settings(50));
    // A walk that goes on, newcomers in new slots, and another walk before the end.
    stage.turn();
    let more: Vec<Key> = (0..20).map(|_| stage.dial(Path::default())).collect();
    stage.turn();
    stage.turn();
    stage.retune(&Settings {
        login_timeout: Some(s(77)),
        ..settings(50)
    });
    stage.pass(ms(100));
    for &key in keys.iter().chain(&more) {
        assert_eq!(ask(&mut stage, key, &"ping\n".repeat(50)).len(), 250);
        assert_eq!(stage.reason(key), None);
        ask(&mut stage, key, "ping\n");
        assert_eq!(stage.reason(key), Some(CloseReason::RateLimited));
    }
}
