//! Writing: each connection with output and room gets one vectored write a turn.

use std::io::{self, IoSlice};

use super::Server;
use crate::gate::conn::Phase;
use crate::gate::outbox::SLICES_MAX;
use crate::handler::Handler;
use crate::net::Net;

impl<N: Net, H: Handler + 'static> Server<N, H> {
    pub(super) fn flush(&mut self) {
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
        let Some(outbox) = &self.gate.conns.at(index).outbox else {
            return self.finish_closing(index);
        };
        let stream = &mut self.sockets[index as usize];
        let (offered, result) = match outbox.only() {
            Some(piece) => (piece.len(), self.net.write(stream, &[IoSlice::new(piece)])),
            None => {
                let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                let count = outbox.slices(&mut slices);
                let offered = slices[..count]
                    .iter()
                    .map(|slice| slice.len())
                    .sum::<usize>();
                (offered, self.net.write(stream, &slices[..count]))
            }
        };
        match result {
            Ok(written) => {
                self.gate.wrote(index, written);
                if written < offered {
                    self.gate.blocked(index);
                } else if self.gate.conns.at(index).outbox.is_some() {
                    self.gate.queues.push_dirty(&mut self.gate.conns, index);
                }
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => self.gate.blocked(index),
                io::ErrorKind::Interrupted => {
                    self.gate.queues.push_dirty(&mut self.gate.conns, index);
                }
                _ => self.gate.lost(index, &error),
            },
        }
        self.finish_closing(index);
    }

    /// Where all output of a closing connection has left: tells the peer that nothing follows.
    fn finish_closing(&mut self, index: u32) {
        let conn = self.gate.conns.at(index);
        if conn.phase != Phase::Closing || conn.outbox.is_some() {
            return;
        }
        if self.gate.begin_linger(index) {
            let stream = &mut self.sockets[index as usize];
            if self.net.shutdown_write(stream).is_err() {
                self.gate.leave_socket(index, Phase::Gone);
            }
        }
    }
}
