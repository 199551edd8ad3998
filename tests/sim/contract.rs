//! The simulated kernel keeps the contract of edge-triggering as Linux does.

use std::io::{ErrorKind, IoSlice};
use std::time::Duration;

use pulsegate::net::{Ending, Net, Ready, SocketOptions};
use pulsegate::{ConnId, ListenerId, Token};

use crate::world::agenda::{MILLI, SECOND};
use crate::world::dice::Rate;
use crate::world::net::{SimListener, SimStream};
use crate::world::socket::{Heard, Key};
use crate::world::{Path, SimNet};

const TOKEN: Token = Token::Conn(ConnId {
    index: 3,
    serial: 9,
});

fn world() -> (SimNet<()>, SimListener) {
    let mut net = SimNet::new(1, ());
    let addr = "127.0.0.1:7373".parse().expect("an address");
    let token = Token::Listener(ListenerId(0));
    let (listener, _) = net
        .listen(addr, &SocketOptions::default(), token)
        .expect("listens");
    (net, listener)
}

fn connected(path: Path) -> (SimNet<()>, SimStream, Key) {
    let (mut net, listener) = world();
    let peer = net.kernel.dial(0, None, path).expect("connects");
    let (mut stream, _) = net.accept(&listener).expect("accepts");
    net.register(&mut stream, TOKEN).expect("registers");
    (net, stream, peer)
}

fn events(net: &mut SimNet<()>) -> Vec<Ready> {
    let mut ready = Vec::new();
    net.wait(&mut ready, Some(Duration::from_millis(1)))
        .expect("waits");
    ready.retain(|event| matches!(event.token, Token::Conn(_)));
    ready
}

fn flags(ready: &[Ready]) -> Vec<(bool, bool, bool)> {
    ready
        .iter()
        .map(|event| (event.readable, event.writable, event.closed))
        .collect()
}

#[test]
fn registering_tells_the_level_once() {
    let (mut net, _stream, _peer) = connected(Path::default());
    assert_eq!(flags(&events(&mut net)), [(false, true, false)]);
    assert_eq!(flags(&events(&mut net)), []);
}

