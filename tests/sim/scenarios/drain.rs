//! Group L: the way out. Departures are even, and so are the arrivals elsewhere.

use std::time::Duration;

use pulsegate::{CloseReason, Limits, Options, Settings};

use super::{Stage, ms, s};
use crate::world::Path;
use crate::world::agenda::{MILLI, Nanos, SECOND, nanos};
use crate::world::socket::Key;

fn stage(over: Duration, limits: Limits) -> Stage {
    stage_with(Options {
        limits,
        drain_over: over,
        ..Options::default()
    })
}

fn stage_with(options: Options) -> Stage {
    let settings = Settings {
        idle_timeout: None,
        ..Settings::default()
    };
    let mut stage = Stage::with(settings, options);
    stage.checks = false;
    stage
}

fn crowd(stage: &mut Stage, count: usize) -> Vec<Key> {
    let mut peers = Vec::new();
    while peers.len() < count {
        let some = (count - peers.len()).min(4_000);
        peers.extend((0..some).map(|_| stage.dial(Path::default())));
        stage.pass(ms(50));
    }
    assert_eq!(stage.server.gate().connections() as usize, count);
    peers
}

/// When each of them left, and when it arrives elsewhere, since `began`.
fn ways(stage: &mut Stage, peers: &[Key], began: Nanos) -> Vec<(Nanos, Nanos)> {
    let mut ways = Vec::new();
    for &peer in peers {
        let (reason, at) = stage.end(peer).expect("everybody leaves");
        assert_eq!(reason, CloseReason::Shutdown);
        let said = stage.hear(peer);
        let delay = said
            .strip_prefix("close shutdown ")
            .expect("a goodbye with a delay");
        let delay: u64 = delay.trim_end().parse().expect("milliseconds");
        ways.push((at - began, at - began + delay * MILLI));
    }
    ways
}

/// How many of `times` lie in each second from `first` on.
fn by_second(times: impl Iterator<Item = Nanos>, first: Nanos) -> Vec<usize> {
    let mut counts = Vec::new();
    for time in times {
        let second = ((time - first) / SECOND) as usize;
        counts.resize(counts.len().max(second + 1), 0);
        counts[second] += 1;
    }
    counts
}

#[test]
fn a_hundred_thousand_leave_evenly_and_arrive_evenly() {
    // 112: the front third of the slots is free.
    let limits = Limits {
        connections: 150_000,
        ..Limits::default()
    };
    let mut stage = stage(s(20), limits);
    let mut peers = crowd(&mut stage, 150_000);
    for peer in peers.drain(..50_000) {
        stage.net().kernel.leave(peer);
    }
    stage.pass(s(1));
    assert_eq!(stage.server.gate().connections(), 100_000);
    let began = stage.now();
    stage.drain();
    stage.pass(s(31));
    assert!(stage.server.is_done());
    let ways = ways(&mut stage, &peers, began);
    let departures = by_second(ways.iter().map(|(left, _)| *left), 0);
    let arrivals = by_second(ways.iter().map(|(_, arrives)| *arrives), SECOND);
    for counts in [departures, arrivals] {
        assert!((20..=21).contains(&counts.len()), "{counts:?}");
        let even = 100_000 / 20;
        let near = |count: &usize| (even * 4 / 5..=even * 6 / 5).contains(count);
        assert!(counts[..20].iter().all(near), "{counts:?}");
        assert!(
            counts[20..].iter().all(|&late| late < even / 50),
            "{counts:?}"
        );
    }
}

#[test]
fn who_leaves_alone_is_counted_among_those_who_leave() {
    let mut stage = stage(s(10), Limits::default());
    let mut peers = crowd(&mut stage, 1_000);
    let began = stage.now();
    stage.drain();
    stage.pass(s(2));
    let told = stage.ends.len();
    for peer in peers.drain(800..) {
        stage.net().kernel.leave(peer);
    }
    stage.pass(ms(500));
    assert_eq!(stage.ends.len() - told, 200, "nobody is told beside them");
    stage.pass(s(10));
    let ways = ways(&mut stage, &peers, began);
    let departures = by_second(ways.iter().map(|(left, _)| *left), 0);
    assert!(
        departures[5..9]
            .iter()
            .all(|count| (80..=120).contains(count)),
        "{departures:?}"
    );
    assert!(
        ways.iter()
            .all(|(left, _)| *left <= 10 * SECOND + 20 * MILLI)
    );
}

