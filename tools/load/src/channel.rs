//! Frames between the parent and a worker, over a pair of connected Unix sockets.
//!
//! A frame is a length, a JSON header and bytes that the header speaks for. Both ends never block:
//! what a socket does not take waits here. The socket is wrapped as a TCP stream, since reading,
//! writing and waiting are the same calls on both, and so it lives in the same [`Net`] as all else.

use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::OwnedFd;

use mio::net::TcpStream;
use pulsegate::Token;
use pulsegate::net::Net;
use pulsegate::net::mio::MioNet;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::plan::Plan;

/// One end.
pub(crate) struct Channel {
    stream: TcpStream,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

/// What the parent says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// What to do, as which of how many.
    Plan {
        plan: Box<Plan>,
        worker: u32,
        workers: u32,
    },
    /// A phase begins at this moment of `CLOCK_BOOTTIME`.
    Phase { index: usize, at: u64 },
    /// Nothing new is said; answers are waited for.
    Drain,
    /// It is over.
    Stop,
}

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Word {
    /// It is ready for the first phase.
    Hello { resident: u64 },
    /// A report; tallies of all cohorts follow, in order.
    Report(Pulse),
    /// Everything was reported.
    Done,
}

/// Where a worker stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pulse {
    /// The phase that the tallies belong to.
    pub(crate) phase: usize,
    /// Connections on their way: connecting, greeting or waiting for the next attempt.
    pub(crate) under_way: u64,
    /// Connections open, by cohort.
    pub(crate) open: Vec<u64>,
    /// Requests without an answer.
    pub(crate) outstanding: u64,
    /// It was told to drain.
    pub(crate) is_resting: bool,
    /// Its time on a processor so far.
    pub(crate) cpu: u64,
    /// Its resident bytes.
    pub(crate) resident: u64,
}

impl Channel {
    /// Takes an end over, and has the net tell of it under `token`.
    pub(crate) fn new(end: OwnedFd, net: &mut MioNet, token: Token) -> io::Result<Self> {
        let stream = std::net::TcpStream::from(end);
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        net.register(&mut stream, token)?;
        Ok(Self {
            stream,
            incoming: Vec::new(),
            outgoing: Vec::new(),
        })
    }

    /// Sends a frame, or as much as there is room for.
    ///
    /// # Errors
    /// Where the other end is gone.
    pub(crate) fn send(
        &mut self,
        net: &mut MioNet,
        header: &impl Serialize,
        bytes: &[u8],
    ) -> io::Result<()> {
        let header = serde_json::to_vec(header)?;
        let length = |part: &[u8]| u32::try_from(part.len()).map_err(|_| ErrorKind::InvalidData);
        self.outgoing.extend(length(&header)?.to_le_bytes());
        self.outgoing.extend(length(bytes)?.to_le_bytes());
        self.outgoing.extend(header);
        self.outgoing.extend(bytes);
        self.flush(net)
    }

    /// Goes on with what waits.
    ///
    /// # Errors
    /// Where the other end is gone.
    pub(crate) fn flush(&mut self, net: &mut MioNet) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            match net.write(&mut self.stream, &[IoSlice::new(&self.outgoing)]) {
                Ok(written) => drop(self.outgoing.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(crate) fn is_flushed(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// Takes in what has come.
    ///
    /// # Errors
    /// Where the other end is gone; what it said before can still be taken.
    pub(crate) fn fill(&mut self, net: &mut MioNet) -> io::Result<()> {
        let mut buffer = [0; 16 * 1_024];
        loop {
            match net.read(&mut self.stream, &mut buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.incoming.extend(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes the first whole frame.
    ///
    /// # Errors
    /// Where it is not of this kind.
    pub(crate) fn take<T: DeserializeOwned>(&mut self) -> io::Result<Option<(T, Vec<u8>)>> {
        let length = |at: usize| -> Option<usize> {
            let bytes = self.incoming.get(at..at + 4)?;
            Some(u32::from_le_bytes(*bytes.first_chunk()?) as usize)
        };
        let (Some(header), Some(bytes)) = (length(0), length(4)) else {
            return Ok(None);
        };
        let end = 8 + header + bytes;
        if self.incoming.len() < end {
            return Ok(None);
        }
        let said = serde_json::from_slice(&self.incoming[8..8 + header])?;
        let bytes = self.incoming[8 + header..end].to_vec();
        self.incoming.drain(..end);
        Ok(Some((said, bytes)))
    }
}
