//! A socket with a deadline for each exchange, however many reads and writes that takes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use socket2::{SockRef, TcpKeepalive};

use crate::client::{Lost, dial};
use crate::pool::clock::Clock;

#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    clock: Clock,
    deadline: Duration,
    until: Duration,
}

impl Wire {
    /// Tries each address of the host, all within the deadline: the name has its part of it, and of
    /// the rest each address an equal share.
    pub(super) fn connect(addr: &str, deadline: Duration) -> io::Result<Self> {
        let clock = Clock::new();
        let addrs = dial::resolve(addr, deadline).map_err(|lost| {
            let kind = match lost {
                Lost::ConnectTimeout(_) => ErrorKind::TimedOut,
                _ => ErrorKind::NotFound,
            };
            io::Error::new(kind, lost.to_string())
        })?;
        Self::connect_to(&addrs, deadline, &clock)
    }

    fn connect_to(addrs: &[SocketAddr], deadline: Duration, clock: &Clock) -> io::Result<Self> {
        let mut error = io::Error::new(ErrorKind::TimedOut, "no time was left for any address");
        for (others, addr) in (0..addrs.len()).rev().zip(addrs) {
            let left = deadline.saturating_sub(clock.now());
            let share = left / u32::try_from(others + 1).unwrap_or(u32::MAX);
            if share.is_zero() {
                break;
            }
            match TcpStream::connect_timeout(addr, share) {
                Ok(stream) => return Self::new(stream, deadline),
                Err(refused) => error = refused,
            }
        }
        Err(error)
    }

    fn new(stream: TcpStream, deadline: Duration) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(deadline))?;
        stream.set_write_timeout(Some(deadline))?;
        // a back-stop: the heartbeats of the pool come first
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
        SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        Ok(Self {
            stream,
            clock: Clock::new(),
            deadline,
            until: Duration::ZERO,
        })
    }

    /// An exchange begins: it has one deadline from here on.
    pub(super) fn begin(&mut self) {
        self.until = self.clock.now() + self.deadline;
    }

    /// Whether nothing has come, not even an end. Never waits.
    pub(super) fn is_silent(&self) -> bool {
        let look = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        recv(&self.stream, &mut [0; 1][..], look).err() == Some(Errno::AGAIN)
    }

    /// What one call may do at most is the kernel's to watch; that there are not too many, ours. An
    /// exchange ends within twice the deadline, whatever the server does.
    fn is_in_time(&self) -> io::Result<()> {
        if self.clock.now() < self.until {
            return Ok(());
        }
        Err(ErrorKind::TimedOut.into())
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.is_in_time()?;
        self.stream.read(buffer)
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.is_in_time()?;
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Silence before the kernel asks by itself.
const KEEPALIVE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn an_address_that_says_nothing_does_not_hide_the_next() {
        let (silent, _held) = dial::silent();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addrs = [silent, listener.local_addr().unwrap()];
        let (deadline, clock) = (Duration::from_secs(2), Clock::new());
        Wire::connect_to(&addrs, deadline, &clock).unwrap();
        assert!(clock.now() < deadline);
    }
}