#[test]
fn all_at_once_still_arrive_one_after_the_other_and_no_turn_tells_them_all() {
    let limits = Limits {
        reaps: 64,
        ..Limits::default()
    };
    let mut stage = stage(Duration::ZERO, limits);
    let peers = crowd(&mut stage, 5_000);
    let began = stage.now();
    stage.drain();
    stage.turn();
    assert!(
        stage.server.gate().connections() >= 5_000 - 128,
        "a slice a turn"
    );
    stage.pass(s(2));
    assert!(stage.server.is_done());
    let ways = ways(&mut stage, &peers, began);
    assert!(ways.iter().all(|(left, _)| *left < 300 * MILLI), "at once");
    let mut tenths = [0; 10];
    for (_, arrives) in ways {
        tenths[((arrives - SECOND) * 10 / SECOND).min(9) as usize] += 1;
    }
    assert!(
        tenths.iter().all(|count| (400..=600).contains(count)),
        "{tenths:?}"
    );
}

#[test]
fn output_is_flushed_first_and_whoever_stays_is_cut_after_the_timeout() {
    let over = s(4);
    let options = Options {
        drain_over: over,
        drain_timeout: s(3),
        ..Options::default()
    };
    let settings = Settings {
        idle_timeout: None,
        write_timeout: None,
        output_age: None,
        ..Settings::default()
    };
    let mut stage = Stage::with(settings, options);
    let stuck = stage.connect_by(Path {
        down_window: 64,
        ..Path::default()
    });
    stage.ask(stuck, "login stuck\n");
    let reader = stage.login("reader");
    stage.ask(reader, &format!("send stuck {}\n", "x".repeat(2_000)));
    stage.say(reader, "join t\npub t hello\n");
    let began = stage.now();
    stage.drain();
    assert!(
        !stage.server.gate().is_draining(),
        "the signal waits for the turn"
    );
    stage.settle();
    assert!(stage.server.gate().is_draining());
    stage.pass(over + ms(100));
    let heard = stage.hear(reader);
    assert!(heard.contains(" hello\nclose shutdown "), "{heard}");
    assert!(!stage.server.is_done(), "one has not read");
    stage.pass(s(2) + ms(800));
    assert!(!stage.server.is_done());
    stage.pass(ms(200));
    assert!(stage.server.is_done(), "cut after {:?}", over + s(3));
    assert!(stage.now() - began < nanos(over) + 3_200 * MILLI);
}

#[test]
fn another_spread_may_be_asked_for_and_a_second_request_changes_nothing() {
    let mut stage = stage(Duration::ZERO, Limits::default());
    let peers = crowd(&mut stage, 1_000);
    let began = stage.now();
    stage.expect_drain(s(5));
    assert!(stage.server.gate_mut().drain(s(5)));
    assert!(!stage.server.gate_mut().drain(Duration::ZERO));
    stage.settle();
    assert!(!stage.server.gate_mut().drain(Duration::ZERO));
    // The last of them may linger for a second.
    stage.pass(s(7));
    assert!(stage.server.is_done());
    let ways = ways(&mut stage, &peers, began);
    let departures = by_second(ways.iter().map(|(left, _)| *left), 0);
    assert!(
        departures[..5]
            .iter()
            .all(|count| (160..=240).contains(count)),
        "{departures:?}"
    );
}

#[test]
fn whoever_has_connected_by_now_is_told_however_many_they_are() {
    let limits = Limits {
        accepts: 4,
        ..Limits::default()
    };
    let mut stage = stage(Duration::ZERO, limits);
    let peers: Vec<Key> = (0..60).map(|_| stage.dial(Path::default())).collect();
    stage.drain();
    stage.pass(s(1));
    for peer in peers {
        let heard = stage.hear(peer);
        assert!(heard.starts_with("close shutdown"), "{heard:?}");
    }
}

#[test]
fn a_very_long_drain_cuts_nobody_at_its_beginning() {
    let over = s(25 * 24 * 3_600);
    let mut stage = stage_with(Options {
        drain_over: over,
        drain_timeout: over,
        ..Options::default()
    });
    let peers = crowd(&mut stage, 10);
    stage.drain();
    stage.pass(s(60));
    assert!(stage.server.gate().connections() >= 9);
    drop(peers);
}
