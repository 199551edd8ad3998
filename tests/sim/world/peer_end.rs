//! What clients do to their end of a connection.

use std::net::IpAddr;

use super::agenda::{Deed, Nanos};
use super::facts::Facts;
use super::kernel::Kernel;
use super::pipe::Pipe;
use super::socket::{Heard, Key, PeerEnd, ServerEnd, Socket, Stage};

/// How the network between a peer and the server is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path {
    /// Bytes under way to the server at most.
    pub(crate) up_window: usize,
    /// Bytes under way to the peer at most.
    pub(crate) down_window: usize,
    /// One way.
    pub(crate) delay: Nanos,
    /// Whether an RST destroys what the peer has not read.
    pub(crate) loses_on_reset: bool,
    /// Where it comes from, where that matters.
    pub(crate) from: Option<IpAddr>,
}

impl Default for Path {
    fn default() -> Self {
        Self {
            up_window: 64 << 10,
            down_window: 64 << 10,
            delay: 0,
            loses_on_reset: true,
            from: None,
        }
    }
}

impl Kernel {
    /// Connects to a listener; `None` where it is closed or its backlog is full.
    pub(crate) fn dial(&mut self, listener: u16, owner: Option<u32>, path: Path) -> Option<Key> {
        let listening = self.listeners.get(usize::from(listener))?;
        if !listening.is_open || listening.queue.len() >= listening.backlog {
            return None;
        }
        let slot = self.free.pop().unwrap_or(self.sockets.len() as u32);
        let life = self
            .sockets
            .get(slot as usize)
            .map_or(0, |socket| socket.life);
        let socket = Socket {
            life,
            stage: Stage::Backlog,
            listener,
            to_server: Pipe::new(path.up_window, path.delay),
            to_peer: Pipe::new(path.down_window, path.delay),
            facts: Facts::new(self.stamp()),
            server: ServerEnd::default(),
            peer: PeerEnd {
                owner,
                is_open: true,
                is_reset: false,
                loses_on_reset: path.loses_on_reset,
                is_stirred: false,
                from: path.from,
            },
        };
        match self.sockets.get_mut(slot as usize) {
            Some(old) => *old = socket,
            None => self.sockets.push(socket),
        }
        let key = Key { slot, life };
        self.listeners[usize::from(listener)].queue.push_back(key);
        self.edge_of_listener(listener);
        Some(key)
    }

    /// Sends as much as the window lets through, and says how much that was.
    pub(crate) fn say(&mut self, key: Key, bytes: &[u8]) -> usize {
        let (now, stamp) = (self.now(), self.stamp());
        let Some(socket) = self.get_mut(key) else {
            return 0;
        };
        let is_deaf = socket.peer.is_reset || socket.to_server.is_finished;
        if !socket.peer.is_open || is_deaf {
            return 0;
        }
        let count = socket.to_server.put(bytes);
        if count == 0 {
            return 0;
        }
        let at = socket.to_server.arrival(now);
        if at == now && socket.to_server.clogged_until <= now && socket.is_held() {
            socket.to_server.arrive(count);
            socket.facts.waiting.get_or_insert(stamp);
            self.edge(key);
        } else {
            self.agenda.at(at, Deed::ArriveAtServer(key, count as u32));
        }
        count
    }

    /// Takes what has arrived at the peer, at most what `into` holds.
    pub(crate) fn hear(&mut self, key: Key, into: &mut [u8]) -> Heard {
        match self.listen_at_peer(key) {
            Heard::Bytes(_) => {}
            other => return other,
        }
        let socket = &mut self.sockets[key.slot as usize];
        let count = socket.to_peer.take(into);
        if socket.server.wants_room && socket.to_peer.is_roomy() {
            socket.server.wants_room = false;
            self.edge(key);
        }
        Heard::Bytes(count)
    }

    /// Everything that has arrived at the peer; for hand-driven peers.
    pub(crate) fn hear_all(&mut self, key: Key) -> Vec<u8> {
        let mut all = Vec::new();
        let mut buffer = [0; 4_096];
        while let Heard::Bytes(count) = self.hear(key, &mut buffer) {
            all.extend_from_slice(&buffer[..count]);
        }
        all
    }

    /// FIN: the peer sends nothing more and goes on reading.
    pub(crate) fn finish(&mut self, key: Key) {
        let now = self.now();
        let Some(socket) = self.get_mut(key) else {
            return;
        };
        if socket.peer.is_open && !socket.to_server.is_finished && !socket.peer.is_reset {
            socket.facts.causes.add(pulsegate::CloseReason::PeerClosed);
            socket.to_server.is_finished = true;
            let at = socket.to_server.arrival(now);
            self.agenda.at(at, Deed::FinAtServer(key));
        }
    }

    /// RST: both directions end, what the server had not sent yet is lost.
    pub(crate) fn reset(&mut self, key: Key) {
        let now = self.now();
        let Some(socket) = self.get_mut(key) else {
            return;
        };
        if !socket.peer.is_open {
            return;
        }
        socket.facts.causes.add(pulsegate::CloseReason::PeerReset);
        socket.peer.is_open = false;
        if !socket.peer.is_reset {
            let at = socket.to_server.arrival(now);
            self.agenda.at(at, Deed::ResetAtServer(key));
        }
        self.settle(key);
    }

    /// An ordinary close: FIN, and a reset for whatever still comes.
    pub(crate) fn leave(&mut self, key: Key) {
        let has_unread = matches!(self.listen_at_peer(key), Heard::Bytes(_));
        if has_unread {
            return self.reset(key);
        }
        self.finish(key);
        let Some(socket) = self.get_mut(key) else {
            return;
        };
        if socket.peer.is_open {
            // What the server still sends is answered by a reset.
            socket.facts.causes.add(pulsegate::CloseReason::PeerReset);
            socket.peer.is_open = false;
            self.settle(key);
        }
    }

    /// The cable is cut: nothing arrives any more, either way, and nobody is told.
    pub(crate) fn lose_path(&mut self, key: Key) {
        self.swallow(key, true, true);
    }

    /// A black hole: nothing arrives any more at the server, at the peer or at both, and nobody
    /// is told.
    pub(crate) fn swallow(&mut self, key: Key, to_server: bool, to_peer: bool) {
        let Some(socket) = self.get_mut(key) else {
            return;
        };
        if to_server {
            socket.to_server.clogged_until = Nanos::MAX;
        }
        if to_peer {
            socket.to_peer.clogged_until = Nanos::MAX;
        }
    }

    /// The peer's machine is gone: its cable is cut and nobody sits at its end.
    pub(crate) fn vanish(&mut self, key: Key) {
        self.lose_path(key);
        let Some(socket) = self.get_mut(key) else {
            return;
        };
        if socket.peer.is_open {
            socket.peer.is_open = false;
            self.settle(key);
        }
    }

    /// Changes the window towards the peer; a smaller one takes nothing back.
    pub(crate) fn set_window(&mut self, key: Key, window: usize) {
        let Some(socket) = self.get_mut(key) else {
            return;
        };
        socket.to_peer.window = window;
        if socket.server.wants_room && socket.to_peer.is_roomy() {
            socket.server.wants_room = false;
            self.edge(key);
        }
    }

    /// Tells the owner, soon, that something changed.
    pub(crate) fn stir(&mut self, key: Key) {
        let Some(socket) = self.get_mut(key) else {
            return;
        };
        if socket.peer.owner.is_some() && socket.peer.is_open && !socket.peer.is_stirred {
            socket.peer.is_stirred = true;
            self.agenda.after(0, Deed::StirPeer(key));
        }
    }
}
