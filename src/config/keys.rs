//! Every setting, defined once: its name, what it means, how it is read and shown. Files, flags,
//! variables, help and `pulsegate config` all come from these tables.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::framing;
use super::kinds::{
    DIALECTS, FORMATS, LEVELS, LOGINS, SLOW, read_admin_bind, read_allow, read_binds,
    read_connections, read_path, read_policy, show_allow, show_policy, show_word,
};
use super::value::{self, Value, Wrong, show_duration, show_optional, show_size};
use super::{AdminBind, Config, LogFormat};
use crate::settings::{Dialect, Login, Settings, SlowConsumer};

/// One setting of `T`.
pub(crate) struct Key<T: 'static> {
    /// The name in the file; for a listener's settings `-` for `_` is the flag.
    pub(crate) name: &'static str,
    /// The flag, where it is not the name.
    pub(crate) flag: &'static str,
    /// What it means, in one line.
    pub(crate) help: &'static str,
    pub(crate) set: fn(&mut T, &Value) -> Result<(), Wrong>,
    pub(crate) show: fn(&T) -> String,
}

/// The settings of a table of the file.
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) keys: &'static [Key<Config>],
}

/// The settings that hold for all listeners together.
pub(crate) const SECTIONS: &[Section] = &[
    Section {
        name: "log",
        keys: LOG,
    },
    Section {
        name: "limits",
        keys: LIMITS,
    },
    Section {
        name: "loop",
        keys: LOOP,
    },
    Section {
        name: "users",
        keys: USERS,
    },
    Section {
        name: "admin",
        keys: ADMIN,
    },
    Section {
        name: "drain",
        keys: DRAIN,
    },
];

impl<T> Key<T> {
    /// The name of the flag, without dashes.
    pub(crate) fn flag(&self) -> String {
        let flag = if self.flag.is_empty() {
            self.name
        } else {
            self.flag
        };
        flag.replace('_', "-")
    }

    /// The name of the variable.
    pub(crate) fn variable(&self) -> String {
        format!("PULSEGATE_{}", self.flag().replace('-', "_").to_uppercase())
    }
}

/// A key from how it is read and shown: `read` gives the field's new value.
macro_rules! key {
    ($name:expr, $flag:expr, $help:expr, $($field:ident).+, $read:expr, $show:expr) => {
        Key {
            name: $name,
            flag: $flag,
            help: $help,
            set: |target, value| {
                target.$($field).+ = $read(value)?;
                Ok(())
            },
            show: |target| $show(&target.$($field).+),
        }
    };
}

/// A listener's duration.
macro_rules! span {
    ($field:ident, $help:expr) => {
        key!(
            stringify!($field),
            "",
            $help,
            $field,
            |v| value::duration(v, false),
            |d: &Duration| { show_duration(*d) }
        )
    };
}

/// A listener's duration that may be off.
macro_rules! optional_span {
    ($($field:ident).+, $name:expr, $help:expr) => {
        key!($name, "", $help, $($field).+, value::optional_duration, |d: &Option<Duration>| {
            show_optional(*d)
        })
    };
}

/// A number of bytes.
macro_rules! bytes {
    ($($field:ident).+, $name:expr, $help:expr) => {
        key!($name, "", $help, $($field).+, value::size, |b: &usize| show_size(*b))
    };
}

/// A whole number of a type that holds every number from `$least` to `$most`.
macro_rules! number {
    ($($field:ident).+, $name:expr, $help:expr, $type:ty, $least:expr, $most:expr) => {
        key!(
            $name,
            "",
            $help,
            $($field).+,
            |v| {
                let number = value::number(v, $least, $most)?;
                <$type>::try_from(number).map_err(|_| Wrong::from("too large"))
            },
            |n: &$type| n.to_string()
        )
    };
}

const LOG: &[Key<Config>] = &[
    key!(
        "level",
        "log_level",
        "what is logged: error, warn, info, debug or trace",
        log.level,
        |v| value::choice(v, LEVELS),
        |level: &log::LevelFilter| format!("\"{}\"", level.as_str().to_lowercase())
    ),
    key!(
        "format",
        "log_format",
        "a line of text or of JSON: text or json",
        log.format,
        |v| value::choice(v, FORMATS),
        |format: &LogFormat| show_word(FORMATS, *format)
    ),
];

const LIMITS: &[Key<Config>] = &[
    key!(
        "connections",
        "",
        "connections at most, all listeners together; auto: what the descriptor limit allows",
        connections,
        read_connections,
        |n: &Option<u32>| n.map_or_else(|| String::from("\"auto\""), |n| n.to_string())
    ),
    bytes!(
        limits.input_budget,
        "input_budget",
        "bytes of half frames; over it the oldest half frame's connection is closed"
    ),
    bytes!(
        limits.output_budget,
        "output_budget",
        "bytes of waiting output; over it the largest outbox's connection is closed"
    ),
    bytes!(
        limits.offline_budget,
        "offline_budget",
        "bytes of unacknowledged and parked messages; over it the oldest parked one is dropped"
    ),
    number!(
        limits.topics,
        "topics",
        "topics at most",
        u32,
        0,
        100_000_000
    ),
];

const LOOP: &[Key<Config>] = &[optional_span!(
    coalesce,
    "coalesce",
    "a latency budget: with little ready the loop rests so long between turns"
)];

const USERS: &[Key<Config>] = &[key!(
    "policy",
    "user_policy",
    "a second login: replace, reject or { devices = N }",
    users,
    read_policy,
    show_policy
)];

