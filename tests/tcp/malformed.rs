//! What is not exactly a message is a bad request, in every encoding.

use serde_json::json;

use crate::client::{Framing, string};
use crate::daemon::Daemon;

const LINES: &[&str] = &[
    " ",
    " ping",
    "ping ",
    "PING",
    "Ping",
    "ping now",
    "pong x",
    "login",
    "login ",
    "send",
    "send alice",
    "send  alice x",
    "asend alice",
    "join",
    "join ",
    "join a b",
    "leave",
    "pub a",
    "data",
    "ack",
    "ack ",
    "ack x",
    "ack -1",
    "ack +1",
    "ack 1 2",
    "ack 18446744073709551616",
    "quit now",
    "what",
    "msg 1 a b",
    "\u{feff}ping",
    "ping\0",
];

const OBJECTS: &[&str] = &[
    "1",
    "[]",
    "\"ping\"",
    "null",
    "{}",
    r#"{"type":1}"#,
    r#"{"type":null}"#,
    r#"{"type":"Ping"}"#,
    r#"{"type":"ping","type":"ping"}"#,
    r#"{"type":"login"}"#,
    r#"{"type":"ping","x":1,"x":2}"#,
    r#"{"type":"login","user":1}"#,
    r#"{"type":"login","user":"a","token":1}"#,
    r#"{"type":"send","to":"a"}"#,
    r#"{"type":"send","body":"a"}"#,
    r#"{"type":"send","to":"a","body":"b","ack":1}"#,
    r#"{"type":"join","topic":["a"]}"#,
    r#"{"type":"pub","topic":"a"}"#,
    r#"{"type":"data"}"#,
    r#"{"type":"ack"}"#,
    r#"{"type":"ack","id":"1"}"#,
    r#"{"type":"ack","id":-1}"#,
    r#"{"type":"ack","id":1.5}"#,
    r#"{"type":"what"}"#,
    r#"{"type":"ok"}"#,
];

const FRAMES: &[&[u8]] = &[
    b"",
    b"\x00",
    b"\x01\x00",
    b"\x02x",
    b"\x03",
    b"\x03\0",
    b"\x03\0\x01",
    b"\x03\0\x01a",
    b"\x03\0\x01a\0",
    b"\x03\0\x01a\0\x01",
    b"\x03\0\x01a\0\0x",
    b"\x04",
    b"\x04\0\x02a",
    b"\x04\0\x01a\xff",
    b"\x05\0\x01aa",
    b"\x06\0",
    b"\x07\0\x01a\xc3",
    b"\x09\0\0\0\0\0\0\x01",
    b"\x09\0\0\0\0\0\0\0\0\x01",
    b"\x0a\x0a",
    b"\x81",
    b"\x0b\0\x01",
];

/// A daemon that suffers all of them.
fn patient() -> Daemon {
    Daemon::new("bad_requests_max = 255")
}

#[test]
fn malformed_lines() {
    let daemon = patient();
    let mut client = daemon.user("alice");
    for line in LINES {
        client.fails(line, "bad-request");
    }
    client.fence();
}

#[test]
fn malformed_objects() {
    let daemon = patient();
    let mut client = daemon.client(Framing::Lenhdr);
    client.login("bob");
    for object in OBJECTS {
        client.say(object);
        let answer = client.hear_json();
        let got = (&answer["type"], &answer["code"]);
        assert_eq!(got, (&json!("error"), &json!("bad-request")), "{object}");
    }
}

#[test]
fn malformed_binary_frames() {
    let daemon = patient();
    let mut client = daemon.client(Framing::Binary);
    client.login("carol");
    for frame in FRAMES {
        client.say(frame);
        let answer = client.hear();
        assert!(answer.starts_with(&[b"\x84", &string("bad-request")[..]].concat()));
    }
}
