//! Black and white lists: from files, from the admin interface, and for those who are here already.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::admin::daemon;
use crate::client::{Client, eventually};
use crate::daemon::Daemon;

/// A folder with a file of each colour.
fn files(black: &str, white: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("black"), black).unwrap();
    std::fs::write(folder.path().join("white"), white).unwrap();
    folder
}

fn top(folder: &Path) -> String {
    let folder = folder.display();
    format!("[lists]\nblack = [\"{folder}/black\"]\nwhite = [\"{folder}/white\"]\n")
}

fn from(daemon: &Daemon, ip: [u8; 4]) -> Client {
    Client::from(Ipv4Addr::from(ip), daemon.addr("line"))
}

#[test]
fn the_most_specific_entry_of_the_files_decides() {
    // 26
    let folder = files(
        "127.1.0.0/16 # a whole network\n127.1.2.3\nuser mallory\n",
        "; but\n127.1.2.0/24\nuser alice\n",
    );
    let daemon = daemon(&top(folder.path()), "");
    from(&daemon, [127, 1, 0, 1]).closes("banned");
    from(&daemon, [127, 1, 2, 3]).closes("banned");
    from(&daemon, [127, 1, 2, 4]).login("alice");
    let mut other = from(&daemon, [127, 2, 0, 1]);
    other.say("login mallory");
    other.closes("banned");
}

#[test]
fn a_reload_applies_to_those_who_are_here_and_a_broken_list_changes_nothing() {
    // 26, 57
    let folder = files("user mallory\n", "");
    let daemon = daemon(&top(folder.path()), "");
    let mut http = daemon.http();
    let mut alice = from(&daemon, [127, 1, 0, 1]);
    alice.login("alice");
    let mut bob = from(&daemon, [127, 1, 0, 2]);
    bob.login("bob");
    let mut carol = from(&daemon, [127, 9, 0, 1]);
    carol.login("carol");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("black", "127.1.0.0/16\nuser bob\nnonsense\n");
    let told = http.post("/v1/reload", "");
    assert_eq!(told.status, 400);
    assert!(told.text().contains("black:3: "), "{}", told.text());
    alice.fence();
    bob.fence();
    write("black", "127.1.0.0/16\nuser carol\n");
    write("white", "127.1.0.1\n");
    assert_eq!(http.post("/v1/reload", "").status, 200);
    bob.closes("banned");
    carol.closes("banned");
    alice.fence();
    std::fs::remove_file(folder.path().join("white")).unwrap();
    assert_eq!(http.post("/v1/reload", "").status, 400);
    from(&daemon, [127, 1, 0, 1]).fence();
    from(&daemon, [127, 1, 0, 2]).closes("banned");
}

#[test]
fn a_reload_without_a_descriptor_changes_nothing_and_works_when_there_is_one() {
    // 57
    let folder = files("user mallory\n", "");
    let daemon = daemon(&top(folder.path()), "");
    let mut http = daemon.http();
    assert_eq!(http.get("/healthz").status, 200);
    let mut alice = from(&daemon, [127, 1, 0, 1]);
    alice.login("alice");
    let mut other = from(&daemon, [127, 1, 0, 2]);
    other.fence();
    std::fs::write(folder.path().join("black"), "user alice\n").unwrap();
    // The three that every process begins with are taken: nothing can be opened.
    let before = daemon.limit_descriptors(Some(3));
    let told = http.post("/v1/reload", "");
    assert_eq!(told.status, 400, "{}", told.text());
    assert!(
        told.text().contains("Too many open files"),
        "{}",
        told.text()
    );
    alice.fence();
    other.say("login mallory");
    other.closes("banned");
    daemon.limit_descriptors(before);
    assert_eq!(http.post("/v1/reload", "").status, 200);
    alice.closes("banned");
    from(&daemon, [127, 1, 0, 2]).login("mallory");
}

#[test]
fn a_pipe_in_the_place_of_a_list_is_refused_and_keeps_no_later_reload_waiting() {
    // 57, 113
    let folder = files("127.1.0.0/16\n", "");
    let daemon = daemon(&top(folder.path()), "");
    let mut http = daemon.http();
    let black = folder.path().join("black");
    std::fs::remove_file(&black).unwrap();
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, &black, FileType::Fifo, mode, 0).unwrap();
    let told = http.post("/v1/reload", "");
    told.refuses(400, "bad-request");
    assert!(told.text().contains("black: a pipe"), "{}", told.text());
    from(&daemon, [127, 1, 0, 1]).closes("banned");
    std::fs::remove_file(&black).unwrap();
    std::fs::write(&black, "127.2.0.0/16\n").unwrap();
    assert_eq!(http.post("/v1/reload", "").status, 200);
    from(&daemon, [127, 2, 0, 1]).closes("banned");
}

