//! What comes in: reads into the one buffer, and hands what is whole to the speech and the role.

use std::io::{ErrorKind, IoSlice};

use pulsegate::ConnId;
use pulsegate::net::{Ending, Net, Ready};

use super::Worker;
use super::conn::State;
use crate::role::send;
use crate::tally::Count;

/// What a read came to.
enum Read {
    /// So many bytes lie in the inbox, the held ones included; whether more may follow.
    Bytes(usize, bool),
    Nothing,
    /// The peer has closed, or the connection is broken.
    End,
}

impl Worker {
    pub(super) fn serve_conn(&mut self, id: ConnId, ready: Ready) {
        let conn = &self.conns[id.index as usize];
        if conn.serial != id.serial || conn.stream.is_none() {
            return;
        }
        if conn.state == State::Dialing {
            self.dialed(id.index);
        }
        if ready.writable {
            self.flush(id.index);
        }
        if ready.readable || ready.closed {
            self.read(id.index, ready.closed);
        }
    }

    /// Goes on with what the socket did not take.
    fn flush(&mut self, index: u32) {
        let conn = &mut self.conns[index as usize];
        let (Some(stream), false) = (&mut conn.stream, conn.unsent.is_empty()) else {
            return;
        };
        match self.desk.net.write(stream, &[IoSlice::new(&conn.unsent)]) {
            Ok(written) if written == conn.unsent.len() => conn.unsent = Vec::new(),
            Ok(written) => drop(conn.unsent.drain(..written)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.desk.fallen.push(index),
        }
    }

    fn read(&mut self, index: u32, is_closed: bool) {
        let serial = self.conns[index as usize].serial;
        loop {
            let conn = &self.conns[index as usize];
            // What was read may have led to the end of the connection, or to its silence.
            let is_deaf = conn.is_deaf;
            if conn.serial != serial || is_deaf && !is_closed {
                return;
            }
            match self.read_once(index) {
                Read::Bytes(count, may_be_more) => {
                    // Who is deaf has missed the beginning, and would take the rest for garbled.
                    if !is_deaf {
                        self.hear(index, count);
                    }
                    if !may_be_more && !is_closed {
                        return;
                    }
                }
                Read::Nothing => return,
                Read::End => return self.ended(index),
            }
        }
    }

    fn read_once(&mut self, index: u32) -> Read {
        let conn = &mut self.conns[index as usize];
        let Some(stream) = &mut conn.stream else {
            return Read::Nothing;
        };
        let held = conn.held.len();
        self.inbox[..held].copy_from_slice(&conn.held);
        let room = &mut self.inbox[held..];
        let size = room.len();
        match self.desk.net.read(stream, room) {
            Ok(0) => Read::End,
            Ok(count) => {
                self.desk.look_at_clock();
                let tally = self.desk.tally(conn);
                tally.add(Count::BytesIn, count as u64);
                Read::Bytes(held + count, count == size)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Read::Nothing,
            Err(_) => Read::End,
        }
    }

    /// Understands what lies in the inbox, and keeps what is not whole.
    fn hear(&mut self, index: u32, count: usize) {
        let mut heard = std::mem::take(&mut self.heard);
        self.desk.speech.hear(&self.inbox[..count], &mut heard);
        let conn = &mut self.conns[index as usize];
        let rest = &self.inbox[heard.consumed..count];
        if rest.is_empty() {
            conn.held = Vec::new();
        } else {
            conn.held.clear();
            conn.held.extend_from_slice(rest);
        }
        let tally = self.desk.tally(conn);
        tally.add(Count::Messages, heard.messages.len() as u64);
        tally.add(Count::Goodbyes, heard.goodbyes.into());
        tally.add(Count::Pings, heard.pings.into());
        if heard.pings > 0 {
            let pong = self.desk.speech.pong().repeat(heard.pings as usize);
            if send(&mut self.desk.net, conn, &pong).is_err() {
                self.desk.fallen.push(index);
            }
        }
        match conn.state {
            State::Greeting => self.greeted(index, &heard),
            State::Open => {
                let inbox = std::mem::take(&mut self.inbox);
                self.with_role(index, |role, talk| {
                    role.heard(talk, &heard, &inbox[..count]);
                });
                self.inbox = inbox;
            }
            _ => {}
        }
        let is_full = self.conns[index as usize].held.len() >= HELD_MAX;
        if heard.is_garbled || is_full {
            let conn = &self.conns[index as usize];
            self.desk.tally(conn).add(Count::Garbled, 1);
            self.lose(index, Ending::Abort);
        }
        self.heard = heard;
    }

    /// The peer has ended the connection.
    fn ended(&mut self, index: u32) {
        self.lose(index, Ending::Graceful);
    }

    /// Ends the connections whose sockets turned out to be dead.
    pub(super) fn bury(&mut self) {
        while let Some(index) = self.desk.fallen.pop() {
            self.lose(index, Ending::Graceful);
        }
    }
}

/// Bytes of one thing that is not whole; beyond, it is not the protocol we speak.
const HELD_MAX: usize = 128 * 1_024;
