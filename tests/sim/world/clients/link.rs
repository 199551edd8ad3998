//! One connection of a client: what it has to send and what it has heard.

use pulsegate::Settings;
use pulsegate::codec::framing::Framing;

use super::ear::{Ear, Owed};
use super::wire;
use crate::world::kernel::Kernel;
use crate::world::socket::Key;

/// A connection of a client.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) key: Key,
    pub(crate) ear: Ear,
    /// What is to be sent, from `sent` on.
    pub(super) out: Vec<u8>,
    pub(super) sent: usize,
    /// Bytes of the stream before `out`.
    pub(super) base: u64,
    /// It has said that nothing more comes.
    pub(super) is_finished: bool,
    /// Rounds of speaking since the last flush, for who glues.
    pub(super) glued: u32,
    /// Requests, for those who count them.
    pub(super) said: u32,
    pub(super) nonsense: u32,
}

impl Link {
    /// Appends one frame, and tells the world's books where it ends.
    pub(super) fn put_frame(&mut self, body: &[u8], settings: &Settings, kernel: &mut Kernel) {
        wire::frame(settings.framing, body, &mut self.out);
        let end = self.base + self.out.len() as u64;
        if let Some(socket) = kernel.get_mut(self.key)
            && settings.framing != Framing::Raw
        {
            socket.facts.mark_frame_end(end);
        }
        self.said += 1;
    }

    /// Appends bytes that are no whole frame, or none at all.
    pub(super) fn put_raw(&mut self, bytes: &[u8], kernel: &mut Kernel) {
        self.out.extend_from_slice(bytes);
        if let Some(socket) = kernel.get_mut(self.key) {
            socket.facts.mark_frame_end(u64::MAX);
        }
    }

    pub(super) fn expect_echo(&mut self, body: &[u8]) {
        self.ear.owed.push_back(Owed::Echo(body.to_vec()));
    }

    /// Bytes that have not left yet.
    pub(super) fn waiting(&self) -> usize {
        self.out.len() - self.sent
    }
}
