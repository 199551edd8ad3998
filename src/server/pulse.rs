//! Where the loop is, for a thread that looks at it: its turn, and the step of it.
//!
//! The loop stores a byte a step and two numbers a turn, without a lock, a clock or an order among
//! them: some twenty instructions a turn, none a connection. Whoever looks may see a step that is
//! just over, and never one of another turn than it says for longer than an instant.

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

/// What the loop writes down about itself.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    turns: AtomicU64,
    at: AtomicU8,
    connections: AtomicU32,
}

/// What the loop does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum At {
    /// It sleeps until something is to be done.
    #[default]
    Wait,
    Mark,
    Accept,
    Serve,
    Administer,
    Expire,
    Flush,
    Reap,
}

/// Where the loop was when somebody looked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) turn: u64,
    pub(crate) at: At,
    pub(crate) connections: u32,
}

impl Pulse {
    /// The loop is about to sleep; another turn begins.
    pub(super) fn rest(&self, connections: u32) {
        self.enter(At::Wait);
        self.connections.store(connections, Ordering::Relaxed);
        // The loop alone writes it.
        let turns = self.turns.load(Ordering::Relaxed);
        self.turns.store(turns + 1, Ordering::Relaxed);
    }

    /// A step of the turn begins.
    pub(super) fn enter(&self, at: At) {
        self.at.store(at as u8, Ordering::Relaxed);
    }

    /// Where the loop is.
    pub(crate) fn place(&self) -> Place {
        let at = usize::from(self.at.load(Ordering::Relaxed));
        Place {
            turn: self.turns.load(Ordering::Relaxed),
            at: At::ALL.get(at).copied().unwrap_or_default(),
            connections: self.connections.load(Ordering::Relaxed),
        }
    }
}

impl At {
    /// Every step, in the order of a turn.
    const ALL: [Self; 8] = [
        Self::Wait,
        Self::Mark,
        Self::Accept,
        Self::Serve,
        Self::Administer,
        Self::Expire,
        Self::Flush,
        Self::Reap,
    ];
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wait => "wait",
            Self::Mark => "mark",
            Self::Accept => "accept",
            Self::Serve => "serve",
            Self::Administer => "administer",
            Self::Expire => "expire",
            Self::Flush => "flush",
            Self::Reap => "reap",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_sees_the_turn_and_its_step() {
        let pulse = Pulse::default();
        for (turn, at) in (1..).zip(At::ALL) {
            pulse.rest(7);
            pulse.enter(at);
            let seen = Place {
                turn,
                at,
                connections: 7,
            };
            assert_eq!(pulse.place(), seen);
            assert_eq!(At::ALL[at as usize], at);
        }
    }
}
