//! The kinds of values that one setting alone has: words, policies, addresses, permissions.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::value::{self, Value, Wrong, show_text};
use super::{AdminBind, Hardening, LogFormat};
use crate::network::Network;
use crate::settings::{Allow, Dialect, Login, LoginCheck, SlowConsumer, UserPolicy};

pub(super) const LEVELS: &[(&str, log::LevelFilter)] = &[
    ("error", log::LevelFilter::Error),
    ("warn", log::LevelFilter::Warn),
    ("info", log::LevelFilter::Info),
    ("debug", log::LevelFilter::Debug),
    ("trace", log::LevelFilter::Trace),
];
pub(super) const FORMATS: &[(&str, LogFormat)] =
    &[("text", LogFormat::Text), ("json", LogFormat::Json)];
pub(super) const HARDENINGS: &[(&str, Hardening)] = &[
    ("on", Hardening::On),
    ("log", Hardening::Log),
    ("off", Hardening::Off),
];

pub(super) const DIALECTS: &[(&str, Dialect)] = &[
    ("gate", Dialect::Gate),
    ("echo", Dialect::Echo),
    ("sink", Dialect::Sink),
];
pub(super) const LOGINS: &[(&str, Login)] = &[
    ("none", Login::None),
    ("optional", Login::Optional),
    ("required", Login::Required),
];
pub(super) const CHECKS: &[(&str, LoginCheck)] = &[
    ("none", LoginCheck::None),
    ("users", LoginCheck::Users),
    ("jwt", LoginCheck::Jwt),
];
pub(super) const SLOW: &[(&str, SlowConsumer)] = &[
    ("close", SlowConsumer::Close),
    ("drop-newest", SlowConsumer::DropNewest),
];

/// The kernel takes an `int` of bytes, and doubles it.
const BUFFER_MAX: usize = 1 << 29;
/// Characters of a name, which becomes a label in metrics.
const NAME_MAX: usize = 64;
/// Characters of a host's name.
const HOST_MAX: usize = 253;
/// More descriptors than a kernel gives to one process by itself.
const CONNECTIONS_MAX: i64 = 100_000_000;

pub(super) fn read_connections(value: &Value) -> Result<Option<u32>, Wrong> {
    match value {
        Value::Text(text) if text == "auto" => Ok(None),
        _ => value::number(value, 1, CONNECTIONS_MAX)
            .map(|number| u32::try_from(number).ok())
            .map_err(|wrong| format!("{wrong}, or \"auto\"")),
    }
}

pub(super) fn show_connections(connections: &Option<u32>) -> String {
    connections.map_or_else(|| String::from("\"auto\""), |number| number.to_string())
}

