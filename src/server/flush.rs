//! Writing: each connection with output and room gets one vectored write a turn.

use std::io::{self, IoSlice};

use super::Server;
use super::pulse::At;
use crate::gate::conn::{Flags, Phase};
use crate::gate::outbox::SLICES_MAX;
use crate::handler::Handler;
use crate::net::Net;

impl<N: Net, H: Handler + 'static> Server<N, H> {
    pub(super) fn flush(&mut self) {
        self.pulse.enter(At::Flush);
        self.gate.fan();
        let queued = self
            .gate
            .queues
            .dirty
            .len()
            .min(self.gate.limits.flushes as usize);
        for _ in 0..queued {
            let Some(index) = self.gate.next_dirty() else {
                return;
            };
            self.flush_one(index);
        }
    }

    fn flush_one(&mut self, index: u32) {
        let conn = self.gate.conns.at(index);
        let Some(outbox) = &conn.outbox else {
            return self.finish_closing(index, false);
        };
        // Where the peer has closed its side, closing ours tells it the same.
        let is_closing = conn.phase == Phase::Closing && !conn.flags.has(Flags::EOF);
        let last = is_closing.then_some(outbox.len());
        let (net, stream) = (&mut self.net, &mut self.sockets[index as usize]);
        let offer = match outbox.only() {
            Some(piece) => Offer::make(net, stream, &[IoSlice::new(piece)], last),
            None => {
                let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                let count = outbox.slices(&mut slices);
                Offer::make(net, stream, &slices[..count], last)
            }
        };
        match offer.result {
            Ok(written) => {
                self.gate.wrote(index, written);
                if written < offer.bytes {
                    self.gate.blocked(index);
                } else if self.gate.conns.at(index).outbox.is_some() {
                    self.gate.queues.push_dirty(&mut self.gate.conns, index);
                }
            }
            Err(error) => self.write_failed(index, &error),
        }
        self.finish_closing(index, offer.is_last);
    }

    /// What waits is written when there is room again, or never.
    pub(super) fn write_failed(&mut self, index: u32, error: &io::Error) {
        match error.kind() {
            io::ErrorKind::WouldBlock => self.gate.blocked(index),
            io::ErrorKind::Interrupted => {
                self.gate.queues.push_dirty(&mut self.gate.conns, index);
            }
            _ => self.gate.lost(index, error),
        }
    }

    /// Where all output of a closing connection has left: tells the peer that nothing follows,
    /// unless the last write has told it (`is_told`), and waits for the peer to read it.
    fn finish_closing(&mut self, index: u32, is_told: bool) {
        let conn = self.gate.conns.at(index);
        if conn.phase != Phase::Closing || conn.outbox.is_some() {
            return;
        }
        if self.gate.begin_linger(index) && !is_told {
            let stream = &mut self.sockets[index as usize];
            if self.net.shutdown_write(stream).is_err() {
                self.gate.leave_socket(index, Phase::Gone);
            }
        }
    }
}

/// One write and what came of it.
struct Offer {
    bytes: usize,
    /// Nothing follows, and with the last byte that the socket took the peer was told.
    is_last: bool,
    result: io::Result<usize>,
}

impl Offer {
    /// Writes; finishes the stream where `last` says that so many bytes are all there will be.
    fn make<N: Net>(
        net: &mut N,
        stream: &mut N::Stream,
        slices: &[IoSlice<'_>],
        last: Option<usize>,
    ) -> Self {
        let bytes = slices.iter().map(|slice| slice.len()).sum();
        let is_last = last == Some(bytes);
        let result = if is_last {
            net.finish(stream, slices)
        } else {
            net.write(stream, slices)
        };
        Self {
            bytes,
            is_last,
            result,
        }
    }
}
