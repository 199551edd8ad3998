//! Requests as bytes: cut, glued, too large, too slow, wrong.

use std::time::{Duration, Instant};

use super::daemon;
use crate::http::Http;

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn a_request_may_come_byte_by_byte() {
    let daemon = daemon("", "");
    let mut http = daemon.http();
    for byte in HEALTH.bytes() {
        http.send([byte]);
    }
    let reply = http.reply();
    assert_eq!((reply.status, &reply.body[..]), (200, &b"ok\n"[..]));
}

#[test]
fn requests_that_come_at_once_are_answered_in_order() {
    let daemon = daemon("", "");
    let mut http = daemon.http();
    let mut sent = String::new();
    for number in 0..200 {
        sent.push_str(&format!(
            "GET /nowhere/{number} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        ));
        sent.push_str(HEALTH);
    }
    http.send(sent);
    for _ in 0..200 {
        http.reply().refuses(404, "not-found");
        assert_eq!(http.reply().text(), "ok\n");
    }
    // The connection lives on.
    assert_eq!(http.get("/healthz").status, 200);
}

#[test]
fn a_connection_closes_where_it_is_asked_to() {
    let daemon = daemon("", "");
    for request in [
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n",
        "GET /healthz HTTP/1.0\r\n\r\n",
    ] {
        let mut http = daemon.http();
        http.send(request);
        let reply = http.reply();
        assert_eq!(
            (reply.status, reply.header("connection")),
            (200, Some("close"))
        );
        assert_eq!(http.rest(), b"");
    }
}

#[test]
fn a_half_close_is_answered_first() {
    let daemon = daemon("", "");
    let mut http = daemon.http();
    http.send(HEALTH.repeat(3));
    http.half_close();
    for _ in 0..3 {
        assert_eq!(http.reply().text(), "ok\n");
    }
    assert_eq!(http.rest(), b"");
}

#[test]
fn what_is_no_request_is_refused_and_ends_the_connection() {
    let daemon = daemon("", "");
    let host = "Host: localhost\r\n";
    for request in [
        format!("GET / HTTP/1.1\r\n{host}Content-Length: 1\r\nContent-Length: 1\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
        format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}Content-Length: +5\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}Content-Length: 0x5\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}Content-Length: -1\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}Content-Length: 18446744073709551616\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}Content-Length: 1, 1\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}Content-Length:\r\n\r\n"),
        format!(
            "POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n\
             10000000000000000\r\n"
        ),
        format!("GET / HTTP/1.1\r\n{host}{host}\r\n"),
        String::from("GET / HTTP/1.1\r\n\r\n"),
        String::from("GET / HTTP/1.1\nHost: localhost\n\n"),
        String::from("GET / HTTP/1.1\r\nHost : localhost\r\n\r\n"),
        String::from("GET / HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n"),
        String::from("GET / HTTP/3\r\nHost: localhost\r\n\r\n"),
        String::from("GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        String::from("ping\n"),
        String::from("\0\0\0\u{1}\u{1}\r\n\r\n"),
    ] {
        let mut http = daemon.http();
        http.send(&request);
        let reply = http.reply();
        reply.refuses(400, "bad-request");
        assert_eq!(reply.header("connection"), Some("close"), "{request:?}");
        assert_eq!(http.rest(), b"", "{request:?}");
    }
    // What stands behind a body error is not taken for a request.
    let mut http = daemon.http();
    http.send(format!(
        "POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n{HEALTH}"
    ));
    http.reply().refuses(400, "bad-request");
    assert_eq!(http.rest(), b"");
}

#[test]
fn a_head_has_its_limits() {
    let daemon = daemon("", "");
    let field = format!("a: {}\r\n", "b".repeat(1_000));
    let many = "a: b\r\n".repeat(10_000);
    for fields in [
        field.repeat(9),
        "a: b\r\n".repeat(64),
        field.repeat(1_000),
        many,
    ] {
        let mut http = daemon.http();
        http.try_send(format!("GET / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"));
        http.reply().refuses(413, "too-large");
    }
    let mut http = daemon.http();
    let fields = field.repeat(7);
    http.send(format!(
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"
    ));
    assert_eq!(http.reply().status, 200);
}

#[test]
fn a_head_that_takes_too_long_ends_its_connection() {
    let daemon = daemon("", "");
    let began = Instant::now();
    let mut silent = daemon.http();
    let mut slow = daemon.http();
    slow.send("GET /healthz HTTP/1.1\r\n");
    assert_eq!((silent.rest(), slow.rest()), (Vec::new(), Vec::new()));
    let took = began.elapsed();
    let window = Duration::from_millis(4_900)..Duration::from_secs(8);
    assert!(window.contains(&took), "{took:?}");
}

#[test]
fn whoever_rests_makes_room_and_nobody_else() {
    let daemon = daemon("", "");
    let mut resting: Vec<Http> = (0..16).map(|_| daemon.http()).collect();
    for http in &mut resting {
        assert_eq!(http.get("/healthz").status, 200);
    }
    let mut newcomer = daemon.http();
    assert_eq!(newcomer.get("/healthz").status, 200);
    // The one that rested longest is gone, the others are not.
    assert_eq!(resting[0].rest(), b"");
    for http in &mut resting[1..] {
        assert_eq!(http.get("/healthz").status, 200);
    }
}

#[test]
fn half_heads_and_silence_shut_nobody_out() {
    let daemon = daemon("", "");
    let began = Instant::now();
    let mut rounds = Vec::new();
    for _ in 0..2 {
        let half = (0..32).map(|number| {
            let mut http = daemon.http();
            if number % 2 == 0 {
                http.try_send("GET /healthz HTTP/1.1\r\n");
            }
            http
        });
        rounds.push(half.collect::<Vec<Http>>());
        let mut operator = daemon.http();
        assert_eq!(operator.get("/healthz").status, 200);
        assert_eq!(operator.get("/v1/stats").status, 200);
    }
    // Waiting for all of them to be given up would have taken five seconds and more each time.
    let took = began.elapsed();
    assert!(took < Duration::from_millis(4_900), "{took:?}");
}
