//! Messages that want an ack: sent again, parked, expired.

use std::borrow::Cow;

use pulsegate::{Body, ErrorCode, Limits, Options, Push, Receipt, Settings, Target, UserPolicy};

use super::{Stage, ms, s};
use crate::world::Path;
use crate::world::agenda::{MILLI, SECOND};
use crate::world::socket::Key;

/// Each one is sent five times, ten seconds apart.
fn stage() -> Stage {
    Stage::new(Settings {
        idle_timeout: None,
        ..Settings::default()
    })
}

pub(super) fn push(stage: &mut Stage, user: &str, text: &str) -> Result<Receipt, ErrorCode> {
    let body = Body::Text(Cow::Borrowed(text));
    let push = Push {
        from: None,
        body,
        ack: true,
        ttl: None,
    };
    stage.server.gate_mut().push(Target::User(user), &push)
}

/// The texts of the `msga` lines that a peer has got, with their ids.
pub(super) fn letters(stage: &mut Stage, peer: Key) -> Vec<(u64, String)> {
    let heard = stage.hear(peer);
    let lines = heard.lines().filter_map(|line| line.strip_prefix("msga "));
    lines
        .map(|line| {
            let mut words = line.splitn(3, ' ');
            let id = words.next().expect("an id").parse().expect("a number");
            (id, words.nth(1).expect("a text").to_owned())
        })
        .collect()
}

pub(super) fn texts(stage: &mut Stage, peer: Key) -> Vec<String> {
    letters(stage, peer)
        .into_iter()
        .map(|(_, text)| text)
        .collect()
}

#[test]
fn without_an_ack_it_is_sent_five_times_and_then_parked() {
    let mut stage = stage();
    let bob = stage.login("bob");
    push(&mut stage, "bob", "hello").expect("is here");
    let mut copies = Vec::new();
    for _ in 0..60 {
        let at = stage.now();
        copies.extend(
            letters(&mut stage, bob)
                .into_iter()
                .map(|(id, _)| (id, at / SECOND)),
        );
        stage.pass(s(1));
    }
    assert_eq!(copies.len(), 5, "{copies:?}");
    assert!(copies.iter().all(|(id, _)| *id == copies[0].0), "one id");
    let gaps: Vec<u64> = copies
        .windows(2)
        .map(|pair| pair[1].1 - pair[0].1)
        .collect();
    assert!(gaps.iter().all(|gap| (10..=11).contains(gap)), "{gaps:?}");
    assert_eq!(stage.server.gate().parked(), 1);
    stage.net().kernel.leave(bob);
    stage.settle();
    let again = stage.connect();
    stage.say(again, "login bob\n");
    stage.settle();
    assert_eq!(
        letters(&mut stage, again),
        [(copies[0].0, "hello".to_owned())]
    );
}

#[test]
fn an_ack_settles_it() {
    let mut stage = stage();
    let bob = stage.login("bob");
    let id = push(&mut stage, "bob", "hello").expect("is here").id;
    stage.pass(s(5));
    stage.say(bob, &format!("ack {id}\n"));
    stage.pass(s(60));
    assert_eq!(texts(&mut stage, bob), ["hello"]);
    assert_eq!(stage.server.gate().bytes_held(), [0, 0, 0]);
    stage.say(
        bob,
        &format!("ack {id}\nack 1\nack 18446744073709551615\nping\n"),
    );
    stage.settle();
    assert_eq!(stage.hear(bob), "pong\n", "needless acks are ignored");
}

#[test]
fn what_is_parked_follows_the_next_login_in_order_behind_its_ok() {
    let mut stage = stage();
    for text in ["one", "two", "three"] {
        let receipt = push(&mut stage, "bob", text).expect("the backend may park");
        assert_eq!((receipt.queued, receipt.offline), (0, 1));
    }
    stage.pass(s(30));
    let bob = stage.connect();
    stage.say(bob, "login bob\n");
    stage.settle();
    let heard = stage.hear(bob);
    let verbs: Vec<&str> = heard
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(verbs, ["ok", "msga", "msga", "msga"]);
    let order: Vec<usize> = ["one", "two", "three"]
        .iter()
        .filter_map(|text| heard.find(text))
        .collect();
    assert!(order.is_sorted() && order.len() == 3, "{heard}");
}

