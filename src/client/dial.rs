//! From a name to a connection, each step within a deadline.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::event::Lost;

/// The addresses behind `HOST:PORT`.
///
/// The system's resolver takes as long as it likes: it is asked by a thread that may be left alone.
pub(crate) fn resolve(place: &str, patience: Duration) -> Result<Vec<SocketAddr>, Lost> {
    if let Ok(addr) = place.parse() {
        return Ok(vec![addr]);
    }
    let (told, answer) = channel();
    let asked = place.to_owned();
    let spawned = std::thread::Builder::new()
        .name("resolve".into())
        .spawn(move || told.send(asked.to_socket_addrs().map(Iterator::collect)));
    spawned.map_err(|error| of(&error))?;
    let found: io::Result<Vec<SocketAddr>> = match answer.recv_timeout(patience) {
        Ok(found) => found,
        Err(RecvTimeoutError::Timeout) => return Err(Lost::ConnectTimeout(patience)),
        Err(RecvTimeoutError::Disconnected) => Err(io::ErrorKind::NotFound.into()),
    };
    match found {
        Ok(addrs) if !addrs.is_empty() => Ok(addrs),
        Ok(_) => Err(Lost::NameNotFound("it has no address".into())),
        Err(error) => Err(Lost::NameNotFound(error.to_string().into())),
    }
}

/// Begins to connect; the socket turns writable when that is decided.
pub(super) fn begin(addr: SocketAddr, keepalive: Option<Duration>) -> Result<TcpStream, Lost> {
    crate::net::mio::dial::begin(addr, None, keepalive).map_err(|error| of(&error))
}

/// What an error of a socket means.
pub(crate) fn of(error: &io::Error) -> Lost {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::ConnectionRefused => Lost::Refused,
        Kind::ConnectionReset | Kind::BrokenPipe | Kind::ConnectionAborted => Lost::Reset,
        Kind::HostUnreachable
        | Kind::NetworkUnreachable
        | Kind::NetworkDown
        | Kind::AddrNotAvailable
        | Kind::PermissionDenied
        | Kind::InvalidInput => Lost::Unreachable(error.to_string().into()),
        _ => Lost::Io(error.to_string().into()),
    }
}

/// An address that drops whatever comes, since its queue is full; for as long as that is held.
#[cfg(test)]
pub(crate) fn silent() -> (SocketAddr, Vec<socket2::Socket>) {
    use socket2::{Domain, Socket, Type};
    let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let full = socket();
    full.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    full.listen(0).unwrap();
    let at = full.local_addr().unwrap();
    let mut held: Vec<_> = (0..4).map(|_| socket()).collect();
    for socket in &held {
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&at);
    }
    held.push(full);
    (at.as_socket().unwrap(), held)
}
