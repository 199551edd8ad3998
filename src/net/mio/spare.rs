//! A descriptor that is kept for when none is left.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::fcntl_dupfd_cloexec;

/// Two descriptors of something that does nothing: one to give away, and one to copy it from.
#[derive(Debug)]
pub(super) struct Spare {
    origin: OwnedFd,
    copy: Option<OwnedFd>,
}

impl Spare {
    pub(super) fn new() -> io::Result<Self> {
        let origin = eventfd(0, EventfdFlags::CLOEXEC)?;
        let copy = Some(fcntl_dupfd_cloexec(&origin, 0)?);
        Ok(Self { origin, copy })
    }

    /// Gives the descriptor away, to whatever is opened next: whether there was one. Of use where
    /// the process has no more; a system that has none is not helped by a copy.
    pub(super) fn give(&mut self) -> bool {
        self.copy.take().is_some()
    }

    /// Takes a descriptor again where it was given away and one is to be had.
    pub(super) fn keep(&mut self) {
        if self.copy.is_none() {
            self.copy = fcntl_dupfd_cloexec(&self.origin, 0).ok();
        }
    }
}
