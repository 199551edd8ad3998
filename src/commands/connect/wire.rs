//! The connection of `connect`: a client, or with `--raw` nothing but frames; and everything that
//! happens in one queue.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::Builder;
use std::time::{Duration, Instant};

use super::clock;
use super::tell::News;
use crate::client::{Client, Event, GaveUp, Lost, RequestId, dial};
use crate::codec::framing::{Found, Framing};
use crate::codec::message::{Request, parse_line};
use crate::commands::{Problem, note};

/// What can happen.
pub(super) enum Input {
    /// A line was typed.
    Line(String),
    /// No more will be.
    LinesEnd,
    News(News),
}

/// Where requests go.
pub(super) enum Wire {
    Client(Arc<Client>),
    Raw(TcpStream, Framing),
}

/// What became of a line.
pub(super) enum Said {
    /// The answer to this will come.
    Asked(RequestId),
    /// There is nothing to wait for.
    Sent,
}

impl Wire {
    /// A client's events go to `inputs` from now on.
    pub(super) fn of_client(client: Client, inputs: SyncSender<Input>) -> Result<Self, Problem> {
        let client = Arc::new(client);
        let followed = Arc::clone(&client);
        thread("events", move || {
            while let Some(event) = followed.recv() {
                if inputs.send(Input::News(News::Event(event))).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self::Client(client))
    }

    /// Connects without a client; the frames that come go to `inputs`.
    pub(super) fn raw(
        place: &str,
        framing: Framing,
        patience: Duration,
        inputs: SyncSender<Input>,
    ) -> Result<Self, Problem> {
        let failed = |lost: Lost| Problem::Run(format!("{place}: {lost}"));
        let stream = connect(place, patience).map_err(failed)?;
        let set = stream
            .set_nodelay(true)
            .and_then(|()| stream.set_write_timeout(Some(patience)));
        let halves = set.and_then(|()| stream.try_clone());
        let reader = halves.map_err(|error| failed(Lost::Io(error.to_string().into())))?;
        thread("frames", move || {
            let _ = inputs.send(Input::News(News::Opened));
            let why = hear(reader, ear(framing), &inputs);
            let _ = inputs.send(Input::News(News::Closed(why)));
        })?;
        Ok(Self::Raw(stream, framing))
    }

    /// Says a line; why not, where it can not be said.
    pub(super) fn say(&self, line: &str) -> Result<Said, String> {
        match self {
            Self::Client(client) => match parse_line(line).map_err(|wrong| wrong.to_string())? {
                Request::Quit => {
                    client.quit();
                    Ok(Said::Sent)
                }
                words => client
                    .request(&words)
                    .map(Said::Asked)
                    .map_err(|refused| refused.to_string()),
            },
            Self::Raw(_, framing) => {
                let mut frame = Vec::new();
                let fits = framing.encode(line.as_bytes(), &mut frame);
                fits.map_err(|unfit| unfit.to_string())?;
                self.write(&frame).map(|()| Said::Sent)
            }
        }
    }

    /// Hands bytes to the system in one piece; only a connection without a client takes them.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<(), String> {
        let Self::Raw(stream, _) = self else {
            return Err(String::from("a client says whole requests"));
        };
        let mut stream = stream;
        stream.write_all(bytes).map_err(|error| error.to_string())
    }

    /// Says goodbye; the end follows.
    pub(super) fn quit(&self) {
        match self {
            Self::Client(client) => client.quit(),
            // It may be gone already.
            Self::Raw(stream, _) => drop(stream.shutdown(Shutdown::Write)),
        }
    }
}

/// Puts the lines of stdin into the queue.
pub(super) fn follow_stdin(inputs: SyncSender<Input>) -> Result<(), Problem> {
    thread("lines", move || {
        for line in io::stdin().lines() {
            match line {
                Ok(line) => {
                    if inputs.send(Input::Line(line)).is_err() {
                        return;
                    }
                }
                // Such a line is read to its end, and the next one may be better.
                Err(error) if error.kind() == ErrorKind::InvalidData => {
                    note("not sent: the line is not UTF-8");
                }
                Err(error) => {
                    note(&format!("stdin: {error}"));
                    break;
                }
            }
        }
        let _ = inputs.send(Input::LinesEnd);
    })
}

/// Whether nothing follows, and how it ended where that is no failure.
pub(super) fn is_end(news: &News) -> Option<Option<String>> {
    match news {
        News::Closed(why) => Some(Some(why.clone()).filter(|why| why != CLOSED)),
        News::Event(Event::GaveUp(GaveUp::Quit)) => Some(None),
        News::Event(Event::GaveUp(GaveUp::Told(lost))) => Some(Some(lost.to_string())),
        News::Event(Event::GaveUp(why)) => Some(Some(format!("gave up: {why}"))),
        _ => None,
    }
}

/// Ends with the process.
fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), Problem> {
    let spawned = Builder::new().name(name.to_owned()).spawn(run);
    let failed = |error: io::Error| Problem::Run(format!("no thread: {error}"));
    spawned.map(drop).map_err(failed)
}

