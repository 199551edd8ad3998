//! What one listener asks of its connections: framing, dialect, rules, limits of time and size.
//!
//! Plain values with the defaults of the protocol's section 4; where they come from is
//! `config`'s business.

use std::net::SocketAddr;
use std::time::Duration;

use crate::codec::framing::Framing;
use crate::net::SocketOptions;
use crate::network::Network;

/// A listener and the rules for the connections it accepts.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    /// The name in logs and metrics.
    pub name: String,
    /// Where it listens; one socket each.
    pub bind: Vec<SocketAddr>,
    /// How bytes become frames.
    pub framing: Framing,
    /// What a frame means.
    pub dialect: Dialect,
    /// Whether a connection must say whose it is.
    pub login: Login,
    /// How a login's token is checked, before the handler hears of it.
    pub login_check: LoginCheck,
    /// What a connection may do.
    pub allow: Allow,
    /// What happens to a connection that does not read.
    pub slow_consumer: SlowConsumer,

    /// No byte from the client for so long: `idle-timeout`.
    pub idle_timeout: Option<Duration>,
    /// Where a login is required: not logged in by then, `login-timeout`.
    pub login_timeout: Option<Duration>,
    /// A frame is not whole so long after its first byte: `frame-timeout`.
    pub frame_timeout: Option<Duration>,
    /// Closed so long after accept, whatever it sends: `lifetime`.
    pub lifetime: Option<Duration>,
    /// Output waits and the socket took none for so long: `write-timeout`.
    pub write_timeout: Option<Duration>,
    /// A byte has waited in the outbox for so long: `slow-consumer`.
    pub output_age: Option<Duration>,
    /// The server sends `ping` after so much silence.
    pub ping_after: Option<Duration>,
    /// A message without ack is sent again after so long.
    pub ack_timeout: Duration,
    /// How often it is sent in all.
    pub ack_attempts: u8,
    /// How long a parked message and an absent user are kept.
    pub offline_ttl: Duration,
    /// Parked messages per user.
    pub offline_max: u32,
    /// Bytes of a frame's body.
    pub frame_max: usize,
    /// The same before a login that is required.
    pub login_frame_max: usize,
    /// Above it the connection is not read; before a login that is required, above 4 KiB at most.
    pub outbox_low: usize,
    /// Above it for `outbox_soft_for`: the slow-consumer policy.
    pub outbox_soft: usize,
    /// How long an outbox may be above `outbox_soft`.
    pub outbox_soft_for: Duration,
    /// Above it: the slow-consumer policy at once.
    pub outbox_max: usize,
    /// Bad requests until `close protocol`.
    pub bad_requests_max: u8,
    /// Failed logins until `close login-failed`.
    pub failed_logins_max: u8,
    /// The answer to a login that fails is held back so long, so that a guess takes its time; the
    /// connection is not read meanwhile. What counts as failed waits: also `rate-limited` and
    /// `user-taken`, not `overloaded`.
    pub login_delay: Option<Duration>,
    /// How long a goodbye may take to arrive.
    pub linger: Duration,
    /// When a client that is told `close overloaded` should come back.
    pub reconnect: Duration,

    /// The proxies that connect here: each must say by a PROXY header for whom, and nobody else
    /// may connect. Empty: clients connect themselves, and such a header is no frame.
    pub trusted_proxies: Vec<Network>,
    /// The header is not whole so long after accept: `frame-timeout`.
    pub proxy_timeout: Duration,

    /// Frames of a connection in a `rate_interval`: above it is not read until that is over.
    pub message_rate: Option<u32>,
    /// The same for bytes.
    pub byte_rate: Option<usize>,
    /// How long such an interval is.
    pub rate_interval: Duration,
    /// Above its rate in so many intervals in a row: `rate-limited`.
    pub rate_strikes: u8,

    /// What is set on the socket.
    pub socket: SocketOptions,
}

/// So many at once, and as many again in so long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In how long.
    pub per: Duration,
}

/// What a frame means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// Every frame is a heartbeat and is counted; nothing is answered.
    Sink,
    /// Every frame is sent back.
    Echo,
    /// The messages of the protocol's section 3.
    Gate,
    /// Frames go to the `Handler` as they are; for applications of the library.
    Frames,
}

/// Whether a connection must say whose it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Login {
    /// Nobody logs in here.
    None,
    /// Who wants to send must have logged in.
    Optional,
    /// Nothing goes before a login.
    Required,
}

/// How the token of a login is checked, by what [`Gate::set_tokens`](crate::Gate::set_tokens) was
/// given. Where it was given nothing that fits, nobody logs in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoginCheck {
    /// Not at all, or by the handler.
    None,
    /// It is one of the user's own.
    Users,
    /// It is signed, and for that user.
    Jwt,
}

/// What the connections of a listener may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]

pub struct Allow {
    /// `send` and `asend`.
    pub send: bool,
    /// `pub`.
    pub publish: bool,
    /// `join` and `leave`.
    pub join: bool,
    /// `data`.
    pub data: bool,
}

/// What happens to a connection that does not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SlowConsumer {
    /// It is closed.
    Close,
    /// What would not fit is dropped and counted; deadlines of writing still hold.
    DropNewest,
}

/// What happens when a user logs in who is here already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UserPolicy {
    /// The newcomer stays, the older connection is told `close replaced`.
    Replace,
    /// The newcomer is told `error user-taken`.
    Reject,
    /// So many connections share the user; the oldest is replaced.
    Devices(u16),
}

/// Above so much waiting output nobody is read who has yet to log in where that is required:
/// answers to pings and errors are all that a stranger can cause.
const STRANGER_OUTPUT: usize = 4_096;

impl Settings {
    /// Above so much waiting output a connection is not read.
    pub(crate) fn output_low(&self, is_logged_in: bool) -> usize {
        if is_logged_in || self.login != Login::Required {
            self.outbox_low
        } else {
            self.outbox_low.min(STRANGER_OUTPUT)
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        const KIB: usize = 1_024;
        Self {
            name: String::from("clients"),
            bind: vec![SocketAddr::from(([127, 0, 0, 1], 7373))],
            framing: Framing::Line,
            dialect: Dialect::Gate,
            login: Login::Optional,
            login_check: LoginCheck::None,
            allow: Allow {
                send: true,
                publish: true,
                join: true,
                data: true,
            },
            slow_consumer: SlowConsumer::Close,
            idle_timeout: Some(Duration::from_secs(60)),
            login_timeout: Some(Duration::from_secs(5)),
            frame_timeout: Some(Duration::from_secs(10)),
            lifetime: None,
            write_timeout: Some(Duration::from_secs(10)),
            output_age: Some(Duration::from_secs(30)),
            ping_after: None,
            ack_timeout: Duration::from_secs(10),
            ack_attempts: 5,
            offline_ttl: Duration::from_secs(60),
            offline_max: 32,
            frame_max: 64 * KIB,
            login_frame_max: 4 * KIB,
            outbox_low: 16 * KIB,
            outbox_soft: 64 * KIB,
            outbox_soft_for: Duration::from_secs(10),
            outbox_max: 256 * KIB,
            bad_requests_max: 16,
            failed_logins_max: 3,
            login_delay: None,
            linger: Duration::from_secs(1),
            reconnect: Duration::from_secs(1),
            trusted_proxies: Vec::new(),
            proxy_timeout: Duration::from_secs(3),
            message_rate: None,
            byte_rate: None,
            rate_interval: Duration::from_secs(1),
            rate_strikes: 10,
            socket: SocketOptions::default(),
        }
    }
}
