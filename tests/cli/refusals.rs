//! Commands that speak to a daemon, where it is another version, wants a token, is not there, or is
//! no daemon at all.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

use crate::commands::{admin, ask, ask_at, daemon, fails, login, row, told};
use crate::daemon::{Daemon, LINE};
use crate::program::{folder, run_in};

/// Answers one request with these bytes, once it is whole; returns where, and the request.
fn answers(bytes: String) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("http://{}", listener.local_addr().unwrap());
    let answered = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(&stream);
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let mut line = String::new();
            assert!(reader.read_line(&mut line).unwrap() > 0);
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.trim().parse().unwrap();
            }
            head += &line;
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        (&stream).write_all(bytes.as_bytes()).unwrap();
        head + &String::from_utf8(body).unwrap()
    });
    (place, answered)
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}")
}

const CHANGES: &str = r#"{"changes":[{"key":"limits.topics","old":"1","new":"2",
"needs_restart":false,"touches":0},
{"key":"log.format","old":"text","new":"\u001b","needs_restart":true}]}"#;

#[test]
fn a_reload_and_a_check_tell_what_changes() {
    let (place, request) = answers(answer("200 OK", CHANGES));
    let outcome = ask_at(&place, &["reload"], &[]);
    assert!(
        request
            .join()
            .unwrap()
            .starts_with("POST /v1/reload HTTP/1.1\r\n")
    );
    assert_eq!((outcome.code, &outcome.stderr[..]), (Some(0), ""));
    assert!(
        outcome
            .stdout
            .starts_with("reloaded; 1 setting changed, 1 needs a restart\n\nSETTING ")
    );
    let topics = row(&outcome.stdout, "limits.topics");
    assert_eq!(topics[1..], ["1", "2", "at", "once", "0"]);
    let format = row(&outcome.stdout, "log.format");
    assert_eq!(format[1..5], ["text", "\\u{1b}", "after", "a"]);

    let folder = folder(&[("c.toml", LINE)]);
    let (place, request) = answers(answer("200 OK", "{\"changes\":[]}"));
    let outcome = run_in(
        folder.path(),
        &["check", "c.toml", "--against", &place],
        &[],
    );
    assert!(
        request
            .join()
            .unwrap()
            .ends_with(&format!("\r\n\r\n{LINE}"))
    );
    assert_eq!((outcome.code, &outcome.stderr[..]), (Some(0), ""));
    assert_eq!(outcome.stdout, "good; nothing would change\n");
}

#[test]
fn each_mistake_of_a_file_has_a_line_and_does_nothing_to_the_terminal() {
    let text = r#"{"error":"bad-request","text":"c.toml:1: one\nc.toml:7: \u001b[2J two"}"#;
    let (place, request) = answers(answer("400 Bad Request", text));
    let outcome = ask_at(&place, &["reload"], &[]);
    request.join().unwrap();
    let told = "400 bad-request:\n  c.toml:1: one\n  c.toml:7: \\u{1b}[2J two\n";
    fails(&outcome, 1, &[told]);
}

#[test]
fn a_daemon_that_can_not_reload_or_check_is_told_as_such() {
    let folder = folder(&[("c.toml", LINE)]);
    let missing = "{\"error\":\"not-found\",\"text\":\"there is nothing of that name\"}\n";
    for said in [
        answer("404 Not Found", missing),
        answer("404 Not Found", "<html>"),
        answer(
            "503 Service Unavailable",
            "{\"error\":\"unavailable\",\"text\":\"not here\"}",
        ),
    ] {
        let (place, request) = answers(said.clone());
        let outcome = run_in(
            folder.path(),
            &["check", "c.toml", "--against", &place],
            &[],
        );
        request.join().unwrap();
        fails(
            &outcome,
            1,
            &[
                &place,
                "the daemon that runs there can not check a configuration",
            ],
        );
        let (place, request) = answers(said);
        let outcome = ask_at(&place, &["reload"], &[]);
        request.join().unwrap();
        fails(
            &outcome,
            1,
            &[&place, "can not reload over the interface; use SIGHUP"],
        );
    }
}

#[test]
fn what_is_wrong_with_a_file_is_told_before_a_daemon_is_asked() {
    let folder = folder(&[("c.toml", "[limits]\nnonsense = 1\n")]);
    let arguments = ["check", "c.toml", "--against", "http://127.0.0.1:1"];
    fails(
        &run_in(folder.path(), &arguments, &[]),
        2,
        &["c.toml:2", "nonsense"],
    );
}

