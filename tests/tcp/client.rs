//! A foreign client, written against the contract on the wire and with the standard library alone:
//! it shares no line of code with the server.

use std::fmt::Debug;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use socket2::{Domain, SockRef, Socket, Type};

/// How long anything may take that should come at once: generous, the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How frames are cut out of the stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// Text up to a line end.
    Line,
    /// `length:` and 13 digits before each frame.
    Lenhdr,
    /// Four bytes of length, big-endian, before each frame.
    Binary,
}

/// A connection to the daemon.
pub struct Client {
    stream: TcpStream,
    framing: Framing,
    /// Bytes read beyond the last frame that was asked for.
    ahead: Vec<u8>,
}

/// A delivered message, whatever its encoding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    pub id: u64,
    pub from: String,
    pub body: String,
    pub ack: bool,
}

impl Client {
    pub fn connect(addr: SocketAddr, framing: Framing) -> Self {
        let stream = TcpStream::connect_timeout(&addr, PATIENCE).unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream, framing)
    }

    /// Over a socket that is connected.
    pub fn over(stream: TcpStream, framing: Framing) -> Self {
        Self {
            stream,
            framing,
            ahead: Vec::new(),
        }
    }

    /// The same with next to no room for what it does not read.
    pub fn narrow(addr: SocketAddr, framing: Framing) -> Self {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(2_048).unwrap();
        socket.connect_timeout(&addr.into(), PATIENCE).unwrap();
        socket.set_tcp_nodelay(true).unwrap();
        Self {
            stream: socket.into(),
            framing,
            ahead: Vec::new(),
        }
    }

    /// The framing, for tests that run with all of them.
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// The socket, for what only one test does with it.
    pub fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap();
    }

    /// The same where the server may be gone already.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Sends one frame.
    pub fn say(&mut self, body: impl AsRef<[u8]>) {
        let frame = framed(self.framing, body.as_ref());
        self.send(frame);
    }

    /// The body of the next frame.
    pub fn hear(&mut self) -> Vec<u8> {
        match self.framing {
            Framing::Line => {
                let mut line = self.until_newline();
                assert_eq!(line.pop(), Some(b'\n'));
                line
            }
            Framing::Lenhdr => {
                let header = String::from_utf8(self.exactly(20)).unwrap();
                let digits = header.strip_prefix("length:").unwrap();
                assert!(digits.bytes().all(|byte| byte.is_ascii_digit()), "{header}");
                self.exactly(digits.parse().unwrap())
            }
            Framing::Binary => {
                let length = u32::from_be_bytes(self.exactly(4).try_into().unwrap());
                self.exactly(length as usize)
            }
        }
    }

    /// The next frame as text.
    pub fn hear_text(&mut self) -> String {
        String::from_utf8(self.hear()).unwrap()
    }

    /// The next frame as JSON.
    pub fn hear_json(&mut self) -> Value {
        let text = self.hear_text();
        serde_json::from_str(&text).unwrap()
    }

    /// Demands that the next frame is this.
    #[track_caller]
    pub fn hears(&mut self, wanted: impl AsRef<[u8]>) {
        let (got, wanted) = (self.hear(), wanted.as_ref());
        assert_eq!(readable(&got), readable(wanted));
    }

    /// Demands that the next frame is text that begins like this.
    #[track_caller]
    pub fn hears_some(&mut self, wanted: &str) -> String {
        let got = self.hear_text();
        assert!(got.starts_with(wanted), "wanted {wanted:?}, got {got:?}");
        got
    }

    /// Says one thing and demands that answer: for lines.
    #[track_caller]
    pub fn asks(&mut self, request: &str, answer: &str) {
        self.say(request);
        self.hears(answer);
    }

    /// Says one thing and demands an error of that code: for lines.
    #[track_caller]
    pub fn fails(&mut self, request: &str, code: &str) {
        self.say(request);
        self.hears_some(&format!("error {code} "));
    }

    /// Demands that everything sent so far is handled and nothing more was to be told. In lines.
    #[track_caller]
    pub fn fence(&mut self) {
        self.asks("ping", "pong");
    }

    /// Logs in, in any framing, and takes the answer.
    #[track_caller]
    pub fn login(&mut self, user: &str) {
        match self.framing {
            Framing::Line => self.say(format!("login {user}")),
            Framing::Lenhdr => self.say(format!(r#"{{"type":"login","user":"{user}"}}"#)),
            Framing::Binary => self.say([&[3][..], &string(user), &string("")].concat()),
        }
        let answer = self.hear();
        let wanted: &[u8] = match self.framing {
            Framing::Line => b"ok ",
            Framing::Lenhdr => br#"{"type":"ok","#,
            Framing::Binary => b"\x83",
        };
        assert!(answer.starts_with(wanted), "{}", readable(&answer));
    }

    /// The next frame, which must be a message.
    #[track_caller]
    pub fn message(&mut self) -> Message {
        let frame = self.hear();
        match self.framing {
            Framing::Line => line_message(std::str::from_utf8(&frame).unwrap()),
            Framing::Lenhdr => json_message(&frame),
            Framing::Binary => binary_message(&frame),
        }
    }

    /// The next `count` bytes.
    pub fn exactly(&mut self, count: usize) -> Vec<u8> {
        let deadline = Instant::now() + PATIENCE;
        while self.ahead.len() < count {
            self.more(deadline);
        }
        let rest = self.ahead.split_off(count);
        std::mem::replace(&mut self.ahead, rest)
    }

    fn until_newline(&mut self) -> Vec<u8> {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = 0;
        loop {
            let at = self.ahead[seen..].iter().position(|&byte| byte == b'\n');
            if let Some(at) = at {
                return self.exactly(seen + at + 1);
            }
            seen = self.ahead.len();
            self.more(deadline);
        }
    }

    /// Reads something or panics.
    fn more(&mut self, deadline: Instant) {
        let before = self.ahead.len();
        let read = self.read_until(deadline);
        let have = readable(&self.ahead);
        match read {
            Ok(true) if self.ahead.len() > before => {}
            Ok(true) => panic!("the server closed; so far: {have}"),
            Ok(false) => panic!("nothing came in time; so far: {have}"),
            Err(error) => panic!("{error}; so far: {have}"),
        }
    }

    /// Reads once; `Ok(false)` where nothing came until the deadline.
    fn read_until(&mut self, deadline: Instant) -> std::io::Result<bool> {
        let mut buffer = [0; 65_536];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut buffer) {
                Ok(count) => {
                    self.ahead.extend_from_slice(&buffer[..count]);
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// All that comes until the server closes or resets; the flag tells whether it was a reset.
    pub fn rest(&mut self) -> (Vec<u8>, bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let before = self.ahead.len();
            match self.read_until(deadline) {
                Ok(true) if self.ahead.len() == before => break,
                Ok(true) => {}
                Ok(false) => panic!("the server does not close: {}", readable(&self.ahead)),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    return (std::mem::take(&mut self.ahead), true);
                }
                Err(error) => panic!("{error}"),
            }
        }
        (std::mem::take(&mut self.ahead), false)
    }

    /// Demands that nothing more comes but the end of the stream.
    #[track_caller]
    pub fn eof(&mut self) {
        let (rest, reset) = self.rest();
        assert_eq!(readable(&rest), "");
        assert!(!reset, "reset instead of a close");
    }

    /// Demands that nothing more comes, and either a close or a reset.
    #[track_caller]
    pub fn gone(&mut self) {
        let (rest, _) = self.rest();
        assert_eq!(readable(&rest), "");
    }

    /// Demands the last word, in any framing, and the end of the stream after it.
    #[track_caller]
    pub fn closes(&mut self, reason: &str) {
        let (reason_heard, _) = self.goodbye();
        assert_eq!(reason_heard, reason);
        self.eof();
    }

    /// The next frame, which must be a close: its reason and its milliseconds.
    #[track_caller]
    pub fn goodbye(&mut self) -> (String, Option<u64>) {
        let frame = self.hear();
        let shown = readable(&frame);
        match self.framing {
            Framing::Line => {
                let mut words = std::str::from_utf8(&frame).unwrap().split(' ');
                assert_eq!(words.next(), Some("close"), "{shown}");
                let reason = words.next().unwrap().to_owned();
                (reason, words.next().map(|ms| ms.parse().unwrap()))
            }
            Framing::Lenhdr => {
                let json: Value = serde_json::from_slice(&frame).unwrap();
                assert_eq!(json["type"], "close", "{shown}");
                let reason = json["reason"].as_str().unwrap().to_owned();
                (reason, json["reconnect_ms"].as_u64())
            }
            Framing::Binary => {
                assert_eq!(frame[0], 0x86, "{shown}");
                let (reason, rest) = take_string(&frame[1..]);
                let ms = u64::from(u32::from_be_bytes(rest.try_into().unwrap()));
                (reason, (ms > 0).then_some(ms))
            }
        }
    }

    /// Demands that nothing comes for so long: only where silence itself is what is promised.
    #[track_caller]
    pub fn quiet(&mut self, span: Duration) {
        let read = self.read_until(Instant::now() + span);
        assert!(matches!(read, Ok(false)), "{read:?}");
        assert_eq!(readable(&self.ahead), "");
    }

    /// Says that nothing more will come (FIN).
    pub fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Resets the connection.
    pub fn reset(self) {
        let now = Some(Duration::ZERO);
        SockRef::from(&self.stream).set_linger(now).unwrap();
    }
}

/// A frame around a body.
pub fn framed(framing: Framing, body: &[u8]) -> Vec<u8> {
    match framing {
        Framing::Line => [body, b"\n"].concat(),
        Framing::Lenhdr => [format!("length:{:013}", body.len()).as_bytes(), body].concat(),
        Framing::Binary => {
            let length = u32::try_from(body.len()).unwrap();
            [&length.to_be_bytes()[..], body].concat()
        }
    }
}

/// A string of the binary encoding.
pub fn string(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}

/// Bytes as a person can read them in a failed test.
pub fn readable(bytes: &[u8]) -> String {
    let shown = bytes.escape_ascii().to_string();
    match shown.char_indices().nth(2_000) {
        Some((at, _)) => format!("{}... ({} bytes)", &shown[..at], bytes.len()),
        None => shown,
    }
}

/// Tries until it succeeds, for what has no event of its own to wait for.
#[track_caller]
pub fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(done) = attempt() {
            return done;
        }
        std::thread::yield_now();
    }
    panic!("never: {what}");
}

