//! The world outside the loop: sockets, clocks, entropy, signals, wake-ups.
//!
//! [`Net`] is the only door to it. [`mio`] opens it on the real kernel; the tests have a simulated
//! world behind the same trait. Everything above is the same code in both.
//!
//! # The contract of edge-triggering
//! A stream is registered once, for both directions, and never again.
//! - Readiness is told on a **change** only: bytes arrived, room appeared. The user of this trait
//!   remembers "readable" and "writable" until a read or write says [`WouldBlock`].
//! - A read shorter than the buffer means drained, except where the peer may have closed its side:
//!   then one more read returns 0. `closed` in [`Ready`] is a hint that it did.
//! - Hints and readiness may be spurious, stale, doubled or early. Only the result of a read, a
//!   write or an accept decides anything.
//! - The same holds for listeners: accept until `WouldBlock`, or remember that more may wait.
//!
//! [`WouldBlock`]: io::ErrorKind::WouldBlock

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::id::Token;

pub mod mio;

/// Sockets, clocks, entropy, signals and wake-ups; edge-triggered.
pub trait Net {
    /// A listening socket.
    type Listener;
    /// A connected, non-blocking socket.
    type Stream;

    /// Waits until something is ready or `timeout` is over, and appends what is ready to `ready`.
    ///
    /// `None` waits for ever. An interrupted wait returns with nothing ready. At most as many
    /// entries are appended as the net was made for.
    ///
    /// # Errors
    /// Only where the loop can not go on: the poll itself is broken.
    fn wait(&mut self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> io::Result<()>;

    /// Rests for `span` whatever becomes ready meanwhile: how one wake-up is made to serve many.
    fn rest(&mut self, span: Duration);

    /// Real time since some fixed point: goes on while the machine is suspended, never goes back
    /// (`CLOCK_BOOTTIME`). Costs some 25 ns.
    fn now(&mut self) -> Duration;

    /// Wall-clock time since 1970; may jump. For ids and displays only.
    fn wall(&mut self) -> Duration;

    /// 64 unpredictable bits: hash keys come from here.
    fn entropy(&mut self) -> u64;

    /// The next signal that arrived, if any. Told by a [`Token::Signal`].
    fn signal(&mut self) -> Option<Signal>;

    /// What the system says of this process; read seldom.
    fn process(&mut self) -> Process {
        Process::default()
    }

    /// What other threads call to end a [`wait`](Net::wait). Told by a [`Token::Waker`].
    ///
    /// # Errors
    /// Where the system has no descriptor for it.
    fn waker(&mut self) -> io::Result<Arc<dyn Wake>>;

    /// Binds a listening socket and registers it. Returns the address it really has.
    ///
    /// # Errors
    /// As the system says: address in use, no such address, no permission.
    fn listen(
        &mut self,
        addr: SocketAddr,
        options: &SocketOptions,
        token: Token,
    ) -> io::Result<(Self::Listener, SocketAddr)>;

    /// Binds a listening Unix socket that only its owner may use, and registers it. A socket that
    /// nobody listens on any more makes room.
    ///
    /// # Errors
    /// As the system says; where this net has no such sockets.
    fn listen_unix(&mut self, path: &Path, token: Token) -> io::Result<Self::Listener> {
        let _ = (path, token);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Takes the next connection of a listener; not yet registered.
    ///
    /// # Errors
    /// See [`AcceptFault::of`] for what each error means.
    fn accept(&mut self, listener: &Self::Listener) -> io::Result<(Self::Stream, SocketAddr)>;

    /// The same for a listener that answers also where descriptors have run out: one connection at
    /// a time gets a descriptor that was kept for that. Where nobody waits it would block, whether
    /// there are descriptors or not; an accept may say first that there are none.
    ///
    /// # Errors
    /// As for [`accept`](Self::accept), which it is where nothing was [reserved](Self::reserve).
    fn accept_reserved(
        &mut self,
        listener: &Self::Listener,
    ) -> io::Result<(Self::Stream, SocketAddr)> {
        self.accept(listener)
    }

    /// Keeps a descriptor for [`accept_reserved`](Self::accept_reserved), and again once what was
    /// accepted with it is closed.
    ///
    /// # Errors
    /// Where there is none to keep.
    fn reserve(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Begins to connect to `to`, from the address `from` where one is given. Not yet registered;
    /// the stream turns writable when it is decided, and [`dialed`](Net::dialed) says how.
    ///
    /// # Errors
    /// Where it can not even begin; where this net opens no connections.
    fn dial(
        &mut self,
        to: SocketAddr,
        from: Option<IpAddr>,
        keepalive: Option<Duration>,
    ) -> io::Result<Self::Stream> {
        let _ = (to, from, keepalive);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// How a [`dial`](Net::dial) has ended, once the stream is writable; `false`: it has not.
    ///
    /// # Errors
    /// Why no connection came about.
    fn dialed(&mut self, stream: &mut Self::Stream) -> io::Result<bool> {
        let _ = stream;
        Ok(true)
    }

    /// Registers a stream for both directions, once and for all.
    ///
    /// # Errors
    /// Where the system has no memory for it.
    fn register(&mut self, stream: &mut Self::Stream, token: Token) -> io::Result<()>;

    /// Reads what is there, up to the buffer's length. 0 means the peer closed its side.
    ///
    /// # Errors
    /// `WouldBlock` where nothing waits; anything else is the end of the connection.
    fn read(&mut self, stream: &mut Self::Stream, buffer: &mut [u8]) -> io::Result<usize>;

    /// Whether a read would give something now; `false` where the peer has closed its side. Takes
    /// nothing.
    ///
    /// # Errors
    /// As those of a read, which does not tell them again.
    fn peek(&mut self, stream: &mut Self::Stream) -> io::Result<bool>;

    /// Writes the slices in order, as much as the socket takes.
    ///
    /// # Errors
    /// `WouldBlock` where the socket is full; anything else is the end of the connection.
    fn write(&mut self, stream: &mut Self::Stream, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Tells the peer that nothing more will come (FIN), and keeps reading possible.
    ///
    /// # Errors
    /// Where the peer is gone already.
    fn shutdown_write(&mut self, stream: &mut Self::Stream) -> io::Result<()>;

    /// Writes the last there is to say and tells the peer that nothing follows: as
    /// [`write`](Net::write), and where the socket took all of it, as
    /// [`shutdown_write`](Net::shutdown_write) at once. Both may then leave in one segment.
    ///
    /// Less than the whole means that nothing was shut down: what the socket took leaves as after
    /// a write, the rest can be written or finished later.
    ///
    /// # Errors
    /// As of a write, and then nothing was shut down. Also where the socket took all and the peer
    /// is gone already.
    fn finish(&mut self, stream: &mut Self::Stream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = self.write(stream, slices)?;
        if written == slices.iter().map(|slice| slice.len()).sum::<usize>() {
            self.shutdown_write(stream)?;
        }
        Ok(written)
    }

    /// Closes a stream. Its token is never told again.
    ///
    /// # Errors
    /// What the system says of it, for whoever counts: the descriptor is gone all the same
    /// (close(2): Linux frees it first).
    fn close(&mut self, stream: Self::Stream, how: Ending) -> io::Result<()>;

    /// Closes a listener.
    fn unlisten(&mut self, listener: Self::Listener);
}

/// What the system says of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Process {
    /// Processor time used.
    pub cpu: Duration,
    /// Bytes of memory in use.
    pub resident: u64,
    /// Bytes of address space in use.
    pub address_space: u64,
    /// The most of it that it may use.
    pub address_space_max: u64,
    /// Threads.
    pub threads: u64,
    /// Descriptors it has; 0 where the system does not say.
    pub descriptors: u64,
    /// Descriptors it may have.
    pub descriptors_max: u64,
}

/// One thing that may be ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ready {
    /// What it is about.
    pub token: Token,
    /// A read or an accept may succeed.
    pub readable: bool,
    /// A write may succeed.
    pub writable: bool,
    /// The peer may have closed, reset, or sent urgent data: a hint to read on after a short read.
    pub closed: bool,
}

/// How a stream is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// What the kernel holds is still delivered.
    Graceful,
    /// Reset: what the kernel holds is thrown away, nothing lingers.
    Abort,
}

/// Wakes a loop from another thread.
pub trait Wake: Send + Sync {
    /// Ends the loop's current or next wait.
    ///
    /// # Errors
    /// Where the loop's poll is gone.
    fn wake(&self) -> io::Result<()>;
}

/// A signal that the daemon obeys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// SIGTERM or SIGINT: leave in good order; the second one at once.
    Terminate,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// What is set on a listening socket, and so on every connection it accepts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SocketOptions {
    /// Connections the kernel keeps until they are accepted.
    pub backlog: u32,
    /// TCP keepalive: idle time before the first probe; `None` sends none.
    pub keepalive: Option<Duration>,
    /// `TCP_USER_TIMEOUT`: how long sent bytes may stay unacknowledged by the peer's kernel.
    pub user_timeout: Option<Duration>,
    /// `SO_SNDBUF` in bytes; `None` leaves it to the kernel.
    pub send_buffer: Option<usize>,
    /// `SO_RCVBUF` in bytes; `None` leaves it to the kernel.
    pub receive_buffer: Option<usize>,
    /// `TCP_NOTSENT_LOWAT` in bytes: with so many that it could not send yet the kernel takes no
    /// more, and there is room again below half of it. `None` leaves it to the system.
    pub unsent_max: Option<usize>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            backlog: 4096,
            keepalive: None,
            user_timeout: None,
            send_buffer: None,
            receive_buffer: None,
            unsent_max: Some(128 << 10),
        }
    }
}

