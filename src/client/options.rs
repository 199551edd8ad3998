//! What a client is told once: whom to speak to and how, how patient to be, when to come back.

use std::time::Duration;

use crate::codec::framing::Framing;
use crate::secret::Secret;

/// How a client behaves. Many clients may share one value; who they are is in [`Login`].
#[derive(Clone, PartialEq, Debug)]
pub struct Options {
    /// How bytes become frames; the encoding of the messages goes with it.
    pub framing: Framing,
    /// How often it says that it lives.
    pub heartbeat: Heartbeat,
    /// The server's idle timeout, where its login answer does not name a heartbeat: a third of it
    /// is the interval.
    pub idle_timeout: Duration,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long the first answer may take: to the login, or to a first ping where nobody logs in.
    pub login_timeout: Duration,
    /// The server owes an answer and no byte has come for so long: it is lost.
    pub read_timeout: Duration,
    /// Bytes wait and the socket took none for so long: it is lost.
    pub write_timeout: Duration,
    /// How long a `quit` may take to be answered.
    pub linger: Duration,
    /// Idle time before TCP's own probes; beside the heartbeat, for a process that is stopped.
    pub keepalive: Option<Duration>,
    /// When and how often it comes back.
    pub retry: Retry,
    /// What becomes of requests while there is no connection.
    pub away: Away,
    /// Who acknowledges messages that want it.
    pub acks: Acks,
    /// Bytes of a request's body at most: what the server takes.
    pub frame_max: usize,
    /// Bytes of a message from the server at most.
    pub heard_max: usize,
    /// Bytes that may wait to be sent; more is refused.
    pub output_max: usize,
    /// Events that may wait to be taken; with more nothing is read.
    pub inbox_max: usize,
}

/// Who logs in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Login {
    /// The user's name.
    pub user: Box<str>,
    /// The token; empty for none.
    pub token: Secret<Box<str>>,
}

/// How often a client says that it lives when it has nothing else to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heartbeat {
    /// As the server's login answer says; else a third of [`Options::idle_timeout`].
    Server,
    /// So often, whatever the server says.
    Every(Duration),
    /// Never: for servers that ask by themselves.
    Off,
}

/// When and how often a client comes back.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Retry {
    /// The first wait is drawn between zero and this.
    pub base: Duration,
    /// Each further one between zero and twice the bound before, which never exceeds this.
    pub max: Duration,
    /// So many attempts in a row without a stable connection; then it gives up. `None`: no limit,
    /// zero: it never comes back.
    pub attempts: Option<u32>,
    /// So long without a stable connection; then it gives up. The last attempt comes at the end of
    /// it at the latest, or where the server has named a later time, then.
    pub within: Option<Duration>,
    /// A connection that has lasted so long is stable: the waits begin at `base` again.
    pub stable_after: Duration,
}

/// What becomes of requests while there is no connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Away {
    /// They are refused.
    Refuse,
    /// So many are kept and said after the next login.
    Queue(usize),
}

/// Who acknowledges messages that want it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acks {
    /// The client, when the application takes the message.
    Itself,
    /// The application, by an [`ack`](crate::codec::message::Request::Ack).
    Application,
}

impl Login {
    /// A user without a token.
    #[must_use]
    pub fn new(user: impl Into<Box<str>>) -> Self {
        let (user, token) = (user.into(), Secret::default());
        Self { user, token }
    }
}

impl Retry {
    /// Never.
    pub const NEVER: Self = Self {
        attempts: Some(0),
        ..Self::FOR_EVER
    };

    /// As long as it takes.
    pub const FOR_EVER: Self = Self {
        base: Duration::from_secs(1),
        max: Duration::from_secs(60),
        attempts: None,
        within: None,
        stable_after: Duration::from_secs(30),
    };
}

impl Default for Options {
    fn default() -> Self {
        let ten = Duration::from_secs(10);
        Self {
            framing: Framing::Line,
            heartbeat: Heartbeat::Server,
            idle_timeout: Duration::from_secs(60),
            connect_timeout: ten,
            login_timeout: ten,
            read_timeout: ten,
            write_timeout: ten,
            linger: Duration::from_secs(1),
            keepalive: Some(Duration::from_secs(60)),
            retry: Retry::FOR_EVER,
            away: Away::Queue(1_024),
            acks: Acks::Itself,
            frame_max: 64 * 1_024,
            heard_max: 1 << 20,
            output_max: 1 << 20,
            inbox_max: 4_096,
        }
    }
}
