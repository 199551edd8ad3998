//! Messages that want an ack, where several connections share a user.

use pulsegate::{Limits, Options, Push, Settings, Target, UserPolicy};

use super::letters::{letters, push, texts};
use super::{Stage, ms, s};
use crate::world::Path;
use crate::world::agenda::MILLI;
use crate::world::socket::Key;

/// Two connections share a user, and so many letters may be unacknowledged on each.
fn shared(unacked_per_connection: u32) -> Stage {
    shared_within(Limits {
        unacked_per_connection,
        ..Limits::default()
    })
}

fn shared_within(limits: Limits) -> Stage {
    shared_within_settings(Settings::default(), limits)
}

fn shared_within_settings(settings: Settings, limits: Limits) -> Stage {
    let settings = Settings {
        idle_timeout: None,
        ..settings
    };
    let options = Options {
        limits,
        users: UserPolicy::Devices(2),
        ..Options::default()
    };
    Stage::with(settings, options)
}

#[test]
fn a_device_that_had_all_its_copies_gets_none_that_another_one_leaves() {
    // Found by seed 66.
    let mut stage = shared(2);
    let deaf = stage.login("bob");
    push(&mut stage, "bob", "hi").expect("sent");
    stage.pass(s(51));
    assert_eq!(texts(&mut stage, deaf), ["hi"; 5]);
    assert_eq!(stage.server.gate().parked(), 1);
    for _ in 0..3 {
        let other = stage.connect();
        stage.say(other, "login bob\n");
        stage.settle();
        assert_eq!(texts(&mut stage, other), ["hi"]);
        stage.net().kernel.reset(other);
        stage.settle();
        assert_eq!(stage.server.gate().parked(), 1);
        // More than it may leave unacknowledged: it looks into the mailbox with each ack.
        for text in ["one", "two", "three"] {
            push(&mut stage, "bob", text).expect("sent, or kept");
        }
        stage.settle();
        let mut heard = Vec::new();
        loop {
            let more = letters(&mut stage, deaf);
            if more.is_empty() {
                break;
            }
            for (id, text) in more {
                heard.push(text);
                stage.say(deaf, &format!("ack {id}\n"));
            }
            stage.settle();
        }
        assert_eq!(heard, ["one", "two", "three"]);
    }
}

#[test]
fn a_device_that_had_all_its_copies_gets_none_of_what_was_kept_for_another_one() {
    // Found by seed 66.
    let mut stage = shared(1);
    let (deaf, busy) = (stage.login("bob"), stage.login("bob"));
    stage.ask(busy, "join news\n");
    let news = Target::Topic("news");
    for (target, text) in [(news, "one"), (news, "two"), (Target::Everyone, "hi")] {
        push_to(&mut stage, target, text);
    }
    stage.settle();
    assert_eq!(stage.server.gate().parked(), 2, "the other one has no room");
    // Still none when the first one has had all copies.
    stage.pass(s(45));
    let id = letters(&mut stage, busy)[0].0;
    stage.ask(busy, &format!("ack {id}\n"));
    stage.pass(s(150));
    assert_eq!(texts(&mut stage, deaf), ["hi"; 5]);
}

/// Two connections of bob's far apart in a crowd, of whom one a turn gets what is for all.
fn far_apart() -> (Stage, Key, Key) {
    let mut stage = shared_within(Limits {
        fanout: 1,
        unacked_per_connection: 2,
        ..Limits::default()
    });
    let near = stage.login("bob");
    for _ in 0..20 {
        stage.dial(Path::default());
    }
    stage.settle();
    let far = stage.login("bob");
    stage.ask(far, "join far\n");
    stage.ask(near, "join near\n");
    (stage, near, far)
}

fn push_to(stage: &mut Stage, target: Target<'_>, text: &str) {
    let push = Push {
        ack: true,
        ..Push::text(text)
    };
    stage.server.gate_mut().push(target, &push).expect("taken");
}

