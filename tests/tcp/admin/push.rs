//! What a backend does: messages to users, topics and everyone; what became of them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::daemon;
use crate::client::eventually;
use crate::http::Http;

/// What a push is answered with.
#[track_caller]
fn push(http: &mut Http, body: &Value) -> Value {
    let reply = http.post("/v1/push", &body.to_string());
    assert_eq!(reply.status, 200, "{body}: {}", reply.text());
    reply.json()
}

fn counts(told: &Value) -> [u64; 3] {
    ["queued", "offline", "dropped"].map(|key| told[key].as_u64().unwrap())
}

#[test]
fn messages_reach_users_topics_and_everyone() {
    let daemon = daemon("", "");
    let mut http = daemon.http();
    let (mut alice, mut bob) = (daemon.user("alice"), daemon.user("bob"));
    bob.asks("join news", "ok");
    let mut last = 0;
    let mut id = |told: &Value| {
        let id = told["id"].as_u64().unwrap();
        assert!(id > last, "ids grow");
        last = id;
        id
    };
    let told = push(
        &mut http,
        &json!({"to": {"user": "alice"}, "body": "hello"}),
    );
    assert_eq!(counts(&told), [1, 0, 0]);
    alice.hears(format!("msg {} - hello", id(&told)));
    let told = push(
        &mut http,
        &json!({"to": {"topic": "news"}, "body": {"a": [1, 2]}}),
    );
    assert_eq!(counts(&told), [1, 0, 0]);
    bob.hears(format!("msg {} topic:news/- {{\"a\":[1,2]}}", id(&told)));
    let told = push(&mut http, &json!({"to": {"everyone": true}, "body": ""}));
    assert_eq!(counts(&told), [2, 0, 0]);
    let everyone = id(&told);
    alice.hears(format!("msg {everyone} - "));
    bob.hears(format!("msg {everyone} - "));
    // Several users share one id; who is not there gets nothing.
    let to = json!({"users": ["alice", "nobody", "bob"]});
    let told = push(&mut http, &json!({"to": to, "body": "all"}));
    assert_eq!(counts(&told), [2, 0, 1]);
    let several = id(&told);
    alice.hears(format!("msg {several} - all"));
    bob.hears(format!("msg {several} - all"));
    // Each of them once, however often he is named.
    let to = json!({"users": ["alice", "bob", "alice", "nobody", "alice", "nobody"]});
    let told = push(&mut http, &json!({"to": to, "body": "once", "ack": true}));
    assert_eq!(counts(&told), [2, 1, 0]);
    let once = id(&told);
    alice.hears(format!("msga {once} - once"));
    bob.hears(format!("msga {once} - once"));
    alice.asks("ping", "pong");
    let told = http.json(&format!("/v1/messages/{once}"));
    assert_eq!(
        (&told["pending"], &told["attempts"]),
        (&3.into(), &2.into())
    );
    let told = push(&mut http, &json!({"to": {"topic": "nothing"}, "body": 1}));
    assert_eq!(counts(&told), [0, 0, 0]);
    let told = push(&mut http, &json!({"to": {"user": "nobody"}, "body": 1}));
    assert_eq!(counts(&told), [0, 0, 1]);
}

#[test]
fn many_messages_are_sent_in_order_and_answered_each() {
    let daemon = daemon("", "outbox_max = \"4MiB\"\noutbox_soft = \"4MiB\"");
    let mut http = daemon.http();
    let mut alice = daemon.user("alice");
    let one = |n: usize| json!({"to": {"user": "alice"}, "body": n});
    let many: Vec<Value> = (0..1_000).map(one).collect();
    let told = push(&mut http, &Value::from(many));
    let told = told.as_array().unwrap();
    assert_eq!(told.len(), 1_000);
    for (n, told) in told.iter().enumerate() {
        assert_eq!(counts(told), [1, 0, 0]);
        alice.hears(format!("msg {} - {n}", told["id"]));
    }
    assert_eq!(push(&mut http, &json!([])), json!([]));
    let many: Vec<Value> = (0..1_001).map(one).collect();
    let reply = http.post("/v1/push", &Value::from(many).to_string());
    reply.refuses(413, "too-large");
    // One that is wrong is found before any is sent.
    let reply = http.post(
        "/v1/push",
        &json!([one(1), {"to": {}, "body": 1}]).to_string(),
    );
    reply.refuses(400, "bad-request");
    alice.asks("ping", "pong");
}

