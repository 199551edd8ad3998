//! An answer that is made piece by piece.

use super::desk::Facts;
use crate::gate::Gate;

/// Something that takes more than one turn.
#[derive(Debug)]
pub(crate) enum Work {}

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

impl Work {
    /// What kind of text it makes.
    pub(crate) fn kind(&self) -> &'static str {
        super::answer::JSON
    }

    /// Whether what it makes is to be sent at once, however little it is.
    pub(crate) fn is_stream(&self) -> bool {
        match *self {}
    }

    /// Goes on, at most `budget` rows and about `room` bytes.
    pub(crate) fn go_on(
        &mut self,
        _gate: &mut Gate,
        _facts: &Facts,
        _budget: &mut u32,
        _room: usize,
        _out: &mut Vec<u8>,
    ) -> Left {
        match *self {}
    }
}