const ADMIN: &[Key<Config>] = &[
    key!(
        "bind",
        "admin_bind",
        "where the admin interface listens: an address, unix:PATH or off",
        admin.bind,
        read_admin_bind,
        |bind: &AdminBind| format!("\"{bind}\"")
    ),
    key!(
        "token_file",
        "admin_token_file",
        "the file that holds the admin token; empty: none",
        admin.token_file,
        read_path,
        |path: &Option<PathBuf>| {
            format!("{:?}", path.clone().unwrap_or_default())
        }
    ),
];

const DRAIN: &[Key<Config>] = &[
    key!(
        "over",
        "drain_over",
        "the goodbyes at SIGTERM are spread over so long",
        drain.over,
        |v| value::duration(v, true),
        |d: &Duration| show_duration(*d)
    ),
    key!(
        "timeout",
        "drain_timeout",
        "whoever is left so long after SIGTERM is cut",
        drain.timeout,
        |v| value::duration(v, true),
        |d: &Duration| show_duration(*d)
    ),
];

/// The name and the addresses of a listener: not to be set for all.
pub(crate) const IDENTITY: &[Key<Settings>] = &[
    key!(
        "name",
        "",
        "the name in logs and metrics",
        name,
        |v| value::text(v).map(str::to_owned),
        |name: &String| format!("{name:?}")
    ),
    key!(
        "bind",
        "",
        "where it listens: an address or a list of them",
        bind,
        read_binds,
        |binds: &Vec<SocketAddr>| {
            let each: Vec<String> = binds.iter().map(|bind| format!("\"{bind}\"")).collect();
            if let [only] = &each[..] {
                only.clone()
            } else {
                format!("[{}]", each.join(", "))
            }
        }
    ),
];

/// Every other setting of a listener.
pub(crate) const LISTENER: &[Key<Settings>] = &[
    key!(
        "framing",
        "",
        "raw, line, lenhdr, binary, { lenhdr = { bare_ping = true } } or { binary = { width, \
         endian, offset, adjust, strip } }",
        framing,
        framing::read,
        framing::show
    ),
    key!(
        "dialect",
        "",
        "what a frame means: gate, echo or sink",
        dialect,
        |v| value::choice(v, DIALECTS),
        |dialect: &Dialect| show_word(DIALECTS, *dialect)
    ),
    key!(
        "login",
        "",
        "none, optional or required",
        login,
        |v| value::choice(v, LOGINS),
        |login: &Login| show_word(LOGINS, *login)
    ),
    key!(
        "allow",
        "",
        "what clients may do: send, pub, join, data",
        allow,
        read_allow,
        show_allow
    ),
    key!(
        "slow_consumer",
        "",
        "who does not read: close or drop-newest",
        slow_consumer,
        |v| value::choice(v, SLOW),
        |policy: &SlowConsumer| show_word(SLOW, *policy)
    ),
    optional_span!(
        idle_timeout,
        "idle_timeout",
        "no byte from the client for so long: closed"
    ),
    optional_span!(
        login_timeout,
        "login_timeout",
        "where a login is required: closed without one"
    ),
    optional_span!(
        frame_timeout,
        "frame_timeout",
        "a frame begun and not whole: closed"
    ),
    optional_span!(
        lifetime,
        "lifetime",
        "closed so long after accept, whatever it sends"
    ),
    optional_span!(
        write_timeout,
        "write_timeout",
        "output waits and the socket takes none: closed"
    ),
    optional_span!(
        output_age,
        "output_age",
        "a byte waits in the outbox for so long: closed"
    ),
    optional_span!(
        ping_after,
        "ping_after",
        "the server sends ping after so much silence"
    ),
    span!(
        ack_timeout,
        "a message without ack is sent again after so long"
    ),
    number!(
        ack_attempts,
        "ack_attempts",
        "how often it is sent in all",
        u8,
        1,
        255
    ),
    span!(
        offline_ttl,
        "how long a parked message and an absent user are kept"
    ),
    number!(
        offline_max,
        "offline_max",
        "parked messages per user",
        u32,
        0,
        1_000_000
    ),
    bytes!(frame_max, "frame_max", "bytes of a frame's body"),
    bytes!(
        login_frame_max,
        "login_frame_max",
        "the same before a login that is required"
    ),
    bytes!(
        outbox_low,
        "outbox_low",
        "above it the connection is not read"
    ),
    bytes!(
        outbox_soft,
        "outbox_soft",
        "above it for outbox_soft_for: slow_consumer"
    ),
    span!(
        outbox_soft_for,
        "how long an outbox may be above outbox_soft"
    ),
    bytes!(outbox_max, "outbox_max", "above it: slow_consumer at once"),
    number!(
        bad_requests_max,
        "bad_requests_max",
        "bad requests until closed",
        u8,
        1,
        255
    ),
    number!(
        failed_logins_max,
        "failed_logins_max",
        "failed logins until closed",
        u8,
        1,
        255
    ),
    span!(linger, "how long a client has to read its goodbye"),
    span!(
        reconnect,
        "when a client told that the server is full should come back"
    ),
    number!(
        socket.backlog,
        "backlog",
        "connections the kernel keeps until accepted",
        u32,
        1,
        65_535
    ),
    optional_span!(
        socket.keepalive,
        "keepalive",
        "TCP keepalive after so much silence"
    ),
    optional_span!(
        socket.user_timeout,
        "user_timeout",
        "TCP_USER_TIMEOUT: sent and not acknowledged"
    ),
    key!(
        "send_buffer",
        "",
        "SO_SNDBUF, or auto",
        socket.send_buffer,
        value::optional_size,
        |size: &Option<usize>| size.map_or_else(|| String::from("\"auto\""), show_size)
    ),
    key!(
        "receive_buffer",
        "",
        "SO_RCVBUF, or auto",
        socket.receive_buffer,
        value::optional_size,
        |size: &Option<usize>| size.map_or_else(|| String::from("\"auto\""), show_size)
    ),
];
