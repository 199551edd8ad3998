//! A net without system calls: sockets take every byte at once and say what they are told to.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use pulsegate::Token;
use pulsegate::net::{Ending, Net, Ready, Signal, SocketOptions, Wake};

/// Sockets that take all output and have the input that was put there.
#[derive(Debug, Default)]
pub(crate) struct NullNet {
    backlog: u32,
    accepted: u32,
    tokens: Vec<Option<Token>>,
    said: Vec<(u32, Vec<u8>)>,
    dialed: Vec<Token>,
    now: Duration,
    written: u64,
}

struct NoWake;

impl Wake for NoWake {
    fn wake(&self) -> io::Result<()> {
        Ok(())
    }
}

impl NullNet {
    /// A net in which `backlog` newcomers wait to be accepted.
    pub(crate) fn with_backlog(backlog: u32) -> Self {
        Self {
            backlog,
            tokens: Vec::with_capacity(backlog as usize),
            ..Self::default()
        }
    }

    /// Bytes that were written, over all sockets.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Lets the socket that was accepted as number `stream` say something.
    pub(crate) fn say(&mut self, stream: u32, bytes: &[u8]) {
        self.said.push((stream, bytes.to_vec()));
    }
}

impl Net for NullNet {
    type Listener = ();
    type Stream = u32;

    fn wait(&mut self, ready: &mut Vec<Ready>, _: Option<Duration>) -> io::Result<()> {
        self.now += Duration::from_micros(10);
        ready.extend(self.dialed.drain(..).map(|token| Ready {
            token,
            readable: false,
            writable: true,
            closed: false,
        }));
        for (stream, _) in &self.said {
            if let Some(token) = self.tokens[*stream as usize] {
                ready.push(Ready {
                    token,
                    readable: true,
                    writable: false,
                    closed: false,
                });
            }
        }
        Ok(())
    }

    fn rest(&mut self, span: Duration) {
        self.now += span;
    }

    fn now(&mut self) -> Duration {
        self.now
    }

    fn wall(&mut self) -> Duration {
        Duration::from_secs(1_800_000_000)
    }

    fn entropy(&mut self) -> u64 {
        7
    }

    fn signal(&mut self) -> Option<Signal> {
        None
    }

    fn waker(&mut self) -> io::Result<Arc<dyn Wake>> {
        Ok(Arc::new(NoWake))
    }

    fn listen(
        &mut self,
        addr: SocketAddr,
        _: &SocketOptions,
        _: Token,
    ) -> io::Result<((), SocketAddr)> {
        Ok(((), addr))
    }

    fn accept(&mut self, (): &()) -> io::Result<(u32, SocketAddr)> {
        if self.backlog == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.backlog -= 1;
        self.accepted += 1;
        self.tokens.push(None);
        Ok((self.accepted - 1, SocketAddr::from(([127, 0, 0, 1], 9))))
    }

    fn dial(&mut self, _: SocketAddr, _: Option<IpAddr>, _: Option<Duration>) -> io::Result<u32> {
        self.backlog -= 1;
        self.accepted += 1;
        self.tokens.push(None);
        Ok(self.accepted - 1)
    }

    fn register(&mut self, stream: &mut u32, token: Token) -> io::Result<()> {
        self.tokens[*stream as usize] = Some(token);
        self.dialed.push(token);
        Ok(())
    }

    fn read(&mut self, stream: &mut u32, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(at) = self.said.iter().position(|(who, _)| who == stream) else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let (_, bytes) = self.said.swap_remove(at);
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    fn peek(&mut self, stream: &mut u32) -> io::Result<bool> {
        Ok(self.said.iter().any(|(who, _)| who == stream))
    }

    fn write(&mut self, _: &mut u32, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let count = slices.iter().map(|slice| slice.len()).sum();
        self.written += count as u64;
        Ok(count)
    }

    fn shutdown_write(&mut self, _: &mut u32) -> io::Result<()> {
        Ok(())
    }

    fn close(&mut self, stream: u32, _: Ending) -> io::Result<()> {
        self.tokens[stream as usize] = None;
        Ok(())
    }

    fn unlisten(&mut self, (): ()) {}
}
