//! Commands that speak to a running daemon: what they print, what they do, how they fail.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::sync::mpsc::channel;

use serde_json::Value;

use crate::client::Client;
use crate::daemon::{Daemon, LINE};
use crate::program::{Outcome, eventually, exit, folder, program, run_in};

/// A daemon with its admin interface.
pub fn daemon(config: &str) -> Daemon {
    Daemon::start_with(config, &["--admin-bind", "127.0.0.1:0"])
}

/// Where its admin interface is.
pub fn admin(daemon: &Daemon) -> String {
    format!("http://{}", daemon.addrs()[1])
}

/// Runs a command against a daemon.
pub fn ask(daemon: &Daemon, arguments: &[&str]) -> Outcome {
    ask_at(&admin(daemon), arguments, &[])
}

/// The same against whatever is there, with more variables.
pub fn ask_at(place: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Outcome {
    let folder = folder(&[]);
    let mut all = vec![("PULSEGATE_ADMIN", place)];
    all.extend(variables);
    run_in(folder.path(), arguments, &all)
}

/// What a command prints that succeeds and has nothing to complain of.
#[track_caller]
pub fn told(daemon: &Daemon, arguments: &[&str]) -> String {
    let outcome = ask(daemon, arguments);
    let ends = (outcome.code, &outcome.stderr[..]);
    assert_eq!(ends, (Some(0), ""), "{arguments:?}: {outcome:#?}");
    outcome.stdout
}

/// The same as JSON.
#[track_caller]
fn json(daemon: &Daemon, arguments: &[&str]) -> Value {
    let text = told(daemon, &[arguments, &["--json"]].concat());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Demands that a command fails with this code and says these things.
#[track_caller]
pub fn fails(outcome: &Outcome, code: i32, says: &[&str]) {
    assert_eq!((outcome.code, &outcome.stdout[..]), (Some(code), ""));
    for words in says {
        assert!(outcome.stderr.contains(words), "{words}: {outcome:#?}");
    }
    assert!(outcome.stderr.starts_with("pulsegate: "), "{outcome:#?}");
}

/// The words of the row that begins with this one.
#[track_caller]
pub fn row<'a>(table: &'a str, first: &str) -> Vec<&'a str> {
    let mut rows = table.lines().map(|line| line.split_whitespace().collect());
    let found = rows.find(|row: &Vec<&str>| row.first() == Some(&first));
    found.unwrap_or_else(|| panic!("no row of {first}: {table}"))
}

pub fn login(daemon: &Daemon, user: &str) -> Client {
    let mut client = daemon.client();
    client.login(user);
    client
}

#[test]
fn status_tells_who_is_there_and_what_it_costs() {
    let daemon = daemon(LINE);
    let (_alice, _bob) = (login(&daemon, "alice"), login(&daemon, "bob"));
    let text = told(&daemon, &["status"]);
    let place = admin(&daemon);
    let version = env!("CARGO_PKG_VERSION");
    let first = format!("pulsegate {version} at {place}: serving, up ");
    assert!(text.starts_with(&first), "{text}");
    assert_eq!(
        row(&text, "connections")[1..5],
        ["2", "open,", "0", "closing,"]
    );
    assert_eq!(row(&text, "users")[1..], ["2", "online,", "0", "absent"]);
    assert_eq!(row(&text, "closed")[1..], ["none"]);
    assert_eq!(row(&text, "clients")[1..], ["2", "2", "0"]);
    let stats = json(&daemon, &["status"]);
    assert_eq!(stats["connections"]["open"], 2);
    assert_eq!(stats["version"], version);
}

