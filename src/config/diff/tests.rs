//! Every key is compared, by the name it has in the file.

use std::path::Path;

use super::*;

/// A value that no default has, for every key of the file.
const OTHERS: &[(&str, &str)] = &[
    ("log.level", "\"warn\""),
    ("log.format", "\"json\""),
    ("limits.connections", "100"),
    ("limits.input_budget", "\"1MiB\""),
    ("limits.output_budget", "\"2MiB\""),
    ("limits.offline_budget", "\"3MiB\""),
    ("limits.topics", "7"),
    ("limits.connections_per_address", "3"),
    ("limits.accept_rate", "\"1000/1s\""),
    ("limits.accept_rate_per_address", "\"10/1s\""),
    ("limits.login_rate", "\"500/1s\""),
    ("limits.login_rate_per_address", "\"10/60s\""),
    ("limits.login_rate_per_user", "\"5/60s\""),
    ("limits.takeover_rate_per_user", "\"3/60s\""),
    ("loop.coalesce", "\"20ms\""),
    ("users.policy", "{ devices = 3 }"),
    ("logins.users_file", "\"users.txt\""),
    ("logins.keys_file", "\"keys.json\""),
    ("logins.issuer", "\"https://id.example\""),
    ("logins.audience", "\"chat\""),
    ("lists.black", "[\"black.txt\"]"),
    ("lists.white", "[\"a.txt\", \"b.txt\"]"),
    ("admin.bind", "\"off\""),
    ("admin.token_file", "\"a.token\""),
    ("admin.hosts", "[\"gate.example\"]"),
    ("drain.over", "\"20s\""),
    ("drain.timeout", "\"30s\""),
    ("process.user", "\"nobody\""),
    ("process.group", "\"nogroup\""),
    ("process.hardening", "\"log\""),
    ("process.hang_warn", "\"1s\""),
    ("process.hang_abort", "\"15s\""),
    ("listener.bind", "\"127.0.0.1:7399\""),
    ("listener.framing", "\"lenhdr\""),
    ("listener.dialect", "\"echo\""),
    ("listener.login", "\"required\""),
    ("listener.login_check", "\"users\""),
    ("listener.allow", "[\"join\"]"),
    ("listener.slow_consumer", "\"drop-newest\""),
    ("listener.idle_timeout", "\"10s\""),
    ("listener.login_timeout", "\"1s\""),
    ("listener.frame_timeout", "\"1s\""),
    ("listener.lifetime", "\"90s\""),
    ("listener.write_timeout", "\"1s\""),
    ("listener.output_age", "\"1s\""),
    ("listener.ping_after", "\"7s\""),
    ("listener.ack_timeout", "\"1s\""),
    ("listener.ack_attempts", "2"),
    ("listener.offline_ttl", "\"1s\""),
    ("listener.offline_max", "3"),
    ("listener.frame_max", "\"8KiB\""),
    ("listener.login_frame_max", "\"1KiB\""),
    ("listener.outbox_low", "\"4KiB\""),
    ("listener.outbox_soft", "\"32KiB\""),
    ("listener.outbox_soft_for", "\"1s\""),
    ("listener.outbox_max", "\"128KiB\""),
    ("listener.bad_requests_max", "2"),
    ("listener.failed_logins_max", "1"),
    ("listener.login_delay", "\"50ms\""),
    ("listener.linger", "\"500ms\""),
    ("listener.reconnect", "\"500ms\""),
    ("listener.message_rate", "100"),
    ("listener.byte_rate", "\"64KiB\""),
    ("listener.rate_interval", "\"10s\""),
    ("listener.rate_strikes", "3"),
    ("listener.trusted_proxies", "[\"10.0.0.0/8\", \"::1/128\"]"),
    ("listener.proxy_timeout", "\"1s\""),
    ("listener.backlog", "16"),
    ("listener.keepalive", "\"60s\""),
    ("listener.user_timeout", "\"60s\""),
    ("listener.send_buffer", "\"16KiB\""),
    ("listener.receive_buffer", "\"16KiB\""),
    ("listener.unsent_max", "\"16KiB\""),
];

fn parse(text: &str) -> Config {
    Config::parse(Path::new("c.toml"), text).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"))
}

/// A file that sets one key.
fn with(key: &str, value: &str) -> Config {
    let (table, name) = key.split_once('.').expect("table.key");
    let head = match table {
        "listener" => String::from("[[listener]]"),
        _ => format!("[{table}]"),
    };
    let text = beside(key);
    parse(&format!("{text}{head}\n{name} = {value}\n"))
}

/// What must be set beside a key.
fn beside(key: &str) -> &'static str {
    match key {
        "listener.login_check" => "[logins]\nusers_file = \"users.txt\"\n",
        _ => "",
    }
}

fn sole(old: &Config, new: &Config) -> Change {
    let mut changes = diff(old, new);
    assert_eq!(changes.len(), 1, "{changes:#?}");
    changes.remove(0)
}

#[test]
fn every_key_is_told_alone_with_its_old_and_its_new_value() {
    for (key, value) in OTHERS {
        let default = parse(beside(key));
        let change = sole(&default, &with(key, value));
        let key = key.replace("listener.", "listener.clients.");
        assert_eq!((&change.key, &change.new[..]), (&key, *value));
        assert_ne!(change.old, change.new);
        let back = sole(&with_all(&change, value), &default);
        assert_eq!((back.old, back.new), (change.new, change.old), "{key}");
    }
}

