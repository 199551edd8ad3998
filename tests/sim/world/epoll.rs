//! The list of what is to be looked at: the memory of edges.
//!
//! As in Linux, an edge puts its file on the list once, and the *look* at the next wait decides
//! what is reported: the level at that time, for both directions. A file found neither readable
//! nor writable is dropped in silence. First in, first out, so that a small event array rotates.

use std::collections::VecDeque;

use super::dice::Dice;

/// A file that is to be looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum File {
    Socket(u32),
    Listener(u16),
}

/// Files with an edge that no wait has reported yet. Each file remembers itself whether it is on.
#[derive(Debug, Default)]
pub(crate) struct Epoll {
    files: VecDeque<File>,
}

impl Epoll {
    #[inline]
    pub(crate) fn push(&mut self, file: File) {
        self.files.push_back(file);
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<File> {
        self.files.pop_front()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.files.len()
    }

    /// What is closed is never told again.
    pub(crate) fn forget(&mut self, file: File) {
        self.files.retain(|&other| other != file);
    }

    /// Another order: nothing promises one.
    pub(crate) fn shuffle(&mut self, dice: &mut Dice) {
        for last in (1..self.files.len()).rev() {
            self.files.swap(last, dice.size(0, last));
        }
    }
}
