//! What is told of the daemon as a whole: health, counters, metrics.

use std::collections::HashSet;
use std::io::Write;
use std::process::{Command, Stdio};

use super::daemon;
use crate::client::{Client, eventually};
use crate::daemon::Daemon;
use crate::http::Http;

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
fn it_answers_when_clients_have_all_descriptors_that_they_may() {
    let config =
        "[admin]\nbind = \"127.0.0.1:0\"\n[[listener]]\nname = \"line\"\nbind = \"127.0.0.1:0\"\n";
    let daemon = Daemon::start_limited(config, 160);
    let most = daemon.http().json("/v1/stats")["connections"]["limit"]
        .as_u64()
        .unwrap();
    let mut clients: Vec<Client> = (0..most).map(|_| daemon.line()).collect();
    for client in &mut clients {
        client.asks("ping", "pong");
    }
    let refused: Vec<Client> = (0..100).map(|_| daemon.line()).collect();
    let mut operators: Vec<Http> = (0..16).map(|_| daemon.http()).collect();
    for http in &mut operators {
        assert_eq!(http.get("/healthz").status, 200);
        http.get("/readyz").refuses(503, "overloaded");
    }
    assert_eq!(operators[0].json("/v1/stats")["connections"]["open"], most);
    drop(refused);
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
    // Each family says what it is before its samples, and each sample is of a family.
    let families: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let once: HashSet<&str> = families.iter().copied().collect();
    assert_eq!(once.len(), families.len());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let part = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end));
        let is_known = once.contains(name) || part.is_some_and(|name| once.contains(name));
        assert!(is_known, "{line}");
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
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
