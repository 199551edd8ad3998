//! What comes from the server.

use std::borrow::Cow;
use std::time::Duration;

use super::{Machine, Phase};
use crate::client::event::{Event, Lost, Nonsense, Outcome, Refusal};
use crate::client::options::Acks;
use crate::client::stamp::Stamp;
use crate::client::wire::What;
use crate::codec::framing::{Found, Framing};
use crate::codec::heard::{Grant, Heard, Letter, parse};
use crate::codec::message::{Body, Request};
use crate::codec::request::encode;
use crate::reason::CloseReason;

impl Machine {
    /// Bytes have come.
    pub fn received(&mut self, now: Duration, bytes: &[u8]) {
        if !self.has_link() || bytes.is_empty() {
            return;
        }
        self.wire.heard(now);
        self.heart.heard();
        let mut kept = std::mem::take(&mut self.wire.input);
        // What came is read where it lies; only the beginning of a frame is copied.
        let (scanned, taken) = if kept.is_empty() {
            (0, self.read(now, bytes, 0))
        } else {
            let scanned = kept.len();
            kept.extend_from_slice(bytes);
            (scanned, self.read(now, &kept, scanned))
        };
        if !self.has_link() {
            return;
        }
        if scanned == 0 {
            kept.extend_from_slice(&bytes[taken..]);
        } else {
            kept.drain(..taken);
        }
        self.wire.input = kept;
    }

    /// Reads every whole frame; returns how many bytes they took.
    fn read(&mut self, now: Duration, input: &[u8], mut scanned: usize) -> usize {
        let framing = ear(self.options.framing);
        let mut taken = 0;
        while self.has_link() {
            let rest = &input[taken..];
            let (body, consumed) = match framing.find(rest, scanned, self.options.heard_max) {
                Ok(Found::More) => {
                    if !self.wire.is_known
                        && !matches!(framing, Framing::Binary(_))
                        && let Some(known) = other_protocol(rest)
                    {
                        self.lose(now, Lost::Nonsense(known), None);
                    }
                    break;
                }
                Ok(Found::Frame { body, consumed }) => (body, consumed),
                Ok(Found::Beat { consumed }) => (0..0, consumed),
                Err(error) => {
                    let begins = begins(rest);
                    let other = Nonsense::Frame { error, begins };
                    self.nonsense(now, rest, other);
                    break;
                }
            };
            let body = &rest[body];
            scanned = 0;
            taken += consumed;
            // An empty line is a heartbeat.
            if !(body.is_empty() && matches!(framing, Framing::Line | Framing::LenHdr { .. })) {
                match parse(body, &framing) {
                    Ok(heard) => self.hear(now, heard, body),
                    Err(_) => self.nonsense(now, body, Nonsense::Message(begins(body))),
                }
            }
        }
        taken
    }

    /// What no gate says.
    fn nonsense(&mut self, now: Duration, bytes: &[u8], other: Nonsense) {
        let known = other_protocol(bytes).filter(|_| !self.wire.is_known);
        self.lose(now, Lost::Nonsense(known.unwrap_or(other)), None);
    }

    /// What a server that said something, but no message, and then no more, may be.
    pub(super) fn judge_rest(&self) -> Option<Lost> {
        let rest = &self.wire.input;
        if rest.is_empty() {
            return None;
        }
        let other = || Nonsense::Message(begins(rest));
        Some(Lost::Nonsense(other_protocol(rest).unwrap_or_else(other)))
    }

    fn hear(&mut self, now: Duration, heard: Heard<'_>, frame: &[u8]) {
        self.wire.is_known = true;
        match heard {
            Heard::Ping => self.say(now, &Request::Pong),
            Heard::Pong => self.hear_answer(now, true, Ok(Grant::default()), frame),
            Heard::Ok(grant) => self.hear_answer(now, false, Ok(grant), frame),
            Heard::Error { code, text } => {
                let (code, text) = (boxed(code), boxed(text));
                self.hear_answer(now, false, Err(Refusal { code, text }), frame);
            }
            Heard::Message(letter) => self.hear_letter(now, letter),
            Heard::Close {
                reason,
                reconnect_ms,
            } => {
                // The contract has 32 bits for it; who says more means as long as that.
                let named = reconnect_ms.min(u32::MAX.into());
                let named = (named > 0).then(|| Duration::from_millis(named));
                let lost = CloseReason::of(&reason)
                    .map_or_else(|| Lost::ClosedFor(boxed(reason)), Lost::Closed);
                self.lose(now, lost, named);
            }
        }
    }

