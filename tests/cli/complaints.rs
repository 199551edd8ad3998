//! Configurations that are wrong, and exactly what is said about each: see `complaints.txt`.

use crate::daemon::LINE;
use crate::program::{Outcome, folder, run, run_in};

/// What is wrong, the file, and all that is written to stderr.
struct Case {
    title: String,
    config: String,
    says: String,
}

/// A case is a title behind `##`, a file, and what is said about it behind `>`.
fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in include_str!("complaints.txt").lines() {
        if let Some(title) = line.strip_prefix("## ") {
            let title = title.to_owned();
            let (config, says) = (String::new(), String::new());
            cases.push(Case {
                title,
                config,
                says,
            });
        } else if let Some(case) = cases.last_mut() {
            if let Some(says) = line.strip_prefix("> ") {
                case.says += &format!("pulsegate: {says}\n");
            } else {
                case.config += line;
                case.config.push('\n');
            }
        }
    }
    cases
}

/// What a wrong configuration comes to: nothing but complaints.
fn wrong(says: &str) -> Outcome {
    Outcome {
        code: Some(2),
        stdout: String::new(),
        stderr: says.to_owned(),
    }
}

#[test]
fn every_mistake_in_a_file_is_told_with_its_place_and_nothing_starts() {
    let cases = cases();
    assert!(cases.len() > 90, "{}", cases.len());
    for case in cases {
        assert!(!case.says.is_empty(), "{}", case.title);
        // With all of the log on: a daemon that starts says so.
        for command in [
            &["check", "c.toml"][..],
            &["config", "--config", "c.toml"],
            &["serve", "-vv", "--config", "c.toml"],
            &["-vv", "-c", "c.toml"],
        ] {
            let outcome = run(command, &case.config);
            assert_eq!(outcome, wrong(&case.says), "{}: {command:?}", case.title);
        }
    }
}

#[test]
fn a_file_that_can_not_be_read_is_told() {
    let folder = folder(&[("c.toml", LINE)]);
    std::fs::write(folder.path().join("latin.toml"), b"[log]\n# \xfcber\n").unwrap();
    for (file, says) in [
        (
            "none.toml",
            "none.toml: No such file or directory (os error 2)",
        ),
        (".", ".: Is a directory (os error 21)"),
        ("c.toml/x", "c.toml/x: Not a directory (os error 20)"),
        ("latin.toml", "latin.toml:2: not UTF-8"),
    ] {
        for arguments in [
            &["check", file][..],
            &["serve", "--config", file],
            &["-c", file],
        ] {
            let outcome = run_in(folder.path(), arguments, &[]);
            assert_eq!(
                outcome,
                wrong(&format!("pulsegate: {says}\n")),
                "{arguments:?}"
            );
        }
    }
}

#[test]
fn every_mistake_on_the_command_line_names_its_flag() {
    let two = format!("{LINE}{LINE}");
    for (arguments, config, says) in [
        (
            &["--idle-timeout", "soon"][..],
            LINE,
            "--idle-timeout: \"soon\" is not a duration; \
             write \"off\", \"500ms\", \"60s\", \"10m\"",
        ),
        (
            &["--idle-timeout", "60"],
            LINE,
            "--idle-timeout: 60 has no unit; write \"60s\"",
        ),
        (
            &["--login", "always"],
            LINE,
            "--login: \"always\" is not one of \"none\", \"optional\", \"required\"",
        ),
        (
            &["--user-policy", "{ devices = 0 }"],
            LINE,
            "--user-policy: devices: 0 is not a number from 1 to 65535",
        ),
        (
            &["--framing", "{ binary = { width = 3 } }"],
            LINE,
            "--framing: binary width: 3 is not 1, 2, 4 or 8",
        ),
        (
            &["--ping-after", "2m"],
            LINE,
            "--ping-after: ping_after = \"2m\" is not before idle_timeout = \"60s\" (the default); \
             a client must have time to answer: shorten ping_after",
        ),
        (
            &["--bind", "127.0.0.1:0"],
            &two,
            "--bind: the file has 2 listeners; set their binds there",
        ),
        (
            &["--name", "x"],
            &two,
            "--name: the file has 2 listeners; set their names there",
        ),
    ] {
        for command in [&["serve", "-vv"][..], &["config"]] {
            let all = [command, &["--config", "c.toml"], arguments].concat();
            let outcome = run(&all, config);
            assert_eq!(outcome, wrong(&format!("pulsegate: {says}\n")), "{all:?}");
        }
    }
}

#[test]
fn every_mistake_in_a_variable_names_it() {
    let folder = folder(&[("c.toml", LINE)]);
    for (variable, value, says) in [
        (
            "PULSEGATE_OUTBOX_MAX",
            "much",
            "variable PULSEGATE_OUTBOX_MAX: \"much\" is not a size; \
             write \"64KiB\", \"256MiB\" or a number of bytes",
        ),
        (
            "PULSEGATE_CONNECTIONS",
            "0",
            "variable PULSEGATE_CONNECTIONS: 0 is not a number from 1 to 100000000, or \"auto\"",
        ),
        (
            "PULSEGATE_LOG_LEVEL",
            "loud",
            "variable PULSEGATE_LOG_LEVEL: \"loud\" is not one of \"error\", \"warn\", \"info\", \
             \"debug\", \"trace\"",
        ),
        (
            "PULSEGATE_OUTBOX_LOW",
            "1MiB",
            "variable PULSEGATE_OUTBOX_LOW: outbox_low = \"1MiB\" is above outbox_soft = \
             \"64KiB\" (the default); lower the first or raise the second",
        ),
        (
            "PULSEGATE_CONFIG",
            "none.toml",
            "variable PULSEGATE_CONFIG: none.toml: No such file or directory (os error 2)",
        ),
    ] {
        for command in [&["serve", "-vv"][..], &["config"], &["-vv"]] {
            let outcome = run_in(folder.path(), command, &[(variable, value)]);
            assert_eq!(
                outcome,
                wrong(&format!("pulsegate: {says}\n")),
                "{variable}"
            );
        }
    }
}

#[test]
fn mistakes_everywhere_are_told_together() {
    let folder = folder(&[("c.toml", "[log]\nlevel = \"loud\"\n")]);
    let arguments = ["config", "-c", "c.toml", "--topics", "few"];
    let outcome = run_in(folder.path(), &arguments, &[("PULSEGATE_LINGER", "long")]);
    let says = [
        "--topics: \"few\" is not a number from 1 to 100000000",
        "variable PULSEGATE_LINGER: \"long\" is not a duration; \
         write \"500ms\", \"60s\", \"10m\"",
        "c.toml:2: level: \"loud\" is not one of \"error\", \"warn\", \"info\", \
         \"debug\", \"trace\"",
    ];
    let says = says.map(|says| format!("pulsegate: {says}\n"));
    assert_eq!(outcome, wrong(&says.concat()));
}
