//! Group D: slow readers, back-pressure and pushes.

use pulsegate::{CloseReason, Limits, Push, Settings, SlowConsumer, Target};

use super::{Stage, ms, s};
use crate::world::Path;
use crate::world::agenda::{MILLI, SECOND};
use crate::world::dice::Rate;
use crate::world::socket::{Heard, Key};

fn narrow(down_window: usize) -> Path {
    Path {
        down_window,
        ..Path::default()
    }
}

#[test]
fn who_never_reads_is_cut_by_the_write_timeout() {
    // 39
    let mut stage = Stage::new(Settings::default());
    let peer = stage.connect_by(narrow(10));
    stage.say(peer, "ping\nping\nping\n");
    stage.turn();
    let blocked = stage.now();
    stage.pass(s(11));
    stage.assert_ended(
        peer,
        CloseReason::WriteTimeout,
        blocked + 10 * SECOND - MILLI,
    );
    assert_eq!(stage.server.gate().bytes_held(), [0, 0, 0]);
}

#[test]
fn a_byte_a_second_saves_nobody() {
    // 40
    let mut stage = Stage::new(Settings::default());
    let peer = stage.connect_by(narrow(10));
    stage.say(peer, &"ping\n".repeat(100));
    let said = stage.now();
    for _ in 0..70 {
        stage.pass(ms(500));
        stage.net().kernel.hear(peer, &mut [0; 4]);
        if stage.reason(peer).is_some() {
            break;
        }
    }
    let (reason, at) = stage.end(peer).expect("it ended");
    assert_eq!(reason, CloseReason::SlowConsumer);
    let lasted = at - said;
    assert!(
        (30 * SECOND..30 * SECOND + 30 * MILLI).contains(&lasted),
        "{lasted}"
    );
}

#[test]
fn the_outbox_maximum_ends_a_slow_consumer_at_once() {
    let settings = Settings {
        outbox_max: 1_000,
        outbox_soft: 900,
        ..Settings::default()
    };
    let mut stage = Stage::new(settings);
    let bob = stage.connect_by(narrow(100));
    stage.say(bob, "login bob\n");
    stage.settle();
    let text = "x".repeat(200);
    let mut queued = 0;
    while stage.server.gate().is_online("bob") {
        queued += stage
            .server
            .gate_mut()
            .push(Target::User("bob"), &Push::text(&text))
            .map_or(0, |receipt| receipt.queued);
        stage.turn();
    }
    assert!((3..=6).contains(&queued), "{queued} messages fit");
    assert_eq!(stage.reason(bob), Some(CloseReason::SlowConsumer));
}

#[test]
fn above_the_soft_limit_for_long_is_too_slow() {
    let settings = Settings {
        outbox_soft: 500,
        outbox_soft_for: s(3),
        write_timeout: None,
        output_age: None,
        ..Settings::default()
    };
    let mut stage = Stage::new(settings);
    let bob = stage.connect_by(narrow(100));
    stage.ask(bob, "login bob\n");
    let push = |stage: &mut Stage| {
        let text = "x".repeat(400);
        let _ = stage
            .server
            .gate_mut()
            .push(Target::User("bob"), &Push::text(&text));
        stage.settle();
    };
    push(&mut stage);
    stage.pass(s(10));
    assert_eq!(stage.reason(bob), None, "below soft it may stay");
    push(&mut stage);
    let above = stage.now();
    stage.pass(s(2));
    // Down to the soft limit in time: the clock starts anew.
    for _ in 0..6 {
        stage.hear(bob);
        stage.settle();
    }
    stage.pass(s(5));
    assert_eq!(stage.reason(bob), None);
    push(&mut stage);
    push(&mut stage);
    let again = stage.now();
    stage.pass(s(4));
    let (reason, at) = stage.end(bob).expect("it ended");
    assert_eq!(reason, CloseReason::SlowConsumer);
    assert!(
        at > above + 3 * SECOND && at >= again + 2_980 * MILLI,
        "{}",
        at - again
    );
}

#[test]
fn drop_newest_drops_and_never_tears_a_message() {
    let settings = Settings {
        slow_consumer: SlowConsumer::DropNewest,
        outbox_max: 1_000,
        outbox_soft: 1_000,
        ..Settings::default()
    };
    let mut stage = Stage::new(settings);
    let bob = stage.connect_by(narrow(64));
    stage.ask(bob, "login bob\n");
    for number in 0..50 {
        let text = format!("{number} {}", "x".repeat(100));
        let _ = stage
            .server
            .gate_mut()
            .push(Target::User("bob"), &Push::text(&text));
        stage.turn();
    }
    let mut heard = String::new();
    for _ in 0..100 {
        heard += &stage.hear(bob);
        stage.settle();
    }
    assert_eq!(stage.reason(bob), None);
    assert!(stage.server.gate().stats().dropped_newest >= 30);
    let mut last = None;
    for line in heard.lines() {
        let mut words = line.split(' ');
        assert_eq!(words.next(), Some("msg"), "{line}");
        let number: Option<u32> = words.nth(2).and_then(|word| word.parse().ok());
        assert!(number > last, "{line}");
        assert_eq!(words.next().map(str::len), Some(100), "{line}");
        last = number;
    }
    assert!(last.is_some(), "the oldest arrived");
}

