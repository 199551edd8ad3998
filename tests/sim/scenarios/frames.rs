//! Group A: frames in pieces, in heaps, and never finished.

use pulsegate::{CloseReason, Limits, Settings};

use super::{Stage, ms, s};
use crate::world::Path;
use crate::world::agenda::SECOND;

#[test]
fn one_byte_at_a_time_is_answered_like_one_write() {
    // 3
    let mut stage = Stage::new(Settings::default());
    let text = "login anna\njoin news\npub news hello\nping\nsend nobody hi\nabc\n";
    let whole = stage.connect();
    let said = stage.ask(whole, text);
    stage.say(whole, "quit\n");
    stage.pass(s(1));
    let torn = stage.connect();
    for byte in text.split_inclusive(|_| true) {
        stage.say(torn, byte);
        stage.settle();
    }
    let heard = stage.hear(torn);
    let without_ids = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| line.replace(|c: char| c.is_ascii_digit(), ""))
            .collect()
    };
    assert_eq!(without_ids(&heard), without_ids(&said));
}

#[test]
fn a_thousand_frames_in_one_segment_are_answered_in_order_without_another_event() {
    // 4
    let limits = Limits {
        frames: 7,
        ..Limits::default()
    };
    let mut stage = Stage::within(limits);
    let peer = stage.connect_by(Path {
        up_window: 1 << 20,
        ..Path::default()
    });
    let other = stage.connect();
    stage.say(peer, &"ping\n".repeat(1_000));
    stage.say(other, "ping\n");
    stage.turn();
    stage.turn();
    assert_eq!(
        stage.hear(other),
        "pong\n",
        "the other one does not wait for the heap"
    );
    stage.settle();
    assert_eq!(stage.hear(peer), "pong\n".repeat(1_000));
    assert!(
        stage.server.gate().stats().requeued > 100,
        "the budget was kept"
    );
}

#[test]
fn a_frame_that_is_begun_must_be_finished_in_time() {
    // 6, 7: dripping does not extend it.
    let mut stage = Stage::new(Settings::default());
    let begun = stage.connect();
    let dripping = stage.connect();
    stage.say(begun, "send bob ");
    stage.say(dripping, "send bob ");
    let said = stage.now();
    for _ in 0..2 {
        stage.pass(s(5));
        stage.net().kernel.say(dripping, b"x");
    }
    stage.settle();
    // Within its linger, at whose end it is reset.
    assert_eq!(stage.hear(begun), "close frame-timeout\n");
    stage.assert_ended(begun, CloseReason::FrameTimeout, said + 10 * SECOND);
    stage.assert_ended(dripping, CloseReason::FrameTimeout, said + 10 * SECOND);
}

#[test]
fn the_frame_deadline_counts_from_the_first_byte_of_the_frame_in_progress() {
    let mut stage = Stage::new(Settings::default());
    let peer = stage.connect();
    for _ in 0..4 {
        stage.say(peer, "pi");
        stage.pass(s(6));
        stage.say(peer, "ng\nse");
        stage.pass(s(6));
        stage.say(peer, "nd x y\n");
        stage.settle();
    }
    assert_eq!(stage.reason(peer), None, "no single frame took 10 s");
}

#[test]
fn over_the_input_budget_the_oldest_half_frame_goes_first() {
    // 8
    let limits = Limits {
        input_budget: 100_000,
        ..Limits::default()
    };
    let mut stage = Stage::within(limits);
    let path = Path {
        up_window: 1 << 20,
        ..Path::default()
    };
    let peers: Vec<_> = (0..5).map(|_| stage.connect_by(path)).collect();
    for &peer in &peers {
        stage.say(peer, &format!("send bob {}", "x".repeat(30_000)));
        stage.settle();
    }
    let ended: Vec<_> = stage.ends.iter().map(|(key, _, _)| *key).collect();
    assert_eq!(ended, peers[..2], "the oldest first, and no more than must");
    assert_eq!(stage.reason(peers[0]), Some(CloseReason::Overloaded));
    assert!(stage.server.gate().bytes_held()[0] <= 100_000);
}

#[test]
fn a_whole_frame_before_a_fin_is_handled_and_one_before_a_reset_does_no_harm() {
    // 14
    let mut stage = Stage::new(Settings::default());
    let bob = stage.login("bob");
    let anna = stage.login("anna");
    stage.say(anna, "send bob one\nsend bob two\n");
    stage.net().kernel.finish(anna);
    stage.settle();
    assert!(stage.hear(anna).ends_with("ok queued=1\nok queued=1\n"));
    assert_eq!(stage.reason(anna), Some(CloseReason::PeerClosed));
    assert!(stage.hear(bob).contains("anna two"));
    let carl = stage.login("carl");
    stage.say(carl, "send bob three\n");
    stage.net().kernel.reset(carl);
    stage.settle();
    assert_eq!(stage.reason(carl), Some(CloseReason::PeerReset));
    let heard = stage.hear(bob);
    assert!(heard.is_empty() || heard.ends_with("carl three\n"));
}

#[test]
fn a_half_frame_before_a_fin_is_no_frame() {
    let mut stage = Stage::new(Settings::default());
    let peer = stage.connect();
    stage.say(peer, "ping\npi");
    stage.net().kernel.finish(peer);
    stage.pass(ms(100));
    assert_eq!(stage.reason(peer), Some(CloseReason::PeerClosed));
    assert_eq!(stage.hear(peer), "pong\n");
}

#[test]
fn another_protocol_is_closed_without_a_word() {
    // 5
    let openings = [
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "SSH-2.0-x\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}",
    ];
    let mut stage = Stage::new(Settings::default());
    for opening in openings {
        let peer = stage.connect();
        stage.net().kernel.say(peer, opening.as_bytes());
        stage.settle();
        assert_eq!(
            stage.reason(peer),
            Some(CloseReason::Protocol),
            "{opening:?}"
        );
        assert_eq!(stage.hear(peer), "", "{opening:?}");
    }
}
