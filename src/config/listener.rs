//! The settings of a listener, one definition each; see `keys`.

use std::time::Duration;

use super::framing;
use super::keys::{Key, Takes, key, number, off_span, size, span, word};
use super::kinds::{
    CHECKS, DIALECTS, LOGINS, SLOW, read_allow, read_binds, read_buffer, read_name, read_networks,
    show_allow, show_binds, show_buffer, show_name, show_networks,
};
use super::value::{self, SPAN_END, STEP};
use crate::settings::Settings;

/// How help groups these settings: each title, and the first key below it.
pub(crate) const GROUPS: &[(&str, &str)] = &[
    ("Listeners", "name"),
    ("Listeners, deadlines", "idle_timeout"),
    ("Listeners, acknowledged messages", "ack_timeout"),
    ("Listeners, sizes", "frame_max"),
    ("Listeners, refusals and goodbyes", "bad_requests_max"),
    ("Listeners, rates of one connection", "message_rate"),
    ("Listeners, proxies in front", "trusted_proxies"),
    ("Listeners, sockets", "backlog"),
];

/// The name and the addresses of a listener: not to be set for all.
pub(crate) const IDENTITY: &[Key<Settings>] = &[
    key! { "name", "", Text, name, read_name, show_name, "the name in logs and metrics" },
    key! { "bind", "", List, bind, read_binds, show_binds,
    "where the only listener listens: ADDR:PORT, several with commas" },
];

/// Every other setting of a listener.
pub(crate) const LISTENER: &[Key<Settings>] = &[
    key! { "framing", "", Word, framing, framing::read, framing::show,
    "how bytes become frames: raw, line, lenhdr, binary, or a table with options" },
    word! { "dialect", "", dialect, DIALECTS, "what a frame means: gate, echo, sink" },
    word! { "login", "", login, LOGINS, "whether clients log in: none, optional, required" },
    word! { "login_check", "", login_check, CHECKS,
    "how the token of a login is checked: none, users, jwt" },
    key! { "allow", "", List, allow, read_allow, show_allow,
    "what clients may do: send, pub, join, data" },
    word! { "slow_consumer", "", slow_consumer, SLOW,
    "what becomes of who does not read: close, drop-newest" },
    off_span! { "idle_timeout", idle_timeout, STEP, SPAN_END,
    "closed when no byte came from the client for so long" },
    off_span! { "login_timeout", login_timeout, STEP, SPAN_END,
    "closed when not logged in by then, where a login is required" },
    off_span! { "frame_timeout", frame_timeout, STEP, SPAN_END,
    "closed when a frame is not whole so long after its first byte" },
    off_span! { "lifetime", lifetime, STEP, SPAN_END,
    "closed so long after accept, whatever it sends" },
    off_span! { "write_timeout", write_timeout, STEP, SPAN_END,
    "closed when output waits and the socket took none for so long" },
    off_span! { "output_age", output_age, STEP, SPAN_END,
    "closed when a byte has waited in the outbox for so long" },
    off_span! { "ping_after", ping_after, STEP, SPAN_END,
    "the server sends ping after so much silence" },
    span! { "ack_timeout", "", ack_timeout, STEP,
    "a message without ack is sent again after so long" },
    number! { "ack_attempts", ack_attempts, u8, 1, 255,
    "how often it is sent in all; then it is parked" },
    span! { "offline_ttl", "", offline_ttl, STEP,
    "how long a parked message and an absent user are kept" },
    number! { "offline_max", offline_max, u32, 0, 1_000_000,
    "parked messages per user; one more is refused" },
    size! { "frame_max", frame_max, 1, FRAME_MAX,
    "bytes of a frame's body; closed where one is longer" },
    size! { "login_frame_max", login_frame_max, 1, FRAME_MAX,
    "the same before a login that is required" },
    size! { "outbox_low", outbox_low, 1, OUTBOX_MAX,
    "bytes waiting above which the connection is not read" },
    size! { "outbox_soft", outbox_soft, 1, OUTBOX_MAX,
    "bytes waiting above which, for outbox-soft-for, it is a slow consumer" },
    span! { "outbox_soft_for", "", outbox_soft_for, STEP,
    "how long it may be above outbox-soft" },
    size! { "outbox_max", outbox_max, 1, OUTBOX_MAX,
    "bytes waiting above which it is a slow consumer at once" },
    number! { "bad_requests_max", bad_requests_max, u8, 1, 255,
    "closed at so many bad requests" },
    number! { "failed_logins_max", failed_logins_max, u8, 1, 255,
    "closed at so many failed logins" },
    off_span! { "login_delay", login_delay, STEP, SPAN_END,
    "a failed login is answered so long after it failed" },
    span! { "linger", "", linger, STEP, "how long a client has to read its goodbye" },
    span! { "reconnect", "", reconnect, Duration::ZERO,
    "when a client that is told \"overloaded\" should come back" },
    key! { "message_rate", "", Number, message_rate,
    |v| value::optional_number(v, 1, 1_000_000_000), value::show_optional_number,
    "frames in a rate-interval; above it is not read until that is over" },
    key! { "byte_rate", "", Size, byte_rate, |v| value::off_size(v, 1, RATE_BYTES_MAX),
    value::show_off_size, "the same for bytes" },
    span! { "rate_interval", "", rate_interval, STEP, "how long such an interval is" },
    number! { "rate_strikes", rate_strikes, u8, 1, 255,
    "closed when held back in so many intervals in a row" },
    key! { "trusted_proxies", "", List, trusted_proxies, read_networks, show_networks,
    "networks of proxies: each must send a PROXY header, nobody else may connect" },
    span! { "proxy_timeout", "", proxy_timeout, STEP,
    "closed when the PROXY header is not whole so long after accept" },
    number! { "backlog", socket.backlog, u32, 1, 1 << 20,
    "newcomers the kernel keeps until they are accepted" },
    off_span! { "keepalive", socket.keepalive, Duration::from_secs(1), KEEPALIVE_END,
    "TCP keepalive after so much silence, in whole seconds" },
    off_span! { "user_timeout", socket.user_timeout, STEP, USER_TIMEOUT_END,
    "how long sent bytes may stay unacknowledged by the peer's kernel" },
    key! { "send_buffer", "", Size, socket.send_buffer, read_buffer, show_buffer,
    "bytes of the kernel's send buffer, or auto" },
    key! { "receive_buffer", "", Size, socket.receive_buffer, read_buffer, show_buffer,
    "bytes of the kernel's receive buffer, or auto" },
    key! { "unsent_max", "", Size, socket.unsent_max, read_buffer, show_buffer,
    "bytes that the kernel takes before it has sent them, or auto" },
];

/// Positions in an outbox are compared on a circle of 2^32: what waits must stay below half of it,
/// a frame on top included.
const OUTBOX_MAX: usize = 1 << 30;
/// Bytes are counted on a circle of 2^32.
const RATE_BYTES_MAX: usize = 1 << 30;
const FRAME_MAX: usize = OUTBOX_MAX - 1;
/// `MAX_TCP_KEEPIDLE` of the kernel is 32,767 s.
const KEEPALIVE_END: Duration = Duration::from_secs(32_768);
/// The kernel takes an `int` of milliseconds: a little over 24 days.
const USER_TIMEOUT_END: Duration = Duration::from_secs(24 * 86_400);
