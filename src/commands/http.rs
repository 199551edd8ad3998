//! A client for the admin interface that blocks: one request a connection, each wait bounded.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;

use super::place::Place;
use super::{Problem, shown};

/// How long the daemon may say nothing.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer's head at most, and of an answer.
const HEAD_MAX: usize = 16 * 1_024;
const ANSWER_MAX: u64 = 64 << 20;
const FIELDS_MAX: usize = 32;

/// A daemon's admin interface.
pub(crate) struct Admin {
    pub(crate) place: Place,
    pub(crate) token: Option<String>,
}

/// An answer: as it came, and read.
pub(crate) struct Told {
    pub(crate) text: String,
    pub(crate) json: Value,
}

/// The connection, of either kind.
trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

/// The body of an answer.
pub(crate) struct Body {
    wire: BufReader<Box<dyn Wire>>,
    left: Left,
}

/// What is left of a body.
enum Left {
    /// So many bytes.
    Bytes(u64),
    /// So many of a chunk, and then more chunks.
    Chunk(u64),
    /// What comes until the daemon closes.
    All,
}

impl Admin {
    /// Asks for something.
    pub(crate) fn get(&self, target: &str) -> Result<Told, Problem> {
        self.ask("GET", target, "")
    }

    /// Has something done.
    pub(crate) fn post(&self, target: &str, body: &Value) -> Result<Told, Problem> {
        self.ask("POST", target, &body.to_string())
    }

    /// Sends a request and reads its answer.
    pub(crate) fn ask(&self, method: &str, target: &str, body: &str) -> Result<Told, Problem> {
        let body = self.begin(method, target, body, PATIENCE)?;
        let text = self.whole(body)?;
        let json = serde_json::from_str(&text).map_err(|_| self.foreign())?;
        Ok(Told { text, json })
    }

    /// Begins to read an answer that comes bit by bit, with pauses of at most `patience`.
    pub(crate) fn stream(&self, target: &str, patience: Duration) -> Result<Body, Problem> {
        self.begin("GET", target, "", patience)
    }

    /// What went wrong there.
    pub(crate) fn broke(&self, error: &io::Error) -> Problem {
        let why = match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => String::from("no answer in time"),
            ErrorKind::UnexpectedEof => String::from("the answer broke off"),
            _ => error.to_string(),
        };
        Problem::Run(format!("{}: {why}", self.place))
    }

    fn foreign(&self) -> Problem {
        let place = &self.place;
        Problem::Run(format!(
            "{place}: what answers there is no admin interface of pulsegate"
        ))
    }

    fn begin(
        &self,
        method: &str,
        target: &str,
        body: &str,
        patience: Duration,
    ) -> Result<Body, Problem> {
        let wire = connect(&self.place, patience);
        let mut wire = wire.map_err(|error| {
            let place = &self.place;
            Problem::Run(format!("{place}: no daemon is reached there: {error}"))
        })?;
        let mut request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            self.place.host()
        );
        if let Some(token) = &self.token {
            request += &format!("Authorization: Bearer {token}\r\n");
        }
        if method != "GET" {
            let length = body.len();
            request += "Content-Type: application/json\r\n";
            request += &format!("Content-Length: {length}\r\n");
        }
        request += "\r\n";
        request += body;
        // Who refuses a request may close before all of it is sent: the answer says more.
        let sent = wire.write_all(request.as_bytes());
        let mut wire = BufReader::new(wire);
        let head = head(&mut wire);
        let head = head.map_err(|error| self.broke(&sent.err().unwrap_or(error)))?;
        let (status, left) = read_head(&head).ok_or_else(|| self.foreign())?;
        let body = Body { wire, left };
        if status == 200 {
            return Ok(body);
        }
        Err(self.refused(status, &self.whole(body)?))
    }

    fn whole(&self, body: Body) -> Result<String, Problem> {
        let mut bytes = Vec::new();
        let read = body.take(ANSWER_MAX).read_to_end(&mut bytes);
        read.map_err(|error| self.broke(&error))?;
        String::from_utf8(bytes).map_err(|_| self.foreign())
    }

    /// Why it was refused, in the daemon's words.
    fn refused(&self, status: u16, text: &str) -> Problem {
        let told: Value = serde_json::from_str(text).unwrap_or_default();
        let (Some(code), Some(why)) = (told["error"].as_str(), told["text"].as_str()) else {
            return match status {
                404 => Problem::Missing(format!("{}: 404, nothing of that name", self.place)),
                _ => self.foreign(),
            };
        };
        let hint = match (status, &self.token) {
            (401, None) => "; it wants a token: --token-file",
            (401, Some(_)) => "; the token is another one",
            _ => "",
        };
        let code = shown(code);
        // Each of several mistakes has a line of its own.
        let lines: Vec<String> = why.lines().map(shown).collect();
        let why = match &lines[..] {
            [one] => format!(" {one}"),
            many => many.iter().map(|line| format!("\n  {line}")).collect(),
        };
        let text = format!("{}: {status} {code}:{why}{hint}", self.place);
        if matches!((status, &code[..]), (404, _) | (503, "unavailable")) {
            Problem::Missing(text)
        } else {
            Problem::Run(text)
        }
    }
}

