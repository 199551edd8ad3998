//! The real kernel: epoll through mio, sockets through socket2, clocks and entropy through rustix.
//!
//! Knows no connection: a stream is a bare descriptor, 4 bytes where it is kept, and nothing is
//! stored here per socket. What a descriptor means is in the token that the kernel carries.
//!
//! - One system call per read, write, accept and wait; registering a socket is one, closing it two.
//! - Options are set on the listening socket before it listens: Linux hands them down to every
//!   accepted socket, so that an accept needs no further call.
//! - `wait` allocates nothing once the caller's vector has grown to the capacity asked for.
//! - No write raises SIGPIPE, whatever the process does with that signal.

pub(crate) mod dial;
mod listener;
mod spare;

use std::fs::File;
use std::io::{self, IoSlice};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};
use rustix::thread::NanosleepRelativeResult;
use rustix::time::{ClockId, Timespec};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

/// Where the system tells of this process.
const STATUS: &str = "/proc/self/status";

pub use self::listener::MioListener;
use self::spare::Spare;
use super::{Ending, Net, Process, Ready, Signal, SocketOptions, Wake, is_out_of_descriptors};
use crate::id::Token;

/// The kernel of this machine.
pub struct MioNet {
    poll: Poll,
    /// Filled by each wait and read out in the same call; kept so that no wait allocates.
    events: Events,
    /// Made on demand and once: mio allows one waker per poll.
    waker: Option<Arc<MioWaker>>,
    /// `None` leaves the signals of the process to whoever embeds the library.
    signals: Option<Signals>,
    /// Sockets that listened before this process began, until they are asked for.
    inherited: Vec<(SocketAddr, std::net::TcpListener)>,
    /// What the system says of this process, where it is held open.
    status: Option<File>,
    /// For who is to be answered also where descriptors have run out.
    spare: Option<Spare>,
}

impl MioNet {
    /// A net that tells of at most `events` things per wait.
    ///
    /// # Errors
    /// Where the system has no descriptor for it.
    pub fn new(events: u32) -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(events.max(1) as usize),
            waker: None,
            signals: None,
            inherited: Vec::new(),
            status: None,
            spare: None,
        })
    }

    /// Takes SIGTERM, SIGINT and SIGHUP of the whole process for [`Net::signal`].
    ///
    /// # Errors
    /// Where the system has no descriptors for it.
    pub fn with_signals(mut self) -> io::Result<Self> {
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        let token = mio_token(Token::Signal);
        self.poll
            .registry()
            .register(&mut signals, token, Interest::READABLE)?;
        self.signals = Some(signals);
        Ok(self)
    }

    /// Opens what [`Net::process`] reads and keeps it so, for a process that will not be able to
    /// open files later.
    #[must_use]
    pub fn with_status(mut self) -> Self {
        self.status = File::open(STATUS).ok();
        self
    }

    /// Takes sockets that listen already: each is used in the place of binding its address.
    #[must_use]
    pub fn with_listeners(mut self, inherited: Vec<(SocketAddr, std::net::TcpListener)>) -> Self {
        self.inherited = inherited;
        self
    }
}

impl Net for MioNet {
    type Listener = MioListener;
    type Stream = TcpStream;

