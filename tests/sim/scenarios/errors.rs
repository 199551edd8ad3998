//! Group F: what the kernel and the sockets may say.

use pulsegate::{CloseReason, Limits, Login, Options, Push, Settings, Target, Token};
use rustix::io::Errno;

use super::{Stage, ms, s};
use crate::world::Path;
use crate::world::agenda::MILLI;
use crate::world::dice::Rate;
use crate::world::socket::{Heard, Key};

#[test]
fn an_event_for_a_connection_that_is_gone_reaches_nobody() {
    // 66: the slot is used again, the token is old.
    let mut stage = Stage::new(Settings::default());
    let old = stage.connect();
    let token = Token::Conn(stage.conn(old));
    stage.net().kernel.reset(old);
    stage.settle();
    let new = stage.connect();
    assert_eq!(stage.conn(new).index, 0, "the slot is used again");
    stage.net().ghosts.clear();
    stage.net().ghosts.push_back(token);
    stage.net().faults.stale = Rate(u32::MAX);
    let before = stage.server.gate().stats().stale_events;
    stage.say(new, "ping\n");
    stage.turn();
    stage.net().faults.stale = Rate::NEVER;
    assert!(stage.server.gate().stats().stale_events > before);
    stage.settle();
    assert_eq!(stage.hear(new), "pong\n");
    assert_eq!(stage.reason(new), None);
}

#[test]
fn spurious_and_false_events_change_nothing() {
    // 65, 67
    let mut stage = Stage::new(Settings::default());
    let peer = stage.connect();
    stage.net().faults.spurious = Rate(u32::MAX);
    stage.net().faults.hint_false = Rate(u32::MAX);
    for _ in 0..50 {
        stage.say(peer, "ping\n");
        stage.pass(s(10));
        assert_eq!(stage.hear(peer), "pong\n");
    }
    assert_eq!(stage.reason(peer), None);
}

#[test]
fn an_event_array_of_one_starves_nobody() {
    // 76
    let limits = Limits {
        events: 1,
        ..Limits::default()
    };
    let mut stage = Stage::within(limits);
    let peers: Vec<_> = (0..20).map(|_| stage.connect()).collect();
    for _ in 0..10 {
        for &peer in &peers {
            stage.say(peer, "ping\n");
        }
        stage.settle();
        for &peer in &peers {
            assert_eq!(stage.hear(peer), "pong\n");
        }
    }
}

#[test]
fn a_firehose_does_not_delay_the_others() {
    // 75: what may be read in a turn, and nothing else, holds it back.
    let limits = Limits {
        read_bytes: 512,
        frames: 1_000_000,
        ..Limits::default()
    };
    let mut stage = Stage::within(limits);
    let hose = stage.connect_by(Path {
        up_window: 1 << 20,
        ..Path::default()
    });
    let other = stage.connect();
    stage.say(hose, &"\n".repeat(1 << 19));
    stage.say(other, "ping\n");
    for _ in 0..4 {
        let before = stage.server.gate().stats().bytes_in;
        stage.turn();
        let read = stage.server.gate().stats().bytes_in - before;
        assert!(read <= 512 + 5, "{read} bytes in a turn");
    }
    assert_eq!(stage.hear(other), "pong\n");
}

#[test]
fn a_half_closed_peer_gets_its_answers_and_then_the_end() {
    // 71
    let mut stage = Stage::new(Settings::default());
    let peer = stage.connect_by(Path {
        down_window: 6,
        ..Path::default()
    });
    stage.say(peer, &"ping\n".repeat(10));
    stage.net().kernel.finish(peer);
    let mut heard = String::new();
    for _ in 0..20 {
        stage.pass(ms(10));
        heard += &stage.hear(peer);
    }
    assert_eq!(heard, "pong\n".repeat(10));
    assert_eq!(stage.at_peer(peer), Heard::Fin);
    assert_eq!(stage.reason(peer), Some(CloseReason::PeerClosed));
    assert_eq!(stage.server.gate().sockets(), 0);
}

#[test]
fn a_goodbye_arrives_although_input_lies_unread() {
    // 72
    for chatter in [0, 1, 1_000, 50_000] {
        let mut stage = Stage::new(Settings::default());
        let peer = stage.connect_by(Path {
            up_window: 1 << 20,
            ..Path::default()
        });
        stage.say(peer, "login bob\n");
        stage.settle();
        stage.hear(peer);
        stage.net().kernel.say(peer, &vec![b'\n'; chatter]);
        stage.server.gate_mut().kick("bob");
        stage.pass(ms(100));
        stage.net().kernel.say(peer, b"ping\nping\n");
        stage.pass(s(2));
        assert_eq!(
            stage.hear(peer),
            "close kicked\n",
            "with {chatter} bytes unread"
        );
        assert_eq!(stage.at_peer(peer), Heard::Fin);
        assert_eq!(stage.server.gate().sockets(), 0, "lingering has an end");
    }
}