#[test]
fn a_check_judges_the_lists_as_a_reload_would() {
    // 26, 113
    let folder = files("127.1.0.0/16\n", "");
    let daemon = daemon(&top(folder.path()), "");
    let mut http = daemon.http();
    let config = format!(
        "{}{}",
        top(folder.path()),
        "[[listener]]\nname = \"line\"\n"
    );
    assert_eq!(http.post("/v1/check", &config).status, 200);
    std::fs::write(
        folder.path().join("black"),
        "127.2.0.0/16\n\n127.0.0.1/64\n",
    )
    .unwrap();
    let told = http.post("/v1/check", &config);
    told.refuses(400, "bad-request");
    assert!(told.text().contains("black:3: "), "{}", told.text());
    // It was a check only: what was read at start is in force.
    from(&daemon, [127, 1, 0, 1]).closes("banned");
    from(&daemon, [127, 2, 0, 1]).fence();
}

#[test]
fn other_entries_are_told_although_the_files_have_the_same_names() {
    let folder = files("127.1.0.0/16\nuser mallory\n", "");
    let daemon = daemon(&top(folder.path()), "");
    let mut http = daemon.http();
    let write = |text: &str| std::fs::write(folder.path().join("black"), text).unwrap();
    let config = format!("{}[admin]\nbind = \"127.0.0.1:0\"\n", top(folder.path()));
    let entries = |told: Value| {
        let changes = told["changes"].as_array().unwrap().iter();
        let mut found = changes.filter(|change| change["key"] == "lists.entries");
        let change = found
            .next()
            .map(|change| (change["old"].clone(), change["new"].clone()));
        assert!(found.next().is_none(), "{told}");
        change
    };
    let two = |old: &str, new: &str| Some((json!(old), json!(new)));
    assert_eq!(http.json("/v1/stats")["list_entries"], 2);
    assert_eq!(entries(http.post("/v1/check", &config).json()), None);
    // In another order, and with remarks, it says the same.
    write("user mallory # again\n127.1.0.0/16\n");
    assert_eq!(entries(http.post("/v1/reload", "").json()), None);
    write("user mallory\n127.2.0.0/16\n");
    let others = two("2", "others: 2");
    assert_eq!(entries(http.post("/v1/check", &config).json()), others);
    assert_eq!(entries(http.post("/v1/reload", "").json()), others);
    assert_eq!(entries(http.post("/v1/reload", "").json()), None);
    write("user mallory\n");
    assert_eq!(entries(http.post("/v1/reload", "").json()), two("2", "1"));
    let metrics = http.get("/metrics").text();
    assert!(
        metrics.contains("\npulsegate_list_entries 1\n"),
        "{metrics}"
    );
    assert!(metrics.contains("\npulsegate_bans 0\n"), "{metrics}");
}

#[test]
fn whoever_asks_why_a_banned_user_is_not_let_in_is_told() {
    let folder = files("user mallory\n", "");
    let daemon = daemon(&top(folder.path()), "");
    let mut http = daemon.http();
    let mut alice = daemon.user("alice");
    let mut mallory = daemon.line();
    mallory.say("login mallory");
    mallory.closes("banned");
    let closes = http.json("/v1/closes?user=mallory")["closes"].clone();
    let told = (&closes[0]["reason"], &closes[0]["detail"]);
    assert_eq!(told, (&json!("banned"), &json!("user")), "{closes}");
    // Who was somebody else until then is told of under that name.
    alice.say("login mallory");
    alice.closes("banned");
    let closes = http.json("/v1/closes?limit=1")["closes"].clone();
    assert_eq!(closes[0]["user"], "alice", "{closes}");
}