/// What an error of [`Net::accept`] asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AcceptFault {
    /// Nothing waits any more.
    Drained,
    /// The newcomer failed before it was accepted: take the next one.
    Newcomer,
    /// Descriptors or memory ran out: leave the listener alone for a while, then try again.
    Exhausted,
}

impl AcceptFault {
    /// Sorts an error of `accept4(2)`. An unknown error counts as exhaustion: a pause never spins
    /// and never goes deaf.
    #[must_use]
    pub fn of(error: &io::Error) -> Self {
        use rustix::io::Errno;
        if error.kind() == io::ErrorKind::WouldBlock {
            return Self::Drained;
        }
        // accept(2): Linux passes pending network errors of the new socket on as errors of accept.
        match Errno::from_io_error(error) {
            Some(
                Errno::CONNABORTED
                | Errno::INTR
                | Errno::NETDOWN
                | Errno::PROTO
                | Errno::NOPROTOOPT
                | Errno::HOSTDOWN
                | Errno::NONET
                | Errno::HOSTUNREACH
                | Errno::OPNOTSUPP
                | Errno::NETUNREACH
                | Errno::PERM
                | Errno::TIMEDOUT,
            ) => Self::Newcomer,
            _ => Self::Exhausted,
        }
    }
}

/// Whether an error says that this process, or the system, has no descriptors left.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE)
    )
}

/// Whether an error of a read or a write is one that peers, or the network between, cause.
pub(crate) fn is_common(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::CONNRESET
                | Errno::CONNABORTED
                | Errno::CONNREFUSED
                | Errno::PIPE
                | Errno::PROTO
                | Errno::NOPROTOOPT
                | Errno::NONET
                | Errno::NOTCONN
                | Errno::TIMEDOUT
                | Errno::HOSTUNREACH
                | Errno::HOSTDOWN
                | Errno::NETUNREACH
                | Errno::NETDOWN
                | Errno::NOBUFS
        )
    )
}
