//! A script in progress, over whatever net.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::time::Duration;

use pulsegate::net::{AcceptFault, Ending, Net, Ready, SocketOptions};
use pulsegate::{ConnId, ListenerId, Token};

use self::Step::*;
use super::rigs::Rig;

/// One thing that the server or a peer does; peers and connections are numbered in order.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    // peers
    Dial,
    Say(usize, &'static str),
    Fin(usize),
    Reset(usize),
    Leave(usize),
    /// Reads what has come, and its end.
    Hear(usize),
    // the server
    Wait,
    Accept,
    Register(usize),
    Read(usize, usize),
    Peek(usize),
    Write(usize, &'static str),
    /// Writes until the socket takes no more.
    Fill(usize),
    Shut(usize),
    Finish(usize, &'static str),
    Close(usize, Ending),
    Unlisten,
    Wake,
}

/// A script in progress.
struct Play<'a, R: Rig> {
    rig: &'a mut R,
    listener: Option<<R::Net as Net>::Listener>,
    addr: SocketAddr,
    streams: Vec<Option<<R::Net as Net>::Stream>>,
    /// Bytes that a socket was filled with.
    filled: usize,
    told: Vec<String>,
}

pub(super) const LISTENER: Token = Token::Listener(ListenerId(0));

pub(super) fn play<R: Rig>(rig: &mut R, steps: impl Iterator<Item = Step>) -> Vec<String> {
    let place = rig.place();
    let options = SocketOptions::default();
    let listening = rig.net().listen(place, &options, LISTENER);
    let (listener, addr) = listening.expect("it listens");
    let mut play = Play {
        rig,
        listener: Some(listener),
        addr,
        streams: Vec::new(),
        filled: 0,
        told: Vec::new(),
    };
    for step in steps {
        let told = play.act(step);
        play.told.push(format!("{step:?}: {told}"));
    }
    let Play {
        rig, told, streams, ..
    } = play;
    for stream in streams.into_iter().flatten() {
        rig.net().close(stream, Ending::Abort).expect("closes");
    }
    told
}

impl<R: Rig> Play<'_, R> {
    fn act(&mut self, step: Step) -> String {
        match step {
            Dial => format!("{}", self.rig.dial(self.addr)),
            Say(peer, text) => self.done(|rig| rig.say(peer, text)),
            Fin(peer) => self.done(|rig| rig.fin(peer)),
            Reset(peer) => self.done(|rig| rig.reset(peer)),
            Leave(peer) => self.done(|rig| rig.leave(peer)),
            Hear(peer) => {
                let (bytes, end) = self.rig.hear(peer);
                match std::mem::take(&mut self.filled) {
                    0 => format!("{} {end}", bytes.escape_ascii()),
                    filled => format!("all of it: {} {end}", filled == bytes.len()),
                }
            }
            Wait => self.wait(),
            Accept => match self.rig.net().accept(self.listener.as_ref().expect("open")) {
                Ok((stream, _)) => {
                    self.streams.push(Some(stream));
                    "a connection".into()
                }
                Err(error) => format!("{:?}", AcceptFault::of(&error)),
            },
            Register(conn) => self.with(conn, |net, stream| {
                let index = u32::try_from(conn).expect("a small number");
                let token = Token::Conn(ConnId { index, serial: 9 });
                net.register(stream, token).map(|()| 0)
            }),
            Read(conn, most) => self.with(conn, |net, stream| net.read(stream, &mut vec![0; most])),
            Peek(conn) => self.with(conn, |net, stream| net.peek(stream).map(usize::from)),
            Write(conn, text) => self.write(conn, text.as_bytes()),
            Fill(conn) => self.fill(conn),
            Shut(conn) => self.with(conn, |net, one| net.shutdown_write(one).map(|()| 0)),
            Finish(conn, text) => self.with(conn, |net, stream| {
                net.finish(stream, &[IoSlice::new(text.as_bytes())])
            }),
            Close(conn, how) => {
                let stream = self.streams[conn].take().expect("it is open");
                self.done(|rig| rig.net().close(stream, how).expect("closes"))
            }
            Unlisten => {
                let listener = self.listener.take().expect("it listens");
                self.done(|rig| rig.net().unlisten(listener))
            }
            Wake => self.done(|rig| rig.net().waker().expect("a waker").wake().expect("wakes")),
        }
    }

    fn done(&mut self, what: impl FnOnce(&mut R)) -> String {
        what(self.rig);
        String::new()
    }

    fn with(
        &mut self,
        conn: usize,
        what: impl FnOnce(&mut R::Net, &mut <R::Net as Net>::Stream) -> io::Result<usize>,
    ) -> String {
        let stream = self.streams[conn].as_mut().expect("it is open");
        match what(self.rig.net(), stream) {
            Ok(count) => count.to_string(),
            Err(error) => format!("{:?}", error.kind()),
        }
    }

    fn write(&mut self, conn: usize, bytes: &[u8]) -> String {
        self.with(conn, |net, stream| {
            net.write(stream, &[IoSlice::new(bytes)])
        })
    }

    fn fill(&mut self, conn: usize) -> String {
        let block = vec![7; 1 << 16];
        loop {
            match self.write(conn, &block).parse::<usize>() {
                Ok(count) => self.filled += count,
                Err(_) => return self.write(conn, b"x"),
            }
        }
    }

    /// Waits until nothing more comes; what was told, joined.
    fn wait(&mut self) -> String {
        let mut told: Vec<Ready> = Vec::new();
        loop {
            let mut ready = Vec::new();
            let patience = Some(Duration::from_millis(20));
            self.rig.net().wait(&mut ready, patience).expect("it polls");
            if ready.is_empty() {
                break;
            }
            for one in ready {
                match told.iter_mut().find(|other| other.token == one.token) {
                    Some(other) => {
                        other.readable |= one.readable;
                        other.writable |= one.writable;
                        other.closed |= one.closed;
                    }
                    None => told.push(one),
                }
            }
        }
        told.sort_by_key(|one| one.token.pack());
        let words = |one: &Ready| {
            let flags = [(one.readable, "r"), (one.writable, "w"), (one.closed, "c")];
            let set = flags.into_iter().filter(|(is_set, _)| *is_set);
            let flags: String = set.map(|(_, word)| word).collect();
            match one.token {
                // A listener has nothing else to tell, a waker nothing at all.
                Token::Listener(_) => "listener".to_owned(),
                Token::Conn(conn) => format!("{} {flags}", conn.index),
                other => format!("{other:?}"),
            }
        };
        told.iter().map(words).collect::<Vec<_>>().join(", ")
    }
}
