//! Dialect `gate` as JSON, incoming: one object with `type`.
//!
//! The object is read in two steps: first which keys it has, each value still as it was written,
//! then the fields that its `type` asks for. So a syntax error anywhere is told from a wrong field,
//! a body keeps its spelling, and nothing recurses, however deep a value is nested.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::framing::FrameError;
use super::message::{BadRequest, Body, Parsed, Request, Seq, topic, user};
use crate::secret::Secret;

/// Judges whether `body` is JSON, without looking at what it says.
///
/// # Errors
/// [`FrameError::Json`] where it is not.
pub fn check(body: &[u8]) -> Result<(), FrameError> {
    let text = std::str::from_utf8(body).map_err(|_| FrameError::Json)?;
    check_text(text)
}

/// Reads a JSON body.
///
/// # Errors
/// [`FrameError::Json`] where it is not JSON at all: the connection ends. What is JSON but no
/// message is told in [`Parsed::request`], beside the `seq` that its answer must repeat.
pub fn parse(body: &[u8]) -> Result<Parsed<'_>, FrameError> {
    let text = std::str::from_utf8(body).map_err(|_| FrameError::Json)?;
    let Ok(object) = serde_json::from_str::<Object<'_>>(text) else {
        // It stopped at the first thing that is no object; a syntax error may follow.
        check_text(text)?;
        return Ok(Parsed {
            request: Err(BadRequest::NotObject),
            seq: None,
        });
    };
    Ok(match object.seq() {
        Ok(seq) => Parsed {
            request: object.request(),
            seq,
        },
        Err(bad) => Parsed {
            request: Err(bad),
            seq: None,
        },
    })
}

pub(super) fn check_text(text: &str) -> Result<(), FrameError> {
    serde_json::from_str::<IgnoredAny>(text)
        .map(|_| ())
        .map_err(|_| FrameError::Json)
}

/// Reads a body that is written as this JSON value, known to be well-formed.
///
/// # Errors
/// [`BadRequest::Surrogate`] where a string in it is no text.
pub fn body(written: &str) -> Result<Body<'_>, BadRequest> {
    if written.starts_with('"') {
        return Ok(Body::Text(unquote(written)?));
    }
    // It is passed on as it is: what breaks a receiver's parser must not reach it.
    if has_lone_surrogate(written) {
        return Err(BadRequest::Surrogate);
    }
    Ok(Body::Json(Cow::Borrowed(written)))
}

/// The keys of a message and their values as they were written.
#[derive(Default)]
struct Object<'a> {
    known: [Option<&'a str>; Key::ALL.len()],
    /// The other keys, only to find one that stands twice.
    unknown: Vec<Cow<'a, str>>,
    /// What is wrong with the keys themselves.
    bad: Option<BadRequest>,
    /// Whether it is `seq` that stands twice: which of the two should be repeated?
    is_seq_unclear: bool,
}

/// A key that some message knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Type,
    Seq,
    User,
    Token,
    To,
    Topic,
    Body,
    Id,
    Ack,
}

impl Key {
    const ALL: [Self; 9] = [
        Self::Type,
        Self::Seq,
        Self::User,
        Self::Token,
        Self::To,
        Self::Topic,
        Self::Body,
        Self::Id,
        Self::Ack,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Seq => "seq",
            Self::User => "user",
            Self::Token => "token",
            Self::To => "to",
            Self::Topic => "topic",
            Self::Body => "body",
            Self::Id => "id",
            Self::Ack => "ack",
        }
    }
}

