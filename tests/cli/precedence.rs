//! A flag over a variable over the file over the default.

use crate::daemon::LINE;
use crate::program::{folder, run_in};

const FILE: &str = "\
[log]
level = \"error\"
[defaults]
idle_timeout = \"11s\"
[[listener]]
name = \"a\"
bind = \"127.0.0.1:0\"
[[listener]]
name = \"b\"
bind = \"127.0.0.1:0\"
idle_timeout = \"12s\"
";

/// What is in force of a table, or of each listener, with this said.
#[track_caller]
fn in_force(arguments: &[&str], variables: &[(&str, &str)]) -> toml::Table {
    let folder = folder(&[("c.toml", FILE), ("one.toml", LINE)]);
    let outcome = run_in(
        folder.path(),
        &[&["config"][..], arguments].concat(),
        variables,
    );
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.stdout.parse().unwrap()
}

fn levels(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let config = in_force(arguments, variables);
    config["log"]["level"].as_str().unwrap().to_owned()
}

fn idle(arguments: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
    let config = in_force(arguments, variables);
    let listeners = config["listener"].as_array().unwrap().iter();
    let idle = listeners.map(|listener| listener["idle_timeout"].as_str().unwrap().to_owned());
    idle.collect()
}

#[test]
fn a_setting_of_the_process() {
    let variable = [("PULSEGATE_LOG_LEVEL", "warn")];
    let file = ["-c", "c.toml"];
    let flag = ["-c", "c.toml", "--log-level", "trace"];
    assert_eq!(levels(&[], &[]), "info");
    assert_eq!(levels(&file, &[]), "error");
    assert_eq!(levels(&file, &variable), "warn");
    assert_eq!(levels(&flag, &variable), "trace");
    assert_eq!(levels(&["--log-level=trace"], &[]), "trace");
}

#[test]
fn a_setting_of_listeners() {
    let variable = [("PULSEGATE_IDLE_TIMEOUT", "13s")];
    let file = ["--config", "c.toml"];
    let flag = ["--config", "c.toml", "--idle-timeout", "14s"];
    assert_eq!(idle(&[], &[]), ["60s"]);
    assert_eq!(idle(&file, &[]), ["11s", "12s"]);
    assert_eq!(idle(&file, &variable), ["13s", "13s"]);
    assert_eq!(idle(&flag, &variable), ["14s", "14s"]);
}

#[test]
fn the_file_itself() {
    let variable = [("PULSEGATE_CONFIG", "c.toml")];
    assert_eq!(idle(&[], &variable), ["11s", "12s"]);
    assert_eq!(idle(&["-c", "one.toml"], &variable), ["60s"]);
    // The same before the command.
    let folder = folder(&[("c.toml", FILE), ("one.toml", LINE)]);
    let arguments = ["-c", "one.toml", "config"];
    let outcome = run_in(folder.path(), &arguments, &variable);
    assert!(
        outcome.stdout.contains("\nidle_timeout = \"60s\"\n"),
        "{outcome:?}"
    );
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let empty = [
        ("PULSEGATE_IDLE_TIMEOUT", ""),
        ("PULSEGATE_LOG_LEVEL", ""),
        ("PULSEGATE_CONFIG", ""),
    ];
    assert_eq!(idle(&["-c", "c.toml"], &empty[..2]), ["11s", "12s"]);
    assert_eq!(levels(&[], &empty), "info");
}

#[test]
fn loudness_goes_over_the_level() {
    let variable = [("PULSEGATE_LOG_LEVEL", "info")];
    for (flag, level) in [
        ("-v", "debug"),
        ("-vv", "trace"),
        ("-vvv", "trace"),
        ("--verbose", "debug"),
        ("-q", "warn"),
        ("-qq", "error"),
        ("--quiet", "warn"),
    ] {
        assert_eq!(levels(&["-c", "c.toml", flag], &variable), level, "{flag}");
    }
}

#[test]
fn the_address_of_the_only_listener() {
    let binds = |arguments: &[&str], variables: &[(&str, &str)]| {
        let config = in_force(arguments, variables);
        config["listener"][0]["bind"].clone()
    };
    let variable = [("PULSEGATE_BIND", "127.0.0.1:2")];
    let file = ["-c", "one.toml"];
    let flag = ["-c", "one.toml", "--bind", "127.0.0.1:3"];
    assert_eq!(binds(&[], &[]), "127.0.0.1:7373".into());
    assert_eq!(binds(&file, &[]), "127.0.0.1:0".into());
    assert_eq!(binds(&file, &variable), "127.0.0.1:2".into());
    assert_eq!(binds(&flag, &variable), "127.0.0.1:3".into());
    for way in [
        &["--bind", "127.0.0.1:0,[::1]:0"][..],
        &["--bind", "127.0.0.1:0", "--bind", "[::1]:0"],
        &["--bind", "[\"127.0.0.1:0\", \"[::1]:0\"]"],
    ] {
        let several = vec!["127.0.0.1:0", "[::1]:0"];
        assert_eq!(binds(way, &[]), several.into(), "{way:?}");
    }
}

/// Whether a flag of logins takes any text.
fn is_text(flag: &str) -> bool {
    let ends = ["-file", "-issuer", "-audience"];
    ends.iter().any(|end| flag.ends_with(end))
}

#[test]
fn every_flag_has_its_variable() {
    let help = run_in(folder(&[]).path(), &["serve", "--help"], &[]).stdout;
    let words = help.split_whitespace();
    let flags: Vec<&str> = words.filter_map(|word| word.strip_prefix("--")).collect();
    let mut variables = 0;
    for flag in flags {
        let known = flag
            .chars()
            .all(|char| char.is_ascii_lowercase() || char == '-');
        if !known || ["config", "verbose", "quiet", "help", "version"].contains(&flag) {
            continue;
        }
        let variable = format!("PULSEGATE_{}", flag.replace('-', "_").to_uppercase());
        let outcome = run_in(folder(&[]).path(), &["config"], &[(&variable, "{}")]);
        let says = format!("pulsegate: variable {variable}: ");
        // A path may be called so, and whoever signs tokens.
        let is_free = flag == "admin-token-file" || flag.starts_with("login-") && is_text(flag);
        let is_told = outcome.stderr.starts_with(&says) || is_free;
        assert!(is_told, "{flag}: {outcome:?}");
        variables += 1;
    }
    assert!(variables >= 45, "{variables}");
}
