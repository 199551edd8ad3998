//! An end, with who asked for it and which of several things its reason stands for.

use std::fmt;

use crate::reason::CloseReason;

/// Who asked for the end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EndedBy {
    /// The peer, or its network.
    Client,
    /// Somebody at the admin interface, or with a signal.
    Operator,
    /// A handler, or what was posted to the loop.
    Application,
    /// Its user, who logged in elsewhere.
    SameUser,
    /// The gate itself, by its rules.
    Gate,
}

impl EndedBy {
    /// The word in records of closes.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Operator => "operator",
            Self::Application => "application",
            Self::SameUser => "same user",
            Self::Gate => "gate",
        }
    }

    /// Who it is where nobody else is known.
    fn of(reason: CloseReason) -> Self {
        match reason {
            CloseReason::PeerClosed | CloseReason::PeerReset | CloseReason::Quit => Self::Client,
            CloseReason::Kicked | CloseReason::Banned | CloseReason::Shutdown => Self::Operator,
            CloseReason::Replaced => Self::SameUser,
            _ => Self::Gate,
        }
    }
}

impl fmt::Display for EndedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Which of the things that a [`CloseReason`] stands for it was.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EndDetail {
    /// Its user is banned.
    BannedUser,
    /// Its address, or the network around it, is banned.
    BannedAddress,
    /// `limits.connections` was reached.
    Connections,
    /// `limits.connections_per_address` was reached.
    AddressConnections,
    /// `limits.accept_rate_per_address` was passed.
    AddressAcceptRate,
    /// Its user's connections replaced each other beyond `limits.takeover_rate_per_user`.
    TakeoverRate,
    /// There was too much to do, and it was one of the newest in a handshake.
    Handshakes,
    /// It was above its rate in `rate_strikes` intervals in a row.
    RateStrikes,
    /// It is none of `trusted_proxies`.
    TrustedProxies,
    /// The system had no room for one more socket, or no memory for what it sent.
    Resources,
    /// `limits.input_budget` was used up, and its input had waited longest.
    InputBudget,
    /// `limits.output_budget` was used up, and its output was the largest.
    OutputBudget,
    /// Its output had waited for `output_age`.
    OutputAge,
    /// There had been too much of it for `outbox_soft_for`.
    OutboxSoft,
    /// There was more of it than `outbox_max`.
    OutboxMax,
    /// What came is no frame.
    NoFrame,
    /// What came is of another protocol.
    Foreign,
    /// There were `bad_requests_max` bad requests.
    BadRequests,
}

impl EndDetail {
    /// The word in records of closes: that of the setting, where there is one.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::BannedUser => "user",
            Self::BannedAddress => "address",
            Self::Connections => "connections",
            Self::AddressConnections => "connections_per_address",
            Self::AddressAcceptRate => "accept_rate_per_address",
            Self::TakeoverRate => "takeover_rate_per_user",
            Self::Handshakes => "handshakes",
            Self::RateStrikes => "rate_strikes",
            Self::TrustedProxies => "trusted_proxies",
            Self::Resources => "resources",
            Self::InputBudget => "input_budget",
            Self::OutputBudget => "output_budget",
            Self::OutputAge => "output_age",
            Self::OutboxSoft => "outbox_soft_for",
            Self::OutboxMax => "outbox_max",
            Self::NoFrame => "no frame",
            Self::Foreign => "another protocol",
            Self::BadRequests => "bad_requests_max",
        }
    }
}

impl fmt::Display for EndDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The end of a connection as a record has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct End {
    pub(crate) reason: CloseReason,
    pub(crate) by: EndedBy,
    pub(crate) detail: Option<EndDetail>,
}

impl End {
    /// One of the gate's rules, by name.
    pub(crate) fn over(reason: CloseReason, detail: EndDetail) -> Self {
        Self {
            detail: Some(detail),
            ..Self::from(reason)
        }
    }

    pub(crate) fn by(reason: CloseReason, by: EndedBy) -> Self {
        Self {
            by,
            ..Self::from(reason)
        }
    }
}

impl From<CloseReason> for End {
    fn from(reason: CloseReason) -> Self {
        Self {
            reason,
            by: EndedBy::of(reason),
            detail: None,
        }
    }
}
