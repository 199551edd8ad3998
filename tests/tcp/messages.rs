//! Every message of the dialect `gate` in all three encodings, byte for byte.

use serde_json::{Value, json};

use crate::client::{Client, Framing, string};
use crate::daemon::Daemon;

#[test]
fn every_message_as_a_line() {
    let daemon = Daemon::new("");
    let mut alice = daemon.line();
    let mut bob = daemon.user("bob");
    alice.send("ping\npong\nping\n");
    assert_eq!(alice.exactly(10), b"pong\npong\n");
    alice.send("login alice\n");
    assert_eq!(alice.exactly(27), b"ok heartbeat=20000 proto=1\n");
    alice.send("login alice some secret\n");
    assert_eq!(alice.exactly(27), b"ok heartbeat=20000 proto=1\n");
    alice.send("send bob hi there\n");
    assert_eq!(alice.exactly(12), b"ok queued=1\n");
    let id = bob.message().id;
    alice.send("send bob \n");
    assert_eq!(alice.exactly(12), b"ok queued=1\n");
    assert_eq!(bob.hear_text(), format!("msg {} alice ", id + 1));
    alice.send("asend bob precious\n");
    assert_eq!(alice.exactly(12), b"ok queued=1\n");
    assert_eq!(bob.hear_text(), format!("msga {} alice precious", id + 2));
    bob.send(format!("ack {}\nping\n", id + 2));
    assert_eq!(bob.exactly(5), b"pong\n");
    bob.send("join news\n");
    assert_eq!(bob.exactly(3), b"ok\n");
    alice.send("pub news read all about it\n");
    assert_eq!(alice.exactly(12), b"ok queued=1\n");
    let told = format!("msg {} topic:news/alice read all about it", id + 3);
    assert_eq!(bob.hear_text(), told);
    bob.send("leave news\n");
    assert_eq!(bob.exactly(3), b"ok\n");
    bob.fails("leave news", "not-joined");
    bob.fails("data to whom it may concern", "no-backend");
    bob.fails("what", "bad-request");
    bob.send("quit\n");
    assert_eq!(bob.exactly(11), b"close quit\n");
    bob.eof();
}

