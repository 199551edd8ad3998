//! Dialect `gate` in binary, from the client's side.

use super::binary::{Fields, utf8, write_text};
use super::heard::{Heard, Letter, Nonsense, sender};
use super::line_client;
use super::message::{BadRequest, Body, Request};
use super::request::Unsayable;
use super::text;

/// Appends a request's body to `out`.
///
/// # Errors
/// [`Unsayable`] where a field is longer than its length can say; `out` then holds part of it.
pub(super) fn write(request: &Request<'_>, out: &mut Vec<u8>) -> Result<(), Unsayable> {
    match request {
        Request::Ping => out.push(0x01),
        Request::Pong => out.push(0x02),
        Request::Login { user, token } => {
            out.push(0x03);
            name(user, out)?;
            name(token.reveal(), out)?;
        }
        Request::Send { to, body, ack } => {
            out.push(if *ack { 0x0B } else { 0x04 });
            name(to, out)?;
            rest(body, out);
        }
        Request::Join { topic } => {
            out.push(0x05);
            name(topic, out)?;
        }
        Request::Leave { topic } => {
            out.push(0x06);
            name(topic, out)?;
        }
        Request::Publish { topic, body } => {
            out.push(0x07);
            name(topic, out)?;
            rest(body, out);
        }
        Request::Data { body } => {
            out.push(0x08);
            rest(body, out);
        }
        Request::Ack { id } => {
            out.push(0x09);
            out.extend_from_slice(&id.to_be_bytes());
        }
        Request::Quit => out.push(0x0A),
    }
    Ok(())
}

fn name(text: &str, out: &mut Vec<u8>) -> Result<(), Unsayable> {
    let written = write_text(out, |out| out.extend_from_slice(text.as_bytes()));
    Ok(written?)
}

fn rest(body: &Body<'_>, out: &mut Vec<u8>) {
    match body {
        Body::Text(text) => out.extend_from_slice(text.as_bytes()),
        Body::Json(json) => text::push_compact(json, out),
        Body::Bytes(bytes) => out.extend_from_slice(bytes),
    }
}

impl From<BadRequest> for Nonsense {
    fn from(_: BadRequest) -> Self {
        Self
    }
}

/// Reads a frame's body.
///
/// # Errors
/// [`Nonsense`] where it is none of the protocol's.
pub(super) fn parse(body: &[u8]) -> Result<Heard<'_>, Nonsense> {
    let (&opcode, rest) = body.split_first().ok_or(Nonsense)?;
    let mut fields = Fields(rest);
    match opcode {
        0x81 if rest.is_empty() => Ok(Heard::Pong),
        0x82 if rest.is_empty() => Ok(Heard::Ping),
        0x83 => Ok(Heard::Ok(line_client::grant(&utf8(rest)?))),
        0x84 => Ok(Heard::Error {
            code: fields.text()?,
            text: utf8(fields.0)?,
        }),
        0x85 | 0x87 => {
            let id = u64::from_be_bytes(*fields.take()?);
            let (from, topic) = sender(fields.text()?);
            Ok(Heard::Message(Letter {
                id,
                from,
                topic,
                body: Body::Text(utf8(fields.0)?),
                ack: opcode == 0x87,
            }))
        }
        0x86 => Ok(Heard::Close {
            reason: fields.text()?,
            reconnect_ms: u64::from(u32::from_be_bytes(*fields.take()?)),
        }),
        _ => Err(Nonsense),
    }
}
