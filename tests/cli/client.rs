//! A client of the wire, written with the standard library alone.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::program::PATIENCE;

/// A connection to a daemon.
pub struct Client(BufReader<TcpStream>);

impl Client {
    pub fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&addr, PATIENCE).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self::over(stream)
    }

    /// Over a connection that has been made.
    pub fn over(stream: TcpStream) -> Self {
        Self(BufReader::new(stream))
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// The next line, without its end.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        assert_eq!(line.pop(), Some('\n'), "{line:?}");
        line
    }

    /// Sends a line and demands this answer.
    #[track_caller]
    pub fn asks(&mut self, request: &str, answer: &str) {
        self.send(format!("{request}\n"));
        assert_eq!(self.line(), answer);
    }

    /// Demands that the loop is alive and has handled what was sent before.
    #[track_caller]
    pub fn fence(&mut self) {
        self.asks("ping", "pong");
    }

    /// Logs in.
    #[track_caller]
    pub fn login(&mut self, user: &str) {
        self.asks(&format!("login {user}"), "ok heartbeat=20000 proto=1");
    }

    /// The next bytes.
    pub fn exactly(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// All that comes until the server closes.
    pub fn rest(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes).unwrap();
        bytes
    }

    /// The same as text.
    pub fn text(self) -> String {
        String::from_utf8(self.rest()).unwrap()
    }

    /// The same where the server may reset; whether it did.
    pub fn ends_by_reset(mut self) -> bool {
        self.0.read_to_end(&mut Vec::new()).is_err()
    }
}
