//! A foreign HTTP client over a bare socket: it knows no shortcut of the server's.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use serde_json::Value;

use crate::client::PATIENCE;

/// A connection to the admin interface.
pub struct Http {
    stream: TcpStream,
    /// Bytes read beyond the last answer.
    ahead: Vec<u8>,
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Http {
    pub fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&addr, PATIENCE).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream,
            ahead: Vec::new(),
        }
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// The same where the server may be gone already.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    pub fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Asks with GET and reads the answer.
    pub fn get(&mut self, target: &str) -> Reply {
        self.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        self.reply()
    }

    /// Asks with a JSON body and reads the answer.
    pub fn ask(&mut self, method: &str, target: &str, body: &str) -> Reply {
        self.send(format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        self.reply()
    }

    pub fn post(&mut self, target: &str, body: &str) -> Reply {
        self.ask("POST", target, body)
    }

    /// The JSON of a page that must be there.
    #[track_caller]
    pub fn json(&mut self, target: &str) -> Value {
        let reply = self.get(target);
        assert_eq!(reply.status, 200, "{target}: {}", reply.text());
        reply.json()
    }

    /// Reads an answer.
    pub fn reply(&mut self) -> Reply {
        let mut reply = self.head();
        reply.body = match reply.header("transfer-encoding") {
            Some("chunked") => {
                let mut body = Vec::new();
                while let Some(chunk) = self.chunk() {
                    body.extend(chunk);
                }
                body
            }
            _ => match reply.header("content-length") {
                Some(length) => self.exactly(length.parse().unwrap()),
                None => self.rest(),
            },
        };
        reply
    }

    /// Reads the head of an answer.
    pub fn head(&mut self) -> Reply {
        let end = loop {
            let found = self.ahead.windows(4).position(|four| four == b"\r\n\r\n");
            match found {
                Some(at) => break at + 4,
                None => assert!(self.more(), "no answer, but {:?}", self.shown()),
            }
        };
        let head: Vec<u8> = self.ahead.drain(..end).collect();
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(head.starts_with("HTTP/1.1 "), "{head}");
        Reply {
            status,
            head,
            body: Vec::new(),
        }
    }

    /// Reads a chunk; `None` is the last one.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = self.line();
        let size = usize::from_str_radix(&size, 16).unwrap();
        let chunk = self.exactly(size);
        assert_eq!(self.exactly(2), b"\r\n");
        (size > 0).then_some(chunk)
    }

    fn line(&mut self) -> String {
        let at = loop {
            match self.ahead.windows(2).position(|two| two == b"\r\n") {
                Some(at) => break at,
                None => assert!(self.more(), "no line, but {:?}", self.shown()),
            }
        };
        let line = self.exactly(at);
        self.exactly(2);
        String::from_utf8(line).unwrap()
    }

    fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.ahead.len() < count {
            assert!(self.more(), "the answer ends early: {:?}", self.shown());
        }
        self.ahead.drain(..count).collect()
    }

    /// All that comes until the server closes.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.ahead)
    }

    fn more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1_024];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(count) => {
                self.ahead.extend_from_slice(&buffer[..count]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error}, after {:?}", self.shown()),
        }
    }

    fn shown(&self) -> String {
        self.ahead.escape_ascii().to_string()
    }
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// Demands an error of that status and code.
    #[track_caller]
    pub fn refuses(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{}", self.text());
        let told = self.json();
        assert_eq!(told["error"], code, "{told}");
        assert!(told["text"].as_str().is_some_and(|text| !text.is_empty()));
        assert_eq!(told.as_object().unwrap().len(), 2, "{told}");
    }
}
