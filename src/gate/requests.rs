//! What the requests of dialect `gate` do when nobody decides otherwise, and who may make them.

use std::borrow::Cow;

use super::Gate;
use super::conn::{Flags, NONE, Pending};
use super::end::{End, EndDetail};
use super::push::{Push, Target};
use crate::codec::message::{Body, Parsed, Request, Seq};
use crate::codec::reply::{Fields, Reply};
use crate::handler::{Answer, Message};
use crate::id::ConnId;
use crate::reason::{CloseReason, ErrorCode};
use crate::secret::Secret;
use crate::settings::Login;

/// What a request asks of the loop beyond the gate itself.
pub(crate) enum Demand<'a> {
    /// Nothing: it is done.
    Done,
    /// The handler is to be asked, and its answer given.
    Ask(Message<'a>),
}

impl Gate {
    /// Does what a request asks for by the rules of the protocol, without asking anybody: logins
    /// are taken as they are, `data` has no backend. What a [`Handler`](crate::Handler) does not
    /// want to decide itself it passes on to this.
    pub fn obey(&mut self, conn: ConnId, message: Message<'_>) -> Answer {
        match message {
            Message::Frame(_) => Answer::None,
            Message::Login { user, .. } => self.login(conn, user),
            Message::Send { to, body, ack } => self.obey_send(conn, to, body, ack),
            Message::Join { topic } => self.join(conn, topic),
            Message::Leave { topic } => self.leave(conn, topic),
            Message::Publish { topic, body } => self.obey_publish(conn, topic, body),
            Message::Data { body } => self.obey_data(conn, body),
        }
    }

    fn obey_send(&mut self, conn: ConnId, to: &str, body: &Body<'_>, ack: bool) -> Answer {
        let from = self.user(conn).map(smol_str::SmolStr::new);
        let push = Push {
            from: from.as_deref(),
            body: body.clone(),
            ack,
            ttl: None,
        };
        match self.push(Target::User(to), &push) {
            Ok(receipt) => {
                let fields = Fields::NONE.with("queued", u64::from(receipt.queued));
                let is_parked = receipt.offline > 0;
                Answer::Ok(if is_parked {
                    fields.with("offline", 1)
                } else {
                    fields
                })
            }
            Err(code) => refuse(code),
        }
    }

    fn obey_publish(&mut self, conn: ConnId, topic: &str, body: &Body<'_>) -> Answer {
        let from = self.user(conn).map(smol_str::SmolStr::new);
        let push = Push {
            from: from.as_deref(),
            body: body.clone(),
            ack: false,
            ttl: None,
        };
        match self.push(Target::Topic(topic), &push) {
            Ok(receipt) => Answer::Ok(Fields::NONE.with("queued", u64::from(receipt.queued))),
            Err(code) => refuse(code),
        }
    }

    /// `data` goes to whoever reads events.
    fn obey_data(&mut self, conn: ConnId, body: &Body<'_>) -> Answer {
        let Some(index) = self.conns.find_open(conn) else {
            return Answer::None;
        };
        match self.tell_data(index, body) {
            None => refuse_with(ErrorCode::NoBackend, "no backend takes data"),
            Some(0) => refuse_with(ErrorCode::Overloaded, "no backend has room for it"),
            Some(queued) => Answer::Ok(Fields::NONE.with("queued", queued)),
        }
    }

    /// Makes a connection a member of a topic, whose name must be valid. Joining twice is `ok`.
    pub fn join(&mut self, conn: ConnId, topic: &str) -> Answer {
        let Some(index) = self.conns.find_open(conn) else {
            return Answer::None;
        };
        let known = self.topics.find(topic);
        let joined = self.conns.at(index).topics();
        if known.is_some_and(|known| joined.iter().any(|held| held.topic == known)) {
            return Answer::Ok(Fields::NONE);
        }
        let is_new = known.is_none();
        if joined.len() >= self.limits.topics_per_connection as usize {
            return refuse_with(
                ErrorCode::Overloaded,
                "this connection has joined enough topics",
            );
        }
        if is_new && self.topics.len() >= self.limits.topics as usize {
            return refuse_with(ErrorCode::Overloaded, "there are enough topics");
        }
        self.topics.join(&mut self.conns, topic, index);
        Answer::Ok(Fields::NONE)
    }

