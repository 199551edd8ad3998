//! Pages of connections, users, topics; death records.

use std::collections::HashSet;

use serde_json::Value;

use super::daemon;
use crate::client::{Client, eventually};
use crate::http::Http;

/// All rows of a table, page by page.
fn all(http: &mut Http, table: &str, query: &str) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut after = String::new();
    loop {
        let page = http.json(&format!("/v1/{table}?{query}{after}"));
        rows.extend(page[table].as_array().unwrap().iter().cloned());
        after = match &page["next"] {
            Value::Null => return rows,
            Value::String(next) => format!("&after={next}"),
            next => format!("&after={next}"),
        };
    }
}

#[test]
fn pages_tell_everybody_once_and_in_order() {
    let daemon = daemon("", "");
    let mut http = daemon.http();
    let mut clients: Vec<Client> = (0..50).map(|n| daemon.user(&format!("u{n:02}"))).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        client.asks(&format!("join t{}", n % 7), "ok");
    }
    let _anonymous = daemon.line();
    eventually("all are there", || {
        (http.json("/v1/stats")["connections"]["open"] == 51).then_some(())
    });
    for limit in [1, 7, 50, 51, 1_000] {
        let limit = format!("limit={limit}");
        let names: Vec<Value> = all(&mut http, "users", &limit);
        let names: Vec<&str> = names
            .iter()
            .map(|row| row["user"].as_str().unwrap())
            .collect();
        let wanted: Vec<String> = (0..50).map(|n| format!("u{n:02}")).collect();
        assert_eq!(names, wanted);
        let topics = all(&mut http, "topics", &limit);
        assert_eq!(topics.len(), 7);
        assert_eq!(
            (&topics[0]["topic"], &topics[0]["members"]),
            (&"t0".into(), &8.into())
        );
        for sort in [
            "id",
            "opened",
            "last_in",
            "last_out",
            "bytes_in",
            "bytes_out",
            "outbox",
        ] {
            let rows = all(&mut http, "connections", &format!("{limit}&sort={sort}"));
            let ids: HashSet<u64> = rows.iter().map(|row| row["id"].as_u64().unwrap()).collect();
            // Ages and counts may move between two pages; ids do not.
            assert!(
                sort != "id" || (ids.len(), rows.len()) == (51, 51),
                "{sort}"
            );
            assert!(rows.len() >= 51, "{sort}: {}", rows.len());
        }
        let members = http.json(&format!("/v1/topics/t1?{limit}"));
        assert_eq!(members["total"], 7);
        assert_eq!(members["topic"], "t1");
    }
    let page = http.json("/v1/users?limit=2&after=u0");
    assert_eq!((&page["next"], &page["total"]), (&"u01".into(), &50.into()));
    let row = &http.json("/v1/connections?limit=1")["connections"][0];
    assert_eq!(
        (&row["user"], &row["listener"]),
        (&"u00".into(), &"line".into())
    );
    for key in [
        "opened",
        "last_in",
        "last_out",
        "bytes_in",
        "bytes_out",
        "frames_in",
        "outbox",
    ] {
        assert!(row[key].is_u64(), "{key}: {row}");
    }
    assert!(row["frames_per_second"].is_f64());
    assert!(row["address"].as_str().unwrap().starts_with("127.0.0.1:"));
}

#[test]
fn sorted_connections_begin_with_the_largest() {
    let daemon = daemon("", "");
    let mut http = daemon.http();
    let mut clients: Vec<Client> = (0..5).map(|n| daemon.user(&format!("u{n}"))).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        for _ in 0..n {
            client.asks("ping", "pong");
        }
    }
    let rows = http.json("/v1/connections?sort=frames_in&limit=3");
    let rows = rows["connections"].as_array().unwrap().clone();
    let users: Vec<&str> = rows
        .iter()
        .map(|row| row["user"].as_str().unwrap())
        .collect();
    assert_eq!(users, ["u4", "u3", "u2"]);
}

#[test]
fn frames_per_second_are_those_of_the_last_seconds() {
    let daemon = daemon("", "");
    let mut http = daemon.http();
    let mut alice = daemon.user("alice");
    for _ in 0..500 {
        alice.asks("ping", "pong");
    }
    let target = "/v1/connections?sort=frames_per_second&limit=1";
    let mut rate = || {
        let row = http.json(target)["connections"][0].clone();
        row["frames_per_second"].as_f64().unwrap()
    };
    let busy = rate();
    assert!(busy > 10.0, "{busy}");
    eventually("who is silent has a rate of 0", || {
        (rate() == 0.0).then_some(())
    });
}

