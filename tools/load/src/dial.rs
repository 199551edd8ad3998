//! Opens connections without waiting for them, from many addresses, and sorts what can go wrong.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mio::net::TcpStream;
use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::sockopt;
use crate::tally::Count;

/// Where connections go and come from, in turn.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    targets: Vec<SocketAddr>,
    sources: Vec<IpAddr>,
}

impl Routes {
    /// `targets` are not empty; without `sources` the kernel chooses.
    pub(crate) fn new(targets: Vec<SocketAddr>, sources: Vec<IpAddr>) -> Self {
        Self { targets, sources }
    }

    /// Begins to connect; the socket turns writable when that is decided.
    pub(crate) fn dial(&self, number: u32) -> io::Result<TcpStream> {
        let number = number as usize;
        let target = self.targets[number % self.targets.len()];
        let socket = Socket::new(
            Domain::for_address(target),
            Type::STREAM.nonblocking(),
            Some(Protocol::TCP),
        )?;
        socket.set_tcp_nodelay(true)?;
        if !self.sources.is_empty() {
            let source = self.sources[(number / self.targets.len()) % self.sources.len()];
            // Else a port is taken for all targets at once, and half of the range is left out.
            sockopt::set(&socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)?;
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        match socket.connect(&target.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            Err(error) => return Err(error),
        }
        Ok(TcpStream::from_std(socket.into()))
    }
}

/// What became of a connect; `None` while that is not known.
pub(crate) fn outcome(stream: &TcpStream) -> Option<io::Result<()>> {
    match SockRef::from(stream).take_error() {
        Ok(Some(error)) | Err(error) => return Some(Err(error)),
        Ok(None) => {}
    }
    match stream.peer_addr() {
        Ok(_) => Some(Ok(())),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => None,
        Err(error) => Some(Err(error)),
    }
}

/// Which counter an error of a connect belongs to.
pub(crate) fn kind(error: &io::Error) -> Count {
    match Errno::from_io_error(error) {
        Some(Errno::CONNREFUSED) => Count::ConnectRefused,
        Some(Errno::TIMEDOUT) => Count::ConnectTimeout,
        Some(Errno::CONNRESET | Errno::PIPE | Errno::CONNABORTED) => Count::ConnectReset,
        Some(Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::NETDOWN | Errno::HOSTDOWN) => {
            Count::ConnectUnreachable
        }
        Some(Errno::ADDRNOTAVAIL | Errno::ADDRINUSE) => Count::NoPorts,
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => Count::NoFiles,
        _ => Count::ConnectOther,
    }
}