#[test]
fn bytes_are_told_once_and_again_only_when_more_arrive() {
    let (mut net, mut stream, peer) = connected(Path::default());
    events(&mut net);
    net.kernel.say(peer, b"abc");
    assert_eq!(flags(&events(&mut net)), [(true, true, false)]);
    assert_eq!(flags(&events(&mut net)), []);
    net.kernel.say(peer, b"d");
    assert_eq!(flags(&events(&mut net)), [(true, true, false)]);
    let mut buffer = [0; 8];
    assert_eq!(net.read(&mut stream, &mut buffer).expect("reads"), 4);
    let refused = net
        .read(&mut stream, &mut buffer)
        .expect_err("nothing is left");
    assert_eq!(refused.kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_refused_write_gets_an_edge_when_a_third_is_free() {
    let path = Path {
        down_window: 9,
        ..Path::default()
    };
    let (mut net, mut stream, peer) = connected(path);
    events(&mut net);
    let slices = [IoSlice::new(b"01234"), IoSlice::new(b"56789")];
    assert_eq!(net.write(&mut stream, &slices).expect("takes some"), 9);
    let refused = net.write(&mut stream, &slices).expect_err("it is full");
    assert_eq!(refused.kind(), ErrorKind::WouldBlock);
    assert_eq!(flags(&events(&mut net)), []);
    assert_eq!(net.kernel.hear(peer, &mut [0; 2]), Heard::Bytes(2));
    assert_eq!(
        flags(&events(&mut net)),
        [],
        "two bytes are less than a third"
    );
    assert_eq!(net.kernel.hear(peer, &mut [0; 1]), Heard::Bytes(1));
    assert_eq!(flags(&events(&mut net)), [(false, true, false)]);
}

#[test]
fn a_fin_behind_bytes_is_told_with_them_and_read_as_zero_after_them() {
    let (mut net, mut stream, peer) = connected(Path::default());
    net.kernel.say(peer, b"bye");
    net.kernel.finish(peer);
    assert_eq!(flags(&events(&mut net)), [(true, true, true)]);
    let mut buffer = [0; 8];
    assert_eq!(net.read(&mut stream, &mut buffer).expect("reads"), 3);
    assert_eq!(net.read(&mut stream, &mut buffer).expect("ends"), 0);
    assert_eq!(
        net.write(&mut stream, &[IoSlice::new(b"x")])
            .expect("half open"),
        1
    );
}

#[test]
fn a_reset_lets_what_arrived_be_read_then_fails_once_then_ends() {
    let (mut net, mut stream, peer) = connected(Path::default());
    events(&mut net);
    net.kernel.say(peer, b"abc");
    net.kernel.reset(peer);
    assert_eq!(flags(&events(&mut net)), [(true, true, true)]);
    let mut buffer = [0; 8];
    assert_eq!(net.read(&mut stream, &mut buffer).expect("reads"), 3);
    let error = net.read(&mut stream, &mut buffer).expect_err("it is reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(net.read(&mut stream, &mut buffer).expect("ends"), 0);
    let error = net
        .write(&mut stream, &[IoSlice::new(b"x")])
        .expect_err("nobody is there");
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

#[test]
fn an_event_array_of_one_rotates() {
    let (mut net, listener) = world();
    net.capacity = 1;
    let mut streams = Vec::new();
    for index in 0..3 {
        net.kernel.dial(0, None, Path::default()).expect("connects");
        let (mut stream, _) = net.accept(&listener).expect("accepts");
        let token = Token::Conn(ConnId { index, serial: 0 });
        net.register(&mut stream, token).expect("registers");
        streams.push(stream);
    }
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.extend(events(&mut net).iter().map(|event| event.token.pack()));
    }
    assert_eq!(seen, [0, 1, 2]);
}

#[test]
fn closing_with_unread_input_destroys_the_goodbye() {
    for unread in [false, true] {
        let (mut net, mut stream, peer) = connected(Path::default());
        net.write(&mut stream, &[IoSlice::new(b"bye")])
            .expect("writes");
        net.shutdown_write(&mut stream).expect("says so");
        if unread {
            net.kernel.say(peer, b"noise");
        }
        net.close(stream, Ending::Graceful).expect("closes");
        net.run_due();
        let heard = net.kernel.listen_at_peer(peer);
        assert_eq!(
            heard,
            if unread {
                Heard::Reset
            } else {
                Heard::Bytes(3)
            }
        );
    }
}

#[test]
fn a_reply_to_a_peer_that_has_left_is_answered_by_a_reset() {
    let (mut net, mut stream, peer) = connected(Path::default());
    net.kernel.leave(peer);
    net.run_due();
    let mut buffer = [0; 8];
    assert_eq!(net.read(&mut stream, &mut buffer).expect("ends"), 0);
    net.write(&mut stream, &[IoSlice::new(b"late")])
        .expect("the first one goes out");
    net.run_due();
    let error = net
        .write(&mut stream, &[IoSlice::new(b"later")])
        .expect_err("it came back");
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

#[test]
fn without_descriptors_the_newcomer_waits_and_no_edge_comes() {
    let (mut net, listener) = world();
    net.kernel.fd_limit = 1;
    net.kernel.dial(0, None, Path::default()).expect("connects");
    let mut ready = Vec::new();
    net.wait(&mut ready, None).expect("waits");
    assert_eq!(ready.len(), 1);
    let error = net.accept(&listener).expect_err("no descriptor");
    assert_eq!(error.raw_os_error(), Some(24), "EMFILE");
    net.kernel.fd_limit = 2;
    ready.clear();
    net.wait(&mut ready, Some(Duration::from_secs(5)))
        .expect("waits");
    assert!(ready.is_empty(), "edge-triggered: silence");
    net.accept(&listener).expect("it has waited all the time");
}

#[test]
fn a_cut_or_refused_read_is_followed_by_an_edge() {
    let (mut net, mut stream, peer) = connected(Path::default());
    net.faults.read_cut = Rate::per_mille(500);
    net.faults.read_refused = Rate::per_mille(300);
    let said: Vec<u8> = (0..200).collect();
    net.kernel.say(peer, &said);
    let mut heard = Vec::new();
    while heard.len() < said.len() {
        assert!(
            !events(&mut net).is_empty(),
            "stalled after {} bytes",
            heard.len()
        );
        let mut buffer = [0; 64];
        // As a loop that knows that a short read means drained.
        while let Ok(count) = net.read(&mut stream, &mut buffer) {
            heard.extend_from_slice(&buffer[..count]);
            if count < buffer.len() {
                break;
            }
        }
    }
    assert_eq!(heard, said);
}

#[test]
fn a_cut_or_refused_write_is_followed_by_an_edge_and_loses_nothing() {
    let (mut net, mut stream, peer) = connected(Path::default());
    net.faults.write_cut = Rate::per_mille(700);
    net.faults.write_refused = Rate::per_mille(300);
    let said: Vec<u8> = (0..200).collect();
    let mut sent = 0;
    events(&mut net);
    while sent < said.len() {
        let (front, back) = said[sent..].split_at((said.len() - sent) / 2);
        let slices = [IoSlice::new(front), IoSlice::new(back)];
        match net.write(&mut stream, &slices) {
            Ok(count) => sent += count,
            Err(_) => {
                let mut ready = Vec::new();
                net.wait(&mut ready, None).expect("waits");
                assert!(
                    !ready.is_empty() && !net.is_asleep,
                    "no edge after a refusal"
                );
            }
        }
    }
    net.run_due();
    assert_eq!(net.kernel.hear_all(peer), said);
}

#[test]
fn the_clock_jumps_to_what_comes_next_and_timeouts_round_up() {
    let (mut net, _stream, peer) = connected(Path {
        delay: 5 * SECOND,
        ..Path::default()
    });
    events(&mut net);
    net.kernel.say(peer, b"x");
    let before = net.kernel.now();
    let mut ready = Vec::new();
    net.wait(&mut ready, Some(Duration::from_micros(1_500)))
        .expect("waits");
    assert!(ready.is_empty());
    assert_eq!((net.kernel.now() - before - net.toll) / MILLI, 2);
    net.wait(&mut ready, None).expect("waits");
    assert_eq!(ready.len(), 1);
    assert_eq!(net.kernel.now(), before + 5 * SECOND);
}

#[test]
fn a_black_hole_swallows_both_ways_and_a_clog_only_delays() {
    let (mut net, mut stream, peer) = connected(Path::default());
    events(&mut net);
    let now = net.kernel.now();
    let socket = net.kernel.get_mut(peer).expect("it is there");
    socket.to_server.clogged_until = now + SECOND;
    net.kernel.say(peer, b"late");
    assert_eq!(flags(&events(&mut net)), []);
    let mut ready = Vec::new();
    net.wait(&mut ready, None).expect("waits");
    assert_eq!((net.kernel.now() - now) / SECOND, 1);
    assert_eq!(net.read(&mut stream, &mut [0; 8]).expect("reads"), 4);
    net.kernel.lose_path(peer);
    net.kernel.say(peer, b"never");
    net.write(&mut stream, &[IoSlice::new(b"never")])
        .expect("the kernel takes it");
    ready.clear();
    net.wait(&mut ready, Some(Duration::from_secs(1_000)))
        .expect("waits");
    assert!(ready.is_empty());
    assert_eq!(net.kernel.listen_at_peer(peer), Heard::Nothing);
}
