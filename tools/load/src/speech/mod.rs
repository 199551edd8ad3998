//! How a protocol is spoken: what a connection says first, what a request is, and where the
//! answers lie in what comes back.
//!
//! Pure: knows no socket and no clock. Requests are made once; the answer that is always the same
//! is recognised by comparing bytes, and whatever else comes is read by the protocol's [`Tongue`].

mod custom;
mod gate;
mod manner;
mod mqtt;
mod nats;
mod redis;

use std::ops::Range;

pub(crate) use manner::{Dialect, Manner, Wire};

/// A protocol, ready to be spoken.
pub(crate) struct Speech {
    /// One request.
    request: Vec<u8>,
    /// The same one many times over: what is sent together is one write.
    bulk: Vec<u8>,
    /// What nearly every answer is; empty where that is not known.
    usual: Vec<u8>,
    /// What a server's own ping is answered with; empty for silence.
    pong: Vec<u8>,
    tongue: Box<dyn Tongue>,
}

/// What differs between protocols beyond fixed bytes.
pub(crate) trait Tongue {
    /// Appends what connection `number` says first; returns how many answers that takes.
    fn greet(&self, number: u32, out: &mut Vec<u8>) -> u32 {
        let _ = (number, out);
        0
    }

    /// Appends what makes us a member of a topic; returns how many answers that takes, `None` where
    /// the protocol knows no topics.
    fn join(&self, topic: &str, out: &mut Vec<u8>) -> Option<u32> {
        let _ = (topic, out);
        None
    }

    /// Appends what publishes to a topic; returns as [`join`](Self::join) does.
    fn publish(&self, topic: &str, body: &[u8], out: &mut Vec<u8>) -> Option<u32> {
        let _ = (topic, body, out);
        None
    }

    /// Reads the first thing in `input`, adds it to `heard`, and returns how many bytes it takes;
    /// `None` where it is not whole yet.
    ///
    /// # Errors
    /// Where the bytes are none of this protocol's.
    fn next(&self, input: &[u8], at: usize, heard: &mut Heard) -> Result<Option<usize>, Garbled>;
}

/// The bytes are none of this protocol's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Garbled;

/// What lay in one buffer.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Bytes that were understood.
    pub(crate) consumed: usize,
    /// Answers to requests, good or bad.
    pub(crate) answers: u32,
    /// How many of them say no.
    pub(crate) refused: u32,
    /// The server asks whether we live.
    pub(crate) pings: u32,
    /// The server says that it will close.
    pub(crate) goodbyes: u32,
    /// Bodies of messages that nobody asked for: where they lie in the buffer.
    pub(crate) messages: Vec<Range<usize>>,
    /// The rest of the buffer makes no sense.
    pub(crate) is_garbled: bool,
}

impl Speech {
    fn new(request: Vec<u8>, usual: &[u8], tongue: impl Tongue + 'static) -> Self {
        let times = (BULK / request.len().max(1)).clamp(1, BULK_TIMES);
        Self {
            bulk: request.repeat(times),
            request,
            usual: usual.to_vec(),
            pong: Vec::new(),
            tongue: Box::new(tongue),
        }
    }

    fn with_pong(mut self, pong: &[u8]) -> Self {
        self.pong = pong.to_vec();
        self
    }

    /// One request.
    pub(crate) fn request(&self) -> &[u8] {
        &self.request
    }

    /// As many of `count` requests as one buffer holds, and how many that are.
    pub(crate) fn requests(&self, count: u32) -> (&[u8], u32) {
        let times = self.bulk.len() / self.request.len().max(1);
        let times = times.min(count as usize);
        let bytes = &self.bulk[..times * self.request.len()];
        (bytes, u32::try_from(times).unwrap_or(u32::MAX))
    }

    pub(crate) fn pong(&self) -> &[u8] {
        &self.pong
    }

    pub(crate) fn greet(&self, number: u32, out: &mut Vec<u8>) -> u32 {
        self.tongue.greet(number, out)
    }

    pub(crate) fn join(&self, topic: &str, out: &mut Vec<u8>) -> Option<u32> {
        self.tongue.join(topic, out)
    }

    pub(crate) fn publish(&self, topic: &str, body: &[u8], out: &mut Vec<u8>) -> Option<u32> {
        self.tongue.publish(topic, body, out)
    }

    /// Reads everything whole in `input` into `heard`, which is cleared first.
    pub(crate) fn hear(&self, input: &[u8], heard: &mut Heard) {
        heard.clear();
        let mut at = 0;
        loop {
            if !self.usual.is_empty() {
                while input[at..].starts_with(&self.usual) {
                    at += self.usual.len();
                    heard.answers += 1;
                }
            }
            if at == input.len() {
                break;
            }
            match self.tongue.next(&input[at..], at, heard) {
                Ok(Some(consumed)) => at += consumed,
                Ok(None) => break,
                Err(Garbled) => {
                    heard.is_garbled = true;
                    break;
                }
            }
        }
        heard.consumed = at;
    }
}

impl Heard {
    fn clear(&mut self) {
        self.messages.clear();
        *self = Self {
            messages: std::mem::take(&mut self.messages),
            ..Self::default()
        };
    }
}

/// Bytes and times of the request that is sent many times over.
const BULK: usize = 64 * 1_024;
const BULK_TIMES: usize = 1_024;

/// The place of the first line end in `input`.
fn line_end(input: &[u8]) -> Option<usize> {
    input.iter().position(|byte| *byte == b'\n')
}

#[cfg(test)]
mod tests;
