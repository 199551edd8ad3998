//! Topics: joined, published to, limited, forgotten.

use crate::client::eventually;
use crate::daemon::Daemon;

#[test]
fn publishing_needs_no_join_and_a_member_gets_its_own_copy() {
    let daemon = Daemon::new("");
    let mut alice = daemon.user("alice");
    let mut bob = daemon.user("bob");
    let mut carol = daemon.line();
    alice.asks("pub t nobody is here", "ok queued=0");
    bob.asks("join t", "ok");
    carol.asks("join t", "ok");
    alice.asks("pub t two are here", "ok queued=2");
    let first = bob.message();
    let told = (&*first.from, &*first.body);
    assert_eq!(told, ("topic:t/alice", "two are here"));
    assert_eq!(carol.message(), first);
    bob.asks("pub t me too", "ok queued=2");
    let second = bob.message();
    assert_eq!((&*second.from, &*second.body), ("topic:t/bob", "me too"));
    assert_eq!(carol.message(), second);
    assert!(second.id > first.id);
    alice.fence();
}

#[test]
fn a_topic_message_has_one_id_for_all_members() {
    let daemon = Daemon::new("");
    let mut alice = daemon.user("alice");
    let mut bob = daemon.user("bob");
    alice.asks("join t", "ok");
    bob.asks("join t", "ok");
    alice.asks("pub t x", "ok queued=2");
    assert_eq!(alice.message(), bob.message());
}

#[test]
fn joining_twice_is_fine_and_counts_once() {
    let daemon = Daemon::new("");
    let mut alice = daemon.user("alice");
    alice.asks("join t", "ok");
    alice.asks("join t", "ok");
    alice.asks("pub t x", "ok queued=1");
    alice.message();
    alice.asks("leave t", "ok");
    alice.fails("leave t", "not-joined");
    alice.asks("pub t x", "ok queued=0");
    alice.fence();
}

#[test]
fn topics_and_users_are_different_name_spaces() {
    let daemon = Daemon::new("");
    let mut alice = daemon.user("alice");
    alice.asks("join bob", "ok");
    alice.fails("send bob x", "no-such-user");
    alice.asks("pub alice x", "ok queued=0");
    alice.asks("pub bob x", "ok queued=1");
    alice.message();
}

#[test]
fn a_connection_may_join_64_topics() {
    let daemon = Daemon::new("");
    let mut alice = daemon.line();
    for number in 0..64 {
        alice.asks(&format!("join t{number}"), "ok");
    }
    alice.fails("join one-more", "overloaded");
    alice.asks("join t63", "ok");
    alice.asks("leave t0", "ok");
    alice.asks("join one-more", "ok");
}

#[test]
fn topics_are_limited_in_all_and_vanish_with_their_last_member() {
    let daemon = Daemon::with("[limits]\ntopics = 2", "");
    let mut alice = daemon.line();
    let mut bob = daemon.line();
    alice.asks("join a", "ok");
    bob.asks("join a", "ok");
    bob.asks("join b", "ok");
    alice.fails("join c", "overloaded");
    bob.asks("leave b", "ok");
    alice.asks("join c", "ok");
    bob.fails("join d", "overloaded");
    bob.asks("leave a", "ok");
    bob.fails("join d", "overloaded");
    // The end of a connection takes its topics with it.
    alice.reset();
    eventually("the topics of the reset connection are gone", || {
        bob.say("join d");
        let first = bob.hear_text() == "ok";
        bob.say("join e");
        let second = bob.hear_text() == "ok";
        (first && second).then_some(())
    });
}

#[test]
fn a_member_that_left_gets_nothing_more() {
    let daemon = Daemon::new("");
    let mut alice = daemon.user("alice");
    let mut bob = daemon.line();
    bob.asks("join t", "ok");
    alice.asks("pub t 1", "ok queued=1");
    bob.say("leave t");
    assert_eq!(bob.message().body, "1");
    bob.hears("ok");
    alice.asks("pub t 2", "ok queued=0");
    bob.fence();
}

#[test]
fn two_hundred_members_get_each_message_in_order() {
    let daemon = Daemon::new("");
    let mut alice = daemon.user("alice");
    let mut members: Vec<_> = (0..200).map(|_| daemon.line()).collect();
    for member in &mut members {
        member.say("join t");
    }
    for member in &mut members {
        member.hears("ok");
    }
    for number in 0..50 {
        alice.asks(&format!("pub t {number}"), "ok queued=200");
    }
    for member in &mut members {
        for number in 0..50 {
            assert_eq!(member.message().body, number.to_string());
        }
    }
}
