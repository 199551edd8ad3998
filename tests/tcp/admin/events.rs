//! Streams: what a backend reads along, and a user who is tapped.

use serde_json::Value;

use super::daemon;
use super::reload::config;
use crate::daemon::Daemon;
use crate::http::Http;

/// Begins a stream; its answer has begun when this returns.
fn stream(http: &mut Http, target: &str) {
    http.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    let head = http.head();
    assert_eq!(head.status, 200);
    assert_eq!(head.header("transfer-encoding"), Some("chunked"));
}

/// The next so many events.
fn events(http: &mut Http, count: usize) -> Vec<Value> {
    let mut text = String::new();
    while text.matches('\n').count() < count {
        text.push_str(&String::from_utf8(http.chunk().unwrap()).unwrap());
    }
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), count, "{text}");
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_backend_reads_what_happens() {
    let daemon = daemon("", "");
    let mut alice = daemon.user("alice");
    alice.say("data nobody reads this");
    alice.hears_some("error no-backend ");
    let mut http = daemon.http();
    stream(&mut http, "/v1/events");
    alice.asks("data {\"a\": 1}", "ok queued=1");
    let mut bob = daemon.user("bob");
    bob.asks("quit", "close quit");
    let told = events(&mut http, 4);
    let kinds: Vec<&str> = told
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["data", "login", "logout", "close"]);
    for (seq, event) in (1..).zip(&told) {
        assert_eq!(event["seq"], seq);
        assert!(event["time"].as_u64() > Some(1_500_000_000_000));
        assert!(event["connection"].is_u64());
        assert_eq!(event["user"], if seq == 1 { "alice" } else { "bob" });
    }
    assert_eq!(told[0]["body"], "{\"a\": 1}");
    assert_eq!(told[3]["reason"], "quit");
    // Where the reader is gone there is none.
    drop(http);
    crate::client::eventually("the reader is missed", || {
        alice.say("data more");
        alice
            .hear_text()
            .starts_with("error no-backend ")
            .then_some(())
    });
}

#[test]
fn readers_get_what_they_ask_for() {
    let daemon = daemon("", "");
    let (mut closes, mut his) = (daemon.http(), daemon.http());
    stream(&mut closes, "/v1/events?types=close,logout");
    stream(&mut his, "/v1/events?user=alice");
    let mut alice = daemon.user("alice");
    let mut bob = daemon.user("bob");
    alice.asks("data hello", "ok queued=1");
    // Somebody reads data, but not his.
    bob.say("data hello");
    bob.hears_some("error no-backend ");
    bob.asks("quit", "close quit");
    assert_eq!(events(&mut closes, 2)[1]["user"], "bob");
    let told = events(&mut his, 2);
    assert_eq!(
        (&told[0]["type"], &told[1]["type"]),
        (&"login".into(), &"data".into())
    );
}

#[test]
fn who_falls_behind_is_told_how_much_is_lost() {
    let daemon = daemon("", "");
    let mut alice = daemon.user("alice");
    let mut http = daemon.http();
    stream(&mut http, "/v1/events?types=data");
    let body = "x".repeat(60_000);
    let (mut taken, mut refused) = (0_u64, 0_u64);
    while refused < 3 {
        alice.say(format!("data {body}"));
        match &alice.hear_text()[..] {
            "ok queued=1" => taken += 1,
            answer => {
                assert!(answer.starts_with("error overloaded "), "{answer}");
                refused += 1;
            }
        }
        assert!(taken < 2_000, "a reader that does not read has a bound");
    }
    let mut text = String::new();
    while !text.contains("lost") {
        text.push_str(&String::from_utf8(http.chunk().unwrap()).unwrap());
    }
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for (at, line) in lines
        .iter()
        .enumerate()
        .take(usize::try_from(taken).unwrap())
    {
        assert_eq!(line["seq"], at + 1);
    }
    let lost = &lines[usize::try_from(taken).unwrap()];
    assert_eq!(lost, &serde_json::json!({"type": "lost", "count": refused}));
    alice.asks("data again", "ok queued=1");
    assert_eq!(events(&mut http, 1)[0]["seq"], taken + refused + 1);
}

