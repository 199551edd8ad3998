//! Who may ask.

use std::io::Write;

use super::daemon;
use crate::daemon::Daemon;
use crate::http::{Http, Reply};

pub const TOKEN: &str = "a-token-that-nobody-guesses";

/// A daemon that wants that token.
pub fn guarded() -> (Daemon, tempfile::NamedTempFile) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "{TOKEN}").unwrap();
    let path = file.path().display();
    let admin = format!("[admin]\nbind = \"127.0.0.1:0\"\ntoken_file = \"{path}\"\n");
    (daemon(&admin, ""), file)
}

fn ask(http: &mut Http, target: &str, fields: &str) -> Reply {
    http.send(format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"
    ));
    http.reply()
}

#[test]
fn a_body_is_taken_from_nobody_without_the_token() {
    // 106: all places could wait for it.
    let (daemon, _file) = guarded();
    for open in ["/", "/healthz", "/readyz"] {
        let mut http = daemon.http();
        http.send(format!(
            "POST {open} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n"
        ));
        http.reply().refuses(401, "bad-credentials");
    }
}

#[test]
fn a_token_is_demanded_for_all_but_three() {
    let (daemon, _file) = guarded();
    let mut http = daemon.http();
    for open in ["/", "/healthz", "/readyz"] {
        assert_eq!(http.get(open).status, 200, "{open}");
    }
    for target in [
        "/metrics",
        "/v1/stats",
        "/v1/nothing",
        "/healthz/",
        "//",
        "/%2f",
    ] {
        for fields in [
            String::new(),
            String::from("Authorization: Bearer\r\n"),
            String::from("Authorization: Bearer wrong\r\n"),
            format!("Authorization: Basic {TOKEN}\r\n"),
            format!("Authorization: Bearer {TOKEN}x\r\n"),
            format!("Authorization: Bearer {}\r\n", &TOKEN[1..]),
        ] {
            let reply = ask(&mut http, target, &fields);
            reply.refuses(401, "bad-credentials");
            assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        }
    }
    for scheme in ["Bearer", "bearer"] {
        let fields = format!("Authorization: {scheme} {TOKEN}\r\n");
        assert_eq!(ask(&mut http, "/v1/stats", &fields).status, 200);
        assert_eq!(ask(&mut http, "/v1/nothing", &fields).status, 404);
    }
    assert!(!daemon.log_text().contains(TOKEN));
}

#[test]
fn the_token_may_come_in_a_variable() {
    let config =
        "[admin]\nbind = \"127.0.0.1:0\"\n[[listener]]\nname = \"line\"\nbind = \"127.0.0.1:0\"\n";
    let daemon = Daemon::start_knowing(("PULSEGATE_ADMIN_TOKEN", TOKEN), config);
    let mut http = daemon.http();
    http.get("/v1/stats").refuses(401, "bad-credentials");
    let fields = format!("Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(ask(&mut http, "/v1/stats", &fields).status, 200);
    assert!(!daemon.log_text().contains(TOKEN));
}

#[test]
fn a_host_that_is_not_ours_gets_nothing() {
    let daemon = daemon("", "");
    let mut http = daemon.http();
    for host in [
        "evil.example",
        "evil.example:7374",
        "localhost.evil.example",
        "10.0.0.1",
        "",
    ] {
        for target in ["/", "/healthz", "/v1/stats"] {
            http.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
            http.reply().refuses(403, "forbidden");
        }
    }
    for host in [
        "localhost",
        "LocalHost:1",
        "127.0.0.1",
        "127.0.0.1:7374",
        "[::1]:7374",
    ] {
        http.send(format!("GET /v1/stats HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(http.reply().status, 200, "{host}");
    }
}

#[test]
fn a_host_that_is_listed_is_ours() {
    let daemon = daemon(
        "[admin]\nbind = \"127.0.0.1:0\"\nhosts = [\"gate.example\", \"10.0.0.1\"]\n",
        "",
    );
    let mut http = daemon.http();
    for (host, status) in [
        ("gate.example", 200),
        ("Gate.Example:7374", 200),
        ("10.0.0.1:80", 200),
        ("localhost", 200),
        ("example", 403),
        ("gate.example.evil", 403),
        ("10.0.0.2", 403),
    ] {
        http.send(format!("GET /v1/stats HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(http.reply().status, status, "{host}");
    }
}

/// What a page of somebody else's can send without asking first: a form.
#[test]
fn what_changes_something_demands_json() {
    let daemon = daemon("", "");
    let mut http = daemon.http();
    let _alice = daemon.user("alice");
    for (method, target, body) in [
        ("POST", "/v1/push", r#"{"to":{"everyone":true},"body":"x"}"#),
        ("POST", "/v1/kick", r#"{"user":"alice"}"#),
        ("POST", "/v1/bans", r#"{"user":"alice"}"#),
        ("DELETE", "/v1/bans", r#"{"user":"alice"}"#),
        ("POST", "/v1/drain", "{}"),
        ("POST", "/v1/reload", "{}"),
    ] {
        for kind in [
            "",
            "Content-Type: text/plain\r\n",
            "Content-Type: application/x-www-form-urlencoded\r\n",
            "Content-Type: multipart/form-data; boundary=application/json\r\n",
        ] {
            let length = body.len();
            http.send(format!(
                "{method} {target} HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\
                 {kind}Content-Length: {length}\r\n\r\n{body}"
            ));
            let reply = http.reply();
            reply.refuses(400, "bad-request");
            assert_eq!(reply.header("access-control-allow-origin"), None);
        }
    }
    let stats = http.json("/v1/stats");
    assert_eq!(stats["users"]["online"], 1);
    assert_eq!(stats["draining"], false);
    assert_eq!(http.get("/readyz").status, 200);
    assert_eq!(http.json("/v1/bans")["bans"], serde_json::json!([]));
}

#[test]
fn other_methods_are_told_which_there_are() {
    let daemon = daemon("", "");
    let mut http = daemon.http();
    for target in ["/", "/healthz", "/readyz", "/metrics", "/v1/stats"] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get"] {
            let reply = http.ask(method, target, "");
            reply.refuses(405, "method-not-allowed");
            assert_eq!(reply.header("allow"), Some("GET, HEAD"));
            // No page of somebody else's is ever let in.
            assert_eq!(reply.header("access-control-allow-origin"), None);
        }
        http.send(format!("HEAD {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        let head = http.head();
        assert_eq!(head.status, 200);
        assert!(head.header("content-length").is_some());
    }
}

#[test]
fn a_unix_socket_is_for_its_owner_alone() {
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::{UnixListener, UnixStream};

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    // One that nobody listens on any more makes room.
    drop(UnixListener::bind(&path).unwrap());
    let admin = format!("[admin]\nbind = \"unix:{}\"\n", path.display());
    let mut daemon = daemon(&admin, "");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut stream = UnixStream::connect(&path).unwrap();
    let request = "GET /v1/stats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    daemon.signal(rustix::process::Signal::TERM);
    assert!(daemon.exit().success());
    assert!(!path.exists(), "it takes its socket with it");
}