#[test]
fn the_token_is_shown_from_a_file_or_a_variable() {
    let folder = folder(&[
        ("token", "secret-enough-for-us\n"),
        ("wrong", "another-one\n"),
    ]);
    let token = folder.path().join("token").display().to_string();
    let wrong = folder.path().join("wrong").display().to_string();
    let arguments = ["--admin-bind", "127.0.0.1:0", "--admin-token-file", &token];
    let daemon = Daemon::start_with(LINE, &arguments);
    let place = admin(&daemon);
    let says = ["401 bad-credentials", &place];
    fails(
        &ask(&daemon, &["status"]),
        1,
        &[&says[..], &["--token-file"]].concat(),
    );
    let other = ask(&daemon, &["status", "--token-file", &wrong]);
    fails(
        &other,
        1,
        &[&says[..], &["the token is another one"]].concat(),
    );
    assert!(!other.stderr.contains("another-one\n"), "{other:#?}");
    told(&daemon, &["status", "--token-file", &token]);
    let file = [("PULSEGATE_ADMIN_TOKEN_FILE", &token[..])];
    assert_eq!(ask_at(&place, &["users"], &file).code, Some(0));
    let held = [("PULSEGATE_ADMIN_TOKEN", "secret-enough-for-us")];
    assert_eq!(ask_at(&place, &["users"], &held).code, Some(0));
    // What is said on the command line wins.
    let said = ask_at(&place, &["users", "--token-file", &wrong], &held);
    fails(&said, 1, &says);
    fails(
        &ask(&daemon, &["status", "--token-file", "/nowhere"]),
        1,
        &["token file /nowhere: "],
    );
}

#[test]
fn a_unix_socket_is_spoken_to_as_well() {
    let folder = folder(&[]);
    let place = format!("unix:{}", folder.path().join("admin").display());
    let daemon = Daemon::start_with(LINE, &["--admin-bind", &place]);
    let _alice = login(&daemon, "alice");
    let outcome = ask_at("http://127.0.0.1:1", &["users", "--admin", &place], &[]);
    assert_eq!((outcome.code, &outcome.stderr[..]), (Some(0), ""));
    assert!(outcome.stdout.contains("alice"));
}

#[test]
fn where_no_daemon_is_the_message_says_where() {
    let nowhere = "http://127.0.0.1:1";
    for command in [
        &["status"][..],
        &["users"],
        &["why", "a"],
        &["push", "--everyone", "x"],
        &["kick", "a"],
        &["ban", "--list"],
        &["drain"],
        &["reload"],
        &["tap", "a"],
        &["top"],
    ] {
        let outcome = ask_at(nowhere, command, &[]);
        fails(
            &outcome,
            1,
            &[nowhere, "no daemon is reached there", "refused"],
        );
        let arguments = [command, &["--json"]].concat();
        assert_eq!(ask_at(nowhere, &arguments, &[]), outcome);
    }
    fails(
        &ask_at("unix:/nowhere", &["status"], &[]),
        1,
        &["unix:/nowhere: no daemon"],
    );
}

#[test]
fn what_is_no_daemon_is_told_as_such() {
    let daemon = daemon(LINE);
    let clients = format!("http://{}", daemon.addrs()[0]);
    fails(&ask_at(&clients, &["status"], &[]), 1, &[&clients]);
    for said in [
        answer("200 OK", "<html>"),
        answer("500 Oh", "\u{1b}[2J"),
        String::from("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}"),
        String::from("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n"),
        String::from("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n"),
        String::from("HTTP/1.1 200 OK\r\n"),
        String::from("hello\r\n\r\n"),
        String::new(),
    ] {
        let (place, request) = answers(said);
        let outcome = ask_at(&place, &["status"], &[]);
        request.join().unwrap();
        fails(&outcome, 1, &[&place]);
        assert!(!outcome.stderr.contains('\u{1b}'), "{outcome:#?}");
    }
}

#[test]
fn a_command_line_that_is_wrong_ends_with_2_and_help_tells_the_codes() {
    for wrong in [
        &["status", "more"][..],
        &["status", "--admin", "ftp://host"],
        &["why"],
        &["kick"],
        &["users", "--limit", "0"],
        &["top", "--sort", "beauty"],
        &["tap", "a", "--for", "soon"],
        &["--idle-timeout", "5s", "status"],
        &["check", "--json", "c.toml"],
    ] {
        fails(&ask_at("", wrong, &[]), 2, &[]);
    }
    for command in [
        "status", "users", "why", "push", "kick", "ban", "drain", "reload", "tap", "top",
    ] {
        let help = ask_at("", &[command, "--help"], &[]).stdout;
        for words in [
            "Exit codes: 0 done, 1 ",
            "2 the command line",
            "--admin <",
            "--json",
        ] {
            assert!(help.contains(words), "{command}: {help}");
        }
    }
}
