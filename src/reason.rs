//! Why a connection ended, and why a request was refused: closed lists of words.
//!
//! The same word stands on the wire, in the log, in the counters and in what a handler is told.

use std::fmt;

/// Why a connection ended. Every connection ends with exactly one of these.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum CloseReason {
    /// The peer closed its side, and what it had sent was handled.
    PeerClosed,
    /// The peer's host reset the connection, or the network lost it.
    PeerReset,
    /// No byte came for `idle_timeout`.
    IdleTimeout,
    /// A login was required and did not come within `login_timeout`.
    LoginTimeout,
    /// Too many logins failed.
    LoginFailed,
    /// A frame was begun and not finished within `frame_timeout`.
    FrameTimeout,
    /// The `lifetime` of a short connection was over.
    Lifetime,
    /// The socket took no byte of waiting output for `write_timeout`.
    WriteTimeout,
    /// Output waited too long, or there was too much of it.
    SlowConsumer,
    /// The bytes were not of the protocol.
    Protocol,
    /// The application or an operator ended it.
    Kicked,
    /// The same user logged in elsewhere.
    Replaced,
    /// The address or the user is banned.
    Banned,
    /// More than the allowed rate, for too long.
    RateLimited,
    /// The server is full: connections, or a byte budget.
    Overloaded,
    /// The server is shutting down.
    Shutdown,
    /// The client said `quit`.
    Quit,
    /// A bug of ours; it cost this one connection.
    Internal,
}

impl CloseReason {
    /// Every reason, in the order of the enum.
    pub const ALL: [Self; 18] = [
        Self::PeerClosed,
        Self::PeerReset,
        Self::IdleTimeout,
        Self::LoginTimeout,
        Self::LoginFailed,
        Self::FrameTimeout,
        Self::Lifetime,
        Self::WriteTimeout,
        Self::SlowConsumer,
        Self::Protocol,
        Self::Kicked,
        Self::Replaced,
        Self::Banned,
        Self::RateLimited,
        Self::Overloaded,
        Self::Shutdown,
        Self::Quit,
        Self::Internal,
    ];

    /// The reason of that word, where there is one.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }

    /// The word on the wire, in metrics and in logs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::PeerClosed => "peer-closed",
            Self::PeerReset => "peer-reset",
            Self::IdleTimeout => "idle-timeout",
            Self::LoginTimeout => "login-timeout",
            Self::LoginFailed => "login-failed",
            Self::FrameTimeout => "frame-timeout",
            Self::Lifetime => "lifetime",
            Self::WriteTimeout => "write-timeout",
            Self::SlowConsumer => "slow-consumer",
            Self::Protocol => "protocol",
            Self::Kicked => "kicked",
            Self::Replaced => "replaced",
            Self::Banned => "banned",
            Self::RateLimited => "rate-limited",
            Self::Overloaded => "overloaded",
            Self::Shutdown => "shutdown",
            Self::Quit => "quit",
            Self::Internal => "internal",
        }
    }

    /// Whether it is what the peer did, or failed to do, that ended it. Silence is no fault: who is
    /// asleep finds its goodbye when it wakes.
    pub(crate) fn is_peers_fault(self) -> bool {
        matches!(
            self,
            Self::LoginTimeout
                | Self::LoginFailed
                | Self::FrameTimeout
                | Self::WriteTimeout
                | Self::SlowConsumer
                | Self::Protocol
                | Self::Banned
                | Self::RateLimited
        )
    }

    /// Whether the peer is gone already, so that no goodbye can reach it.
    #[must_use]
    pub fn is_peer_gone(self) -> bool {
        matches!(self, Self::PeerClosed | Self::PeerReset)
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Why a request was answered with an error; the connection lives on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ErrorCode {
    /// Not a message of the protocol, or a field is wrong.
    BadRequest,
    /// The request needs a login first.
    LoginRequired,
    /// The login's user and token do not match.
    BadCredentials,
    /// Somebody is logged in under that name, and the policy is to reject.
    UserTaken,
    /// Nobody of that name is here.
    NoSuchUser,
    /// The body is larger than may be passed on.
    TooLarge,
    /// Too many requests.
    RateLimited,
    /// A table, queue or budget is full.
    Overloaded,
    /// This listener does not allow it.
    Forbidden,
    /// The connection has not joined that topic.
    NotJoined,
    /// No backend takes data.
    NoBackend,
}

impl ErrorCode {
    /// Every code, in the order of the enum.
    pub const ALL: [Self; 11] = [
        Self::BadRequest,
        Self::LoginRequired,
        Self::BadCredentials,
        Self::UserTaken,
        Self::NoSuchUser,
        Self::TooLarge,
        Self::RateLimited,
        Self::Overloaded,
        Self::Forbidden,
        Self::NotJoined,
        Self::NoBackend,
    ];

    /// The code of that word, where there is one.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.word() == word)
    }

    /// The word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::LoginRequired => "login-required",
            Self::BadCredentials => "bad-credentials",
            Self::UserTaken => "user-taken",
            Self::NoSuchUser => "no-such-user",
            Self::TooLarge => "too-large",
            Self::RateLimited => "rate-limited",
            Self::Overloaded => "overloaded",
            Self::Forbidden => "forbidden",
            Self::NotJoined => "not-joined",
            Self::NoBackend => "no-backend",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
