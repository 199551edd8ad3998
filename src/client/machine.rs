//! The client as a state machine: bytes in, bytes out, the time handed in, events out.
//!
//! It has no socket and no clock. Whoever has them drives it:
//! - [`Machine::wants_dial`]: open a connection; then [`dialed`](Machine::dialed) or
//!   [`lost`](Machine::lost)
//! - [`output`](Machine::output) is to be written; [`wrote`](Machine::wrote) says how much was
//! - what is read goes to [`received`](Machine::received), an end or an error to
//!   [`lost`](Machine::lost)
//! - at [`deadline`](Machine::deadline), [`tick`](Machine::tick)
//! - when [`has_link`](Machine::has_link) turns false, the connection is to be closed
//! - [`event`](Machine::event): what has happened
//!
//! `now` is time since any fixed point, as [`Net::now`](crate::net::Net::now) has it, and never
//! goes back.

mod hear;
mod requests;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::backoff::Backoff;
use super::event::{Event, GaveUp, Lost, Outcome, RequestId};
use super::heart::{Heart, Rhythm};
use super::options::{Acks, Login, Options};
use super::seen::Seen;
use super::stamp::Stamp;
use super::wire::{What, Wire};
use crate::codec::message::Request;
use crate::codec::request::{Unsayable, encode};
use crate::secret::Secret;

/// A client without sockets and clock.
#[derive(Debug)]
pub struct Machine {
    options: Arc<Options>,
    login: Option<Box<Login>>,
    phase: Phase,
    wire: Wire,
    heart: Heart,
    backoff: Backoff,
    /// Topics it is or wants to be a member of.
    topics: Vec<Topic>,
    /// What waits for a connection.
    queue: Vec<Queued>,
    seen: Seen,
    events: VecDeque<Event>,
    /// The last request's number.
    last: u64,
    /// Until then an old connection of ours may have been in use, which the server may miss later.
    gone: Stamp,
    /// It ended by a word of the server after which it must not come back.
    is_sent_away: bool,
}

/// Where it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// No connection; the next attempt is due then.
    Away { until: Stamp },
    /// Somebody opens one.
    Dialing { since: Stamp },
    /// There is one; the first answer is not here.
    Greeting { since: Stamp },
    /// The server knows us.
    Online { since: Stamp },
    /// We have said goodbye.
    Leaving { since: Stamp },
    /// Nothing follows.
    Over,
}

/// A topic it is a member of, or will be.
#[derive(Debug)]
struct Topic {
    name: Box<str>,
    /// The request that waits for the next login to be said.
    asked_by: Option<RequestId>,
}

/// A request that waits for a connection.
#[derive(Debug)]
struct Queued {
    request: RequestId,
    what: What,
    frame: Box<[u8]>,
}

impl Machine {
    /// A client that wants to be connected from now on. `seed` decides about its waits: give each
    /// client another one.
    #[must_use]
    pub fn new(options: Arc<Options>, login: Option<Login>, seed: u64, now: Duration) -> Self {
        Self {
            heart: Heart::new(&options),
            options,
            login: login.map(Box::new),
            phase: Phase::Away {
                until: Stamp::of(now),
            },
            wire: Wire::default(),
            backoff: Backoff::new(seed),
            topics: Vec::new(),
            queue: Vec::new(),
            seen: Seen::default(),
            events: VecDeque::new(),
            last: 0,
            gone: Stamp::of(now),
            is_sent_away: false,
        }
    }

    /// Lets `rhythm` decide how often it beats, in the place of [`Options::heartbeat`].
    #[must_use]
    pub fn with_rhythm(mut self, rhythm: Box<dyn Rhythm>) -> Self {
        self.heart.set_rhythm(rhythm);
        self
    }

    /// How it behaves.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Whether it has ended since the server, or what it said, forbids to come back.
    pub(super) fn is_sent_away(&self) -> bool {
        self.is_sent_away
    }

    /// After so long a silence of ours the server closes, as far as it is known.
    pub(super) fn idle_timeout(&self) -> Duration {
        self.heart.timeout()
    }

    /// Whether a connection is to be opened now; says yes once for each attempt.
    pub fn wants_dial(&mut self, now: Duration) -> bool {
        let is_due = matches!(self.phase, Phase::Away { until } if until.time() <= now);
        if is_due {
            let since = Stamp::of(now);
            self.phase = Phase::Dialing { since };
        }
        is_due
    }

