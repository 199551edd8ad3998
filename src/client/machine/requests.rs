//! What the application says.

use std::time::Duration;

use super::{Machine, Phase, Queued, Topic};
use crate::client::event::{GaveUp, Outcome, Refused, RequestId};
use crate::client::options::{Away, Heartbeat};
use crate::client::stamp::Stamp;
use crate::client::wire::{Orphan, What};
use crate::codec::heard::Grant;
use crate::codec::message::Request;
use crate::codec::request::{Unsayable, encode};

impl Machine {
    /// Takes a request; what becomes of it comes as an [`Answer`](super::Event::Answer).
    ///
    /// # Errors
    /// Where it is not taken; then nothing of it is said, now or later.
    pub fn request(&mut self, now: Duration, words: &Request<'_>) -> Result<RequestId, Refused> {
        let what = match words {
            Request::Login { .. } | Request::Pong | Request::Ack { .. } | Request::Quit => {
                return Err(Refused::Own);
            }
            Request::Ping => What::Ping,
            Request::Join { topic } => What::Join((**topic).into()),
            Request::Leave { topic } => What::Leave((**topic).into()),
            Request::Send { .. } | Request::Publish { .. } | Request::Data { .. } => What::Other,
        };
        let request = RequestId(self.last + 1);
        match self.phase {
            Phase::Leaving { .. } | Phase::Over => return Err(Refused::Over),
            Phase::Online { .. } => self.ask_now(now, request, what, words)?,
            _ => self.keep(request, what, words)?,
        }
        self.last += 1;
        Ok(request)
    }

    /// Acknowledges a message. Without a connection that is remembered, and said when the server
    /// sends the message again.
    pub fn ack(&mut self, now: Duration, id: u64) {
        self.say_ack(now, id);
    }

    /// Says goodbye; [`GaveUp::Quit`] follows when the server has heard it, or after
    /// [`Options::linger`](crate::client::Options::linger).
    pub fn quit(&mut self, now: Duration) {
        match self.phase {
            Phase::Online { .. } | Phase::Greeting { .. } => {
                self.say(now, &Request::Quit);
                let since = Stamp::of(now);
                self.phase = Phase::Leaving { since };
            }
            Phase::Away { .. } | Phase::Dialing { .. } => self.give_up(GaveUp::Quit),
            Phase::Leaving { .. } | Phase::Over => {}
        }
    }

    pub(super) fn say_ack(&mut self, now: Duration, id: u64) {
        let is_online = self.is_online();
        self.seen.acked(id, is_online);
        if !is_online {
            return;
        }
        self.say(now, &Request::Ack { id });
        let beats = self.heart.has_rhythm() || self.options.heartbeat != Heartbeat::Off;
        if beats && self.seen.is_crowded() && !self.wire.awaits(&What::Beat) {
            // Not for the server's sake: its answer tells that the acks have arrived.
            self.seen.mark();
            let _ = self.ask(now, None, What::Beat, &Request::Ping);
        }
    }

    fn ask_now(
        &mut self,
        now: Duration,
        request: RequestId,
        what: What,
        words: &Request<'_>,
    ) -> Result<(), Refused> {
        if self.wire.output().len() >= self.options.output_max {
            return Err(Refused::Full);
        }
        self.ask(now, Some(request), what.clone(), words)?;
        match what {
            What::Join(topic) => {
                self.want(topic);
            }
            What::Leave(topic) => self.topics.retain(|joined| joined.name != topic),
            _ => {}
        }
        Ok(())
    }

    /// Keeps a request for the next connection.
    fn keep(&mut self, request: RequestId, what: What, words: &Request<'_>) -> Result<(), Refused> {
        let Away::Queue(most) = self.options.away else {
            return Err(Refused::Away);
        };
        let frame = self.frame(words)?;
        if self.waiting() >= most {
            return Err(Refused::Full);
        }
        self.put_off(request, what, frame);
        Ok(())
    }

    /// How many requests wait for a connection.
    fn waiting(&self) -> usize {
        let asked = self.topics.iter().filter(|topic| topic.asked_by.is_some());
        self.queue.len() + asked.count()
    }

    /// Puts a request off until there is a connection. Memberships are no messages: the topics that
    /// are wanted then are joined then.
    fn put_off(&mut self, request: RequestId, what: What, frame: Box<[u8]>) {
        match what {
            What::Join(topic) => {
                let topic = self.want(topic);
                let before = topic.asked_by.replace(request);
                // One join answers both.
                self.answer(before, Outcome::Done(Grant::default()));
            }
            What::Leave(topic) => {
                let at = self.topics.iter().position(|joined| joined.name == topic);
                if let Some(left) = at.map(|at| self.topics.remove(at)) {
                    self.answer(left.asked_by, Outcome::Unsent);
                }
                self.answer(Some(request), Outcome::Done(Grant::default()));
            }
            what => self.queue.push(Queued {
                request,
                what,
                frame,
            }),
        }
    }

    /// A topic that it is to be a member of.
    fn want(&mut self, name: Box<str>) -> &mut Topic {
        let at = self.topics.iter().position(|joined| joined.name == name);
        let at = at.unwrap_or_else(|| {
            let asked_by = None;
            self.topics.push(Topic { name, asked_by });
            self.topics.len() - 1
        });
        &mut self.topics[at]
    }

    /// Decides what becomes of all that was asked and not answered, since the connection is gone.
    pub(super) fn orphan(&mut self) {
        let may_wait = self.options.away != Away::Refuse
            && !matches!(self.phase, Phase::Leaving { .. } | Phase::Over);
        for orphan in self.wire.end() {
            let Orphan {
                request: Some(request),
                what,
                unsent,
            } = orphan
            else {
                continue;
            };
            let has_room = match (self.options.away, &what) {
                // Memberships are no messages: they are there to be joined again anyway.
                (_, What::Join(_) | What::Leave(_)) => true,
                (Away::Queue(most), _) => self.waiting() < most,
                (Away::Refuse, _) => false,
            };
            match unsent {
                Some(frame) if may_wait && has_room => self.put_off(request, what, frame),
                Some(_) => self.answer(Some(request), Outcome::Unsent),
                None => self.answer(Some(request), Outcome::Unknown),
            }
        }
    }

    fn frame(&self, words: &Request<'_>) -> Result<Box<[u8]>, Unsayable> {
        let mut frame = Vec::new();
        let options = &self.options;
        encode(words, &options.framing, options.frame_max, &mut frame)?;
        Ok(frame.into())
    }
}
