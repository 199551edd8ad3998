//! One connection to the admin interface: its requests in, its answers out. Knows no socket.
//!
//! Requests are answered one after the other, in order. While an answer is made or waits for the
//! socket, what follows is read no further than one head. Input and output are bounded by
//! [`AdminLimits`](super::AdminLimits).

mod patience;
#[cfg(test)]
mod tests;

use std::mem;

use super::answer::{Answer, Refusal, Whole};
use super::ask::Ask;
use super::configure;
use super::desk::Facts;
use super::routes;
use super::work::{Left, Work};
use crate::codec::http::{self, Found, Head, HeadError, Length, Method};
use crate::gate::conn::NONE;
use crate::gate::{Gate, Ticket};
use crate::time::Tick;

/// A connection.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Told apart from an earlier connection in the same slot.
    pub(crate) serial: u32,
    /// Its timer, or `NONE`.
    pub(crate) timer: u32,
    pub(crate) is_readable: bool,
    pub(crate) is_writable: bool,
    /// The peer may have closed: a short read does not mean drained.
    pub(crate) may_be_closed: bool,
    /// The peer has closed its side.
    pub(crate) is_ended: bool,
    pub(crate) is_queued: bool,
    stage: Stage,
    input: Vec<u8>,
    /// So many bytes of the input hold no end of a head.
    scanned: usize,
    out: Vec<u8>,
    sent: usize,
    /// Since when the stage is what it is (live clock).
    since: Tick,
    /// When the socket last took something (live clock).
    took: Tick,
    /// Since when output waits without a break; now where none does (live clock).
    behind: Tick,
    /// Whether a request was answered before.
    is_known: bool,
    /// Whether it has shown the token, or need not.
    is_trusted: bool,
    /// Bytes thrown away after the last answer.
    lingered: usize,
    /// The reader of events behind the stream it is given.
    reader: Option<u32>,
    /// The status of an answer that was not counted yet.
    pub(crate) answered: Option<u16>,
}

/// What a connection is about.
#[derive(Debug)]
enum Stage {
    /// The next head is awaited.
    Head,
    /// Its body is.
    Body(Box<Head>),
    /// The answer is being made.
    Work(Box<Making>),
    /// Somebody else finds out what the answer is.
    Verdict(Waiting),
    /// The last answer is on its way, and then nothing follows.
    Closing,
    /// All is written: the peer is given time to read it.
    Lingering,
    /// The socket can be closed.
    Gone,
}

/// A change of configuration whose outcome is awaited.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    ticket: Ticket,
    keeps: bool,
    is_head_only: bool,
}

/// An answer in the making.
#[derive(Debug)]
struct Making {
    work: Box<dyn Work>,
    length: Length,
    keeps: bool,
    has_begun: bool,
    /// Made and not yet sent.
    piece: Vec<u8>,
}

/// What is left after a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Next {
    /// There may be more to do at once.
    Again,
    /// Something must happen first.
    Rest,
}

impl Peer {
    pub(crate) fn new(serial: u32, now: Tick) -> Self {
        Self {
            serial,
            timer: NONE,
            is_readable: false,
            is_writable: true,
            may_be_closed: false,
            is_ended: false,
            is_queued: false,
            stage: Stage::Head,
            input: Vec::new(),
            scanned: 0,
            out: Vec::new(),
            sent: 0,
            since: now,
            took: now,
            behind: now,
            is_known: false,
            is_trusted: false,
            lingered: 0,
            reader: None,
            answered: None,
        }
    }

    /// How many bytes may be read now.
    pub(crate) fn appetite(&self, facts: &Facts) -> usize {
        if self.is_ended {
            return 0;
        }
        let most = match &self.stage {
            Stage::Head if self.waiting() < facts.limits.slice_bytes => facts.limits.head_bytes,
            Stage::Body(head) => head.body,
            // Whether the reader is still there.
            Stage::Head | Stage::Work(_) | Stage::Verdict(_) => facts.limits.head_bytes,
            Stage::Lingering => return facts.limits.head_bytes,
            Stage::Closing | Stage::Gone => 0,
        };
        most.saturating_sub(self.input.len())
    }

