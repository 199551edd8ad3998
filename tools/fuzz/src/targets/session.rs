//! A handful of connections over simulated sockets: bytes of any kind, ticks, closes, slow readers,
//! and a backend that pushes and kicks. The books are swept after each turn, nothing may panic,
//! spin or stall, and once all have left nothing is held.

use std::borrow::Cow;
use std::time::Duration;

use pulsegate::{Body, Push, Target};

use super::stage::{PUSHES_MAX, Stage};
use crate::take::Take;
use crate::world::Path;
use crate::world::agenda::MILLI;

/// The words of a client, so that a byte is enough to say something that means something.
const SAID: [&[u8]; 16] = [
    b"login u0\n",
    b"login u1\n",
    b"login \xff\n",
    b"ping\n",
    b"\n",
    b"join t0\n",
    b"leave t0\n",
    b"pub t0 hello\n",
    b"send u0 hi\n",
    b"send! u1 hi\n",
    b"ack 1\n",
    b"data x\n",
    b"quit\n",
    b"length:0000000000015{\"type\":\"ping\"}",
    b"\0\0\0\x01\x01\0\0\0\x05\x03u0\0\0",
    b"\xff\xff\xff\xff",
];

pub(super) fn run(bytes: &[u8]) {
    let mut take = Take::new(bytes);
    let mut stage = Stage::drawn(u64::from(take.word()));
    for _ in 0..PUSHES_MAX {
        if take.is_empty() || stage.server.is_done() {
            break;
        }
        act(&mut stage, &mut take);
        stage.turn();
    }
    stage.end();
}

fn act(stage: &mut Stage, take: &mut Take<'_>) {
    let (deed, which) = (take.byte(), usize::from(take.byte()));
    let peer = match stage.peers.len() {
        0 => None,
        count => Some(stage.peers[which % count]),
    };
    let Some(peer) = peer.filter(|_| deed % 16 != 0) else {
        let path = Path {
            from: None,
            up_window: 1 + 16 * usize::from(take.byte()),
            down_window: 1 + 16 * usize::from(take.byte()),
            delay: u64::from(deed >> 6) * MILLI,
            loses_on_reset: which & 1 == 1,
        };
        stage.dial(u16::from(deed >> 4) % 4, path);
        return;
    };
    let kernel = &mut stage.net().kernel;
    match deed % 16 {
        1..=3 => drop(kernel.say(peer, SAID[which % SAID.len()])),
        4 | 5 => {
            let len = usize::from(take.byte());
            kernel.say(peer, take.slice(len));
        }
        6 => kernel.finish(peer),
        7 => kernel.reset(peer),
        8 => kernel.leave(peer),
        9 => drop(kernel.hear_all(peer)),
        10 => kernel.set_window(peer, which * 8),
        11 => backend(stage, take),
        12 => stage.haunt(u32::from(take.byte())),
        _ => stage.pass(Duration::from_millis(1 << (which % 17))),
    }
}

fn backend(stage: &mut Stage, take: &mut Take<'_>) {
    let (what, text) = (take.byte(), String::from_utf8_lossy(take.slice(8)));
    let target = match what % 4 {
        0 => {
            stage.server.gate_mut().kick("u0");
            return;
        }
        1 => Target::Everyone,
        2 => Target::Topic("t0"),
        _ => Target::User("u1"),
    };
    let push = Push {
        from: None,
        body: Body::Text(Cow::Owned(text.repeat(usize::from(what >> 3)))),
        ack: what & 4 > 0,
        ttl: None,
    };
    let _ = stage.server.gate_mut().push(target, &push);
}
