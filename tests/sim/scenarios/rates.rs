//! Rates of one connection, by the interval; and what the scenarios of other rates share.

use std::time::Duration;

use pulsegate::{CloseReason, Limits, LoginCheck, Options, Rate, Settings, UserPolicy};

use super::{Stage, ms, s};
use crate::world::agenda::{Deed, SECOND};
use crate::world::dice;
use crate::world::socket::Key;

pub(super) fn rate(count: u32, seconds: u64) -> Option<Rate> {
    let per = Duration::from_secs(seconds);
    Some(Rate { count, per })
}

pub(super) fn stage(settings: Settings, limits: Limits) -> Stage {
    let options = Options {
        limits,
        users: UserPolicy::Devices(99),
        ..Options::default()
    };
    let mut stage = Stage::with(settings, options);
    stage.is_judged = false;
    stage
}

pub(super) fn limited(frames: Option<u32>, bytes: Option<usize>) -> Settings {
    Settings {
        message_rate: frames,
        byte_rate: bytes,
        rate_strikes: 3,
        idle_timeout: Some(s(3)),
        ..Settings::default()
    }
}

/// Says it whatever the judge thinks, and hears what comes at once.
pub(super) fn ask(stage: &mut Stage, key: Key, text: &str) -> String {
    assert_eq!(stage.net().kernel.say(key, text.as_bytes()), text.len());
    stage.settle();
    stage.hear(key)
}

#[test]
fn frames_above_the_rate_wait_for_the_next_interval_and_none_is_lost() {
    // 50, 36
    let mut stage = stage(limited(Some(10), None), Limits::default());
    let key = stage.connect();
    // The interval begins with the connection.
    let heard = ask(&mut stage, key, &"ping\n".repeat(25));
    assert_eq!(heard, "pong\n".repeat(10));
    stage.pass(ms(900));
    assert_eq!(stage.hear(key), "", "nothing more in the interval");
    stage.pass(ms(110));
    assert_eq!(stage.hear(key), "pong\n".repeat(10));
    stage.pass(s(1));
    assert_eq!(stage.hear(key), "pong\n".repeat(5));
    assert_eq!(stage.server.gate().stats().throttled, 2);
    // Two strikes, and then an interval without: it begins from the first again.
    stage.pass(s(2));
    for _ in 0..2 {
        assert_eq!(
            ask(&mut stage, key, &"ping\n".repeat(12)),
            "pong\n".repeat(10)
        );
        stage.pass(ms(2_490));
        assert_eq!(stage.hear(key), "pong\n".repeat(2));
    }
    assert_eq!(stage.reason(key), None);
}

#[test]
fn who_is_above_the_rate_in_interval_after_interval_is_closed() {
    // 50
    let mut stage = stage(limited(Some(10), None), Limits::default());
    let key = stage.connect();
    let began = stage.now();
    assert_eq!(
        stage.net().kernel.say(key, "ping\n".repeat(100).as_bytes()),
        500
    );
    stage.pass(ms(2_500));
    let heard = stage.hear(key);
    let wanted = "pong\n".repeat(30) + "close rate-limited 1000\n";
    assert_eq!(heard, wanted);
    let (reason, at) = stage.end(key).expect("it ended");
    assert_eq!(reason, CloseReason::RateLimited);
    assert!((2 * SECOND - SECOND / 100..2 * SECOND + SECOND / 10).contains(&(at - began)));
}

#[test]
fn bytes_are_held_back_like_frames_also_those_of_a_frame_that_is_not_whole() {
    // 50
    let limits = Limits {
        read_bytes: 64,
        ..Limits::default()
    };
    let mut stage = stage(limited(None, Some(1_000)), limits);
    let key = stage.connect();
    let text = format!("send nobody {}\n", "x".repeat(1_800));
    assert_eq!(ask(&mut stage, key, &text), "");
    let (received, _) = stage.server.gate().traffic(stage.conn(key)).expect("open");
    assert!((1_000..1_064).contains(&received), "{received}");
    stage.pass(s(1));
    let (received, _) = stage.server.gate().traffic(stage.conn(key)).expect("open");
    assert_eq!(received, text.len() as u64);
    assert_eq!(stage.hear(key), "error login-required log in first\n");
}

#[test]
fn what_one_read_takes_beyond_the_rate_is_paid_for() {
    // 50
    let settings = Settings {
        idle_timeout: None,
        ..limited(None, Some(100))
    };
    let mut stage = stage(settings, Limits::default());
    let key = stage.connect();
    // 2,000 bytes at once, of which 100 a second are allowed: twenty intervals.
    assert_eq!(ask(&mut stage, key, &"ping\n".repeat(400)).len(), 0);
    stage.pass(s(18));
    let early = stage.hear(key).len();
    assert_eq!(early, 0, "the debt is not paid");
    stage.pass(s(4));
    assert_eq!(stage.hear(key), "pong\n".repeat(400));
    assert_eq!(
        stage.reason(key),
        None,
        "three strikes, and it was heard once"
    );
}

