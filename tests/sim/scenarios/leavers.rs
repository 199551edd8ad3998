//! Messages that want an ack, and receivers who leave while messages to many are under way.

use pulsegate::{CloseReason, Limits, Push, Target};

use super::letters::{push, texts};
use super::{Stage, s};
use crate::world::Path;

/// One delivery a turn, and a crowd to deliver to.
fn slow() -> Stage {
    let mut stage = Stage::within(Limits {
        fanout: 1,
        ..Limits::default()
    });
    for _ in 0..20 {
        stage.dial(Path::default());
    }
    stage.settle();
    stage
}

/// What is pushed from now on waits behind a message to all of them.
fn begin_fan_out(stage: &mut Stage) {
    let gate = stage.server.gate_mut();
    let pushed = gate.push(Target::Everyone, &Push::text("to all"));
    pushed.expect("begins");
}

#[test]
fn a_letter_queued_behind_a_fan_out_is_parked_when_its_receiver_leaves_first() {
    let mut stage = slow();
    let bob = stage.login("bob");
    begin_fan_out(&mut stage);
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
fn a_letter_for_a_leaver_is_counted_as_dropped_where_nobody_absent_is_remembered() {
    let mut stage = Stage::within(Limits {
        fanout: 1,
        absent_users: 0,
        ..Limits::default()
    });
    stage.is_judged = false;
    for _ in 0..20 {
        stage.dial(Path::default());
    }
    stage.settle();
    let bob = stage.login("bob");
    begin_fan_out(&mut stage);
    let receipt = push(&mut stage, "bob", "kept").expect("is here");
    stage.net().kernel.reset(bob);
    stage.pass(s(1));
    let letters = &stage.server.gate().stats().letters;
    assert_eq!((letters.made, letters.dropped), (1, 1), "{receipt:?}");
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
    let mut stage = slow();
    stage.login("bob");
    let new = stage.connect();
    begin_fan_out(&mut stage);
    push(&mut stage, "bob", "kept").expect("is here");
    stage.say(new, "login bob\n");
    stage.pass(s(1));
    assert_eq!(
        texts(&mut stage, new),
        ["kept"],
        "what was accepted is not lost"
    );
}
