//! Rates that a reload changes: what was counted under the one before is counted under the new one,
//! and who may do more from now on does not wait for what he might have done before.

use pulsegate::{CloseReason, Limits, Options, Settings, UserPolicy};

use super::rates::{ask, rate};
use super::{Stage, ms, s};
use crate::world::Path;
use crate::world::socket::Key;

fn options(limits: Limits) -> Options {
    Options {
        limits,
        users: UserPolicy::Replace,
        ..Options::default()
    }
}

fn stage(limits: Limits) -> Stage {
    let mut stage = Stage::with(Settings::default(), options(limits));
    stage.is_judged = false;
    stage
}

fn tune(stage: &mut Stage, limits: Limits) {
    stage.server.gate_mut().tune(&options(limits));
    stage.settle();
    stage.server.gate().check();
}

#[test]
fn a_higher_rate_of_newcomers_holds_at_once_and_a_lower_one_forgets_nothing() {
    // 61
    let accepts = |count, seconds| Limits {
        accept_rate: rate(count, seconds),
        ..Limits::default()
    };
    let mut stage = stage(accepts(60, 60));
    let crowd: Vec<Key> = (0..100).map(|_| stage.dial(Path::default())).collect();
    stage.pass(ms(100));
    assert_eq!(stage.server.gate().connections(), 60);
    tune(&mut stage, accepts(100, 1));
    stage.pass(s(1));
    assert_eq!(stage.server.gate().connections(), 100, "asked each second");
    // Forty came just now: more than so many an hour.
    tune(&mut stage, accepts(10, 3_600));
    let late = stage.dial(Path::default());
    stage.pass(s(350));
    assert_eq!(stage.net().kernel.say(late, b"ping\n"), 5);
    stage.pass(s(5));
    assert_eq!(stage.hear(late), "", "one in 360 s");
    stage.pass(s(10));
    assert_eq!(stage.hear(late), "pong\n");
    drop(crowd);
}

#[test]
fn what_was_tried_under_one_rate_counts_under_the_next() {
    // 20
    let logins = |count, seconds| {
        let user_login_rate = rate(count, seconds);
        let address_login_rate = rate(10 * count, seconds);
        Limits {
            user_login_rate,
            address_login_rate,
            ..Limits::default()
        }
    };
    let mut stage = stage(logins(3, 3_600));
    let key = stage.connect();
    let tried = |stage: &mut Stage, times: u32| {
        let heard = (0..times).map(|_| ask(stage, key, "login alice\n"));
        heard.filter(|heard| heard.starts_with("ok ")).count()
    };
    assert_eq!(tried(&mut stage, 4), 3);
    tune(&mut stage, logins(5, 3_600));
    assert_eq!(tried(&mut stage, 1), 1, "two more than before");
    tune(&mut stage, logins(1_000, 3_600));
    assert_eq!(tried(&mut stage, 50), 50);
    tune(&mut stage, logins(2, 60));
    assert_eq!(tried(&mut stage, 1), 0, "fifty are more than two");
    // Without a rate nothing is remembered.
    tune(&mut stage, Limits::default());
    tune(&mut stage, logins(2, 60));
    assert_eq!(tried(&mut stage, 2), 2);
}

#[test]
fn addresses_that_came_under_one_rate_are_counted_under_the_next() {
    // 61
    let accepts = |count, seconds| Limits {
        address_accept_rate: rate(count, seconds),
        ..Limits::default()
    };
    let mut stage = stage(accepts(1, 3_600));
    let come = |stage: &mut Stage, times: u32| {
        let path = Path {
            from: Some([10, 0, 0, 1].into()),
            ..Path::default()
        };
        let mut heard = (0..times).map(|_| {
            let key = stage.connect_by(path);
            ask(stage, key, "ping\n")
        });
        heard.by_ref().filter(|heard| heard == "pong\n").count()
    };
    assert_eq!(come(&mut stage, 2), 1);
    tune(&mut stage, accepts(100, 3_600));
    assert_eq!(come(&mut stage, 100), 99, "one of the hundred had come");
}