#[test]
fn each_error_of_a_socket_ends_that_connection_and_no_other() {
    // 70
    let errors = [
        (Errno::CONNRESET, CloseReason::PeerReset),
        (Errno::PIPE, CloseReason::PeerReset),
        (Errno::HOSTUNREACH, CloseReason::PeerReset),
        (Errno::NETUNREACH, CloseReason::PeerReset),
        (Errno::NOBUFS, CloseReason::PeerReset),
        (Errno::IO, CloseReason::PeerReset),
    ];
    for (errno, reason) in errors {
        let mut stage = Stage::new(Settings::default());
        let (peer, other) = (stage.login("peer"), stage.login("other"));
        let socket = stage.net().kernel.get_mut(peer).expect("it is there");
        socket.facts.causes.add(CloseReason::PeerReset);
        stage.net().kernel.reset_at_server(peer, errno);
        stage.settle();
        assert_eq!(stage.reason(peer), Some(reason), "{errno:?}");
        // What peers do not cause is counted apart.
        let faults = stage.server.gate().stats().socket_faults;
        assert_eq!(faults, u64::from(errno == Errno::IO), "{errno:?}");
        assert_eq!(stage.ask(other, "ping\n"), "pong\n");
        assert_eq!(stage.server.gate().users(), 1);
    }
}

#[test]
fn a_close_that_fails_is_counted_and_closes_all_the_same() {
    // 73
    let mut stage = Stage::new(Settings::default());
    let (peer, other) = (stage.login("peer"), stage.login("other"));
    stage.net().faults.close_failed = Rate(u32::MAX);
    stage.say(peer, "quit\n");
    stage.settle();
    assert_eq!(stage.reason(peer), Some(CloseReason::Quit));
    stage.pass(s(2));
    assert_eq!(stage.server.gate().stats().socket_faults, 1);
    assert_eq!(stage.server.gate().sockets(), 1);
    assert_eq!(stage.ask(other, "ping\n"), "pong\n");
    // Its place is the next one's.
    let next = stage.connect();
    assert_eq!(stage.ask(next, "ping\n"), "pong\n");
}

/// States in which a reset may hit.
const STATES: [&str; 7] = [
    "fresh",
    "logged in",
    "half frame",
    "choked",
    "closing",
    "lingering",
    "in a topic",
];

#[test]
fn a_reset_in_any_state_is_one_end_and_leaves_nothing_behind() {
    // 69
    for state in STATES {
        for fin_first in [false, true] {
            let settings = Settings {
                login: Login::Optional,
                outbox_low: 64,
                ..Settings::default()
            };
            let mut stage = Stage::new(settings);
            let path = Path {
                down_window: 64,
                ..Path::default()
            };
            let peer = stage.connect_by(path);
            let other = stage.login("other");
            stage.ask(other, "join news\n");
            bring_to(&mut stage, peer, state);
            if fin_first {
                stage.net().kernel.finish(peer);
                stage.settle();
            }
            stage.net().kernel.reset(peer);
            stage.ask(other, "pub news after\n");
            stage.pass(s(12));
            let ends = stage.ends.iter().filter(|(key, _, _)| *key == peer).count();
            assert_eq!(ends, 1, "{state}, after a FIN: {fin_first}");
            let gate = stage.server.gate();
            assert_eq!(
                (gate.sockets(), gate.users(), gate.members("news")),
                (1, 1, 1),
                "{state}"
            );
            assert_eq!(gate.bytes_held(), [0, 0, 0], "{state}");
        }
    }
}

#[test]
fn a_reset_of_who_waits_to_be_accepted_is_at_most_one_end() {
    // 69
    let mut stage = Stage::new(Settings::default());
    let other = stage.login("other");
    let opened = stage.events.len();
    for text in ["", "pi", "login peer\n", "quit\n"] {
        let peer = stage.dial(Path::default());
        stage.net().kernel.say(peer, text.as_bytes());
        stage.net().kernel.reset(peer);
        // It is there before the loop looks.
        stage.net().pass(10 * MILLI);
        stage.pass(s(2));
        let told = stage.events.len() - opened;
        let ends: Vec<_> = stage.ends.iter().map(|(key, _, _)| *key).collect();
        assert!(ends.iter().filter(|key| **key == peer).count() <= 1);
        assert!(told >= 2 * ends.len(), "an end for each who was told of");
        let gate = stage.server.gate();
        assert_eq!((gate.sockets(), gate.users()), (1, 1), "{text:?}");
        assert_eq!(gate.bytes_held(), [0, 0, 0], "{text:?}");
    }
    assert_eq!(stage.ask(other, "ping\n"), "pong\n");
}

