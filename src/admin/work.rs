//! An answer that is made piece by piece.

use std::fmt::Debug;

use super::desk::Facts;
use crate::gate::Gate;
use crate::time::Tick;

/// Something that takes more than one turn.
pub(crate) trait Work: Debug + Send {
    /// Goes on: appends at most about `room` bytes, and takes what it looks at from `budget`.
    fn go_on(
        &mut self,
        gate: &mut Gate,
        facts: &Facts,
        budget: &mut u32,
        room: usize,
        out: &mut Vec<u8>,
    ) -> Left;

    /// What kind of text it makes.
    fn kind(&self) -> &'static str {
        super::answer::JSON
    }

    /// The events it waits for, where what it makes is to be sent at once, however little it is.
    fn reader(&self) -> Option<u32> {
        None
    }

    /// Bytes of memory that it holds beside what it has made.
    fn held(&self) -> usize {
        0
    }

    /// When it ends by itself (real clock).
    fn ends(&self) -> Option<Tick> {
        None
    }
}

/// What a slice of work has left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Left {
    /// It can go on at once.
    More,
    /// It goes on when something happens.
    Waits,
    /// Nothing.
    Nothing,
}
