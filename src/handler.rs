//! What an application implements.

use std::borrow::Cow;

use crate::codec::message::Body;
use crate::codec::reply::Fields;
use crate::gate::{Configure, Gate, Ticket, TimerId};
use crate::id::ConnId;
use crate::reason::{CloseReason, ErrorCode};
use crate::secret::Secret;

/// The application behind the gate.
///
/// It is called with one event at a time and never re-entered. It gets the whole [`Gate`], without
/// locks or cells: a gate holds every fact about every connection, but no socket. What a handler
/// appends is written, and what it closes is closed, at the fixed points of the turn; it must not
/// block, since the loop turns only when it returns.
///
/// Every method has a default: `impl Handler for MyApp {}` is the protocol as it stands, with
/// logins taken as they come.
pub trait Handler {
    /// A connection was accepted. Followed by exactly one [`on_close`](Handler::on_close).
    fn on_open(&mut self, gate: &mut Gate, conn: ConnId) {
        let _ = (gate, conn);
    }

    /// A connection asks for something; returns the answer to give. Heartbeats, acks, malformed
    /// requests and those its listener does not allow are dealt with before, and so are logins
    /// whose token it finds wrong ([`LoginCheck`](crate::LoginCheck)).
    ///
    /// A panic in it ends this connection, reason [`Internal`](CloseReason::Internal), and no
    /// other; one that leaves the gate with a broken promise ends the loop. What the handler itself
    /// had half-done stays so. In the other methods a panic ends the loop.
    fn on_message(&mut self, gate: &mut Gate, conn: ConnId, message: Message<'_>) -> Answer {
        gate.obey(conn, message)
    }

    /// A connection has ended, for this reason. Its id still tells its
    /// [`user`](Gate::user) and [`peer`](Gate::peer), and reaches nothing else.
    fn on_close(&mut self, gate: &mut Gate, conn: ConnId, reason: CloseReason) {
        let _ = (gate, conn, reason);
    }

    /// A timer that the handler has [set](Gate::set_timer) has come.
    fn on_timer(&mut self, gate: &mut Gate, timer: TimerId) {
        let _ = (gate, timer);
    }

    /// Somebody wants another configuration: an operator by SIGHUP, or whoever called
    /// [`Gate::configure`]. The handler sees to it, now or later, and says what came of it by
    /// [`Gate::configured`]; [`Gate::retune`] and [`Gate::tune`] are what changes a running server.
    fn on_configure(&mut self, gate: &mut Gate, ticket: Ticket, what: Configure) {
        let _ = what;
        gate.configured(
            ticket,
            Err(vec![String::from("nothing here can be reloaded")]),
        );
    }

    /// The shutdown begins: nobody has been told yet, and newcomers are accepted no more.
    fn on_drain(&mut self, gate: &mut Gate) {
        let _ = gate;
    }
}

/// A handler that adds nothing to the protocol.
impl Handler for () {}

/// What a connection asks for. Names are valid.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Message<'a> {
    /// A frame of dialect [`Frames`](crate::Dialect::Frames), as it came. Its answer is
    /// [`Answer::None`], or [`Answer::Later`] to stop reading the connection for a while.
    Frame(&'a [u8]),
    /// It wants to be known as `user`.
    Login {
        /// The user's name.
        user: &'a str,
        /// What it shows for it; empty where nothing.
        token: Secret<&'a str>,
    },
    /// A message to a user.
    Send {
        /// The user's name.
        to: &'a str,
        /// What it says.
        body: &'a Body<'a>,
        /// Whether it is kept until it is acknowledged.
        ack: bool,
    },
    /// It wants to get what is published to a topic.
    Join {
        /// The topic's name.
        topic: &'a str,
    },
    /// It no longer wants that.
    Leave {
        /// The topic's name.
        topic: &'a str,
    },
    /// A message to the members of a topic.
    Publish {
        /// The topic's name.
        topic: &'a str,
        /// What it says.
        body: &'a Body<'a>,
    },
    /// Something for the backend.
    Data {
        /// What it says.
        body: &'a Body<'a>,
    },
}

/// What is answered to a request.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// `ok`, with these fields.
    Ok(Fields),
    /// `error`, with a text for people.
    Error(ErrorCode, Cow<'static, str>),
    /// The answer comes later, by [`Gate::answer`]; the connection is not read until then. Where a
    /// login is required it has to come within
    /// [`login_timeout`](crate::Settings::login_timeout) of the accept.
    Later,
    /// Nothing: for frames of dialect [`Frames`](crate::Dialect::Frames).
    None,
}