#[test]
fn wrong_pushes_are_refused() {
    let daemon = daemon("", "frame_max = 1000");
    let mut http = daemon.http();
    for body in [
        "",
        "{",
        "7",
        "{}",
        r#"{"to":{"user":"a"}}"#,
        r#"{"body":1}"#,
        r#"{"to":{},"body":1}"#,
        r#"{"to":{"user":"a","topic":"b"},"body":1}"#,
        r#"{"to":{"everyone":false},"body":1}"#,
        r#"{"to":{"user":"a b"},"body":1}"#,
        r#"{"to":{"user":""},"body":1}"#,
        r#"{"to":{"users":["a","-"]},"body":1}"#,
        r#"{"to":{"topic":"a b"},"body":1}"#,
        r#"{"to":{"user":"a"},"body":1,"ack":1}"#,
        r#"{"to":{"user":"a"},"body":1,"ttl_ms":-1}"#,
        r#"{"to":{"user":"a"},"body":1,"ttl_ms":99999999999999}"#,
        r#"{"to":{"user":"a"},"body":1,"more":1}"#,
        r#"{"to":{"user":"a"},"body":"\ud800"}"#,
    ] {
        http.post("/v1/push", body).refuses(400, "bad-request");
    }
    let body = |bytes: usize| json!({"to": {"user": "a"}, "body": "x".repeat(bytes)}).to_string();
    assert_eq!(http.post("/v1/push", &body(1_000)).status, 200);
    http.post("/v1/push", &body(1_001))
        .refuses(413, "too-large");
    // A form that a page of somebody else's may post is no JSON.
    http.send(format!(
        "POST /v1/push HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n\
         Content-Length: {}\r\n\r\n{}",
        body(1).len(),
        body(1)
    ));
    http.reply().refuses(400, "bad-request");
    // A body that is too large is refused before it is read.
    http.send(
        "POST /v1/push HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: 99999999\r\n\r\n",
    );
    http.reply().refuses(413, "too-large");
    assert_eq!(http.rest(), b"");
}

#[test]
fn who_waits_to_be_told_is_told() {
    let daemon = daemon("", "");
    let mut http = daemon.http();
    let body = json!({"to": {"user": "a"}, "body": "x"}).to_string();
    http.send(format!(
        "POST /v1/push HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    ));
    assert_eq!(http.head().status, 100);
    http.send(body);
    assert_eq!(http.reply().status, 200);
}

#[test]
fn what_became_of_a_message_can_be_asked() {
    let daemon = daemon("", "offline_max = 1");
    let mut http = daemon.http();
    let mut alice = daemon.user("alice");
    let acked = json!({"to": {"user": "alice"}, "body": 1, "ack": true});
    let id = push(&mut http, &acked)["id"].as_u64().unwrap();
    let target = format!("/v1/messages/{id}");
    assert_eq!(
        http.json(&target),
        json!({"id": id, "state": "pending", "attempts": 1})
    );
    alice.hears(format!("msga {id} - 1"));
    alice.say(format!("ack {id}"));
    eventually("it is settled", || {
        (http.json(&target) == json!({"id": id, "state": "acked", "attempts": 1})).then_some(())
    });
    // Kept for who is not there, and then its time is over.
    let parked = json!({"to": {"user": "bob"}, "body": 1, "ack": true, "ttl_ms": 50});
    let told = push(&mut http, &parked);
    assert_eq!(counts(&told), [0, 1, 0]);
    let target = format!("/v1/messages/{}", told["id"]);
    eventually("it expires", || {
        (http.json(&target)["state"] == "expired").then_some(())
    });
    // The same for who is here and does not acknowledge: not only when it would be sent again.
    let brief = json!({"to": {"user": "alice"}, "body": 1, "ack": true, "ttl_ms": 300});
    let (told, began) = (push(&mut http, &brief), Instant::now());
    let target = format!("/v1/messages/{}", told["id"]);
    assert_eq!(http.json(&target)["state"], "pending");
    eventually("it expires", || {
        (http.json(&target)["state"] == "expired").then_some(())
    });
    let took = began.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    // No room for a second one.
    let parked = json!({"to": {"user": "carol"}, "body": 1, "ack": true});
    assert_eq!(counts(&push(&mut http, &parked)), [0, 1, 0]);
    let told = push(&mut http, &parked);
    assert_eq!(counts(&told), [0, 0, 1]);
    let target = format!("/v1/messages/{}", told["id"]);
    assert_eq!(http.json(&target)["state"], "dropped");
    // To everyone: so many in each state.
    let mut bob = daemon.user("bob");
    let told = push(
        &mut http,
        &json!({"to": {"everyone": true}, "body": 1, "ack": true}),
    );
    let id = told["id"].as_u64().unwrap();
    bob.hears(format!("msga {id} - 1"));
    bob.say(format!("ack {id}"));
    let target = format!("/v1/messages/{id}");
    let wanted = json!({
        "id": id, "pending": 1, "acked": 1, "expired": 0, "dropped": 0, "attempts": 2
    });
    eventually("one of two has it", || {
        (http.json(&target) == wanted).then_some(())
    });
    // Without an ack there is nothing to tell.
    let id = push(&mut http, &json!({"to": {"user": "bob"}, "body": 1}))["id"].clone();
    assert_eq!(http.get(&format!("/v1/messages/{id}")).status, 404);
}

#[test]
fn of_several_who_get_a_message_the_one_without_room_is_counted_once() {
    let daemon = daemon("", "offline_max = 1");
    let mut http = daemon.http();
    let _bob = daemon.user("bob");
    let to = |users: &[&str]| json!({"to": {"users": users}, "body": 1, "ack": true});
    assert_eq!(counts(&push(&mut http, &to(&["ann"]))), [0, 1, 0]);
    let told = push(&mut http, &to(&["ann", "bob"]));
    assert_eq!(counts(&told), [1, 0, 1]);
    let told = http.json(&format!("/v1/messages/{}", told["id"]));
    assert_eq!(
        (&told["pending"], &told["dropped"]),
        (&1.into(), &1.into()),
        "{told}"
    );
}
