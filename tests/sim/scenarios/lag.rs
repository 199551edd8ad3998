//! A loop that lags: newcomers wait, established connections do not.

use std::time::Duration;

use pulsegate::{Lag, RestCause, Settings};

use super::{Stage, ms, s};
use crate::world::Path;
use crate::world::agenda::{MICRO, MILLI, nanos};
use crate::world::dice::Rate;
use crate::world::socket::Key;

/// Everybody beats and is answered; as long as that takes.
fn beat(stage: &mut Stage, peers: &[Key]) {
    for &peer in peers {
        stage.say(peer, "ping\n");
    }
    stage.turn();
    stage.net().run_due();
    for &peer in peers {
        assert_eq!(stage.hear(peer), "pong\n");
    }
}

fn lag(stage: &Stage) -> Lag {
    stage.server.gate().pace().lag
}

fn rested(stage: &Stage) -> Duration {
    stage.server.gate().rests().lasted(RestCause::Lag)
}

/// A stage whose loop takes 400 ms for a round of beats, and lags.
fn overloaded() -> (Stage, Vec<Key>) {
    let mut stage = Stage::new(Settings::default());
    let peers: Vec<Key> = (0..4).map(|_| stage.connect()).collect();
    stage.net().toll = 50 * MILLI;
    let began = stage.now();
    while !lag(&stage).is_over() {
        beat(&mut stage, &peers);
        let took = stage.now() - began;
        assert!(
            took < nanos(s(4)),
            "{took} ns and no lag: {:?}",
            lag(&stage)
        );
    }
    (stage, peers)
}

#[test]
fn a_loop_that_lags_takes_nobody_and_serves_whoever_is_there() {
    let (mut stage, peers) = overloaded();
    let newcomer = stage.dial(Path::default());
    for _ in 0..20 {
        beat(&mut stage, &peers);
        let gate = stage.server.gate();
        assert_eq!(gate.stats().accepted, 4, "{:?}", lag(&stage));
        assert_eq!(gate.rests().resting(RestCause::Lag), 1);
    }
    assert!(lag(&stage).mean() > ms(300), "{:?}", lag(&stage));
    stage.net().toll = MICRO;
    let eased = stage.now();
    while stage.server.gate().stats().accepted == 4 {
        stage.pass(ms(10));
        let waited = stage.now() - eased;
        assert!(waited < nanos(s(3)), "waits for ever: {:?}", lag(&stage));
    }
    assert_eq!(stage.ask(newcomer, "ping\n"), "pong\n");
    let rests = stage.server.gate().rests();
    assert_eq!(rests.resting(RestCause::Lag), 0);
    assert!(rested(&stage) > s(8), "{:?}", rested(&stage));
    let (rested, turns) = (rested(&stage), stage.server.gate().stats().turns);
    stage.pass(s(10));
    assert_eq!(stage.server.gate().rests().lasted(RestCause::Lag), rested);
    let turns = stage.server.gate().stats().turns - turns;
    assert!(turns < 20, "{turns} turns in 10 s of rest");
}

#[test]
fn newcomers_wait_until_the_lag_is_below_half_of_its_limit() {
    let (mut stage, peers) = overloaded();
    stage.dial(Path::default());
    // Turns of 75 ms: below the limit, above half of it.
    stage.net().toll = 75 * MILLI / 8;
    for _ in 0..100 {
        beat(&mut stage, &peers);
    }
    assert!(lag(&stage).mean() < ms(100), "{:?}", lag(&stage));
    assert_eq!(stage.server.gate().stats().accepted, 4);
    stage.net().toll = 40 * MILLI / 8;
    for _ in 0..50 {
        beat(&mut stage, &peers);
    }
    assert_eq!(stage.server.gate().stats().accepted, 5, "{:?}", lag(&stage));
}

#[test]
fn a_stop_of_the_process_is_no_lag() {
    // 81, 82
    let mut stage = Stage::new(Settings::default());
    for gap in [ms(300), ms(499), ms(501), s(3), s(600), s(100_000)] {
        stage.pass(s(3));
        let newcomer = stage.dial(Path::default());
        stage.net().lose(nanos(gap));
        stage.turn();
        stage.turn();
        assert_eq!(stage.ask(newcomer, "ping\n"), "pong\n", "{gap:?}");
        assert!(!lag(&stage).is_over(), "{gap:?}: {:?}", lag(&stage));
    }
    // In the middle of a turn, too: a call that takes seconds.
    let peer = stage.connect();
    stage.say(peer, "ping\n");
    stage.net().faults.slow_call = Rate(u32::MAX);
    stage.turn();
    stage.net().faults.slow_call = Rate::NEVER;
    let newcomer = stage.dial(Path::default());
    stage.turn();
    assert_eq!(stage.ask(newcomer, "ping\n"), "pong\n");
    assert_eq!(rested(&stage), Duration::ZERO);
}

#[test]
fn whoever_waits_when_a_lagging_loop_shuts_down_is_told() {
    let (mut stage, peers) = overloaded();
    let newcomer = stage.dial(Path::default());
    beat(&mut stage, &peers);
    assert_eq!(stage.server.gate().stats().accepted, 4);
    stage.net().toll = MICRO;
    stage.drain();
    stage.pass(s(5));
    assert!(stage.hear(newcomer).starts_with("close shutdown "));
    assert_eq!(stage.server.gate().rests().resting(RestCause::Lag), 0);
}
