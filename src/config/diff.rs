//! What differs between two configurations, and what of it holds at once.
//!
//! Pure, and written over the tables of keys: a new key needs nothing here, unless it belongs to
//! those that hold from the next start on.

use std::fmt;

use toml::de::DeValue;

use super::keys::{Key, SECTIONS, Takes};
use super::listener::{IDENTITY, LISTENER};
use super::value::{self, Value};
use super::{Config, Spot};
use crate::settings::Settings;

/// A setting that differs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// The setting: `limits.topics`, `listener.clients.idle_timeout`; a listener that comes or
    /// goes: `listener.clients`.
    pub key: String,
    /// What it was, as one would write it; `none` for a listener that comes.
    pub old: String,
    /// What it becomes; `none` for a listener that goes.
    pub new: String,
    /// Whether it holds at once, or from the next start on.
    pub needs_restart: bool,
    /// It allows less than before to connections that are there.
    pub is_tighter: bool,
    /// So many live connections come under it, where it is tighter and holds at once. Filled in by
    /// whoever knows the connections.
    pub touches: u32,
    pub(crate) listener: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, old, new, .. } = self;
        write!(f, "{key}: {old} -> {new}")?;
        match self {
            Self {
                needs_restart: true,
                ..
            } => f.write_str(" (needs a restart)"),
            Self {
                is_tighter: true,
                touches,
                ..
            } => write!(f, " (tighter, connections={touches})"),
            _ => Ok(()),
        }
    }
}

/// Settings of the process that hold from the next start on.
const AT_START: &[(&str, &str)] = &[
    ("log", "format"),
    ("admin", "bind"),
    ("admin", "token_file"),
    ("admin", "hosts"),
    ("process", "user"),
    ("process", "group"),
    ("process", "hardening"),
    ("process", "hang_warn"),
    ("process", "hang_abort"),
];

/// Settings of a listener that hold from the next start on: its sockets are bound and tuned with
/// them, or its live connections speak as they say.
const AT_BIND: &[&str] = &[
    "name",
    "bind",
    "framing",
    "dialect",
    "backlog",
    "keepalive",
    "user_timeout",
    "send_buffer",
    "receive_buffer",
    "unsent_max",
];

/// Settings of a listener that are no limit on anybody.
const NO_LIMIT: &[&str] = &["reconnect", "login_delay"];

/// Whether a change of a setting waits for a restart.
pub(crate) fn needs_restart(table: &str, key: &str) -> bool {
    AT_START.contains(&(table, key)) || table == "listener" && AT_BIND.contains(&key)
}

/// Everything that differs, in the order of the tables.
pub(crate) fn diff(old: &Config, new: &Config) -> Vec<Change> {
    let mut changes = Vec::new();
    for section in SECTIONS {
        for key in section.keys {
            let (was, is) = ((key.show)(old), (key.show)(new));
            if was != is {
                let at_start = AT_START.contains(&(section.name, key.name));
                let grows = section.name == "limits" && outgrows(key.name, old, new);
                changes.push(Change {
                    key: format!("{}.{}", section.name, key.name),
                    needs_restart: at_start || grows,
                    is_tighter: section.name == "limits" && is_tighter(key.takes, &was, &is),
                    old: was,
                    new: is,
                    touches: 0,
                    listener: None,
                });
            }
        }
    }
    for listener in &old.listeners {
        match named(&new.listeners, &listener.name) {
            Some(other) => changes.extend(diff_listener(listener, other)),
            None => changes.push(moved(listener, true)),
        }
    }
    let comes = |listener: &&Settings| named(&old.listeners, &listener.name).is_none();
    let coming = new.listeners.iter().filter(comes);
    changes.extend(coming.map(|listener| moved(listener, false)));
    changes
}

