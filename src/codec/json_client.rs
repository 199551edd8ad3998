//! Dialect `gate` as JSON, from the client's side: one object, its keys in the order of the
//! protocol's table.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::heard::{Grant, Heard, Letter, Nonsense};
use super::json::unquote;
use super::json_reply::{key, string};
use super::message::{Body, Request, json_body};
use super::request::Unsayable;
use super::text;

/// Appends a request's object to `out`.
///
/// # Errors
/// [`Unsayable`] where a body is bytes; `out` then holds part of it.
pub(super) fn write(request: &Request<'_>, out: &mut Vec<u8>) -> Result<(), Unsayable> {
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(word(request).as_bytes());
    out.push(b'"');
    match request {
        Request::Ping | Request::Pong | Request::Quit => {}
        Request::Login { user, token } => {
            field("user", user, out);
            if !token.reveal().is_empty() {
                field("token", token.reveal(), out);
            }
        }
        Request::Send { to, body, ack } => {
            field("to", to, out);
            if *ack {
                key("ack", out);
                out.extend_from_slice(b"true");
            }
            write_body(body, out)?;
        }
        Request::Join { topic } | Request::Leave { topic } => field("topic", topic, out),
        Request::Publish { topic, body } => {
            field("topic", topic, out);
            write_body(body, out)?;
        }
        Request::Data { body } => write_body(body, out)?,
        Request::Ack { id } => {
            key("id", out);
            text::push_number(*id, out);
        }
    }
    out.push(b'}');
    Ok(())
}

fn word(request: &Request<'_>) -> &'static str {
    match request {
        Request::Ping => "ping",
        Request::Pong => "pong",
        Request::Login { .. } => "login",
        Request::Send { .. } => "send",
        Request::Join { .. } => "join",
        Request::Leave { .. } => "leave",
        Request::Publish { .. } => "pub",
        Request::Data { .. } => "data",
        Request::Ack { .. } => "ack",
        Request::Quit => "quit",
    }
}

fn field(name: &str, text: &str, out: &mut Vec<u8>) {
    key(name, out);
    string(text, out);
}

fn write_body(body: &Body<'_>, out: &mut Vec<u8>) -> Result<(), Unsayable> {
    key("body", out);
    match body {
        Body::Text(text) => string(text, out),
        Body::Json(json) => out.extend_from_slice(json.as_bytes()),
        Body::Bytes(_) => return Err(Unsayable::Bytes),
    }
    Ok(())
}

/// Reads a frame's body.
///
/// # Errors
/// [`Nonsense`] where it is none of the protocol's.
pub(super) fn parse(body: &[u8]) -> Result<Heard<'_>, Nonsense> {
    // Judged once as a whole, not string by string.
    let text = std::str::from_utf8(body).map_err(|_| Nonsense)?;
    let object: Object<'_> = serde_json::from_str(text).map_err(|_| Nonsense)?;
    match &*object.text("type")? {
        "pong" => Ok(Heard::Pong),
        "ping" => Ok(Heard::Ping),
        "ok" => Ok(Heard::Ok(object.grant())),
        "error" => Ok(Heard::Error {
            code: object.text("code")?,
            text: object.text("text").unwrap_or_default(),
        }),
        "msg" => object.letter(),
        "close" => Ok(Heard::Close {
            reason: object.text("reason")?,
            reconnect_ms: match object.value("reconnect_ms") {
                Ok(ms) => ms.parse().map_err(|_| Nonsense)?,
                Err(Nonsense) => 0,
            },
        }),
        _ => Err(Nonsense),
    }
}

/// The keys of a message and their values, both as they were written.
struct Object<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Object<'a> {
    fn value(&self, key: &str) -> Result<&'a str, Nonsense> {
        let is_meant = |written: &str| written.get(1..written.len() - 1) == Some(key);
        let found = self.0.iter().find(|(written, _)| is_meant(written));
        found.map(|(_, value)| *value).ok_or(Nonsense)
    }

    fn text(&self, key: &str) -> Result<Cow<'a, str>, Nonsense> {
        let written = self.value(key)?;
        if !written.starts_with('"') {
            return Err(Nonsense);
        }
        Ok(unquote(written)?)
    }

    fn grant(&self) -> Grant {
        let mut grant = Grant::default();
        for (key, value) in &self.0 {
            if let Ok(value) = value.parse() {
                grant.push(&key[1..key.len() - 1], value);
            }
        }
        grant
    }

    fn letter(&self) -> Result<Heard<'a>, Nonsense> {
        let from = self.text("from")?;
        Ok(Heard::Message(Letter {
            id: self.value("id")?.parse().map_err(|_| Nonsense)?,
            from: (from != "-").then_some(from),
            topic: self
                .value("topic")
                .is_ok()
                .then(|| self.text("topic"))
                .transpose()?,
            body: json_body(self.value("body")?)?,
            ack: self.value("ack") == Ok("true"),
        }))
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Pairs)
    }
}

/// Collects an object's keys; the values are skipped over, not read.
struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::with_capacity(6); // as many as a message has
        while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            pairs.push((key.get(), value.get()));
        }
        Ok(Object(pairs))
    }
}