fn line_message(line: &str) -> Message {
    let mut words = line.splitn(4, ' ');
    let ack = match words.next() {
        Some("msg") => false,
        Some("msga") => true,
        _ => panic!("not a message: {line}"),
    };
    Message {
        ack,
        id: words.next().unwrap().parse().unwrap(),
        from: words.next().unwrap().to_owned(),
        body: words.next().unwrap().to_owned(),
    }
}

/// The body is given as JSON text, so that numbers stay as they were written.
fn json_message(frame: &[u8]) -> Message {
    #[derive(serde::Deserialize)]
    struct Parts<'a> {
        r#type: &'a str,
        id: u64,
        from: &'a str,
        topic: Option<&'a str>,
        #[serde(default)]
        ack: bool,
        #[serde(borrow)]
        body: &'a serde_json::value::RawValue,
    }
    let shown = readable(frame);
    let parts: Parts<'_> = serde_json::from_slice(frame).expect(&shown);
    assert_eq!(parts.r#type, "msg", "{shown}");
    let from = match parts.topic {
        Some(topic) => format!("topic:{topic}/{}", parts.from),
        None => parts.from.to_owned(),
    };
    Message {
        ack: parts.ack,
        id: parts.id,
        from,
        body: parts.body.get().to_owned(),
    }
}

fn binary_message(frame: &[u8]) -> Message {
    let ack = match frame[0] {
        0x85 => false,
        0x87 => true,
        _ => panic!("not a message: {}", readable(frame)),
    };
    let (id, rest) = frame[1..].split_at(8);
    let (from, body) = take_string(rest);
    Message {
        ack,
        id: u64::from_be_bytes(id.try_into().unwrap()),
        from,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

fn take_string(bytes: &[u8]) -> (String, &[u8]) {
    let (length, rest) = bytes.split_at(2);
    let length = usize::from(u16::from_be_bytes(length.try_into().unwrap()));
    let (text, rest) = rest.split_at(length);
    (String::from_utf8(text.to_vec()).unwrap(), rest)
}
