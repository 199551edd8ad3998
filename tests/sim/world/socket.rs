//! One connection: two pipes, the server's end and the peer's end.

use std::io;
use std::net::IpAddr;

use pulsegate::Token;
use rustix::io::Errno;

use super::facts::Facts;
use super::pipe::Pipe;

/// A connection of the world: its slot and which use of the slot it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Key {
    pub(crate) slot: u32,
    pub(crate) life: u32,
}

/// How far a connection has come at the server's end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// Nobody's slot.
    Free,
    /// Connected by the kernel, not accepted yet.
    Backlog,
    /// The server holds it.
    Held,
    /// The server has closed it.
    Closed,
}

/// What a peer finds at its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    Bytes(usize),
    Nothing,
    Fin,
    Reset,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) life: u32,
    pub(crate) stage: Stage,
    pub(crate) listener: u16,
    pub(crate) to_server: Pipe,
    pub(crate) to_peer: Pipe,
    pub(crate) facts: Facts,
    pub(crate) server: ServerEnd,
    pub(crate) peer: PeerEnd,
}

/// The end that the server under test holds.
#[derive(Debug, Default)]
pub(crate) struct ServerEnd {
    pub(crate) token: Option<Token>,
    /// Whether the epoll list holds it.
    pub(crate) is_listed: bool,
    /// A write was refused, or a look found no room: room that appears is an edge.
    pub(crate) wants_room: bool,
    /// The server has said that nothing more comes.
    pub(crate) is_shut: bool,
    /// What the next call is told, once.
    pub(crate) error: Option<Errno>,
    /// Reset: nothing moves any more.
    pub(crate) is_dead: bool,
    /// A look at the peer's FIN left the hint out; the next one must tell it.
    pub(crate) owes_hint: bool,
}

/// The end of the client.
#[derive(Debug)]
pub(crate) struct PeerEnd {
    /// Who is told when something changes; nobody for a hand-driven peer.
    pub(crate) owner: Option<u32>,
    pub(crate) is_open: bool,
    /// The server's RST has arrived.
    pub(crate) is_reset: bool,
    /// Whether an RST destroys what had arrived and was not read, as many systems do.
    pub(crate) loses_on_reset: bool,
    /// Whether a stir is on the agenda already.
    pub(crate) is_stirred: bool,
    /// Where it comes from; every slot has an address of its own else.
    pub(crate) from: Option<IpAddr>,
}

impl Socket {
    pub(crate) fn is_held(&self) -> bool {
        self.stage == Stage::Held
    }

    /// Whether a read at the server's end would say anything but "would block".
    #[inline]
    pub(crate) fn is_readable(&self) -> bool {
        self.to_server.arrived() > 0 || self.to_server.is_at_end() || self.server.is_dead
    }

    /// Whether a poll calls the server's end writable.
    #[inline]
    pub(crate) fn is_writable(&self) -> bool {
        self.to_peer.is_roomy() || self.server.is_shut || self.server.is_dead
    }

    /// Whether a poll tells that the peer has closed or reset.
    #[inline]
    pub(crate) fn is_hinting(&self) -> bool {
        self.to_server.fin_arrived || self.server.is_dead
    }

    /// What the kernel answers to a read where no byte can be had; `None` is "would block".
    pub(crate) fn end_of_input(&mut self) -> Option<io::Result<usize>> {
        if let Some(errno) = self.server.error.take() {
            return Some(Err(errno.into()));
        }
        (self.server.is_dead || self.to_server.is_at_end()).then_some(Ok(0))
    }
}
