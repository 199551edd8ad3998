//! A small client of the admin interface.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// A connection that is kept.
pub(crate) struct Http {
    stream: TcpStream,
    /// Bytes read beyond the last answer.
    ahead: Vec<u8>,
}

impl Http {
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("it listens");
        stream.set_nodelay(true).expect("an option");
        Self {
            stream,
            ahead: Vec::new(),
        }
    }

    /// The body of a page that must be there.
    pub(crate) fn get(&mut self, target: &str) -> String {
        self.ask(&format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    }

    /// What something that must succeed is answered with.
    pub(crate) fn post(&mut self, target: &str, body: &str) -> String {
        let length = body.len();
        self.ask(&format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ))
    }

    fn ask(&mut self, request: &str) -> String {
        self.stream.write_all(request.as_bytes()).expect("it reads");
        let head = self.until(b"\r\n\r\n").to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        let body = if head.contains("transfer-encoding: chunked") {
            self.chunks()
        } else {
            let length = head.split("content-length: ").nth(1).expect("a length");
            let length = length.lines().next().and_then(|line| line.parse().ok());
            self.exactly(length.expect("a number"))
        };
        String::from_utf8(body).expect("text")
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let size = self.until(b"\r\n");
            let size = usize::from_str_radix(size.trim_end(), 16).expect("a size");
            body.extend(self.exactly(size));
            assert_eq!(self.exactly(2), b"\r\n");
            if size == 0 {
                return body;
            }
        }
    }

    fn until(&mut self, end: &[u8]) -> String {
        loop {
            let found = memchr::memmem::find(&self.ahead, end);
            if let Some(at) = found {
                let text = self.exactly(at + end.len());
                return String::from_utf8(text).expect("text");
            }
            self.more();
        }
    }

    fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.ahead.len() < count {
            self.more();
        }
        self.ahead.drain(..count).collect()
    }

    fn more(&mut self) {
        let mut buffer = [0; 64 * 1_024];
        let count = self.stream.read(&mut buffer).expect("it answers");
        assert!(count > 0, "it stays open");
        self.ahead.extend_from_slice(&buffer[..count]);
    }
}
