//! The kinds of values that one setting alone has: policies, addresses, permissions, words.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::value::{self, Value, Wrong};
use super::{AdminBind, LogFormat};
use crate::settings::{Allow, Dialect, Login, SlowConsumer, UserPolicy};

pub(crate) const LEVELS: &[(&str, log::LevelFilter)] = &[
    ("error", log::LevelFilter::Error),
    ("warn", log::LevelFilter::Warn),
    ("info", log::LevelFilter::Info),
    ("debug", log::LevelFilter::Debug),
    ("trace", log::LevelFilter::Trace),
];
pub(crate) const FORMATS: &[(&str, LogFormat)] =
    &[("text", LogFormat::Text), ("json", LogFormat::Json)];
pub(crate) const DIALECTS: &[(&str, Dialect)] = &[
    ("gate", Dialect::Gate),
    ("echo", Dialect::Echo),
    ("sink", Dialect::Sink),
];
pub(crate) const LOGINS: &[(&str, Login)] = &[
    ("none", Login::None),
    ("optional", Login::Optional),
    ("required", Login::Required),
];
pub(crate) const SLOW: &[(&str, SlowConsumer)] = &[
    ("close", SlowConsumer::Close),
    ("drop-newest", SlowConsumer::DropNewest),
];

pub(crate) fn show_word<T: PartialEq>(words: &[(&str, T)], meaning: T) -> String {
    let word = words
        .iter()
        .find(|(_, held)| *held == meaning)
        .map_or("", |(word, _)| word);
    format!("\"{word}\"")
}

pub(crate) fn read_connections(value: &Value) -> Result<Option<u32>, Wrong> {
    match value {
        Value::Text(text) if text == "auto" => Ok(None),
        _ => value::number(value, 1, 100_000_000)
            .map(|number| u32::try_from(number).ok())
            .map_err(|wrong| format!("{wrong}, or \"auto\"")),
    }
}

pub(crate) fn read_policy(value: &Value) -> Result<UserPolicy, Wrong> {
    let wrong = || {
        format!(
            "{} is not \"replace\", \"reject\" or {{ devices = 3 }}",
            value.show()
        )
    };
    match value {
        Value::Text(text) if text == "replace" => Ok(UserPolicy::Replace),
        Value::Text(text) if text == "reject" => Ok(UserPolicy::Reject),
        Value::Table(table) if table.len() == 1 => {
            let devices = value::number(table.get("devices").ok_or_else(wrong)?, 1, 65_535)
                .map_err(|wrong| format!("devices: {wrong}"))?;
            Ok(UserPolicy::Devices(
                u16::try_from(devices).unwrap_or(u16::MAX),
            ))
        }
        _ => Err(wrong()),
    }
}

pub(crate) fn show_policy(policy: &UserPolicy) -> String {
    match policy {
        UserPolicy::Replace => String::from("\"replace\""),
        UserPolicy::Reject => String::from("\"reject\""),
        UserPolicy::Devices(devices) => format!("{{ devices = {devices} }}"),
    }
}

pub(crate) fn read_admin_bind(value: &Value) -> Result<AdminBind, Wrong> {
    let text = value::text(value)?;
    if text == "off" {
        return Ok(AdminBind::Off);
    }
    if let Some(path) = text.strip_prefix("unix:") {
        return match path {
            "" => Err(String::from(
                "\"unix:\" has no path; write \"unix:/run/pulsegate.sock\"",
            )),
            _ => Ok(AdminBind::Unix(path.into())),
        };
    }
    text.parse().map(AdminBind::Tcp).map_err(|_| {
        format!("{text:?} is not \"off\", \"unix:PATH\" or an address like \"127.0.0.1:7374\"")
    })
}

pub(crate) fn read_path(value: &Value) -> Result<Option<PathBuf>, Wrong> {
    let text = value::text(value)?;
    Ok((!text.is_empty()).then(|| text.into()))
}

pub(crate) fn read_binds(value: &Value) -> Result<Vec<SocketAddr>, Wrong> {
    let texts = value::texts(value)?;
    if texts.is_empty() {
        return Err(String::from("no address; write \"127.0.0.1:7373\""));
    }
    let read = |text: &&str| {
        text.parse().map_err(|_| {
            format!("{text:?} is not an address; write \"127.0.0.1:7373\" or \"[::1]:7373\"")
        })
    };
    texts.iter().map(read).collect()
}

pub(crate) fn read_allow(value: &Value) -> Result<Allow, Wrong> {
    let mut allow = Allow {
        send: false,
        publish: false,
        join: false,
        data: false,
    };
    for word in value::texts(value)? {
        match word {
            "send" => allow.send = true,
            "pub" => allow.publish = true,
            "join" => allow.join = true,
            "data" => allow.data = true,
            _ => {
                let all = "\"send\", \"pub\", \"join\", \"data\"";
                return Err(format!("{word:?} can not be allowed; there are {all}"));
            }
        }
    }
    Ok(allow)
}

pub(crate) fn show_allow(allow: &Allow) -> String {
    let all = [
        ("send", allow.send),
        ("pub", allow.publish),
        ("join", allow.join),
        ("data", allow.data),
    ];
    let words: Vec<String> = all
        .iter()
        .filter(|(_, is)| *is)
        .map(|(word, _)| format!("\"{word}\""))
        .collect();
    format!("[{}]", words.join(", "))
}
