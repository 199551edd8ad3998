//! What a client hears in dialect `gate`: the other side of `reply`.

use std::borrow::Cow;

use super::framing::Framing;
use super::message::Body;
use super::{binary_client, json_client, line_client};

/// A message from the server, borrowed from the frame it came in.
#[derive(Clone, PartialEq, Debug)]
pub enum Heard<'a> {
    /// Answers a ping.
    Pong,
    /// Asks whether we are alive.
    Ping,
    /// A request was done.
    Ok(Grant),
    /// A request was not done.
    Error {
        /// An [`ErrorCode`](crate::ErrorCode)'s word, or one that is newer than this library.
        code: Cow<'a, str>,
        /// For people.
        text: Cow<'a, str>,
    },
    /// A message from a user or from the backend.
    Message(Letter<'a>),
    /// Goodbye.
    Close {
        /// A [`CloseReason`](crate::CloseReason)'s word, or one that is newer than this library.
        reason: Cow<'a, str>,
        /// After how many milliseconds to come back; 0 where that is not said.
        reconnect_ms: u64,
    },
}

/// A message that has come.
#[derive(Clone, PartialEq, Debug)]
pub struct Letter<'a> {
    /// Its id.
    pub id: u64,
    /// The sending user; `None` is the backend.
    pub from: Option<Cow<'a, str>>,
    /// The topic it was published to.
    pub topic: Option<Cow<'a, str>>,
    /// What it says.
    pub body: Body<'a>,
    /// Whether it wants an ack.
    pub ack: bool,
}

/// The numbers that an `ok` tells.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Grant(Vec<(Cow<'static, str>, u64)>);

impl Grant {
    /// The number under that key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<u64> {
        let found = self.0.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| *value)
    }

    /// All of them, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(key, value)| (&key[..], *value))
    }

    pub(super) fn push(&mut self, key: &str, value: u64) {
        let known = KEYS.into_iter().find(|known| *known == key);
        let key = known.map_or_else(|| Cow::Owned(key.to_owned()), Cow::Borrowed);
        self.0.push((key, value));
    }
}

/// Not a message of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no message of the protocol")]
pub struct Nonsense;

/// Reads a frame's body in the encoding that goes with `framing`.
///
/// # Errors
/// [`Nonsense`] where no server of this protocol says so.
pub fn parse<'a>(body: &'a [u8], framing: &Framing) -> Result<Heard<'a>, Nonsense> {
    match framing {
        Framing::Raw | Framing::Line => {
            line_client::parse(std::str::from_utf8(body).map_err(|_| Nonsense)?)
        }
        Framing::LenHdr { .. } => json_client::parse(body),
        Framing::Binary(_) => binary_client::parse(body),
    }
}

/// Who a message is from, in one word as lines and binary have it: the user, and the topic.
pub(super) fn sender(from: Cow<'_, str>) -> (Option<Cow<'_, str>>, Option<Cow<'_, str>>) {
    let named = |user: &str| (user != "-").then(|| user.to_owned().into());
    match from {
        Cow::Borrowed(from) => match from.strip_prefix("topic:").and_then(|w| w.rsplit_once('/')) {
            Some((topic, user)) => ((user != "-").then_some(user.into()), Some(topic.into())),
            None => ((from != "-").then_some(from.into()), None),
        },
        Cow::Owned(from) => match from.strip_prefix("topic:").and_then(|w| w.rsplit_once('/')) {
            Some((topic, user)) => (named(user), Some(topic.to_owned().into())),
            None => (named(&from), None),
        },
    }
}