#[test]
fn reading_resumes_after_back_pressure_without_a_new_edge() {
    // 45, 44: the classic stall of edge-triggering.
    let settings = Settings {
        outbox_low: 20,
        ..Settings::default()
    };
    let mut stage = Stage::new(settings);
    let path = Path {
        up_window: 1 << 20,
        down_window: 50,
        ..Path::default()
    };
    let peer = stage.connect_by(path);
    stage.say(peer, &"ping\n".repeat(2_000));
    let (mut heard, mut most) = (0, 0);
    for _ in 0..1_000 {
        stage.settle();
        heard += stage.hear(peer).len();
        most = most.max(stage.server.gate().bytes_held()[1]);
    }
    // A piece of the outbox, of the 10,000 bytes that were asked for at once.
    assert!((1..2_000).contains(&most), "{most} bytes of answers wait");
    assert_eq!(heard, 2_000 * 5);
    assert_eq!(stage.reason(peer), None);
}

#[test]
fn partial_writes_at_every_cut_lose_nothing() {
    // 46: windows of every size cut the vectored writes everywhere.
    let body = "y".repeat(700);
    let mut expected = None;
    for window in (1..40).chain([511, 512, 513, 700, 1_400, 2_000]) {
        let mut stage = Stage::new(Settings::default());
        let bob = stage.connect_by(narrow(window));
        stage.say(bob, "login bob\nping\n");
        for size in [0, 1, 5, 512, 513, 700] {
            stage.say(bob, "ping\n");
            let push = Push::text(&body[..size]);
            stage
                .server
                .gate_mut()
                .push(Target::User("bob"), &push)
                .ok();
            stage.turn();
            stage.server.gate_mut().push(Target::Everyone, &push).ok();
        }
        let mut heard = String::new();
        for _ in 0..12_000 / window + 20 {
            stage.pass(ms(1));
            heard += &stage.hear(bob);
        }
        let mut lines: Vec<&str> = heard.lines().collect();
        lines.sort_unstable();
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        // The answer to the login, seven pongs, and of twelve messages all but the first, before
        // which he has not logged in.
        assert_eq!(lines.len(), 1 + 7 + 11, "window {window}: {lines:?}");
        assert_eq!(
            expected.get_or_insert_with(|| lines.clone()),
            &lines,
            "window {window}"
        );
    }
}

#[test]
fn cut_and_refused_writes_keep_the_stream_whole() {
    // 46, with the kernel's moods: 1 byte, all but one, slice borders.
    let mut stage = Stage::new(Settings::default());
    stage.net().faults.write_cut = Rate::per_mille(600);
    stage.net().faults.write_refused = Rate::per_mille(200);
    let bob = stage.login("bob");
    let body = "z".repeat(600);
    for round in 0..40 {
        for size in [3, 520, 600] {
            stage
                .server
                .gate_mut()
                .push(Target::User("bob"), &Push::text(&body[..size]))
                .ok();
            stage
                .server
                .gate_mut()
                .push(Target::Everyone, &Push::text(&body[..size]))
                .ok();
        }
        stage.pass(ms(200));
        let heard = stage.hear(bob);
        assert_eq!(
            heard
                .lines()
                .filter(|line| line.starts_with("msg "))
                .count(),
            6,
            "{round}"
        );
        let sizes: Vec<usize> = heard
            .lines()
            .filter_map(|line| line.split(' ').nth(3))
            .map(str::len)
            .collect();
        assert_eq!(sizes, [3, 3, 520, 520, 600, 600]);
    }
}