    /// Ends a membership; `not-joined` where there is none.
    pub fn leave(&mut self, conn: ConnId, topic: &str) -> Answer {
        let Some(index) = self.conns.find_open(conn) else {
            return Answer::None;
        };
        let known = self.topics.find(topic);
        if known.is_some_and(|known| self.topics.leave(&mut self.conns, known, index)) {
            self.conns.at_mut(index).trim_extra();
            return Answer::Ok(Fields::NONE);
        }
        refuse_with(
            ErrorCode::NotJoined,
            "this connection has not joined that topic",
        )
    }

    /// Takes a request: does what needs no handler, refuses what is not allowed.
    pub(crate) fn take<'a>(&mut self, index: u32, parsed: &'a Parsed<'_>) -> Demand<'a> {
        let seq = parsed.seq.as_ref();
        let request = match &parsed.request {
            Ok(request) => request,
            Err(bad) => {
                self.bad_request(index, &bad.to_string(), seq);
                return Demand::Done;
            }
        };
        if let Err((code, text)) = self.permit(index, request) {
            self.reply(index, &Reply::Error(code, text), seq);
            return Demand::Done;
        }
        match request {
            Request::Ping => {
                self.stats.beats += 1;
                self.reply(index, &Reply::Pong, seq);
            }
            Request::Pong => self.stats.beats += 1,
            Request::Ack { id } => self.acknowledge(index, *id),
            Request::Quit => self.close_at(index, CloseReason::Quit),
            Request::Login { user, token } => {
                if self.admits_login(index, user, token.reveal(), seq) {
                    return Demand::Ask(Message::Login {
                        user,
                        token: Secret::new(token.reveal()),
                    });
                }
            }
            Request::Send { to, body, ack } => {
                return Demand::Ask(Message::Send {
                    to,
                    body,
                    ack: *ack,
                });
            }
            Request::Join { topic } => return Demand::Ask(Message::Join { topic }),
            Request::Leave { topic } => return Demand::Ask(Message::Leave { topic }),
            Request::Publish { topic, body } => {
                return Demand::Ask(Message::Publish { topic, body });
            }
            Request::Data { body } => return Demand::Ask(Message::Data { body }),
        }
        Demand::Done
    }

    /// Whether the handler is to be asked about a login; else it is refused.
    fn admits_login(&mut self, index: u32, user: &str, token: &str, seq: Option<&Seq<'_>>) -> bool {
        if self.sources.is_some() && !self.may_log_in(index, user) {
            self.stats.logins_refused += 1;
            let text = "too many logins are tried, try again later";
            self.deny(index, seq, ErrorCode::RateLimited, text.into());
            return false;
        }
        if self.undecided >= self.limits.undecided_logins {
            self.stats.logins_refused += 1;
            // No fault of its own, and so no failure that counts.
            let text = "too many logins are to be decided, try again later";
            self.reply(index, &Reply::Error(ErrorCode::Overloaded, text), seq);
            return false;
        }
        if !self.is_genuine(index, user, token) {
            let text = "this token does not open this name";
            self.deny(index, seq, ErrorCode::BadCredentials, text.into());
            return false;
        }
        true
    }

