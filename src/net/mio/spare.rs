//! A descriptor that is kept for when none is left.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{Errno, fcntl_dupfd_cloexec};

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

    /// Whether an error says that descriptors have run out, and one is free now for the next call.
    pub(super) fn makes_room_for(&mut self, error: &io::Error) -> bool {
        let is_out = [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error);
        let is_out = error
            .raw_os_error()
            .is_some_and(|raw| is_out.contains(&raw));
        is_out && self.copy.take().is_some()
    }

    /// Takes a descriptor again where it was given away and one is to be had.
    pub(super) fn keep(&mut self) {
        if self.copy.is_none() {
            self.copy = fcntl_dupfd_cloexec(&self.origin, 0).ok();
        }
    }
}
