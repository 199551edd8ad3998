//! Configurations that are right: every key, every kind of value, and reading back what `config`
//! prints.

use std::fmt::Write;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use toml::Table;

use crate::daemon::LINE;
use crate::program::{Outcome, folder, run, run_in};

/// What `config` prints for a file.
#[track_caller]
fn in_force(config: &str) -> String {
    let outcome = run(&["config", "--config", "c.toml"], config);
    assert_eq!(
        (outcome.code, &outcome.stderr[..]),
        (Some(0), ""),
        "{config}"
    );
    outcome.stdout
}

fn parsed(text: &str) -> Table {
    text.parse()
        .unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The first listener of a configuration.
fn listener(config: &Table) -> &Table {
    config["listener"][0].as_table().unwrap()
}

#[test]
fn the_example_of_the_protocol_is_good_and_says_the_defaults() {
    let example = include_str!("example.toml");
    let token = ("admin.token", "a-token-that-nobody-guesses\n");
    let folder = folder(&[("c.toml", example), token]);
    let private = Permissions::from_mode(0o600);
    std::fs::set_permissions(folder.path().join("admin.token"), private).unwrap();
    let outcome = run_in(folder.path(), &["check", "c.toml"], &[]);
    let good = "c.toml: good; 1 listener: clients on 127.0.0.1:7373\n";
    let expected = Outcome {
        code: Some(0),
        stdout: good.to_owned(),
        stderr: String::new(),
    };
    assert_eq!(outcome, expected);
    // All it sets but the token is the default.
    let mut said = parsed(&in_force(example));
    let token = said["admin"]
        .as_table_mut()
        .unwrap()
        .insert("token_file".into(), "".into());
    assert_eq!(token, Some("admin.token".into()));
    assert_eq!(said, parsed(&in_force("")));
}

#[test]
fn an_empty_file_is_good() {
    for empty in ["", "\n\n", "# nothing\n", "\u{feff}[log]\r\n"] {
        assert_eq!(parsed(&in_force(empty)), parsed(&in_force("")), "{empty:?}");
    }
}

/// Every key with a value that is not its default, as `config` prints it.
const KEYS: &[(&str, &[(&str, &str)])] = &[
    ("log", &[("level", "\"warn\""), ("format", "\"json\"")]),
    (
        "limits",
        &[
            ("connections", "1000"),
            ("input_budget", "\"1MiB\""),
            ("output_budget", "\"2MiB\""),
            ("offline_budget", "\"3MiB\""),
            ("topics", "7"),
            ("connections_per_address", "4"),
            ("accept_rate", "\"1000/1s\""),
            ("accept_rate_per_address", "\"20/10s\""),
            ("login_rate", "\"500/1s\""),
            ("login_rate_per_address", "\"10/1h\""),
            ("login_rate_per_user", "\"5/2m\""),
            ("takeover_rate_per_user", "\"off\""),
        ],
    ),
    ("loop", &[("coalesce", "\"20ms\"")]),
    ("users", &[("policy", "\"reject\"")]),
    (
        "logins",
        &[
            ("users_file", "\"/etc/users\""),
            ("keys_file", "\"/etc/keys.json\""),
            ("issuer", "\"https://id.example\""),
            ("audience", "\"chat\""),
        ],
    ),
    (
        "lists",
        &[
            ("black", "[\"black.txt\"]"),
            ("white", "[\"a.txt\", \"b.txt\"]"),
        ],
    ),
    (
        "admin",
        &[
            ("bind", "\"unix:/run/x.sock\""),
            ("token_file", "\"/etc/token\""),
            ("hosts", "[\"gate.example\", \"10.0.0.1\"]"),
        ],
    ),
    ("drain", &[("over", "\"20s\""), ("timeout", "\"0s\"")]),
    (
        "process",
        &[
            ("user", "\"root\""),
            ("group", "\"0\""),
            ("hardening", "\"log\""),
            ("hang_warn", "\"1s\""),
            ("hang_abort", "\"15s\""),
        ],
    ),
];
const LISTENER: &[(&str, &str)] = &[
    ("name", "\"phones\""),
    ("bind", "[\"127.0.0.1:0\", \"[::1]:0\"]"),
    ("framing", "\"lenhdr\""),
    ("dialect", "\"gate\""),
    ("login", "\"required\""),
    ("login_check", "\"jwt\""),
    ("allow", "[\"send\", \"data\"]"),
    ("slow_consumer", "\"drop-newest\""),
    ("idle_timeout", "\"90s\""),
    ("login_timeout", "\"off\""),
    ("frame_timeout", "\"11s\""),
    ("lifetime", "\"10s\""),
    ("write_timeout", "\"12s\""),
    ("output_age", "\"13s\""),
    ("ping_after", "\"14s\""),
    ("ack_timeout", "\"15s\""),
    ("ack_attempts", "6"),
    ("offline_ttl", "\"16s\""),
    ("offline_max", "0"),
    ("frame_max", "\"32KiB\""),
    ("login_frame_max", "1000"),
    ("outbox_low", "\"8KiB\""),
    ("outbox_soft", "\"32KiB\""),
    ("outbox_soft_for", "\"5s\""),
    ("outbox_max", "\"64KiB\""),
    ("bad_requests_max", "3"),
    ("failed_logins_max", "4"),
    ("login_delay", "\"300ms\""),
    ("linger", "\"500ms\""),
    ("reconnect", "\"2s\""),
    ("message_rate", "50"),
    ("byte_rate", "\"64KiB\""),
    ("rate_interval", "\"10s\""),
    ("rate_strikes", "3"),
    ("trusted_proxies", "[\"10.0.0.0/8\", \"::1/128\"]"),
    ("proxy_timeout", "\"1s\""),
    ("backlog", "128"),
    ("keepalive", "\"1h\""),
    ("user_timeout", "\"20s\""),
    ("send_buffer", "\"16KiB\""),
    ("receive_buffer", "\"8KiB\""),
    ("unsent_max", "\"16KiB\""),
];

fn every_key() -> String {
    let mut text = String::new();
    for (table, keys) in KEYS {
        let _ = writeln!(text, "[{table}]");
        for (key, value) in *keys {
            let _ = writeln!(text, "{key} = {value}");
        }
    }
    text += "[[listener]]\n";
    for (key, value) in LISTENER {
        let _ = writeln!(text, "{key} = {value}");
    }
    text
}

#[test]
fn every_key_is_taken_and_there_is_no_other() {
    let mut said = parsed(&in_force(&every_key()));
    let mut wanted = parsed(&every_key());
    let defaults = parsed(&in_force(""));
    for (key, value) in listener(&wanted) {
        let default = &listener(&defaults)[key];
        assert!(
            default != value || key == "dialect",
            "{key} is no other than by default"
        );
    }
    // A minute and a half may be written otherwise.
    for config in [&mut said, &mut wanted] {
        let listener = config["listener"][0].as_table_mut().unwrap();
        let idle = listener.remove("idle_timeout").unwrap();
        assert!(
            ["90s", "1m30s"].contains(&idle.as_str().unwrap()),
            "{idle:?}"
        );
    }
    assert_eq!(said, wanted);
}

#[test]
fn every_listener_setting_is_one_of_the_defaults_too() {
    let mut text = String::from("[limits]\ninput_budget = \"1MiB\"\n");
    text += "[logins]\nkeys_file = \"keys.json\"\n[defaults]\n";
    for (key, value) in &LISTENER[2..] {
        let _ = writeln!(text, "{key} = {value}");
    }
    let one = parsed(&in_force(&text));
    text += "[[listener]]\nname = \"a\"\nbind = \"127.0.0.1:0\"\n";
    text += "[[listener]]\nbind = \"127.0.0.1:0\"\nidle_timeout = \"17s\"\n";
    let two = parsed(&in_force(&text));
    for (key, _) in &LISTENER[2..] {
        let of = |number: usize| &two["listener"][number][*key];
        assert_eq!(of(0), &listener(&one)[*key], "{key}");
        // A listener's own word holds over the defaults.
        assert_eq!(of(1) == of(0), *key != "idle_timeout", "{key}");
    }
    assert_eq!(two["listener"][1]["name"].as_str(), Some("listener-2"));
    assert_eq!(two["listener"][1]["idle_timeout"].as_str(), Some("17s"));
}

/// Good values that are written in other ways, and how they are shown.
const WAYS: &[(&str, &str, &str)] = &[
    ("framing", "\"raw\"\ndialect = \"sink\"", "\"raw\""),
    ("framing", "\"line\"", "\"line\""),
    ("framing", "\"binary\"", "\"binary\""),
    ("framing", "{ lenhdr = {} }", "\"lenhdr\""),
    (
        "framing",
        "{ lenhdr = { bare_ping = false } }",
        "\"lenhdr\"",
    ),
    (
        "framing",
        "{ lenhdr = { bare_ping = true } }",
        "{ lenhdr = { bare_ping = true } }",
    ),
    ("framing", "{ binary = {} }", "\"binary\""),
    (
        "framing",
        "{ binary = { width = 2, endian = \"little\" } }",
        "{ binary = { width = 2, endian = \"little\", offset = 0, adjust = 0 } }",
    ),
    (
        "framing",
        "{ binary = { width = 8, endian = \"big\", offset = 3, adjust = -4, strip = 0 } }",
        "{ binary = { width = 8, endian = \"big\", offset = 3, adjust = -4, strip = 0 } }",
    ),
    (
        "framing.binary.width",
        "1",
        "{ width = 1, endian = \"big\", offset = 0, adjust = 0 }",
    ),
    ("idle_timeout", "\"off\"", "\"off\""),
    ("idle_timeout", "\"1ms\"", "\"10ms\""),
    ("idle_timeout", "\"2500ms\"", "\"2s500ms\""),
    ("idle_timeout", "\"1h 1s\"", "\"1h1s\""),
    ("frame_max", "2048", "\"2KiB\""),
    ("frame_max", "0x800", "\"2KiB\""),
    ("frame_max", "\"2KiB\"", "\"2KiB\""),
    ("frame_max", "\"2kB\"", "2000"),
    ("send_buffer", "\"auto\"", "\"auto\""),
    ("unsent_max", "\"auto\"", "\"auto\""),
    ("allow", "[]", "[]"),
    ("allow", "\"pub\"", "[\"pub\"]"),
    ("allow", "\"pub,send\"", "[\"send\", \"pub\"]"),
    ("bind", "[\"127.0.0.1:0\"]", "\"127.0.0.1:0\""),
    (
        "bind",
        "\"127.0.0.1:0, [::1]:0\"",
        "[\"127.0.0.1:0\", \"[::1]:0\"]",
    ),
    (
        "bind",
        "[\"0.0.0.0:7373\", \"[::]:7373\"]",
        "[\"0.0.0.0:7373\", \"[::]:7373\"]",
    ),
];

#[test]
fn values_may_be_written_in_several_ways_and_are_shown_in_one() {
    for (key, value, shown) in WAYS {
        let config = format!("[[listener]]\n{key} = {value}\n");
        let said = parsed(&in_force(&config));
        let said = key
            .split('.')
            .take(2)
            .fold(&said["listener"][0], |at, key| &at[key]);
        let wanted = &parsed(&format!("shown = {shown}"))["shown"];
        assert_eq!(said, wanted, "{config}");
    }
    for policy in ["\"replace\"", "\"reject\"", "{ devices = 3 }"] {
        let said = parsed(&in_force(&format!("[users]\npolicy = {policy}\n")));
        assert_eq!(said["users"], parsed(&format!("policy = {policy}")).into());
    }
}

#[test]
fn what_is_printed_can_be_read_again_and_says_the_same() {
    let mut configs = vec![
        String::new(),
        every_key(),
        include_str!("example.toml").to_owned(),
    ];
    let ways = WAYS.iter();
    configs.extend(ways.map(|(key, value, _)| format!("[[listener]]\n{key} = {value}\n")));
    configs.push(format!("[users]\npolicy = {{ devices = 2 }}\n{LINE}{LINE}"));
    // What needs care to be quoted.
    for path in [
        "it's",
        "a\\\"b",
        "a\\\\b",
        "tab\\tbell\\u0007",
        "e\\u0301",
        "\\u202e",
        "ü# x",
    ] {
        configs.push(format!(
            "[admin]\ntoken_file = \"{path}\"\nbind = \"unix:/tmp/{path}\"\n"
        ));
    }
    for config in configs {
        let once = in_force(&config);
        let twice = in_force(&once);
        assert_eq!(parsed(&once), parsed(&twice), "{config}");
        // Where each value stands is told beside it: from now on it is the same line.
        assert_eq!(twice, in_force(&twice), "{config}");
    }
}

#[test]
fn what_is_printed_tells_where_each_value_comes_from() {
    let config = format!("{LINE}idle_timeout = \"5s\"\n[defaults]\nlinger = \"3s\"\n");
    let folder = folder(&[("c.toml", &config)]);
    let arguments = ["config", "-c", "c.toml", "--lifetime", "10s", "-v"];
    let outcome = run_in(folder.path(), &arguments, &[("PULSEGATE_TOPICS", "9")]);
    for (key, place) in [
        ("idle_timeout = \"5s\"", "# line 3"),
        ("linger = \"3s\"", "# line 5"),
        ("lifetime = \"10s\"", "# --lifetime"),
        ("level = \"debug\"", "# --verbose"),
        ("topics = 9", "# PULSEGATE_TOPICS"),
        ("frame_max = \"64KiB\"", ""),
    ] {
        let mut lines = outcome.stdout.lines();
        let line = lines.find_map(|line| line.strip_prefix(key)).unwrap();
        assert_eq!(line.trim_start(), place, "{key}");
    }
}
