//! Connections that a proxy makes: its header comes first, or the connection ends.

use pulsegate::{CloseReason, Limits, Login, Settings};

use super::{Stage, ms, s};
use crate::world::agenda::{MILLI, SECOND};
use crate::world::socket::{Heard, Key};

const HEADER: &str = "PROXY TCP4 192.0.2.7 198.51.100.1 40000 7373\r\n";

fn settings(proxies: &str) -> Settings {
    Settings {
        trusted_proxies: vec![proxies.parse().expect("a network")],
        ping_after: Some(s(1)),
        ..Settings::default()
    }
}

fn stage(settings: Settings, limits: Limits) -> Stage {
    let mut stage = Stage::limited(settings, limits);
    stage.is_judged = false;
    stage
}

fn trusting() -> Stage {
    stage(settings("0.0.0.0/0"), Limits::default())
}

/// Says bytes of which the judge is told nothing.
fn say(stage: &mut Stage, key: Key, bytes: &[u8]) {
    assert_eq!(stage.net().kernel.say(key, bytes), bytes.len());
    stage.settle();
}

fn closed(stage: &mut Stage, key: Key) -> Option<CloseReason> {
    matches!(stage.at_peer(key), Heard::Fin | Heard::Reset).then_some(())?;
    stage
        .server
        .gate()
        .deaths()
        .next()
        .map(|death| death.reason)
}

#[test]
fn a_header_cut_anywhere_names_the_client_and_what_follows_is_answered() {
    // 27
    for cut in 0..=HEADER.len() {
        let mut stage = trusting();
        let key = stage.connect();
        let (front, rest) = HEADER.split_at(cut);
        say(&mut stage, key, front.as_bytes());
        assert_eq!(stage.hear(key), "", "nothing is said before the header");
        say(&mut stage, key, format!("{rest}ping\nlogin a\n").as_bytes());
        let heard = stage.hear(key);
        assert!(heard.starts_with("pong\nok heartbeat="), "{cut}: {heard:?}");
        let conn = stage.conn(key);
        let peer = stage.server.gate().peer(conn).expect("it is open");
        assert_eq!(peer.to_string(), "192.0.2.7:40000");
        assert_eq!(stage.events.len(), 2, "opened and logged in, once");
    }
}

#[test]
fn nobody_is_told_of_a_connection_whose_header_does_not_come_in_time() {
    // 27
    let mut stage = trusting();
    let silent = stage.connect();
    let dripping = stage.connect();
    let began = stage.now();
    for byte in HEADER.bytes().take(40) {
        stage.pass(ms(70));
        assert_eq!(stage.net().kernel.say(dripping, &[byte]), 1);
        if stage.now() < began + 2_900 * MILLI {
            assert_eq!(stage.at_peer(silent), Heard::Nothing, "no ping, no word");
        }
    }
    stage.pass(ms(250));
    for key in [silent, dripping] {
        assert_eq!(stage.hear(key), "close frame-timeout\n");
        assert!(closed(&mut stage, key).is_some());
    }
    assert!(stage.now() < began + 4 * SECOND);
    assert_eq!(stage.events, [], "the handler never hears of them");
    stage.server.gate().check();
}

#[test]
fn the_time_for_a_login_runs_while_the_header_is_awaited() {
    // 15, 27
    let required = Settings {
        login: Login::Required,
        login_timeout: Some(s(1)),
        ..settings("0.0.0.0/0")
    };
    let mut stage = stage(required, Limits::default());
    let key = stage.connect();
    say(&mut stage, key, &HEADER.as_bytes()[..20]);
    stage.pass(ms(990));
    assert_eq!(stage.at_peer(key), Heard::Nothing);
    stage.pass(ms(30));
    assert_eq!(stage.hear(key), "close login-timeout\n");
    assert_eq!(stage.events, [], "the handler never hears of it");
}

