//! The command as a person or a service manager uses it: exit codes, and what is said where.

use std::net::TcpListener;
use std::process::{Command, Output};

use crate::daemon::binary;

/// Runs the program with a configuration file for its last argument.
fn run(arguments: &[&str], config: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test.toml");
    std::fs::write(&file, config).unwrap();
    Command::new(binary())
        .args(arguments)
        .arg(&file)
        .output()
        .unwrap()
}

/// Its exit code and what it complained of.
fn complaint(output: &Output) -> (Option<i32>, String) {
    assert!(output.stdout.is_empty());
    (
        output.status.code(),
        String::from_utf8(output.stderr.clone()).unwrap(),
    )
}

#[test]
fn check_judges_a_file_and_binds_nothing() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let config = format!("[[listener]]\nname = \"a\"\nbind = \"{addr}\"\n");
    let output = run(&["check"], &config);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn what_is_wrong_is_said_with_file_and_line() {
    let wrong = [
        ("[defaults]\n\nidle_timeot = \"1s\"\n", "test.toml:3"),
        ("[defaults]\nidle_timeout = \"1 parsec\"\n", "test.toml:2"),
        (
            "[[listener]]\nname = \"a\"\nframing = \"raw\"\ndialect = \"gate\"\n",
            "test.toml:",
        ),
        ("not toml", "test.toml:1"),
    ];
    for (config, place) in wrong {
        for command in [&["check"][..], &["serve", "--config"]] {
            let (code, text) = complaint(&run(command, config));
            assert_eq!(code, Some(2), "{config}: {text}");
            assert!(text.contains(place), "{config}: {text}");
        }
    }
}

#[test]
fn an_address_that_is_taken_is_a_failure_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let listener = format!("[[listener]]\nname = \"a\"\nbind = \"{addr}\"\n");
    let config = format!("[admin]\nbind = \"off\"\n{listener}");
    let (code, text) = complaint(&run(&["serve", "--config"], &config));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains(&addr), "{text}");
}

#[test]
fn a_wrong_command_line_is_2_and_help_is_0() {
    let code = |arguments: &[&str]| {
        let output = Command::new(binary()).args(arguments).output().unwrap();
        output.status.code()
    };
    assert_eq!(code(&["--no-such-flag"]), Some(2));
    assert_eq!(code(&["check"]), Some(2));
    assert_eq!(code(&["check", "/no/such/file"]), Some(2));
    for fine in [
        &["--help"][..],
        &["--version"],
        &["config"],
        &["serve", "--help"],
    ] {
        assert_eq!(code(fine), Some(0), "{fine:?}");
    }
}