#[test]
fn status_tells_whom_limits_turned_away() {
    let limits = "[limits]\nconnections_per_address = 1\nlogin_rate_per_user = \"1/1h\"\n";
    let daemon = daemon(&format!("{limits}{LINE}"));
    let nobody = told(&daemon, &["status"]);
    assert!(nobody.contains("turned away nobody\n"), "{nobody}");
    let _alice = login(&daemon, "alice");
    assert_eq!(daemon.client().text(), "close overloaded 1000\n");
    told(&daemon, &["ban", "--user", "mallory"]);
    let text = told(&daemon, &["status"]);
    for line in [
        "turned away address 1\n",
        "held back   0 logins refused for a rate, 0 intervals of connections over theirs\n",
        "rested      never\n",
        "kept out    0 entries in lists, 1 entry in bans\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
}

#[test]
fn users_are_listed_in_pages_and_one_with_the_connections() {
    let daemon = daemon(LINE);
    assert_eq!(
        told(&daemon, &["users"]),
        "USER  CONNECTIONS\n\n0 of 0 users\n"
    );
    let (_alice, _bob) = (login(&daemon, "alice"), login(&daemon, "bob"));
    let all = "USER   CONNECTIONS\nalice            1\nbob              1\n\n2 of 2 users\n";
    assert_eq!(told(&daemon, &["users"]), all);
    let page = told(&daemon, &["users", "--limit", "1"]);
    assert!(
        page.ends_with("\n1 of 2 users; more: --after alice\n"),
        "{page}"
    );
    let page = told(&daemon, &["users", "--after", "alice"]);
    assert!(!page.contains("alice ") && page.contains("bob "), "{page}");
    assert_eq!(json(&daemon, &["users"])["total"], 2);

    let text = told(&daemon, &["users", "alice"]);
    assert!(
        text.starts_with("alice: 1 connection, 0 messages parked\n\nUSER "),
        "{text}"
    );
    let table = text.split_once("\n\n").unwrap().1;
    let alice = row(table, "alice");
    assert!(
        alice[1].starts_with("127.0.0.1:") && alice[2] == "clients",
        "{text}"
    );
    let user = json(&daemon, &["users", "alice"]);
    assert_eq!(user["connections"][0]["user"], "alice");
    let nobody = ask(&daemon, &["users", "nobody"]);
    let place = admin(&daemon);
    fails(
        &nobody,
        1,
        &[&place, "404 no-such-user: nobody of that name is here"],
    );
    let odd = ask(&daemon, &["users", "a/../b?c\u{1b}[2J"]);
    fails(&odd, 1, &[&place]);
    assert!(!odd.stderr.contains('\u{1b}'), "{odd:#?}");
}

#[test]
fn why_tells_the_cause_and_who_asked_for_it() {
    let daemon = daemon(LINE);
    let none = "no connection of alice has ended, as far as the records go back\n";
    assert_eq!(told(&daemon, &["why", "alice"]), none);
    let mut alice = login(&daemon, "alice");
    alice.send("quit\n");
    assert_eq!(alice.text(), "close quit\n");
    let alice = login(&daemon, "alice");
    let kicked = told(&daemon, &["kick", "alice"]);
    assert_eq!(kicked, "ended 1 connection of alice\n");
    assert_eq!(alice.text(), "close kicked\n");
    let text = told(&daemon, &["why", "alice"]);
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0][..3], ["ENDED", "CAUSE", "BY"], "{text}");
    // Newest first.
    assert_eq!(lines[1][1..4], ["ago", "kicked", "operator"], "{text}");
    assert_eq!(lines[2][1..4], ["ago", "quit", "client"], "{text}");
    assert!(lines[1].last().unwrap().starts_with("127.0.0.1:"), "{text}");
    let one = told(&daemon, &["why", "alice", "--limit", "1"]);
    assert!(one.contains("kicked") && !one.contains("quit"), "{one}");
    let closes = json(&daemon, &["why", "alice"]);
    assert_eq!(closes["closes"][0]["reason"], "kicked");
    assert_eq!(closes["closes"].as_array().unwrap().len(), 2);
    assert_eq!(closes["closes"][0]["by"], "operator");
    let alice = login(&daemon, "alice");
    told(&daemon, &["ban", "--user", "alice"]);
    assert_eq!(alice.text(), "close banned\n");
    let one = told(&daemon, &["why", "alice", "--limit", "1"]);
    assert!(one.contains("banned (user)  operator"), "{one}");
    // A name is shown and does nothing.
    let odd = told(&daemon, &["why", "\u{1b}[2Jalice"]);
    assert!(odd.contains("\\u{1b}[2Jalice") && !odd.contains('\u{1b}'));
}

