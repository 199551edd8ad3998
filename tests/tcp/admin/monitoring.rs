//! What is in `tools/monitoring` against what a daemon really tells.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::daemon;
use crate::client::Client;

#[test]
fn the_dashboard_asks_for_what_is_told() {
    let text = fs::read_to_string(file("dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let mut queries = Vec::new();
    collect(&dashboard, &mut queries);
    assert!(queries.len() > 30, "{queries:?}");
    judge(&queries);
    // Whose data it shows is chosen in the dashboard, and no panel has a source of its own.
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert_eq!(variables[0]["type"], "datasource");
    assert_eq!(variables[0]["name"], "datasource");
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        }
    }
}

#[test]
fn the_alerts_watch_what_is_told() {
    let text = fs::read_to_string(file("alerts.yml")).unwrap();
    // Good enough for a file of ours: comments are lines of their own.
    let lines = text.lines().filter(|line| !line.trim().starts_with('#'));
    let queries: Vec<String> = lines.map(str::to_owned).collect();
    judge(&queries);
    // Of all descriptors, not of connections alone.
    let near = queries.iter().find(|line| line.contains("_fds > "));
    assert!(near.is_some_and(|line| line.trim().starts_with("process_open_fds > ")));
}

#[test]
fn the_alerts_are_rules_of_prometheus() {
    promtool(&["check", "rules"], "alerts.yml");
}

#[test]
fn the_alerts_come_and_go_as_their_examples_say() {
    promtool(&["test", "rules"], "alerts.test.yml");
}

/// Demands that the tool of Prometheus is content with a file, where it is installed.
#[track_caller]
fn promtool(arguments: &[&str], name: &str) {
    let outcome = Command::new("promtool")
        .args(arguments)
        .arg(file(name))
        .output();
    let Ok(outcome) = outcome else {
        let may_skip = std::env::var_os("PULSEGATE_NO_SKIP").is_none();
        assert!(may_skip, "promtool is not installed");
        eprintln!("skipped: promtool is not installed, so the rules are not judged");
        return;
    };
    let said = [outcome.stdout, outcome.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(outcome.status.success(), "{said}");
}

#[test]
fn strangers_names_and_addresses_add_no_series() {
    // 63
    let daemon = daemon("", "");
    let series = || -> BTreeSet<String> {
        let told = daemon.http().get("/metrics").text();
        let samples = told.lines().filter(|line| !line.starts_with('#'));
        let name = |line: &str| line.rsplit_once(' ').map(|(name, _)| name.to_owned());
        samples.filter_map(name).collect()
    };
    let before = series();
    assert!(before.len() > 100, "{}", before.len());
    let mut crowd = Vec::new();
    for number in 1..=100_u8 {
        let mut client = Client::from([127, 5, 0, number].into(), daemon.addr("line"));
        client.login(&format!("user{number}"));
        client.asks(&format!("join topic{number}"), "ok");
        client.fails(&format!("verb{number}"), "bad-request");
        crowd.push(client);
        let _ = daemon.http().get(&format!("/v1/users/none{number}"));
        let mut other = daemon.line();
        other.send("GET / HTTP/1.1\r\n\r\n");
        other.gone();
    }
    assert_eq!(series(), before);
}

fn file(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tools/monitoring");
    PathBuf::from(folder).join(name)
}

/// All that a dashboard asks its source for.
fn collect(value: &Value, queries: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, queries)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if matches!(&key[..], "expr" | "definition" | "query") => {
                        queries.push(text.clone());
                    }
                    _ => collect(value, queries),
                }
            }
        }
        _ => {}
    }
}

/// Demands that a running daemon tells every metric that is asked for, with the labels and the
/// values that are.
fn judge(queries: &[String]) {
    let told = daemon("", "").http().get("/metrics").text();
    let samples: Vec<&str> = told.lines().filter(|line| !line.starts_with('#')).collect();
    let mut count = 0;
    for query in queries {
        for (name, selector) in metrics(query) {
            let ours = |line: &&&str| {
                let rest = line.strip_prefix(name);
                rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
            };
            let lines: Vec<_> = samples.iter().filter(ours).collect();
            assert!(!lines.is_empty(), "no metric is called {name}: {query}");
            for wanted in labels(selector) {
                let found = lines.iter().any(|line| line.contains(&wanted));
                assert!(found, "{name} has no {wanted}: {query}");
            }
            count += 1;
        }
    }
    assert!(count > 10, "only {count} names were found");
}

/// The metrics of ours that a query names, each with what stands in its braces.
fn metrics(query: &str) -> Vec<(&str, &str)> {
    let is_part = |char: char| char.is_ascii_alphanumeric() || char == '_';
    let mut found = Vec::new();
    let mut rest = query;
    while let Some(start) = rest.find(is_part) {
        rest = &rest[start..];
        let (name, behind) = rest.split_at(rest.find(|char| !is_part(char)).unwrap_or(rest.len()));
        rest = behind;
        if name.starts_with("pulsegate_") || name.starts_with("process_") {
            let inner = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
            found.push((name, inner.map_or("", |(inner, _)| inner)));
        }
    }
    found
}

/// The labels that a selector demands as a sample shows them: each value that it wants, one by one.
fn labels(selector: &str) -> Vec<String> {
    let mut wanted = Vec::new();
    for matcher in selector.split(',').filter(|matcher| !matcher.is_empty()) {
        let (label, values) = matcher.split_once(['=', '!']).unwrap();
        // The scrape puts these in.
        if matches!(label, "instance" | "job") {
            continue;
        }
        let values = values.trim_start_matches(['=', '~']).trim_matches('"');
        wanted.extend(
            values
                .split('|')
                .map(|value| format!("{label}=\"{value}\"")),
        );
    }
    wanted
}

#[test]
fn names_and_labels_are_found_in_a_query() {
    let query =
        "sum(rate(pulsegate_a_total{instance=~\"$x\",b!=\"c\",d=~\"e|f\"}[5m])) > process_g";
    let found = metrics(query);
    assert_eq!(found[1], ("process_g", ""));
    assert_eq!(found[0].0, "pulsegate_a_total");
    assert_eq!(labels(found[0].1), ["b=\"c\"", "d=\"e\"", "d=\"f\""]);
}
