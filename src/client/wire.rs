//! One connection: the bytes that wait in both directions, what was asked over it, and when
//! something passed. No sockets, no clock.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use super::event::RequestId;
use super::stamp::Stamp;

/// A connection's buffers and times.
#[derive(Default)]
pub(super) struct Wire {
    /// The beginning of a frame.
    pub(super) input: Vec<u8>,
    /// What waits to be sent; the first `gone` bytes of it have left.
    output: Vec<u8>,
    gone: usize,
    /// Bytes of this connection before `output`.
    before: u64,
    /// What was asked and is not answered, in order.
    pub(super) asked: VecDeque<Asked>,
    /// When the last byte left, and when the last one came.
    sent: Stamp,
    heard: Stamp,
    /// Since when the server has owed an answer without saying anything.
    owing: Option<Stamp>,
    /// Since when bytes have waited without one being taken.
    stuck: Option<Stamp>,
    /// Whether anything of the protocol has come.
    pub(super) is_known: bool,
}

/// What waits to be sent may be a login.
impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Wire");
        shown.field("input", &self.input.len());
        shown.field("output", &self.output().len());
        shown.field("asked", &self.asked).finish_non_exhaustive()
    }
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) struct Asked {
    /// Its number, where the application asked.
    pub(super) request: Option<RequestId>,
    pub(super) what: What,
    /// Where its frame begins in what this connection sends, and its length.
    begin: u64,
    length: u32,
}

/// What was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum What {
    /// The login, or the first ping where nobody logs in.
    Greeting,
    /// A ping of our own.
    Beat,
    /// A ping of the application.
    Ping,
    Join(Box<str>),
    Leave(Box<str>),
    Other,
}

/// A request that is not answered any more.
pub(super) struct Orphan {
    pub(super) request: Option<RequestId>,
    pub(super) what: What,
    /// Its frame, where not one byte of it was sent.
    pub(super) unsent: Option<Box<[u8]>>,
}

impl Wire {
    /// A new connection.
    pub(super) fn begin(&mut self, now: Duration) {
        *self = Self {
            sent: Stamp::of(now),
            heard: Stamp::of(now),
            ..Self::default()
        };
    }

    /// The connection is gone: what was asked and not answered.
    pub(super) fn end(&mut self) -> Vec<Orphan> {
        let wire = std::mem::take(self);
        let left = wire.before + wire.gone as u64;
        let orphan = |asked: Asked| {
            let unsent = (asked.begin >= left).then(|| {
                let begin = usize::try_from(asked.begin - wire.before).unwrap_or(usize::MAX);
                wire.output[begin..][..asked.length as usize].into()
            });
            Orphan {
                request: asked.request,
                what: asked.what,
                unsent,
            }
        };
        wire.asked.into_iter().map(orphan).collect()
    }

    /// What waits to be sent.
    pub(super) fn output(&self) -> &[u8] {
        &self.output[self.gone..]
    }

    /// Appends a frame that `fill` writes.
    pub(super) fn say<E>(
        &mut self,
        now: Duration,
        fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        fill(&mut self.output)?;
        self.stuck.get_or_insert_with(|| Stamp::of(now));
        Ok(())
    }

    /// Appends a frame that will be answered.
    pub(super) fn ask<E>(
        &mut self,
        now: Duration,
        request: Option<RequestId>,
        what: What,
        fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let begin = self.output.len();
        self.say(now, fill)?;
        self.asked.push_back(Asked {
            request,
            what,
            begin: self.before + begin as u64,
            length: u32::try_from(self.output.len() - begin).unwrap_or(u32::MAX),
        });
        self.owing.get_or_insert_with(|| Stamp::of(now));
        Ok(())
    }

    /// The socket took so many bytes.
    pub(super) fn wrote(&mut self, now: Duration, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.sent = Stamp::of(now);
        self.gone += bytes;
        self.stuck = Some(self.sent);
        if self.gone == self.output.len() {
            self.before += self.gone as u64;
            self.gone = 0;
            self.output.clear();
            self.stuck = None;
        } else if self.gone >= COMPACT {
            self.output.drain(..self.gone);
            self.before += self.gone as u64;
            self.gone = 0;
        }
    }

    /// When the last byte left, and when the last one came.
    pub(super) fn last(&self) -> (Duration, Duration) {
        (self.sent.time(), self.heard.time())
    }

    /// Bytes have come.
    pub(super) fn heard(&mut self, now: Duration) {
        self.heard = Stamp::of(now);
        if self.owing.is_some() {
            self.owing = Some(self.heard);
        }
    }

    /// Reading begins again after a pause of ours: the server has not been silent meanwhile.
    pub(super) fn listen(&mut self, now: Duration) {
        if self.owing.is_some() {
            self.owing = Some(Stamp::of(now));
        }
    }

    /// Takes the first thing asked that a pong (or anything else) answers.
    pub(super) fn answered(&mut self, by_pong: bool, is_login: bool) -> Option<Asked> {
        let is_meant = |asked: &Asked| match asked.what {
            What::Greeting => by_pong != is_login,
            What::Beat | What::Ping => by_pong,
            _ => !by_pong,
        };
        let at = self.asked.iter().position(is_meant)?;
        let asked = self.asked.remove(at);
        if self.asked.is_empty() {
            self.owing = None;
        }
        asked
    }

    /// Whether something of this kind is asked and not answered.
    pub(super) fn awaits(&self, what: &What) -> bool {
        self.asked.iter().any(|asked| asked.what == *what)
    }

    /// Since when the server has owed an answer without saying anything.
    pub(super) fn owing(&self) -> Option<Stamp> {
        self.owing
    }

    /// Since when bytes have waited without one being taken.
    pub(super) fn stuck(&self) -> Option<Stamp> {
        self.stuck
    }

    /// Gives memory back that is not needed.
    pub(super) fn relax(&mut self) {
        self.input.shrink_to_fit();
        self.asked.shrink_to_fit();
        if self.output.is_empty() {
            self.output = Vec::new();
        }
    }
}

/// Bytes that have left before the rest moves to the front.
const COMPACT: usize = 64 * 1_024;