/// Turns until the connection has the message, and sends its ack.
fn ack_next(stage: &mut Stage, conn: Key, text: &str) {
    for _ in 0..20 {
        stage.turn();
        if let Some((id, got)) = letters(stage, conn).pop() {
            assert_eq!(got, text);
            return stage.say(conn, &format!("ack {id}\n"));
        }
    }
    panic!("nothing came");
}

#[test]
fn a_copy_that_leaves_after_the_ack_of_another_device_is_not_waited_for() {
    // Found by seed 239099749.
    let (mut stage, near, far) = far_apart();
    push_to(&mut stage, Target::Everyone, "hi");
    ack_next(&mut stage, near, "hi");
    assert_eq!(texts(&mut stage, far), [""; 0], "its turn has not come");
    stage.pass(s(100));
    assert_eq!(texts(&mut stage, far), ["hi"], "once");
    for conn in [far, near] {
        stage.net().kernel.reset(conn);
    }
    stage.settle();
    assert_eq!(stage.server.gate().parked(), 0, "he has it");
}

#[test]
fn what_a_device_has_no_room_for_is_not_kept_after_the_ack_of_another() {
    // Found by seed 239099749.
    let (mut stage, near, far) = far_apart();
    push_to(&mut stage, Target::Topic("far"), "one");
    push_to(&mut stage, Target::Topic("far"), "two");
    stage.settle();
    assert_eq!(texts(&mut stage, far), ["one", "two"], "as many as it may");
    push_to(&mut stage, Target::Everyone, "hi");
    ack_next(&mut stage, near, "hi");
    stage.settle();
    assert_eq!(stage.server.gate().parked(), 0);
    assert_eq!(texts(&mut stage, far), ["hi"], "sent to all");
    push_to(&mut stage, Target::Topic("near"), "and now");
    ack_next(&mut stage, near, "and now");
    stage.settle();
    assert_eq!(texts(&mut stage, near), [""; 0], "no second copy");
}

#[test]
fn who_leaves_before_its_turn_leaves_nothing_of_what_another_device_has_acked() {
    let (mut stage, near, far) = far_apart();
    push_to(&mut stage, Target::Everyone, "hi");
    ack_next(&mut stage, near, "hi");
    stage.turn();
    for conn in [near, far] {
        stage.net().kernel.reset(conn);
    }
    stage.settle();
    assert_eq!(stage.server.gate().parked(), 0, "he has it");
}

#[test]
fn a_device_that_had_it_from_the_mailbox_gets_none_when_its_turn_comes() {
    // Found by seed 239099884.
    let (mut stage, _, far) = far_apart();
    push_to(&mut stage, Target::Topic("near"), "one");
    push_to(&mut stage, Target::Topic("near"), "two");
    stage.settle();
    push_to(&mut stage, Target::Everyone, "hi");
    for _ in 0..5 {
        stage.turn();
    }
    // The other one had no room; its own turn is twenty turns away.
    ack_next(&mut stage, far, "hi");
    stage.settle();
    assert_eq!(stage.server.gate().parked(), 0, "settled");
    stage.pass(s(100));
    assert_eq!(texts(&mut stage, far), [""; 0], "it had its copy");
}

/// Twenty members of a topic, one of whom a turn gets what is for all.
fn crowd() -> Stage {
    let mut stage = shared_within(Limits {
        fanout: 1,
        ..Limits::default()
    });
    for number in 0..20 {
        join(&mut stage, &format!("member{number}"));
    }
    stage
}

fn join(stage: &mut Stage, user: &str) -> Key {
    let member = stage.login(user);
    stage.ask(member, "join news\n");
    member
}

#[test]
fn what_is_kept_for_a_device_that_left_goes_to_the_other_one_which_says_nothing() {
    let mut stage = crowd();
    let (idle, member) = (stage.login("bob"), join(&mut stage, "bob"));
    push_to(&mut stage, Target::Topic("news"), "hi");
    stage.turn();
    stage.net().kernel.reset(member);
    stage.settle();
    assert_eq!(texts(&mut stage, idle), ["hi"]);
    assert_eq!(stage.server.gate().parked(), 0);
}

