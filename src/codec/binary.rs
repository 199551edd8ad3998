//! Dialect `gate` in binary: one opcode byte, then fields, all big-endian.

use std::borrow::Cow;

use super::framing::Unfit;
use super::line;
use super::message::{BadRequest, Body, Request, topic, user};
use super::reply::{Delivery, Reply};
use super::text;
use crate::secret::Secret;

/// Reads a binary frame's body.
///
/// # Errors
/// [`BadRequest`] where the opcode is unknown, a field is cut short, bytes are left over, or text
/// is not UTF-8.
pub fn parse(body: &[u8]) -> Result<Request<'_>, BadRequest> {
    let (&opcode, fields) = body.split_first().ok_or(BadRequest::Empty)?;
    let mut fields = Fields(fields);
    match opcode {
        0x01 => fields.end(Request::Ping),
        0x02 => fields.end(Request::Pong),
        0x03 => {
            let user = user(fields.text()?)?;
            let token = Secret::new(fields.text()?);
            fields.end(Request::Login { user, token })
        }
        0x04 => send(fields, false),
        0x05 => {
            let topic = topic(fields.text()?)?;
            fields.end(Request::Join { topic })
        }
        0x06 => {
            let topic = topic(fields.text()?)?;
            fields.end(Request::Leave { topic })
        }
        0x07 => {
            let topic = topic(fields.text()?)?;
            let body = Body::Text(utf8(fields.0)?);
            Ok(Request::Publish { topic, body })
        }
        0x08 => Ok(Request::Data {
            body: std::str::from_utf8(fields.0).map_or_else(
                |_| Body::Bytes(Cow::Borrowed(fields.0)),
                |text| Body::Text(Cow::Borrowed(text)),
            ),
        }),
        0x09 => {
            let id = u64::from_be_bytes(*fields.take()?);
            fields.end(Request::Ack { id })
        }
        0x0A => fields.end(Request::Quit),
        0x0B => send(fields, true),
        _ => Err(BadRequest::Unknown),
    }
}

fn send(mut fields: Fields<'_>, ack: bool) -> Result<Request<'_>, BadRequest> {
    let to = user(fields.text()?)?;
    let body = Body::Text(utf8(fields.0)?);
    Ok(Request::Send { to, body, ack })
}

pub(super) fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>, BadRequest> {
    std::str::from_utf8(bytes)
        .map(Cow::Borrowed)
        .map_err(|_| BadRequest::Utf8)
}

/// The fields of a message that are not read yet.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    /// The next `N` bytes.
    pub(super) fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], BadRequest> {
        let (field, rest) = self.0.split_first_chunk().ok_or(BadRequest::Truncated)?;
        self.0 = rest;
        Ok(field)
    }

    /// The next `str`.
    pub(super) fn text(&mut self) -> Result<Cow<'a, str>, BadRequest> {
        let length = usize::from(u16::from_be_bytes(*self.take()?));
        let (field, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(BadRequest::Truncated)?;
        self.0 = rest;
        utf8(field)
    }

    /// The request, where its last field was the last byte.
    fn end(self, request: Request<'a>) -> Result<Request<'a>, BadRequest> {
        if self.0.is_empty() {
            Ok(request)
        } else {
            Err(BadRequest::Leftover)
        }
    }
}

/// Appends a reply's body to `out`.
///
/// # Errors
/// [`Unfit`] where a `str` is longer than its length can say; `out` then holds part of it.
pub(super) fn write(reply: &Reply<'_>, out: &mut Vec<u8>) -> Result<(), Unfit> {
    match reply {
        Reply::Pong => out.push(0x81),
        Reply::Ping => out.push(0x82),
        Reply::Ok(fields) => {
            out.push(0x83);
            line::write_fields(fields, out);
        }
        Reply::Error(code, text) => {
            out.push(0x84);
            write_text(out, |out| out.extend_from_slice(code.word().as_bytes()))?;
            text::push_printable(text, out);
        }
        Reply::Message(delivery) => write_message(delivery, out)?,
        Reply::Close(reason, reconnect_ms) => {
            out.push(0x86);
            write_text(out, |out| out.extend_from_slice(reason.word().as_bytes()))?;
            out.extend_from_slice(&reconnect_ms.to_be_bytes());
        }
    }
    Ok(())
}

fn write_message(delivery: &Delivery<'_>, out: &mut Vec<u8>) -> Result<(), Unfit> {
    out.push(if delivery.ack { 0x87 } else { 0x85 });
    out.extend_from_slice(&delivery.id.to_be_bytes());
    write_text(out, |out| line::write_from(delivery, out))?;
    match delivery.body {
        Body::Text(text) => out.extend_from_slice(text.as_bytes()),
        Body::Json(json) => text::push_compact(json, out),
        Body::Bytes(bytes) => {
            text::each_lossy(bytes, |text| out.extend_from_slice(text.as_bytes()));
        }
    }
    Ok(())
}

