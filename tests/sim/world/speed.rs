//! The workload that the simulation's speed is measured on, always the same one.
//!
//! Sixty connections beat every 20 seconds, faults are on; the diary is judged in each turn, and
//! the gate is swept in each 64th. The wheel is a small one: sweeping the usual 16,384 slots would
//! be most of the work.

use pulsegate::{Options, Server, Settings};

use super::agenda::{Deed, MILLI, Nanos, SECOND};
use super::dice::{Dice, Rate};
use super::faults::Faults;
use super::judge::Judge;
use super::kernel::Kernel;
use super::net::{Crowd, SimNet};
use super::peer_end::Path;
use super::socket::{Heard, Key};
use super::watch::Watch;

/// Connections of the workload.
pub(crate) const PEERS: u32 = 60;
/// How often each of them beats.
pub(crate) const BEAT: Nanos = 20 * SECOND;
/// A full sweep of the gate every so many turns.
const SWEEP_EVERY: u64 = 64;

/// What came out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Outcome {
    pub(crate) connection_hours: u64,
    pub(crate) turns: u64,
    pub(crate) beats: u64,
    /// The fingerprint of all calls, and how many there were.
    pub(crate) trace: (u64, u64),
}

/// Peers that beat and check that each beat is answered.
#[derive(Debug)]
struct Beaters {
    peers: Vec<Beater>,
    beats: u64,
}

#[derive(Clone, Debug, Default)]
struct Beater {
    link: Option<Key>,
    /// Where it is in the next answer.
    place: usize,
    /// Beats without an answer.
    owed: u32,
}

const ANSWER: &[u8] = b"pong\n";

impl Crowd for Beaters {
    fn stir(&mut self, kernel: &mut Kernel, who: u32) {
        let peer = &mut self.peers[who as usize];
        let Some(key) = peer.link else { return };
        let mut buffer = [0; 64];
        loop {
            match kernel.hear(key, &mut buffer) {
                Heard::Bytes(count) => peer.check(&buffer[..count]),
                Heard::Nothing => return,
                Heard::Fin | Heard::Reset => {
                    kernel.leave(key);
                    *peer = Beater::default();
                    return;
                }
            }
        }
    }

    fn wake(&mut self, kernel: &mut Kernel, who: u32, which: u32) {
        let peer = &mut self.peers[who as usize];
        if peer.link.is_none() {
            peer.link = kernel.dial(0, Some(who), Path::default());
        }
        if let Some(key) = peer.link {
            assert_eq!(
                kernel.say(key, b"ping\n"),
                5,
                "the window has room for a beat"
            );
            peer.owed += 1;
            self.beats += 1;
        }
        kernel.agenda.after(BEAT, Deed::Wake(who, which));
    }
}

impl Beater {
    fn check(&mut self, heard: &[u8]) {
        for &byte in heard {
            assert_eq!(byte, ANSWER[self.place], "every beat is answered by a pong");
            self.place = (self.place + 1) % ANSWER.len();
            if self.place == 0 {
                self.owed = self.owed.checked_sub(1).expect("a pong for a ping");
            }
        }
    }
}

/// Plays so many hours.
pub(crate) fn play(hours: u64) -> Outcome {
    let mut dice = Dice::new(60);
    let mut net = SimNet::new(
        60,
        Beaters {
            peers: Vec::new(),
            beats: 0,
        },
    );
    net.faults = faults();
    for who in 0..PEERS {
        net.crowd.peers.push(Beater::default());
        net.kernel.agenda.at(dice.span(0, BEAT), Deed::Wake(who, 0));
    }
    let settings = Settings::default();
    let mut judge = Judge::new(vec![settings.clone()], pulsegate::UserPolicy::Replace);
    let options = Options {
        wheel_slots: 1_024,
        ..Options::default()
    };
    let mut server = Server::new(net, Watch::default(), options).expect("begins");
    server.listen(settings).expect("listens");
    let end = hours * 3_600 * SECOND;
    let mut turns = 0;
    server.net_mut().horizon = end;
    while server.net().kernel.now() < end {
        server.turn().expect("the poll works");
        turns += 1;
        if turns % SWEEP_EVERY == 0 {
            server.gate().check();
        }
        if !server.handler().events.is_empty() {
            let mut events = std::mem::take(&mut server.handler_mut().events);
            let mut kernel = std::mem::take(&mut server.net_mut().kernel);
            judge.hear(&mut events, &mut kernel, server.gate());
            judge.bury(&mut kernel);
            server.net_mut().kernel = kernel;
            server.handler_mut().events = events;
        }
    }
    let beats = server.net().crowd.beats;
    assert!(
        beats > hours * 3_600 / 20 * u64::from(PEERS) * 9 / 10,
        "the peers beat on: {beats}"
    );
    Outcome {
        connection_hours: hours * u64::from(PEERS),
        turns,
        beats,
        trace: server.net().trace.fingerprint(),
    }
}

/// Every kind of fault that a healthy connection survives, and a few that it does not.
fn faults() -> Faults {
    Faults {
        shuffled: Rate::per_mille(100),
        spurious: Rate::per_mille(20),
        doubled: Rate::per_mille(20),
        split: Rate::per_mille(50),
        stale: Rate::per_mille(20),
        hint_false: Rate::per_mille(20),
        hint_late: Rate::per_mille(100),
        interrupted: Rate::per_mille(10),
        late: Rate::per_mille(10),
        late_most: 3 * MILLI,
        read_cut: Rate::per_mille(50),
        read_refused: Rate::per_mille(20),
        write_cut: Rate::per_mille(50),
        write_refused: Rate::per_mille(20),
        reset: Rate::per_million(200),
        read_failed: Rate::per_million(100),
        write_failed: Rate::per_million(100),
        slow_call: Rate::per_million(50),
        ..Faults::default()
    }
}