#[test]
fn a_device_that_has_left_the_topic_covers_no_other_one() {
    let mut stage = crowd();
    let (first, second) = (join(&mut stage, "bob"), join(&mut stage, "bob"));
    push_to(&mut stage, Target::Topic("news"), "hi");
    stage.say(second, "leave news\n");
    stage.turn();
    stage.net().kernel.reset(first);
    stage.settle();
    assert_eq!(texts(&mut stage, second), ["hi"]);
}

#[test]
fn a_device_gets_at_once_what_one_that_left_did_not_get() {
    let mut stage = crowd();
    let first = join(&mut stage, "bob");
    for number in 20..30 {
        join(&mut stage, &format!("member{number}"));
    }
    let second = join(&mut stage, "bob");
    push_to(&mut stage, Target::Topic("news"), "hi");
    stage.turn();
    stage.net().kernel.reset(first);
    for _ in 0..23 {
        stage.turn();
    }
    // The turn of the first is over, its own is still to come.
    stage.say(second, "leave news\n");
    stage.settle();
    assert_eq!(texts(&mut stage, second), ["hi"]);
    assert_eq!(stage.server.gate().parked(), 0);
}

#[test]
fn what_one_device_holds_and_the_mailbox_too_expires_once() {
    let mut stage = shared(1);
    let (near, far) = (stage.login("bob"), stage.login("bob"));
    stage.ask(far, "join far\n");
    push_to(&mut stage, Target::Topic("far"), "one");
    let push = Push {
        ack: true,
        ttl: Some(s(3)),
        ..Push::text("hi")
    };
    let pushed = stage.server.gate_mut().push(Target::Everyone, &push);
    assert_eq!(pushed.expect("taken").queued, 2);
    stage.settle();
    assert_eq!(texts(&mut stage, near), ["hi"]);
    assert_eq!(stage.server.gate().parked(), 1, "the other has no room");
    stage.pass(s(5));
    assert_eq!(stage.server.gate().parked(), 0);
    assert_eq!(stage.server.gate().stats().letters.expired, 1);
}

#[test]
fn two_devices_without_room_share_one_place_in_the_mailbox() {
    let mut stage = shared_within_settings(
        Settings {
            offline_max: 1,
            ..Settings::default()
        },
        Limits {
            unacked_per_connection: 1,
            ..Limits::default()
        },
    );
    for user in ["near", "far"] {
        let conn = stage.login("bob");
        stage.ask(conn, &format!("join {user}\n"));
        push_to(&mut stage, Target::Topic(user), "one");
    }
    let push = Push {
        ack: true,
        ..Push::text("hi")
    };
    let receipt = stage.server.gate_mut().push(Target::Everyone, &push);
    let receipt = receipt.expect("kept");
    assert_eq!((receipt.queued, receipt.dropped), (2, 0));
    let gate = stage.server.gate();
    assert_eq!((gate.parked(), gate.stats().letters.dropped), (1, 0));
}

#[test]
fn what_is_of_no_more_use_when_its_turn_comes_is_not_sent_and_expires_once() {
    let (mut stage, near, far) = far_apart();
    stage.net().toll = 5 * MILLI;
    let push = Push {
        ack: true,
        ttl: Some(ms(30)),
        ..Push::text("hi")
    };
    let pushed = stage.server.gate_mut().push(Target::Everyone, &push);
    pushed.expect("taken");
    stage.pass(s(2));
    assert_eq!(texts(&mut stage, near), ["hi"]);
    assert_eq!(texts(&mut stage, far), [""; 0]);
    let letters = stage.server.gate().stats().letters;
    assert_eq!((letters.made, letters.expired), (1, 1));
}
