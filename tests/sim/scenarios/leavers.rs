//! Messages that want an ack, and receivers who leave while messages to many are under way.

use pulsegate::{CloseReason, Limits, Options, Push, Settings, Target};

use super::letters::{push, texts};
use super::{Stage, s};
use crate::world::Path;

#[test]
fn a_letter_queued_behind_a_fan_out_is_parked_when_its_receiver_leaves_first() {
    let limits = Limits {
        fanout: 1,
        ..Limits::default()
    };
    let mut stage = Stage::with(
        Settings::default(),
        Options {
            limits,
            ..Options::default()
        },
    );
    let bob = stage.login("bob");
    for _ in 0..20 {
        stage.dial(Path::default());
    }
    stage.settle();
    stage
        .server
        .gate_mut()
        .push(Target::Everyone, &Push::text("to all"))
        .expect("begins");
    let receipt = push(&mut stage, "bob", "kept").expect("is here");
    assert_eq!(receipt.queued + receipt.offline, 1, "accepted");
    stage.net().kernel.reset(bob);
    stage.pass(s(1));
    let again = stage.connect();
    stage.say(again, "login bob\n");
    stage.settle();
    assert_eq!(
        texts(&mut stage, again),
        ["kept"],
        "what was accepted is not lost"
    );
}

#[test]
fn a_letter_to_a_topic_is_kept_for_the_member_whom_it_takes_down() {
    // What the first member gets is more than all outboxes may hold: the largest goes, and he is
    // the second member.
    let mut stage = Stage::within(Limits {
        output_budget: 20_000,
        ..Limits::default()
    });
    let stuck = Path {
        down_window: 64,
        ..Path::default()
    };
    for user in ["ann", "bob"] {
        let member = stage.connect_by(stuck);
        stage.ask(member, &format!("login {user}\n"));
        stage.ask(member, "join news\n");
    }
    let gate = stage.server.gate_mut();
    let large = "x".repeat(12_000);
    gate.push(Target::User("bob"), &Push::text(&large))
        .expect("he is here");
    let text = "y".repeat(9_000);
    let letter = Push {
        ack: true,
        ..Push::text(&text)
    };
    let receipt = gate.push(Target::Topic("news"), &letter).expect("is taken");
    assert_eq!((receipt.queued, receipt.dropped), (2, 0), "{receipt:?}");
    assert_eq!(gate.stats().closed(CloseReason::Overloaded), 1);
    stage.settle();
    let again = stage.connect();
    stage.say(again, "login bob\n");
    // Nobody is let in until the budget has air again.
    stage.pass(s(5));
    let got = texts(&mut stage, again);
    assert!(got == [text], "what was accepted is not lost: {got:.20?}");
}

#[test]
fn a_letter_queued_behind_a_fan_out_reaches_the_connection_that_took_over() {
    let limits = Limits {
        fanout: 1,
        ..Limits::default()
    };
    let mut stage = Stage::with(
        Settings::default(),
        Options {
            limits,
            ..Options::default()
        },
    );
    stage.login("bob");
    for _ in 0..20 {
        stage.dial(Path::default());
    }
    stage.settle();
    let new = stage.connect();
    stage
        .server
        .gate_mut()
        .push(Target::Everyone, &Push::text("to all"))
        .expect("begins");
    push(&mut stage, "bob", "kept").expect("is here");
    stage.say(new, "login bob\n");
    stage.pass(s(1));
    assert_eq!(
        texts(&mut stage, new),
        ["kept"],
        "what was accepted is not lost"
    );
}