#[test]
fn there_are_only_so_many_readers() {
    let daemon = daemon("", "");
    let mut readers: Vec<Http> = (0..8).map(|_| daemon.http()).collect();
    for reader in &mut readers {
        stream(reader, "/v1/events");
    }
    let mut http = daemon.http();
    http.get("/v1/events").refuses(429, "rate-limited");
    // A head alone is no reader.
    http.send("HEAD /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(http.head().status, 429);
    drop(readers.pop());
    crate::client::eventually("a place is free", || {
        http.send("HEAD /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
        (http.head().status == 200).then_some(())
    });
    assert_eq!(http.get("/healthz").status, 200);
}

#[test]
fn a_tap_shows_both_ways_and_ends_by_itself() {
    let daemon = daemon("", "");
    let mut alice = daemon.user("alice");
    let mut bob = daemon.user("bob");
    let mut http = daemon.http();
    stream(&mut http, "/v1/tap/alice?for_ms=1500");
    alice.asks("ping", "pong");
    bob.asks("ping", "pong");
    bob.asks("send alice hi", "ok queued=1");
    alice.hears_some("msg ");
    let told = events(&mut http, 3);
    let told: Vec<(&str, &str)> = told
        .iter()
        .map(|event| {
            let part = |key: &str| event[key].as_str().unwrap();
            assert_eq!((part("type"), part("user")), ("frame", "alice"));
            (part("direction"), part("body"))
        })
        .collect();
    assert_eq!(told[..2], [("in", "ping\n"), ("out", "pong\n")]);
    assert!(
        told[2].0 == "out" && told[2].1.ends_with(" bob hi\n"),
        "{told:?}"
    );
    assert_eq!(http.chunk(), None);
    assert_eq!(http.get("/healthz").status, 200);
    alice.asks("ping", "pong");
}

#[test]
fn a_tap_goes_on_after_a_reload() {
    let daemon = Daemon::start(&config("60s"));
    let mut alice = daemon.user("alice");
    let mut http = daemon.http();
    stream(&mut http, "/v1/tap/alice?for_ms=20000");
    daemon.rewrite(&config("61s"));
    assert_eq!(daemon.http().post("/v1/reload", "").status, 200);
    alice.asks("ping", "pong");
    let told = events(&mut http, 2);
    assert_eq!(
        (&told[0]["body"], &told[1]["body"]),
        (&"ping\n".into(), &"pong\n".into())
    );
}

#[test]
fn a_tap_shows_the_goodbye() {
    let daemon = daemon("", "");
    let mut alice = daemon.user("alice");
    let mut http = daemon.http();
    stream(&mut http, "/v1/tap/alice?for_ms=20000");
    daemon.http().post("/v1/kick", r#"{"user":"alice"}"#);
    alice.hears("close kicked");
    let told = events(&mut http, 1);
    assert_eq!(told[0]["direction"], "out");
    assert_eq!(told[0]["body"], "close kicked\n");
}

#[test]
fn a_reader_hears_how_everybody_leaves_at_the_shutdown() {
    let mut daemon = daemon("", "");
    let mut http = daemon.http();
    stream(&mut http, "/v1/events?types=close");
    let mut clients: Vec<_> = (0..20).map(|_| daemon.line()).collect();
    for client in &mut clients {
        client.asks("ping", "pong");
    }
    daemon.signal(rustix::process::Signal::TERM);
    let told = events_of(&mut http);
    assert_eq!(
        told.matches("\"reason\":\"shutdown\"").count(),
        20,
        "{told}"
    );
    drop(clients);
    assert!(daemon.exit().success());
}

/// All that is left of a stream whose server goes.
fn events_of(http: &mut Http) -> String {
    String::from_utf8(http.rest()).unwrap()
}
