//! What a client says in dialect `gate`: one parser for each encoding.
//!
//! A request borrows from its frame wherever the frame holds the text as it is; only JSON strings
//! with escapes are copied.

use std::borrow::Cow;

pub use super::binary::parse as parse_binary;
pub use super::json::{body as json_body, check as check_json, parse as parse_json};
pub use super::json_reply::to_json;
pub use super::line::parse as parse_line;
use super::name::{NameError, check_topic, check_user};
use crate::secret::Secret;

/// A request, borrowed from the frame it came in.
#[derive(Clone, PartialEq, Debug)]
pub enum Request<'a> {
    /// A heartbeat that wants a `pong`.
    Ping,
    /// The answer to a server's ping.
    Pong,
    /// This connection belongs to `user`.
    Login {
        /// The user's name; valid.
        user: Cow<'a, str>,
        /// The token; empty where none was given.
        token: Secret<Cow<'a, str>>,
    },
    /// A message to a user.
    Send {
        /// The user's name; valid.
        to: Cow<'a, str>,
        /// What is said.
        body: Body<'a>,
        /// Whether the receiver must acknowledge it.
        ack: bool,
    },
    /// Become a member of a topic.
    Join {
        /// The topic's name; valid.
        topic: Cow<'a, str>,
    },
    /// Stop being a member of a topic.
    Leave {
        /// The topic's name; valid.
        topic: Cow<'a, str>,
    },
    /// A message to the members of a topic.
    Publish {
        /// The topic's name; valid.
        topic: Cow<'a, str>,
        /// What is said.
        body: Body<'a>,
    },
    /// Something for the backend.
    Data {
        /// What is said; any bytes from a binary client.
        body: Body<'a>,
    },
    /// A message has arrived.
    Ack {
        /// Its id.
        id: u64,
    },
    /// Goodbye.
    Quit,
}

/// What a message says.
#[derive(Clone, PartialEq, Debug)]
pub enum Body<'a> {
    /// Text; a JSON string is the same.
    Text(Cow<'a, str>),
    /// Any other JSON value, as it was written.
    Json(Cow<'a, str>),
    /// Bytes that are not UTF-8 (`data` on binary only).
    Bytes(Cow<'a, [u8]>),
}

/// What a JSON client put into `seq`; repeated in the answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seq<'a> {
    /// A string of at most 64 bytes.
    Text(Cow<'a, str>),
    /// An integer within ±2^53.
    Number(i64),
}

impl Seq<'_> {
    /// A copy that outlives its frame.
    pub(crate) fn kept(&self) -> Seq<'static> {
        match self {
            Seq::Text(text) => Seq::Text(Cow::Owned(text.clone().into_owned())),
            Seq::Number(number) => Seq::Number(*number),
        }
    }
}

/// A frame, read.
#[derive(Clone, PartialEq, Debug)]
pub struct Parsed<'a> {
    /// What it asks for.
    pub request: Result<Request<'a>, BadRequest>,
    /// What the answer must repeat.
    pub seq: Option<Seq<'a>>,
}

/// Why a frame is no request; answered with `bad-request` and this text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadRequest {
    /// No such message.
    #[error("unknown message")]
    Unknown,
    /// A frame without a byte in it.
    #[error("an empty frame is no message")]
    Empty,
    /// A line that is not of the message's form; holds the form.
    #[error("expected: {0}")]
    Form(&'static str),
    /// No user can have this name.
    #[error("user: {0}")]
    User(NameError),
    /// No topic can have this name.
    #[error("topic: {0}")]
    Topic(NameError),
    /// An id that is no number, or too large a one.
    #[error("an id is decimal digits, at most 18446744073709551615")]
    Id,
    /// A binary field that ends after the frame.
    #[error("a field is longer than the frame")]
    Truncated,
    /// Bytes after a binary message's last field.
    #[error("bytes are left over after the last field")]
    Leftover,
    /// Text that is not UTF-8.
    #[error("text must be UTF-8")]
    Utf8,
    /// JSON, but no object.
    #[error("a message is a JSON object")]
    NotObject,
    /// The same key twice in a JSON message.
    #[error("a key stands twice in the message")]
    DuplicateKey,
    /// Half a surrogate pair in a JSON string.
    #[error("a string holds half a surrogate pair")]
    Surrogate,
    /// A JSON field that must be there is not.
    #[error("the field `{0}` is missing")]
    Missing(&'static str),
    /// A JSON field that must be a string is not.
    #[error("the field `{0}` must be a string")]
    NotText(&'static str),
    /// A JSON field that must be true or false is not.
    #[error("the field `{0}` must be true or false")]
    NotBool(&'static str),
    /// A `seq` that can not be repeated.
    #[error("the field `seq` must be a string of at most 64 bytes or an integer within ±2^53")]
    Seq,
}

/// A name that a user can have.
pub(super) fn user(name: Cow<'_, str>) -> Result<Cow<'_, str>, BadRequest> {
    check_user(&name).map_err(BadRequest::User)?;
    Ok(name)
}

/// A name that a topic can have.
pub(super) fn topic(name: Cow<'_, str>) -> Result<Cow<'_, str>, BadRequest> {
    check_topic(&name).map_err(BadRequest::Topic)?;
    Ok(name)
}
