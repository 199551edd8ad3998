//! What somebody costs who has not logged in.

use pulsegate::{CloseReason, Limits, Login, Settings};

use super::{Stage, ms, s};
use crate::world::Path;
use crate::world::agenda::SECOND;

/// A stage where a login is required, everything else as it comes.
fn stage() -> (Stage, Settings) {
    let settings = Settings {
        login: Login::Required,
        ..Settings::default()
    };
    (Stage::new(settings.clone()), settings)
}

#[test]
fn a_stranger_costs_a_place_a_frame_of_a_login_and_five_seconds() {
    // 15, 22, 23, 25, P6
    const MANY: usize = 20;
    let (mut stage, settings) = stage();
    let path = Path {
        up_window: 1 << 20,
        down_window: 16,
        ..Path::default()
    };
    let peers: Vec<_> = (0..MANY).map(|_| stage.connect_by(path)).collect();
    let began = stage.now();
    let (mut input, mut output) = (0, 0);
    for round in 0..40 {
        for (number, &peer) in peers.iter().enumerate() {
            // Questions whose answers are never read, names by the dozen, and half a frame.
            let name = format!("{round}-{number}");
            let said = format!("join t{name}\nsend u{name} x\n{}", "ping\n".repeat(200));
            stage.net().kernel.say(peer, said.as_bytes());
        }
        stage.pass(ms(20));
        let [held, waits, _] = stage.server.gate().bytes_held();
        (input, output) = (input.max(held), output.max(waits));
    }
    // What is read at once may be one read more than what a frame may have.
    let a_read = stage.server.gate().limits().read_bytes;
    assert!(
        input <= MANY * (settings.login_frame_max + a_read),
        "{input}"
    );
    assert!((1..=MANY * 2 * 4_096).contains(&output), "{output}");
    let gate = stage.server.gate();
    assert_eq!(
        (gate.users(), gate.absent_users(), gate.topics()),
        (0, 0, 0)
    );
    stage.pass(s(6));
    for &peer in &peers {
        let (reason, at) = stage.end(peer).expect("nobody stays");
        let lasted = at - began;
        assert!(
            lasted <= 5 * SECOND + SECOND / 10,
            "{reason} after {lasted}"
        );
    }
    // Nobody takes the goodbyes, and they are given up.
    stage.pass(s(10));
    assert_eq!(stage.server.gate().sockets(), 0);
    assert_eq!(stage.server.gate().bytes_held(), [0, 0, 0]);
}

#[test]
fn what_waits_for_a_stranger_is_4_kib_whatever_users_may_have() {
    // 22
    let settings = Settings {
        login: Login::Required,
        outbox_low: 256 << 10,
        outbox_soft: 256 << 10,
        outbox_max: 1 << 20,
        ..Settings::default()
    };
    let mut stage = Stage::new(settings);
    let path = Path {
        up_window: 1 << 20,
        down_window: 16,
        ..Path::default()
    };
    let waits = |stage: &mut Stage, peer| {
        stage.say(peer, &"ping\n".repeat(5_000));
        stage.pass(ms(100));
        stage.server.gate().bytes_held()[1]
    };
    let stranger = stage.connect_by(path);
    let most = waits(&mut stage, stranger);
    // What is held is the piece of the outbox that the answers lie in.
    assert!((4_096..4_096 + 5_000).contains(&most), "{most}");
    stage.net().kernel.reset(stranger);
    stage.settle();
    let user = stage.connect_by(path);
    stage.say(user, "login ann\n");
    stage.settle();
    let most = waits(&mut stage, user);
    assert!(most >= 20_000, "that is what users may have: {most}");
}

#[test]
fn a_frame_longer_than_a_login_ends_a_stranger_before_its_end_has_come() {
    // 23
    let (mut stage, settings) = stage();
    let peer = stage.connect();
    let long = "l".repeat(settings.login_frame_max + 1);
    stage.net().kernel.say(peer, long.as_bytes());
    stage.settle();
    assert_eq!(stage.reason(peer), Some(CloseReason::Protocol));
    // Who has logged in may say more.
    let user = stage.login("ann");
    assert!(stage.hear(user).is_empty(), "it was heard with the login");
    let said = format!("send ann {long}\n");
    stage.net().kernel.say(user, said.as_bytes());
    stage.settle();
    assert_eq!(stage.reason(user), None);
}

#[test]
fn logins_that_nobody_decides_are_so_many_at_most() {
    // 19
    let settings = Settings {
        login: Login::Required,
        ..Settings::default()
    };
    let limits = Limits {
        undecided_logins: 2,
        ..Limits::default()
    };
    let mut stage = Stage::limited(settings, limits);
    stage.server.handler_mut().is_undecided = true;
    // The judge knows of no logins that stay undecided.
    stage.is_judged = false;
    let peers: Vec<_> = (0..4).map(|_| stage.connect()).collect();
    for (number, &peer) in peers.iter().enumerate() {
        stage.say(peer, &format!("login u{number}\n"));
    }
    stage.settle();
    let heard: Vec<String> = peers.iter().map(|&peer| stage.hear(peer)).collect();
    let refused = "error overloaded too many logins are to be decided, try again later\n";
    assert_eq!(heard, ["", "", refused, refused]);
    // It is no failure of theirs, however often they try.
    for _ in 0..10 {
        assert_eq!(stage.ask(peers[2], "login u2\n"), refused);
    }
    assert_eq!(stage.ask(peers[2], "ping\n"), "pong\n");
    let stats = stage.server.gate().stats();
    assert_eq!((stats.logins_refused, stats.logins_failed), (12, 0));
    // Who leaves makes room, and so does who is decided.
    stage.net().kernel.reset(peers[0]);
    stage.settle();
    assert_eq!(stage.ask(peers[2], "login u2\n"), "");
    assert_eq!(stage.ask(peers[3], "login u3\n"), refused);
    let decided = stage.conn(peers[1]);
    let gate = stage.server.gate_mut();
    let answer = gate.login(decided, "u1");
    assert!(gate.answer(decided, answer));
    stage.settle();
    assert!(stage.hear(peers[1]).starts_with("ok "));
    assert_eq!(stage.ask(peers[3], "login u3\n"), "");
    // Nor does anybody wait for longer than a login may take, and then there is room again.
    stage.pass(s(6));
    for &peer in &peers[2..] {
        assert_eq!(stage.reason(peer), Some(CloseReason::LoginTimeout));
    }
    let newcomers = [(); 3].map(|()| stage.connect());
    let heard = newcomers.map(|peer| stage.ask(peer, "login v\n"));
    assert_eq!(heard, ["", "", refused]);
    assert_eq!(stage.server.gate().users(), 1);
}
