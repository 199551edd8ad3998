//! Who is here under which name, and what happens when two want the same.

use crate::client::eventually;
use crate::daemon::Daemon;

#[test]
fn replace_lets_the_newcomer_in_and_tells_the_older_one() {
    let daemon = Daemon::new("");
    let mut old = daemon.user("alice");
    let mut new = daemon.line();
    new.asks("login alice", "ok heartbeat=20000 proto=1");
    old.closes("replaced");
    let mut bob = daemon.user("bob");
    bob.asks("send alice hi", "ok queued=1");
    assert_eq!(new.message().body, "hi");
}

#[test]
fn the_older_one_is_told_in_its_own_encoding() {
    let daemon = Daemon::new("");
    let mut older = daemon.user("alice");
    for mut newcomer in daemon.each() {
        newcomer.login("alice");
        older.closes("replaced");
        older = newcomer;
    }
}

#[test]
fn the_late_end_of_an_old_connection_does_not_remove_the_new_one() {
    let daemon = Daemon::new("");
    let mut bob = daemon.user("bob");
    let old = daemon.user("alice");
    let mut new = daemon.user("alice");
    old.reset();
    for _ in 0..20 {
        bob.asks("send alice hi", "ok queued=1");
        assert_eq!(new.message().body, "hi");
    }
}

#[test]
fn a_login_under_the_same_name_again_replaces_nobody() {
    let daemon = Daemon::new("");
    let mut alice = daemon.user("alice");
    alice.asks("login alice", "ok heartbeat=20000 proto=1");
    alice.asks("send alice me", "ok queued=1");
    assert_eq!(alice.message().body, "me");
}

#[test]
fn a_login_under_another_name_moves_the_connection_and_its_topics() {
    let daemon = Daemon::new("");
    let mut bob = daemon.user("bob");
    let mut alice = daemon.user("alice");
    alice.asks("join news", "ok");
    alice.login("alicia");
    bob.fails("send alice x", "no-such-user");
    bob.asks("send alicia x", "ok queued=1");
    assert_eq!(alice.message().body, "x");
    bob.asks("pub news y", "ok queued=1");
    assert_eq!(alice.message().from, "topic:news/bob");
    alice.asks("pub news z", "ok queued=1");
    assert_eq!(alice.message().from, "topic:news/alicia");
}

#[test]
fn reject_keeps_the_older_one() {
    let daemon = Daemon::with("[users]\npolicy = \"reject\"", "");
    let mut old = daemon.user("alice");
    let mut new = daemon.line();
    new.fails("login alice", "user-taken");
    new.fence();
    old.asks("login alice", "ok heartbeat=20000 proto=1");
    old.say("quit");
    old.closes("quit");
    // The user counts as gone at once, before the old connection has lingered to its end.
    new.asks("login alice", "ok heartbeat=20000 proto=1");
}

#[test]
fn reject_lets_a_name_go_with_its_connection() {
    let daemon = Daemon::with("[users]\npolicy = \"reject\"", "");
    let old = daemon.user("alice");
    old.reset();
    eventually("the name is free", || {
        let mut new = daemon.line();
        new.say("login alice");
        new.hear_text().starts_with("ok ").then_some(())
    });
}

#[test]
fn devices_share_a_user_and_the_oldest_leaves_first() {
    let daemon = Daemon::with("[users]\npolicy = { devices = 2 }", "");
    let mut bob = daemon.user("bob");
    let mut first = daemon.user("alice");
    let mut second = daemon.user("alice");
    bob.asks("send alice a", "ok queued=2");
    assert_eq!(first.message().body, "a");
    assert_eq!(second.message().body, "a");
    let mut third = daemon.user("alice");
    first.closes("replaced");
    bob.asks("send alice b", "ok queued=2");
    assert_eq!(second.message().body, "b");
    assert_eq!(third.message().body, "b");
    second.say("quit");
    second.closes("quit");
    bob.asks("send alice c", "ok queued=1");
    assert_eq!(third.message().body, "c");
}

#[test]
fn a_message_to_several_devices_has_one_id() {
    let daemon = Daemon::with("[users]\npolicy = { devices = 2 }", "");
    let mut first = daemon.user("alice");
    let mut second = daemon.user("alice");
    first.asks("send alice a", "ok queued=2");
    assert_eq!(first.message(), second.message());
}

#[test]
fn a_user_is_gone_after_a_close_of_any_kind() {
    let daemon = Daemon::new("");
    let mut bob = daemon.user("bob");
    let quit = |name: &str| {
        let mut client = daemon.user(name);
        client.say("quit");
        client.closes("quit");
    };
    let half_close = |name: &str| {
        let mut client = daemon.user(name);
        client.half_close();
        client.eof();
    };
    quit("q");
    bob.fails("send q x", "no-such-user");
    half_close("h");
    bob.fails("send h x", "no-such-user");
    daemon.user("r").reset();
    let left = || {
        bob.say("send r x");
        bob.hear_text()
            .starts_with("error no-such-user")
            .then_some(())
    };
    eventually("the reset is noticed", left);
}