    /// Whether the listener's rules allow the request.
    fn permit(&self, index: u32, request: &Request<'_>) -> Result<(), (ErrorCode, &'static str)> {
        const LOGIN: (ErrorCode, &str) = (ErrorCode::LoginRequired, "log in first");
        const FORBIDDEN: (ErrorCode, &str) =
            (ErrorCode::Forbidden, "this listener does not allow it");
        let settings = &self.rules_of(index).settings;
        let is_logged_in = self.conns.at(index).is_logged_in();
        let greets = matches!(
            request,
            Request::Login { .. } | Request::Ping | Request::Pong | Request::Quit
        );
        if settings.login == Login::Required && !is_logged_in && !greets {
            return Err(LOGIN);
        }
        let (is_allowed, needs_login) = match request {
            Request::Ping | Request::Pong | Request::Quit | Request::Ack { .. } => (true, false),
            Request::Login { .. } => (settings.login != Login::None, false),
            Request::Send { .. } => (settings.allow.send && settings.login != Login::None, true),
            Request::Publish { .. } => (
                settings.allow.publish && settings.login != Login::None,
                true,
            ),
            Request::Join { .. } | Request::Leave { .. } => (settings.allow.join, false),
            Request::Data { .. } => (settings.allow.data, settings.login != Login::None),
        };
        if !is_allowed {
            return Err(FORBIDDEN);
        }
        if needs_login && !is_logged_in {
            Err(LOGIN)
        } else {
            Ok(())
        }
    }

    fn bad_request(&mut self, index: u32, text: &str, seq: Option<&Seq<'_>>) {
        self.stats.bad_requests += 1;
        self.reply(index, &Reply::Error(ErrorCode::BadRequest, text), seq);
        let max = self.rules_of(index).settings.bad_requests_max;
        let conn = self.conns.at_mut(index);
        conn.bad_requests = conn.bad_requests.saturating_add(1);
        if conn.bad_requests >= max {
            self.close_at(
                index,
                End::over(CloseReason::Protocol, EndDetail::BadRequests),
            );
        }
    }

    /// Gives the answer that a connection waits for since its handler said [`Answer::Later`].
    /// Whether it was still waiting.
    pub fn answer(&mut self, conn: ConnId, answer: Answer) -> bool {
        let Some(index) = self.conns.find_open(conn) else {
            return false;
        };
        if !self.conns.at(index).flags.has(Flags::AWAITING) {
            return false;
        }
        if matches!(answer, Answer::Later) {
            return true;
        }
        let slot = self.conns.at_mut(index);
        let pending = slot.extra.as_mut().and_then(|extra| extra.pending.take());
        slot.trim_extra();
        let (seq, is_login) = pending.map_or((None, false), |held| (held.seq, held.is_login));
        self.undecided -= u32::from(is_login);
        self.give(index, answer, seq.as_ref(), is_login);
        self.resume(index, Flags::AWAITING);
        true
    }

    /// Gives an answer, then what waits for it.
    pub(crate) fn give(
        &mut self,
        index: u32,
        answer: Answer,
        seq: Option<&Seq<'_>>,
        is_login: bool,
    ) {
        if !self.conns.at(index).is_open() {
            self.answering = NONE;
            self.held.clear();
            return;
        }
        match answer {
            Answer::Ok(fields) => self.reply(index, &Reply::Ok(fields), seq),
            Answer::Error(code, text) if is_login => return self.deny(index, seq, code, text),
            Answer::Error(code, text) => self.reply(index, &Reply::Error(code, &text), seq),
            Answer::None => {}
            Answer::Later => return self.await_answer(index, seq, is_login),
        }
        self.release_held(index);
        if is_login && self.conns.at(index).flags.has(Flags::COLLECTS) {
            self.collect(index);
        }
    }

    fn await_answer(&mut self, index: u32, seq: Option<&Seq<'_>>, is_login: bool) {
        self.conns.at_mut(index).extra().pending = Some(Box::new(Pending {
            seq: seq.map(Seq::kept),
            is_login,
            denial: None,
        }));
        self.undecided += u32::from(is_login);
        self.pause(index, Flags::AWAITING);
        self.release_held(index);
    }
}

fn refuse(code: ErrorCode) -> Answer {
    refuse_with(
        code,
        match code {
            ErrorCode::NoSuchUser => "nobody of that name is here",
            _ => "too much is under way, try again later",
        },
    )
}

fn refuse_with(code: ErrorCode, text: &'static str) -> Answer {
    Answer::Error(code, Cow::Borrowed(text))
}
