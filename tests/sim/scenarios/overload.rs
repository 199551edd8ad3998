//! Too much to do: each step that is taken for it, in order, and left again.

use pulsegate::{CloseReason, Limits, Login, Push, RestCause, Settings, Step, Target};

use super::{Stage, ms, s};
use crate::world::Path;
use crate::world::agenda::{MICRO, MILLI};
use crate::world::socket::Key;

fn step(stage: &Stage) -> Step {
    stage.server.gate().step()
}

fn narrow(down_window: usize) -> Path {
    Path {
        down_window,
        ..Path::default()
    }
}

/// A beat of each, answered, however long the loop takes for it.
fn beat(stage: &mut Stage, peers: &[Key]) {
    for &peer in peers {
        stage.say(peer, "ping\n");
    }
    stage.turn();
    stage.net().run_due();
    for &peer in peers {
        assert_eq!(stage.hear(peer), "pong\n", "whoever is here is served");
    }
}

/// Four peers, each call for whom takes so long that a round of beats takes `round` milliseconds.
fn slow(stage: &mut Stage, peers: &[Key], round: u64, wanted: Step) {
    stage.net().toll = round * MILLI / 2 / peers.len() as u64;
    for _ in 0..200 {
        beat(stage, peers);
        if step(stage) == wanted {
            return;
        }
    }
    panic!("{wanted:?} is not reached: {:?}", step(stage));
}

fn crowd(stage: &mut Stage) -> Vec<Key> {
    (0..4).map(|_| stage.connect()).collect()
}

/// Waits until nothing more is done, and tells which steps were seen on the way.
fn ease(stage: &mut Stage) -> Vec<Step> {
    stage.net().toll = MICRO;
    let mut seen = vec![step(stage)];
    for _ in 0..1_000 {
        stage.pass(ms(5));
        if seen.last() != Some(&step(stage)) {
            seen.push(step(stage));
        }
        if step(stage) == Step::None {
            return seen;
        }
    }
    panic!("it never ends: {seen:?}");
}

#[test]
fn each_step_is_taken_at_its_lag_and_left_one_by_one() {
    let mut stage = Stage::new(Settings::default());
    let peers = crowd(&mut stage);
    assert_eq!(step(&stage), Step::None);
    for (round, wanted) in [
        (40, Step::None),
        (60, Step::Readers),
        (80, Step::Pushes),
        (94, Step::Handshakes),
        (300, Step::Accepts),
    ] {
        slow(&mut stage, &peers, round, wanted);
    }
    assert_eq!(stage.server.gate().stats().overload.taken, 4);
    // Between its two thresholds a step is kept: 60 ms are above half of what led to it.
    stage.net().toll = 60 * MILLI / 8;
    for _ in 0..100 {
        beat(&mut stage, &peers);
        assert_eq!(step(&stage), Step::Accepts);
    }
    let began = stage.now();
    let seen = ease(&mut stage);
    let all = [
        Step::Accepts,
        Step::Handshakes,
        Step::Pushes,
        Step::Readers,
        Step::None,
    ];
    assert_eq!(seen, all, "one at a time");
    let took = stage.now() - began;
    assert!((600 * MILLI..4_000 * MILLI).contains(&took), "{took} ns");
    let turns = stage.server.gate().stats().turns;
    stage.pass(s(10));
    let turns = stage.server.gate().stats().turns - turns;
    assert!(turns < 20, "{turns} turns in 10 s of rest");
}