fn connect(place: &Place, patience: Duration) -> io::Result<Box<dyn Wire>> {
    match place {
        Place::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(patience))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            Ok(Box::new(stream))
        }
        Place::Http(host) => {
            let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
            for addr in host.to_socket_addrs()? {
                match TcpStream::connect_timeout(&addr, PATIENCE) {
                    Ok(stream) => {
                        stream.set_read_timeout(Some(patience))?;
                        stream.set_write_timeout(Some(PATIENCE))?;
                        return Ok(Box::new(stream));
                    }
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
    }
}

/// The head of an answer, with the empty line.
fn head(wire: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let room = HEAD_MAX.saturating_sub(head.len()) as u64;
        if wire.by_ref().take(room).read_until(b'\n', &mut head)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

/// The status, and how long the body is; `None` where it is no answer of HTTP.
fn read_head(head: &[u8]) -> Option<(u16, Left)> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut answer = httparse::Response::new(&mut fields);
    answer.parse(head).ok()?;
    let field = |name: &str| {
        let mut fields = answer.headers.iter();
        let found = fields.find(|field| field.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    let left = match (field("transfer-encoding"), field("content-length")) {
        (Some("chunked"), None) => Left::Chunk(0),
        (None, Some(length)) => Left::Bytes(length.parse().ok()?),
        (None, None) => Left::All,
        _ => return None,
    };
    Some((answer.code?, left))
}

impl Body {
    /// The next line with its end; empty at the end of the body.
    pub(crate) fn line(&mut self, line: &mut String) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut byte = [0];
        while bytes.last() != Some(&b'\n') && self.read(&mut byte)? == 1 {
            bytes.push(byte[0]);
            if bytes.len() as u64 > ANSWER_MAX {
                return Err(ErrorKind::InvalidData.into());
            }
        }
        *line = String::from_utf8(bytes).map_err(|_| ErrorKind::InvalidData)?;
        Ok(())
    }

    /// The size of the next chunk.
    fn size(&mut self) -> io::Result<u64> {
        let mut line = Vec::new();
        // The end of the chunk before stands in a line that is empty.
        while line.trim_ascii().is_empty() {
            line.clear();
            if self.wire.by_ref().take(64).read_until(b'\n', &mut line)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        let text = std::str::from_utf8(line.trim_ascii()).unwrap_or_default();
        u64::from_str_radix(text, 16).map_err(|_| ErrorKind::InvalidData.into())
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Left::Chunk(0) = self.left {
            let size = self.size()?;
            self.left = if size == 0 {
                Left::Bytes(0)
            } else {
                Left::Chunk(size)
            };
        }
        let (Left::Bytes(left) | Left::Chunk(left)) = &mut self.left else {
            return self.wire.read(buffer);
        };
        let count = self.wire.by_ref().take(*left).read(buffer)?;
        if count == 0 && *left > 0 && !buffer.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        *left -= count as u64;
        Ok(count)
    }
}