#[test]
fn a_name_rests_no_longer_than_it_was_told_whatever_rate_comes() {
    // 86
    let takeovers = |user_takeover_rate| Limits {
        user_takeover_rate,
        ..Limits::default()
    };
    let mut stage = stage(takeovers(rate(2, 3_600)));
    let log_in = |stage: &mut Stage| {
        let key = stage.connect();
        ask(stage, key, "login alice\n").starts_with("ok ")
    };
    assert_eq!(
        [(); 5].map(|()| log_in(&mut stage)),
        [true, true, true, true, false]
    );
    tune(&mut stage, takeovers(None));
    assert!(log_in(&mut stage), "no rate, no rest");
    tune(&mut stage, takeovers(rate(2, 3_600)));
    assert_eq!(
        [(); 4].map(|()| log_in(&mut stage)),
        [true, true, true, false]
    );
    tune(&mut stage, takeovers(rate(50, 3_600)));
    assert!(!log_in(&mut stage), "what was told holds");
    stage.pass(s(1));
    assert_eq!([(); 20].map(|()| log_in(&mut stage)), [true; 20]);
}

#[test]
fn who_is_held_back_is_read_at_once_where_the_rate_rises() {
    // 50
    let limited = |frames| Settings {
        message_rate: Some(frames),
        rate_strikes: 2,
        rate_interval: s(3_600),
        idle_timeout: None,
        ..Settings::default()
    };
    let mut stage = Stage::with(limited(2), options(Limits::default()));
    stage.is_judged = false;
    let key = stage.connect();
    assert_eq!(
        ask(&mut stage, key, &"ping\n".repeat(6)),
        "pong\n".repeat(2)
    );
    stage.retune(&limited(4));
    stage.settle();
    assert_eq!(stage.hear(key), "pong\n".repeat(4), "another interval");
    assert_eq!(
        ask(&mut stage, key, &"ping\n".repeat(9)),
        "",
        "it is used up"
    );
    stage.retune(&limited(1_000));
    stage.settle();
    assert_eq!(stage.hear(key), "pong\n".repeat(9));
    assert_eq!(ask(&mut stage, key, &"ping\n".repeat(90)).len(), 450);
    stage.retune(&limited(50));
    stage.settle();
    assert_eq!(ask(&mut stage, key, &"ping\n".repeat(60)).len(), 250);
    assert_eq!(stage.reason(key), None::<CloseReason>);
}

#[test]
fn what_was_said_under_a_higher_rate_is_no_strike_under_a_lower_one() {
    // 50
    let limited = |frames| Settings {
        message_rate: Some(frames),
        rate_strikes: 1,
        ..Settings::default()
    };
    let mut stage = Stage::with(limited(100), options(Limits::default()));
    stage.is_judged = false;
    let key = stage.connect();
    assert_eq!(ask(&mut stage, key, &"ping\n".repeat(60)).len(), 300);
    stage.retune(&limited(50));
    stage.settle();
    assert_eq!(ask(&mut stage, key, &"ping\n".repeat(50)).len(), 250);
    assert_eq!(stage.reason(key), None::<CloseReason>);
    ask(&mut stage, key, "ping\n");
    assert_eq!(stage.reason(key), Some(CloseReason::RateLimited));
}

#[test]
fn bytes_said_under_a_higher_rate_are_no_debt_under_a_lower_one() {
    // 50
    let limited = |frames, bytes| Settings {
        message_rate: frames,
        byte_rate: bytes,
        rate_strikes: 2,
        ..Settings::default()
    };
    let lower = limited(None, Some(100));
    for higher in [limited(None, Some(60_000)), limited(Some(20_000), None)] {
        let mut stage = Stage::with(higher, options(Limits::default()));
        stage.is_judged = false;
        let key = stage.connect();
        assert_eq!(ask(&mut stage, key, &"ping\n".repeat(1_000)).len(), 5_000);
        stage.retune(&lower);
        stage.settle();
        for _ in 0..5 {
            stage.pass(s(1));
            assert_eq!(ask(&mut stage, key, "ping\n"), "pong\n");
        }
        assert_eq!(stage.reason(key), None::<CloseReason>);
    }
}