#[test]
fn what_is_asked_for_wrongly_is_told() {
    let daemon = daemon("", "");
    let mut http = daemon.http();
    for target in [
        "/v1/users?limit=0",
        "/v1/users?limit=-1",
        "/v1/users?limit=x",
        "/v1/users?limit=99999999999999999999",
        "/v1/users?limit=1&limit=2",
        "/v1/users?offset=5",
        "/v1/connections?sort=nothing",
        "/v1/connections?after=x",
        "/v1/connections?sort=outbox&after=7",
        "/v1/closes?reason=nothing",
        "/v1/events?types=nothing",
        "/v1/tap/a%20b",
        "/v1/tap/a?for_ms=99999999999",
        "/v1/messages/x",
        "/v1/users/%zz",
        "/v1/users/%ff",
    ] {
        http.get(target).refuses(400, "bad-request");
    }
    for target in [
        "/v1/users/nobody",
        "/v1/topics/nothing",
        "/v1/messages/7",
        "/v1/x/y",
        "/v2",
    ] {
        assert_eq!(http.get(target).status, 404, "{target}");
    }
    for target in [
        "/v1/users",
        "/v1/connections",
        "/v1/closes",
        "/v1/events",
        "/v1/users/a",
    ] {
        http.post(target, "{}").refuses(405, "method-not-allowed");
    }
    for target in [
        "/v1/push",
        "/v1/kick",
        "/v1/drain",
        "/v1/reload",
        "/v1/check",
    ] {
        http.get(target).refuses(405, "method-not-allowed");
    }
    // A page longer than any is cut to what may be.
    assert_eq!(http.get("/v1/users?limit=18446744073709551615").status, 200);
}

#[test]
fn one_user_and_how_he_left() {
    let daemon = daemon("", "");
    let mut http = daemon.http();
    let mut client = daemon.user("jörg");
    let told = http.json("/v1/users/j%C3%B6rg");
    assert_eq!(
        (&told["user"], &told["parked"]),
        (&"jörg".into(), &0.into())
    );
    let id = told["connections"][0]["id"].as_u64().unwrap();
    client.asks("quit", "close quit");
    daemon.line().half_close();
    let told = eventually("both are recorded", || {
        let told = http.json("/v1/closes");
        (told["closes"].as_array().unwrap().len() == 2).then_some(told)
    });
    let reasons: HashSet<&str> = [0, 1]
        .map(|n| told["closes"][n]["reason"].as_str().unwrap())
        .into();
    assert_eq!(reasons, HashSet::from(["peer-closed", "quit"]));
    for query in [
        "user=j%C3%B6rg",
        "reason=quit",
        "user=j%C3%B6rg&reason=quit&limit=1",
    ] {
        let told = http.json(&format!("/v1/closes?{query}"));
        let rows = told["closes"].as_array().unwrap();
        assert_eq!(rows.len(), 1, "{query}: {told}");
        assert_eq!(
            (&rows[0]["connection"], &rows[0]["user"]),
            (&id.into(), &"jörg".into())
        );
    }
    assert_eq!(
        http.json("/v1/closes?user=nobody")["closes"],
        Value::Array(Vec::new())
    );
}

#[test]
fn a_point_in_time_is_the_same_however_often_it_is_asked_for() {
    let daemon = daemon("", "");
    let mut http = daemon.http();
    let _here = daemon.user("alice");
    daemon.user("bob").asks("quit", "close quit");
    let ended = eventually("it is recorded", || {
        let told = http.json("/v1/closes")["closes"][0].clone();
        (!told.is_null()).then_some(told)
    });
    let open = http.json("/v1/connections")["connections"][0].clone();
    for _ in 0..300 {
        let told = http.json("/v1/closes")["closes"][0].clone();
        assert_eq!(told["at"], ended["at"]);
        let told = http.json("/v1/connections")["connections"][0].clone();
        for key in ["opened", "last_in", "last_out"] {
            assert_eq!(told[key], open[key], "{key}");
        }
    }
}