#[test]
fn who_has_more_to_say_while_it_pays_is_above_its_rate() {
    // 50
    let limits = Limits {
        read_bytes: 1_000,
        ..Limits::default()
    };
    let mut stage = stage(limited(None, Some(100)), limits);
    let key = stage.connect();
    assert_eq!(ask(&mut stage, key, &"ping\n".repeat(400)).len(), 0);
    stage.pass(s(3));
    assert_eq!(stage.reason(key), Some(CloseReason::RateLimited));
}

#[test]
fn intervals_that_are_used_up_and_not_more_are_no_strikes() {
    // 50
    let mut stage = stage(limited(Some(10), None), Limits::default());
    let key = stage.connect();
    let mut heard = 0;
    // Ten a second: of eleven one is for the next interval, which it then shares with nine.
    for frames in [11, 9, 11, 9, 11, 9, 11, 9] {
        heard += ask(&mut stage, key, &"ping\n".repeat(frames)).len();
        stage.pass(ms(995));
        heard += stage.hear(key).len();
    }
    assert_eq!(stage.reason(key), None);
    assert_eq!(heard, 80 * 5);
    assert_eq!(stage.server.gate().stats().throttled, 4);
}

#[test]
fn bytes_that_use_up_an_interval_and_not_more_are_handled_in_it() {
    // 50
    let mut stage = stage(limited(None, Some(1_000)), Limits::default());
    let key = stage.connect();
    stage.pass(ms(500));
    for _ in 0..6 {
        for _ in 0..2 {
            assert_eq!(ask(&mut stage, key, &"ping\n".repeat(100)).len(), 500);
        }
        stage.pass(s(1));
    }
    assert_eq!(stage.reason(key), None);
    assert_eq!(stage.server.gate().stats().throttled, 0);
}

#[test]
fn an_event_that_is_out_of_date_is_no_sign_of_more_to_say() {
    // 50, 65: what arrives between an event and its read makes another event, behind which nothing
    // waits.
    let settings = |frames, bytes| Settings {
        rate_strikes: 1,
        ..limited(frames, bytes)
    };
    for settings in [settings(Some(10), None), settings(None, Some(50))] {
        let mut stage = stage(settings, Limits::default());
        let key = stage.connect();
        for _ in 0..5 {
            assert_eq!(ask(&mut stage, key, &"ping\n".repeat(10)).len(), 50);
            stage.net().kernel.agenda.after(1, Deed::Edge(key));
            stage.settle();
            assert_eq!(stage.reason(key), None);
            stage.pass(s(1));
        }
        assert_eq!(stage.server.gate().stats().throttled, 0);
        // One more is above, whenever it comes.
        assert_eq!(ask(&mut stage, key, &"ping\n".repeat(10)).len(), 50);
        ask(&mut stage, key, "ping\n");
        assert_eq!(stage.reason(key), Some(CloseReason::RateLimited));
    }
}

#[test]
fn who_has_used_up_its_interval_when_it_is_answered_is_not_above() {
    // 50, 20: the answer to the last frame comes late, and in the same interval.
    let mut stage = stage(
        Settings {
            login_check: LoginCheck::Users,
            login_delay: Some(ms(100)),
            rate_strikes: 1,
            ..limited(Some(2), None)
        },
        Limits::default(),
    );
    let key = stage.connect();
    for _ in 0..2 {
        assert_eq!(ask(&mut stage, key, "ping\nlogin bob guess\n"), "pong\n");
        stage.pass(ms(200));
        assert!(stage.hear(key).starts_with("error bad-credentials "));
        assert_eq!(stage.reason(key), None);
        stage.pass(s(1));
    }
}

#[test]
fn a_hint_that_the_peer_has_closed_lets_nobody_say_more() {
    // 50: an urgent byte looks like a half-close.
    let limits = Limits {
        read_bytes: 50,
        ..Limits::default()
    };
    let mut stage = stage(limited(None, Some(100)), limits);
    stage.net().faults.hint_false = dice::Rate(u32::MAX);
    let key = stage.connect();
    assert_eq!(stage.net().kernel.say(key, &[b'x'; 4_000]), 4_000);
    stage.pass(s(3));
    assert_eq!(stage.reason(key), Some(CloseReason::RateLimited));
    let received = stage.server.gate().stats().bytes_in;
    assert!(received < 800, "{received} of 100 a second");
}

