//! What a client tells its application.

use std::fmt;
use std::time::Duration;

use crate::codec::framing::FrameError;
use crate::codec::heard::{Grant, Letter};
use crate::codec::request::Unsayable;
use crate::reason::{CloseReason, ErrorCode};

/// A request's number; a client counts them from one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u64);

/// Something has happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// The server has answered the login, or a first ping where nobody logs in.
    Connected,
    /// The connection is gone, or did not come about.
    Lost(Lost),
    /// It comes back by itself.
    Retrying {
        /// The how-manieth attempt in a row without a stable connection.
        attempt: u32,
        /// How long from now.
        after: Duration,
    },
    /// It does not come back any more. Always the last event.
    GaveUp(GaveUp),
    /// What became of a request. Every request that was taken gets exactly one.
    Answer {
        /// The request.
        request: RequestId,
        /// What became of it.
        outcome: Outcome,
    },
    /// A message has come.
    Message(Letter<'static>),
    /// A topic could not be joined again after a reconnect; it is not tried again.
    NotRejoined {
        /// The topic.
        topic: Box<str>,
        /// What the server said.
        refusal: Refusal,
    },
}

/// What became of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was done.
    Done(Grant),
    /// The server said no.
    Refused(Refusal),
    /// It was sent, and the connection was lost before the answer: it may or may not have been
    /// done. It is never sent again.
    Unknown,
    /// It was never sent, and will not be.
    Unsent,
}

/// An `error` of the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Its code's word.
    pub code: Box<str>,
    /// For people.
    pub text: Box<str>,
}

/// Why a request was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// It can not be said.
    #[error(transparent)]
    Unsayable(#[from] Unsayable),
    /// There is no connection, and nothing is queued.
    #[error("there is no connection")]
    Away,
    /// As much waits as may wait.
    #[error("too much waits to be sent already")]
    Full,
    /// It does not come back any more.
    #[error("the client has ended")]
    Over,
    /// Logging in and answering pings is the client's own business.
    #[error("the client says that by itself")]
    Own,
}

/// Why there is no connection any more, or none came about.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Lost {
    /// No such host.
    #[error("the name is not found: {0}")]
    NameNotFound(Box<str>),
    /// Nobody listens there.
    #[error("connection refused: nobody listens there")]
    Refused,
    /// The network knows no way, or the system does not let us.
    #[error("unreachable: {0}")]
    Unreachable(Box<str>),
    /// It did not come about in time.
    #[error("no connection within {0:?}")]
    ConnectTimeout(Duration),
    /// Connected, and then nothing.
    #[error("connected, but no answer within {0:?}: is it a gate?")]
    NoAnswer(Duration),
    /// Connected and closed again before any answer.
    #[error("closed without an answer: is it a gate of this framing?")]
    Unanswered,
    /// What answers is something else.
    #[error("{0}")]
    Nonsense(Nonsense),
    /// The server does not let us in.
    #[error("login refused: {0}")]
    LoginRefused(Refusal),
    /// The server said goodbye.
    #[error("{0}")]
    Closed(CloseReason),
    /// The server said goodbye for a reason that is newer than this library.
    #[error("{0}")]
    ClosedFor(Box<str>),
    /// The server closed without a word.
    #[error("closed by the server without a goodbye")]
    PeerClosed,
    /// The server or the network reset it.
    #[error("reset by the peer")]
    Reset,
    /// The server owes an answer and says nothing: it or the way to it is dead.
    #[error("no byte from the server for {0:?}")]
    Silent(Duration),
    /// The server takes no bytes.
    #[error("the server took no byte for {0:?}")]
    Stuck(Duration),
    /// Anything else the system says.
    #[error("{0}")]
    Io(Box<str>),
}

/// What a server says that is no gate, or one of another framing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Nonsense {
    /// It speaks TLS.
    #[error("a TLS port: it answers with a TLS record")]
    Tls,
    /// It speaks HTTP.
    #[error("a web server: it answers with HTTP")]
    Http,
    /// It speaks SSH.
    #[error("an SSH server")]
    Ssh,
    /// Bytes that are no frame.
    #[error("no frame of this framing ({error}): {begins}")]
    Frame {
        /// What is wrong with them.
        error: FrameError,
        /// How they begin, printable.
        begins: Box<str>,
    },
    /// A frame that is no message.
    #[error("no message of the gate: {0}")]
    Message(Box<str>),
    /// An answer to nothing.
    #[error("an answer that nobody asked for: {0}")]
    Unasked(Box<str>),
}

/// Why it does not come back.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GaveUp {
    /// We said `quit`.
    #[error("quit")]
    Quit,
    /// Who is told this must not come back by itself.
    #[error("{0}")]
    Told(Lost),
    /// So many attempts were allowed.
    #[error("{0} attempts")]
    Attempts(u32),
    /// So much time was allowed.
    #[error("not back within {0:?}")]
    Within(Duration),
}

impl Refusal {
    /// The code, where this library knows it.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        ErrorCode::of(&self.code)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

impl Lost {
    /// Whether coming back by itself would be wrong: somebody else took the place, or the server
    /// does not want this user. A name that is taken is not: our own old connection may hold it.
    /// Whether that can still be, the client knows.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Closed(reason) => matches!(
                reason,
                CloseReason::Replaced
                    | CloseReason::Kicked
                    | CloseReason::Banned
                    | CloseReason::LoginFailed
                    | CloseReason::Quit
            ),
            Self::LoginRefused(refusal) => !matches!(
                refusal.code(),
                // Who is refused for these may be welcome later: our own old connection, which
                // the server has not missed yet, may hold the name.
                Some(ErrorCode::UserTaken | ErrorCode::Overloaded | ErrorCode::RateLimited)
            ),
            _ => false,
        }
    }

    /// Whether the login is refused since somebody has the name, perhaps we ourselves.
    pub(super) fn is_taken(&self) -> bool {
        let Self::LoginRefused(refusal) = self else {
            return false;
        };
        refusal.code() == Some(ErrorCode::UserTaken)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected => f.write_str("connected"),
            Self::Lost(lost) => write!(f, "lost ({lost})"),
            Self::Retrying { attempt, after } => write!(f, "retrying ({attempt}, in {after:.1?})"),
            Self::GaveUp(why) => write!(f, "gave up ({why})"),
            Self::Answer { request, outcome } => write!(f, "request {}: {outcome}", request.0),
            Self::Message(letter) => {
                let from = letter.from.as_deref().unwrap_or("-");
                write!(f, "message {} from {from}", letter.id)
            }
            Self::NotRejoined { topic, refusal } => {
                write!(f, "topic {topic} not joined again: {refusal}")
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(grant) => {
                f.write_str("ok")?;
                grant
                    .pairs()
                    .try_for_each(|(key, value)| write!(f, " {key}={value}"))
            }
            Self::Refused(refusal) => write!(f, "error {refusal}"),
            Self::Unknown => f.write_str("unknown: sent, and lost before the answer"),
            Self::Unsent => f.write_str("not sent"),
        }
    }
}
