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

/// A sample of a page of metrics.
fn sample(text: &str, name: &str) -> f64 {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(name));
    let number = lines.find_map(|rest| rest.strip_prefix(' '));
    let number = number.unwrap_or_else(|| panic!("{name} is not told:\n{text}"));
    number.parse().unwrap()
}

#[test]
fn every_metric_that_operators_expect_is_told() {
    let daemon = daemon("", "");
    let mut client = daemon.user("alice");
    client.asks("ping", "pong");
    client.asks("join t", "ok");
    let text = daemon.http().get("/metrics").text();
    let ours = |name: &str| sample(&text, &format!("pulsegate_{name}"));
    for name in [
        "connections_accepted_total",
        "heartbeats_received_total",
        "heartbeat_timeouts_total",
        "heartbeat_lateness_seconds_count",
        "timer_wheel_entries",
        "timer_wheel_lag_seconds",
        "event_loop_iteration_seconds_sum",
        "event_loop_events_total",
        "event_loop_lag_seconds",
        "bytes_received_total",
        "bytes_sent_total",
        "send_queue_bytes",
        "slow_consumers",
        "open_fds",
        "fd_limit",
        "log_lines_dropped_total",
        "connections{listener=\"line\",state=\"logged_in\"}",
        "connections_closed_total{reason=\"quit\"}",
        "connections_rejected_total{reason=\"full\"}",
        "frames_received_total{type=\"heartbeat\"}",
        "buffer_pool_bytes{state=\"output\"}",
        "accept_paused_seconds_total{cause=\"resources\"}",
        "accept_paused_seconds_total{cause=\"places\"}",
        "accept_paused_seconds_total{cause=\"lag\"}",
        "accept_paused_seconds_total{cause=\"rate\"}",
        "config_reloads_total{result=\"success\"}",
        "config_reloads_total{result=\"failure\"}",
    ] {
        assert!(ours(name) >= 0.0, "{name}");
    }
    assert!(text.contains("\npulsegate_build_info{version=\""));
    assert_eq!(ours("frames_sent_total{type=\"heartbeat\"}"), 1.0);
    assert_eq!(ours("frames_sent_total{type=\"other\"}"), 2.0);
    assert_eq!(ours("event_loop_lag_limit_seconds"), 0.1);
    let began = sample(&text, "process_start_time_seconds");
    assert_eq!(ours("config_last_reload_timestamp_seconds"), began);
    let descriptors = sample(&text, "process_open_fds");
    assert!(descriptors >= ours("open_fds") + 6.0, "{descriptors}");
    for (name, least) in [
        ("process_cpu_seconds_total", 0.0),
        ("process_resident_memory_bytes", 1e6),
        ("process_virtual_memory_bytes", 1e6),
        ("process_virtual_memory_max_bytes", 1e6),
        ("process_max_fds", 100.0),
        ("process_threads", 1.0),
    ] {
        assert!(sample(&text, name) >= least, "{name}");
    }
}

#[test]
fn reloads_are_counted_by_what_came_of_them() {
    let daemon = daemon("", "");
    let mut http = daemon.http();
    let began = sample(&http.get("/metrics").text(), "process_start_time_seconds");
    assert_eq!(http.post("/v1/reload", "").status, 200);
    // A check is no reload.
    assert_eq!(http.post("/v1/check", "").status, 200);
    let text = http.get("/metrics").text();
    let count = |text: &str, result: &str| {
        let name = format!("pulsegate_config_reloads_total{{result=\"{result}\"}}");
        sample(text, &name)
    };
    let last = "pulsegate_config_last_reload_timestamp_seconds";
    let stamp = sample(&text, last);
    assert_eq!(
        (count(&text, "success"), count(&text, "failure")),
        (1.0, 0.0)
    );
    assert!(stamp > began && stamp < began + 60.0, "{stamp}");
    daemon.rewrite("[nothing]\n");
    assert_eq!(http.post("/v1/reload", "").status, 400);
    let text = http.get("/metrics").text();
    assert_eq!(
        (count(&text, "success"), count(&text, "failure")),
        (1.0, 1.0)
    );
    assert_eq!(
        sample(&text, last),
        stamp,
        "what was refused is not in force"
    );
}

#[test]
fn readers_that_lag_are_counted_while_they_do() {
    let daemon = daemon("", "outbox_soft_for = \"1m\"\nsend_buffer = \"4KiB\"");
    let mut http = daemon.http();
    let mut slow = Client::narrow(daemon.addr("line"), crate::client::Framing::Line);
    slow.login("slow");
    let mut count = || sample(&http.get("/metrics").text(), "pulsegate_slow_consumers");
    assert_eq!(count(), 0.0);
    let mut boss = daemon.user("boss");
    let fill = format!("send slow {}", "x".repeat(10_000));
    let mut sent = 0;
    while count() == 0.0 {
        boss.asks(&fill, "ok queued=1");
        sent += 1;
        assert!(sent < 1_000, "it never lags");
    }
    assert_eq!(count(), 1.0);
    for _ in 0..sent {
        slow.message();
    }
    eventually("it reads again", || (count() == 0.0).then_some(()));
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
        let may_skip = std::env::var_os("PULSEGATE_NO_SKIP").is_none();
        assert!(may_skip, "promtool is not installed");
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
