//! Every setting, defined once: its name, what it means, how it is read and shown. Files, flags,
//! variables, help and `pulsegate config` all come from these tables.
//!
//! Here are the settings of the process; those of a listener are in `listener`.

use std::time::Duration;

use super::Config;
use super::kinds::{
    FORMATS, HARDENINGS, LEVELS, read_account, read_admin_bind, read_connections, read_hosts,
    read_path, read_paths, read_policy, show_account, show_admin_bind, show_connections,
    show_hosts, show_path, show_paths, show_policy,
};
use super::value::{self, Value, Wrong};

/// One setting of `T`.
pub(crate) struct Key<T: 'static> {
    /// The name in the file.
    pub(crate) name: &'static str,
    /// The flag with `_` for `-`, where it is not the name.
    pub(crate) flag: &'static str,
    /// What kind of value it takes.
    pub(crate) takes: Takes,
    /// What it means, in one line.
    pub(crate) help: &'static str,
    pub(crate) set: fn(&mut T, &Value) -> Result<(), Wrong>,
    pub(crate) show: fn(&T) -> String,
}

/// What kind of value a setting takes: how help calls it, and how the text of a flag is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Takes {
    Word,
    /// A text that is never anything else.
    Text,
    /// Several words or addresses.
    List,
    Duration,
    Size,
    Number,
    /// So many in so long.
    Rate,
}

/// The settings of a table of the file.
pub(crate) struct Section {
    pub(crate) name: &'static str,
    /// What help puts above its flags.
    pub(crate) title: &'static str,
    pub(crate) keys: &'static [Key<Config>],
}

/// The settings that hold for all listeners together.
#[rustfmt::skip]
pub(crate) const SECTIONS: &[Section] = &[
    Section { name: "log", title: "Log", keys: LOG },
    Section { name: "limits", title: "Limits of the whole daemon", keys: LIMITS },
    Section { name: "loop", title: "Loop", keys: LOOP },
    Section { name: "users", title: "Users", keys: USERS },
    Section { name: "logins", title: "Login checks", keys: LOGINS },
    Section { name: "lists", title: "Black and white lists", keys: LISTS },
    Section { name: "admin", title: "Admin interface", keys: ADMIN },
    Section { name: "drain", title: "Shutdown", keys: DRAIN },
    Section { name: "process", title: "Process", keys: PROCESS },
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

impl Takes {
    /// What stands for the value in help.
    pub(crate) fn placeholder(self) -> &'static str {
        match self {
            Self::Word => "WORD",
            Self::Text => "TEXT",
            Self::List => "LIST",
            Self::Duration => "DURATION",
            Self::Size => "SIZE",
            Self::Number => "NUMBER",
            Self::Rate => "RATE",
        }
    }
}

/// A key from how it is read and shown: `read` gives the field's new value.
macro_rules! key {
    (
        $name:expr, $flag:expr, $takes:ident, $($field:ident).+, $read:expr, $show:expr, $help:expr
    ) => {
        Key {
            name: $name,
            flag: $flag,
            takes: Takes::$takes,
            help: $help,
            set: |target, value| {
                target.$($field).+ = $read(value)?;
                Ok(())
            },
            show: |target| $show(&target.$($field).+),
        }
    };
}

/// One of several words.
macro_rules! word {
    ($name:expr, $flag:expr, $($field:ident).+, $words:ident, $help:expr) => {
        key!(
            $name,
            $flag,
            Word,
            $($field).+,
            |v| value::choice(v, $words),
            |word| value::show_word($words, word),
            $help
        )
    };
}

/// A duration.
macro_rules! span {
    ($name:expr, $flag:expr, $($field:ident).+, $least:expr, $help:expr) => {
        key!(
            $name,
            $flag,
            Duration,
            $($field).+,
            |v| value::duration(v, $least, value::SPAN_END),
            |span: &Duration| value::show_duration(*span),
            $help
        )
    };
}

/// A duration that may be off.
macro_rules! off_span {
    ($name:expr, $($field:ident).+, $least:expr, $end:expr, $help:expr) => {
        key!(
            $name,
            "",
            Duration,
            $($field).+,
            |v| value::optional_duration(v, $least, $end),
            |span: &Option<Duration>| value::show_optional(*span),
            $help
        )
    };
}

/// A number of bytes.
macro_rules! size {
    ($name:expr, $($field:ident).+, $least:expr, $most:expr, $help:expr) => {
        key!(
            $name,
            "",
            Size,
            $($field).+,
            |v| value::size(v, $least, $most),
            |bytes: &usize| value::show_size(*bytes),
            $help
        )
    };
}

/// A whole number of a type that holds every number from `$least` to `$most`.
macro_rules! number {
    ($name:expr, $($field:ident).+, $type:ty, $least:expr, $most:expr, $help:expr) => {
        key!(
            $name,
            "",
            Number,
            $($field).+,
            |v| value::number(v, $least, $most)
                .map(|number| <$type>::try_from(number).unwrap_or(<$type>::MAX)),
            |number: &$type| number.to_string(),
            $help
        )
    };
}

/// So many in so long, or off.
macro_rules! rate {
    ($name:expr, $($field:ident).+, $help:expr) => {
        key!($name, "", Rate, $($field).+, value::rate, value::show_rate, $help)
    };
}

pub(super) use {key, number, off_span, size, span, word};

// Braces keep each key on the lines it needs: rustfmt leaves such calls alone.

