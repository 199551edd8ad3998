//! Logins that are checked: static tokens and signed ones, from files that are read again.

use std::path::Path;
use std::time::{Duration, Instant};

use ring::digest::{SHA256, digest};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::admin::daemon;
use crate::client::{Client, Framing, eventually, string};
use crate::daemon::Daemon;

const KEYS: &str = include_str!("signed/keys.json");
const TOKENS: &str = include_str!("signed/tokens.txt");

/// A token of another implementation, valid until 2100 where nothing is wrong with it.
fn signed(name: &str) -> &'static str {
    let mut lines = TOKENS.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(of, _)| *of == name).unwrap().1
}

/// A line of a file of users.
fn line(user: &str, token: &str) -> String {
    let digest = digest(&SHA256, token.as_bytes());
    let hex: String = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{user} {hex}\n")
}

/// A folder with users and keys.
fn files(users: &str, keys: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "users", users);
    write(&folder, "keys", keys);
    folder
}

fn write(folder: &TempDir, name: &str, text: &str) {
    std::fs::write(folder.path().join(name), text).unwrap();
}

fn top(folder: &Path) -> String {
    let folder = folder.display();
    format!("[logins]\nusers_file = \"{folder}/users\"\nkeys_file = \"{folder}/keys\"\n")
}

fn checked(folder: &TempDir, check: &str) -> Daemon {
    let listener = format!("login_check = \"{check}\"\nlogin = \"required\"");
    daemon(&top(folder.path()), &listener)
}

fn client(daemon: &Daemon) -> Client {
    Client::connect(daemon.addr("line"), Framing::Line)
}

#[test]
fn only_a_token_of_ones_own_opens_a_name() {
    // 20, 21
    let users = line("alice", "sesame-1") + &line("alice", "sesame-2") + &line("bob", "sesame-3");
    let folder = files(&users, KEYS);
    let daemon = checked(&folder, "users");
    let mut alice = client(&daemon);
    alice.asks("login alice sesame-1", "ok heartbeat=20000 proto=1");
    alice.asks("login alice sesame-2", "ok heartbeat=20000 proto=1");
    // Who has logged in must show a token for another name as well.
    alice.fails("login bob sesame-1", "bad-credentials");
    alice.fails("send nobody x", "no-such-user");
    alice.asks("login bob sesame-3", "ok heartbeat=20000 proto=1");
    for token in ["", " ", " sesame", " sesame-12", " SESAME-1", " sesame-1 "] {
        let mut stranger = client(&daemon);
        stranger.fails(&format!("login alice{token}"), "bad-credentials");
        stranger.fails("send bob x", "login-required");
    }
    let mut guesser = client(&daemon);
    for user in ["alice", "nobody", "bob"] {
        guesser.say(format!("login {user} guess"));
        guesser.hears("error bad-credentials this token does not open this name");
    }
    guesser.closes("login-failed");
    let counters = daemon.http().json("/v1/stats")["counters"].clone();
    assert_eq!(counters["logins_failed"], 10);
    let metrics = daemon.http().get("/metrics").text();
    assert!(metrics.contains("pulsegate_logins_failed_total 10\n"));
}