/// Keys of an `ok` that need no memory of their own.
const KEYS: [&str; 4] = ["heartbeat", "proto", "queued", "offline"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::framing::{Endian, Found, Layout};
    use super::super::reply::{self, Delivery, Fields, Reply};
    use super::*;
    use crate::reason::{CloseReason, ErrorCode};

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

    /// What a client hears when a server says this.
    fn hear(reply: &Reply<'_>, framing: &Framing, check: impl FnOnce(Heard<'_>)) {
        let mut out = Vec::new();
        reply::encode(reply, None, framing, &mut out).unwrap();
        let Ok(Found::Frame { body, .. }) = framing.find(&out, 0, 1 << 20) else {
            panic!("no frame: {out:?}");
        };
        check(parse(&out[body], framing).unwrap());
    }

    #[test]
    fn every_answer_is_heard_as_it_was_said() {
        for framing in &FRAMINGS {
            hear(&Reply::Pong, framing, |heard| {
                assert_eq!(heard, Heard::Pong);
            });
            hear(&Reply::Ping, framing, |heard| {
                assert_eq!(heard, Heard::Ping);
            });
            let fields = Fields::NONE.with("heartbeat", 20_000).with("new", u64::MAX);
            for fields in [Fields::NONE, fields] {
                hear(&Reply::Ok(fields), framing, |heard| {
                    let Heard::Ok(grant) = heard else {
                        panic!("{heard:?}")
                    };
                    let pairs: Vec<_> = grant.pairs().collect();
                    assert_eq!(pairs, fields.pairs(), "{framing:?}");
                });
            }
            for code in ErrorCode::ALL {
                hear(&Reply::Error(code, "why \"so\""), framing, |heard| {
                    let (code, text) = (code.word().into(), "why \"so\"".into());
                    assert_eq!(heard, Heard::Error { code, text });
                });
                assert_eq!(ErrorCode::of(code.word()), Some(code));
            }
            for reason in CloseReason::ALL {
                for reconnect_ms in [0, 1_500] {
                    hear(&Reply::Close(reason, reconnect_ms), framing, |heard| {
                        let reconnect_ms = u64::from(reconnect_ms);
                        let reason = reason.word().into();
                        let close = Heard::Close {
                            reason,
                            reconnect_ms,
                        };
                        assert_eq!(heard, close);
                    });
                }
                assert_eq!(CloseReason::of(reason.word()), Some(reason));
            }
        }
    }

    proptest! {
        #[test]
        fn every_message_is_heard_as_it_was_said(
            id in any::<u64>(),
            from in prop::option::of("[a-zü\"\\\\]{1,9}"),
            topic in prop::option::of("[a-z/\"\\\\:]{1,9}"),
            text in "[^\r\n]{0,40}",
            ack in any::<bool>(),
        ) {
            let body = Body::Text(text[..].into());
            let (from, topic) = (from.as_deref(), topic.as_deref());
            let delivery = Delivery { id, from, topic, body: &body, ack };
            for framing in &FRAMINGS {
                hear(&Reply::Message(delivery.clone()), framing, |heard| {
                    let letter = Letter {
                        id,
                        from: from.map(Cow::Borrowed),
                        topic: topic.map(Cow::Borrowed),
                        body: body.clone(),
                        ack,
                    };
                    assert_eq!(heard, Heard::Message(letter), "{framing:?}");
                });
            }
        }

        #[test]
        fn no_bytes_make_it_panic(
            first in prop::sample::select(vec![
                &b""[..], b"msg ", b"ok ", b"close ", b"error ", b"{\"type\":\"msg\",",
                b"\x83", b"\x84", b"\x85", b"\x86", b"\x87",
            ]),
            rest in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            for framing in &FRAMINGS {
                let _ = parse(&[first, &rest].concat(), framing);
            }
        }
    }

    #[test]
    fn what_no_server_says_is_nonsense() {
        let [line, json, binary] = FRAMINGS;
        for (body, framing) in [
            (&b"hello"[..], line),
            (b"", line),
            (b"PONG", line),
            (b"pong ", line),
            (b"msg x ann hi", line),
            (b"msg 1 ann", line),
            (b"close", line),
            (b"close x y", line),
            (b"220 mail.example.org ESMTP", line),
            (b"{}", json),
            (b"[]", json),
            (b"pong", json),
            (b"{\"type\":\"hello\"}", json),
            (b"{\"type\":\"msg\",\"id\":1,\"from\":\"a\"}", json),
            (
                b"{\"type\":\"msg\",\"id\":-1,\"from\":\"a\",\"body\":1}",
                json,
            ),
            (b"", binary),
            (b"\x01", binary),
            (b"\x81x", binary),
            (b"\x85\0\0\0\0\0\0\0\x01\0\x05ann", binary),
            (b"\x83\xFF", binary),
        ] {
            assert_eq!(parse(body, &framing), Err(Nonsense), "{body:?}");
        }
    }

    #[test]
    fn what_a_newer_server_says_besides_is_passed_over() {
        let [line, json, _] = FRAMINGS;
        let heard = parse(b"ok mood=fine queued=2", &line).unwrap();
        let Heard::Ok(grant) = heard else {
            panic!("{heard:?}")
        };
        assert_eq!((grant.get("queued"), grant.get("mood")), (Some(2), None));
        let heard = parse(
            b"{\"type\":\"close\",\"why\":{},\"reason\":\"moon\"}",
            &json,
        );
        let (reason, reconnect_ms) = ("moon".into(), 0);
        let close = Heard::Close {
            reason,
            reconnect_ms,
        };
        assert_eq!(heard, Ok(close));
    }
}
