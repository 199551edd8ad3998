//! How late a deadline is on the wire, never how early: the real daemon, 10,000 real connections
//! that fall silent, and the goodbyes as their clients see them.
//!
//! Lateness is counted from the moment before a client's last byte is sent, plus the idle timeout.
//!
//! - **spread**: the last bytes are sent evenly over ten seconds. Asserted: 99 of 100 goodbyes and
//!   the ends of stream behind them are at most 10 ms late.
//! - **burst**: the last bytes are sent as fast as one thread can. Asserted: in the median round
//!   the last end of stream is at most 300 ms late.
//!
//! In neither may one goodbye be early. The daemon has processor 0 for itself and the clients have
//! processor 1, where the machine lets them: what else runs there shows in the figures.
#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/pin.rs"]
mod pin;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use daemon::Daemon;
use mio::{Events, Interest, Poll, Token};
use pin::pin;
use socket2::{Domain, Socket, Type};

const CONNS: usize = 10_000;
/// The clients come from so many addresses, and each round has its own: no port is waited for.
const SOURCES: usize = 4;
const ROUNDS: u8 = 5;
const SPREAD: Duration = Duration::from_secs(10);
/// Longer than it takes to connect everybody, and in the spread round than that and `SPREAD`.
const IDLE_SPREAD: Duration = Duration::from_secs(13);
const IDLE_BURST: Duration = Duration::from_secs(5);
/// Before its first deadline the daemon is asked how long it has run, to leave that out.
const EVE: Duration = Duration::from_millis(200);
const GOODBYE: &[u8] = b"close idle-timeout\n";

fn main() {
    pin("deadlines", None, 1);
    let names: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let is_meant = |name: &str| names.is_empty() || names.iter().any(|arg| arg == name);
    if is_meant("spread") {
        spread();
    }
    if is_meant("burst") {
        burst();
    }
}

fn spread() {
    let daemon = start(IDLE_SPREAD);
    let round = Round::run(&daemon, 0, IDLE_SPREAD, SPREAD);
    round.print("spread");
    assert!(
        round.lateness(99) <= Duration::from_millis(10),
        "99 of 100 are off the wire within 10 ms"
    );
}

fn burst() {
    let daemon = start(IDLE_BURST);
    let mut last = Vec::new();
    let mut cpu = Vec::new();
    for number in 1..=ROUNDS {
        let round = Round::run(&daemon, number, IDLE_BURST, Duration::ZERO);
        round.print(&format!("burst round {number}"));
        last.push(round.lateness(100));
        cpu.push(round.cpu_per_close);
    }
    for (what, figures) in [("last", &mut last), ("cpu/close", &mut cpu)] {
        figures.sort_unstable();
        println!(
            "deadlines burst of {ROUNDS} rounds {what}: min={:.1?} median={:.1?} max={:.1?}",
            figures[0],
            figures[figures.len() / 2],
            figures[figures.len() - 1]
        );
    }
    assert!(
        last[last.len() / 2] <= Duration::from_millis(300),
        "everybody is off the wire within 300 ms"
    );
}

fn start(idle: Duration) -> Daemon {
    let daemon = Daemon::start(&["--idle-timeout", &format!("{}s", idle.as_secs())]);
    pin("deadlines", Some(daemon.pid()), 0);
    daemon
}

/// What the clients of one round saw.
struct Round {
    /// How late the first byte of each goodbye came, sorted.
    goodbyes: Vec<Duration>,
    /// How late each end of stream came, sorted.
    ends: Vec<Duration>,
    cpu_per_close: Duration,
}

impl Round {
    /// Everybody connects, says a last byte within `span`, and listens to the end.
    fn run(daemon: &Daemon, number: u8, idle: Duration, span: Duration) -> Self {
        let mut crowd = Crowd::connect(daemon.addr(), number);
        crowd.say(span);
        let first = crowd.clients[0].said + idle;
        crowd.listen_until(first - EVE);
        let before = daemon.on_cpu();
        while crowd.left > 0 {
            crowd.listen(None);
        }
        // The daemon has to see that its peers have closed, too.
        let since = Instant::now();
        while since.elapsed() < EVE {
            std::thread::park_timeout(EVE);
        }
        let cpu = daemon.on_cpu() - before;
        let sorted = |moment: fn(&Client) -> Option<Instant>| {
            let mut late: Vec<Duration> = crowd
                .clients
                .iter()
                .map(|client| {
                    moment(client)
                        .and_then(|moment| moment.checked_duration_since(client.said + idle))
                        .expect("a deadline is never early")
                })
                .collect();
            late.sort_unstable();
            late
        };
        Self {
            goodbyes: sorted(|client| client.goodbye),
            ends: sorted(|client| client.end),
            cpu_per_close: cpu / u32::try_from(CONNS).expect("few"),
        }
    }