/// `old` with everything of `new` that holds at once: what is in force after a reload.
pub(crate) fn merge(old: &Config, new: &Config) -> Config {
    let mut merged = old.clone();
    for section in SECTIONS {
        for key in section.keys {
            let at_start = AT_START.contains(&(section.name, key.name));
            if at_start || section.name == "limits" && outgrows(key.name, old, new) {
                continue;
            }
            put(key, &mut merged, new);
            let spot = Spot::Global(section.name, key.name);
            merged.carry(spot, new, spot);
        }
    }
    for number in 0..merged.listeners.len() {
        let name = &merged.listeners[number].name;
        let Some(place) = new.listeners.iter().position(|one| one.name == *name) else {
            continue;
        };
        for key in LISTENER.iter().filter(|key| !AT_BIND.contains(&key.name)) {
            put(key, &mut merged.listeners[number], &new.listeners[place]);
            let spot = |number| Spot::Listener(number, key.name);
            merged.carry(spot(number), new, spot(place));
        }
    }
    merged
}

/// The tables are reserved at start: more connections than that need another one.
fn outgrows(key: &str, old: &Config, new: &Config) -> bool {
    key == "connections"
        && new
            .connections
            .is_some_and(|wanted| wanted > old.limits.connections)
}

fn named<'a>(listeners: &'a [Settings], name: &str) -> Option<&'a Settings> {
    listeners.iter().find(|listener| listener.name == name)
}

/// A listener that goes, or comes.
fn moved(listener: &Settings, goes: bool) -> Change {
    let bind = IDENTITY.iter().find(|key| key.name == "bind");
    let place = bind.map_or_else(String::new, |key| (key.show)(listener));
    let none = String::from("none");
    let (old, new) = if goes { (place, none) } else { (none, place) };
    Change {
        key: format!("listener.{}", listener.name),
        old,
        new,
        needs_restart: true,
        is_tighter: false,
        touches: 0,
        listener: Some(listener.name.clone()),
    }
}

fn diff_listener(old: &Settings, new: &Settings) -> Vec<Change> {
    let keys = IDENTITY.iter().chain(LISTENER);
    let differs = |key: &Key<Settings>| {
        let (was, is) = ((key.show)(old), (key.show)(new));
        let needs_restart = AT_BIND.contains(&key.name);
        (was != is).then(|| Change {
            key: format!("listener.{}.{}", old.name, key.name),
            needs_restart,
            is_tighter: !needs_restart
                && !NO_LIMIT.contains(&key.name)
                && is_tighter(key.takes, &was, &is),
            old: was,
            new: is,
            touches: 0,
            listener: Some(old.name.clone()),
        })
    };
    keys.filter_map(differs).collect()
}

/// Whether a limit allows less. What is no amount (words, lists) counts as tighter: who may do
/// what has changed.
fn is_tighter(takes: Takes, old: &str, new: &str) -> bool {
    match (measure(takes, old), measure(takes, new)) {
        (Some(old), Some(new)) => new < old,
        _ => true,
    }
}

/// A duration in milliseconds, a size in bytes, a number; without a limit more than any.
fn measure(takes: Takes, shown: &str) -> Option<u128> {
    let value = value_of(shown)?;
    if matches!(&value, Value::Text(text) if text == "off" || text == "auto") {
        return Some(u128::MAX);
    }
    match takes {
        Takes::Duration => {
            let span = value::duration(&value, std::time::Duration::ZERO, value::SPAN_END);
            span.ok().map(|span| span.as_millis())
        }
        Takes::Size => value::size(&value, 0, usize::MAX)
            .ok()
            .map(|bytes| bytes as u128),
        Takes::Number => value::number(&value, 0, i64::MAX)
            .ok()
            .map(i64::unsigned_abs)
            .map(u128::from),
        Takes::Rate => {
            let rate = value::rate(&value).ok().flatten()?;
            Some(u128::from(rate.count) * 3_600_000_000 / rate.per.as_millis())
        }
        Takes::Word | Takes::Text | Takes::List => None,
    }
}

/// Every value is shown as TOML.
fn value_of(shown: &str) -> Option<Value> {
    let value = DeValue::parse(shown).ok()?;
    Some(Value::of(value.get_ref()))
}

/// Puts one value where the other is: it is read as it is shown.
fn put<T>(key: &Key<T>, target: &mut T, source: &T) {
    if let Some(value) = value_of(&(key.show)(source)) {
        // It was judged when it was read.
        let _ = (key.set)(target, &value);
    }
}

#[cfg(test)]
mod tests;
