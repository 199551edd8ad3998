//! Messages that want an acknowledgement: sent again, parked, settled.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::client::{Client, Framing, eventually, string};
use crate::daemon::Daemon;

/// Short enough for a test, long enough for a busy machine.
const FAST: &str = "ack_timeout = \"100ms\"\nack_attempts = 3";

/// Asks for an acknowledged send; the answer is as given.
#[track_caller]
fn asend(client: &mut Client, to: &str, text: &str, answer: &str) {
    client.asks(&format!("asend {to} {text}"), answer);
}

#[test]
fn without_ack_a_message_comes_again_with_the_same_id_so_often_and_no_more() {
    let daemon = Daemon::new(FAST);
    let mut alice = daemon.user("alice");
    let mut bob = daemon.user("bob");
    let asked = Instant::now();
    asend(&mut alice, "bob", "x", "ok queued=1");
    let first = bob.message();
    assert!(first.ack);
    for attempt in 1..3 {
        assert_eq!(bob.message(), first);
        assert!(asked.elapsed() >= Duration::from_millis(100) * attempt);
    }
    // A second message is the clock: by the time of its third copy the first had time for more.
    asend(&mut alice, "bob", "clock", "ok queued=1");
    for _ in 0..3 {
        assert_eq!(bob.message().body, "clock");
    }
    bob.fence();
}

#[test]
fn an_ack_ends_it() {
    let daemon = Daemon::new(FAST);
    let mut alice = daemon.user("alice");
    let mut bob = daemon.user("bob");
    asend(&mut alice, "bob", "x", "ok queued=1");
    let first = bob.message();
    bob.say(format!("ack {}", first.id));
    asend(&mut alice, "bob", "clock", "ok queued=1");
    for _ in 0..3 {
        assert_eq!(bob.message().body, "clock");
    }
    // Settled for good: nothing follows at the next login either but what was not.
    let mut again = daemon.user("bob");
    assert_eq!(again.message().body, "clock");
    again.fence();
}

#[test]
fn needless_and_unknown_acks_are_ignored() {
    let daemon = Daemon::new("");
    let mut alice = daemon.user("alice");
    alice.asks("send alice x", "ok queued=1");
    let id = alice.message().id;
    alice.send(format!(
        "ack {id}\nack {id}\nack 0\nack 18446744073709551615\n"
    ));
    alice.fence();
}

#[test]
fn somebody_elses_ack_settles_nothing() {
    let daemon = Daemon::new(FAST);
    let mut alice = daemon.user("alice");
    let mut bob = daemon.user("bob");
    asend(&mut alice, "bob", "x", "ok queued=1");
    let first = bob.message();
    alice.say(format!("ack {}", first.id));
    alice.fence();
    assert_eq!(bob.message(), first);
    assert_eq!(bob.message(), first);
}

#[test]
fn one_ack_settles_it_for_all_devices() {
    let daemon = Daemon::with("[users]\npolicy = { devices = 2 }", FAST);
    let mut alice = daemon.user("alice");
    let mut phone = daemon.user("bob");
    let mut desk = daemon.user("bob");
    asend(&mut alice, "bob", "x", "ok queued=2");
    let first = phone.message();
    assert_eq!(desk.message(), first);
    phone.say(format!("ack {}", first.id));
    phone.fence();
    asend(&mut alice, "bob", "clock", "ok queued=2");
    for _ in 0..3 {
        assert_eq!(phone.message().body, "clock");
        assert_eq!(desk.message().body, "clock");
    }
}

