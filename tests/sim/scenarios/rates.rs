//! Rates: of one connection by the interval, of newcomers and of logins by buckets.

use std::time::Duration;

use pulsegate::{CloseReason, Limits, Options, Rate, Settings, UserPolicy};

use super::{Stage, ms, s};
use crate::world::Path;
use crate::world::agenda::SECOND;
use crate::world::socket::{Heard, Key};

fn rate(count: u32, seconds: u64) -> Option<Rate> {
    let per = Duration::from_secs(seconds);
    Some(Rate { count, per })
}

fn stage(settings: Settings, limits: Limits) -> Stage {
    let options = Options {
        limits,
        users: UserPolicy::Devices(99),
        ..Options::default()
    };
    let mut stage = Stage::with(settings, options);
    stage.is_judged = false;
    stage
}

fn limited(frames: Option<u32>, bytes: Option<usize>) -> Settings {
    Settings {
        message_rate: frames,
        byte_rate: bytes,
        rate_strikes: 3,
        idle_timeout: Some(s(3)),
        ..Settings::default()
    }
}

/// Says it whatever the judge thinks, and hears what comes at once.
fn ask(stage: &mut Stage, key: Key, text: &str) -> String {
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
fn newcomers_above_the_rate_wait_in_the_backlog_and_all_come_in() {
    // 61
    let limits = Limits {
        accept_rate: rate(10, 1),
        ..Limits::default()
    };
    let mut stage = stage(Settings::default(), limits);
    let began = stage.now();
    let keys: Vec<Key> = (0..50).map(|_| stage.dial(Path::default())).collect();
    let mut last = 0;
    for tenth in 0..45u32 {
        stage.pass(ms(100));
        let open = stage.server.gate().connections();
        assert!(open <= 10 + tenth + 2, "{open} after {tenth} tenths");
        assert!(open >= last);
        last = open;
    }
    assert_eq!(last, 50, "{} ns", stage.now() - began);
    let turns = stage.server.gate().stats().turns;
    assert!(turns < 500, "{turns} turns: no spinning while they wait");
    assert_eq!(ask(&mut stage, keys[49], "ping\n"), "pong\n");
    stage.server.gate().check();
}

#[test]
fn who_is_turned_away_or_lingers_keeps_no_place_from_others() {
    // 55, 54
    let limits = Limits {
        connections: 40,
        refusals: 8,
        address_connections: Some(5),
        ..Limits::default()
    };
    let mut stage = stage(Settings::default(), limits);
    let from = |last: u8| Path {
        from: Some([10, 0, 0, last].into()),
        ..Path::default()
    };
    // Nobody of them reads or closes: each lingers for a second.
    let crowd: Vec<Key> = (0..200).map(|_| stage.dial(from(1))).collect();
    let other = stage.dial(from(2));
    stage.pass(ms(50));
    assert_eq!(ask(&mut stage, other, "ping\n"), "pong\n");
    assert_eq!(stage.server.gate().connections(), 6);
    assert_eq!(stage.hear(crowd[199]), "close overloaded 1000\n");
    // Nor do those whose end is their own doing: they are counted no more.
    for _ in 0..30 {
        let keys = [(); 4].map(|()| stage.dial(from(3)));
        stage.settle();
        for key in keys {
            stage.net().kernel.say(key, b"\xff\n");
        }
        stage.settle();
    }
    let other = stage.connect_by(from(4));
    assert_eq!(ask(&mut stage, other, "ping\n"), "pong\n");
    let turns = stage.server.gate().stats().turns;
    assert!(turns < 1_000, "{turns} turns: nobody spins");
    stage.server.gate().check();
}

#[test]
fn newcomers_of_one_address_above_its_rate_are_refused() {
    // 61, 25
    let limits = Limits {
        address_accept_rate: rate(3, 3),
        sources: 4,
        ..Limits::default()
    };
    let settings = Settings {
        trusted_proxies: vec!["0.0.0.0/0".parse().expect("a network")],
        ..Settings::default()
    };
    let mut stage = stage(settings, limits);
    let from = |stage: &mut Stage, host: u32| {
        let key = stage.connect();
        let header = format!("PROXY TCP4 192.0.2.{host} 10.0.0.1 1 2\r\nping\n");
        (key, ask(stage, key, &header))
    };
    let leave = |stage: &mut Stage, key: Key| {
        stage.net().kernel.reset(key);
        stage.settle();
    };
    for _ in 0..3 {
        let (key, heard) = from(&mut stage, 1);
        assert_eq!(heard, "pong\n");
        leave(&mut stage, key);
    }
    let (key, heard) = from(&mut stage, 1);
    assert_eq!(heard, "close rate-limited 1000\n");
    assert!(matches!(stage.at_peer(key), Heard::Fin | Heard::Nothing));
    assert_eq!(from(&mut stage, 2).1, "pong\n", "others come in");
    stage.pass(s(1));
    assert_eq!(from(&mut stage, 1).1, "pong\n", "one a second");
    // Addresses that are gone are remembered, a few of them.
    for host in 10..100 {
        let (key, heard) = from(&mut stage, host);
        assert_eq!(heard, "pong\n");
        leave(&mut stage, key);
        assert!(stage.server.gate().sources() <= 4 + 3);
    }
    assert_eq!(stage.server.gate().stats().hurried, 1);
    // What owes nothing is forgotten.
    stage.pass(s(10));
    for host in 100..110 {
        let (key, _) = from(&mut stage, host);
        leave(&mut stage, key);
        stage.pass(s(4));
    }
    assert!(
        stage.server.gate().sources() <= 4,
        "those who are here, and one"
    );
}

#[test]
fn logins_are_tried_so_often_by_address_by_user_and_by_all() {
    // 20, 25
    for (limits, by_user, all) in [
        (
            Limits {
                address_login_rate: rate(2, 60),
                ..Limits::default()
            },
            false,
            false,
        ),
        (
            Limits {
                user_login_rate: rate(2, 60),
                sources: 3,
                ..Limits::default()
            },
            true,
            false,
        ),
        (
            Limits {
                login_rate: rate(2, 60),
                ..Limits::default()
            },
            false,
            true,
        ),
    ] {
        let settings = Settings {
            failed_logins_max: 9,
            ..Settings::default()
        };
        let mut stage = stage(settings, limits);
        let [one, other] = [stage.connect(), stage.connect()];
        let is_ok = |heard: String| match heard.split(' ').next() {
            Some("ok") => true,
            _ => {
                assert!(heard.starts_with("error rate-limited "), "{heard}");
                false
            }
        };
        assert!(is_ok(ask(&mut stage, one, "login alice\n")));
        assert!(is_ok(ask(&mut stage, one, "login alice\n")));
        assert!(!is_ok(ask(&mut stage, one, "login alice\n")));
        assert_eq!(is_ok(ask(&mut stage, one, "login bob\n")), by_user);
        let stranger = is_ok(ask(&mut stage, other, "login alice\n"));
        assert_eq!(stranger, !by_user && !all, "each dial is another address");
        assert_eq!(is_ok(ask(&mut stage, other, "login carol\n")), !all);
        stage.pass(s(29));
        assert!(!is_ok(ask(&mut stage, one, "login alice\n")));
        stage.pass(s(2));
        assert!(is_ok(ask(&mut stage, one, "login alice\n")));
        // Names that are only tried are not remembered without bound.
        for name in 0..100 {
            let key = stage.connect();
            ask(&mut stage, key, &format!("login n{name}\n"));
        }
        let kept = stage.server.gate().sources();
        assert!(!by_user || kept <= 3, "{kept}");
    }
}

#[test]
fn hosts_of_one_64_share_what_may_be_tried() {
    // 20, 25
    let limits = Limits {
        address_login_rate: rate(2, 60),
        ..Limits::default()
    };
    let mut stage = stage(Settings::default(), limits);
    let mut tried = |network: u16, host: u16| {
        let from = [0x2001, 0xdb8, 0, network, 0, 0, 0, host];
        let key = stage.connect_by(Path {
            from: Some(from.into()),
            ..Path::default()
        });
        ask(&mut stage, key, "login alice\n").starts_with("ok ")
    };
    assert!(tried(1, 1) && tried(1, 2));
    assert!(!tried(1, 3) && tried(2, 3));
}

#[test]
fn limits_by_source_come_and_go_while_connections_live() {
    // 55
    let mut stage = stage(Settings::default(), Limits::default());
    let keys: Vec<Key> = (0..30).map(|_| stage.connect()).collect();
    assert_eq!(
        stage.server.gate().sources(),
        0,
        "nothing is kept where nothing is limited"
    );
    let tune = |stage: &mut Stage, most| {
        let limits = Limits {
            address_connections: most,
            ..Limits::default()
        };
        let options = Options {
            limits,
            ..Options::default()
        };
        stage.server.gate_mut().tune(&options);
        stage.server.gate().check();
        stage.settle();
        stage.server.gate().check();
    };
    tune(&mut stage, Some(1));
    assert_eq!(stage.server.gate().sources(), 30);
    tune(&mut stage, None);
    let newcomer = stage.connect();
    for &key in &keys[..15] {
        stage.net().kernel.reset(key);
    }
    stage.settle();
    stage.server.gate().check();
    assert_eq!(stage.server.gate().sources(), 15);
    tune(&mut stage, Some(1));
    assert_eq!(stage.server.gate().sources(), 16);
    tune(&mut stage, None);
    for key in keys[15..].iter().copied().chain([newcomer]) {
        stage.net().kernel.reset(key);
    }
    stage.settle();
    stage.server.gate().check();
    assert_eq!(stage.server.gate().sources(), 0);
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
