//! Dialect `gate` as lines of text, from the client's side.

use std::borrow::Cow;

use super::heard::{Grant, Heard, Letter, Nonsense, sender};
use super::message::{Body, Request};
use super::request::Unsayable;
use super::text;

/// Appends a request to `out`, without the line end.
///
/// # Errors
/// [`Unsayable`] where a text holds what a line can not; `out` then holds part of it.
pub(super) fn write(request: &Request<'_>, out: &mut Vec<u8>) -> Result<(), Unsayable> {
    match request {
        Request::Ping => out.extend_from_slice(b"ping"),
        Request::Pong => out.extend_from_slice(b"pong"),
        Request::Quit => out.extend_from_slice(b"quit"),
        Request::Login { user, token } => {
            words(&["login", user], out);
            if !token.reveal().is_empty() {
                out.push(b' ');
                free(token.reveal(), out)?;
            }
        }
        Request::Send { to, body, ack } => {
            words(&[if *ack { "asend" } else { "send" }, to, ""], out);
            write_body(body, out)?;
        }
        Request::Join { topic } => words(&["join", topic], out),
        Request::Leave { topic } => words(&["leave", topic], out),
        Request::Publish { topic, body } => {
            words(&["pub", topic, ""], out);
            write_body(body, out)?;
        }
        Request::Data { body } => {
            words(&["data", ""], out);
            write_body(body, out)?;
        }
        Request::Ack { id } => {
            words(&["ack", ""], out);
            text::push_number(*id, out);
        }
    }
    Ok(())
}

/// Appends words with one space between them.
fn words(words: &[&str], out: &mut Vec<u8>) {
    for (at, word) in words.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word.as_bytes());
    }
}

fn write_body(body: &Body<'_>, out: &mut Vec<u8>) -> Result<(), Unsayable> {
    match body {
        Body::Text(text) => free(text, out),
        Body::Json(json) => {
            text::push_compact(json, out);
            Ok(())
        }
        Body::Bytes(_) => Err(Unsayable::Bytes),
    }
}

/// Appends free text up to the end of the line.
fn free(text: &str, out: &mut Vec<u8>) -> Result<(), Unsayable> {
    if memchr::memchr2(b'\r', b'\n', text.as_bytes()).is_some() {
        return Err(Unsayable::LineBreak);
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// Reads a line from the server.
///
/// # Errors
/// [`Nonsense`] where it is none of the protocol's.
pub(super) fn parse(line: &str) -> Result<Heard<'_>, Nonsense> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "pong" if line.len() == 4 => Ok(Heard::Pong),
        "ping" if line.len() == 4 => Ok(Heard::Ping),
        "ok" => Ok(Heard::Ok(grant(rest))),
        "error" => {
            let (code, text) = rest.split_once(' ').unwrap_or((rest, ""));
            let (code, text) = (code.into(), text.into());
            Ok(Heard::Error { code, text })
        }
        "msg" => letter(rest, false),
        "msga" => letter(rest, true),
        "close" if !rest.is_empty() => {
            let (reason, ms) = rest.split_once(' ').unwrap_or((rest, "0"));
            Ok(Heard::Close {
                reason: reason.into(),
                reconnect_ms: ms.parse().map_err(|_| Nonsense)?,
            })
        }
        _ => Err(Nonsense),
    }
}

/// Reads `KEY=VALUE` pairs; those whose value is no number are passed over.
pub(super) fn grant(pairs: &str) -> Grant {
    let mut grant = Grant::default();
    for pair in pairs.split(' ') {
        if let Some((key, value)) = pair.split_once('=')
            && let Ok(value) = value.parse()
        {
            grant.push(key, value);
        }
    }
    grant
}

fn letter(rest: &str, ack: bool) -> Result<Heard<'_>, Nonsense> {
    let mut fields = rest.splitn(3, ' ');
    let mut field = || fields.next().ok_or(Nonsense);
    let id = field()?.parse().map_err(|_| Nonsense)?;
    let (from, topic) = sender(Cow::Borrowed(field()?));
    let body = Body::Text(field()?.into());
    Ok(Heard::Message(Letter {
        id,
        from,
        topic,
        body,
        ack,
    }))
}