#[test]
fn who_takes_a_whole_share_of_a_turn_rests_and_nobody_else() {
    let limits = Limits {
        frames: 4,
        ..Limits::default()
    };
    let mut stage = Stage::within(limits);
    let peers = crowd(&mut stage);
    let talker = stage.connect();
    stage.say(talker, &"ping\n".repeat(6));
    stage.settle();
    assert_eq!(stage.hear(talker), "pong\n".repeat(6));
    assert_eq!(stage.server.gate().stats().overload.rested, 0, "no load");
    slow(&mut stage, &peers, 60, Step::Readers);
    stage.net().toll = MICRO;
    stage.say(talker, &"ping\n".repeat(12));
    stage.turn();
    let conn = stage.conn(talker);
    assert_eq!(stage.server.gate().resting().collect::<Vec<_>>(), [conn]);
    beat(&mut stage, &peers);
    stage.pass(ms(80));
    assert_eq!(stage.hear(talker), "pong\n".repeat(4), "it rests");
    stage.pass(ms(30));
    assert_eq!(stage.hear(talker), "pong\n".repeat(4), "one share more");
    ease(&mut stage);
    stage.pass(ms(110));
    assert_eq!(stage.hear(talker), "pong\n".repeat(4), "nothing is lost");
    assert_eq!(stage.server.gate().resting().count(), 0);
    let rests = stage.server.gate().stats().overload.rested;
    assert!((2..=3).contains(&rests), "{rests}");
    assert!(stage.ends.is_empty(), "{:?}", stage.ends);
}

#[test]
fn messages_without_an_ack_are_dropped_and_the_others_arrive() {
    let mut stage = Stage::new(Settings::default());
    let peers = crowd(&mut stage);
    let bob = stage.login("bob");
    stage.ask(bob, "join news\n");
    slow(&mut stage, &peers, 80, Step::Pushes);
    let push = |stage: &mut Stage, target, ack| {
        let push = Push {
            ack,
            ..Push::text("hi")
        };
        stage.server.gate_mut().push(target, &push).is_ok()
    };
    assert!(!push(&mut stage, Target::Everyone, false), "many");
    assert!(!push(&mut stage, Target::Topic("news"), false), "many");
    assert!(push(&mut stage, Target::Everyone, true), "wants an ack");
    assert!(push(&mut stage, Target::User("bob"), false), "one");
    stage.net().toll = MICRO;
    stage.settle();
    let heard = stage.hear(bob);
    assert_eq!(heard.matches(" hi").count(), 2, "{heard}");
    assert_eq!(stage.server.gate().stats().overload.pushes, 2);
    let answer = stage.ask(bob, "pub news hi\n");
    assert!(answer.starts_with("error overloaded"), "{answer}");
    ease(&mut stage);
    assert!(push(&mut stage, Target::Topic("news"), false));
}

#[test]
fn of_those_who_have_said_nothing_the_newest_end() {
    let limits = Limits {
        handshakes_kept: 2,
        ..Limits::default()
    };
    let mut stage = Stage::within(limits);
    let peers = crowd(&mut stage);
    beat(&mut stage, &peers);
    slow(&mut stage, &peers, 94, Step::Handshakes);
    stage.net().toll = MICRO;
    let newcomers: Vec<Key> = (0..5).map(|_| stage.dial(Path::default())).collect();
    stage.turn();
    stage.turn();
    stage.settle();
    for &newcomer in &newcomers[..2] {
        assert_eq!(stage.ask(newcomer, "ping\n"), "pong\n", "the oldest stay");
    }
    for &newcomer in &newcomers[2..] {
        assert_eq!(stage.reason(newcomer), Some(CloseReason::Overloaded));
        assert!(stage.hear(newcomer).starts_with("close overloaded "));
    }
    assert_eq!(stage.server.gate().stats().overload.handshakes, 3);
    beat(&mut stage, &peers);
    ease(&mut stage);
    let late: Vec<Key> = (0..5).map(|_| stage.connect()).collect();
    assert!(late.iter().all(|&one| stage.reason(one).is_none()));
}

/// Sends a message of a kilobyte that wants an ack.
fn send(stage: &mut Stage, user: &str) {
    let text = "x".repeat(1_000);
    let push = Push {
        ack: true,
        ..Push::text(&text)
    };
    let _ = stage.server.gate_mut().push(Target::User(user), &push);
    stage.turn();
}

/// A message without an ack: for how many connections it was queued.
fn whisper(stage: &mut Stage, user: &str) -> u32 {
    let push = Push::text("low");
    let told = stage.server.gate_mut().push(Target::User(user), &push);
    told.expect("it is taken").queued
}

