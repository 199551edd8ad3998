//! A token is in its file, or in its variable, and nowhere else: not in a log, however much is
//! logged, not in metrics, not in what a configuration or a complaint is shown as.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use rustix::process::Signal;

use crate::daemon::{Daemon, LINE};
use crate::program::{program, run_in};

const TOKEN: &str = "a-token-of-32-characters-or-more-0123456789";

/// An answer of the admin interface.
fn ask(daemon: &Daemon, head: &str) -> String {
    let mut stream = UnixStream::connect(daemon.folder().join("adm.sock")).unwrap();
    stream
        .set_read_timeout(Some(crate::program::PATIENCE))
        .unwrap();
    let request = format!("{head}Host: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_token_is_told_to_nobody() {
    let mut command = program();
    command.env("PULSEGATE_ADMIN_TOKEN", TOKEN);
    command.env("RUST_BACKTRACE", "1");
    let flags = ["-vv", "--admin-bind", "unix:adm.sock"];
    let mut daemon = Daemon::launch(command, LINE, &flags);
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let mut seen = String::new();
    for path in [
        "/metrics",
        "/v1/stats",
        "/v1/config",
        "/v1/connections",
        "/healthz",
        "/",
        "/no",
    ] {
        let answer = ask(&daemon, &format!("GET {path} HTTP/1.1\r\n{bearer}"));
        assert!(!answer.starts_with("HTTP/1.1 401"), "{path}: {answer}");
        seen += &answer;
    }
    // A wrong one, one that is nearly right, and requests that are none.
    for head in [
        format!("GET /v1/stats HTTP/1.1\r\nAuthorization: Bearer {TOKEN}x\r\n"),
        format!("GET /v1/stats HTTP/1.1\r\nAuthorization: Basic {TOKEN}\r\n"),
        format!("GET /v1/stats HTTP/9.9\r\n{bearer}"),
        format!("POST /v1/reload HTTP/1.1\r\n{bearer}Content-Length: x\r\n"),
        bearer,
    ] {
        let answer = ask(&daemon, &head);
        assert!(!answer.starts_with("HTTP/1.1 2"), "{head}: {answer}");
        seen += &answer;
    }
    let mut client = daemon.client();
    client.login("alice");
    for config in ["nonsense", LINE] {
        daemon.rewrite(config);
        daemon.signal(Signal::HUP);
        daemon.logs(if config == LINE {
            "reloaded c.toml"
        } else {
            "reload refused"
        });
    }
    daemon.signal(Signal::TERM);
    assert!(daemon.exit().success());
    daemon.logs("done");
    seen += &daemon.log();
    assert!(seen.contains("TRACE") || seen.contains("DEBUG"), "{seen}");
    let at = seen.find(TOKEN).map(|at| &seen[at.saturating_sub(200)..]);
    assert_eq!(at, None);
}

#[test]
fn nor_by_what_is_shown_of_a_configuration() {
    let config = format!("[admin]\ntoken_file = \"token\"\n{LINE}");
    let folder = crate::program::folder(&[("c.toml", &config), ("token", TOKEN)]);
    let two_lines = format!("{TOKEN}\n{TOKEN}\n");
    for (token, variable) in [(TOKEN, TOKEN), (&two_lines, TOKEN), (TOKEN, &two_lines)] {
        std::fs::write(folder.path().join("token"), token).unwrap();
        for arguments in [
            &["config", "-c", "c.toml"][..],
            &["check", "c.toml"],
            &["serve", "-c", "c.toml", "--bind", "nonsense"],
            &[
                "status",
                "--admin",
                "unix:/nowhere",
                "--token-file",
                "token",
            ],
            &["status", "--admin", "unix:/nowhere"],
        ] {
            let variables = [("PULSEGATE_ADMIN_TOKEN", variable)];
            let outcome = run_in(folder.path(), arguments, &variables);
            let told = format!("{}{}", outcome.stdout, outcome.stderr);
            assert!(
                !told.is_empty() && !told.contains(TOKEN),
                "{arguments:?}: {told}"
            );
        }
    }
}