pub(super) fn read_policy(value: &Value) -> Result<UserPolicy, Wrong> {
    let wrong = || {
        let is = value.show();
        format!("{is} is not \"replace\", \"reject\" or {{ devices = 3 }}")
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

pub(super) fn show_policy(policy: &UserPolicy) -> String {
    match policy {
        UserPolicy::Replace => String::from("\"replace\""),
        UserPolicy::Reject => String::from("\"reject\""),
        UserPolicy::Devices(devices) => format!("{{ devices = {devices} }}"),
    }
}

pub(super) fn read_admin_bind(value: &Value) -> Result<AdminBind, Wrong> {
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

pub(super) fn show_admin_bind(bind: &AdminBind) -> String {
    show_text(&bind.to_string())
}

pub(super) fn read_hosts(value: &Value) -> Result<Vec<String>, Wrong> {
    let is_plain = |host: &str| {
        let is_part = |char: char| char.is_ascii_alphanumeric() || "-._".contains(char);
        (1..=HOST_MAX).contains(&host.len()) && host.chars().all(is_part)
    };
    let hosts = value::texts(value)?;
    match hosts.iter().find(|host| !is_plain(host)) {
        Some(wrong) => Err(format!(
            "{wrong:?} is not a name of a host, without a port: \"gate.example.org\""
        )),
        None => Ok(hosts.into_iter().map(str::to_owned).collect()),
    }
}

#[expect(clippy::ptr_arg, reason = "the tables of keys show by reference")]
pub(super) fn show_hosts(hosts: &Vec<String>) -> String {
    let hosts: Vec<String> = hosts.iter().map(|host| show_text(host)).collect();
    format!("[{}]", hosts.join(", "))
}

pub(super) fn read_account(value: &Value) -> Result<Option<String>, Wrong> {
    let name = value::text(value)?;
    // Those of a directory have their domain in them.
    let is_part = |char: char| char.is_ascii_alphanumeric() || "-_.@\\$".contains(char);
    if name.len() > NAME_MAX || !name.chars().all(is_part) {
        return Err(format!(
            "{name:?} is no name of an account; write \"pulsegate\""
        ));
    }
    Ok((!name.is_empty()).then(|| name.to_owned()))
}

pub(super) fn show_account(name: &Option<String>) -> String {
    show_text(name.as_deref().unwrap_or_default())
}

pub(super) fn read_path(value: &Value) -> Result<Option<PathBuf>, Wrong> {
    let text = value::text(value)?;
    Ok((!text.is_empty()).then(|| text.into()))
}

pub(super) fn show_path(path: &Option<PathBuf>) -> String {
    path.as_ref()
        .map_or_else(|| show_text(""), |path| show_text(&path.to_string_lossy()))
}

pub(super) fn read_paths(value: &Value) -> Result<Vec<PathBuf>, Wrong> {
    Ok(value::texts(value)?
        .into_iter()
        .map(PathBuf::from)
        .collect())
}

#[expect(clippy::ptr_arg, reason = "the tables of keys show by reference")]
pub(super) fn show_paths(paths: &Vec<PathBuf>) -> String {
    let each = paths.iter().map(|path| show_text(&path.to_string_lossy()));
    format!("[{}]", each.collect::<Vec<_>>().join(", "))
}

pub(super) fn read_name(value: &Value) -> Result<String, Wrong> {
    let name = value::text(value)?;
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
    if (1..=NAME_MAX).contains(&name.len()) && name.chars().all(is_plain) {
        return Ok(name.to_owned());
    }
    Err(format!(
        "{name:?} is not a name; 1 to {NAME_MAX} of a-z, A-Z, 0-9, \"-\", \"_\", \".\""
    ))
}

#[expect(clippy::ptr_arg, reason = "the tables of keys show by reference")]
pub(super) fn show_name(name: &String) -> String {
    show_text(name)
}

pub(super) fn read_binds(value: &Value) -> Result<Vec<SocketAddr>, Wrong> {
    const WHAT: &str = "write \"127.0.0.1:7373\" or \"[::1]:7373\"";
    let texts = value::texts(value)?;
    if texts.is_empty() {
        return Err(format!("no address; {WHAT}"));
    }
    let (good, bad): (Vec<_>, Vec<_>) = texts
        .iter()
        .map(|text| text.parse::<SocketAddr>().map_err(|_| *text))
        .partition(Result::is_ok);
    if bad.is_empty() {
        return Ok(good.into_iter().flatten().collect());
    }
    let bad: Vec<String> = bad
        .into_iter()
        .filter_map(Result::err)
        .map(|text| format!("{text:?}"))
        .collect();
    let are = if bad.len() == 1 {
        "is not an address"
    } else {
        "are not addresses"
    };
    Err(format!("{} {are}; {WHAT}", bad.join(", ")))
}

#[expect(clippy::ptr_arg, reason = "the tables of keys show by reference")]
pub(super) fn show_binds(binds: &Vec<SocketAddr>) -> String {
    let each: Vec<String> = binds.iter().map(|bind| format!("\"{bind}\"")).collect();
    if let [only] = &each[..] {
        only.clone()
    } else {
        format!("[{}]", each.join(", "))
    }
}

pub(super) fn read_networks(value: &Value) -> Result<Vec<Network>, Wrong> {
    let read = |text: &str| {
        let wrong = || format!("{text:?} is not an address or a network; write \"10.0.0.0/8\"");
        text.parse().map_err(|_| wrong())
    };
    value::texts(value)?.into_iter().map(read).collect()
}

#[expect(clippy::ptr_arg, reason = "the tables of keys show by reference")]
pub(super) fn show_networks(networks: &Vec<Network>) -> String {
    let each: Vec<String> = networks.iter().map(|one| format!("\"{one}\"")).collect();
    format!("[{}]", each.join(", "))
}

pub(super) fn read_allow(value: &Value) -> Result<Allow, Wrong> {
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
                return Err(format!(
                    "{word:?} is nothing to allow; there are \"send\", \"pub\", \"join\", \"data\""
                ));
            }
        }
    }
    Ok(allow)
}

pub(super) fn show_allow(allow: &Allow) -> String {
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

pub(super) fn read_buffer(value: &Value) -> Result<Option<usize>, Wrong> {
    value::optional_size(value, 1, BUFFER_MAX)
}

pub(super) fn show_buffer(bytes: &Option<usize>) -> String {
    bytes.map_or_else(|| String::from("\"auto\""), value::show_size)
}