#[test]
fn every_encoding_asks_for_acks_and_gives_them() {
    let daemon = Daemon::new(FAST);
    let mut clients = daemon.each();
    for (client, name) in clients.iter_mut().zip(["a", "b", "c"]) {
        client.login(name);
    }
    let [line, json, binary] = &mut clients;
    asend(line, "b", "1", "ok queued=1");
    json.say(r#"{"type":"send","to":"c","body":"2","ack":true}"#);
    json.hears_some(r#"{"type":"msg""#);
    json.hears(r#"{"type":"ok","queued":1}"#);
    binary.say([b"\x0b", &string("a")[..], b"3"].concat());
    let told = binary.message();
    binary.hears(b"\x83queued=1");
    binary.say([b"\x09", &told.id.to_be_bytes()[..]].concat());
    let told = line.message();
    assert_eq!((&*told.from, &*told.body, told.ack), ("c", "3", true));
    line.say(format!("ack {}", told.id));
    line.fence();
    binary.say(b"\x01");
    binary.hears(b"\x81");
}

#[test]
fn what_was_not_acked_follows_to_the_next_login() {
    let daemon = Daemon::new("ack_timeout = \"60s\"");
    let mut alice = daemon.user("alice");
    let mut bob = daemon.user("bob");
    for text in ["1", "2", "3"] {
        asend(&mut alice, "bob", text, "ok queued=1");
    }
    let sent: Vec<_> = (0..3).map(|_| bob.message()).collect();
    bob.say(format!("ack {}", sent[1].id));
    bob.say("quit");
    bob.closes("quit");
    asend(&mut alice, "bob", "4", "ok queued=0 offline=1");
    let mut bob = daemon.line();
    bob.asks("login bob", "ok heartbeat=20000 proto=1");
    assert_eq!(bob.message(), sent[0]);
    assert_eq!(bob.message(), sent[2]);
    let last = bob.message();
    assert_eq!((&*last.body, last.ack), ("4", true));
    assert!(last.id > sent[2].id);
    bob.fence();
}

#[test]
fn parked_messages_reach_another_encoding() {
    let daemon = Daemon::new("");
    let mut alice = daemon.client(Framing::Lenhdr);
    alice.login("alice");
    let mut bob = daemon.user("bob");
    bob.say("quit");
    bob.closes("quit");
    alice.say(r#"{"type":"send","to":"bob","body":{"n":1.0},"ack":true}"#);
    alice.hears(r#"{"type":"ok","queued":0,"offline":1}"#);
    let mut bob = daemon.client(Framing::Binary);
    bob.login("bob");
    let told = bob.message();
    assert_eq!(
        (&*told.from, &*told.body, told.ack),
        ("alice", "{\"n\":1.0}", true)
    );
}

#[test]
fn who_was_never_here_gets_nothing_parked() {
    let daemon = Daemon::new("");
    let mut alice = daemon.user("alice");
    alice.fails("asend stranger x", "no-such-user");
    let mut bob = daemon.user("bob");
    bob.say("quit");
    bob.closes("quit");
    alice.fails("send bob x", "no-such-user");
    asend(&mut alice, "bob", "y", "ok queued=0 offline=1");
    assert_eq!(daemon.user("bob").message().body, "y");
}

#[test]
fn an_absent_user_is_forgotten_after_the_offline_time() {
    let daemon = Daemon::new("offline_ttl = \"300ms\"");
    let mut alice = daemon.user("alice");
    let mut bob = daemon.user("bob");
    let left = Instant::now();
    bob.say("quit");
    bob.closes("quit");
    asend(&mut alice, "bob", "x", "ok queued=0 offline=1");
    eventually("bob is forgotten", || {
        alice.say("asend bob y");
        alice
            .hear_text()
            .starts_with("error no-such-user ")
            .then_some(())
    });
    assert!(left.elapsed() >= Duration::from_millis(300));
}

#[test]
fn parked_messages_expire_one_by_one() {
    let daemon = Daemon::new("offline_ttl = \"300ms\"\nlogin_timeout = \"20s\"");
    let mut alice = daemon.user("alice");
    let mut bob = daemon.user("bob");
    bob.say("quit");
    bob.closes("quit");
    let parked = Instant::now();
    asend(&mut alice, "bob", "x", "ok queued=0 offline=1");
    let asked = parked.elapsed();
    alice.quiet(Duration::from_millis(400));
    let mut bob = daemon.user("bob");
    bob.fence();
    assert!(
        asked < Duration::from_millis(300),
        "the machine is too slow for this test"
    );
}

#[test]
fn a_full_mailbox_refuses_the_newest() {
    let daemon = Daemon::new("offline_max = 2");
    let mut alice = daemon.user("alice");
    let mut bob = daemon.user("bob");
    bob.say("quit");
    bob.closes("quit");
    asend(&mut alice, "bob", "1", "ok queued=0 offline=1");
    asend(&mut alice, "bob", "2", "ok queued=0 offline=1");
    alice.fails("asend bob 3", "overloaded");
    let mut bob = daemon.user("bob");
    assert_eq!(bob.message().body, "1");
    assert_eq!(bob.message().body, "2");
    bob.fence();
}

#[test]
fn unacked_messages_move_to_who_replaces() {
    let daemon = Daemon::new("ack_timeout = \"60s\"");
    let mut alice = daemon.user("alice");
    let mut old = daemon.user("bob");
    asend(&mut alice, "bob", "x", "ok queued=1");
    let told = old.message();
    let mut new = daemon.line();
    new.asks("login bob", "ok heartbeat=20000 proto=1");
    assert_eq!(new.message(), told);
    old.closes("replaced");
    new.say(format!("ack {}", told.id));
    new.fence();
}

#[test]
fn unacked_messages_stay_with_the_name_when_a_connection_changes_it() {
    let daemon = Daemon::new("ack_timeout = \"60s\"");
    let mut alice = daemon.user("alice");
    let mut bob = daemon.user("bob");
    asend(&mut alice, "bob", "x", "ok queued=1");
    let told = bob.message();
    bob.asks("login robert", "ok heartbeat=20000 proto=1");
    bob.fence();
    assert_eq!(daemon.user("bob").message(), told);
}

#[test]
fn after_the_last_attempt_a_message_waits_for_the_next_login() {
    let daemon = Daemon::new("ack_timeout = \"100ms\"\nack_attempts = 1");
    let mut alice = daemon.user("alice");
    let mut bob = daemon.user("bob");
    asend(&mut alice, "bob", "x", "ok queued=1");
    let told = bob.message();
    asend(&mut alice, "bob", "clock", "ok queued=1");
    bob.message();
    bob.quiet(Duration::from_millis(250));
    let mut again = daemon.user("bob");
    assert_eq!(again.message(), told);
    assert_eq!(again.message().body, "clock");
    again.fence();
}

#[test]
fn ids_grow_and_go_on_after_a_restart() {
    let seconds = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
    };
    let began = seconds();
    let one_id = || {
        let daemon = Daemon::new("");
        let mut alice = daemon.user("alice");
        alice.asks("send alice x", "ok queued=1");
        let first = alice.message().id;
        alice.asks("send alice x", "ok queued=1");
        let second = alice.message().id;
        assert!(second > first);
        (first, second)
    };
    let (first, last) = one_id();
    assert!((began..=seconds()).contains(&(first >> 20)), "{first}");
    let (next, _) = one_id();
    assert!(next > last, "{next} was used before");
}

#[test]
fn a_mailbox_larger_than_the_outbox_arrives_whole_and_in_order() {
    let daemon = Daemon::new("ack_timeout = \"20s\"");
    let mut alice = daemon.user("alice");
    let mut bob = daemon.user("bob");
    bob.say("quit");
    bob.closes("quit");
    let body = "x".repeat(50_000);
    for number in 0..32 {
        let text = format!("{number} {body}");
        asend(&mut alice, "bob", &text, "ok queued=0 offline=1");
    }
    let mut bob = daemon.user("bob");
    for number in 0..32 {
        let told = bob.message();
        assert!(told.body.starts_with(&format!("{number} ")));
        bob.say(format!("ack {}", told.id));
    }
    bob.fence();
}