/// Appends a `str` that `fill` appends; its length is known afterwards.
pub(super) fn write_text(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) -> Result<(), Unfit> {
    let start = out.len();
    out.extend_from_slice(&[0; 2]);
    fill(out);
    let length = u16::try_from(out.len() - start - 2).map_err(|_| Unfit)?;
    out[start..start + 2].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::name::NameError;
    use super::*;

    fn text(text: &str) -> Body<'_> {
        Body::Text(Cow::Borrowed(text))
    }

    fn send(ack: bool, body: &str) -> Request<'_> {
        Request::Send {
            to: "bob".into(),
            body: text(body),
            ack,
        }
    }

    #[test]
    fn every_message_has_its_opcode() {
        let login = |token| Request::Login {
            user: "alice".into(),
            token: Secret::new(Cow::Borrowed(token)),
        };
        let topic = || Cow::Borrowed("news");
        let publish = |body| Request::Publish {
            topic: topic(),
            body: text(body),
        };
        for (body, request) in [
            (&b"\x01"[..], Request::Ping),
            (b"\x02", Request::Pong),
            (b"\x03\0\x05alice\0\x03a b", login("a b")),
            (b"\x03\0\x05alice\0\0", login("")),
            (b"\x04\0\x03bobhello", send(false, "hello")),
            (b"\x04\0\x03bob", send(false, "")),
            (b"\x05\0\x04news", Request::Join { topic: topic() }),
            (b"\x06\0\x04news", Request::Leave { topic: topic() }),
            (b"\x07\0\x04newsa\nb", publish("a\nb")),
            (b"\x07\0\x04news", publish("")),
            (
                b"\x08hello",
                Request::Data {
                    body: text("hello"),
                },
            ),
            (b"\x08", Request::Data { body: text("") }),
            (b"\x09\0\0\0\0\0\0\x01\x02", Request::Ack { id: 258 }),
            (
                b"\x09\xff\xff\xff\xff\xff\xff\xff\xff",
                Request::Ack { id: u64::MAX },
            ),
            (b"\x0a", Request::Quit),
            (b"\x0b\0\x03bobhello", send(true, "hello")),
        ] {
            assert_eq!(parse(body), Ok(request), "{body:?}");
        }
    }

    #[test]
    fn data_may_hold_any_bytes() {
        let bytes = Body::Bytes(Cow::Borrowed(b"\xFF\0"));
        assert_eq!(parse(b"\x08\xFF\0"), Ok(Request::Data { body: bytes }));
        for body in [
            &b"\x04\0\x03bob\xFF"[..],
            b"\x0b\0\x03bob\xC3",
            b"\x07\0\x04news\x80",
        ] {
            assert_eq!(parse(body), Err(BadRequest::Utf8), "{body:?}");
        }
    }

    #[test]
    fn fields_must_be_whole_and_nothing_may_be_left() {
        for (body, bad) in [
            (&b""[..], BadRequest::Empty),
            (b"\0", BadRequest::Unknown),
            (b"\x0c", BadRequest::Unknown),
            (b"\x81", BadRequest::Unknown),
            (b"\x01x", BadRequest::Leftover),
            (b"\x02\0", BadRequest::Leftover),
            (b"\x0a\n", BadRequest::Leftover),
            (b"\x03\0\x05alice\0\0x", BadRequest::Leftover),
            (b"\x05\0\x04newsx", BadRequest::Leftover),
            (b"\x06\0\x04newsx", BadRequest::Leftover),
            (b"\x09\0\0\0\0\0\0\0\0\0", BadRequest::Leftover),
            (b"\x03", BadRequest::Truncated),
            (b"\x03\0\x05alice", BadRequest::Truncated),
            (b"\x03\0\x05alice\0", BadRequest::Truncated),
            (b"\x03\0\x06alice", BadRequest::Truncated),
            (b"\x03\xff\xffalice", BadRequest::Truncated),
            (b"\x04\0", BadRequest::Truncated),
            (b"\x09\0\0\0\0\0\0\0", BadRequest::Truncated),
            (b"\x03\0\x01\xff\0\0", BadRequest::Utf8),
            (b"\x03\0\x01a\0\x01\xff", BadRequest::Utf8),
            (b"\x05\0\x01\xff", BadRequest::Utf8),
            (b"\x03\0\0\0\0", BadRequest::User(NameError::Empty)),
            (b"\x04\0\x01-x", BadRequest::User(NameError::Dash)),
            (b"\x0b\0\x03a\0bx", BadRequest::User(NameError::Control)),
            (b"\x05\0\x03a b", BadRequest::Topic(NameError::Space)),
            (b"\x07\0\0x", BadRequest::Topic(NameError::Empty)),
        ] {
            assert_eq!(parse(body), Err(bad), "{body:?}");
        }
    }

    #[test]
    fn a_name_of_65535_bytes_is_one_bad_request() {
        let body = [&b"\x03\xff\xff"[..], &[b'a'; 65_535], b"\0\0"].concat();
        assert_eq!(parse(&body), Err(BadRequest::User(NameError::TooLong)));
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(
            opcode in 0..14_u8,
            rest in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let _ = parse(&rest);
            let _ = parse(&[&[opcode], &rest[..]].concat());
        }

        #[test]
        fn short_strings_never_make_it_panic(
            opcode in 0..14_u8,
            rest in prop::collection::vec(prop::sample::select(&b"\0\x01\x02a\xFF"[..]), 0..16),
        ) {
            let _ = parse(&[&[opcode], &rest[..]].concat());
        }
    }
}
