//! The admin interface beside clients, on the simulated clock.

use std::net::SocketAddr;
use std::time::Duration;

use pulsegate::config::AdminBind;
use pulsegate::{AdminAccess, AdminLimits, Limits, Settings};
use serde_json::Value;

use super::{Stage, ms, s};
use crate::world::Path;
use crate::world::agenda::{MILLI, SECOND};
use crate::world::socket::{Heard, Key};

/// The number of its listener.
const ADMIN: u16 = 1;

/// A stage with an admin interface.
fn stage(settings: Settings) -> Stage {
    within(settings, Limits::default())
}

/// The same within other limits.
fn within(settings: Settings, limits: Limits) -> Stage {
    let mut stage = Stage::limited(settings, limits);
    // The judge knows the rules of clients' connections only.
    stage.checks = false;
    let bind = AdminBind::Tcp(SocketAddr::from(([127, 0, 0, 1], 7_374)));
    let access = AdminAccess::default();
    stage.server.listen_admin(&bind, access).expect("listens");
    stage
}

fn dial(stage: &mut Stage) -> Key {
    let kernel = &mut stage.net().kernel;
    kernel.dial(ADMIN, None, Path::default()).expect("connects")
}

fn say(stage: &mut Stage, key: Key, text: &str) {
    let kernel = &mut stage.net().kernel;
    assert_eq!(kernel.say(key, text.as_bytes()), text.len());
}

/// Asks, and turns until the answer has this in it: the answer, and how many turns it took.
fn ask(stage: &mut Stage, key: Key, target: &str, end: &str) -> (String, u64) {
    say(
        stage,
        key,
        &format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    );
    let turns = stage.server.gate().stats().turns;
    let mut answer = String::new();
    for _ in 0..10_000 {
        stage.turn();
        answer.push_str(&stage.hear(key));
        if answer.contains(end) {
            return (answer, stage.server.gate().stats().turns - turns);
        }
    }
    panic!("no {end:?} in {answer}");
}

/// How long a newcomer waits for the answer to a request.
fn wait(stage: &mut Stage) -> u64 {
    let began = stage.now();
    let key = dial(stage);
    say(
        stage,
        key,
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    );
    let mut answer = String::new();
    while !answer.ends_with("\r\n\r\nok\n") {
        stage.pass(ms(2));
        answer.push_str(&stage.hear(key));
        assert!(stage.now() < began + 10 * SECOND, "{answer}");
    }
    stage.now() - began
}

/// When its peer finds the connection closed.
fn closed(stage: &mut Stage, key: Key) -> u64 {
    while !matches!(stage.at_peer(key), Heard::Fin | Heard::Reset) {
        stage.pass(ms(2));
    }
    stage.now()
}

#[test]
fn pages_and_metrics_cost_nobody_a_heartbeat() {
    // 105
    const MANY: usize = 3_000;
    let mut stage = stage(Settings {
        idle_timeout: Some(s(3)),
        ..Settings::default()
    });
    let peers: Vec<Key> = (0..MANY).map(|_| stage.dial(Path::default())).collect();
    stage.pass(ms(100));
    let admin = dial(&mut stage);
    let rows = "\"address\":";
    for round in 0..8 {
        for &peer in &peers {
            stage.say(peer, "ping\n");
        }
        let target = "/v1/connections?limit=3000&sort=bytes_in";
        let (page, turns) = ask(&mut stage, admin, target, "\"next\":null}");
        assert_eq!(page.matches(rows).count(), MANY, "round {round}");
        assert!(turns > 6, "all rows in {turns} turns");
        let (text, _) = ask(&mut stage, admin, "/metrics", "process_start_time_seconds ");
        let count =
            format!("pulsegate_connections{{listener=\"clients\",state=\"anonymous\"}} {MANY}\n");
        assert!(text.contains(&count), "{text}");
        stage.pass(ms(990));
        for &peer in &peers {
            assert_eq!(stage.hear(peer), "pong\n");
        }
    }
    assert_eq!(stage.ends, []);
    stage.server.gate().check();
}

