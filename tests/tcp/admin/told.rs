//! What is told of the daemon as a whole: health, counters, metrics.

use std::io::Write;
use std::process::{Command, Stdio};

use super::daemon;
use crate::client::eventually;

#[test]
fn stats_count_what_happened() {
    let daemon = daemon("", "");
    let mut http = daemon.http();
    let mut client = daemon.user("alice");
    client.asks("ping", "pong");
    daemon.line().asks("quit", "close quit");
    let told = eventually("both are counted", || {
        let told = http.json("/v1/stats");
        (told["closed"]["quit"] == 1).then_some(told)
    });
    assert_eq!(told["connections"]["open"], 1);
    assert_eq!(told["counters"]["accepted"], 2);
    assert_eq!(told["counters"]["heartbeats"], 1);
    assert_eq!(told["users"]["online"], 1);
    assert_eq!(told["listeners"][0]["name"], "line");
    assert_eq!(told["listeners"][0]["logged_in"], 1);
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    for (key, inside) in [
        ("loop", "turns"),
        ("memory", "ceiling"),
        ("messages", "made"),
    ] {
        assert!(told[key][inside].is_u64(), "{key}.{inside}: {told}");
    }
    assert!(told["memory"]["resident"].as_u64() > Some(1 << 20));
}

#[test]
fn the_page_and_its_kind() {
    let reply = daemon("", "").http().get("/");
    assert_eq!(
        reply.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert!(reply.text().starts_with("<!doctype html>"));
}

#[test]
fn it_answers_and_is_not_ready_when_connections_are_full() {
    let daemon = daemon("[limits]\nconnections = 2\n", "");
    let mut http = daemon.http();
    assert_eq!(http.get("/readyz").status, 200);
    let mut inside = [daemon.line(), daemon.line()];
    for client in &mut inside {
        client.asks("ping", "pong");
    }
    daemon.line().hears("close overloaded 1000");
    // Newcomers are answered too, and are no connections of clients.
    let mut newcomer = daemon.http();
    newcomer.get("/readyz").refuses(503, "overloaded");
    assert_eq!(newcomer.get("/healthz").status, 200);
    assert_eq!(newcomer.json("/v1/stats")["connections"]["open"], 2);
    inside[0].asks("quit", "close quit");
    eventually("it is ready", || {
        (http.get("/readyz").status == 200).then_some(())
    });
}

#[test]
fn metrics_are_of_the_format() {
    let daemon = daemon("", "");
    let mut client = daemon.user("alice");
    client.asks("ping", "pong");
    let reply = daemon.http().get("/metrics");
    let kind = Some("text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(reply.header("content-type"), kind);
    let text = reply.text();
    for line in [
        "pulsegate_connections{listener=\"line\",state=\"logged_in\"} 1",
        "pulsegate_connections_accepted_total 1",
        "pulsegate_heartbeats_received_total 1",
        "pulsegate_connections_closed_total{reason=\"idle-timeout\"} 0",
        "# TYPE pulsegate_event_loop_iteration_seconds histogram",
    ] {
        assert!(text.lines().any(|known| known == line), "{line}:\n{text}");
    }
    // No name of a client's becomes a label.
    assert!(!text.contains("alice"));
    check_with_promtool(&text);
}

/// Has the format judged by its maker's tool, where it is installed.
fn check_with_promtool(text: &str) {
    let child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("promtool is not installed: the format is not judged");
        return;
    };
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let outcome = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(outcome.status.success() && said.is_empty(), "{said}");
}
