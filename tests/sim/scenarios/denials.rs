//! Logins that fail and are answered late: row 20 of the catalogue.

use std::time::Duration;

use pulsegate::{
    Answer, CloseReason, ErrorCode, Limits, Login, LoginCheck, Push, Settings, Target,
};

use super::{Stage, ms, s};
use crate::world::Path;
use crate::world::agenda::MILLI;
use crate::world::socket::{Heard, Key};

const DENIED: &str = "error bad-credentials this token does not open this name\n";

/// A house whose door opens to no token, and that takes a second to say so.
fn stage(settings: Settings) -> Stage {
    stage_within(settings, Limits::default())
}

fn stage_within(settings: Settings, limits: Limits) -> Stage {
    let settings = Settings {
        login_check: LoginCheck::Users,
        login_delay: Some(s(1)),
        ..settings
    };
    let limits = Limits {
        undecided_logins: 1,
        ..limits
    };
    let mut stage = Stage::limited(settings, limits);
    // The judge knows of no login that fails.
    stage.is_judged = false;
    stage
}

/// Nothing is heard before that time is over, and then soon this.
fn hears_after(stage: &mut Stage, key: Key, span: Duration, wanted: &str) {
    stage.pass(span - ms(20));
    assert_eq!(stage.hear(key), "", "too soon");
    stage.server.gate().check();
    stage.pass(ms(40));
    assert_eq!(stage.hear(key), wanted);
    stage.server.gate().check();
}

#[test]
fn a_login_that_fails_is_answered_late_and_nobody_else_waits_for_it() {
    let mut stage = stage(Settings::default());
    let guessers: Vec<Key> = (0..3).map(|_| stage.connect()).collect();
    let other = stage.connect();
    for &key in &guessers {
        stage.say(key, "login bob guess\nping\n");
    }
    stage.settle();
    assert_eq!(stage.ask(other, "ping\n"), "pong\n");
    assert_eq!(stage.server.gate().stats().logins_failed, 3);
    for (place, &key) in guessers.iter().enumerate() {
        let wanted = format!("{DENIED}pong\n");
        if place == 0 {
            hears_after(&mut stage, key, s(1), &wanted);
        } else {
            assert_eq!(stage.hear(key), wanted);
        }
        assert_eq!(stage.ask(key, "ping\n"), "pong\n", "it is read again");
    }
}

