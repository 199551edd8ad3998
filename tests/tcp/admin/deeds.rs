//! What an operator does: ends connections, bans, drains.

use serde_json::{Value, json};

use super::daemon;
use crate::client::eventually;

#[test]
fn connections_are_kicked_by_user_and_by_id() {
    let daemon = daemon("[users]\npolicy = { devices = 2 }\n", "");
    let mut http = daemon.http();
    let mut devices = [daemon.user("alice"), daemon.user("alice")];
    let mut bob = daemon.user("bob");
    let told = http.post("/v1/kick", r#"{"user":"alice"}"#).json();
    assert_eq!(told, json!({"kicked": 2}));
    for device in &mut devices {
        device.hears("close kicked");
    }
    let id = http.json("/v1/users/bob")["connections"][0]["id"].clone();
    let by_id = json!({"connection": id}).to_string();
    assert_eq!(http.post("/v1/kick", &by_id).json(), json!({"kicked": 1}));
    bob.hears("close kicked");
    assert_eq!(http.post("/v1/kick", &by_id).json(), json!({"kicked": 0}));
    assert_eq!(
        http.post("/v1/kick", r#"{"user":"nobody"}"#).json(),
        json!({"kicked": 0})
    );
    for wrong in [
        "",
        "{}",
        r#"{"user":"a","connection":1}"#,
        r#"{"user":7}"#,
        r#"{"usr":"a"}"#,
    ] {
        http.post("/v1/kick", wrong).refuses(400, "bad-request");
    }
}

#[test]
fn fields_are_taken_by_their_names_and_not_by_their_order() {
    let daemon = daemon("", "");
    let mut http = daemon.http();
    let mut alice = daemon.user("alice");
    for (target, body) in [
        ("/v1/kick", r#"["alice",null]"#),
        ("/v1/bans", r#"["10.0.0.1",null,null,false]"#),
        ("/v1/push", r#"{"to":["alice",null,null,null],"body":1}"#),
        ("/v1/push", r#"[[{"user":"alice"},1,false,null]]"#),
        ("/v1/drain", "[null]"),
        ("/v1/drain", "[5000]"),
    ] {
        http.post(target, body).refuses(400, "bad-request");
    }
    assert_eq!(http.json("/v1/bans")["bans"], json!([]));
    alice.asks("ping", "pong");
}

#[test]
fn a_close_tells_who_asked_for_it_and_what_its_reason_stands_for() {
    let daemon = daemon("", "bad_requests_max = 1");
    let mut http = daemon.http();
    let newest = |http: &mut crate::http::Http| {
        let told = http.json("/v1/closes?limit=1");
        let row = &told["closes"][0];
        json!([row["reason"], row["by"], row["detail"]])
    };
    let mut alice = daemon.user("alice");
    http.post("/v1/kick", r#"{"user":"alice"}"#);
    alice.hears("close kicked");
    assert_eq!(newest(&mut http), json!(["kicked", "operator", null]));
    let mut first = daemon.user("alice");
    let mut alice = daemon.user("alice");
    first.hears("close replaced");
    assert_eq!(newest(&mut http), json!(["replaced", "same user", null]));
    http.post("/v1/bans", r#"{"user":"alice"}"#);
    alice.hears("close banned");
    assert_eq!(newest(&mut http), json!(["banned", "operator", "user"]));
    let mut bob = daemon.user("bob");
    bob.send("nonsense\n");
    bob.hear_text();
    bob.closes("protocol");
    let told = json!(["protocol", "gate", "bad_requests_max"]);
    assert_eq!(newest(&mut http), told);
    let mut bob = daemon.user("bob");
    http.post("/v1/bans", r#"{"cidr":"127.0.0.0/8","ttl_ms":1}"#);
    bob.hears("close banned");
    assert_eq!(newest(&mut http), json!(["banned", "operator", "address"]));
}

#[test]
fn who_is_banned_is_ended_and_not_let_in_until_it_is_over() {
    let daemon = daemon("", "");
    let mut http = daemon.http();
    let mut alice = daemon.user("alice");
    let told = http.post("/v1/bans", r#"{"user":"alice","ttl_ms":60000}"#);
    assert_eq!(told.json(), json!({"kicked": 1}));
    alice.hears("close banned");
    let mut again = daemon.line();
    again.say("login alice");
    again.hears("close banned");
    let mut bob = daemon.user("bob");
    let told = http.post("/v1/bans", r#"{"cidr":"127.0.0.9/8"}"#);
    assert_eq!(told.json(), json!({"kicked": 1}));
    bob.hears("close banned");
    daemon.line().hears("close banned");
    let bans = http.json("/v1/bans")["bans"].clone();
    assert_eq!(
        bans[0],
        json!({"cidr": "127.0.0.0/8", "ttl_ms": Value::Null})
    );
    assert_eq!(bans[1]["user"], "alice");
    assert!(bans[1]["ttl_ms"].as_u64() < Some(60_001));
    let cidr = r#"{"cidr":"127.0.0.0/8"}"#;
    assert_eq!(
        http.ask("DELETE", "/v1/bans", cidr).json(),
        json!({"removed": 1})
    );
    assert_eq!(
        http.ask("DELETE", "/v1/bans", cidr).json(),
        json!({"removed": 0})
    );
    let mut bob = daemon.user("bob");
    // A new ban of the same replaces the old one, and ends by itself.
    let told = http.post("/v1/bans", r#"{"user":"alice","ttl_ms":10}"#);
    assert_eq!(told.json(), json!({"kicked": 0}));
    eventually("it is over", || {
        let mut alice = daemon.line();
        alice.say("login alice");
        alice.hear_text().starts_with("ok ").then_some(())
    });
    assert_eq!(http.json("/v1/bans"), json!({"bans": []}));
    bob.asks("ping", "pong");
    for wrong in [
        "{}",
        r#"{"cidr":"nowhere"}"#,
        r#"{"cidr":"10.0.0.0/33"}"#,
        r#"{"user":"a b"}"#,
        r#"{"user":"a","cidr":"10.0.0.0/8"}"#,
        r#"{"user":"a","ttl_ms":"soon"}"#,
    ] {
        http.post("/v1/bans", wrong).refuses(400, "bad-request");
    }
    http.ask("PUT", "/v1/bans", "{}")
        .refuses(405, "method-not-allowed");
}

#[test]
fn a_drain_is_answered_tells_everybody_and_ends_the_daemon() {
    let mut daemon = daemon("", "");
    let mut http = daemon.http();
    let mut clients = [daemon.line(), daemon.line()];
    for client in &mut clients {
        client.asks("ping", "pong");
    }
    http.post("/v1/drain", r#"{"over":1}"#)
        .refuses(400, "bad-request");
    let told = http.post("/v1/drain", r#"{"over_ms":1500}"#);
    assert_eq!(told.json(), json!({"draining": 2}));
    eventually("health says so", || {
        (http.get("/readyz").status == 503).then_some(())
    });
    http.get("/readyz").refuses(503, "draining");
    assert_eq!(http.get("/healthz").status, 200);
    http.post("/v1/drain", "{}").refuses(409, "draining");
    http.post("/v1/reload", "{}").refuses(409, "draining");
    assert_eq!(http.post("/v1/check", "").status, 200);
    for client in &mut clients {
        client.hears_some("close shutdown ");
    }
    drop(clients);
    assert!(daemon.exit().success());
}

#[test]
fn a_drain_of_nobody_is_answered_too() {
    let mut daemon = daemon("", "");
    let told = daemon.http().post("/v1/drain", "{}");
    assert_eq!(told.json(), json!({"draining": 0}));
    assert!(daemon.exit().success());
}