/// The JSON of a page that is short enough to be told in one piece.
fn page(stage: &mut Stage, key: Key, target: &str) -> Value {
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    say(stage, key, &request);
    let mut answer = String::new();
    for _ in 0..10_000 {
        stage.turn();
        answer.push_str(&stage.hear(key));
        let Some((head, body)) = answer.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.split("content-length: ").nth(1);
        let length = length.and_then(|rest| rest.lines().next()).expect("short");
        if body.len() == length.parse::<usize>().expect("a number") {
            return serde_json::from_str(body).expect("JSON");
        }
    }
    panic!("no page in {answer}");
}

#[test]
fn no_page_is_longer_than_the_longest_whatever_is_asked_for() {
    // 105
    const MANY: usize = 25;
    const PAGE_MAX: u32 = 10;
    const MOST: usize = PAGE_MAX as usize;
    let limits = Limits {
        admin: AdminLimits {
            page: 7,
            page_max: PAGE_MAX,
            ..AdminLimits::default()
        },
        ..Limits::default()
    };
    let mut stage = within(Settings::default(), limits);
    for number in 0..MANY {
        let key = stage.login(&format!("user-{number:02}"));
        stage.ask(key, "join same\n");
        stage.ask(key, &format!("join topic-{number:02}\n"));
    }
    let admin = dial(&mut stage);
    for (target, table, total) in [
        ("/v1/users", "users", MANY),
        ("/v1/connections", "connections", MANY),
        ("/v1/connections?sort=id", "connections", MANY),
        ("/v1/topics", "topics", MANY + 1),
        ("/v1/topics/same", "members", MANY),
    ] {
        let and = if target.contains('?') { '&' } else { '?' };
        let mut page = |more: &str| {
            let told = page(&mut stage, admin, &format!("{target}{more}"));
            assert_eq!(told["total"], total, "{target}: {told}");
            let rows = told[table].as_array().expect(table).len();
            (rows, told["next"].clone())
        };
        // As many as usual, as few as are asked for, and never more than may be.
        let wanted = [
            ("", 7),
            ("limit=3", 3),
            ("limit=10", MOST),
            ("limit=11", MOST),
        ];
        let beyond = [("limit=25", MOST), ("limit=18446744073709551615", MOST)];
        for (limit, rows) in wanted.into_iter().chain(beyond) {
            let (told, next) = page(&format!("{and}{limit}"));
            assert_eq!(told, rows, "{target} {limit}");
            assert!(!next.is_null(), "{target} {limit}: there are more");
        }
        // What is beyond a page is on the next one.
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let (told, next) = page(&format!("{and}limit=1000{after}"));
            seen.push(told);
            match next {
                Value::Null => break,
                Value::String(next) => after = format!("&after={next}"),
                next => after = format!("&after={next}"),
            }
        }
        assert_eq!(seen, [MOST, MOST, total - 2 * MOST], "{target}");
    }
    stage.server.gate().check();
}

#[test]
fn a_head_that_does_not_end_ends_its_connection_after_five_seconds() {
    // 103
    let mut stage = stage(Settings::default());
    let admin = dial(&mut stage);
    stage.settle();
    let began = stage.now();
    say(&mut stage, admin, "GET /healthz HTTP/1.1\r\n");
    let (mut dripped, mut end) = (0, None);
    while end.is_none() && dripped < 20 {
        stage.pass(ms(490));
        let kernel = &mut stage.net().kernel;
        dripped += kernel.say(admin, b"a");
        if matches!(stage.at_peer(admin), Heard::Fin | Heard::Reset) {
            end = Some(stage.now());
        }
    }
    let took = end.expect("it ends") - began;
    assert!((5 * SECOND..5_600 * MILLI).contains(&took), "{took} ns");
    // Who says nothing at all has as long.
    let silent = dial(&mut stage);
    stage.settle();
    let began = stage.now();
    let took = closed(&mut stage, silent) - began;
    let window = 4_980 * MILLI..5_020 * MILLI;
    assert!(window.contains(&took), "{took} ns");
}