#[test]
fn what_is_parked_expires_after_its_time() {
    let mut stage = stage();
    push(&mut stage, "bob", "stale").expect("the backend may park");
    stage.pass(s(40));
    push(&mut stage, "bob", "fresh").expect("the backend may park");
    stage.pass(s(21));
    assert_eq!(stage.server.gate().parked(), 1);
    let bob = stage.connect();
    stage.say(bob, "login bob\n");
    stage.settle();
    assert_eq!(texts(&mut stage, bob), ["fresh"]);
    assert_eq!(stage.server.gate().stats().letters.expired, 1);
}

#[test]
fn what_was_sent_expires_on_time_and_once_for_all_devices() {
    let options = Options {
        users: UserPolicy::Devices(2),
        ..Options::default()
    };
    let settings = Settings {
        idle_timeout: None,
        ..Settings::default()
    };
    let mut stage = Stage::with(settings, options);
    let devices = [stage.login("bob"), stage.login("bob")];
    let push = Push {
        from: None,
        body: Body::Text(Cow::Borrowed("brief")),
        ack: true,
        ttl: Some(ms(1_500)),
    };
    let target = Target::User("bob");
    stage.server.gate_mut().push(target, &push).expect("sent");
    stage.pass(ms(1_450));
    assert_eq!(stage.server.gate().stats().letters.expired, 0);
    stage.pass(ms(70));
    assert_eq!(stage.server.gate().stats().letters.expired, 1);
    // Long before it would have been sent again, and then it is not.
    stage.pass(s(30));
    assert_eq!(stage.server.gate().stats().letters.expired, 1);
    assert_eq!(stage.server.gate().parked(), 0);
    for device in devices {
        assert_eq!(texts(&mut stage, device), ["brief"]);
    }
}

#[test]
fn a_full_mailbox_refuses_the_newest() {
    let settings = Settings {
        offline_max: 2,
        ..Settings::default()
    };
    let mut stage = Stage::new(settings);
    let before = stage.login("bob");
    stage.net().kernel.leave(before);
    stage.settle();
    for (number, fits) in [(1, true), (2, true), (3, false)] {
        let result = push(&mut stage, "bob", &format!("{number}"));
        assert_eq!(result.is_ok(), fits, "{number}: {result:?}");
    }
    let bob = stage.connect();
    stage.say(bob, "login bob\n");
    stage.settle();
    assert_eq!(texts(&mut stage, bob), ["1", "2"]);
}

#[test]
fn parked_messages_wait_for_room_in_the_outbox() {
    let settings = Settings {
        outbox_low: 100,
        offline_max: 300,
        ..Settings::default()
    };
    let mut stage = Stage::new(settings);
    for number in 0..200 {
        push(&mut stage, "bob", &format!("{number} {}", "x".repeat(50))).expect("may park");
    }
    let bob = stage.connect_by(Path {
        down_window: 60,
        ..Path::default()
    });
    stage.say(bob, "login bob\n");
    let mut heard = String::new();
    for _ in 0..1_000 {
        stage.pass(ms(2));
        heard += &stage.hear(bob);
        let held = stage.server.gate().bytes_held()[1];
        assert!(held < 10_000, "not all at once: {held}");
    }
    assert_eq!(
        heard
            .lines()
            .filter(|line| line.starts_with("msga "))
            .count(),
        200
    );
}

#[test]
fn a_copy_is_not_sent_again_while_the_first_one_waits() {
    let settings = Settings {
        write_timeout: None,
        output_age: None,
        ..Settings::default()
    };
    let mut stage = Stage::new(settings);
    let bob = stage.connect_by(Path {
        down_window: 40,
        ..Path::default()
    });
    stage.say(bob, "login bob\n");
    stage.settle();
    let id = push(&mut stage, "bob", &"w".repeat(200))
        .expect("is here")
        .id;
    stage.pass(s(40));
    let mut heard = String::new();
    for _ in 0..20 {
        heard += &stage.hear(bob);
        stage.settle();
    }
    let copies = heard.matches(&format!("msga {id} ")).count();
    assert_eq!(copies, 1, "the first copy had not left");
    let sent = stage.now();
    stage.pass(s(11));
    assert_eq!(letters(&mut stage, bob).len(), 1, "now the time counts");
    assert!(stage.now() - sent > 10 * SECOND + MILLI);
}

