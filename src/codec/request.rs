//! What a client says in dialect `gate`, encoded for each framing: the other side of `message`.
//!
//! What a server would refuse or misread is refused here, before a byte of it is written.

use super::framing::{Framing, Unfit};
use super::json::check_text;
use super::message::{Body, Request};
use super::name::{NameError, check_topic, check_user};
use super::{binary_client, json_client, line_client};

/// Why a request can not be said.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unsayable {
    /// No user can have this name.
    #[error("user: {0}")]
    User(NameError),
    /// No topic can have this name.
    #[error("topic: {0}")]
    Topic(NameError),
    /// A text with CR or LF, on lines.
    #[error("a line can not hold a line break: use another framing, or spell it out")]
    LineBreak,
    /// Bytes that are not UTF-8; only `data` in binary may hold them.
    #[error("only `data` on framing binary can hold bytes that are not UTF-8")]
    Bytes,
    /// A body that was said to be JSON.
    #[error("the body is not JSON")]
    Json,
    /// More than a frame may hold.
    #[error("the message is longer than frame_max")]
    TooLong,
}

impl From<Unfit> for Unsayable {
    fn from(_: Unfit) -> Self {
        Self::TooLong
    }
}

/// Appends `request` to `out` as one frame of `framing`, in the encoding that goes with it.
///
/// # Errors
/// [`Unsayable`]; `out` is then as it was.
pub fn encode(
    request: &Request<'_>,
    framing: &Framing,
    frame_max: usize,
    out: &mut Vec<u8>,
) -> Result<(), Unsayable> {
    check(request)?;
    let start = framing.open(out);
    if let Framing::Binary(layout) = framing {
        // What the server strips beyond the header must be there to be stripped.
        let beyond = layout.strip_beyond();
        out.resize(out.len() + beyond, 0);
    }
    let begin = out.len();
    let written = match framing {
        Framing::Raw | Framing::Line => line_client::write(request, out),
        Framing::LenHdr { .. } => json_client::write(request, out),
        Framing::Binary(_) => binary_client::write(request, out),
    };
    if let Err(error) = written {
        out.truncate(start);
        return Err(error);
    }
    if out.len() - begin > frame_max {
        out.truncate(start);
        return Err(Unsayable::TooLong);
    }
    Ok(framing.seal(start, out)?)
}

/// Judges what holds in every encoding.
fn check(request: &Request<'_>) -> Result<(), Unsayable> {
    match request {
        Request::Login { user, .. } => check_user(user).map_err(Unsayable::User),
        Request::Send { to, body, .. } => {
            check_user(to).map_err(Unsayable::User)?;
            check_body(body)
        }
        Request::Join { topic } | Request::Leave { topic } => {
            check_topic(topic).map_err(Unsayable::Topic)
        }
        Request::Publish { topic, body } => {
            check_topic(topic).map_err(Unsayable::Topic)?;
            check_body(body)
        }
        Request::Data {
            body: Body::Json(json),
        } => check_text(json).map_err(|_| Unsayable::Json),
        _ => Ok(()),
    }
}