impl<'a> Object<'a> {
    fn request(&self) -> Result<Request<'a>, BadRequest> {
        if let Some(bad) = self.bad {
            return Err(bad);
        }
        match &*self.text(Key::Type)? {
            "ping" => Ok(Request::Ping),
            "pong" => Ok(Request::Pong),
            "login" => Ok(Request::Login {
                user: user(self.text(Key::User)?)?,
                token: Secret::new(self.token()?),
            }),
            "send" => Ok(Request::Send {
                to: user(self.text(Key::To)?)?,
                body: self.body()?,
                ack: self.ack()?,
            }),
            "join" => Ok(Request::Join {
                topic: topic(self.text(Key::Topic)?)?,
            }),
            "leave" => Ok(Request::Leave {
                topic: topic(self.text(Key::Topic)?)?,
            }),
            "pub" => Ok(Request::Publish {
                topic: topic(self.text(Key::Topic)?)?,
                body: self.body()?,
            }),
            "data" => Ok(Request::Data { body: self.body()? }),
            "ack" => {
                // JSON's own grammar leaves only digits where this succeeds.
                let id = self.value(Key::Id)?.parse().map_err(|_| BadRequest::Id)?;
                Ok(Request::Ack { id })
            }
            "quit" => Ok(Request::Quit),
            _ => Err(BadRequest::Unknown),
        }
    }

    /// What the answer must repeat, where there is anything.
    fn seq(&self) -> Result<Option<Seq<'a>>, BadRequest> {
        const LIMIT: u64 = 1 << 53; // beyond it a client that counts in doubles loses count
        let Some(written) = self.known[Key::Seq as usize] else {
            return Ok(None);
        };
        if self.is_seq_unclear {
            return Err(BadRequest::DuplicateKey);
        }
        if written.starts_with('"') {
            let text = unquote(written)?;
            return match text.len() {
                0..=64 => Ok(Some(Seq::Text(text))),
                _ => Err(BadRequest::Seq),
            };
        }
        match written.parse::<i64>() {
            Ok(number) if number.unsigned_abs() <= LIMIT => Ok(Some(Seq::Number(number))),
            _ => Err(BadRequest::Seq),
        }
    }

    fn value(&self, key: Key) -> Result<&'a str, BadRequest> {
        self.known[key as usize].ok_or_else(|| BadRequest::Missing(key.word()))
    }

    fn text(&self, key: Key) -> Result<Cow<'a, str>, BadRequest> {
        let written = self.value(key)?;
        if !written.starts_with('"') {
            return Err(BadRequest::NotText(key.word()));
        }
        unquote(written)
    }

    fn token(&self) -> Result<Cow<'a, str>, BadRequest> {
        match self.known[Key::Token as usize] {
            None | Some("null") => Ok(Cow::Borrowed("")),
            Some(_) => self.text(Key::Token),
        }
    }

    fn ack(&self) -> Result<bool, BadRequest> {
        match self.known[Key::Ack as usize] {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(BadRequest::NotBool(Key::Ack.word())),
        }
    }

    fn body(&self) -> Result<Body<'a>, BadRequest> {
        body(self.value(Key::Body)?)
    }

    fn insert(&mut self, key: &'a str, value: &'a str) {
        let key = match unquote(key) {
            Ok(key) => key,
            Err(bad) => {
                self.bad.get_or_insert(bad);
                return;
            }
        };
        let Some(known) = Key::ALL.into_iter().find(|known| known.word() == key) else {
            self.unknown.push(key);
            return;
        };
        if self.known[known as usize].replace(value).is_some() {
            self.bad = Some(BadRequest::DuplicateKey);
            self.is_seq_unclear |= known == Key::Seq;
        }
    }

    /// Looks for an unknown key that stands twice. Sorting keeps hostile keys from being compared
    /// each with each, and needs no hash that could be guessed.
    fn finish(&mut self) {
        self.unknown.sort_unstable();
        if self.unknown.windows(2).any(|pair| pair[0] == pair[1]) {
            self.bad = Some(BadRequest::DuplicateKey);
        }
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// Collects an object's keys; the values are skipped over, not read.
struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut object = Object::default();
        while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            object.insert(key.get(), value.get());
        }
        object.finish();
        Ok(object)
    }
}

/// The text that a JSON string stands for; the string is known to be well-formed.
pub(super) fn unquote(written: &str) -> Result<Cow<'_, str>, BadRequest> {
    let inside = &written[1..written.len() - 1];
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Ok(Cow::Borrowed(inside));
    }
    // Only a surrogate without its other half is well-formed and still no text.
    serde_json::from_str(written)
        .map(Cow::Owned)
        .map_err(|_| BadRequest::Surrogate)
}

/// Whether some string in a well-formed JSON value holds half a surrogate pair.
fn has_lone_surrogate(json: &str) -> bool {
    let mut rest = json.as_bytes();
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let length = match (unit(&rest[at..]), rest.get(at + 6..).and_then(unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => return true,
            (Some(_), _) => 6,
            (None, _) => 2,
        };
        rest = rest.get(at + length..).unwrap_or_default();
    }
    false
}

/// The UTF-16 unit of a `\u` escape at the front of `text`.
fn unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests;