    fn wait(&mut self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        }
        for event in &self.events {
            if let Some(token) = Token::unpack(event.token().0 as u64) {
                ready.push(told(token, event));
            }
        }
        Ok(())
    }

    fn rest(&mut self, span: Duration) {
        let Ok(mut left) = Timespec::try_from(span) else {
            return;
        };
        // A signal cuts the sleep short, and is not served before its end.
        while let NanosleepRelativeResult::Interrupted(rest) = rustix::thread::nanosleep(&left) {
            left = rest;
        }
    }

    fn now(&mut self) -> Duration {
        clock(ClockId::Boottime)
    }

    fn wall(&mut self) -> Duration {
        clock(ClockId::Realtime)
    }

    fn entropy(&mut self) -> u64 {
        use rustix::rand::{GetRandomFlags, getrandom};
        let mut bytes = [0; 8];
        loop {
            // The kernel gives up to 256 bytes whole; only waiting for its pool may be interrupted.
            match getrandom(&mut bytes, GetRandomFlags::empty()) {
                Ok(8) => return u64::from_ne_bytes(bytes),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => panic!("the kernel has no random bytes: {error}"),
            }
        }
    }

    fn signal(&mut self) -> Option<Signal> {
        match self.signals.as_mut()?.pending().next()? {
            SIGHUP => Some(Signal::Reload),
            _ => Some(Signal::Terminate),
        }
    }

    fn process(&mut self) -> Process {
        use rustix::process::{Resource, getrlimit};
        // Its lines are "VmRSS:      1234 kB" and "Threads:        1".
        let status = match &self.status {
            Some(file) => read_again(file),
            None => std::fs::read_to_string(STATUS).unwrap_or_default(),
        };
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
            number.unwrap_or_default()
        };
        let most = |resource| getrlimit(resource).current.unwrap_or(u64::MAX);
        // Since Linux 6.2 the folder's size is how many there are: nothing is listed.
        let descriptors = std::fs::metadata("/proc/self/fd").map_or(0, |folder| folder.len());
        Process {
            cpu: clock(ClockId::ProcessCPUTime),
            resident: number("VmRSS:") << 10,
            address_space: number("VmSize:") << 10,
            address_space_max: most(Resource::As),
            threads: number("Threads:"),
            descriptors,
            descriptors_max: most(Resource::Nofile),
        }
    }

    fn waker(&mut self) -> io::Result<Arc<dyn Wake>> {
        if let Some(waker) = &self.waker {
            return Ok(waker.clone());
        }
        let token = mio_token(Token::Waker);
        let waker = Arc::new(MioWaker(mio::Waker::new(self.poll.registry(), token)?));
        self.waker = Some(waker.clone());
        Ok(waker)
    }

    fn listen(
        &mut self,
        addr: SocketAddr,
        options: &SocketOptions,
        token: Token,
    ) -> io::Result<(MioListener, SocketAddr)> {
        let inherited = self.inherited.iter().position(|(bind, _)| *bind == addr);
        let socket = match inherited {
            Some(place) => taken_over(self.inherited.swap_remove(place).1, options)?,
            None => bound(addr, options)?,
        };
        let backlog = i32::try_from(options.backlog).unwrap_or(i32::MAX);
        socket.listen(backlog)?;
        let listener = TcpListener::from_std(socket.into());
        let addr = listener.local_addr()?;
        let mut listener = MioListener::tcp(listener);
        listener.register(self.poll.registry(), mio_token(token))?;
        Ok((listener, addr))
    }

    fn listen_unix(&mut self, path: &Path, token: Token) -> io::Result<MioListener> {
        let mut listener = MioListener::unix(path)?;
        listener.register(self.poll.registry(), mio_token(token))?;
        Ok(listener)
    }

    fn accept(&mut self, listener: &MioListener) -> io::Result<(TcpStream, SocketAddr)> {
        listener.accept()
    }

    fn accept_reserved(&mut self, listener: &MioListener) -> io::Result<(TcpStream, SocketAddr)> {
        let Some(spare) = &mut self.spare else {
            return listener.accept();
        };
        match listener.accept() {
            // The kernel takes a descriptor before it looks whether somebody waits.
            Err(error) if is_out_of_descriptors(&error) && !listener.has_newcomer() => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            Err(error) if is_out_of_descriptors(&error) && spare.give() => {
                let accepted = listener.accept();
                if accepted.is_err() {
                    spare.keep();
                }
                accepted
            }
            accepted => accepted,
        }
    }

    fn reserve(&mut self) -> io::Result<()> {
        self.spare = Some(Spare::new()?);
        Ok(())
    }

    fn dial(
        &mut self,
        to: SocketAddr,
        from: Option<IpAddr>,
        keepalive: Option<Duration>,
    ) -> io::Result<TcpStream> {
        dial::begin(to, from, keepalive).map(TcpStream::from_std)
    }

    fn dialed(&mut self, stream: &mut TcpStream) -> io::Result<bool> {
        if let Some(error) = stream.take_error()? {
            return Err(error);
        }
        match stream.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn register(&mut self, stream: &mut TcpStream, token: Token) -> io::Result<()> {
        // Priority tells of urgent bytes, see `told`. Nobody who sends none pays for it.
        let all = Interest::READABLE | Interest::WRITABLE | Interest::PRIORITY;
        self.poll.registry().register(stream, mio_token(token), all)
    }

    fn read(&mut self, stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        // The same call as `Read` makes, without the way through the C library.
        let flags = RecvFlags::empty();
        uninterrupted(|| Ok(rustix::net::recv(&*stream, &mut *buffer, flags)?.0))
    }

    fn peek(&mut self, stream: &mut TcpStream) -> io::Result<bool> {
        let flags = RecvFlags::PEEK;
        uninterrupted(|| Ok(rustix::net::recv(&*stream, &mut [0_u8; 1], flags)?.0 > 0))
    }

    fn write(&mut self, stream: &mut TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        send(stream, slices, SendFlags::NOSIGNAL)
    }

    fn finish(&mut self, stream: &mut TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        // "More" holds the last segment back, and the shutdown that follows sends it with the FIN
        // on it. Where the socket takes less than the whole, the kernel does not hold back what it
        // took: it waits for room, not for more.
        let flags = if slices.len() <= SLICES_MAX {
            SendFlags::NOSIGNAL | SendFlags::MORE
        } else {
            SendFlags::NOSIGNAL
        };
        let written = send(stream, slices, flags)?;
        if written == slices.iter().map(|slice| slice.len()).sum::<usize>() {
            self.shutdown_write(stream)?;
        }
        Ok(written)
    }

    fn shutdown_write(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        stream.shutdown(Shutdown::Write)
    }

    fn close(&mut self, mut stream: TcpStream, how: Ending) -> io::Result<()> {
        // Closing takes a socket out of epoll too, but only with its last descriptor: a copy on its
        // way through a fork or to a successor would keep the token alive. Asking costs 0.4 of the
        // 22 microseconds of the shortest connection. It fails for one never registered.
        let _ = self.poll.registry().deregister(&mut stream);
        if how == Ending::Abort {
            // Lingering for zero seconds turns the close into a reset. Where it fails the socket is
            // dead already.
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
        // Dropping it would hide what the system says.
        let closed = nix::unistd::close(stream);
        if let Some(spare) = &mut self.spare {
            spare.keep();
        }
        Ok(closed?)
    }

    fn unlisten(&mut self, listener: MioListener) {
        listener.close(self.poll.registry());
    }
}

/// mio's waker as a [`Wake`].
struct MioWaker(mio::Waker);

impl Wake for MioWaker {
    fn wake(&self) -> io::Result<()> {
        self.0.wake()
    }
}

/// What an event tells, in the words of the contract.
///
/// A read ends before an urgent byte, however much lies behind it: like a half-close, that makes a
/// short read which does not mean drained, and it is told in the same way.
fn told(token: Token, event: &Event) -> Ready {
    let closed = event.is_read_closed()
        || event.is_write_closed()
        || event.is_error()
        || event.is_priority();
    Ready {
        token,
        // An error may come without "readable". Only a read can tell what it is, so one is invited.
        readable: event.is_readable() || closed,
        writable: event.is_writable(),
        closed,
    }
}

/// A bound socket with the options set, not yet listening.
fn bound(addr: SocketAddr, options: &SocketOptions) -> io::Result<Socket> {
    let domain = Domain::for_address(addr);
    // socket2 opens it closed on exec.
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // A restart must not wait for the old connections to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    if domain == Domain::IPV6 {
        // Else `[::]` would take IPv4 too, and `0.0.0.0` beside it could not be bound.
        socket.set_only_v6(true)?;
    }
    tune(&socket, options)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

/// A socket that listens already, tuned like one of ours.
fn taken_over(socket: std::net::TcpListener, options: &SocketOptions) -> io::Result<Socket> {
    let socket = Socket::from(socket);
    socket.set_nonblocking(true)?;
    socket.set_cloexec(true)?;
    tune(&socket, options)?;
    Ok(socket)
}

/// What every connection that the socket accepts takes over from it.
fn tune(socket: &Socket, options: &SocketOptions) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    if let Some(idle) = options.keepalive {
        socket.set_tcp_keepalive(&keepalive(idle))?;
    }
    if let Some(timeout) = options.user_timeout {
        socket.set_tcp_user_timeout(Some(timeout.min(USER_TIMEOUT_MAX)))?;
    }
    // Before listening: the window scale of a connection is settled in its handshake.
    if let Some(bytes) = options.send_buffer {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = options.receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    if let Some(bytes) = options.unsent_max {
        // What is beyond the bound is still in flight, and each of its acknowledgements makes the
        // kernel look again: no edge is lost, however small the bound.
        socket.set_tcp_notsent_lowat(u32::try_from(bytes).unwrap_or(u32::MAX))?;
    }
    Ok(())
}

/// Probes after so much silence: whole seconds up to what the kernel takes, zero would be refused.
fn keepalive(idle: Duration) -> TcpKeepalive {
    let idle = Duration::from_secs(idle.as_secs().clamp(1, KEEPALIVE_SECS_MAX));
    TcpKeepalive::new().with_time(idle)
}

/// Writes the slices in order, as much as the socket takes.
fn send(stream: &TcpStream, slices: &[IoSlice<'_>], flags: SendFlags) -> io::Result<usize> {
    // Not write(2) and writev(2), which is what `Write` has for several slices: only the calls
    // of the send family can be told not to raise SIGPIPE. Rust programs ignore that signal,
    // but a library may live in a process that does not.
    let slices = &slices[..slices.len().min(SLICES_MAX)];
    uninterrupted(|| match slices {
        [slice] => Ok(rustix::net::send(stream, slice, flags)?),
        _ => {
            let mut no_control = SendAncillaryBuffer::default();
            let sent = rustix::net::sendmsg(stream, slices, &mut no_control, flags);
            Ok(sent?)
        }
    })
}

/// Repeats a call that a signal cut short.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// A file of the kernel's own, from its beginning: what is looked for is in the first bytes.
fn read_again(file: &File) -> String {
    let mut bytes = [0; 4_096];
    let read = file.read_at(&mut bytes, 0).unwrap_or(0);
    String::from_utf8_lossy(&bytes[..read]).into_owned()
}

/// Time since the machine started, without the times it was suspended (`CLOCK_MONOTONIC`): for
/// those who compare with stamps of their own. Nothing here goes by it.
pub(crate) fn monotonic() -> Duration {
    clock(ClockId::Monotonic)
}

/// What a clock shows; a clock before its zero shows zero.
fn clock(id: ClockId) -> Duration {
    Duration::try_from(rustix::time::clock_gettime(id)).unwrap_or_default()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a usize has 64 bits here, as is asserted below"
)]
fn mio_token(token: Token) -> mio::Token {
    mio::Token(token.pack() as usize)
}

/// `UIO_MAXIOV`: with more slices the kernel refuses the call instead of taking the first ones.
const SLICES_MAX: usize = 1_024;
/// `MAX_TCP_KEEPIDLE` of the kernel.
const KEEPALIVE_SECS_MAX: u64 = 32_767;
/// The kernel takes an `int` of milliseconds.
const USER_TIMEOUT_MAX: Duration = Duration::from_millis(i32::MAX as u64);

const _: () = assert!(
    usize::BITS == 64,
    "an index and a serial are packed into mio's token"
);

// mio adds its own checks, and their bytes, to debug builds.
#[cfg(not(debug_assertions))]
const _: () = assert!(size_of::<TcpStream>() == 4);
