//! What goes to stdout: help, version, `config`; and when nobody takes it.

use crate::program::{folder, outcome, program, run_in, shell};

#[test]
fn help_tells_every_command_and_every_default() {
    let folder = folder(&[]);
    for arguments in [&["--help"][..], &["serve", "--help"], &["config", "--help"]] {
        let outcome = run_in(folder.path(), arguments, &[]);
        assert_eq!((outcome.code, &outcome.stderr[..]), (Some(0), ""));
        // Lines are wrapped where the words end.
        let words: Vec<&str> = outcome.stdout.split_whitespace().collect();
        let help = words.join(" ");
        let config = run_in(folder.path(), &["config"], &[]).stdout;
        for line in config.split("[[listener]]\n").nth(1).unwrap().lines() {
            let (key, value) = line.split_once(" = ").unwrap();
            let flag = format!("--{} <", key.replace('_', "-"));
            let about = help.split(&flag).nth(1);
            let about = about.unwrap_or_else(|| panic!("no {flag}"));
            let about = about.split(" --").next().unwrap();
            let value = match value {
                "[]" => String::from("none"),
                _ => value.replace(['"', '[', ']'], ""),
            };
            let default = format!("[default: {value}]");
            assert!(
                about.contains(&default),
                "{flag}: {about:?} without {default}"
            );
        }
        assert!(
            help.contains("PULSEGATE_") && help.contains("Exit codes: 0 "),
            "{help}"
        );
    }
    let help = run_in(folder.path(), &["--help"], &[]).stdout;
    for command in ["serve", "check", "config"] {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
    }
}

#[test]
fn short_help_is_short_and_says_where_the_rest_is() {
    let folder = folder(&[]);
    for arguments in [&["-h"][..], &["serve", "-h"]] {
        let outcome = run_in(folder.path(), arguments, &[]);
        assert_eq!((outcome.code, &outcome.stderr[..]), (Some(0), ""));
        let help = outcome.stdout;
        assert!(help.lines().count() <= 60, "{help}");
        let shown = [
            "--config <",
            "--bind <",
            "--framing <",
            "see more with '--help'",
        ];
        assert!(shown.iter().all(|text| help.contains(text)), "{help}");
        assert!(!help.contains("--outbox-soft-for"), "{help}");
    }
}

#[test]
fn help_fits_a_terminal_and_has_no_colours() {
    for arguments in [&["--help"][..], &["check", "--help"], &["--no-such-flag"]] {
        let mut command = program();
        command.args(arguments).env("CLICOLOR_FORCE", "1");
        let outcome = outcome(command);
        let text = outcome.stdout + &outcome.stderr;
        assert!(
            text.lines().all(|line| line.chars().count() <= 100),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}

#[test]
fn the_version_is_the_packages() {
    let outcome = run_in(folder(&[]).path(), &["--version"], &[]);
    let version = concat!("pulsegate ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!((outcome.code, &outcome.stdout[..]), (Some(0), version));
}

#[test]
fn a_wrong_command_line_says_what_would_be_right() {
    for (arguments, says) in [
        (
            &["--idle-timout", "5s"][..],
            "a similar argument exists: '--idle-timeout'",
        ),
        (
            &["serv"],
            "some similar subcommands exist: 'users', 'serve'",
        ),
        (&["check"], "<FILE>"),
        (&["serve", "x"], "unexpected argument 'x' found"),
        (&["-v", "-q"], "'--quiet...'"),
        (&["--config"], "a value is required for '--config <FILE>'"),
    ] {
        let outcome = run_in(folder(&[]).path(), arguments, &[]);
        assert_eq!(
            (outcome.code, &outcome.stdout[..]),
            (Some(2), ""),
            "{arguments:?}"
        );
        let stderr = outcome.stderr;
        assert!(
            stderr.starts_with("pulsegate: ") && stderr.contains(says),
            "{stderr}"
        );
    }
}

#[test]
fn flags_may_stand_before_the_command_and_behind_it() {
    let folder = folder(&[("c.toml", "[limits]\ntopics = 9\n")]);
    let wanted = run_in(
        folder.path(),
        &["config", "-c", "c.toml", "--linger", "5s"],
        &[],
    );
    assert!(wanted.stdout.contains("topics = 9") && wanted.stdout.contains("linger = \"5s\""));
    for arguments in [
        ["-c", "c.toml", "--linger", "5s", "config"],
        ["-c", "c.toml", "config", "--linger", "5s"],
    ] {
        assert_eq!(
            run_in(folder.path(), &arguments, &[]),
            wanted,
            "{arguments:?}"
        );
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    for arguments in [
        &["config"][..],
        &["--help"],
        &["--version"],
        &["check", "--help"],
    ] {
        // The program waits until the reader of its output has closed it.
        let line = "mkfifo p; exec 4<>p; \
                    (read x <&4; \"$0\" \"$@\"; echo $? >&2) | { exec <&-; echo >p; }";
        let mut command = shell(line);
        let folder = folder(&[]);
        command.args(arguments).current_dir(folder.path());
        let outcome = outcome(command);
        assert_eq!(outcome.stderr, "0\n", "{arguments:?}");
    }
}

#[test]
fn a_closed_or_full_output_is_no_crash() {
    for (redirect, code) in [(">&-", 0), (">/dev/full", 1)] {
        for arguments in [&["config"][..], &["--help"], &["--version"]] {
            let mut command = shell(&format!("exec \"$0\" \"$@\" {redirect}"));
            command.args(arguments);
            let outcome = outcome(command);
            assert_eq!(
                outcome.code,
                Some(code),
                "{redirect} {arguments:?} {outcome:?}"
            );
            let says = "pulsegate: output: No space left on device (os error 28)\n";
            assert_eq!(outcome.stderr, if code == 0 { "" } else { says });
        }
    }
    // Who closed both has the exit code alone.
    let mut command = shell("exec \"$0\" \"$@\" >&- 2>&-");
    command.args(["config", "--linger", "soon"]);
    assert_eq!(outcome(command).code, Some(2));
}

#[test]
fn without_a_configuration_nothing_is_open_to_the_world_and_every_bound_is_on() {
    // P15
    let folder = folder(&[]);
    let outcome = run_in(folder.path(), &["config"], &[]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let value = |key: &str| {
        let find = |line: &str| line.strip_prefix(&format!("{key} = ")).map(str::to_owned);
        let found = outcome.stdout.lines().filter_map(find);
        found.collect::<Vec<_>>().join(" ")
    };
    for place in value("bind").split(' ') {
        let is_here = place.starts_with("\"127.0.0.1:");
        assert!(is_here, "{place} is beyond loopback");
    }
    assert_eq!(value("level"), "\"info\"");
    for bound in [
        "idle_timeout",
        "login_timeout",
        "frame_timeout",
        "write_timeout",
        "output_age",
        "frame_max",
        "login_frame_max",
        "outbox_low",
        "outbox_soft",
        "outbox_max",
        "offline_ttl",
        "offline_max",
        "ack_attempts",
        "bad_requests_max",
        "failed_logins_max",
        "connections",
        "input_budget",
        "output_budget",
        "offline_budget",
        "topics",
    ] {
        let value = value(bound);
        let is_on = !["", "\"off\"", "0"].contains(&value.as_str());
        assert!(is_on, "{bound} = {value}");
    }
}
