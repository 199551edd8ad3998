//! What a frame costs: to find it, to read it, to write one. Figures are per frame.
//!
//! That none of it allocates is a test: `tests/wire/allocation.rs`.
#![allow(missing_docs, reason = "criterion's macro makes a public function")]
#![allow(clippy::unwrap_used, reason = "in a bench a panic is the verdict")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pulsegate::codec::framing::{Endian, Found, Framing, Layout};
use pulsegate::codec::message::{Body, Seq, check_json, parse_binary, parse_json, parse_line};
use pulsegate::codec::reply::{Delivery, Fields, Reply, encode};
use pulsegate::{CloseReason, ErrorCode};

const JSON: Framing = Framing::LenHdr { bare_ping: true };
const BINARY: Framing = Framing::Binary(Layout {
    width: 4,
    endian: Endian::Big,
    offset: 0,
    adjust: 0,
    strip: None,
});
const FRAME_MAX: usize = 64 * 1_024;
/// Frames in one input, as one read of a busy connection brings them.
const FRAMES: u64 = 500;

fn find(criterion: &mut Criterion) {
    let little = Framing::Binary(Layout {
        width: 2,
        endian: Endian::Little,
        offset: 3,
        adjust: -5,
        strip: None,
    });
    let mut group = criterion.benchmark_group("find");
    group.throughput(Throughput::Elements(FRAMES));
    for (name, framing, body) in [
        ("line", Framing::Line, &b"ping"[..]),
        ("line", Framing::Line, &[b'x'; 100]),
        ("line not ASCII", Framing::Line, "ü".repeat(50).as_bytes()),
        ("lenhdr", JSON, br#"{"type":"ping"}"#),
        ("binary", BINARY, b"\x01"),
        ("binary", BINARY, &[b'x'; 100]),
        ("binary, a layout of its own", little, b"\x01"),
    ] {
        let mut input = Vec::new();
        for _ in 0..FRAMES {
            framing.encode(body, &mut input).unwrap();
        }
        let id = BenchmarkId::new(name, body.len());
        group.bench_with_input(id, &input, |bencher, input| {
            bencher.iter(|| assert_eq!(count(&framing, black_box(input)), FRAMES));
        });
    }
    group.finish();
}

/// Finds all frames, as a session does that takes one after the other.
fn count(framing: &Framing, input: &[u8]) -> u64 {
    let mut rest = input;
    let mut count = 0;
    while let Ok(Found::Frame { body, consumed }) = framing.find(rest, 0, FRAME_MAX) {
        black_box(&rest[body]);
        rest = &rest[consumed..];
        count += 1;
    }
    count
}

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse line");
    for line in [
        "ping",
        "login alice s3cret",
        "send bob hello there, how are you?",
        "join news",
        "pub news hello there, how are you?",
        "data hello there, how are you?",
        "ack 1939865600000000",
        "no such message",
    ] {
        group.bench_with_input(BenchmarkId::from_parameter(line), line, |bencher, line| {
            bencher.iter(|| parse_line(black_box(line)).is_ok());
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("parse binary");
    for (name, body) in [
        ("ping", &b"\x01"[..]),
        ("login", b"\x03\0\x05alice\0\x06s3cret"),
        ("send", b"\x04\0\x03bobhello there, how are you?"),
        ("join", b"\x05\0\x04news"),
        ("pub", b"\x07\0\x04newshello there, how are you?"),
        ("data", b"\x08hello there, how are you?"),
        ("ack", b"\x09\0\x06\xe4\x8c\x1e\x20\0\0"),
    ] {
        group.bench_with_input(BenchmarkId::from_parameter(name), body, |bencher, body| {
            bencher.iter(|| parse_binary(black_box(body)).is_ok());
        });
    }
    group.finish();
}

fn parse_objects(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse JSON");
    for (name, body) in [
        ("ping", r#"{"type":"ping"}"#),
        ("ping with seq", r#"{"type":"ping","seq":17}"#),
        (
            "login",
            r#"{"type":"login","user":"alice","token":"s3cret"}"#,
        ),
        (
            "send text",
            r#"{"type":"send","to":"bob","body":"hello there, how are you?","ack":true}"#,
        ),
        (
            "send object",
            r#"{"type":"send","to":"bob","body":{"n":1,"said":["hello","there"]}}"#,
        ),
        ("join", r#"{"type":"join","topic":"news"}"#),
        ("ack", r#"{"type":"ack","id":1939865600000000}"#),
    ] {
        group.bench_with_input(BenchmarkId::from_parameter(name), body, |bencher, body| {
            bencher.iter(|| parse_json(black_box(body.as_bytes())).is_ok());
        });
    }
    let body = r#"{"type":"send","to":"bob","body":{"n":1,"said":["hello","there"]}}"#;
    group.bench_function("only checked", |bencher| {
        bencher.iter(|| check_json(black_box(body.as_bytes())));
    });
    group.finish();
}

fn write(criterion: &mut Criterion) {
    let text = Body::Text("hello there, how are you?".into());
    let json = Body::Json(r#"{ "n": 1, "said": ["hello", "there"] }"#.into());
    let message = |topic, body| {
        Reply::Message(Delivery {
            id: 1_939_865_600_000_000,
            from: Some("alice"),
            topic,
            body,
            ack: true,
        })
    };
    let login = Fields::NONE.with("heartbeat", 20_000).with("proto", 1);
    let seq = Seq::Number(17);
    for (group, framing) in [
        ("encode line", Framing::Line),
        ("encode JSON", JSON),
        ("encode binary", BINARY),
    ] {
        let mut group = criterion.benchmark_group(group);
        for (name, reply, seq) in [
            ("pong", Reply::Pong, None),
            ("pong with seq", Reply::Pong, Some(&seq)),
            ("ok", Reply::Ok(Fields::NONE), None),
            ("ok to a login", Reply::Ok(login), None),
            (
                "error",
                Reply::Error(ErrorCode::NoSuchUser, "nobody of that name is here"),
                None,
            ),
            ("close", Reply::Close(CloseReason::Overloaded, 1_500), None),
            ("msg text", message(None, &text), None),
            ("msg of a topic", message(Some("news"), &text), None),
            ("msg JSON", message(None, &json), None),
        ] {
            let mut out = Vec::with_capacity(1_024);
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    out.clear();
                    encode(black_box(&reply), seq, &framing, &mut out).unwrap();
                    black_box(&out);
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, find, parse, parse_objects, write);
criterion_main!(benches);