#[test]
fn every_message_as_json() {
    let daemon = Daemon::new("");
    let [_, mut alice, _] = daemon.each();
    let [_, mut bob, _] = daemon.each();
    let login = r#"{"type":"ok","heartbeat":20000,"proto":1}"#;
    let ok = r#"{"type":"ok","queued":1}"#;
    alice.send(r#"length:0000000000015{"type":"ping"}length:0000000000015{"type":"pong"}"#);
    let pong = br#"length:0000000000015{"type":"pong"}"#;
    assert_eq!(alice.exactly(pong.len()), pong);
    alice.asks(r#"{"type":"login","user":"alice"}"#, login);
    bob.asks(r#"{"type":"login","user":"bob","token":"s3cret"}"#, login);
    alice.asks(r#"{"type":"send","to":"bob","body":"hi there"}"#, ok);
    let first = bob.hear_json();
    let id = first["id"].as_u64().unwrap();
    let told = json!({"type": "msg", "id": id, "from": "alice", "body": "hi there"});
    assert_eq!(first, told);
    let request = r#"{"type":"send","to":"bob","body":{"a":[1,2.50]},"ack":true}"#;
    alice.asks(request, ok);
    let told = json!({"type": "msg", "id": id + 1, "from": "alice", "ack": true,
        "body": {"a": [1, 2.5]}});
    assert_eq!(bob.hear_json(), told);
    bob.say(json!({"type": "ack", "id": id + 1}).to_string());
    bob.asks(r#"{"type":"join","topic":"news"}"#, r#"{"type":"ok"}"#);
    alice.asks(r#"{"type":"pub","topic":"news","body":null}"#, ok);
    let id = id + 2;
    bob.hears(format!(
        r#"{{"type":"msg","id":{id},"from":"alice","topic":"news","body":null}}"#
    ));
    bob.asks(r#"{"type":"leave","topic":"news"}"#, r#"{"type":"ok"}"#);
    bob.say(r#"{"type":"leave","topic":"news"}"#);
    bob.hears_some(r#"{"type":"error","code":"not-joined","text":""#);
    bob.say(r#"{"type":"data","body":[true]}"#);
    bob.hears_some(r#"{"type":"error","code":"no-backend","text":""#);
    bob.say(r#"{"type":"what"}"#);
    bob.hears_some(r#"{"type":"error","code":"bad-request","text":""#);
    bob.say(r#"{"type":"quit"}"#);
    bob.hears(r#"{"type":"close","reason":"quit"}"#);
    bob.eof();
}

#[test]
fn every_message_as_binary() {
    let daemon = Daemon::new("");
    let [_, _, mut alice] = daemon.each();
    let [_, _, mut bob] = daemon.each();
    alice.send(b"\0\0\0\x01\x01\0\0\0\x01\x02");
    assert_eq!(alice.exactly(5), b"\0\0\0\x01\x81");
    alice.send(b"\0\0\0\x0a\x03\0\x05alice\0\0");
    assert_eq!(alice.exactly(28), b"\0\0\0\x18\x83heartbeat=20000 proto=1");
    login(&mut bob, "bob");
    alice.say([b"\x04", &string("bob")[..], b"hi there"].concat());
    alice.hears(b"\x83queued=1");
    let first = bob.message();
    assert_eq!(
        (&*first.from, &*first.body, first.ack),
        ("alice", "hi there", false)
    );
    let id = first.id;
    alice.say([b"\x04", &string("bob")[..]].concat());
    alice.hears(b"\x83queued=1");
    bob.hears([b"\x85", &(id + 1).to_be_bytes()[..], b"\0\x05alice"].concat());
    alice.say([b"\x0b", &string("bob")[..], b"precious"].concat());
    alice.hears(b"\x83queued=1");
    bob.hears([b"\x87", &(id + 2).to_be_bytes()[..], b"\0\x05aliceprecious"].concat());
    bob.say([b"\x09", &(id + 2).to_be_bytes()[..]].concat());
    bob.say([b"\x05", &string("news")[..]].concat());
    bob.hears(b"\x83");
    alice.say([b"\x07", &string("news")[..], b"today"].concat());
    alice.hears(b"\x83queued=1");
    let from = string("topic:news/alice");
    bob.hears([b"\x85", &(id + 3).to_be_bytes()[..], &from, b"today"].concat());
    bob.say([b"\x06", &string("news")[..]].concat());
    bob.hears(b"\x83");
    bob.say([b"\x06", &string("news")[..]].concat());
    fails(&mut bob, "not-joined");
    bob.say(b"\x08\xff\x00anything");
    fails(&mut bob, "no-backend");
    bob.say(b"\x77");
    fails(&mut bob, "bad-request");
    bob.send(b"\0\0\0\x01\x0a");
    assert_eq!(bob.exactly(15), b"\0\0\0\x0b\x86\0\x04quit\0\0\0\0");
    bob.eof();
}

/// A login in binary, and its answer.
fn login(client: &mut Client, user: &str) {
    client.say([b"\x03", &string(user)[..], &string("")].concat());
    client.hears(b"\x83heartbeat=20000 proto=1");
}

/// An error in binary.
#[track_caller]
fn fails(client: &mut Client, code: &str) {
    let frame = client.hear();
    assert!(frame.starts_with(&[b"\x84", &string(code)[..]].concat()));
    assert!(frame.len() > 3 + code.len(), "an error has a text");
}

#[test]
fn the_server_pings_in_every_encoding_and_any_answer_will_do() {
    let daemon = Daemon::new("ping_after = \"60ms\"\nidle_timeout = \"5s\"");
    let pings: [&[u8]; 3] = [b"ping", br#"{"type":"ping"}"#, b"\x82"];
    let pongs: [&[u8]; 3] = [b"pong", br#"{"type":"pong"}"#, b"\x02"];
    for (mut client, (ping, pong)) in daemon.each().into_iter().zip(pings.into_iter().zip(pongs)) {
        for _ in 0..3 {
            client.hears(ping);
            client.say(pong);
        }
    }
}

#[test]
fn a_body_keeps_its_meaning_from_every_encoding_to_every_other() {
    let daemon = Daemon::new("");
    let mut senders = daemon.each();
    let mut receivers = daemon.each();
    for (sender, name) in senders.iter_mut().zip(["s0", "s1", "s2"]) {
        sender.login(name);
    }
    for (receiver, name) in receivers.iter_mut().zip(["r0", "r1", "r2"]) {
        receiver.login(name);
    }
    let text = "grüße: \"quoted\" \\ and /slashed\\n";
    for sender in &mut senders {
        for (receiver, name) in receivers.iter_mut().zip(["r0", "r1", "r2"]) {
            send_text(sender, name, text);
            let got = receiver.message();
            let body = match receiver.framing() {
                Framing::Lenhdr => serde_json::from_str(&got.body).unwrap(),
                _ => got.body,
            };
            assert_eq!(body, text);
        }
    }
}

/// Sends a text in the encoding of the sender and takes the answer.
fn send_text(sender: &mut Client, to: &str, text: &str) {
    match sender.framing() {
        Framing::Line => sender.say(format!("send {to} {text}")),
        Framing::Lenhdr => {
            sender.say(json!({"type": "send", "to": to, "body": text}).to_string());
        }
        Framing::Binary => sender.say([b"\x04", &string(to)[..], text.as_bytes()].concat()),
    }
    let answer = sender.hear();
    assert!(!answer.windows(5).any(|part| part == b"error"));
}

#[test]
fn json_values_are_kept_as_written_and_reach_others_as_compact_text() {
    let daemon = Daemon::new("");
    let [mut line, mut json, mut binary] = daemon.each();
    line.login("line");
    json.login("json");
    binary.login("binary");
    let cases = [
        ("12345678901234567890123", "12345678901234567890123"),
        ("1.50e+3", "1.50e+3"),
        ("-0", "-0"),
        ("true", "true"),
        ("null", "null"),
        ("{\"b\": 1, \"a\": [ 2 ]}", "{\"b\":1,\"a\":[2]}"),
        (
            "[\"with space\", \"\\u00e9\"]",
            "[\"with space\",\"\\u00e9\"]",
        ),
        ("[]", "[]"),
    ];
    for (written, compact) in cases {
        for (to, client) in [("line", &mut line), ("binary", &mut binary)] {
            json.say(format!(r#"{{"type":"send","to":"{to}","body":{written}}}"#));
            json.hears(r#"{"type":"ok","queued":1}"#);
            assert_eq!(client.message().body, compact);
        }
        json.say(format!(r#"{{"type":"send","to":"json","body":{written}}}"#));
        json.hears(r#"{"type":"ok","queued":1}"#);
        assert_eq!(json.message().body, written);
    }
}

#[test]
fn line_breaks_inside_a_body_are_spelled_out_for_lines_only() {
    let daemon = Daemon::new("");
    let [mut line, mut json, mut binary] = daemon.each();
    line.login("line");
    json.login("json");
    binary.login("binary");
    for to in ["line", "json", "binary"] {
        binary.say([b"\x04", &string(to)[..], b"a\r\nb\nc"].concat());
        binary.hears(b"\x83queued=1");
    }
    assert_eq!(line.message().body, "a\\r\\nb\\nc");
    assert_eq!(json.message().body, r#""a\r\nb\nc""#);
    assert_eq!(binary.message().body, "a\r\nb\nc");
}

#[test]
fn from_tells_user_topic_or_both() {
    let daemon = Daemon::new("");
    let mut line = daemon.user("line");
    let mut json = daemon.client(Framing::Lenhdr);
    json.login("json");
    line.asks("join a/b", "ok");
    json.asks(r#"{"type":"join","topic":"a/b"}"#, r#"{"type":"ok"}"#);
    line.asks("pub a/b x", "ok queued=2");
    assert_eq!(line.message().from, "topic:a/b/line");
    let told = json.hear_json();
    assert_eq!(
        (&told["from"], &told["topic"]),
        (&json!("line"), &json!("a/b"))
    );
    line.asks("send json y", "ok queued=1");
    let told = json.hear_json();
    assert_eq!(
        (&told["from"], &told["topic"]),
        (&json!("line"), &Value::Null)
    );
}

#[test]
fn fields_that_json_does_not_know_are_ignored_and_order_is_free() {
    let daemon = Daemon::new("");
    let mut client = daemon.client(Framing::Lenhdr);
    client.say(r#" { "x" : {"type":"quit"} , "user" : "al\u0069ce", "type":"log\u0069n" } "#);
    client.hears_some(r#"{"type":"ok","heartbeat":"#);
    client.say(r#"{"body":"b","to":"alice","type":"send","ack":false}"#);
    client.hears(r#"{"type":"ok","queued":1}"#);
    let told = client.message();
    assert_eq!(
        (&*told.from, &*told.body, told.ack),
        ("alice", "\"b\"", false)
    );
}

#[test]
fn names_are_judged_by_rule_and_compared_byte_by_byte() {
    let daemon = Daemon::new("bad_requests_max = 255");
    let long = "x".repeat(128);
    let mut client = daemon.client(Framing::Lenhdr);
    let mut is_good = |kind: &str, name: &str| {
        let field = if kind == "login" { "user" } else { "topic" };
        client.say(json!({"type": kind, field: name}).to_string());
        let answer = client.hear_json();
        answer["type"] == "ok" || {
            assert_eq!(answer["code"], "bad-request", "{name:?}: {answer}");
            false
        }
    };
    for name in [
        "a", &long, "Ä", "日本", "a.b-c_d", "topic", "topics:x", "--", "e\u{301}", "é",
    ] {
        assert!(is_good("login", name), "{name:?}");
        assert!(is_good("join", name), "{name:?}");
    }
    for name in ["-", "a/b", "/", "topic:", "topic:x"] {
        assert!(!is_good("login", name), "{name:?}");
        assert!(is_good("join", name), "{name:?}");
    }
    let too_long = format!("{long}x");
    let wide = "é".repeat(65);
    let bad = [
        "", " ", "a b", "a\t", "a\n", "a\0", "\u{7f}", "\u{85}", "\u{a0}", "\u{2003}", "\u{3000}",
        "\u{200e}", "\u{200f}", "\u{202a}", "\u{202e}", "\u{2066}", "\u{2069}", "\u{61c}",
        &too_long, &wide,
    ];
    for name in bad {
        assert!(!is_good("login", name), "{name:?}");
        assert!(!is_good("join", name), "{name:?}");
    }
    // Neither case nor Unicode form is folded.
    let mut other = daemon.user("\u{e9}");
    other.fails("send e\u{301} hello", "no-such-user");
    other.fails("send \u{c9} hello", "no-such-user");
}
