//! Other settings while connections live: shorter deadlines are kept from then on, longer ones at
//! once, and a bound that shrinks ends nobody.

use std::time::Duration;

use pulsegate::{CloseReason, Limits, Login, Options, Settings, UserPolicy};

use super::{Stage, ms, s};
use crate::world::Path;
use crate::world::agenda::{MILLI, Nanos, SECOND, nanos};
use crate::world::socket::Key;

/// Few are looked at in a turn, so that a change takes many.
fn stage(settings: Settings) -> Stage {
    let limits = Limits {
        expiries: 4,
        ..Limits::default()
    };
    Stage::limited(settings, limits)
}

fn idle(span: Duration) -> Settings {
    Settings {
        idle_timeout: Some(span),
        ..Settings::default()
    }
}

/// Peers that fall silent one after the other, 100 ms apart; and when each was heard last.
fn falling_silent(stage: &mut Stage, count: usize) -> Vec<(Key, Nanos)> {
    let mut peers = Vec::new();
    for _ in 0..count {
        let peer = stage.connect();
        stage.say(peer, "\n");
        peers.push((peer, stage.now()));
        stage.pass(ms(95));
    }
    peers
}

#[test]
fn a_shorter_deadline_is_kept_by_all_and_by_nobody_early() {
    let mut stage = stage(idle(s(60)));
    let peers = falling_silent(&mut stage, 300);
    assert_eq!(stage.ends, []);
    let changed = stage.now();
    stage.retune(&idle(s(20)));
    stage.pass(s(21));
    for (peer, heard) in peers {
        stage.assert_ended(
            peer,
            CloseReason::IdleTimeout,
            changed.max(heard + 20 * SECOND),
        );
    }
}

#[test]
fn a_longer_deadline_holds_at_once() {
    let mut stage = stage(idle(s(20)));
    let peers = falling_silent(&mut stage, 100);
    stage.pass(s(20) - ms(100 * 100 + 50));
    stage.retune(&idle(s(90)));
    stage.pass(s(60));
    assert_eq!(stage.ends, [], "nobody by the old deadline");
    stage.pass(s(31));
    for (peer, heard) in peers {
        stage.assert_ended(peer, CloseReason::IdleTimeout, heard + 90 * SECOND);
    }
}

#[test]
fn deadlines_go_up_and_down_and_up_again() {
    let mut stage = stage(idle(s(60)));
    let peers = falling_silent(&mut stage, 100);
    // Taken back before the walk of the first one is through.
    stage.retune(&idle(s(1_000)));
    stage.turn();
    stage.retune(&idle(s(15)));
    stage.retune(&idle(s(30)));
    let changed = stage.now();
    assert!(stage.server.gate().is_retuning());
    stage.pass(s(12));
    assert!(!stage.server.gate().is_retuning());
    stage.retune(&idle(s(40)));
    stage.pass(s(41));
    for (peer, heard) in peers {
        // Ten seconds apart at most: none was due under thirty.
        assert!(heard + 30 * SECOND > changed);
        let (reason, at) = stage.end(peer).expect("silent");
        assert_eq!(reason, CloseReason::IdleTimeout);
        let by_thirty = heard + 30 * SECOND;
        let due = if by_thirty <= changed + 12 * SECOND {
            by_thirty
        } else {
            heard + 40 * SECOND
        };
        assert!(
            (due..=due + 10 * MILLI).contains(&at),
            "{at} instead of {due}"
        );
    }
}

#[test]
fn change_after_change_does_not_keep_the_walk_at_the_beginning() {
    let mut stage = stage(idle(s(60)));
    let peers = falling_silent(&mut stage, 100);
    // Each change is work, without an event.
    stage.net().idle_turns_max = 300;
    let mut span = 20_000;
    for _ in 0..200 {
        span -= 10;
        stage.retune(&idle(ms(span)));
        stage.turn();
    }
    stage.pass(s(20));
    for (peer, _) in peers {
        assert_eq!(stage.reason(peer), Some(CloseReason::IdleTimeout));
    }
}

#[test]
fn each_deadline_may_become_shorter() {
    let long = Settings {
        login: Login::Required,
        login_timeout: Some(s(50)),
        frame_timeout: Some(s(50)),
        ping_after: Some(s(55)),
        ..idle(s(60))
    };
    let mut stage = stage(long.clone());
    let stranger = stage.connect();
    let (alice, bob, carol) = (
        stage.login("alice"),
        stage.login("bob"),
        stage.login("carol"),
    );
    stage.net().kernel.say(alice, b"half a fra");
    stage.settle();
    stage.pass(s(10));
    let changed = stage.now();
    stage.retune(&Settings {
        login_timeout: Some(s(5)),
        frame_timeout: Some(s(12)),
        ping_after: Some(s(15)),
        lifetime: Some(s(30)),
        ..long
    });
    stage.pass(s(7));
    stage.assert_ended(stranger, CloseReason::LoginTimeout, changed);
    assert_eq!(stage.reason(alice), Some(CloseReason::FrameTimeout));
    assert!(
        stage.hear(bob).ends_with("ping\n"),
        "after fifteen seconds of silence"
    );
    stage.pass(s(14));
    assert_eq!(stage.reason(bob), Some(CloseReason::Lifetime));
    assert_eq!(stage.reason(carol), Some(CloseReason::Lifetime));
}

