//! Answers come in the order of the requests, each exactly once.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::client::{Framing, framed};
use crate::daemon::Daemon;

#[test]
fn every_request_gets_one_answer_in_order() {
    let daemon = Daemon::new("");
    let mut client = daemon.line();
    client.send(
        "join a\nping\nlogin bob\nsend nobody x\nack 7\npong\nwhat\nsend bob to myself\n\
         join a\npub a news\nleave a\nleave a\n\nping\n",
    );
    client.hears("ok");
    client.hears("pong");
    client.hears("ok heartbeat=20000 proto=1");
    client.hears_some("error no-such-user ");
    client.hears_some("error bad-request ");
    client.hears("ok queued=1");
    assert_eq!(client.message().body, "to myself");
    client.hears("ok");
    client.hears("ok queued=1");
    assert_eq!(client.message().from, "topic:a/bob");
    client.hears("ok");
    client.hears_some("error not-joined ");
    client.hears("pong");
}

#[test]
fn a_thousand_frames_in_one_write_are_answered_one_by_one() {
    let daemon = Daemon::new("");
    let pings: [&[u8]; 3] = [b"ping", br#"{"type":"ping"}"#, b"\x01"];
    let pongs: [&[u8]; 3] = [b"pong", br#"{"type":"pong"}"#, b"\x81"];
    for (mut client, (ping, pong)) in daemon.each().into_iter().zip(pings.into_iter().zip(pongs)) {
        client.send(framed(client.framing(), ping).repeat(1_000));
        for _ in 0..1_000 {
            client.hears(pong);
        }
    }
}

#[test]
fn seq_is_repeated_in_order_over_a_thousand_requests() {
    let daemon = Daemon::new("");
    let mut client = daemon.client(Framing::Lenhdr);
    client.login("alice");
    let mut requests = String::new();
    for seq in 0..1_000 {
        let body = match seq % 4 {
            0 => format!(r#"{{"type":"ping","seq":{seq}}}"#),
            1 => format!(r#"{{"type":"send","to":"nobody","body":"x","seq":{seq}}}"#),
            2 => format!(r#"{{"seq":{seq},"type":"join","topic":"t"}}"#),
            _ => format!(r#"{{"type":"nonsense","seq":{seq}}}"#),
        };
        if seq % 4 == 3 && seq > 16 {
            continue;
        }
        let _ = write!(requests, "length:{:013}{body}", body.len());
    }
    client.send(requests);
    for seq in 0..1_000 {
        if seq % 4 == 3 && seq > 16 {
            continue;
        }
        let answer = client.hear_json();
        let word = ["pong", "error", "ok", "error"][seq % 4];
        assert_eq!(answer["type"], word, "{answer}");
        assert_eq!(answer["seq"], json!(seq), "{answer}");
    }
}

#[test]
fn seq_may_be_a_short_string_or_a_safe_integer_and_nothing_else() {
    let daemon = Daemon::new("bad_requests_max = 255");
    let mut client = daemon.client(Framing::Lenhdr);
    let longest = format!("\"{}\"", "s".repeat(64));
    let good = [
        "0",
        "-1",
        "9007199254740992",
        "-9007199254740992",
        "\"\"",
        "\"a\\\"b\"",
        "\"é\"",
        &longest,
    ];
    for seq in good {
        client.say(format!(r#"{{"type":"ping","seq":{seq}}}"#));
        let wanted: Value = serde_json::from_str(seq).unwrap();
        assert_eq!(client.hear_json(), json!({"type": "pong", "seq": wanted}));
    }
    let too_long = format!("\"{}\"", "s".repeat(65));
    let wide = format!("\"{}\"", "é".repeat(33));
    let bad = [
        "9007199254740993",
        "-9007199254740993",
        "1.5",
        "1e3",
        "true",
        "null",
        "[]",
        "{}",
        "99999999999999999999",
        &too_long,
        &wide,
    ];
    for seq in bad {
        client.say(format!(r#"{{"type":"ping","seq":{seq}}}"#));
        let answer = client.hear_json();
        assert_eq!(answer["code"], "bad-request", "{seq}: {answer}");
        assert_eq!(answer.get("seq"), None, "{seq}: {answer}");
    }
}

#[test]
fn a_pipeline_without_reading_is_answered_whole_once_it_is_read() {
    // More answers than the outbox may hold: the server must stop reading and go on later.
    let daemon = Daemon::new("write_timeout = \"20s\"\noutput_age = \"40s\"");
    let mut client = daemon.line();
    let writer = client.socket().try_clone().unwrap();
    const COUNT: usize = 200_000;
    let thread = std::thread::spawn(move || {
        use std::io::Write;
        let mut writer = writer;
        let block = "ping\n".repeat(1_000);
        for _ in 0..COUNT / 1_000 {
            writer.write_all(block.as_bytes()).unwrap();
        }
        writer.shutdown(std::net::Shutdown::Write).unwrap();
    });
    // Nothing is read until another client was served in between: the stuck one holds nobody up.
    daemon.line().fence();
    let (answers, reset) = client.rest();
    thread.join().unwrap();
    assert!(!reset);
    assert_eq!(answers.len(), COUNT * 5);
    assert_eq!(answers, "pong\n".repeat(COUNT).into_bytes());
}