#[test]
fn an_end_that_can_not_be_said_any_more_is_one_end_and_lets_the_socket_go_at_once() {
    // 73: what came before the reset is read, and then the socket takes nothing, not even a FIN.
    for (said, reason) in [
        ("GET / HTTP/1.1\r\n\r\n", CloseReason::Protocol),
        ("quit\n", CloseReason::Quit),
    ] {
        let mut stage = Stage::new(Settings::default());
        let (peer, other) = (stage.connect(), stage.login("other"));
        stage.net().kernel.say(peer, said.as_bytes());
        stage.net().kernel.reset(peer);
        stage.net().pass(10 * MILLI);
        stage.turn();
        stage.turn();
        assert_eq!(stage.server.gate().sockets(), 1, "{said:?}");
        stage.pass(s(2));
        let ends: Vec<_> = stage
            .ends
            .iter()
            .map(|(key, why, _)| (*key, *why))
            .collect();
        assert_eq!(ends, [(peer, reason)]);
        assert_eq!(stage.ask(other, "ping\n"), "pong\n");
    }
}

fn bring_to(stage: &mut Stage, peer: Key, state: &str) {
    match state {
        "logged in" => drop(stage.ask(peer, "login peer\n")),
        "half frame" => drop(stage.ask(peer, "send other hal")),
        "choked" => {
            stage.say(peer, &"ping\n".repeat(100));
            stage.settle();
        }
        "closing" => {
            stage.say(peer, &"ping\n".repeat(30));
            stage.settle();
            let conn = stage.conn(peer);
            stage.server.gate_mut().close(conn, CloseReason::Kicked);
            stage.settle();
        }
        "lingering" => {
            let conn = stage.conn(peer);
            stage.server.gate_mut().close(conn, CloseReason::Kicked);
            stage.settle();
        }
        "in a topic" => {
            stage.ask(peer, "login peer\njoin news\n");
            stage.say(peer, "pub news before\n");
        }
        _ => {}
    }
}

#[test]
fn two_halves_of_one_event_are_one_end() {
    // 68
    let mut stage = Stage::new(Settings::default());
    stage.net().faults.split = Rate(u32::MAX);
    stage.net().faults.doubled = Rate(u32::MAX);
    let peers: Vec<_> = (0..10).map(|_| stage.connect()).collect();
    for &peer in &peers {
        stage.say(peer, "quit\n");
    }
    stage.pass(s(2));
    assert_eq!(stage.ends.len(), 10);
    assert!(
        stage
            .ends
            .iter()
            .all(|(_, reason, _)| *reason == CloseReason::Quit)
    );
}

#[test]
fn a_late_hint_of_a_fin_is_no_loss() {
    // 67: the FIN is told a moment after the bytes.
    let mut stage = Stage::new(Settings::default());
    stage.net().faults.hint_late = Rate::per_mille(700);
    for _ in 0..50 {
        let peer = stage.connect();
        stage.say(peer, "ping\n");
        stage.net().kernel.finish(peer);
        stage.pass(ms(50));
        assert_eq!(stage.hear(peer), "pong\n");
        assert_eq!(stage.reason(peer), Some(CloseReason::PeerClosed));
    }
}

#[test]
fn events_without_bytes_keep_nobody_alive() {
    // 65
    let mut stage = Stage::new(Settings::default());
    let peer = stage.connect();
    stage.net().faults.spurious = Rate(u32::MAX);
    stage.pass(s(59));
    assert_eq!(stage.reason(peer), None);
    stage.pass(s(2));
    assert_eq!(stage.reason(peer), Some(CloseReason::IdleTimeout));
}

#[test]
fn who_is_cut_over_the_output_budget_in_its_own_login_leaves_no_user_behind() {
    const BUDGET: usize = 100_000;
    let mut cut = 0;
    for slack in (0..600).step_by(40) {
        let settings = Settings {
            outbox_low: BUDGET,
            outbox_soft: BUDGET,
            outbox_max: BUDGET,
            ..Settings::default()
        };
        let mut options = Options::default();
        options.limits.output_budget = BUDGET;
        let mut stage = Stage::with(settings, options);
        let bob = stage.login("bob");
        let late = stage.connect_by(Path {
            down_window: 100,
            ..Path::default()
        });
        stage.ask(late, "join t\n");
        let fill = |stage: &mut Stage, size: usize| {
            let text = "x".repeat(size);
            let gate = stage.server.gate_mut();
            let receipt = gate.push(Target::Topic("t"), &Push::text(&text));
            assert!(receipt.is_ok());
            stage.settle();
        };
        fill(&mut stage, BUDGET / 2);
        let room = BUDGET - stage.server.gate().bytes_held()[1];
        fill(&mut stage, room - slack - 40);
        if stage.reason(late).is_some() {
            continue;
        }
        // The goodbye to the older connection is one byte too many.
        stage.say(late, "login bob\n");
        stage.settle();
        cut += u32::from(stage.reason(late) == Some(CloseReason::Overloaded));
        stage.settle();
        assert_eq!(stage.reason(bob), Some(CloseReason::Replaced));
        assert_eq!(
            stage.server.gate().is_online("bob"),
            stage.reason(late).is_none()
        );
    }
    assert!(cut > 0, "no slack was small enough");
}