#[test]
fn an_outbox_above_a_lower_soft_limit_has_its_time_from_then_on() {
    let mut stage = stage(Settings {
        write_timeout: None,
        output_age: None,
        ..idle(s(600))
    });
    let reader = stage.connect_by(Path {
        down_window: 100,
        ..Path::default()
    });
    stage.ask(reader, "login reader\n");
    let writer = stage.login("writer");
    for _ in 0..20 {
        stage.ask(writer, &format!("send reader {}\n", "x".repeat(1_000)));
    }
    stage.pass(s(20));
    assert_eq!(stage.reason(reader), None);
    let changed = stage.now();
    stage.retune(&Settings {
        write_timeout: None,
        output_age: None,
        outbox_low: 5_000,
        outbox_soft: 10_000,
        outbox_soft_for: s(3),
        ..idle(s(600))
    });
    stage.pass(s(4));
    stage.assert_ended(reader, CloseReason::SlowConsumer, changed + 3 * SECOND);
}

#[test]
fn bounds_that_shrink_end_nobody_and_come_down_with_the_use() {
    let mut stage = stage(idle(s(600)));
    let mut peers: Vec<Key> = (0..20).map(|_| stage.connect()).collect();
    for peer in &peers {
        stage.net().kernel.say(*peer, &[b'x'; 1_000]);
    }
    stage.settle();
    let options = Options {
        limits: Limits {
            connections: 10,
            input_budget: 5_000,
            topics: 1,
            ..Limits::default()
        },
        users: UserPolicy::Reject,
        ..Options::default()
    };
    stage.server.gate_mut().tune(&options);
    stage.pass(s(1));
    assert_eq!(stage.server.gate().connections(), 20, "nobody is ended");
    let one_more = stage.connect();
    assert!(stage.hear(one_more).starts_with("close overloaded"));
    for peer in peers.drain(..15) {
        stage.net().kernel.leave(peer);
        stage.settle();
    }
    stage.settle();
    let limits = stage.server.gate().limits();
    assert_eq!((limits.connections, limits.input_budget), (10, 5_000));
    for _ in 0..5 {
        stage.connect();
    }
    assert_eq!(stage.server.gate().connections(), 10);
    let one_more = stage.connect();
    assert!(stage.hear(one_more).starts_with("close overloaded"));
    let options = Options::default();
    stage.server.gate_mut().tune(&options);
    assert_eq!(
        stage.server.gate().limits().connections,
        options.limits.connections
    );
    stage.connect();
    assert_eq!(stage.server.gate().connections(), 11);
}

#[test]
fn what_sockets_are_made_of_stays() {
    let mut stage = stage(idle(s(60)));
    let peer = stage.connect();
    stage.retune(&Settings {
        framing: pulsegate::codec::framing::Framing::LenHdr { bare_ping: true },
        dialect: pulsegate::Dialect::Echo,
        ..idle(s(60))
    });
    assert_eq!(stage.ask(peer, "ping\n"), "pong\n");
    let other = Settings {
        name: "nobody".into(),
        ..Settings::default()
    };
    assert!(!stage.server.gate_mut().retune(&other));
    assert_eq!(
        nanos(stage.server.gate().now()) / SECOND,
        stage.now() / SECOND
    );
}

#[test]
fn a_deadline_that_is_set_at_last_counts_what_was_months_ago() {
    // 80: the circle of ticks has come round, or nearly so.
    const HOUR: u64 = 3_600;
    for (idle_hours, step, times) in [(12, 10, 48), (12, 10, 144), (12, 10, 192), (48, 45, 32)] {
        let lasting = idle(s(idle_hours * HOUR));
        let mut stage = Stage::new(lasting.clone());
        stage.checks = false;
        let peer = stage.connect();
        for _ in 0..times {
            assert_eq!(stage.ask(peer, "ping\n"), "pong\n");
            stage.pass(s(step * HOUR));
        }
        stage.retune(&Settings {
            lifetime: Some(s(HOUR)),
            ..lasting
        });
        stage.checks = true;
        stage.pass(s(1));
        let days = times * step / 24;
        assert_eq!(stage.reason(peer), Some(CloseReason::Lifetime), "{days}");
    }
}