#[test]
fn a_push_reaches_a_user_a_topic_and_everyone() {
    let daemon = daemon(LINE);
    let (mut alice, mut bob) = (login(&daemon, "alice"), login(&daemon, "bob"));
    let text = told(&daemon, &["push", "--user", "alice", "hello there"]);
    assert!(text.starts_with("message "), "{text}");
    assert!(text.ends_with(": queued for 1 connection, parked for 0 users, 0 got nothing\n"));
    assert!(alice.line().ends_with(" hello there"));
    bob.asks("join news", "ok");
    told(&daemon, &["push", "--topic", "news", "extra"]);
    assert!(bob.line().ends_with(" extra"));
    let everyone = json(&daemon, &["push", "--everyone", "all"]);
    assert_eq!(everyone["queued"], 2);
    assert!(alice.line().ends_with(" all") && bob.line().ends_with(" all"));
    let body = ["push", "--user", "bob", "--body-json", "{\"a\":[1]}"];
    told(&daemon, &body);
    assert!(bob.line().ends_with("{\"a\":[1]}"));
    // As it was written: order, numbers of any length, keys twice.
    let written = "{\"b\":1,\"a\":12345678901234567890123,\"c\":1.10,\"c\":1e400}";
    told(&daemon, &["push", "--user", "bob", "--body-json", written]);
    assert!(bob.line().ends_with(written));
    let acked = ["push", "--user", "bob", "--ack", "--ttl", "1m", "sure"];
    told(&daemon, &acked);
    assert!(bob.line().ends_with(" sure"));
    told(&daemon, &["push", "--user", "alice", "--", "-dash"]);
    assert!(alice.line().ends_with(" -dash"));
    // Nobody got it: scripts see that without reading.
    let outcome = ask(&daemon, &["push", "--user", "nobody", "x", "--json"]);
    let told_of: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((outcome.code, &told_of["dropped"]), (Some(4), &1.into()));
    assert_eq!(outcome.stderr, "pulsegate: nobody got it\n");
    let outcome = ask(&daemon, &["push", "--topic", "empty", "x"]);
    assert_eq!(outcome.code, Some(4), "{outcome:#?}");
    told(&daemon, &["push", "--user", "nobody", "--ack", "x"]);

    fails(
        &ask(&daemon, &["push", "--user", "a b", "x"]),
        1,
        &["400 bad-request: user: "],
    );
    for wrong in [
        &["push", "x"][..],
        &["push", "--user", "a", "--everyone", "x"],
        &["push", "--user", "a"],
        &["push", "--user", "a", "--body-json", "{"],
        &["push", "--user", "a", "x", "--ttl", "soon"],
    ] {
        fails(&ask(&daemon, wrong), 2, &[]);
    }
}

#[test]
fn a_body_is_read_from_stdin() {
    let daemon = daemon(LINE);
    let mut alice = login(&daemon, "alice");
    let mut command = program();
    command.args(["push", "--user", "alice", "-", "--admin", &admin(&daemon)]);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"piped").unwrap();
    assert!(exit(&mut child).success());
    assert!(alice.line().ends_with(" piped"));
}

#[test]
fn an_empty_name_is_a_mistake_and_not_everybody() {
    let daemon = daemon("");
    let _ann = login(&daemon, "ann");
    for command in ["users", "why", "kick", "tap"] {
        fails(&ask(&daemon, &[command, ""]), 2, &["USER"]);
    }
}

#[test]
fn who_is_kicked_is_counted_and_nobody_is_no_failure() {
    let daemon = daemon(LINE);
    let alice = login(&daemon, "alice");
    assert_eq!(json(&daemon, &["kick", "alice"])["kicked"], 1);
    assert_eq!(alice.text(), "close kicked\n");
    assert_eq!(
        told(&daemon, &["kick", "alice"]),
        "nobody is here as alice\n"
    );
}

#[test]
fn bans_are_made_listed_and_taken_back() {
    let daemon = daemon(LINE);
    assert_eq!(told(&daemon, &["ban", "--list"]), "nobody is banned\n");
    let alice = login(&daemon, "alice");
    let text = told(&daemon, &["ban", "--user", "alice", "--for", "10m"]);
    assert_eq!(text, "alice is banned for 10m00s; ended 1 connection\n");
    assert_eq!(alice.text(), "close banned\n");
    let text = told(&daemon, &["ban", "--cidr", "10.0.0.0/8"]);
    assert_eq!(text, "10.0.0.0/8 is banned; ended 0 connections\n");
    let list = told(&daemon, &["ban", "--list"]);
    assert_eq!(row(&list, "cidr"), ["cidr", "10.0.0.0/8", "for", "ever"]);
    assert_eq!(row(&list, "user")[1], "alice");
    let bans = json(&daemon, &["ban", "--list"]);
    assert_eq!(bans["bans"].as_array().unwrap().len(), 2);
    let text = told(&daemon, &["ban", "--remove", "--user", "alice"]);
    assert_eq!(text, "alice is banned no more\n");
    let text = told(&daemon, &["ban", "--remove", "--user", "alice"]);
    assert_eq!(text, "alice was not banned\n");
    let removed = json(&daemon, &["ban", "--remove", "--cidr", "10.0.0.0/8"]);
    assert_eq!(removed["removed"], 1);
    drop(login(&daemon, "alice"));
    fails(
        &ask(&daemon, &["ban", "--cidr", "nowhere"]),
        1,
        &["400 bad-request: cidr"],
    );
    for wrong in [
        &["ban"][..],
        &["ban", "--remove"],
        &["ban", "--list", "--user", "a"],
        &["ban", "--list", "--remove"],
        &["ban", "--user", "a", "--cidr", "10.0.0.0/8"],
        &["ban", "--user", "a", "--remove", "--for", "1m"],
    ] {
        fails(&ask(&daemon, wrong), 2, &[]);
    }
}

