//! A server on the simulated clock with peers driven by hand, swept after each turn.

use std::collections::BTreeSet;
use std::time::Duration;

use pulsegate::{ConnId, Options, Server, Settings};

use crate::world::agenda::{Nanos, SECOND, nanos};
use crate::world::dice::{Dice, Rate};
use crate::world::faults::Faults;
use crate::world::plan::Plan;
use crate::world::socket::Key;
use crate::world::watch::{Event, Watch};
use crate::world::{Path, SimNet};

/// Peers at once, at most.
const PEERS_MAX: usize = 8;

/// Pushes that one input can ask for, at most.
pub(super) const PUSHES_MAX: usize = 256;

/// A server, its peers, and what it said of them.
pub(super) struct Stage {
    pub(super) server: Server<SimNet<()>, Watch>,
    pub(super) peers: Vec<Key>,
    /// Connections that were opened and did not end yet.
    pub(super) open: BTreeSet<ConnId>,
    /// All that were ever opened.
    pub(super) ever: BTreeSet<ConnId>,
    frames: u64,
    /// The longest that a dead connection may stay.
    longest: Nanos,
}

impl Stage {
    /// Options and settings as the simulation draws them for a seed.
    pub(super) fn drawn(seed: u64) -> Self {
        let plan = Plan::draw(seed);
        let mut stage = Self::new(plan.options, plan.settings);
        if plan.is_slow {
            stage.server.handler_mut().dice = Some(Dice::new(seed));
        }
        stage.net().capacity = stage.server.gate().limits().events as usize;
        stage
    }

    pub(super) fn new(options: Options, listeners: Vec<Settings>) -> Self {
        let longest = listeners.iter().map(longest).sum();
        let net = SimNet::new(7, ());
        let server = Server::new(net, Watch::default(), options);
        let mut server = server.expect("the world lets it begin");
        for settings in listeners {
            server.listen(settings).expect("the world lets it listen");
        }
        Self {
            server,
            peers: Vec::new(),
            open: BTreeSet::new(),
            ever: BTreeSet::new(),
            frames: 0,
            longest,
        }
    }

    pub(super) fn net(&mut self) -> &mut SimNet<()> {
        self.server.net_mut()
    }

    /// Connects, where there is room for one more.
    pub(super) fn dial(&mut self, listener: u16, path: Path) -> Option<Key> {
        if self.peers.len() == PEERS_MAX {
            let first = self.peers.remove(0);
            self.net().kernel.leave(first);
        }
        let key = self.net().kernel.dial(listener, None, path)?;
        self.peers.push(key);
        Some(key)
    }

    /// Events for connections that have gone, that often.
    pub(super) fn haunt(&mut self, per_mille: u32) {
        self.net().faults.stale = Rate::per_mille(per_mille);
    }

    /// One turn, and what must hold after it.
    pub(super) fn turn(&mut self) {
        self.server.turn().expect("the poll works");
        let frames = self.server.gate().stats().frames_in;
        if std::mem::replace(&mut self.frames, frames) != frames {
            self.net().idle_turns = 0;
        }
        self.server.gate().check();
        assert_eq!(self.server.gate().stats().panics, 0, "something panicked");
        for event in std::mem::take(&mut self.server.handler_mut().events) {
            match event {
                Event::Opened(conn) => {
                    assert!(self.open.insert(conn), "{conn} was opened twice");
                    self.ever.insert(conn);
                }
                Event::Closed(conn, _) => {
                    assert!(self.open.remove(&conn), "{conn} was closed and not open");
                }
                _ => {}
            }
        }
    }

    /// Turns for so long, and not for ever.
    pub(super) fn pass(&mut self, span: Duration) {
        let end = self.server.net().kernel.now() + nanos(span);
        self.net().horizon = end;
        for _ in 0..2_000 {
            if self.server.net().kernel.now() >= end || self.server.is_done() {
                return;
            }
            self.turn();
        }
    }

    /// Everybody leaves, and nothing remains.
    pub(super) fn end(&mut self) {
        self.net().faults = Faults::default();
        self.net().drought = None;
        for key in std::mem::take(&mut self.peers) {
            self.net().kernel.leave(key);
        }
        let end = self.server.net().kernel.now() + 2 * self.longest + 60 * SECOND;
        self.net().horizon = end;
        while self.server.net().kernel.now() < end {
            let is_empty = self.server.gate().sockets() == 0;
            if self.server.is_done() || is_empty && !self.net().kernel.has_newcomers() {
                break;
            }
            self.turn();
        }
        // Pushes may still be under way: a turn goes through some of their places, at least one.
        for _ in 0..PUSHES_MAX * PEERS_MAX {
            let is_held = self.server.gate().bytes_held()[1] > 0;
            if self.server.is_done() || !is_held {
                break;
            }
            self.turn();
        }
        let gate = self.server.gate();
        assert_eq!(gate.sockets(), 0, "somebody stays for ever");
        assert!(self.open.is_empty(), "no end was told for {:?}", self.open);
        assert_eq!((gate.connections(), gate.users(), gate.topics()), (0, 0, 0));
        assert_eq!(gate.bytes_held()[..2], [0, 0], "bytes held");
    }
}

fn longest(settings: &Settings) -> Nanos {
    let spans = [
        settings.idle_timeout,
        settings.write_timeout,
        settings.output_age,
        Some(settings.linger),
    ];
    spans.into_iter().flatten().map(nanos).sum()
}
