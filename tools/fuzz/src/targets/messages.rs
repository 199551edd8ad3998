//! Parsers of messages, and what is said of them: names are valid, and an answer that repeats what
//! a client said is one frame of its framing, whatever that was.

use std::borrow::Cow;

use pulsegate::codec::framing::{Endian, Found, Framing, Layout};
use pulsegate::codec::message::{
    Body, Request, Seq, parse_binary, parse_json, parse_line, to_json,
};
use pulsegate::codec::name::{check_topic, check_user};
use pulsegate::codec::reply::{Delivery, Fields, Reply, encode};
use pulsegate::{CloseReason, ErrorCode};

use crate::take::Take;

const FRAMINGS: [Framing; 3] = [
    Framing::Line,
    Framing::LenHdr { bare_ping: false },
    Framing::Binary(Layout {
        width: 4,
        endian: Endian::Big,
        offset: 0,
        adjust: 0,
        strip: None,
    }),
];

pub(super) fn run(bytes: &[u8]) {
    let mut take = Take::new(bytes);
    let encoding = take.byte() % 3;
    let frame = take.rest();
    let text = String::from_utf8_lossy(frame);
    let mut seq = None;
    let request = match encoding {
        0 => parse_line(text.trim_end_matches(['\r', '\n'])),
        1 => match parse_json(frame) {
            Ok(parsed) => {
                seq = parsed.seq;
                parsed.request
            }
            Err(_) => return,
        },
        _ => parse_binary(frame),
    };
    match &request {
        Ok(request) => {
            judge_names(request);
            answer(request, seq.as_ref());
        }
        Err(error) => {
            let said = error.to_string();
            one_frame(&Reply::Error(ErrorCode::BadRequest, &said), seq.as_ref());
        }
    }
    one_frame(&Reply::Error(ErrorCode::BadRequest, &text), seq.as_ref());
}

fn judge_names(request: &Request<'_>) {
    match request {
        Request::Login { user, .. } | Request::Send { to: user, .. } => {
            check_user(user).expect("a user's name is valid");
        }
        Request::Join { topic } | Request::Leave { topic } | Request::Publish { topic, .. } => {
            check_topic(topic).expect("a topic's name is valid");
        }
        _ => {}
    }
}

/// What others would be told of it.
fn answer(request: &Request<'_>, seq: Option<&Seq<'_>>) {
    let (topic, body) = match request {
        Request::Send { body, .. } | Request::Data { body } => (None, body),
        Request::Publish { topic, body } => (Some(&**topic), body),
        _ => return one_frame(&Reply::Ok(Fields::NONE.with("queued", 1)), seq),
    };
    let from = Some("ann");
    // Bytes are for the backend alone.
    let is_text = !matches!(body, Body::Bytes(_));
    for ack in [false, true].into_iter().filter(|_| is_text) {
        let id = u64::MAX;
        one_frame(
            &Reply::Message(Delivery {
                id,
                from,
                topic,
                body,
                ack,
            }),
            None,
        );
    }
    if let Some(json) = to_json(body) {
        let body = Body::Json(Cow::Owned(json));
        one_frame(
            &Reply::Message(Delivery {
                id: 0,
                from: None,
                topic,
                body: &body,
                ack: false,
            }),
            None,
        );
    }
    one_frame(&Reply::Close(CloseReason::Kicked, 1_000), seq);
}

/// Whatever is in it, a reply is one frame, whole.
fn one_frame(reply: &Reply<'_>, seq: Option<&Seq<'_>>) {
    for framing in FRAMINGS {
        let mut out = Vec::new();
        encode(reply, seq, &framing, &mut out).expect("four bytes hold its length");
        let found = framing.find(&out, 0, usize::MAX);
        let Ok(Found::Frame { body, consumed }) = found else {
            panic!("{found:?} for {reply:?}");
        };
        assert_eq!(consumed, out.len(), "{reply:?} is more than a frame");
        let is_json = matches!(framing, Framing::LenHdr { .. });
        if is_json {
            let read = serde_json::from_slice::<serde_json::Value>(&out[body]);
            // Numbers beyond a double and depth beyond the reader's are JSON all the same.
            let excuse = |error: &serde_json::Error| {
                let said = error.to_string();
                said.contains("out of range") || said.contains("recursion limit")
            };
            assert!(
                read.as_ref().err().is_none_or(excuse),
                "{read:?}: {reply:?}"
            );
        }
    }
}
