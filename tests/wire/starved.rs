//! Memory that the system refuses for what clients are to get, or for reading what they say: who
//! bears it, and that nobody else does.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use pulsegate::codec::framing::Framing;
use pulsegate::net::SocketOptions;
use pulsegate::net::mio::MioNet;
use pulsegate::{CloseReason, Limits, Options, Server, Settings};

use crate::allocation::{JSON, LARGEST};

/// A server whose turns get no more than `most` bytes at once, with a listener for lines and one
/// for JSON whose readers may be as slow as they like.
struct Starved {
    server: Server<MioNet, ()>,
    most: usize,
    lines: SocketAddr,
    objects: SocketAddr,
}

impl Starved {
    fn new(limits: Limits) -> Self {
        let options = Options {
            limits,
            ..Options::default()
        };
        let mut server = Server::new(MioNet::new(16).unwrap(), (), options).unwrap();
        let mut listen = |framing| {
            let settings = Settings {
                bind: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
                framing,
                outbox_soft: 1 << 20,
                outbox_max: 1 << 20,
                socket: SocketOptions {
                    send_buffer: Some(4_096),
                    ..SocketOptions::default()
                },
                ..Settings::default()
            };
            server.listen(settings).unwrap()[0]
        };
        let (lines, objects) = (listen(Framing::Line), listen(JSON));
        Self {
            server,
            most: 16_384,
            lines,
            objects,
        }
    }

    fn turn(&mut self) {
        self.server.remote().post(|_, ()| {}).unwrap();
        LARGEST.set(self.most);
        let turned = self.server.turn();
        LARGEST.set(usize::MAX);
        turned.unwrap();
    }

    /// Turns until so many connections have ended for it.
    fn until_ended(&mut self, count: u64) {
        let began = Instant::now();
        while self.ended() < count {
            self.turn();
            assert!(began.elapsed() < Duration::from_secs(20));
        }
        self.server.gate().check();
    }

    fn ended(&self) -> u64 {
        self.server.gate().stats().closed[CloseReason::Overloaded as usize]
    }

    /// Says something, and turns until it is answered so.
    fn ask(&mut self, client: &mut TcpStream, said: &str, answer: &str) {
        client.write_all(said.as_bytes()).unwrap();
        client.set_nonblocking(true).unwrap();
        let (mut heard, mut got) = (vec![0; answer.len()], 0);
        let began = Instant::now();
        while got < heard.len() {
            self.turn();
            match client.read(&mut heard[got..]) {
                Ok(count) => got += count,
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            }
            let so_far = String::from_utf8_lossy(&heard[..got]);
            assert!(began.elapsed() < Duration::from_secs(20), "{so_far}");
        }
        client.set_nonblocking(false).unwrap();
        assert_eq!(String::from_utf8(heard).unwrap(), answer);
    }

    fn join(&mut self, addr: SocketAddr, said: &str, answer: &str) -> TcpStream {
        let mut client = TcpStream::connect(addr).unwrap();
        self.ask(&mut client, said, answer);
        client
    }
}