fn check_body(body: &Body<'_>) -> Result<(), Unsayable> {
    match body {
        Body::Text(_) => Ok(()),
        Body::Json(json) => check_text(json).map_err(|_| Unsayable::Json),
        Body::Bytes(_) => Err(Unsayable::Bytes),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::framing::{Endian, Found, Layout};
    use super::super::message::{parse_binary, parse_json, parse_line};
    use super::*;

    const JSON: Framing = Framing::LenHdr { bare_ping: false };

    const fn binary(width: u8, offset: u16, adjust: i32, strip: Option<u16>) -> Framing {
        let endian = Endian::Big;
        Framing::Binary(Layout {
            width,
            endian,
            offset,
            adjust,
            strip,
        })
    }

    const FRAMINGS: [Framing; 5] = [
        Framing::Line,
        JSON,
        binary(4, 0, 0, None),
        binary(2, 3, -2, None),
        binary(4, 1, 4, Some(9)),
    ];

    /// What the server reads of what we write.
    #[track_caller]
    fn assert_is_read(request: &Request<'_>, framing: &Framing) {
        let mut out = b"before".to_vec();
        encode(request, framing, 1 << 16, &mut out).unwrap();
        let frame = &out[6..];
        let Ok(Found::Frame { body, consumed }) = framing.find(frame, 0, 1 << 16) else {
            panic!("no frame: {frame:?}");
        };
        assert_eq!(consumed, frame.len());
        let body = &frame[body];
        let read = match framing {
            Framing::Binary(_) => parse_binary(body),
            Framing::LenHdr { .. } => parse_json(body).unwrap().request,
            _ => parse_line(std::str::from_utf8(body).unwrap()),
        };
        assert_eq!(read.as_ref(), Ok(request), "{framing:?}");
    }

    fn every<'a>(user: &'a str, topic: &'a str, text: &'a str, ack: bool) -> Vec<Request<'a>> {
        let body = || Body::Text(text.into());
        vec![
            Request::Ping,
            Request::Pong,
            Request::Quit,
            Request::Ack { id: u64::MAX },
            Request::Login {
                user: user.into(),
                token: crate::Secret::new(text.into()),
            },
            Request::Send {
                to: user.into(),
                body: body(),
                ack,
            },
            Request::Join {
                topic: topic.into(),
            },
            Request::Leave {
                topic: topic.into(),
            },
            Request::Publish {
                topic: topic.into(),
                body: body(),
            },
            Request::Data { body: body() },
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_the_server_reads(
            user in "[a-zü][a-z\"\\\\0-9é]{0,20}",
            topic in "[a-z/\"\\\\]{1,20}",
            text in "[^\r\n]{0,60}",
            ack in any::<bool>(),
        ) {
            for request in every(&user, &topic, &text, ack) {
                for framing in &FRAMINGS {
                    assert_is_read(&request, framing);
                }
            }
        }

        #[test]
        fn any_text_goes_where_frames_have_lengths(text in any::<String>()) {
            for request in every("ann", "news", &text, false) {
                for framing in &FRAMINGS[1..] {
                    assert_is_read(&request, framing);
                }
            }
        }
    }

    #[test]
    fn json_stays_json_and_any_bytes_are_data_in_binary() {
        let json = Body::Json("{\"a\":[1e999,9007199254740993]}".into());
        assert_is_read(&Request::Data { body: json }, &JSON);
        let bytes = Body::Bytes(b"\xFF\0"[..].into());
        assert_is_read(&Request::Data { body: bytes }, &FRAMINGS[2]);
    }

    #[test]
    fn what_a_server_would_refuse_is_not_said() {
        let text = |text: &'static str| Body::Text(text.into());
        let data = |body| Request::Data { body };
        let to = |to: &'static str| Request::Send {
            to: to.into(),
            body: text("x"),
            ack: false,
        };
        let bytes = || Body::Bytes(b"\xFF"[..].into());
        let publish = Request::Publish {
            topic: "news".into(),
            body: bytes(),
        };
        let long: &'static str = Box::leak("x".repeat(200).into_boxed_str());
        for (request, framing, error) in [
            (to("a b"), &FRAMINGS[0], Unsayable::User(NameError::Space)),
            (to("-"), &JSON, Unsayable::User(NameError::Dash)),
            (data(text("a\nb")), &FRAMINGS[0], Unsayable::LineBreak),
            (data(text("a\r")), &FRAMINGS[0], Unsayable::LineBreak),
            (data(bytes()), &FRAMINGS[0], Unsayable::Bytes),
            (data(bytes()), &JSON, Unsayable::Bytes),
            (publish, &FRAMINGS[2], Unsayable::Bytes),
            (data(Body::Json("{]".into())), &FRAMINGS[2], Unsayable::Json),
            (data(text(long)), &JSON, Unsayable::TooLong),
            (
                data(text(long)),
                &binary(1, 0, -100, None),
                Unsayable::TooLong,
            ),
        ] {
            let mut out = b"before".to_vec();
            assert_eq!(encode(&request, framing, 100, &mut out), Err(error));
            assert_eq!(out, b"before");
        }
    }
}