/// A stage with little room for output, somebody who reads, and many who do not.
fn hoarders() -> (Stage, Key, Vec<(String, Key)>) {
    let settings = Settings {
        write_timeout: Some(s(60)),
        output_age: None,
        idle_timeout: None,
        ..Settings::default()
    };
    let limits = Limits {
        output_budget: 100_000,
        ..Limits::default()
    };
    let mut stage = Stage::limited(settings, limits);
    let bob = stage.login("bob");
    let hoarders = (0..100).map(|number| {
        let (name, key) = (format!("u{number}"), stage.connect_by(narrow(64)));
        stage.ask(key, &format!("login {name}\n"));
        (name, key)
    });
    let hoarders = hoarders.collect();
    (stage, bob, hoarders)
}

#[test]
fn a_budget_that_fills_leads_to_the_same_steps_and_its_largest_holder_ends_last() {
    let (mut stage, bob, hoarders) = hoarders();
    let (largest, first) = (&hoarders[0], &hoarders[1]);
    for _ in 0..3 {
        send(&mut stage, &largest.0);
    }
    let mut seen = vec![step(&stage)];
    for (name, _) in &hoarders[1..] {
        send(&mut stage, name);
        if seen.last() == Some(&step(&stage)) {
            continue;
        }
        seen.push(step(&stage));
        match step(&stage) {
            Step::Pushes => {
                assert_eq!(whisper(&mut stage, "bob"), 1, "who reads gets all");
                assert_eq!(whisper(&mut stage, &first.0), 0, "who does not, less");
            }
            Step::Accepts => {
                let rests = stage.server.gate().rests();
                assert_eq!(rests.resting(RestCause::Budget), 1);
                assert!(stage.ends.is_empty(), "{:?}", stage.ends);
            }
            Step::Evictions => break,
            _ => {}
        }
    }
    assert_eq!(seen, Step::ALL, "each in its turn");
    assert_eq!(stage.reason(largest.1), Some(CloseReason::Overloaded));
    assert_eq!(stage.ends.len(), 1);
    assert_eq!(stage.server.gate().stats().overload.evicted, 1);
    // Those who read nothing are gone in the end, and with them what waited.
    stage.pass(s(61));
    ease(&mut stage);
    assert_eq!(stage.server.gate().rests().resting(RestCause::Budget), 0);
    let newcomer = stage.connect();
    assert_eq!(stage.ask(newcomer, "ping\n"), "pong\n");
    assert!(stage.ask(bob, "ping\n").ends_with("pong\n"));
}

#[test]
fn half_frames_of_strangers_lead_no_further_than_to_rests() {
    let limits = Limits {
        input_budget: 10_000,
        ..Limits::default()
    };
    let mut stage = Stage::within(limits);
    let half = format!("data {}", "h".repeat(900));
    let strangers: Vec<Key> = (0..9)
        .map(|_| {
            let stranger = stage.connect();
            stage.say(stranger, &half);
            stage.settle();
            stranger
        })
        .collect();
    assert_eq!(step(&stage), Step::Readers);
    let newcomer = stage.connect();
    assert_eq!(stage.ask(newcomer, "ping\n"), "pong\n");
    for stranger in strangers {
        stage.say(stranger, "\n");
        stage.settle();
    }
    ease(&mut stage);
}

#[test]
fn empty_frames_that_lead_to_rests_put_off_the_end_of_a_stranger_by_a_second_at_most() {
    let settings = Settings {
        login: Login::Required,
        login_timeout: Some(s(2)),
        ..Settings::default()
    };
    let limits = Limits {
        frames: 4,
        input_budget: 80_000,
        ..Limits::default()
    };
    let mut stage = Stage::limited(settings, limits);
    // The judge knows of no rests.
    stage.is_judged = false;
    let began = stage.now();
    let stranger = stage.connect();
    // They fill the budget, and that leads to the rests.
    stage.say(stranger, &"\n".repeat(63_000));
    stage.settle();
    assert_eq!(step(&stage), Step::Readers);
    assert_eq!(stage.server.gate().resting().count(), 1);
    stage.pass(s(4));
    let (reason, at) = stage.end(stranger).expect("it has ended");
    assert_eq!(reason, CloseReason::LoginTimeout);
    let passed = (at - began) / MILLI;
    assert!((2_000..3_110).contains(&passed), "{passed} ms");
}