#[test]
fn half_heads_shut_nobody_out() {
    // 106
    let mut stage = stage(Settings::default());
    let half = |stage: &mut Stage, number: usize| {
        let key = dial(stage);
        if number.is_multiple_of(2) {
            say(stage, key, "GET /healthz HTTP/1.1\r\n");
        }
        key
    };
    let first: Vec<Key> = (0..16).map(|number| half(&mut stage, number)).collect();
    stage.pass(ms(10));
    let took = wait(&mut stage);
    assert!((200 * MILLI..500 * MILLI).contains(&took), "{took} ns");
    let mut is_gone = |key: &Key| matches!(stage.at_peer(*key), Heard::Fin | Heard::Reset);
    let gone = first.iter().filter(|key| is_gone(key)).count();
    assert_eq!(gone, 1, "one makes room for one");
    // Nor where they come again and again.
    for round in 0..50 {
        for number in 0..4 {
            half(&mut stage, number);
        }
        stage.pass(ms(50));
        if round % 10 == 9 {
            let took = wait(&mut stage);
            assert!(took < 2 * SECOND, "{took} ns");
        }
    }
    // While nobody knocks, nobody is displaced, and the loop rests.
    stage.pass(s(8));
    let quiet: Vec<Key> = (0..16).map(|number| half(&mut stage, number)).collect();
    let turns = stage.server.gate().stats().turns;
    stage.pass(s(4));
    let turns = stage.server.gate().stats().turns - turns;
    assert!(turns < 60, "{turns} turns");
    for key in quiet {
        assert!(!matches!(stage.at_peer(key), Heard::Fin | Heard::Reset));
    }
    stage.server.gate().check();
}

#[test]
fn a_loop_that_lags_is_not_ready_and_says_why() {
    let mut stage = stage(Settings::default());
    let peers: Vec<Key> = (0..4).map(|_| stage.connect()).collect();
    let admin = dial(&mut stage);
    let (answer, _) = ask(&mut stage, admin, "/readyz", "ready\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    stage.net().toll = 50 * MILLI;
    while !stage.server.gate().pace().lag.is_over() {
        for &peer in &peers {
            stage.say(peer, "ping\n");
        }
        stage.turn();
    }
    stage.net().toll = 1_000;
    // It takes newcomers of operators all the same.
    let admin = dial(&mut stage);
    let (answer, _) = ask(&mut stage, admin, "/readyz", "}\n");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("the loop lags"), "{answer}");
    let (text, _) = ask(&mut stage, admin, "/metrics", "process_start_time_seconds ");
    let told = "\npulsegate_accept_paused{cause=\"lag\"} 1\n";
    assert!(text.contains(told), "{text}");
    let step = stage.server.gate().step() as u64;
    assert!(step > 0);
    let told = |text: &str, step: u64, is_on: u8| {
        let lines = [
            format!("\npulsegate_overload_step {step}\n"),
            format!("\npulsegate_overload_active{{step=\"readers\"}} {is_on}\n"),
            "\npulsegate_overload_actions_total{step=\"readers\"} ".to_owned(),
        ];
        for line in lines {
            assert!(text.contains(&line), "{line}{text}");
        }
        assert!(!text.contains("\npulsegate_overload_steps_total 0\n"));
    };
    told(&text, step, 1);
    let (stats, _) = ask(&mut stage, admin, "/v1/stats", "}\n");
    assert!(stats.contains("\"lags\":true"), "{stats}");
    stage.pass(s(3));
    ask(&mut stage, admin, "/readyz", "ready\n");
    let (text, _) = ask(&mut stage, admin, "/metrics", "process_start_time_seconds ");
    told(&text, 0, 0);
    let lasted = text.split("pulsegate_accept_paused_seconds_total{cause=\"lag\"} ");
    let lasted = lasted.last().and_then(|text| text.split('\n').next());
    let lasted: f64 = lasted.expect("it is told").parse().expect("a number");
    assert!((0.1..4.0).contains(&lasted), "{lasted}");
}

