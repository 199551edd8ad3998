//! Every protocol's answers, whole, glued and torn at every byte.

use super::{Dialect, Heard, Manner, Wire};

/// What a stream of bytes amounts to: answers, refused, pings, goodbyes, messages.
type Sum = (u32, u32, u32, u32, Vec<String>);

fn hear(manner: &Manner, pieces: &[&[u8]]) -> Sum {
    let speech = manner.speech().unwrap();
    let (mut held, mut heard) = (Vec::new(), Heard::default());
    let mut sum: Sum = (0, 0, 0, 0, Vec::new());
    for piece in pieces {
        held.extend_from_slice(piece);
        speech.hear(&held, &mut heard);
        assert!(!heard.is_garbled, "{manner}: {held:?}");
        sum.0 += heard.answers;
        sum.1 += heard.refused;
        sum.2 += heard.pings;
        sum.3 += heard.goodbyes;
        for body in &heard.messages {
            let body = held[body.clone()].to_vec();
            sum.4.push(String::from_utf8(body).unwrap());
        }
        held.drain(..heard.consumed);
    }
    assert_eq!(held, b"", "{manner}: nothing is left");
    sum
}

fn agree(manner: &Manner, stream: &[u8], expected: &Sum) {
    assert_eq!(&hear(manner, &[stream]), expected, "{manner}: whole");
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(&hear(manner, &bytes), expected, "{manner}: byte by byte");
    for cut in 0..stream.len() {
        let (front, back) = stream.split_at(cut);
        assert_eq!(
            &hear(manner, &[front, back]),
            expected,
            "{manner}: at {cut}"
        );
    }
}

fn of(dialect: Dialect, framing: Wire) -> Manner {
    Manner {
        dialect,
        framing,
        ..Manner::default()
    }
}

#[test]
fn the_gate_is_understood_on_every_framing() {
    let expected = (4, 1, 1, 1, vec![String::from("hello you")]);
    let lines = "pong\nok queued=1\nmsg 7 topic:a/b hello you\nping\nerror forbidden no\npong\n\
                 close quit\n";
    agree(&of(Dialect::Gate, Wire::Line), lines.as_bytes(), &expected);
    let bodies = [
        r#"{"type":"pong"}"#,
        r#"{"type":"ok","queued":1}"#,
        r#"{"type":"msg","id":7,"from":"b","topic":"a","body":"hello you"}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"error","code":"forbidden","text":"no"}"#,
        r#"{"type":"pong"}"#,
        r#"{"type":"close","reason":"quit"}"#,
    ];
    let json: String = bodies
        .iter()
        .map(|body| format!("length:{:013}{body}", body.len()))
        .collect();
    agree(&of(Dialect::Gate, Wire::Lenhdr), json.as_bytes(), &expected);
    let bodies: [&[u8]; 7] = [
        b"\x81",
        b"\x83queued=1",
        b"\x85\0\0\0\0\0\0\0\x07\0\x09topic:a/bhello you",
        b"\x82",
        b"\x84\0\x09forbiddenno",
        b"\x81",
        b"\x86\0\x04quit\0\0\0\0",
    ];
    let framed = |width: usize| -> Vec<u8> {
        let length = |body: &[u8]| u32::try_from(body.len()).unwrap().to_be_bytes();
        bodies
            .iter()
            .flat_map(|body| [&length(body)[4 - width..], body].concat())
            .collect()
    };
    agree(&of(Dialect::Gate, Wire::Binary), &framed(4), &expected);
    agree(&of(Dialect::Gate, Wire::Binary2), &framed(2), &expected);
}

#[test]
fn an_echo_is_an_answer_and_anything_else_is_refused() {
    for framing in [
        Wire::Raw,
        Wire::Line,
        Wire::Lenhdr,
        Wire::Binary,
        Wire::Binary2,
    ] {
        let manner = of(Dialect::Echo, framing);
        let request = manner.speech().unwrap().request().to_vec();
        agree(&manner, &request.repeat(3), &(3, 0, 0, 0, Vec::new()));
    }
    let manner = of(Dialect::Echo, Wire::Line);
    agree(&manner, b"something else\n", &(1, 1, 0, 0, Vec::new()));
}

#[test]
fn foreign_protocols_are_understood() {
    let redis = of(Dialect::Redis, Wire::Line);
    let stream = b"+PONG\r\n-ERR no\r\n$5\r\nab\ncd\r\n:3\r\n$-1\r\n+PONG\r\n";
    agree(&redis, stream, &(6, 1, 0, 0, Vec::new()));
    let stream = b"*3\r\n$9\r\nsubscribe\r\n$1\r\nt\r\n:1\r\n\
                   *3\r\n$7\r\nmessage\r\n$1\r\nt\r\n$2\r\nhi\r\n+PONG\r\n";
    agree(&redis, stream, &(2, 0, 0, 0, vec![String::from("hi")]));
    let memcached = of(Dialect::Memcached, Wire::Line);
    agree(
        &memcached,
        b"VERSION 1.6\r\nVERSION 1.6\r\n",
        &(2, 0, 0, 0, Vec::new()),
    );
    let mqtt = of(Dialect::Mqtt, Wire::Line);
    let stream = b"\x20\x02\0\0\xD0\0\x30\x07\0\x01thiya\xD0\0\x20\x02\0\x05";
    agree(&mqtt, stream, &(4, 1, 0, 0, vec![String::from("hiya")]));
    let nats = of(Dialect::Nats, Wire::Line);
    let stream = b"INFO {}\r\nPONG\r\nPING\r\nMSG a.b 9 5\r\nhi\r\nx\r\n-ERR 'no'\r\nPONG\r\n";
    agree(&nats, stream, &(3, 1, 1, 0, vec![String::from("hi\r\nx")]));
}

#[test]
fn what_is_given_in_hex_is_spoken() {
    let mut manner = of(Dialect::Custom, Wire::Line);
    assert!(manner.speech().is_err(), "a request is needed");
    manner.request = Some(String::from("70696e670a"));
    assert_eq!(manner.speech().unwrap().request(), b"ping\n");
    manner.answer = Some(String::from("706f6e670a"));
    agree(&manner, b"pong\npong\n", &(2, 0, 0, 0, Vec::new()));
    manner.answer_end = Some(String::from("0a"));
    assert!(manner.speech().is_err(), "one of both");
    manner.answer = None;
    agree(&manner, b"a\nbcd\n", &(2, 0, 0, 0, Vec::new()));
    for wrong in ["", "7", "zz", "7\u{e9}"] {
        manner.request = Some(String::from(wrong));
        assert!(manner.speech().is_err(), "{wrong}");
    }
}

#[test]
fn requests_come_in_bulk() {
    let speech = of(Dialect::Redis, Wire::Line).speech().unwrap();
    assert_eq!(
        speech.requests(2),
        (&b"*1\r\n$4\r\nPING\r\n".repeat(2)[..], 2)
    );
    let (bytes, count) = speech.requests(u32::MAX);
    assert_eq!(bytes.len(), count as usize * speech.request().len());
}