/// All within the deadline: the name has its part of it, and of the rest each address a share.
fn connect(place: &str, patience: Duration) -> Result<TcpStream, Lost> {
    let until = clock::after(patience);
    connect_to(&dial::resolve(place, patience)?, patience, until)
}

fn connect_to(
    addrs: &[SocketAddr],
    patience: Duration,
    until: Option<Instant>,
) -> Result<TcpStream, Lost> {
    let mut last = Lost::ConnectTimeout(patience);
    for (others, addr) in (0..addrs.len()).rev().zip(addrs) {
        let left = until.map_or(Some(patience), clock::left);
        let share = left.unwrap_or_default() / u32::try_from(others + 1).unwrap_or(u32::MAX);
        if share.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(addr, share) {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                last = Lost::ConnectTimeout(patience);
            }
            Err(error) => last = dial::of(&error),
        }
    }
    Err(last)
}

/// The framing of what a server says: it writes a header and strips nothing.
fn ear(framing: Framing) -> Framing {
    match framing {
        Framing::Binary(mut layout) => {
            layout.strip = None;
            Framing::Binary(layout)
        }
        Framing::LenHdr { .. } => Framing::LenHdr { bare_ping: false },
        other => other,
    }
}

/// Reads frames until the end; why it came.
fn hear(mut stream: impl Read, framing: Framing, inputs: &SyncSender<Input>) -> String {
    let (mut kept, mut buffer) = (Vec::new(), [0; 16 * 1_024]);
    loop {
        let count = match stream.read(&mut buffer) {
            Ok(0) => return String::from(CLOSED),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                return Lost::Reset.to_string();
            }
            Err(error) => return error.to_string(),
        };
        let mut scanned = kept.len();
        kept.extend_from_slice(&buffer[..count]);
        let mut taken = 0;
        loop {
            match framing.find(&kept[taken..], scanned, HEARD_MAX) {
                Ok(Found::Frame { body, consumed }) => {
                    let body = kept[taken..][body].to_vec();
                    taken += consumed;
                    if inputs.send(Input::News(News::Heard(body))).is_err() {
                        return String::from(CLOSED);
                    }
                }
                Ok(Found::Beat { consumed }) => taken += consumed,
                Ok(Found::More) => break,
                Err(error) => return format!("what comes is no frame of this framing: {error}"),
            }
            scanned = 0;
        }
        kept.drain(..taken);
    }
}

/// The good end of a connection without a client.
const CLOSED: &str = "closed by the server";
/// Bytes of a frame at most.
const HEARD_MAX: usize = 1 << 20;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]
mod tests {
    use super::*;
    use crate::client::dial::silent;

    #[test]
    fn however_many_addresses_say_nothing_the_deadline_is_the_same() {
        let (addr, _held) = silent();
        let patience = Duration::from_secs(1);
        let end = clock::after(2 * patience).unwrap();
        let lost = connect_to(&[addr; 4], patience, clock::after(patience)).unwrap_err();
        assert_eq!(lost, Lost::ConnectTimeout(patience));
        assert!(clock::left(end).is_some());
    }
}