#[test]
fn a_stopped_process_does_not_blame_its_operator() {
    let mut stage = stage(Settings::default());
    let admin = dial(&mut stage);
    let (answer, _) = ask(&mut stage, admin, "/healthz", "\r\n\r\nok\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    stage.net().lose(300 * SECOND);
    stage.pass(Duration::from_secs(30));
    ask(&mut stage, admin, "/healthz", "\r\n\r\nok\n");
}

/// Bans somebody: the answer.
fn ban(stage: &mut Stage, admin: Key, body: &str) -> String {
    let length = body.len();
    let request = format!(
        "POST /v1/bans HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    say(stage, admin, &request);
    stage.settle();
    stage.hear(admin)
}

#[test]
fn a_ban_goes_on_while_the_process_is_stopped() {
    // 81, 82
    let mut stage = stage(Settings::default());
    stage.is_judged = false;
    let admin = dial(&mut stage);
    let answer = ban(&mut stage, admin, r#"{"user":"bob","ttl_ms":60000}"#);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let tried = |stage: &mut Stage| {
        let peer = stage.connect();
        stage.ask(peer, "login bob\n")
    };
    assert!(tried(&mut stage).starts_with("close banned"));
    stage.net().lose(61 * SECOND);
    stage.settle();
    assert!(tried(&mut stage).starts_with("ok "));
}

#[test]
fn there_are_so_many_bans_at_most_and_those_that_are_over_make_room() {
    // 20
    let limits = Limits {
        bans: 2,
        ..Limits::default()
    };
    let mut stage = within(Settings::default(), limits);
    stage.is_judged = false;
    let admin = dial(&mut stage);
    let is_taken = |number: u32, stage: &mut Stage| {
        let body = format!(r#"{{"user":"u{number}","ttl_ms":3000}}"#);
        let answer = ban(stage, admin, &body);
        let is_full = answer.starts_with("HTTP/1.1 503 ") && answer.contains("as many bans");
        assert!(is_full || answer.starts_with("HTTP/1.1 200 "), "{answer}");
        !is_full
    };
    let taken = [1, 2, 3, 1].map(|number| is_taken(number, &mut stage));
    assert_eq!(
        taken,
        [true, true, false, true],
        "one of them again is none more"
    );
    assert_eq!(stage.server.gate().banned(), 2);
    stage.pass(ms(3_100));
    assert_eq!(stage.server.gate().banned(), 0);
    let taken = [3, 4, 5].map(|number| is_taken(number, &mut stage));
    assert_eq!(taken, [true, true, false], "those before are over");
}

#[test]
fn a_ban_lasts_as_long_as_was_said_whatever_the_clock_on_the_wall_does() {
    // 80
    let mut stage = stage(Settings::default());
    // He knows no bans.
    stage.is_judged = false;
    let admin = dial(&mut stage);
    let answer = ban(&mut stage, admin, r#"{"cidr":"10.0.0.0/8","ttl_ms":60000}"#);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    for jump in [3_600, -3_600, 315_360_000, -315_360_000, 0] {
        stage.net().wall_offset = jump;
        stage.pass(ms(11_900));
        let key = stage.dial(Path::default());
        stage.settle();
        assert_eq!(stage.hear(key), "close banned\n", "{jump}");
    }
    stage.net().wall_offset = -315_360_000;
    stage.pass(s(1));
    let key = stage.connect();
    assert_eq!(stage.ask(key, "ping\n"), "pong\n", "it is over");
}

#[test]
fn a_tap_that_nobody_reads_ends_without_a_turn_in_vain() {
    let mut stage = stage(Settings::default());
    let alice = stage.login("alice");
    let narrow = Path {
        down_window: 100,
        ..Path::default()
    };
    let dialled = stage.net().kernel.dial(ADMIN, None, narrow);
    let tap = dialled.expect("connects");
    let request = "GET /v1/tap/alice?for_ms=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    say(&mut stage, tap, request);
    stage.settle();
    // More than is made ahead of what the socket takes.
    for _ in 0..20 {
        stage.ask(alice, &"ping\n".repeat(100));
    }
    // The net counts turns that have nothing to do.
    stage.pass(s(5));
    let mut told = String::new();
    while !told.ends_with("0\r\n\r\n") {
        stage.pass(ms(1));
        told.push_str(&stage.hear(tap));
        assert!(told.len() < 1 << 21, "it ends by itself");
    }
    ask(&mut stage, tap, "/healthz", "ok\n");
}

#[test]
fn one_who_pipelines_listings_keeps_nobody_from_an_answer() {
    // 105: each of his turns uses up all rows of it.
    let mut stage = stage(Settings::default());
    for _ in 0..3_000 {
        stage.dial(Path::default());
    }
    stage.pass(ms(100));
    let greedy = dial(&mut stage);
    let request = "GET /v1/connections?limit=1&sort=outbox HTTP/1.1\r\nHost: localhost\r\n\r\n";
    say(&mut stage, greedy, &request.repeat(100));
    stage.turn();
    let other = dial(&mut stage);
    let (_, turns) = ask(&mut stage, other, "/v1/users?limit=1", "\"next\":null}");
    assert!(turns < 20, "{turns} turns");
    stage.hear(greedy);
}
