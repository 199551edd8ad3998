//! How much room a reply takes, told before it is written: so that memory can be asked for where
//! there may be none. Close to what it takes where it is long, else simply enough.

use super::framing::Framing;
use super::message::{Body, Seq};
use super::reply::{Delivery, Reply};

/// What stands around the parts of a reply: keys, quotes, numbers.
const AROUND: usize = 64;
/// The longest word of a code or a reason, a number in decimal, and what is between them.
const WORD: usize = 32;

impl Framing {
    /// Most bytes of a frame around a body of so many, and the body.
    pub(crate) fn room(&self, body: usize) -> usize {
        self.around() + body
    }
}

impl Reply<'_> {
    /// Most bytes of this reply as a frame of `framing`.
    pub(crate) fn room(&self, seq: Option<&Seq<'_>>, framing: &Framing) -> usize {
        let said = match self {
            Self::Pong | Self::Ping => 0,
            Self::Ok(fields) => {
                let pair = |(key, _): &(&str, u64)| key.len() + WORD;
                fields.pairs().iter().map(pair).sum()
            }
            // A control character of a byte is `\\u{1f}` in JSON.
            Self::Error(_, text) => WORD + 7 * text.len(),
            Self::Message(delivery) => message(delivery, framing),
            Self::Close(..) => 2 * WORD,
        };
        let seq = match seq {
            Some(Seq::Text(text)) => WORD + 6 * text.len(),
            Some(Seq::Number(_)) => 2 * WORD,
            None => 0,
        };
        framing.room(AROUND + said + seq)
    }
}

fn message(delivery: &Delivery<'_>, framing: &Framing) -> usize {
    let names = delivery.from.map_or(1, str::len) + delivery.topic.map_or(0, str::len);
    let body = match (delivery.body, framing) {
        (Body::Json(json), _) => json.len(),
        (Body::Text(text), Framing::Binary(_)) => text.len(),
        (Body::Text(text), Framing::LenHdr { .. }) => escaped(text.as_bytes()),
        (Body::Text(text), Framing::Line | Framing::Raw) => lines(text.as_bytes()),
        // A byte that is no UTF-8 becomes a character of three.
        (Body::Bytes(bytes), Framing::LenHdr { .. }) => 2 * strange(bytes) + escaped(bytes),
        (Body::Bytes(bytes), _) => 2 * strange(bytes) + lines(bytes),
    };
    WORD + 6 * names + body
}

/// Bytes that may be no UTF-8.
fn strange(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| !byte.is_ascii()).count()
}

/// Bytes of the inside of a JSON string.
fn escaped(text: &[u8]) -> usize {
    let more = |byte: &u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 1,
        0..b' ' => 5,
        _ => 0,
    };
    text.len() + text.iter().map(more).sum::<usize>()
}

/// Most bytes of text in one line, its breaks spelled out.
fn lines(text: &[u8]) -> usize {
    text.len() + memchr::memchr2_iter(b'\r', b'\n', text).count()
}
