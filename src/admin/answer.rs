//! What is answered: whole, or made piece by piece; or why not.

use std::borrow::Cow;

use serde::Serialize;

use super::work::Work;
use crate::gate::Ticket;

/// An answer to a request.
#[derive(Debug)]
pub(crate) enum Answer {
    Whole(Whole),
    /// Made in slices, as the socket takes them.
    Work(Box<dyn Work>),
    /// What comes of a change of configuration, once it is known.
    Verdict(Ticket),
}

/// An answer that is all there.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) status: u16,
    pub(crate) kind: &'static str,
    pub(crate) body: Vec<u8>,
    /// The methods there are, for who tried another one.
    pub(crate) allow: &'static str,
    /// What a browser lets a page do; nothing where there is no page.
    pub(crate) policy: &'static str,
}

/// Why a request was not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) text: Cow<'static, str>,
    pub(crate) allow: &'static str,
}

pub(crate) const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

impl Answer {
    /// A value as JSON.
    pub(crate) fn json(value: &impl Serialize) -> Self {
        Self::Whole(Whole::json(value))
    }

    /// A text.
    pub(crate) fn text(status: u16, text: &str) -> Self {
        Self::of(status, TEXT, format!("{text}\n").into_bytes())
    }

    pub(crate) fn of(status: u16, kind: &'static str, body: Vec<u8>) -> Self {
        Self::Whole(Whole {
            status,
            kind,
            body,
            allow: "",
            policy: "",
        })
    }
}

impl Whole {
    /// A value as JSON.
    pub(crate) fn json(value: &impl Serialize) -> Self {
        let mut body = to_json(value);
        body.push(b'\n');
        Self {
            status: 200,
            kind: JSON,
            body,
            allow: "",
            policy: "",
        }
    }
}

/// A value as JSON bytes.
pub(crate) fn to_json(value: &impl Serialize) -> Vec<u8> {
    // Nothing we tell has keys that are no strings, which is all that can go wrong.
    serde_json::to_vec(value).unwrap_or_default()
}

#[derive(Serialize)]
struct Told<'a> {
    error: &'a str,
    text: &'a str,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code,
            text: text.into(),
            allow: "",
        }
    }

    pub(crate) fn bad_request(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "bad-request", text)
    }

    pub(crate) fn forbidden(text: &'static str) -> Self {
        Self::new(403, "forbidden", text)
    }

    pub(crate) fn not_found(text: &'static str) -> Self {
        Self::new(404, "not-found", text)
    }

    pub(crate) fn too_large(text: &'static str) -> Self {
        Self::new(413, "too-large", text)
    }

    pub(crate) fn overloaded(text: &'static str) -> Self {
        Self::new(503, "overloaded", text)
    }

    /// As an answer.
    pub(crate) fn tell(&self) -> Whole {
        let mut body = to_json(&Told {
            error: self.code,
            text: &self.text,
        });
        body.push(b'\n');
        Whole {
            status: self.status,
            kind: JSON,
            body,
            allow: self.allow,
            policy: "",
        }
    }
}