    /// Takes what was read.
    pub(crate) fn take(&mut self, bytes: &[u8], now: Tick, linger_max: usize) {
        if matches!(self.stage, Stage::Lingering) {
            self.lingered += bytes.len();
            if self.lingered > linger_max {
                self.leave();
            }
            return;
        }
        if self.input.is_empty() && matches!(self.stage, Stage::Head) {
            self.since = now;
        }
        self.input.extend_from_slice(bytes);
    }

    /// The peer has closed its side.
    pub(crate) fn end(&mut self) {
        self.is_ended = true;
        match &self.stage {
            // Nobody can tell who reads on from who is gone.
            Stage::Work(_) if self.reader.is_some() => self.leave(),
            Stage::Lingering | Stage::Body(_) => self.leave(),
            Stage::Head | Stage::Work(_) | Stage::Verdict(_) => {}
            Stage::Closing | Stage::Gone => {}
        }
    }

    /// Whether it waits for what comes of a change of configuration.
    pub(crate) fn awaits_verdict(&self) -> bool {
        matches!(self.stage, Stage::Verdict(_))
    }

    /// The connection is over.
    pub(crate) fn leave(&mut self) {
        self.stage = Stage::Gone;
    }

    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.stage, Stage::Gone)
    }

    /// The reader of events behind its stream.
    pub(crate) fn reader(&self) -> Option<u32> {
        self.reader
    }

    /// The reader of a stream that is over, to be forgotten.
    pub(crate) fn take_idle_reader(&mut self) -> Option<u32> {
        if matches!(self.stage, Stage::Work(_)) {
            return None;
        }
        self.reader.take()
    }

    /// When the stream it is given ends by itself (real clock).
    pub(crate) fn ends(&self) -> Option<Tick> {
        match &self.stage {
            Stage::Work(making) => making.work.ends(),
            _ => None,
        }
    }

    /// Bytes of a body that it has been promised room for.
    pub(crate) fn body(&self) -> usize {
        match &self.stage {
            Stage::Body(head) => head.body,
            _ => 0,
        }
    }

    /// Bytes of memory that it holds.
    pub(crate) fn held(&self) -> usize {
        let made = match &self.stage {
            Stage::Work(making) => making.piece.capacity() + making.work.held(),
            _ => 0,
        };
        self.input.capacity() + self.out.capacity() + made
    }

    /// Whether there is something to go on with, once there is room for more output.
    pub(crate) fn may_go_on(&self) -> bool {
        match &self.stage {
            Stage::Head | Stage::Body(_) => !self.input.is_empty() || self.is_ended,
            Stage::Work(_) | Stage::Verdict(_) => true,
            Stage::Closing | Stage::Lingering | Stage::Gone => false,
        }
    }

    /// Bytes that wait to be written.
    pub(crate) fn waiting(&self) -> usize {
        self.out.len() - self.sent
    }

    pub(crate) fn output(&self) -> &[u8] {
        &self.out[self.sent..]
    }

    /// The socket took so many bytes.
    pub(crate) fn wrote(&mut self, count: usize, now: Tick) {
        self.took = now;
        self.sent += count;
        // A stream to a slow reader may never be written to its end: what has left goes once it is
        // more than what waits, so that no more is moved than has left.
        if self.sent >= self.waiting() {
            self.out.drain(..self.sent);
            self.sent = 0;
        }
        if self.out.is_empty() {
            self.out.shrink_to(16 * 1_024);
        }
    }

    /// Whether all that will be said was written, and the loop must tell the peer so.
    pub(crate) fn is_finished(&self) -> bool {
        self.waiting() == 0 && matches!(self.stage, Stage::Closing)
    }

    /// The peer was told that nothing follows.
    pub(crate) fn linger(&mut self, now: Tick) {
        self.since = now;
        self.input = Vec::new();
        self.stage = if self.is_ended {
            Stage::Gone
        } else {
            Stage::Lingering
        };
    }

    /// Goes on with what there is: at most one request, or one slice of an answer.
    pub(crate) fn step(&mut self, gate: &mut Gate, facts: &Facts, budget: &mut u32) -> Next {
        if self.waiting() == 0 {
            self.took = gate.clock.live();
            self.behind = self.took;
        }
        match mem::replace(&mut self.stage, Stage::Head) {
            Stage::Head => self.read_head(gate, facts),
            Stage::Body(head) => self.read_body(head, gate, facts),
            Stage::Work(making) => self.make(making, gate, facts, budget),
            Stage::Verdict(waiting) => self.hear(waiting, gate),
            other => {
                self.stage = other;
                Next::Rest
            }
        }
    }

    fn read_head(&mut self, gate: &mut Gate, facts: &Facts) -> Next {
        if self.waiting() >= facts.limits.slice_bytes {
            return Next::Rest;
        }
        let (most, fields) = (facts.limits.head_bytes, facts.limits.headers);
        match http::find(&self.input, self.scanned, most, fields) {
            Ok(Found::More(scanned)) => {
                self.scanned = scanned;
                if self.is_ended {
                    self.stage = Stage::Closing;
                }
                Next::Rest
            }
            Ok(Found::Head(consumed, head)) => {
                self.input.drain(..consumed);
                self.scanned = 0;
                self.since = gate.clock.live();
                self.judge(head, gate, facts);
                Next::Again
            }
            Err(error) => {
                let refusal = match error {
                    HeadError::TooLarge => Refusal::new(413, "too-large", error.to_string()),
                    _ => Refusal::bad_request(error.to_string()),
                };
                self.refuse(&refusal, false, false);
                Next::Again
            }
        }
    }

    /// A head is there: refuses it, waits for its body, or answers.
    fn judge(&mut self, head: Box<Head>, gate: &mut Gate, facts: &Facts) {
        let is_head_only = head.method == Method::Head;
        self.is_trusted |= facts.access.admits(head.token.as_ref());
        if let Err(refusal) = facts.permit(&head) {
            // A body that was refused is not read: what follows it can not be found.
            let keeps = head.keeps && head.body == 0;
            return self.refuse(&refusal, keeps, is_head_only);
        }
        if head.body == 0 {
            return self.answer(&head, &[], gate, facts);
        }
        if head.expects && self.input.is_empty() {
            self.out.extend_from_slice(http::CONTINUE);
        }
        self.stage = Stage::Body(head);
    }

    fn read_body(&mut self, head: Box<Head>, gate: &mut Gate, facts: &Facts) -> Next {
        if self.input.len() < head.body {
            self.stage = Stage::Body(head);
            return Next::Rest;
        }
        let rest = self.input.split_off(head.body);
        let body = mem::replace(&mut self.input, rest);
        self.answer(&head, &body, gate, facts);
        Next::Again
    }

    fn answer(&mut self, head: &Head, body: &[u8], gate: &mut Gate, facts: &Facts) {
        let answer = Ask::of(head, body).and_then(|ask| routes::answer(&ask, gate, facts));
        let is_head_only = head.method == Method::Head;
        match answer {
            Ok(Answer::Whole(whole)) => self.say(&whole, head.keeps, is_head_only),
            Ok(Answer::Work(work)) => self.begin(work, head),
            Ok(Answer::Verdict(ticket)) => {
                self.stage = Stage::Verdict(Waiting {
                    ticket,
                    keeps: head.keeps,
                    is_head_only,
                });
            }
            Err(refusal) => self.refuse(&refusal, head.keeps, is_head_only),
        }
    }

    /// Answers with what came of a change of configuration, where that is known.
    fn hear(&mut self, waiting: Waiting, gate: &mut Gate) -> Next {
        let Some(verdict) = gate.verdict(waiting.ticket) else {
            self.stage = Stage::Verdict(waiting);
            return Next::Rest;
        };
        let whole = configure::tell(&verdict);
        self.say(&whole, waiting.keeps, waiting.is_head_only);
        Next::Again
    }

    /// Begins an answer that is made in slices.
    fn begin(&mut self, work: Box<dyn Work>, head: &Head) {
        self.answered = Some(200);
        self.reader = work.reader();
        let (length, keeps) = if head.takes_chunks {
            (Length::Chunks, head.keeps)
        } else {
            (Length::Close, false)
        };
        if head.method == Method::Head {
            http::answer(&mut self.out, 200, work.kind(), length, keeps, &[]);
            return self.finish(keeps);
        }
        self.stage = Stage::Work(Box::new(Making {
            work,
            length,
            keeps,
            has_begun: false,
            piece: Vec::new(),
        }));
    }

    fn refuse(&mut self, refusal: &Refusal, keeps: bool, is_head_only: bool) {
        self.say(&refusal.tell(), keeps, is_head_only);
    }

    fn say(&mut self, whole: &Whole, keeps: bool, is_head_only: bool) {
        self.answered = Some(whole.status);
        let mut more = Vec::new();
        if !whole.allow.is_empty() {
            more.push(("allow", whole.allow));
        }
        if !whole.policy.is_empty() {
            more.push(("content-security-policy", whole.policy));
            more.push(("referrer-policy", "no-referrer"));
        }
        if whole.status == 401 {
            more.push(("www-authenticate", "Bearer"));
        }
        let length = Length::Known(whole.body.len());
        let (out, status) = (&mut self.out, whole.status);
        http::answer(out, status, whole.kind, length, keeps, &more);
        if !is_head_only {
            self.out.extend_from_slice(&whole.body);
        }
        self.finish(keeps);
    }

    /// An answer is whole.
    fn finish(&mut self, keeps: bool) {
        self.is_known = true;
        self.stage = if keeps { Stage::Head } else { Stage::Closing };
    }

    fn make(
        &mut self,
        mut making: Box<Making>,
        gate: &mut Gate,
        facts: &Facts,
        budget: &mut u32,
    ) -> Next {
        let room = facts.limits.slice_bytes;
        let is_stream = making.work.reader().is_some();
        if self.waiting() >= room || *budget == 0 {
            self.stage = Stage::Work(making);
            return if *budget == 0 {
                Next::Again
            } else {
                Next::Rest
            };
        }
        let left = making
            .work
            .go_on(gate, facts, budget, room, &mut making.piece);
        let is_done = left == Left::Nothing;
        if is_done && !making.has_begun {
            making.length = Length::Known(making.piece.len());
        }
        if is_done || is_stream || making.piece.len() >= room {
            self.send_piece(&mut making);
        }
        if is_done {
            if making.length == Length::Chunks {
                self.out.extend_from_slice(http::LAST_CHUNK);
            }
            self.since = gate.clock.live();
            self.finish(making.keeps);
            return Next::Again;
        }
        self.stage = Stage::Work(making);
        match left {
            Left::More => Next::Again,
            Left::Waits | Left::Nothing => Next::Rest,
        }
    }

    /// Moves what was made to the output.
    fn send_piece(&mut self, making: &mut Making) {
        if !mem::replace(&mut making.has_begun, true) {
            let (kind, length) = (making.work.kind(), making.length);
            http::answer(&mut self.out, 200, kind, length, making.keeps, &[]);
        }
        let piece = mem::take(&mut making.piece);
        match making.length {
            Length::Chunks => http::chunk(&mut self.out, &piece),
            Length::Known(_) | Length::Close => self.out.extend_from_slice(&piece),
        }
    }
}
