//! What the server says in dialect `gate`, encoded for each framing.
//!
//! A reply is written once, in its place at the end of the buffer it leaves from. What every
//! heartbeat asks for is a constant: a pong costs one copy of five bytes.

use super::framing::{Framing, Unfit};
use super::message::{Body, Seq};
use super::{binary, json_reply, line};
use crate::reason::{CloseReason, ErrorCode};

/// A message from the server.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply<'a> {
    /// Answers a ping.
    Pong,
    /// Asks whether the client is alive.
    Ping,
    /// A request was done.
    Ok(Fields),
    /// A request was not done.
    Error(ErrorCode, &'a str),
    /// A message from a user or from the backend.
    Message(Delivery<'a>),
    /// Goodbye, and after how many milliseconds to come back (0: not said).
    Close(CloseReason, u32),
}

/// A message on its way to a client.
#[derive(Clone, PartialEq, Debug)]
pub struct Delivery<'a> {
    /// Its id.
    pub id: u64,
    /// The sending user; `None` is the backend.
    pub from: Option<&'a str>,
    /// The topic it was published to.
    pub topic: Option<&'a str>,
    /// What it says.
    pub body: &'a Body<'a>,
    /// Whether it wants an ack.
    pub ack: bool,
}

/// Up to four numbers that an `ok` tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Fields {
    pairs: [(&'static str, u64); 4],
    len: u8,
}

impl Fields {
    /// No fields: a bare `ok`.
    pub const NONE: Self = Self {
        pairs: [("", 0); 4],
        len: 0,
    };

    /// These fields and one more.
    ///
    /// # Panics
    /// Where there are four already.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: u64) -> Self {
        self.pairs[usize::from(self.len)] = (key, value);
        self.len += 1;
        self
    }

    /// The fields in order.
    #[must_use]
    pub fn pairs(&self) -> &[(&'static str, u64)] {
        &self.pairs[..usize::from(self.len)]
    }
}

/// Appends `reply` to `out` as one frame of `framing`, in the encoding that goes with it: text on
/// lines, JSON after a `length:` header, binary after a length field. Only JSON repeats `seq`.
///
/// Dialect `gate` is not spoken on [`Framing::Raw`]; there it would be text without a line end.
///
/// # Errors
/// [`Unfit`] where a binary length field is too narrow; `out` is then as it was.
pub fn encode(
    reply: &Reply<'_>,
    seq: Option<&Seq<'_>>,
    framing: &Framing,
    out: &mut Vec<u8>,
) -> Result<(), Unfit> {
    if let Some(constant) = constant(reply, seq, framing) {
        out.extend_from_slice(constant);
        return Ok(());
    }
    let start = framing.open(out);
    let written = match framing {
        Framing::Raw | Framing::Line => {
            line::write(reply, out);
            Ok(())
        }
        Framing::LenHdr { .. } => {
            json_reply::write(reply, seq, out);
            Ok(())
        }
        Framing::Binary(_) => binary::write(reply, out),
    };
    if written.is_err() {
        out.truncate(start);
        return written;
    }
    framing.seal(start, out)
}

/// The whole frame of a reply that is always the same.
#[inline]
fn constant(reply: &Reply<'_>, seq: Option<&Seq<'_>>, framing: &Framing) -> Option<&'static [u8]> {
    match (framing, reply, seq) {
        (Framing::Line, Reply::Pong, _) => Some(b"pong\n"),
        (Framing::Line, Reply::Ping, _) => Some(b"ping\n"),
        (Framing::Line, Reply::Ok(fields), _) if fields.len == 0 => Some(b"ok\n"),
        (Framing::LenHdr { .. }, Reply::Pong, None) => {
            Some(b"length:0000000000015{\"type\":\"pong\"}")
        }
        (Framing::LenHdr { .. }, Reply::Ping, None) => {
            Some(b"length:0000000000015{\"type\":\"ping\"}")
        }
        (Framing::LenHdr { .. }, Reply::Ok(fields), None) if fields.len == 0 => {
            Some(b"length:0000000000013{\"type\":\"ok\"}")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::framing::{Endian, Found, Layout};
    use super::super::message::check_json;
    use super::*;

    const JSON: Framing = Framing::LenHdr { bare_ping: false };
    const BINARY: Framing = binary(4);

    const fn binary(width: u8) -> Framing {
        Framing::Binary(Layout {
            width,
            endian: Endian::Big,
            offset: 0,
            adjust: 0,
            strip: None,
        })
    }

    /// The one frame that a reply becomes, and its body.
    fn framed(reply: &Reply<'_>, seq: Option<&Seq<'_>>, framing: Framing) -> (Vec<u8>, Vec<u8>) {
        let mut out = b"before".to_vec();
        encode(reply, seq, &framing, &mut out).unwrap();
        let frame = out.strip_prefix(b"before").unwrap().to_vec();
        assert!(frame.len() <= reply.room(seq, &framing), "{reply:?}");
        let Ok(Found::Frame { body, consumed }) = framing.find(&frame, 0, usize::MAX) else {
            panic!("no frame: {frame:?}");
        };
        assert_eq!(consumed, frame.len());
        let body = frame[body].to_vec();
        (frame, body)
    }

    fn body(reply: &Reply<'_>, framing: Framing) -> Vec<u8> {
        framed(reply, None, framing).1
    }

    fn says(reply: &Reply<'_>, framing: Framing) -> String {
        String::from_utf8(body(reply, framing)).unwrap()
    }

    /// Asserts what a reply is in each encoding.
    #[track_caller]
    fn assert_says(reply: &Reply<'_>, line: &str, json: &str, binary: &[u8]) {
        assert_eq!(says(reply, Framing::Line), line);
        assert_eq!(says(reply, JSON), json);
        assert_eq!(check_json(json.as_bytes()), Ok(()));
        assert_eq!(body(reply, BINARY), binary, "{reply:?}");
    }

    fn text(text: &str) -> Body<'_> {
        Body::Text(Cow::Borrowed(text))
    }

    fn json(json: &str) -> Body<'_> {
        Body::Json(Cow::Borrowed(json))
    }

    /// A message from alice.
    fn message<'a>(body: &'a Body<'a>) -> Reply<'a> {
        Reply::Message(Delivery {
            id: 7,
            from: Some("alice"),
            topic: None,
            body,
            ack: false,
        })
    }

    #[test]
    fn pong_and_ping_are_one_word() {
        assert_says(&Reply::Pong, "pong", r#"{"type":"pong"}"#, b"\x81");
        assert_says(&Reply::Ping, "ping", r#"{"type":"ping"}"#, b"\x82");
    }

    #[test]
    fn ok_tells_its_fields_in_order() {
        let ok = |fields| Reply::Ok(fields);
        assert_says(&ok(Fields::NONE), "ok", r#"{"type":"ok"}"#, b"\x83");
        let login = Fields::NONE.with("heartbeat", 20_000).with("proto", 1);
        assert_says(
            &ok(login),
            "ok heartbeat=20000 proto=1",
            r#"{"type":"ok","heartbeat":20000,"proto":1}"#,
            b"\x83heartbeat=20000 proto=1",
        );
        let parked = Fields::NONE.with("queued", 0).with("offline", u64::MAX);
        assert_says(
            &ok(parked),
            "ok queued=0 offline=18446744073709551615",
            r#"{"type":"ok","queued":0,"offline":18446744073709551615}"#,
            b"\x83queued=0 offline=18446744073709551615",
        );
    }

    #[test]
    fn an_error_is_its_code_and_a_text() {
        assert_says(
            &Reply::Error(ErrorCode::NoSuchUser, "bob is not \"here\""),
            "error no-such-user bob is not \"here\"",
            r#"{"type":"error","code":"no-such-user","text":"bob is not \"here\""}"#,
            b"\x84\0\x0cno-such-userbob is not \"here\"",
        );
        assert_says(
            &Reply::Error(ErrorCode::Forbidden, ""),
            "error forbidden ",
            r#"{"type":"error","code":"forbidden","text":""}"#,
            b"\x84\0\x09forbidden",
        );
    }

    #[test]
    fn an_error_text_holds_no_control_character() {
        assert_says(
            &Reply::Error(ErrorCode::BadRequest, "a\r\nok\u{1B}\u{85}"),
            r"error bad-request a\r\nok\u{1b}\u{85}",
            r#"{"type":"error","code":"bad-request","text":"a\\r\\nok\\u{1b}\\u{85}"}"#,
            b"\x84\0\x0bbad-requesta\\r\\nok\\u{1b}\\u{85}",
        );
    }

    #[test]
    fn close_tells_when_to_come_back() {
        assert_says(
            &Reply::Close(CloseReason::Overloaded, 1_500),
            "close overloaded 1500",
            r#"{"type":"close","reason":"overloaded","reconnect_ms":1500}"#,
            b"\x86\0\x0aoverloaded\0\0\x05\xdc",
        );
        assert_says(
            &Reply::Close(CloseReason::Quit, 0),
            "close quit",
            r#"{"type":"close","reason":"quit"}"#,
            b"\x86\0\x04quit\0\0\0\0",
        );
    }

    #[test]
    fn a_message_tells_whom_it_is_from() {
        let hello = text("hello");
        let delivery = |from, topic, ack| {
            Reply::Message(Delivery {
                id: 258,
                from,
                topic,
                body: &hello,
                ack,
            })
        };
        assert_says(
            &delivery(Some("alice"), None, false),
            "msg 258 alice hello",
            r#"{"type":"msg","id":258,"from":"alice","body":"hello"}"#,
            b"\x85\0\0\0\0\0\0\x01\x02\0\x05alicehello",
        );
        assert_says(
            &delivery(None, None, true),
            "msga 258 - hello",
            r#"{"type":"msg","id":258,"from":"-","ack":true,"body":"hello"}"#,
            b"\x87\0\0\0\0\0\0\x01\x02\0\x01-hello",
        );
        assert_says(
            &delivery(Some("alice"), Some("a/\"b"), false),
            "msg 258 topic:a/\"b/alice hello",
            r#"{"type":"msg","id":258,"from":"alice","topic":"a/\"b","body":"hello"}"#,
            b"\x85\0\0\0\0\0\0\x01\x02\0\x10topic:a/\"b/alicehello",
        );
        assert_says(
            &delivery(None, Some("news"), true),
            "msga 258 topic:news/- hello",
            r#"{"type":"msg","id":258,"from":"-","topic":"news","ack":true,"body":"hello"}"#,
            b"\x87\0\0\0\0\0\0\x01\x02\0\x0ctopic:news/-hello",
        );
    }

    #[test]
    fn a_text_body_stays_one_line_and_is_exact_elsewhere() {
        assert_says(
            &message(&text("a\r\n\"b\"\\n\tü\u{1F}\u{7F}")),
            "msg 7 alice a\\r\\n\"b\"\\n\tü\u{1F}\u{7F}",
            "{\"type\":\"msg\",\"id\":7,\"from\":\"alice\",\
             \"body\":\"a\\r\\n\\\"b\\\"\\\\n\\tü\\u001f\u{7F}\"}",
            b"\x85\0\0\0\0\0\0\0\x07\0\x05alicea\r\n\"b\"\\n\t\xC3\xBC\x1F\x7F",
        );
        assert_says(
            &message(&text("")),
            "msg 7 alice ",
            r#"{"type":"msg","id":7,"from":"alice","body":""}"#,
            b"\x85\0\0\0\0\0\0\0\x07\0\x05alice",
        );
    }

    #[test]
    fn a_json_body_is_compact_text_except_to_json_clients() {
        assert_says(
            &message(&json("{ \"a b\" :\n[1e999, 9007199254740993] }")),
            "msg 7 alice {\"a b\":[1e999,9007199254740993]}",
            "{\"type\":\"msg\",\"id\":7,\"from\":\"alice\",\
             \"body\":{ \"a b\" :\n[1e999, 9007199254740993] }}",
            b"\x85\0\0\0\0\0\0\0\x07\0\x05alice{\"a b\":[1e999,9007199254740993]}",
        );
    }

    #[test]
    fn a_body_of_bytes_becomes_text() {
        assert_says(
            &message(&Body::Bytes(Cow::Borrowed(b"a\xFF\n\xC3"))),
            "msg 7 alice a\u{FFFD}\\n\u{FFFD}",
            "{\"type\":\"msg\",\"id\":7,\"from\":\"alice\",\"body\":\"a\u{FFFD}\\n\u{FFFD}\"}",
            b"\x85\0\0\0\0\0\0\0\x07\0\x05alicea\xEF\xBF\xBD\n\xEF\xBF\xBD",
        );
    }

    #[test]
    fn only_json_repeats_seq_and_right_after_the_type() {
        let number = Seq::Number(-(1 << 53));
        let word = Seq::Text("a\"\n".into());
        let ok = Reply::Ok(Fields::NONE.with("queued", 1));
        for (reply, seq, expected) in [
            (
                &Reply::Pong,
                &number,
                r#"{"type":"pong","seq":-9007199254740992}"#,
            ),
            (&Reply::Pong, &word, r#"{"type":"pong","seq":"a\"\n"}"#),
            (
                &Reply::Ok(Fields::NONE),
                &Seq::Number(0),
                r#"{"type":"ok","seq":0}"#,
            ),
            (&ok, &Seq::Number(5), r#"{"type":"ok","seq":5,"queued":1}"#),
            (
                &Reply::Error(ErrorCode::BadRequest, "no"),
                &Seq::Number(5),
                r#"{"type":"error","seq":5,"code":"bad-request","text":"no"}"#,
            ),
        ] {
            let body = framed(reply, Some(seq), JSON).1;
            assert_eq!(String::from_utf8(body).unwrap(), expected);
            for framing in [Framing::Line, BINARY] {
                assert_eq!(
                    framed(reply, Some(seq), framing),
                    framed(reply, None, framing)
                );
            }
        }
    }

    #[test]
    fn constants_are_what_would_be_written() {
        for reply in [Reply::Pong, Reply::Ping, Reply::Ok(Fields::NONE)] {
            let mut out = Vec::new();
            line::write(&reply, &mut out);
            out.push(b'\n');
            assert_eq!(constant(&reply, None, &Framing::Line), Some(&out[..]));
            let mut body = Vec::new();
            json_reply::write(&reply, None, &mut body);
            out.clear();
            JSON.encode(&body, &mut out).unwrap();
            assert_eq!(constant(&reply, None, &JSON), Some(&out[..]));
        }
    }

    #[test]
    fn every_reason_and_code_is_the_word_on_the_wire() {
        for reason in CloseReason::ALL {
            let reply = Reply::Close(reason, 0);
            assert_eq!(says(&reply, Framing::Line), format!("close {reason}"));
        }
        let reply = Reply::Error(ErrorCode::NoBackend, "x");
        assert_eq!(says(&reply, Framing::Line), "error no-backend x");
    }

    #[test]
    fn what_does_not_fit_the_width_leaves_nothing_behind() {
        let longest = "x".repeat(255 - 16);
        let mut out = b"before".to_vec();
        let fits = text(&longest);
        assert_eq!(encode(&message(&fits), None, &binary(1), &mut out), Ok(()));
        assert_eq!(out.len(), 6 + 1 + 255);
        out.truncate(6);
        let longer = longest.clone() + "x";
        let longer = text(&longer);
        assert_eq!(
            encode(&message(&longer), None, &binary(1), &mut out),
            Err(Unfit)
        );
        assert_eq!(out, b"before");
        let topic = "t".repeat(65_536);
        let reply = Reply::Message(Delivery {
            id: 1,
            from: None,
            topic: Some(&topic),
            body: &fits,
            ack: false,
        });
        assert_eq!(encode(&reply, None, &BINARY, &mut out), Err(Unfit));
        assert_eq!(out, b"before");
        assert_eq!(encode(&reply, None, &Framing::Line, &mut out), Ok(()));
    }

    fn any_body() -> impl Strategy<Value = Body<'static>> {
        prop_oneof![
            any::<String>().prop_map(|text| Body::Text(text.into())),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| Body::Bytes(bytes.into())),
            (any::<String>(), any::<i64>()).prop_map(|(text, number)| {
                let value = serde_json::json!([{ text: number }, null, 1.5]);
                Body::Json(format!("{value:#}").into())
            }),
        ]
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_one_frame_of_its_framing(
            said in any_body(),
            from in prop::option::of("[a-z]{1,9}"),
            topic in prop::option::of("[a-z/\"ü]{1,9}"),
            error in any::<String>(),
            (id, ack) in any::<(u64, bool)>(),
        ) {
            let delivery = Delivery {
                id,
                from: from.as_deref(),
                topic: topic.as_deref(),
                body: &said,
                ack,
            };
            for reply in [Reply::Message(delivery), Reply::Error(ErrorCode::TooLarge, &error)] {
                // `framed` asserts that it is exactly one frame; this, that JSON is JSON.
                let line = body(&reply, Framing::Line);
                prop_assert!(!line.contains(&b'\r'));
                body(&reply, BINARY);
                let json: Value = serde_json::from_slice(&body(&reply, JSON)).unwrap();
                if let (Reply::Message(_), Body::Text(text)) = (&reply, &said) {
                    prop_assert_eq!(json["body"].as_str(), Some(&**text));
                    prop_assert_eq!(json["id"].as_u64(), Some(id));
                    prop_assert_eq!(json["from"].as_str(), Some(from.as_deref().unwrap_or("-")));
                    prop_assert_eq!(json["topic"].as_str(), topic.as_deref());
                }
            }
        }
    }
}