    /// How late so many of a hundred ends of stream were at most.
    fn lateness(&self, of_hundred: usize) -> Duration {
        self.ends[(self.ends.len() * of_hundred / 100).saturating_sub(1)]
    }

    fn print(&self, name: &str) {
        println!(
            "deadlines {name}: first goodbye={:.2?}, ends median={:.2?} p99={:.2?} max={:.2?}, \
             cpu/close={:.1?}",
            self.goodbyes[0],
            self.lateness(50),
            self.lateness(99),
            self.lateness(100),
            self.cpu_per_close
        );
    }
}

/// One connection and what became of it.
struct Client {
    /// `None` once it was closed.
    stream: Option<mio::net::TcpStream>,
    /// Before its last byte was sent.
    said: Instant,
    /// After the goodbye was read.
    goodbye: Option<Instant>,
    /// After the end of stream was read.
    end: Option<Instant>,
}

/// All connections of a round.
struct Crowd {
    poll: Poll,
    events: Events,
    clients: Vec<Client>,
    /// Who has not seen the end of stream.
    left: usize,
}

impl Crowd {
    /// Returns when the daemon has accepted everybody.
    fn connect(addr: SocketAddr, round: u8) -> Self {
        let poll = Poll::new().expect("a poll");
        let mut clients = Vec::with_capacity(CONNS);
        for number in 0..CONNS {
            let source = u8::try_from(1 + number % SOURCES).expect("few");
            let mut stream = connect_from(Ipv4Addr::new(127, 0, round, source), addr);
            // Connections are accepted in order: an answer to one means that all before are in.
            if number % 500 == 0 || number == CONNS - 1 {
                stream.write_all(b"ping\n").expect("the daemon reads");
                stream.read_exact(&mut [0; 5]).expect("a pong");
            }
            stream.set_nonblocking(true).expect("an option");
            let mut stream = mio::net::TcpStream::from_std(stream);
            poll.registry()
                .register(&mut stream, Token(number), Interest::READABLE)
                .expect("there is room");
            clients.push(Client {
                stream: Some(stream),
                said: Instant::now(),
                goodbye: None,
                end: None,
            });
        }
        Self {
            poll,
            events: Events::with_capacity(256),
            left: CONNS,
            clients,
        }
    }

    /// Everybody says the last byte, evenly over `span`; nobody's deadline comes before its end.
    fn say(&mut self, span: Duration) {
        let began = Instant::now();
        let step = span / u32::try_from(CONNS).expect("few");
        for (number, client) in self.clients.iter_mut().enumerate() {
            let due = began + step * u32::try_from(number).expect("few");
            while let Some(left) = due.checked_duration_since(Instant::now())
                && !left.is_zero()
            {
                std::thread::park_timeout(left);
            }
            client.said = Instant::now();
            let stream = client.stream.as_mut().expect("it is open");
            assert_eq!(stream.write(b"\n").expect("there is room"), 1);
        }
    }

    fn listen_until(&mut self, end: Instant) {
        while let Some(left) = end.checked_duration_since(Instant::now())
            && !left.is_zero()
        {
            self.listen(Some(left));
        }
    }

    /// One wait, and every client that has something to read reads all of it.
    fn listen(&mut self, timeout: Option<Duration>) {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return,
            result => result.expect("the poll is sound"),
        }
        for event in &self.events {
            if self.clients[event.token().0].hear() {
                self.left -= 1;
            }
        }
    }
}

impl Client {
    /// Reads all there is. Whether the stream ended.
    fn hear(&mut self) -> bool {
        let Some(stream) = &mut self.stream else {
            return false;
        };
        let mut buffer = [0; 64];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => {
                    self.end = Some(Instant::now());
                    self.stream = None;
                    return true;
                }
                Ok(count) => {
                    assert_eq!(&buffer[..count], GOODBYE, "nothing else is said");
                    self.goodbye = Some(Instant::now());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) => panic!("a goodbye ends in good order: {error}"),
            }
        }
    }
}

fn connect_from(source: Ipv4Addr, addr: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a descriptor");
    let source = SocketAddr::from((source, 0));
    socket.bind(&source.into()).expect("a free port");
    socket.connect(&addr.into()).expect("the daemon accepts");
    socket.into()
}
