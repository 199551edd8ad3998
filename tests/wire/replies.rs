//! What clients are told: replies in, exact bytes out.

use proptest::prelude::*;
use pulsegate::codec::framing::{Endian, Found, Framing, Layout};
use pulsegate::codec::message::{Body, Seq};
use pulsegate::codec::reply::{Delivery, Fields, Reply, encode};
use pulsegate::{CloseReason, ErrorCode};

use crate::bytes::{any_cuts, cut, from_spelling};

/// What is said, by the name that it has in the files.
struct Line {
    name: &'static str,
    reply: Reply<'static>,
    seq: Option<Seq<'static>>,
}

const FILES: [(Framing, &str); 4] = [
    (Framing::Line, include_str!("replies/line.txt")),
    (
        Framing::LenHdr { bare_ping: false },
        include_str!("replies/lenhdr.txt"),
    ),
    (
        Framing::Binary(Layout {
            width: 4,
            endian: Endian::Big,
            offset: 0,
            adjust: 0,
            strip: None,
        }),
        include_str!("replies/binary.txt"),
    ),
    (
        Framing::Binary(Layout {
            width: 2,
            endian: Endian::Little,
            offset: 3,
            adjust: -5,
            strip: None,
        }),
        include_str!("replies/binary-layout.txt"),
    ),
];

fn script() -> Vec<Line> {
    [said_to_requests(), said_of_messages()]
        .into_iter()
        .flatten()
        .collect()
}

fn said_to_requests() -> Vec<Line> {
    let line = |name, reply| Line {
        name,
        reply,
        seq: None,
    };
    let repeats = |name, reply, seq| Line {
        name,
        reply,
        seq: Some(seq),
    };
    let login = Fields::NONE.with("heartbeat", 20_000).with("proto", 1);
    let parked = Fields::NONE.with("queued", 0).with("offline", 1);
    let error = Reply::Error;
    vec![
        line("pong", Reply::Pong),
        repeats("pong with a number", Reply::Pong, Seq::Number(-5)),
        repeats("pong with a text", Reply::Pong, Seq::Text("a\"b\n".into())),
        line("ping", Reply::Ping),
        line("ok", Reply::Ok(Fields::NONE)),
        line("ok to a login", Reply::Ok(login)),
        repeats("ok to an asend", Reply::Ok(parked), Seq::Number(1 << 53)),
        line("error", error(ErrorCode::NotJoined, "not a member of news")),
        repeats(
            "error with a seq",
            error(ErrorCode::TooLarge, "no"),
            Seq::Text("".into()),
        ),
        line(
            "error of two lines",
            error(ErrorCode::BadRequest, "a\r\nok\u{1B}[2J \"\\\""),
        ),
        line("close", Reply::Close(CloseReason::Quit, 0)),
        line(
            "close for a while",
            Reply::Close(CloseReason::Overloaded, 1_500),
        ),
    ]
}

fn said_of_messages() -> Vec<Line> {
    static HELLO: Body<'static> = text("hello");
    static NOTHING: Body<'static> = text("");
    static LINES: Body<'static> = text("a\r\nmsg 1 x\t\"\\ü");
    static VALUE: Body<'static> = json("{ \"a b\": [1e999,\n 9007199254740993] }");
    static NULL: Body<'static> = json("null");
    let line = |name, from, topic, body, ack| Line {
        name,
        reply: Reply::Message(Delivery {
            id: 1_850_000_000 << 20,
            from,
            topic,
            body,
            ack,
        }),
        seq: None,
    };
    let alice = Some("alice");
    let news = Some("news/sport");
    vec![
        line("msg", alice, None, &HELLO, false),
        line("msg without text", alice, None, &NOTHING, false),
        line("msg of two lines", alice, None, &LINES, false),
        line("msg of JSON", alice, None, &VALUE, false),
        line("msg of null", alice, None, &NULL, false),
        line("msg of a publish", alice, news, &HELLO, false),
        line("msg of the backend", None, None, &HELLO, false),
        line("msg of the backend to a topic", None, news, &HELLO, false),
        line("msga", alice, None, &HELLO, true),
        line("msga of the backend to a topic", None, news, &VALUE, true),
    ]
}

const fn text(text: &'static str) -> Body<'static> {
    Body::Text(std::borrow::Cow::Borrowed(text))
}

const fn json(json: &'static str) -> Body<'static> {
    Body::Json(std::borrow::Cow::Borrowed(json))
}

/// The names and bytes that a file holds: a name on a line, its bytes after `<` on the next.
fn golden(file: &str) -> Vec<(&str, Vec<u8>)> {
    let mut lines = file
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut golden = Vec::new();
    while let (Some(name), Some(bytes)) = (lines.next(), lines.next()) {
        golden.push((name, from_spelling(bytes.strip_prefix("< ").unwrap())));
    }
    golden
}

/// The bodies of the frames in `pieces`, as a client would find them.
fn bodies<'a>(framing: Framing, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    let mut buffer = Vec::new();
    for piece in pieces {
        let mut scanned = buffer.len();
        buffer.extend_from_slice(piece);
        while let Found::Frame { body, consumed } = framing.find(&buffer, scanned, 1_024).unwrap() {
            bodies.push(buffer[body].to_vec());
            buffer.drain(..consumed);
            scanned = 0;
        }
    }
    assert!(buffer.is_empty());
    bodies
}

#[test]
fn every_reply_is_exactly_these_bytes() {
    for (framing, file) in FILES {
        let golden = golden(file);
        let script = script();
        let names: Vec<_> = script.iter().map(|line| line.name).collect();
        let golden_names: Vec<_> = golden.iter().map(|(name, _)| *name).collect();
        assert_eq!(golden_names, names, "{framing:?}");
        let mut all = Vec::new();
        for (line, (name, bytes)) in script.iter().zip(&golden) {
            let start = all.len();
            encode(&line.reply, line.seq.as_ref(), &framing, &mut all).unwrap();
            let (written, wanted) = (all[start..].escape_ascii(), bytes.escape_ascii());
            assert_eq!(
                written.to_string(),
                wanted.to_string(),
                "{framing:?}: {name}"
            );
        }
        assert_eq!(
            bodies(framing, [&all[..]]).len(),
            script.len(),
            "{framing:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_client_finds_the_same_however_it_reads(lengths in any_cuts()) {
        for (framing, file) in FILES {
            let all: Vec<u8> = golden(file).into_iter().flat_map(|(_, bytes)| bytes).collect();
            let whole = bodies(framing, [&all[..]]);
            prop_assert_eq!(&bodies(framing, all.chunks(1)), &whole);
            prop_assert_eq!(&bodies(framing, cut(&all, &lengths)), &whole);
        }
    }
}