#[test]
fn an_interval_without_a_strike_ends_the_row_wherever_its_end_lies() {
    // 50
    let mut stage = stage(
        Settings {
            login_check: LoginCheck::Users,
            login_delay: Some(ms(150)),
            rate_strikes: 2,
            ..limited(Some(10), None)
        },
        Limits::default(),
    );
    let key = stage.connect();
    assert_eq!(ask(&mut stage, key, &"ping\n".repeat(15)).len(), 50);
    stage.pass(ms(1_900));
    assert_eq!(stage.hear(key).len(), 25);
    assert_eq!(ask(&mut stage, key, "login bob guess\n"), "");
    stage.pass(ms(200));
    assert!(stage.hear(key).starts_with("error bad-credentials "));
    assert_eq!(ask(&mut stage, key, &"ping\n".repeat(11)).len(), 50);
    assert_eq!(stage.reason(key), None, "one in a row");
    stage.pass(s(1));
    assert_eq!(stage.hear(key).len(), 5);
    ask(&mut stage, key, &"ping\n".repeat(11));
    assert_eq!(stage.reason(key), Some(CloseReason::RateLimited));
}

#[test]
fn who_is_held_back_is_not_silent() {
    // 50
    let settings = Settings {
        rate_interval: s(10),
        ..limited(Some(2), None)
    };
    let mut stage = stage(settings, Limits::default());
    let key = stage.connect();
    assert_eq!(ask(&mut stage, key, "ping\nping\nping\n"), "pong\npong\n");
    stage.pass(s(9));
    assert_eq!(stage.reason(key), None, "idle_timeout is 3 s");
    stage.pass(s(2));
    assert_eq!(stage.hear(key), "pong\n");
    stage.pass(s(4));
    assert_eq!(stage.reason(key), Some(CloseReason::IdleTimeout));
}

#[test]
fn a_limit_that_comes_holds_for_those_who_are_here_and_one_that_goes_lets_them_go() {
    let settings = Settings::default();
    let mut stage = stage(settings, Limits::default());
    let before = stage.server.gate().ceiling();
    let keys: Vec<Key> = (0..20).map(|_| stage.connect()).collect();
    assert_eq!(ask(&mut stage, keys[7], &"ping\n".repeat(50)).len(), 250);
    stage.retune(&Settings {
        rate_interval: s(60),
        idle_timeout: None,
        ..limited(Some(5), None)
    });
    stage.settle();
    for &key in &keys {
        assert_eq!(
            ask(&mut stage, key, &"ping\n".repeat(8)),
            "pong\n".repeat(5)
        );
    }
    stage.retune(&Settings::default());
    stage.settle();
    for &key in &keys {
        assert_eq!(stage.hear(key), "pong\n".repeat(3));
        assert_eq!(ask(&mut stage, key, &"ping\n".repeat(8)).len(), 40);
    }
    let after = stage.server.gate().ceiling();
    assert_eq!(after, before, "nothing is kept for a limit that is gone");
}

#[test]
fn who_leaves_at_or_above_its_rate_is_gone_at_once() {
    // 50: the interval is long; what was sent above the rate is not waited for.
    let mut stage = stage(
        Settings {
            rate_interval: s(20),
            rate_strikes: 1,
            ..limited(Some(5), None)
        },
        Limits::default(),
    );
    let mut leave = |frames: usize, how: fn(&mut Stage, Key)| {
        let key = stage.connect();
        ask(&mut stage, key, &"ping\n".repeat(frames));
        how(&mut stage, key);
        stage.settle();
        stage.reason(key)
    };
    let reset = |stage: &mut Stage, key| stage.net().kernel.reset(key);
    let finish = |stage: &mut Stage, key| stage.net().kernel.finish(key);
    assert_eq!(leave(4, reset), Some(CloseReason::PeerReset));
    assert_eq!(leave(5, reset), Some(CloseReason::PeerReset));
    assert_eq!(leave(5, finish), Some(CloseReason::PeerClosed));
}

#[test]
fn who_is_held_back_and_goes_is_gone_at_once() {
    let mut stage = stage(
        Settings {
            rate_interval: s(20),
            ..limited(Some(5), None)
        },
        Limits::default(),
    );
    let key = stage.connect();
    assert_eq!(
        ask(&mut stage, key, &"ping\n".repeat(9)),
        "pong\n".repeat(5)
    );
    stage.net().kernel.reset(key);
    stage.settle();
    assert_eq!(stage.reason(key), Some(CloseReason::PeerReset));
    // Who only closes its side still wants its answers.
    let key = stage.connect();
    ask(&mut stage, key, &"ping\n".repeat(9));
    stage.net().kernel.finish(key);
    stage.pass(s(19));
    assert_eq!(stage.reason(key), None);
    stage.pass(s(2));
    assert_eq!(stage.hear(key), "pong\n".repeat(4));
    assert_eq!(stage.reason(key), Some(CloseReason::PeerClosed));
}
