//! Newcomers and logins by where they come from: how many there are, and how fast more come.

use pulsegate::{Limits, Options, Settings};

use super::rates::{ask, rate, stage};
use super::{Stage, ms, s};
use crate::world::Path;
use crate::world::socket::{Heard, Key};

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