#[test]
fn one_ack_settles_it_for_all_devices() {
    let users = UserPolicy::Devices(3);
    let mut stage = Stage::with(
        Settings::default(),
        Options {
            users,
            ..Options::default()
        },
    );
    let peers: Vec<_> = (0..3).map(|_| stage.login("bob")).collect();
    let id = push(&mut stage, "bob", "all").expect("is here").id;
    stage.settle();
    stage.say(peers[1], &format!("ack {id}\n"));
    for _ in 0..3 {
        stage.pass(s(15));
        for &peer in &peers {
            stage.say(peer, "\n");
        }
    }
    for &peer in &peers {
        assert_eq!(texts(&mut stage, peer), ["all"]);
    }
}

#[test]
fn a_letter_that_two_devices_held_is_parked_once() {
    let users = UserPolicy::Devices(2);
    let settings = Settings {
        outbox_low: 1,
        ..Settings::default()
    };
    let mut stage = Stage::with(
        settings,
        Options {
            users,
            ..Options::default()
        },
    );
    let (one, two) = (stage.login("bob"), stage.login("bob"));
    push(&mut stage, "bob", "once").expect("is here");
    stage.settle();
    // A third login replaces the oldest, whose letters wait in the mailbox since the third takes
    // nothing; then the second, which holds the same letter, leaves.
    let three = stage.connect_by(Path {
        down_window: 1,
        ..Path::default()
    });
    stage.say(three, "login bob\n");
    stage.settle();
    for peer in [one, two, three] {
        stage.net().kernel.reset(peer);
        stage.settle();
    }
    let again = stage.connect();
    stage.say(again, "login bob\n");
    stage.settle();
    assert_eq!(texts(&mut stage, again), ["once"]);
}

#[test]
fn an_ack_makes_room_for_what_was_parked_for_want_of_it() {
    let limits = Limits {
        unacked_per_connection: 2,
        ..Limits::default()
    };
    let mut stage = Stage::within(limits);
    let bob = stage.login("bob");
    for text in ["one", "two", "three"] {
        push(&mut stage, "bob", text).expect("sent or parked");
    }
    stage.settle();
    for (id, _) in letters(&mut stage, bob) {
        stage.say(bob, &format!("ack {id}\n"));
    }
    stage.settle();
    assert_eq!(
        texts(&mut stage, bob),
        ["three"],
        "he is here, and has room"
    );
}

#[test]
fn only_who_was_here_gets_letters_from_users() {
    let mut stage = stage();
    let anna = stage.login("anna");
    assert!(
        stage
            .ask(anna, "asend bob hi\n")
            .starts_with("error no-such-user")
    );
    let bob = stage.login("bob");
    stage.net().kernel.leave(bob);
    stage.settle();
    assert_eq!(stage.ask(anna, "asend bob hi\n"), "ok queued=0 offline=1\n");
    assert!(
        stage
            .ask(anna, "send bob hi\n")
            .starts_with("error no-such-user")
    );
    stage.pass(s(70));
    assert!(
        stage
            .ask(anna, "asend bob hi\n")
            .starts_with("error no-such-user"),
        "too long ago"
    );
}

#[test]
fn an_unacknowledged_letter_moves_to_the_connection_that_replaces() {
    let mut stage = stage();
    let old = stage.login("bob");
    let id = push(&mut stage, "bob", "moves").expect("is here").id;
    stage.settle();
    assert_eq!(texts(&mut stage, old), ["moves"]);
    let new = stage.connect();
    stage.say(new, "login bob\n");
    stage.settle();
    assert_eq!(letters(&mut stage, new), [(id, "moves".to_owned())]);
}

#[test]
fn over_the_budget_the_oldest_parked_letter_goes() {
    let limits = Limits {
        offline_budget: 20_000,
        ..Limits::default()
    };
    let mut stage = Stage::within(limits);
    for number in 0..20 {
        let text = format!("{number} {}", "p".repeat(2_000));
        push(&mut stage, &format!("user{number}"), &text).expect("the budget makes room");
    }
    let gate = stage.server.gate();
    assert!(gate.bytes_held()[2] <= 20_000);
    assert!(gate.stats().letters.dropped >= 10);
    let last = stage.connect();
    stage.say(last, "login user19\n");
    stage.settle();
    assert_eq!(letters(&mut stage, last).len(), 1, "the newest is there");
}