#[test]
fn what_waits_to_be_read_shows_no_token() {
    let mut stage = stage(Settings::default());
    let key = stage.connect();
    stage.say(key, "login bob guess");
    stage.settle();
    let shown = format!("{:?}", stage.server.gate());
    let bytes = format!("{:?}", b"guess");
    assert!(!shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
}

#[test]
fn each_guess_takes_its_time_and_the_last_one_ends_the_connection() {
    let mut stage = stage(Settings {
        failed_logins_max: 3,
        ..Settings::default()
    });
    let key = stage.connect();
    stage.say(key, &"login bob guess\n".repeat(4));
    stage.settle();
    hears_after(&mut stage, key, s(1), DENIED);
    hears_after(&mut stage, key, s(1) - ms(20), DENIED);
    let last = format!("{DENIED}close login-failed\n");
    hears_after(&mut stage, key, s(1) - ms(20), &last);
    assert_eq!(stage.reason(key), Some(CloseReason::LoginFailed));
    assert_eq!(stage.server.gate().stats().logins_failed, 3);
}

#[test]
fn who_is_denied_late_still_has_to_log_in_in_time() {
    let mut stage = stage(Settings {
        login: Login::Required,
        login_timeout: Some(ms(2_500)),
        failed_logins_max: u8::MAX,
        ..Settings::default()
    });
    let began = stage.now();
    let key = stage.connect();
    stage.say(key, &"login bob guess\n".repeat(9));
    hears_after(&mut stage, key, s(1), DENIED);
    hears_after(&mut stage, key, s(1) - ms(20), DENIED);
    hears_after(&mut stage, key, ms(480), "close login-timeout\n");
    let (reason, at) = stage.end(key).expect("it has ended");
    assert_eq!(reason, CloseReason::LoginTimeout);
    let passed = (at - began) / MILLI;
    assert!((2_500..2_530).contains(&passed), "{passed} ms");
}

#[test]
fn what_waits_behind_a_failed_login_costs_nobody_a_half_frame() {
    let mut stage = stage_within(
        Settings {
            frame_max: 1_000,
            ..Settings::default()
        },
        Limits {
            input_budget: 4_000,
            ..Limits::default()
        },
    );
    let slow = stage.connect();
    stage.say(slow, "pi");
    let waiting = format!("login bob guess\n{}", "ping\n".repeat(300));
    let guessers: Vec<Key> = (0..4).map(|_| stage.connect()).collect();
    for &key in &guessers {
        stage.say(key, &waiting);
        stage.settle();
    }
    let ends: Vec<_> = guessers.iter().map(|&key| stage.reason(key)).collect();
    let over = Some(CloseReason::Overloaded);
    assert_eq!(ends, [over, over, None, None], "the first to wait go first");
    assert_eq!(stage.ask(slow, "ng\n"), "pong\n", "the half frame stays");
}

#[test]
fn who_leaves_before_it_is_denied_leaves_nothing_behind() {
    for says_goodbye in [false, true] {
        let mut stage = stage(Settings::default());
        let key = stage.connect();
        stage.say(key, "login bob guess\n");
        stage.settle();
        if says_goodbye {
            stage.net().kernel.finish(key);
            stage.settle();
            assert_eq!(stage.reason(key), None, "its answer is still to come");
            hears_after(&mut stage, key, s(1), DENIED);
            assert_eq!(stage.at_peer(key), Heard::Fin);
            assert_eq!(stage.reason(key), Some(CloseReason::PeerClosed));
        } else {
            stage.net().kernel.reset(key);
            stage.settle();
            assert_eq!(stage.reason(key), Some(CloseReason::PeerReset));
        }
        stage.pass(s(2));
        stage.server.gate().check();
        assert_eq!(stage.server.gate().sockets(), 0);
    }
}

#[test]
fn a_pause_before_a_denial_is_nobodys_silence_and_messages_do_not_wait_for_it() {
    let mut stage = stage(Settings {
        idle_timeout: Some(ms(500)),
        failed_logins_max: u8::MAX,
        ..Settings::default()
    });
    let key = stage.connect_by(Path::default());
    stage.say(key, "join news\nlogin bob guess\n");
    stage.settle();
    assert_eq!(stage.hear(key), "ok\n");
    let push = Push::text("hello");
    let pushed = stage.server.gate_mut().push(Target::Topic("news"), &push);
    assert_eq!(pushed.expect("it has a member").queued, 1);
    stage.settle();
    assert!(stage.hear(key).ends_with(" hello\n"));
    hears_after(&mut stage, key, s(1), DENIED);
    assert_eq!(stage.reason(key), None);
    stage.pass(ms(600));
    assert_eq!(stage.reason(key), Some(CloseReason::IdleTimeout));
}

#[test]
fn another_delay_holds_for_those_who_wait_already() {
    let mut stage = stage(Settings::default());
    let key = stage.connect();
    stage.say(key, "login bob guess\n");
    stage.settle();
    let other = |delay| Settings {
        login_check: LoginCheck::Users,
        login_delay: delay,
        ..Settings::default()
    };
    stage.retune(&other(Some(s(3))));
    hears_after(&mut stage, key, s(3), DENIED);
    stage.say(key, "login bob guess\n");
    stage.settle();
    stage.retune(&other(None));
    stage.pass(ms(20));
    assert_eq!(stage.hear(key), DENIED, "at once");
}

#[test]
fn who_was_put_off_and_is_denied_late_still_has_to_log_in_in_time() {
    let mut stage = stage(Settings {
        login: Login::Required,
        login_timeout: Some(s(3)),
        login_delay: None,
        ..Settings::default()
    });
    let settings = Settings {
        login: Login::Required,
        login_timeout: Some(s(3)),
        login_delay: Some(s(10)),
        ..Settings::default()
    };
    stage.retune(&settings);
    let key = stage.connect();
    stage.server.handler_mut().is_undecided = true;
    stage.say(key, "login bob\n");
    stage.pass(s(1));
    let conn = stage.conn(key);
    let answer = Answer::Error(ErrorCode::BadCredentials, "no".into());
    assert!(stage.server.gate_mut().answer(conn, answer));
    stage.server.gate().check();
    stage.pass(s(3));
    assert_eq!(stage.reason(key), Some(CloseReason::LoginTimeout));
}