const LOG: &[Key<Config>] = &[
    word! { "level", "log_level", log.level, LEVELS,
    "the least important lines shown: error, warn, info, debug, trace" },
    word! { "format", "log_format", log.format, FORMATS,
    "how a line looks: text, json" },
];

const LIMITS: &[Key<Config>] = &[
    key! { "connections", "", Number, connections, read_connections, show_connections,
    "connections, all listeners together, one more is refused; auto: what descriptors allow" },
    size! { "input_budget", limits.input_budget, 1, BUDGET_MAX,
    "bytes of half frames; over it the oldest half frame's connection is closed" },
    size! { "output_budget", limits.output_budget, 1, BUDGET_MAX,
    "bytes of waiting output; over it the largest outbox's connection is closed" },
    size! { "offline_budget", limits.offline_budget, 1, BUDGET_MAX,
    "bytes of unacknowledged messages; over it the one parked longest is dropped" },
    number! { "topics", limits.topics, u32, 1, 100_000_000,
    "topics at most, all together; one more is refused" },
    key! { "connections_per_address", "", Number, limits.address_connections,
    |v| value::optional_number(v, 1, 100_000_000), value::show_optional_number,
    "connections of one address, or of 64 bits of IPv6; one more is refused" },
    rate! { "accept_rate", limits.accept_rate,
    "newcomers, all listeners together; those above it wait in the backlog" },
    rate! { "accept_rate_per_address", limits.address_accept_rate,
    "newcomers of one address; one more is refused" },
    rate! { "login_rate", limits.login_rate,
    "logins tried, all together; one more is refused" },
    rate! { "login_rate_per_address", limits.address_login_rate,
    "logins tried from one address; one more is refused" },
    rate! { "login_rate_per_user", limits.user_login_rate,
    "logins tried under one name; one more is refused" },
    rate! { "takeover_rate_per_user", limits.user_takeover_rate,
    "logins that replace a connection of their user; one more waits, each twice as long" },
];

const LOOP: &[Key<Config>] = &[
    key! { "coalesce", "", Duration, coalesce, |v| value::latency(v, COALESCE_END),
    |span: &Option<Duration>| value::show_optional(*span),
    "a latency budget: with little ready the loop rests so long between turns" },
];

const USERS: &[Key<Config>] = &[
    key! { "policy", "user_policy", Word, users, read_policy, show_policy,
    "a user's second login: replace, reject, { devices = N }" },
];

const LOGINS: &[Key<Config>] = &[
    key! { "users_file", "login_users_file", Text, logins.users_file, read_path, show_path,
    "the file of users with the SHA-256 of their tokens, where login_check is users" },
    key! { "keys_file", "login_keys_file", Text, logins.keys_file, read_path, show_path,
    "the JWK Set that signed tokens are judged by, where login_check is jwt" },
    key! { "issuer", "login_issuer", Text, logins.issuer, value::owned_text, value::show_owned,
    "the iss that a signed token must have" },
    key! { "audience", "login_audience", Text, logins.audience, value::owned_text,
    value::show_owned, "the aud that a signed token must have" },
];

const LISTS: &[Key<Config>] = &[
    key! { "black", "black_lists", List, lists.black, read_paths, show_paths,
    "files of networks and users that are kept out, one a line" },
    key! { "white", "white_lists", List, lists.white, read_paths, show_paths,
    "files of those that are let in although a wider entry keeps them out" },
];

const ADMIN: &[Key<Config>] = &[
    key! { "bind", "admin_bind", Text, admin.bind, read_admin_bind, show_admin_bind,
    "where it listens: an address, unix:PATH, off" },
    key! { "token_file", "admin_token_file", Text, admin.token_file, read_path, show_path,
    "the file that holds its token; PULSEGATE_ADMIN_TOKEN holds the token itself" },
    key! { "hosts", "admin_hosts", List, admin.hosts, read_hosts, show_hosts,
    "further names under which it is reached, beside localhost and its address" },
];

const DRAIN: &[Key<Config>] = &[
    span! { "over", "drain_over", drain.over, Duration::ZERO,
    "the goodbyes at SIGTERM are spread over so long" },
    span! { "timeout", "drain_timeout", drain.timeout, Duration::ZERO,
    "whoever is left so long after the last of the goodbyes is cut" },
];

const PROCESS: &[Key<Config>] = &[
    key! { "user", "", Text, process.user, read_account, show_account,
    "whom it runs as once everything is bound, where it is started as root" },
    key! { "group", "", Text, process.group, read_account, show_account,
    "the group instead of that of the user" },
    word! { "hardening", "", process.hardening, HARDENINGS,
    "files and system calls that it has no use for: on (refused), log (calls are told), off" },
    off_span! { "hang_warn", process.hang_warn, HANG_MIN, value::SPAN_END,
    "told of in the log when a turn of the loop takes so long, while it does" },
    off_span! { "hang_abort", process.hang_abort, HANG_MIN, value::SPAN_END,
    "the process is aborted when a turn takes so long, with what is known" },
];

/// Turns that are shorter are those of a loop with much to do.
const HANG_MIN: Duration = Duration::from_millis(200);
/// More than any machine has: sums of budgets must not overflow.
const BUDGET_MAX: usize = 1 << 50;
/// A loop that rests longer is no longer one that answers.
const COALESCE_END: Duration = Duration::from_millis(1_001);
