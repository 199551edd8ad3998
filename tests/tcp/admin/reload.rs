//! Another configuration, and what it would change.

use serde_json::json;

use crate::daemon::Daemon;

/// One listener with this time for silence.
pub fn config(idle: &str) -> String {
    format!(
        "[admin]\nbind = \"127.0.0.1:0\"\n[[listener]]\nname = \"line\"\n\
         bind = \"127.0.0.1:0\"\nidle_timeout = \"{idle}\"\n"
    )
}

#[test]
fn a_reload_is_answered_with_what_has_changed_and_how_many_it_touches() {
    let daemon = Daemon::start(&config("60s"));
    let mut http = daemon.http();
    let _alice = daemon.user("alice");
    let none = json!({"changes": []});
    assert_eq!(http.post("/v1/reload", "").json(), none);
    daemon.rewrite(&config("30s"));
    let told = http.post("/v1/reload", "{}").json();
    let change = json!({
        "key": "listener.line.idle_timeout", "old": "\"60s\"", "new": "\"30s\"",
        "needs_restart": false, "tighter": true, "touches": 1,
    });
    assert_eq!(told, json!({"changes": [change]}));
    assert_eq!(http.post("/v1/reload", "").json(), none);
    daemon.rewrite("[[listener]]\nidle_timeout = 7\n");
    let refused = http.post("/v1/reload", "");
    refused.refuses(400, "bad-request");
    assert!(refused.text().contains(":2: idle_timeout: 7 has no unit"));
    http.post("/v1/reload", r#"{"now":true}"#)
        .refuses(400, "bad-request");
    http.ask("GET", "/v1/reload", "")
        .refuses(405, "method-not-allowed");
}

#[test]
fn a_check_tells_the_same_beforehand_and_changes_nothing() {
    let daemon = Daemon::start(&config("60s"));
    let mut http = daemon.http();
    for _ in 0..2 {
        let told = http.post("/v1/check", &config("30s")).json();
        assert_eq!(told["changes"][0]["new"], "\"30s\"");
    }
    let text = json!(config("20s")).to_string();
    let told = http.post("/v1/check", &text).json();
    assert_eq!(told["changes"][0]["new"], "\"20s\"");
    assert_eq!(told["changes"].as_array().map(Vec::len), Some(1));
    let refused = http.post("/v1/check", "[[listener]]\nidle = \"1s\"\n");
    refused.refuses(400, "bad-request");
    assert!(refused.text().contains("2: "), "{}", refused.text());
}