#[test]
fn a_broadcast_is_sliced_and_a_canary_does_not_wait_for_it() {
    // 42, 43
    let limits = Limits {
        fanout: 10,
        ..Limits::default()
    };
    let mut stage = Stage::within(limits);
    let peers: Vec<_> = (0..200).map(|_| stage.dial(Path::default())).collect();
    let canary = stage.connect();
    stage.settle();
    let receipt = stage
        .server
        .gate_mut()
        .push(Target::Everyone, &Push::text("to all"));
    assert_eq!(receipt.map(|receipt| receipt.queued), Ok(201));
    stage.say(canary, "ping\n");
    let mut turns = Vec::new();
    while turns.iter().sum::<u64>() < 201 + 1 {
        let before = stage.server.gate().stats().frames_out;
        stage.turn();
        turns.push(stage.server.gate().stats().frames_out - before);
        if turns.len() == 2 {
            let heard = stage.hear(canary);
            assert!(heard.contains("pong\n"), "it did not wait: {heard}");
        }
        assert!(turns.len() < 100, "it ends: {turns:?}");
    }
    // Ten of them a turn, and the canary's pong in one.
    assert!(turns.iter().all(|frames| *frames <= 10 + 1), "{turns:?}");
    stage.settle();
    for peer in peers {
        assert!(stage.hear(peer).ends_with(" - to all\n"));
    }
}

#[test]
fn who_ends_in_the_middle_of_a_broadcast_disturbs_nobody() {
    // 48: the limit of some is hit by the broadcast itself, in every slice.
    let settings = Settings {
        outbox_max: 300,
        outbox_soft: 300,
        ..Settings::default()
    };
    let limits = Limits {
        fanout: 3,
        reaps: 2,
        ..Limits::default()
    };
    let mut stage = Stage::limited(settings, limits);
    let peers: Vec<_> = (0..30)
        .map(|number| stage.dial(narrow(if number % 3 == 0 { 10 } else { 1 << 16 })))
        .collect();
    stage.settle();
    let text = "b".repeat(120);
    for _ in 0..6 {
        stage
            .server
            .gate_mut()
            .push(Target::Everyone, &Push::text(&text))
            .ok();
        stage.turn();
    }
    stage.pass(s(1));
    for (number, &peer) in peers.iter().enumerate() {
        if number % 3 == 0 {
            assert_eq!(stage.reason(peer), Some(CloseReason::SlowConsumer));
        } else {
            assert_eq!(stage.hear(peer).lines().count(), 6, "peer {number}");
        }
    }
}

#[test]
fn what_another_connection_causes_is_flushed_in_the_same_turn() {
    // 47
    let mut stage = Stage::new(Settings::default());
    let (anna, bob) = (stage.login("anna"), stage.login("bob"));
    stage.say(anna, "send bob hello\n");
    stage.turn();
    stage.net().run_due();
    assert!(stage.hear(bob).ends_with(" anna hello\n"));
}

#[test]
fn over_the_output_budget_the_largest_outbox_goes() {
    let limits = Limits {
        output_budget: 20_000,
        ..Limits::default()
    };
    let mut stage = Stage::within(limits);
    let small = stage.connect_by(narrow(100));
    stage.ask(small, "login small\n");
    let large = stage.connect_by(narrow(100));
    stage.ask(large, "login large\n");
    let text = "t".repeat(1_000);
    // One without an ack would be dropped before it comes to that.
    let push = Push {
        ack: true,
        ..Push::text(&text)
    };
    let send = |stage: &mut Stage, user| {
        let _ = stage.server.gate_mut().push(Target::User(user), &push);
    };
    send(&mut stage, "small");
    for _ in 0..30 {
        send(&mut stage, "large");
        stage.turn();
    }
    assert_eq!(stage.reason(large), Some(CloseReason::Overloaded));
    assert_eq!(stage.reason(small), None);
    assert_eq!(
        stage.at_peer(large),
        Heard::Reset,
        "what waited is thrown away"
    );
}

#[test]
fn a_broadcast_that_takes_longer_than_the_idle_timeout_is_nobodys_silence() {
    // 43, 81
    let settings = Settings {
        idle_timeout: Some(s(1)),
        ..Settings::default()
    };
    let limits = Limits {
        fanout: 4,
        ..Limits::default()
    };
    let mut stage = Stage::limited(settings, limits);
    let keys: Vec<Key> = (0..50).map(|_| stage.connect()).collect();
    let push = Push::text("hello");
    for _ in 0..20 {
        let pushed = stage.server.gate_mut().push(Target::Everyone, &push);
        assert!(pushed.is_ok());
    }
    // Each delivery costs a write.
    stage.net().toll = 5 * MILLI;
    let began = stage.now();
    while stage.server.gate().deliveries_left() > 0 {
        for &key in &keys {
            assert_eq!(stage.net().kernel.say(key, b"ping\n"), 5);
        }
        stage.pass(ms(300));
        for &key in &keys {
            stage.hear(key);
        }
    }
    let took = stage.now() - began;
    assert!(took > 3 * SECOND, "{took} ns");
    assert_eq!(stage.ends, []);
}
