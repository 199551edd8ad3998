//! A request as a route sees it: method, path in pieces, query, body.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::answer::Refusal;
use crate::codec::http::{Head, Method, decode};
use crate::memory;

/// Reading a body as JSON takes at most so many times its bytes: a name without a letter is three
/// in an array, and 24 in a list, which doubles as it grows.
const COPIES: usize = 32;

pub(crate) const NO_MEMORY: &str = "there is no memory for this, try again later";

/// A request that may be answered.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    /// The pieces of the path.
    pub(crate) path: Vec<Cow<'a, str>>,
    query: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    pub(crate) is_json: bool,
    pub(crate) body: &'a [u8],
}

impl<'a> Ask<'a> {
    pub(crate) fn of(head: &'a Head, body: &'a [u8]) -> Result<Self, Refusal> {
        let wrong = || Refusal::bad_request("the target is not percent-encoded UTF-8");
        let pieces = head.path[1..].split('/');
        let mut path = Vec::new();
        for piece in pieces {
            path.push(decode(piece).ok_or_else(wrong)?);
        }
        // `/` is the path without pieces.
        if path.last().is_some_and(|last| last.is_empty()) {
            path.pop();
        }
        let mut query: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::new();
        for pair in head.query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name).ok_or_else(wrong)?;
            if query.iter().any(|(known, _)| *known == name) {
                return Err(Refusal::bad_request(format!("{name} is said twice")));
            }
            query.push((name, decode(value).ok_or_else(wrong)?));
        }
        Ok(Self {
            method: head.method,
            path,
            query,
            is_json: head.is_json,
            body,
        })
    }

    /// Whether it only asks.
    pub(crate) fn is_get(&self) -> bool {
        matches!(self.method, Method::Get | Method::Head)
    }

    /// The value of a parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self.query.iter();
        let found = pairs.find(|(known, _)| *known == name);
        found.map(|(_, value)| &value[..])
    }

    /// Demands that no parameter but these is there.
    pub(crate) fn only(&self, names: &[&str]) -> Result<(), Refusal> {
        let mut pairs = self.query.iter();
        match pairs.find(|(name, _)| !names.contains(&&name[..])) {
            None => Ok(()),
            Some((name, _)) if names.is_empty() => Err(Refusal::bad_request(format!(
                "{name}: no parameter is taken"
            ))),
            Some((name, _)) => Err(Refusal::bad_request(format!(
                "{name} is no parameter; there are {}",
                names.join(", ")
            ))),
        }
    }

    /// A parameter that is a number.
    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        let Some(text) = self.parameter(name) else {
            return Ok(None);
        };
        let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = is_plain.then(|| text.parse().ok()).flatten();
        match number {
            Some(number) => Ok(Some(number)),
            None => Err(Refusal::bad_request(format!("{name} must be a number"))),
        }
    }

    /// The body as a JSON object of this shape.
    pub(crate) fn json<T: Deserialize<'a>>(&self) -> Result<T, Refusal> {
        self.read().map(|Object(wish)| wish)
    }

    /// The body as an array of such objects.
    pub(crate) fn list<T: Deserialize<'a>>(&self) -> Result<Vec<Object<T>>, Refusal> {
        self.read()
    }

    fn read<T: Deserialize<'a>>(&self) -> Result<T, Refusal> {
        if !memory::is_there(COPIES * self.body.len()) {
            return Err(Refusal::overloaded(NO_MEMORY));
        }
        serde_json::from_slice(self.body).map_err(|error| {
            Refusal::bad_request(format!("the body is not of this shape: {error}"))
        })
    }
}

/// What stands in braces: by itself serde takes the fields of a struct from an array as well, in
/// the order in which they happen to be declared.
pub(crate) struct Object<T>(pub(crate) T);

struct Braces<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_map(Braces(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Braces<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Object<T>, M::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}