/// An object in its frame.
fn framed(object: &str) -> String {
    let mut out = Vec::new();
    JSON.encode(object.as_bytes(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

const REFUSED: &str = "error overloaded too much is under way, try again later\n";
const WELCOME: &str = "ok heartbeat=20000 proto=1\n";

#[test]
fn memory_that_is_refused_for_what_one_is_to_get_costs_that_connection_and_no_other() {
    // 59
    let mut gate = Starved::new(Limits::default());
    let (lines, objects) = (gate.lines, gate.objects);
    let mut ann = gate.join(lines, "login ann\n", WELCOME);
    // One who does not read, and whose output grows.
    let bob = gate.join(lines, "login bob\n", WELCOME);
    let line = format!("send bob {}\n", "x".repeat(3_000));
    while gate.ended() == 0 {
        gate.ask(&mut ann, &line, "ok queued=");
        let mut rest = [0; 2];
        ann.read_exact(&mut rest).unwrap();
        let queued = if gate.ended() == 0 { b"1\n" } else { b"0\n" };
        assert_eq!(&rest, queued);
        assert!(gate.server.gate().bytes_held()[1] < 100_000, "it is held");
    }
    gate.until_ended(1);
    drop(bob);
    // One who reads, for a message that is longer once it is written for him.
    let login = framed(r#"{"type":"login","user":"joe"}"#);
    let welcome = framed(r#"{"type":"ok","heartbeat":20000,"proto":1}"#);
    let _joe = gate.join(objects, &login, &welcome);
    let quotes = "\"".repeat(9_000);
    let nobody = "ok queued=0\n";
    gate.ask(&mut ann, &format!("send joe {quotes}\n"), nobody);
    gate.until_ended(2);
    // Of many, those for whom there is memory.
    let join = framed(r#"{"type":"join","topic":"all"}"#);
    let _far = gate.join(objects, &join, &framed(r#"{"type":"ok"}"#));
    let mut near = gate.join(lines, "join all\n", "ok\n");
    gate.ask(&mut ann, &format!("pub all {quotes}\n"), "ok queued=1\n");
    let mut heard = vec![0; 3_000];
    near.read_exact(&mut heard).unwrap();
    // One that is to be kept.
    let kept = format!("asend joe {}\n", "x".repeat(20_000));
    gate.ask(&mut ann, &kept, REFUSED);
    assert_eq!(gate.server.gate().parked(), 0);
    gate.ask(&mut ann, "ping\n", "pong\n");
    assert_eq!((gate.ended(), gate.server.gate().connections()), (2, 3));
}

#[test]
fn memory_that_is_refused_for_a_letter_that_waits_leaves_it_for_the_next_login() {
    // 59
    let mut gate = Starved::new(Limits::default());
    let (lines, objects) = (gate.lines, gate.objects);
    let login = framed(r#"{"type":"login","user":"joe"}"#);
    let welcome = framed(r#"{"type":"ok","heartbeat":20000,"proto":1}"#);
    drop(gate.join(objects, &login, &welcome));
    let mut ann = gate.join(lines, "login ann\n", WELCOME);
    while gate.server.gate().absent_users() == 0 {
        gate.turn();
    }
    let quotes = "\"".repeat(9_000);
    let parked = "ok queued=0 offline=1\n";
    gate.ask(&mut ann, &format!("asend joe {quotes}\n"), parked);
    let _joe = gate.join(objects, &login, &welcome);
    gate.until_ended(1);
    assert_eq!(gate.server.gate().parked(), 1);
    gate.most = usize::MAX;
    let mut joe = gate.join(objects, &login, &welcome);
    let mut heard = vec![0; 18_000];
    while gate.server.gate().parked() > 0 {
        gate.turn();
    }
    joe.set_nonblocking(true).unwrap();
    let mut got = 0;
    while got < heard.len() {
        gate.turn();
        got += joe.read(&mut heard[got..]).unwrap_or(0);
    }
}

#[test]
fn memory_that_is_refused_for_a_message_to_many_is_told_to_its_sender_before_it_waits() {
    // 59
    let mut gate = Starved::new(Limits {
        fanout: 1,
        ..Limits::default()
    });
    let (lines, objects) = (gate.lines, gate.objects);
    let join = framed(r#"{"type":"join","topic":"all"}"#);
    let _members = [(); 2].map(|()| gate.join(objects, &join, &framed(r#"{"type":"ok"}"#)));
    let mut ann = gate.join(lines, "login ann\n", WELCOME);
    let quotes = "\"".repeat(9_000);
    gate.ask(&mut ann, &format!("pub all {quotes}\n"), REFUSED);
    gate.ask(&mut ann, "pub all hi\n", "ok queued=2\n");
}

#[test]
fn memory_that_is_refused_for_reading_what_one_says_costs_that_connection_and_no_other() {
    // 59
    let mut gate = Starved::new(Limits::default());
    let objects = gate.objects;
    let (ping, pong) = (framed(r#"{"type":"ping"}"#), framed(r#"{"type":"pong"}"#));
    let mut canary = gate.join(objects, &ping, &pong);
    let mut greedy = gate.join(objects, &ping, &pong);
    let keys: String = (0..1_000).map(|key| format!(",\"{key}\":0")).collect();
    let object = framed(&format!("{{\"type\":\"ping\"{keys}}}"));
    greedy.write_all(object.as_bytes()).unwrap();
    gate.until_ended(1);
    gate.ask(&mut canary, &ping, &pong);
    assert_eq!(gate.server.gate().connections(), 1);
}