    /// The connection that was wanted is there.
    pub fn dialed(&mut self, now: Duration) {
        if !matches!(self.phase, Phase::Dialing { .. }) {
            return;
        }
        let since = Stamp::of(now);
        self.phase = Phase::Greeting { since };
        self.wire.begin(now);
        let login = self.login.take();
        let words = login
            .as_ref()
            .map_or(Request::Ping, |login| Request::Login {
                user: (&*login.user).into(),
                token: Secret::new((&**login.token.reveal()).into()),
            });
        let said = self.ask(now, None, What::Greeting, &words);
        drop(words);
        self.login = login;
        if let Err(error) = said {
            self.give_up(GaveUp::Told(Lost::Io(error.to_string().into())));
        }
    }

    /// The connection is gone, or did not come about.
    pub fn lost(&mut self, now: Duration, lost: Lost) {
        let lost = match (self.phase, lost) {
            (Phase::Greeting { .. }, Lost::PeerClosed | Lost::Reset) if !self.wire.is_known => {
                self.judge_rest().unwrap_or(Lost::Unanswered)
            }
            (_, lost) => lost,
        };
        self.lose(now, lost, None);
    }

    /// Whether there is a connection that is still wanted.
    #[must_use]
    pub fn has_link(&self) -> bool {
        matches!(
            self.phase,
            Phase::Greeting { .. } | Phase::Online { .. } | Phase::Leaving { .. }
        )
    }

    /// Whether somebody is to open a connection, and has not said how it went.
    #[must_use]
    pub fn is_dialing(&self) -> bool {
        matches!(self.phase, Phase::Dialing { .. })
    }

    /// Whether the server knows us.
    #[must_use]
    pub fn is_online(&self) -> bool {
        matches!(self.phase, Phase::Online { .. })
    }

