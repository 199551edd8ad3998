//! Who is to be read, written and let go: queues without duplicates.
//!
//! A flag of the connection is set exactly while the queue holds it; entries carry the serial, so
//! that a connection that ended while it was queued is passed over, even where its slot has a new
//! one.

use std::collections::VecDeque;

use smol_str::SmolStr;

use super::conn::{Conns, Flags};
use super::spare::trim;
use crate::id::ConnId;

/// The queues of a turn.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    pub(crate) ready: Queue,
    pub(crate) dirty: Queue,
    /// Connections whose end the handler must be told.
    pub(crate) farewells: VecDeque<Farewell>,
    /// Connections whose sockets can be closed.
    pub(crate) gone: VecDeque<ConnId>,
}

/// An end that the handler has not been told.
#[derive(Debug)]
pub(crate) struct Farewell {
    pub(crate) conn: ConnId,
    /// Whose connection it was.
    pub(crate) user: Option<SmolStr>,
}

/// One queue.
#[derive(Debug, Default)]
pub(crate) struct Queue(VecDeque<ConnId>);

impl Queues {
    pub(crate) fn push_ready(&mut self, conns: &mut Conns, index: u32) {
        self.ready.push(conns, index, Flags::ON_READY);
    }

    pub(crate) fn push_dirty(&mut self, conns: &mut Conns, index: u32) {
        self.dirty.push(conns, index, Flags::ON_DIRTY);
    }

    pub(crate) fn pop_ready(&mut self, conns: &mut Conns) -> Option<u32> {
        self.ready.pop(conns, Flags::ON_READY)
    }

    pub(crate) fn pop_dirty(&mut self, conns: &mut Conns) -> Option<u32> {
        self.dirty.pop(conns, Flags::ON_DIRTY)
    }

    /// Gives up most of the room that nothing needs.
    pub(crate) fn trim(&mut self) {
        trim(&mut self.ready.0);
        trim(&mut self.dirty.0);
        trim(&mut self.farewells);
        trim(&mut self.gone);
    }

    /// Whether nothing is left to do before the next event.
    pub(crate) fn are_empty(&self) -> bool {
        self.ready.0.is_empty()
            && self.dirty.0.is_empty()
            && self.farewells.is_empty()
            && self.gone.is_empty()
    }
}

impl Queue {
    fn push(&mut self, conns: &mut Conns, index: u32, flag: u32) {
        if conns.at_mut(index).flags.raise(flag) {
            self.0.push_back(conns.id(index));
        }
    }

    fn pop(&mut self, conns: &mut Conns, flag: u32) -> Option<u32> {
        while let Some(conn) = self.0.pop_front() {
            if let Some(index) = conns.find(conn) {
                conns.at_mut(index).flags.clear(flag);
                return Some(index);
            }
        }
        None
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = ConnId> {
        self.0.iter().copied()
    }
}
