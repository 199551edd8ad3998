//! Listening sockets: those of TCP, and a Unix socket for the admin interface.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use mio::Registry;
use mio::net::{TcpListener, TcpStream, UnixListener};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, SockAddr, Socket, Type};

/// A listening socket.
#[derive(Debug)]
pub struct MioListener(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    /// With its place in the file system, which it leaves behind unless it is removed.
    Unix(UnixListener, PathBuf),
}

impl MioListener {
    pub(super) fn tcp(listener: TcpListener) -> Self {
        Self(Kind::Tcp(listener))
    }

    /// Binds a Unix socket for its owner alone.
    pub(super) fn unix(path: &Path) -> io::Result<Self> {
        let addr = SockAddr::unix(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        if let Err(error) = socket.bind(&addr) {
            if error.kind() != io::ErrorKind::AddrInUse || !is_abandoned(path, &addr) {
                return Err(error);
            }
            std::fs::remove_file(path)?;
            socket.bind(&addr)?;
        }
        // Nobody can connect before it listens.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        socket.listen(128)?;
        let listener = UnixListener::from_std(OwnedFd::from(socket).into());
        Ok(Self(Kind::Unix(listener, path.to_owned())))
    }

    pub(super) fn register(&mut self, registry: &Registry, token: mio::Token) -> io::Result<()> {
        let interest = mio::Interest::READABLE;
        match &mut self.0 {
            Kind::Tcp(listener) => registry.register(listener, token, interest),
            Kind::Unix(listener, _) => registry.register(listener, token, interest),
        }
    }

    /// The next connection. A stream is a bare descriptor, of whatever family.
    pub(super) fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match &self.0 {
            Kind::Tcp(listener) => listener.accept(),
            Kind::Unix(listener, _) => {
                let (stream, _) = listener.accept()?;
                let stream = TcpStream::from(OwnedFd::from(stream));
                Ok((stream, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))
            }
        }
    }

    /// Whether somebody waits to be accepted.
    pub(super) fn has_newcomer(&self) -> bool {
        let mut asked = [PollFd::new(self, PollFlags::IN)];
        poll(&mut asked, Some(&Timespec::default())).is_ok_and(|count| count > 0)
    }

    pub(super) fn close(mut self, registry: &Registry) {
        let _ = match &mut self.0 {
            Kind::Tcp(listener) => registry.deregister(listener),
            Kind::Unix(listener, path) => {
                let _ = std::fs::remove_file(path);
                registry.deregister(listener)
            }
        };
    }
}

impl AsFd for MioListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            Kind::Tcp(listener) => listener.as_fd(),
            Kind::Unix(listener, _) => listener.as_fd(),
        }
    }
}

/// Whether there is a socket that nobody listens on.
fn is_abandoned(path: &Path, addr: &SockAddr) -> bool {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
    let knock = || {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.connect(addr)
    };
    is_socket && knock().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}