    /// Whether it has said goodbye, and waits for the server to hear it.
    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.phase, Phase::Leaving { .. })
    }

    /// Whether nothing happens any more, once the events are taken.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Whether what comes may be read: not while too many events wait to be taken.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        self.has_link() && self.events.len() < self.options.inbox_max
    }

    /// What waits to be written.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.wire.output()
    }

    /// The socket took so many bytes of [`output`](Self::output).
    pub fn wrote(&mut self, now: Duration, bytes: usize) {
        self.wire.wrote(now, bytes);
    }

    /// When [`tick`](Self::tick) is to be called, if nothing happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let options = &self.options;
        let stuck = self.wire.stuck().map(|at| at.after(options.write_timeout));
        let first = match self.phase {
            Phase::Away { until } => return Some(until.time()),
            Phase::Dialing { since } => return Some(since.after(options.connect_timeout)),
            Phase::Leaving { since } => return Some(since.after(options.linger)),
            Phase::Over => return None,
            Phase::Greeting { since } => Some(since.after(options.login_timeout)),
            Phase::Online { .. } => {
                let (listens, wire) = (self.wants_input(), &self.wire);
                let owing = wire.owing().filter(|_| listens);
                let silent = owing.map(|at| at.after(options.read_timeout));
                // What waits already says that it lives, as soon as the socket takes it.
                let is_mute = wire.output().is_empty();
                let beat = self.heart.due(options, listens, wire.last());
                let beat = beat.filter(|_| is_mute);
                earlier(silent, beat)
            }
        };
        earlier(first, stuck)
    }

    /// Time has passed: beats, or notices that something did not happen in time.
    pub fn tick(&mut self, now: Duration) {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        let options = Arc::clone(&self.options);
        let is_past = |since: Stamp, span| since.after(span) <= now;
        match self.phase {
            Phase::Away { .. } | Phase::Over => {}
            Phase::Dialing { .. } => {
                self.lose(now, Lost::ConnectTimeout(options.connect_timeout), None);
            }
            Phase::Leaving { .. } => self.give_up(GaveUp::Quit),
            _ if self
                .wire
                .stuck()
                .is_some_and(|at| is_past(at, options.write_timeout)) =>
            {
                self.lose(now, Lost::Stuck(options.write_timeout), None);
            }
            Phase::Greeting { .. } => {
                let lost = self.judge_rest();
                let lost = lost.unwrap_or(Lost::NoAnswer(options.login_timeout));
                self.lose(now, lost, None);
            }
            Phase::Online { .. } => {
                let owing = self.wire.owing().filter(|_| self.wants_input());
                if owing.is_some_and(|at| is_past(at, options.read_timeout)) {
                    self.lose(now, Lost::Silent(options.read_timeout), None);
                } else {
                    self.beat(now);
                }
            }
        }
    }

    /// The next thing that has happened. A message that is taken is acknowledged, where the client
    /// does that by itself: look at [`output`](Self::output) again.
    pub fn event(&mut self, now: Duration) -> Option<Event> {
        let was_deaf = !self.wants_input();
        let event = self.events.pop_front()?;
        self.listen(now, was_deaf);
        if let Event::Message(letter) = &event
            && self.options.acks == Acks::Itself
            && letter.ack
        {
            self.say_ack(now, letter.id);
        }
        Some(event)
    }

    /// Whether events wait to be taken.
    #[must_use]
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Takes what became of a request out of the waiting events, where it is there.
    pub fn outcome(&mut self, now: Duration, wanted: RequestId) -> Option<Outcome> {
        let was_deaf = !self.wants_input();
        let is_it =
            |event: &Event| matches!(event, Event::Answer { request, .. } if *request == wanted);
        let at = self.events.iter().position(is_it)?;
        let answer = self.events.remove(at);
        self.listen(now, was_deaf);
        match answer {
            Some(Event::Answer { outcome, .. }) => Some(outcome),
            _ => None,
        }
    }

    /// Events were taken: where nothing was read since too many waited, reading begins again.
    fn listen(&mut self, now: Duration, was_deaf: bool) {
        if was_deaf && self.wants_input() {
            self.wire.listen(now);
        }
    }

    /// Says that it lives.
    fn beat(&mut self, now: Duration) {
        self.seen.mark();
        self.heart.beat(now, self.wire.last());
        // A ping fits every frame.
        let _ = self.ask(now, None, What::Beat, &Request::Ping);
    }

    /// Gives memory back that an idle client does not need.
    fn relax(&mut self) {
        self.wire.relax();
        self.seen.relax();
        self.queue.shrink_to_fit();
        self.events.shrink_to_fit();
        self.topics.shrink_to_fit();
    }

    /// Appends a request that will be answered.
    fn ask(
        &mut self,
        now: Duration,
        request: Option<RequestId>,
        what: What,
        words: &Request<'_>,
    ) -> Result<(), Unsayable> {
        let options = &self.options;
        let fill = |out: &mut Vec<u8>| encode(words, &options.framing, options.frame_max, out);
        if matches!(self.phase, Phase::Online { .. }) && self.wire.owing().is_none() {
            self.heart.asked(now, self.wire.last());
        }
        self.wire.ask(now, request, what, fill)
    }

    /// The connection is gone.
    fn lose(&mut self, now: Duration, lost: Lost, named: Option<Duration>) {
        if matches!(self.phase, Phase::Over | Phase::Away { .. }) {
            return;
        }
        let is_silent = matches!(
            lost,
            Lost::Silent(_) | Lost::Stuck(_) | Lost::Reset | Lost::PeerClosed
        );
        self.heart.end(is_silent);
        self.seen.unmark();
        let phase = self.phase;
        self.orphan();
        if matches!(phase, Phase::Leaving { .. }) {
            return self.give_up(GaveUp::Quit);
        }
        let options = Arc::clone(&self.options);
        if let Phase::Online { since } = phase {
            self.backoff.lived(&options.retry, since.time(), now);
        }
        self.events.push_back(Event::Lost(lost.clone()));
        if lost.is_taken() {
            // By ourselves, until the server must have missed an old connection of ours.
            if self.gone.after(self.heart.timeout().saturating_mul(2)) <= now {
                return self.give_up(GaveUp::Told(lost));
            }
        } else if lost.is_final() {
            return self.give_up(GaveUp::Told(lost));
        } else if !matches!(phase, Phase::Dialing { .. }) {
            self.gone = Stamp::of(now);
        }
        match self.backoff.next(&options.retry, named, now) {
            Ok((attempt, after)) => {
                let until = Stamp::of(now.saturating_add(after));
                self.phase = Phase::Away { until };
                self.events.push_back(Event::Retrying { attempt, after });
            }
            Err(why) => self.give_up(why),
        }
    }

    /// It does not come back.
    fn give_up(&mut self, why: GaveUp) {
        self.orphan();
        for queued in std::mem::take(&mut self.queue) {
            self.answer(Some(queued.request), Outcome::Unsent);
        }
        for topic in std::mem::take(&mut self.topics) {
            self.answer(topic.asked_by, Outcome::Unsent);
        }
        self.phase = Phase::Over;
        self.is_sent_away = matches!(why, GaveUp::Told(_));
        self.events.push_back(Event::GaveUp(why));
    }

    /// Tells what became of a request, where the application asked.
    fn answer(&mut self, request: Option<RequestId>, outcome: Outcome) {
        if let Some(request) = request {
            self.events.push_back(Event::Answer { request, outcome });
        }
    }
}

/// The earlier of two times, where there are any.
fn earlier(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