#[test]
fn the_list_of_bans_names_the_files_that_keep_somebody_out_as_well() {
    let daemon = daemon(LINE);
    let file = |name: &str, text: &str| std::fs::write(daemon.folder().join(name), text).unwrap();
    file("black.txt", "192.0.2.0/24\nuser mallory # and\nuser eve\n");
    file("white.txt", "192.0.2.7\n");
    let lists = "[lists]\nblack = \"black.txt\"\nwhite = \"white.txt\"\n";
    daemon.rewrite(&format!("{lists}{LINE}"));
    told(&daemon, &["reload"]);
    daemon.logs("lists are in force, entries=4");
    let text = told(&daemon, &["ban", "--list"]);
    let begins = "nobody is banned\n\nthe files of [lists] decide besides:\n\n";
    assert!(text.starts_with(begins), "{text}");
    let path = |name: &str| {
        let path = row(&text, name)[1];
        assert!(path.ends_with(&format!("{name}.txt")), "{text}");
        path
    };
    assert_eq!(row(&text, "black"), ["black", path("black"), "3"]);
    assert_eq!(row(&text, "white"), ["white", path("white"), "1"]);
    told(&daemon, &["ban", "--user", "alice"]);
    let text = told(&daemon, &["ban", "--list"]);
    assert_eq!(row(&text, "user")[1], "alice");
    assert_eq!(row(&text, "black")[2], "3");
    let told_all = json(&daemon, &["ban", "--list"]);
    assert_eq!(told_all["lists"][1]["allow"], true);
    assert_eq!(told_all["lists"][0]["entries"], 3);
    // Without files nothing is said of them.
    daemon.rewrite(LINE);
    told(&daemon, &["reload"]);
    told(&daemon, &["ban", "--remove", "--user", "alice"]);
    assert_eq!(told(&daemon, &["ban", "--list"]), "nobody is banned\n");
    assert!(json(&daemon, &["ban", "--list"])["lists"].is_null());
}

#[test]
fn a_drain_begins_the_shutdown() {
    let mut daemon = daemon(LINE);
    let alice = login(&daemon, "alice");
    let text = told(&daemon, &["drain", "--over", "20ms"]);
    assert_eq!(
        text,
        "the shutdown has begun: 1 connection to say goodbye to over 20ms\n"
    );
    assert!(alice.text().starts_with("close shutdown"));
    assert!(daemon.exit().success());
}

#[test]
fn a_tap_shows_frames_harmlessly_and_ends_by_itself() {
    for flags in [&[][..], &["--json"]] {
        let daemon = daemon(LINE);
        let (mut alice, mut bob) = (login(&daemon, "alice"), login(&daemon, "bob"));
        let mut command = program();
        command.args(["tap", "alice", "--for", "3s", "--admin", &admin(&daemon)]);
        command
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines() {
                let _ = sender.send(line.unwrap());
            }
        });
        let first = eventually("the tap has begun", || {
            alice.fence();
            lines.try_recv().ok()
        });
        bob.asks("send alice \u{1b}[2J\u{9b}", "ok queued=1");
        assert!(exit(&mut child).success());
        let text: Vec<String> = std::iter::once(first).chain(lines.iter()).collect();
        let text = text.join("\n");
        assert!(
            text.contains("ping\\n") && text.contains("pong\\n"),
            "{text}"
        );
        assert!(!text.contains(['\u{1b}', '\u{9b}']), "{text:?}");
        if flags.is_empty() {
            assert!(text.contains("\\u{1b}[2J\\u{9b}\\n"), "{text}");
            let is_line = |line: &str| line.contains("  in   ") || line.contains("  out  ");
            assert!(text.lines().all(is_line), "{text}");
        } else {
            let read = |line: &str| serde_json::from_str::<Value>(line).unwrap();
            let bodies: Vec<Value> = text
                .lines()
                .map(|line| read(line)["body"].clone())
                .collect();
            let evil = |body: &Value| body.as_str().unwrap().contains("\u{1b}[2J\u{9b}\n");
            assert!(bodies.iter().any(evil), "{text}");
        }
    }
}

#[test]
fn a_tap_of_nobody_says_so_and_waits() {
    let daemon = daemon(LINE);
    let outcome = ask(&daemon, &["tap", "nobody", "--for", "50ms"]);
    assert_eq!((outcome.code, &outcome.stdout[..]), (Some(0), ""));
    assert!(
        outcome.stderr.contains("nobody is not here"),
        "{outcome:#?}"
    );
    fails(
        &ask(&daemon, &["tap", "nobody", "--for", "2h"]),
        1,
        &["400 bad-request: for_ms"],
    );
}