fn with_all(change: &Change, value: &str) -> Config {
    with(&change.key.replace("listener.clients.", "listener."), value)
}

#[test]
fn the_table_of_this_test_knows_every_key() {
    let global = SECTIONS.iter().flat_map(|section| {
        let name = |key: &Key<Config>| format!("{}.{}", section.name, key.name);
        section.keys.iter().map(name)
    });
    let listener = IDENTITY.iter().chain(LISTENER);
    let listener = listener.filter(|key| key.name != "name");
    let all = global.chain(listener.map(|key| format!("listener.{}", key.name)));
    for key in all {
        assert!(OTHERS.iter().any(|(other, _)| *other == key), "{key}");
    }
}

#[test]
fn what_holds_at_once_is_merged_and_the_rest_still_differs() {
    for (key, value) in OTHERS {
        let (default, new) = (parse(beside(key)), with(key, value));
        let change = sole(&default, &new);
        let merged = merge(&default, &new);
        assert_eq!(
            diff(&merged, &new).is_empty(),
            !change.needs_restart,
            "{key}"
        );
        let kept = diff(&default, &merged).is_empty();
        assert_eq!(kept, change.needs_restart, "{key}");
    }
    let default = Config::default();
    let all = |skip: bool| {
        let lines = OTHERS.iter().filter(|(key, _)| {
            let name = key.strip_prefix("listener.");
            name.is_some_and(|name| skip != AT_BIND.contains(&name))
        });
        let lines: Vec<String> = lines
            .filter(|(key, _)| *key != "listener.dialect" && beside(key).is_empty())
            .map(|(key, value)| format!("{} = {value}\n", &key["listener.".len()..]))
            .collect();
        parse(&format!("[[listener]]\n{}", lines.concat()))
    };
    let new = all(true);
    assert!(
        diff(&merge(&default, &new), &new).is_empty(),
        "apply(diff(a, b), a) = b"
    );
    let new = all(false);
    assert!(
        diff(&merge(&default, &new), &default).is_empty(),
        "all of it waits"
    );
}

#[test]
fn nothing_differs_from_itself_and_order_does_not_count() {
    let one = "[[listener]]\nname = \"a\"\nbind = \"127.0.0.1:1\"\n";
    let other = "[[listener]]\nname = \"b\"\nbind = \"127.0.0.1:2\"\n";
    let (ab, ba) = (format!("{one}{other}"), format!("{other}{one}"));
    assert_eq!(diff(&parse(&ab), &parse(&ba)), []);
    let change = sole(&parse(&ab), &parse(one));
    assert_eq!(
        change.to_string(),
        "listener.b: \"127.0.0.1:2\" -> none (needs a restart)"
    );
    let change = sole(&parse(one), &parse(&ab));
    assert_eq!(
        change.to_string(),
        "listener.b: none -> \"127.0.0.1:2\" (needs a restart)"
    );
    let merged = merge(&parse(one), &parse(&ab));
    assert_eq!(merged.listeners.len(), 1);
}

#[test]
fn a_setting_reaches_the_listener_of_its_name_wherever_it_stands() {
    let file = |idle: &str, first: &str, second: &str| {
        let listener = |name: &str| {
            let idle = if name == "b" { idle } else { "60s" };
            let port = if name == "b" { 2 } else { 1 };
            format!(
                "[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:{port}\"\n\
                 idle_timeout = \"{idle}\"\n"
            )
        };
        parse(&format!("{}{}", listener(first), listener(second)))
    };
    let (old, new) = (file("60s", "a", "b"), file("5s", "b", "a"));
    let change = sole(&old, &new);
    assert_eq!(change.key, "listener.b.idle_timeout");
    let merged = merge(&old, &new);
    assert_eq!(diff(&merged, &new), []);
    assert_eq!(
        merged.listeners[0].name, "a",
        "the order of the sockets stays"
    );
}

#[test]
fn less_is_tighter_and_off_is_more_than_any() {
    let default = Config::default();
    for (key, value, tighter) in [
        ("listener.idle_timeout", "\"59s\"", true),
        ("listener.idle_timeout", "\"61s\"", false),
        ("listener.idle_timeout", "\"off\"", false),
        ("listener.lifetime", "\"9h\"", true),
        ("listener.frame_max", "\"65KiB\"", false),
        ("listener.frame_max", "65535", true),
        ("listener.ack_attempts", "6", false),
        ("listener.allow", "[\"join\"]", true),
        ("listener.reconnect", "\"1ms\"", false),
        ("listener.login_delay", "\"1ms\"", false),
        ("limits.connections", "5", true),
        ("limits.topics", "5", true),
        ("drain.timeout", "\"1s\"", false),
        ("log.level", "\"error\"", false),
    ] {
        assert_eq!(
            sole(&default, &with(key, value)).is_tighter,
            tighter,
            "{key} {value}"
        );
    }
}

#[test]
fn connections_may_shrink_and_come_back_but_not_outgrow_the_start() {
    let default = Config::default();
    let reserved = default.limits.connections;
    let less = with("limits.connections", "100");
    assert!(!sole(&default, &less).needs_restart);
    let merged = merge(&default, &less);
    assert!(
        !sole(&merged, &default).needs_restart,
        "auto is what was reserved"
    );
    let more = with("limits.connections", &(reserved + 1).to_string());
    assert!(sole(&default, &more).needs_restart);
    assert_eq!(merge(&default, &more).connections, None);
}
