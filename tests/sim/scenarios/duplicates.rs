//! Group H: several logins of one user, and kicks.

use pulsegate::{CloseReason, Options, Push, Settings, Target, UserPolicy};

use super::{Stage, ms, s};
use crate::world::Path;
use crate::world::socket::Heard;

fn house(users: UserPolicy) -> Stage {
    Stage::with(
        Settings::default(),
        Options {
            users,
            ..Options::default()
        },
    )
}

#[test]
fn of_two_logins_at_once_the_later_one_stays() {
    // 85: both orders of arrival, in one turn.
    for swap in [false, true] {
        let mut stage = house(UserPolicy::Replace);
        let (one, two) = (stage.connect(), stage.connect());
        let (first, second) = if swap { (two, one) } else { (one, two) };
        stage.say(first, "login bob\n");
        stage.say(second, "login bob\n");
        stage.settle();
        assert_eq!(stage.reason(first), Some(CloseReason::Replaced));
        assert_eq!(stage.reason(second), None);
        assert!(stage.hear(first).ends_with("close replaced\n"));
        let owner: Vec<_> = stage.server.gate().connections_of("bob").collect();
        assert_eq!(owner, [stage.conn(second)]);
    }
}

#[test]
fn under_reject_the_first_one_stays() {
    let mut stage = house(UserPolicy::Reject);
    let (one, two) = (stage.connect(), stage.connect());
    stage.say(one, "login bob\n");
    stage.say(two, "login bob\n");
    stage.settle();
    assert!(stage.hear(one).starts_with("ok "));
    assert!(stage.hear(two).starts_with("error user-taken"));
    stage.net().kernel.leave(one);
    stage.settle();
    assert!(
        stage.ask(two, "login bob\n").starts_with("ok "),
        "the name is free again"
    );
}

#[test]
fn devices_share_a_user_and_the_oldest_goes() {
    let mut stage = house(UserPolicy::Devices(2));
    let peers: Vec<_> = (0..4).map(|_| stage.login("bob")).collect();
    for &peer in &peers[..2] {
        assert_eq!(stage.reason(peer), Some(CloseReason::Replaced));
    }
    stage
        .server
        .gate_mut()
        .push(Target::User("bob"), &Push::text("hi"))
        .expect("is here");
    stage.settle();
    for &peer in &peers[2..] {
        assert!(stage.hear(peer).ends_with(" - hi\n"));
    }
    assert_eq!(stage.server.gate_mut().kick("bob"), 2);
}

#[test]
fn the_late_end_of_an_old_connection_does_not_touch_the_new_owner() {
    // 87: the old one is half-closed, resets, or lingers long after the new login.
    for how in 0..3 {
        let mut stage = house(UserPolicy::Replace);
        let old = stage.connect_by(Path {
            down_window: 8,
            ..Path::default()
        });
        stage.say(old, "login bob\nping\nping\n");
        stage.settle();
        let new = stage.login("bob");
        stage.pass(ms(500));
        match how {
            0 => stage.net().kernel.reset(old),
            1 => stage.net().kernel.leave(old),
            _ => stage.pass(s(15)),
        }
        stage.pass(s(1));
        assert_eq!(stage.reason(old), Some(CloseReason::Replaced));
        assert!(stage.server.gate().is_online("bob"));
        stage
            .server
            .gate_mut()
            .push(Target::User("bob"), &Push::text("you"))
            .expect("is here");
        stage.settle();
        assert!(stage.hear(new).ends_with(" - you\n"));
        assert_eq!(stage.server.gate().sockets(), 1, "the old socket is gone");
    }
}

#[test]
fn what_the_old_connection_had_not_got_is_not_sent_to_a_stranger() {
    // 88
    let mut stage = house(UserPolicy::Replace);
    let old = stage.connect_by(Path {
        down_window: 8,
        ..Path::default()
    });
    stage.say(old, "login bob\n");
    stage.settle();
    stage
        .server
        .gate_mut()
        .push(Target::User("bob"), &Push::text("secret"))
        .expect("is here");
    stage.settle();
    let new = stage.login("bob");
    stage.net().kernel.reset(old);
    stage.settle();
    let stranger = stage.login("eve");
    stage.pass(s(1));
    assert!(!stage.hear(stranger).contains("secret"));
    assert!(
        !stage.hear(new).contains("secret"),
        "plain messages stay with their connection"
    );
}

#[test]
fn a_kick_of_a_connection_that_is_stuck_writing_ends_in_time() {
    // 89
    let mut stage = house(UserPolicy::Replace);
    let bob = stage.connect_by(Path {
        down_window: 8,
        ..Path::default()
    });
    stage.say(bob, "login bob\nping\nping\nping\n");
    stage.settle();
    assert_eq!(stage.server.gate_mut().kick("bob"), 1);
    stage.settle();
    assert_eq!(
        stage.reason(bob),
        Some(CloseReason::Kicked),
        "decided at once"
    );
    assert!(!stage.server.gate().is_online("bob"));
    assert_eq!(stage.server.gate().sockets(), 1, "the goodbye is tried");
    stage.pass(s(12));
    assert_eq!(stage.server.gate().sockets(), 0, "and not for ever");
    assert_eq!(stage.server.gate().bytes_held(), [0, 0, 0]);
}

#[test]
fn a_kicked_client_hears_it() {
    let mut stage = house(UserPolicy::Replace);
    let bob = stage.login("bob");
    stage.server.gate_mut().kick("bob");
    stage.settle();
    assert_eq!(stage.hear(bob), "close kicked\n");
    assert_eq!(stage.at_peer(bob), Heard::Fin);
}

#[test]
fn a_second_login_moves_the_connection_and_leaves_its_old_name() {
    let mut stage = house(UserPolicy::Replace);
    let peer = stage.login("anna");
    stage.ask(peer, "join news\n");
    assert!(stage.ask(peer, "login berta\n").starts_with("ok "));
    let gate = stage.server.gate();
    assert!(!gate.is_online("anna") && gate.is_online("berta"));
    assert_eq!(gate.members("news"), 1, "topics stay");
}

#[test]
fn names_differ_by_every_byte() {
    // 92
    let mut stage = house(UserPolicy::Reject);
    for name in ["bob", "Bob", "BOB", "b\u{f6}b", "bo\u{308}b"] {
        let peer = stage.connect();
        let answer = stage.ask(peer, &format!("login {name}\n"));
        assert!(answer.starts_with("ok "), "{name}: {answer}");
    }
    assert_eq!(stage.server.gate().users(), 5);
}
