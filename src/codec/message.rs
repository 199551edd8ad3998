//! What a client says in dialect `gate`: one parser for each encoding.

use std::borrow::Cow;

use super::framing::FrameError;

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
        token: Cow<'a, str>,
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
}

/// Reads a line. An empty line is not a request: the caller has taken it for a heartbeat.
pub fn parse_line(line: &str) -> Result<Request<'_>, BadRequest> {
    let _ = line;
    Err(BadRequest::Unknown)
}

/// Reads a binary frame's body.
pub fn parse_binary(body: &[u8]) -> Result<Request<'_>, BadRequest> {
    let _ = body;
    Err(BadRequest::Unknown)
}

/// Reads a JSON body.
///
/// # Errors
/// [`FrameError::Json`] where it is not JSON at all: the connection ends.
pub fn parse_json(body: &[u8]) -> Result<Parsed<'_>, FrameError> {
    let _ = body;
    Err(FrameError::Json)
}

/// Judges whether `body` is JSON, without looking at what it says.
///
/// # Errors
/// [`FrameError::Json`] where it is not.
pub fn check_json(body: &[u8]) -> Result<(), FrameError> {
    let _ = body;
    Ok(())
}