#[test]
fn a_token_is_the_same_in_every_framing() {
    let folder = files(&line("alice", "sesame-1"), KEYS);
    let more = "login_check = \"users\"\n[[listener]]\nname = \"lenhdr\"\n\
                bind = \"127.0.0.1:0\"\nframing = \"lenhdr\"\nlogin_check = \"users\"\n\
                [[listener]]\nname = \"binary\"\nbind = \"127.0.0.1:0\"\n\
                framing = \"binary\"\nlogin_check = \"users\"\n\
                [[listener]]\nname = \"open\"\nbind = \"127.0.0.1:0\"";
    let daemon = daemon(&top(folder.path()), more);
    let mut json = Client::connect(daemon.addr("lenhdr"), Framing::Lenhdr);
    json.say(r#"{"type":"login","user":"alice","token":"sesame","seq":1}"#);
    let told = json.hear_json();
    assert_eq!(
        (&told["code"], &told["seq"]),
        (&"bad-credentials".into(), &1.into())
    );
    json.say(r#"{"type":"login","user":"alice","token":"sesame-1","seq":2}"#);
    assert_eq!(json.hear_json()["type"], "ok");
    let mut binary = Client::connect(daemon.addr("binary"), Framing::Binary);
    for (token, opcode) in [("sesame", 0x84), ("sesame-1", 0x83)] {
        binary.say([&[3][..], &string("alice"), &string(token)].concat());
        assert_eq!(binary.hear()[0], opcode);
    }
    json.hear_json();
    // A listener of its own rule, beside them.
    let mut open = Client::connect(daemon.addr("open"), Framing::Line);
    open.asks("login alice", "ok heartbeat=20000 proto=1");
}

#[test]
fn signed_tokens_open_the_name_they_are_for_as_long_as_they_last() {
    let folder = files("", KEYS);
    let daemon = checked(&folder, "jwt");
    for name in ["RS256", "RS256-4096", "EdDSA", "HS256"] {
        let mut alice = client(&daemon);
        let login = format!("login alice {}", signed(name));
        alice.asks(&login, "ok heartbeat=20000 proto=1");
        alice.fails(&login.replace("alice", "bob"), "bad-credentials");
    }
    for name in ["expired", "bob", "confused", "confused-n", "none", "mixed"] {
        let mut stranger = client(&daemon);
        let login = format!("login alice {}", signed(name));
        stranger.fails(&login, "bad-credentials");
        stranger.fails("data x", "login-required");
    }
    client(&daemon).fails("login alice sesame", "bad-credentials");
    client(&daemon).fails("login alice", "bad-credentials");
}

#[test]
fn an_issuer_and_an_audience_that_are_asked_for_must_be_named() {
    let folder = files("", KEYS);
    let top = format!(
        "{}issuer = \"id\"\naudience = \"chat\"\n",
        top(folder.path())
    );
    let daemon = daemon(&top, "login_check = \"jwt\"");
    client(&daemon).fails(
        &format!("login alice {}", signed("EdDSA")),
        "bad-credentials",
    );
}

#[test]
fn files_are_read_again_whole_or_not_at_all_and_nobody_who_is_here_is_ended() {
    // 113
    let folder = files(&line("alice", "sesame-1"), KEYS);
    let daemon = checked(&folder, "users");
    let mut http = daemon.http();
    let mut alice = client(&daemon);
    alice.asks("login alice sesame-1", "ok heartbeat=20000 proto=1");
    write(
        &folder,
        "users",
        &(line("bob", "sesame-2") + "carol sesame-3\n"),
    );
    let told = http.post("/v1/reload", "");
    assert_eq!(told.status, 400);
    assert!(
        told.text().contains("users:2: behind a name "),
        "{}",
        told.text()
    );
    assert!(!told.text().contains("sesame"), "{}", told.text());
    assert_eq!(http.post("/v1/check", &config_of(&folder)).status, 400);
    write(&folder, "users", &line("bob", "sesame-2"));
    write(&folder, "keys", "{}");
    assert_eq!(http.post("/v1/reload", "").status, 400);
    client(&daemon).fails("login bob sesame-2", "bad-credentials");
    write(&folder, "keys", KEYS);
    assert_eq!(http.post("/v1/check", &config_of(&folder)).status, 200);
    client(&daemon).fails("login bob sesame-2", "bad-credentials");
    daemon.signal(Signal::HUP);
    eventually("the log says so", || {
        let log = daemon.log_text();
        log.contains("login checks are in force, users=1 keys=4")
            .then_some(())
    });
    client(&daemon).asks("login bob sesame-2", "ok heartbeat=20000 proto=1");
    client(&daemon).fails("login alice sesame-1", "bad-credentials");
    alice.fence();
    std::fs::remove_file(folder.path().join("users")).unwrap();
    assert_eq!(http.post("/v1/reload", "").status, 400);
    client(&daemon).asks("login bob sesame-2", "ok heartbeat=20000 proto=1");
}

/// The keys of that name alone.
fn key(kid: &str) -> String {
    let mut keys: Value = serde_json::from_str(KEYS).unwrap();
    let all = keys["keys"].as_array_mut().unwrap();
    all.retain(|key| key["kid"] == kid);
    keys.to_string()
}

#[test]
fn keys_that_are_read_again_open_other_tokens_and_end_nobody() {
    // 113
    let folder = files("", &key("r"));
    let daemon = checked(&folder, "jwt");
    let mut http = daemon.http();
    let login = |name| format!("login alice {}", signed(name));
    let mut inside = client(&daemon);
    inside.asks(&login("RS256"), "ok heartbeat=20000 proto=1");
    client(&daemon).fails(&login("EdDSA"), "bad-credentials");
    write(&folder, "keys", &key("e"));
    assert_eq!(http.post("/v1/reload", "").status, 200);
    inside.fence();
    client(&daemon).fails(&login("RS256"), "bad-credentials");
    client(&daemon).asks(&login("EdDSA"), "ok heartbeat=20000 proto=1");
}

fn config_of(folder: &TempDir) -> String {
    let head = top(folder.path());
    format!("{head}[[listener]]\nname = \"line\"\nlogin_check = \"users\"\n")
}

#[test]
fn no_token_is_told_to_anybody_who_looks_on() {
    let folder = files(&line("alice", "sesame-1"), KEYS);
    let top = format!("[log]\nlevel = \"trace\"\n{}", top(folder.path()));
    let daemon = daemon(&top, "login_check = \"users\"");
    let mut alice = client(&daemon);
    alice.asks("login alice sesame-1", "ok heartbeat=20000 proto=1");
    let mut tap = daemon.http();
    tap.send("GET /v1/tap/alice?for_ms=500 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(tap.head().status, 200);
    alice.asks("login alice sesame-1", "ok heartbeat=20000 proto=1");
    alice.fails("login alice sesame-2", "bad-credentials");
    // Not even of those who are out of practice.
    for wrong in [
        "login  sesame-3",
        "Login alice sesame-4",
        "login a/b sesame-5",
    ] {
        alice.fails(wrong, "bad-request");
    }
    alice.fails("jion news", "bad-request");
    let mut heard = String::new();
    while let Some(chunk) = tap.chunk() {
        heard.push_str(&String::from_utf8(chunk).unwrap());
    }
    assert!(heard.contains("login alice ***"), "{heard}");
    assert_eq!(heard.matches("\"login ***\"").count(), 3, "{heard}");
    assert!(heard.contains("jion news"), "{heard}");
    let mut http = daemon.http();
    for path in [
        "/v1/stats",
        "/v1/closes",
        "/v1/connections",
        "/metrics",
        "/v1/users/alice",
    ] {
        heard.push_str(&http.get(path).text());
    }
    // Nor where a file is taken for another one.
    write(
        &folder,
        "seal",
        "{\"keys\":[{\"kty\":\"oct\",\"k\":\"sesame\"}]}",
    );
    for table in ["[lists]\nblack", "[lists]\nwhite", "[logins]\nusers_file"] {
        let seal = folder.path().join("seal");
        let config = format!("{table} = {seal:?}\n[[listener]]\nname = \"line\"\n");
        let told = http.post("/v1/check", &config);
        told.refuses(400, "bad-request");
        assert!(told.text().contains("seal:1: "), "{}", told.text());
        heard.push_str(&told.text());
    }
    eventually("the log tells of the refusal", || {
        let log = daemon.log_text();
        log.contains("login refused user=alice token=\"wrong\"")
            .then_some(())
    });
    heard.push_str(&daemon.log_text());
    let hash = line("alice", "sesame-1");
    let hash = hash.trim_end().rsplit(' ').next().unwrap();
    assert!(
        !heard.contains("sesame") && !heard.contains(hash),
        "{heard}"
    );
}

#[test]
fn a_refusal_takes_as_long_for_a_name_that_nobody_has() {
    // 21: medians of several rounds, with a wide margin: the kernel takes longer than any of it.
    let users: String = (0..1_000)
        .map(|one| line(&format!("u{one}"), "sesame"))
        .collect();
    let folder = files(&users, KEYS);
    let listener = "login_check = \"users\"\nfailed_logins_max = 255";
    let daemon = daemon(&top(folder.path()), listener);
    let mut medians = [const { Vec::new() }; 2];
    for _ in 0..9 {
        for (place, user) in ["u500", "v500"].into_iter().enumerate() {
            let mut guesser = client(&daemon);
            let mut times: Vec<Duration> = (0..100)
                .map(|_| {
                    let began = Instant::now();
                    guesser.fails(&format!("login {user} sesame-not"), "bad-credentials");
                    began.elapsed()
                })
                .collect();
            times.sort_unstable();
            medians[place].push(times[50]);
        }
    }
    let [known, unknown] = medians.map(|mut all: Vec<Duration>| {
        all.sort_unstable();
        all[4]
    });
    let (less, more) = (known.min(unknown), known.max(unknown));
    assert!(
        more < less * 3,
        "{known:?} where there is one, {unknown:?} where there is none"
    );
}

#[test]
fn a_guess_takes_its_time_and_the_others_go_on() {
    // 20
    let folder = files(&line("alice", "sesame"), KEYS);
    let listener = "login_check = \"users\"\nlogin_delay = \"300ms\"";
    let daemon = daemon(&top(folder.path()), listener);
    let (mut guesser, mut other) = (client(&daemon), client(&daemon));
    let began = Instant::now();
    guesser.say("login alice guess\nlogin alice sesame");
    other.fence();
    guesser.hears_some("error bad-credentials ");
    assert!(began.elapsed() >= Duration::from_millis(300));
    guesser.hears("ok heartbeat=20000 proto=1");
}

#[test]
fn a_reload_tells_of_other_users_and_warns_of_nobody() {
    // 113: an editor empties a file before it writes it.
    let folder = files(&line("alice", "sesame-1"), KEYS);
    let daemon = checked(&folder, "users");
    let mut http = daemon.http();
    let entries = |told: &Value| {
        let changes = told["changes"].as_array().unwrap().iter();
        let mut found = changes.filter(|change| change["key"] == "logins.entries");
        found.next().map(|change| change["new"].clone())
    };
    assert_eq!(entries(&http.post("/v1/reload", "").json()), None);
    write(&folder, "users", &line("bob", "sesame-2"));
    let others = Some(json!("others: users=1 keys=4"));
    let config = config_of(&folder);
    assert_eq!(entries(&http.post("/v1/check", &config).json()), others);
    assert_eq!(entries(&http.post("/v1/reload", "").json()), others);
    assert_eq!(entries(&http.post("/v1/reload", "").json()), None);
    write(&folder, "users", "");
    let nobody = Some(json!("users=0 keys=4"));
    assert_eq!(entries(&http.post("/v1/reload", "").json()), nobody);
    eventually("the log warns", || {
        let log = daemon.log_text();
        log.contains("/users names nobody: no token of a user is good")
            .then_some(())
    });
    client(&daemon).fails("login bob sesame-2", "bad-credentials");
}