#[test]
fn an_operator_lets_in_for_a_while_whom_a_wider_ban_keeps_out() {
    // 26
    let folder = files("127.1.0.0/16\n", "");
    let daemon = daemon(&top(folder.path()), "");
    let mut http = daemon.http();
    let allow = r#"{"cidr":"127.1.5.0/24","allow":true,"ttl_ms":1500}"#;
    assert_eq!(http.post("/v1/bans", allow).json(), json!({"kicked": 0}));
    let bans = http.json("/v1/bans")["bans"].clone();
    assert_eq!(
        (&bans[0]["cidr"], &bans[0]["allow"]),
        (&json!("127.1.5.0/24"), &json!(true))
    );
    let mut guest = from(&daemon, [127, 1, 5, 1]);
    guest.fence();
    from(&daemon, [127, 1, 6, 1]).closes("banned");
    // When the time of the guest is over he has to go.
    guest.closes("banned");
    assert_eq!(http.json("/v1/bans")["bans"], json!([]));
    // A ban of the operator's is stronger than a file's entry for the same network.
    let allow = r#"{"cidr":"127.1.0.0/16","allow":true}"#;
    assert_eq!(http.post("/v1/bans", allow).status, 200);
    let mut guest = from(&daemon, [127, 1, 5, 1]);
    guest.fence();
    let cidr = r#"{"cidr":"127.1.0.0/16"}"#;
    assert_eq!(
        http.ask("DELETE", "/v1/bans", cidr).json(),
        json!({"removed": 1})
    );
    guest.closes("banned");
}

#[test]
fn a_million_entries_are_read_beside_the_loop() {
    // 26
    let folder = files("", "");
    let daemon = daemon(&top(folder.path()), "idle_timeout = \"2s\"");
    let mut http = daemon.http();
    let mut black = String::new();
    for number in 0..1_000_000u32 {
        let _ = writeln!(black, "{}", Ipv4Addr::from(0x0b00_0000 + number * 16));
    }
    black.push_str("127.8.0.0/16\n");
    std::fs::write(folder.path().join("black"), black).unwrap();
    let mut canary = from(&daemon, [127, 1, 0, 1]);
    canary.fence();
    daemon.signal(rustix::process::Signal::HUP);
    eventually("the lists are in force", || {
        canary.fence();
        daemon.log_text().contains("entries=1000001").then_some(())
    });
    from(&daemon, [127, 8, 0, 1]).closes("banned");
    canary.fence();
    let longest = http.json("/v1/stats")["loop"]["longest_us"]
        .as_u64()
        .unwrap();
    assert!(longest < 500_000, "a turn took {longest} us");
}

#[test]
fn a_list_that_can_not_be_read_at_start_is_told_and_nothing_starts() {
    let folder = files("127.0.0.0/99\n", "");
    let config = format!(
        "{}[[listener]]\nbind = \"127.0.0.1:0\"\n[admin]\nbind = \"off\"\n",
        top(folder.path())
    );
    let path = folder.path().join("c.toml");
    std::fs::write(&path, config).unwrap();
    let mut command = std::process::Command::new(crate::daemon::binary());
    let output = command
        .arg("serve")
        .arg("--config")
        .arg(&path)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("black:1: "), "{said}");
}

#[test]
fn files_without_an_entry_are_told_until_a_reload_takes_them_away() {
    let folder = files("# nobody yet\n", "");
    let daemon = daemon(&top(folder.path()), "");
    let mut http = daemon.http();
    let told = http.json("/v1/bans")["lists"].clone();
    assert_eq!(
        (&told[0]["entries"], &told[1]["entries"]),
        (&json!(0), &json!(0))
    );
    daemon.rewrite(
        "[admin]\nbind = \"127.0.0.1:0\"\n[[listener]]\nname = \"line\"\nbind = \"127.0.0.1:0\"\n",
    );
    assert_eq!(http.post("/v1/reload", "").status, 200);
    assert_eq!(http.json("/v1/bans")["lists"], Value::Null);
}

#[test]
fn a_list_of_all_who_may_come_ends_the_others_who_are_here() {
    // 26
    let folder = files("", "");
    let daemon = daemon(&top(folder.path()), "");
    let mut http = daemon.http();
    let (mut alice, mut bob) = (daemon.user("alice"), daemon.user("bob"));
    let mut stranger = daemon.line();
    stranger.fence();
    std::fs::write(folder.path().join("black"), "user *\n").unwrap();
    std::fs::write(folder.path().join("white"), "user alice\n").unwrap();
    assert_eq!(http.post("/v1/reload", "").status, 200);
    bob.closes("banned");
    alice.fence();
    stranger.login("alice");
    stranger.say("login bob");
    stranger.closes("banned");
}
