//! Messages that want an ack, where several connections share a user.

use pulsegate::{Limits, Options, Push, Settings, Target, UserPolicy};

use super::letters::{letters, push, texts};
use super::{Stage, s};

/// Two connections share a user, and so many letters may be unacknowledged on each.
fn shared(unacked_per_connection: u32) -> Stage {
    let settings = Settings {
        idle_timeout: None,
        ..Settings::default()
    };
    let options = Options {
        limits: Limits {
            unacked_per_connection,
            ..Limits::default()
        },
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
        let push = Push {
            ack: true,
            ..Push::text(text)
        };
        stage.server.gate_mut().push(target, &push).expect("sent");
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
