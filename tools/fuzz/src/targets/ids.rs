//! Ids and tokens: bits that were never packed unpack to nothing, and whoever asks by the id of a
//! connection that has gone, or was never there, reaches nobody, though its slot is another's.

use std::time::Duration;

use pulsegate::{CloseReason, ConnId, Dialect, Options, Settings, Token};

use super::stage::Stage;
use crate::take::Take;
use crate::world::Path;

pub(super) fn run(bytes: &[u8]) {
    let mut take = Take::new(bytes);
    for bits in [
        take.giant(),
        u64::from(take.long()),
        u64::from(take.long()) << 32,
    ] {
        packing(bits);
        packing(bits | 1 << 63);
    }
    let mut options = Options {
        wheel_slots: 64,
        ..Options::default()
    };
    options.limits.connections = 4;
    options.limits.read_bytes = 512;
    options.limits.events = u32::from(take.byte() % 4) + 1;
    let settings = Settings {
        dialect: Dialect::Frames,
        ..Settings::default()
    };
    let mut stage = Stage::new(options, vec![settings]);
    stage.haunt(200);
    while !take.is_empty() {
        act(&mut stage, &mut take);
        stage.turn();
        let known: Vec<ConnId> = stage.ever.iter().copied().collect();
        for conn in known {
            nobody_else(&mut stage, conn);
        }
        let any = ConnId {
            index: u32::from(take.byte() % 6),
            serial: u32::from(take.byte() % 6),
        };
        nobody_else(&mut stage, any);
    }
    stage.end();
}

fn packing(bits: u64) {
    if let Some(token) = Token::unpack(bits) {
        assert_eq!(token.pack(), bits, "{token:?}");
    }
    if let Some(conn) = ConnId::from_u64(bits) {
        assert_eq!(conn.to_u64(), bits);
        assert_eq!(Token::Conn(conn).pack(), bits);
    }
}

fn act(stage: &mut Stage, take: &mut Take<'_>) {
    let (deed, which) = (take.byte(), usize::from(take.byte()));
    let peer = stage.peers.get(which % 8).copied();
    match (deed % 8, peer) {
        (0..=2, _) | (_, None) => drop(stage.dial(0, Path::default())),
        (3, Some(peer)) => drop(stage.net().kernel.say(peer, b"x\n")),
        (4, Some(peer)) => stage.net().kernel.leave(peer),
        (5, Some(peer)) => stage.net().kernel.reset(peer),
        (6, Some(_)) => {
            let mut open = stage.open.iter();
            if let Some(&conn) = open.nth(which % stage.open.len().max(1)) {
                let gate = stage.server.gate_mut();
                gate.close(conn, CloseReason::Kicked);
                assert!(!gate.close(conn, CloseReason::Kicked), "it closes once");
            }
        }
        _ => stage.pass(Duration::from_millis(which as u64 * 20)),
    }
}

/// Who was never opened, or whose end was told, can not be reached.
fn nobody_else(stage: &mut Stage, conn: ConnId) {
    if stage.open.contains(&conn) {
        return;
    }
    let gate = stage.server.gate_mut();
    // Opened, and the handler is told in the next turn: then it is new.
    let is_new = !stage.ever.contains(&conn) && gate.peer(conn).is_some();
    if !is_new {
        assert!(gate.peer(conn).is_none(), "{conn} has a peer");
        assert!(gate.age(conn).is_none() && gate.traffic(conn).is_none());
        assert!(gate.user(conn).is_none() && gate.settings(conn).is_none());
        assert!(!gate.send(conn, b"stray"), "{conn} was sent something");
        assert!(!gate.close(conn, CloseReason::Kicked), "{conn} was closed");
    }
}