    /// An answer to the first thing that waits for one of its kind.
    fn hear_answer(
        &mut self,
        now: Duration,
        by_pong: bool,
        result: Result<Grant, Refusal>,
        frame: &[u8],
    ) {
        let Some(asked) = self.wire.answered(by_pong, self.login.is_some()) else {
            let unasked = Nonsense::Unasked(begins(frame));
            return self.lose(now, Lost::Nonsense(unasked), None);
        };
        match (asked.what, result) {
            (What::Greeting, Ok(grant)) => self.greeted(now, &grant),
            (What::Greeting, Err(refusal)) => self.lose(now, Lost::LoginRefused(refusal), None),
            (What::Beat, _) => {
                // One that left after it has not been answered: it is the one to settle.
                if !self.wire.awaits(&What::Beat) {
                    self.heart.answered(now);
                    self.seen.settle();
                    self.relax();
                }
            }
            (What::Join(topic), Err(refusal)) => {
                // One that was asked for again since is still wanted.
                let join = What::Join(topic);
                let is_wanted = self.wire.awaits(&join);
                let What::Join(topic) = join else { return };
                if !is_wanted {
                    self.topics.retain(|joined| joined.name != topic);
                }
                match asked.request {
                    Some(_) => self.answer(asked.request, Outcome::Refused(refusal)),
                    None if is_wanted => {}
                    None => self.events.push_back(Event::NotRejoined { topic, refusal }),
                }
            }
            (_, Ok(grant)) => self.answer(asked.request, Outcome::Done(grant)),
            (_, Err(refusal)) => self.answer(asked.request, Outcome::Refused(refusal)),
        }
    }

    /// The server knows us: joins its topics again, and says what has waited for it.
    fn greeted(&mut self, now: Duration, grant: &Grant) {
        let Phase::Greeting { .. } = self.phase else {
            return;
        };
        let since = Stamp::of(now);
        self.phase = Phase::Online { since };
        self.heart.begin(&self.options, grant.get("heartbeat"));
        self.events.push_back(Event::Connected);
        for at in 0..self.topics.len() {
            let (request, name) = (self.topics[at].asked_by.take(), &self.topics[at].name);
            let (what, topic) = (What::Join(name.clone()), name.to_string().into());
            // It was said before.
            let _ = self.ask(now, request, what, &Request::Join { topic });
        }
        for queued in std::mem::take(&mut self.queue) {
            let fill = |out: &mut Vec<u8>| {
                out.extend_from_slice(&queued.frame);
                Ok::<(), ()>(())
            };
            let _ = self.wire.ask(now, Some(queued.request), queued.what, fill);
        }
    }

    fn hear_letter(&mut self, now: Duration, letter: Letter<'_>) {
        if self.seen.is_new(letter.id, letter.ack) {
            self.events.push_back(Event::Message(owned(letter)));
            if self.options.acks == Acks::Application {
                self.seen.bound_owed();
            }
        } else if letter.ack && !self.seen.is_owed(letter.id) {
            // The ack was said and did not arrive.
            self.say_ack(now, letter.id);
        }
    }

    /// Says something that is not answered and fits every frame.
    pub(super) fn say(&mut self, now: Duration, words: &Request<'_>) {
        let options = &self.options;
        let fill = |out: &mut Vec<u8>| encode(words, &options.framing, options.frame_max, out);
        let _ = self.wire.say(now, fill);
    }
}

/// The framing of what the server says: it writes a header and strips nothing.
fn ear(framing: Framing) -> Framing {
    match framing {
        Framing::Binary(mut layout) => {
            layout.strip = None;
            Framing::Binary(layout)
        }
        Framing::LenHdr { .. } => Framing::LenHdr { bare_ping: false },
        other => other,
    }
}

/// Which other protocol a server speaks that begins like this.
fn other_protocol(bytes: &[u8]) -> Option<Nonsense> {
    match bytes {
        // An alert, or the handshake.
        [0x15 | 0x16, 3, ..] => Some(Nonsense::Tls),
        [b'H', b'T', b'T', b'P', ..] => Some(Nonsense::Http),
        [b'S', b'S', b'H', b'-', ..] => Some(Nonsense::Ssh),
        _ => None,
    }
}

/// How bytes begin, printable.
fn begins(bytes: &[u8]) -> Box<str> {
    let (shown, more) = match bytes.get(..BEGINS) {
        Some(begin) if bytes.len() > BEGINS => (begin, "…"),
        _ => (bytes, ""),
    };
    format!("\"{}\"{more}", shown.escape_ascii()).into()
}

fn boxed(text: Cow<'_, str>) -> Box<str> {
    text.into_owned().into()
}

fn owned(letter: Letter<'_>) -> Letter<'static> {
    let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
    Letter {
        id: letter.id,
        from: letter.from.map(owned),
        topic: letter.topic.map(owned),
        body: match letter.body {
            Body::Text(text) => Body::Text(owned(text)),
            Body::Json(json) => Body::Json(owned(json)),
            Body::Bytes(bytes) => Body::Bytes(Cow::Owned(bytes.into_owned())),
        },
        ack: letter.ack,
    }
}

/// Bytes of nonsense that are shown.
const BEGINS: usize = 40;