#[test]
fn a_wrong_header_and_a_missing_one_end_the_connection() {
    // 27
    for (first, heard) in [
        (&b"ping\n"[..], "close protocol\n"),
        (b"PROXY TCP4 1.2.3.4\r\n", "close protocol\n"),
        (
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 70000\r\nping\n",
            "close protocol\n",
        ),
        (b"\r\n\r\n\0\r\nQUIT\n\x31", "close protocol\n"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", "close protocol\n"),
        // Who comes from elsewhere is not answered.
        (b"POST / HTTP/1.1\r\n", ""),
    ] {
        let mut stage = trusting();
        let key = stage.connect();
        say(&mut stage, key, first);
        assert_eq!(stage.hear(key), heard, "{first:?}");
        stage.pass(s(2));
        assert_eq!(closed(&mut stage, key), Some(CloseReason::Protocol));
        assert_eq!(stage.events, []);
    }
}

#[test]
fn who_is_no_trusted_proxy_is_refused_whatever_it_says() {
    // 27
    let mut stage = stage(settings("192.0.2.0/24"), Limits::default());
    let key = stage.connect();
    say(&mut stage, key, HEADER.as_bytes());
    assert_eq!(stage.hear(key), "close protocol\n");
    assert_eq!(stage.server.gate().stats().strangers, 1);
    stage.pass(s(2));
    assert_eq!(stage.events, []);
}

#[test]
fn where_no_proxy_is_trusted_a_header_is_nothing_but_a_bad_request() {
    // 27
    let mut stage = stage(Settings::default(), Limits::default());
    let key = stage.connect();
    say(&mut stage, key, HEADER.as_bytes());
    assert!(stage.hear(key).starts_with("error bad-request "));
    let conn = stage.conn(key);
    let peer = stage.server.gate().peer(conn).expect("it is open");
    assert!(peer.to_string().starts_with("10."), "{peer}");
}

#[test]
fn a_header_that_is_under_way_is_read_by_the_rules_under_which_it_began() {
    // 27, 113
    let mut stage = trusting();
    let key = stage.connect();
    let (front, rest) = HEADER.split_at(20);
    say(&mut stage, key, front.as_bytes());
    stage.retune(&Settings {
        trusted_proxies: Vec::new(),
        ..settings("0.0.0.0/0")
    });
    say(&mut stage, key, format!("{rest}ping\n").as_bytes());
    assert_eq!(stage.hear(key), "pong\n");
    let peer = stage.server.gate().peer(stage.conn(key));
    assert_eq!(peer.expect("it is open").to_string(), "192.0.2.7:40000");
    let late = stage.connect();
    say(&mut stage, late, HEADER.as_bytes());
    assert!(stage.hear(late).starts_with("error bad-request "));
}

#[test]
fn limits_count_the_client_and_never_its_proxy() {
    // 55
    let limits = Limits {
        address_connections: Some(2),
        ..Limits::default()
    };
    let mut stage = stage(settings("0.0.0.0/0"), limits);
    let from = |stage: &mut Stage, source: &str| {
        let key = stage.connect();
        let header = format!("PROXY {source} 1 2\r\nping\n");
        say(stage, key, header.as_bytes());
        (key, stage.hear(key))
    };
    // The proxy itself holds more than two that have said nothing yet.
    let waiting: Vec<Key> = (0..5).map(|_| stage.connect()).collect();
    let four = "TCP4 192.0.2.7 10.0.0.1";
    let (first, _) = from(&mut stage, four);
    assert_eq!(from(&mut stage, four).1, "pong\n");
    assert_eq!(from(&mut stage, four).1, "close overloaded 1000\n");
    let mapped = "TCP6 ::ffff:192.0.2.7 ::1";
    assert_eq!(from(&mut stage, mapped).1, "close overloaded 1000\n");
    assert_eq!(from(&mut stage, "TCP4 192.0.2.8 10.0.0.1").1, "pong\n");
    for host in 1..4u16 {
        let source = format!("TCP6 2001:db8:0:1::{host:x} ::1");
        let wanted = if host < 3 {
            "pong\n"
        } else {
            "close overloaded 1000\n"
        };
        assert_eq!(
            from(&mut stage, &source).1,
            wanted,
            "64 bits are one address"
        );
    }
    assert_eq!(from(&mut stage, "TCP6 2001:db8:0:2::1 ::1").1, "pong\n");
    assert_eq!(stage.server.gate().stats().crowded, 3);
    // Room again as soon as one has left, however it leaves.
    stage.net().kernel.reset(first);
    stage.settle();
    assert_eq!(from(&mut stage, four).1, "pong\n");
    drop(waiting);
}

#[test]
fn a_header_with_more_behind_it_than_the_rate_allows_is_read_all_the_same() {
    let mut stage = stage(
        Settings {
            byte_rate: Some(1_024),
            rate_interval: ms(200),
            ..settings("0.0.0.0/0")
        },
        Limits::default(),
    );
    let key = stage.connect();
    let frames = "ping\n".repeat(300);
    say(&mut stage, key, format!("{HEADER}{frames}").as_bytes());
    stage.pass(s(1));
    assert_eq!(stage.hear(key).matches("pong\n").count(), 300);
}
