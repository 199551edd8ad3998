//! How long until the last of 10,000 members has a message that was published once: the real
//! daemon, real connections, the clock of the publisher.
//!
//! Where the environment variable `FLOOR` names a program, it is measured in turn with the daemon,
//! as the least that one thread can do: `FLOOR PORT --et --fanout` writes what it reads from one
//! connection to every other one. Asserted then: the daemon takes at most 1.3 times as long.
//!
//! Whoever is measured has processor 0, the clients have processor 1.
#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "support/daemon.rs"]
mod daemon;

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use daemon::Daemon;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::thread::{CpuSet, Pid, sched_setaffinity};

const MEMBERS: usize = 10_000;
const ROUNDS: usize = 5;
/// Publishes in a round.
const TIMES: usize = 5;
const TEXT: &str = "fifty bytes that say nothing but that they are read";
const PATIENCE: Duration = Duration::from_secs(10);

fn main() {
    pin(None, 1);
    let floor = std::env::var_os("FLOOR");
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for number in 1..=ROUNDS {
        if let Some(path) = &floor {
            theirs.push(middle(floor_round(path)));
        }
        ours.push(middle(daemon_round()));
        let last = ours[number - 1];
        println!("publish round {number} last of {MEMBERS} members after {last:.1?}");
        if let Some(floor) = theirs.last() {
            ratios.push(last.as_secs_f64() / floor.as_secs_f64());
            println!("publish round {number} floor {floor:.1?}");
        }
    }
    print("pulsegate", &mut ours);
    if !ratios.is_empty() {
        print("floor", &mut theirs);
        ratios.sort_unstable_by(f64::total_cmp);
        let (least, most) = (ratios[0], ratios[ROUNDS - 1]);
        let ratio = ratios[ROUNDS / 2];
        println!("publish to the floor: min={least:.2} median={ratio:.2} max={most:.2}");
        assert!(
            ratio <= 1.3,
            "the last one has it within 1.3 times the floor"
        );
    }
}

fn print(who: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let (least, median, most) = (times[0], times[ROUNDS / 2], times[ROUNDS - 1]);
    println!("publish {who}: min={least:.1?} median={median:.1?} max={most:.1?}");
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn daemon_round() -> Vec<Duration> {
    let daemon = Daemon::start(&["--idle-timeout", "10m"]);
    pin(Some(daemon.pid()), 0);
    let mut crowd = Crowd::connect(daemon.addr(), b"join t\n", b"login p\n");
    let before = daemon.on_cpu();
    let times = crowd.publish(format!("pub t {TEXT}\n").as_bytes());
    let cpu = (daemon.on_cpu() - before) / u32::try_from(TIMES * MEMBERS).expect("it is small");
    println!("publish daemon's processor time for each member: {cpu:.1?}");
    times
}

fn floor_round(path: &OsString) -> Vec<Duration> {
    let addr = free_port();
    let child = Command::new(path)
        .arg(addr.port().to_string())
        .args(["--et", "--fanout"])
        .spawn()
        .expect("FLOOR names a program");
    let floor = Floor(child);
    pin(Some(floor.0.id()), 0);
    let until = Instant::now() + PATIENCE;
    while TcpStream::connect(addr).is_err() {
        assert!(
            Instant::now() < until,
            "FLOOR listens on the port it is given"
        );
    }
    let mut crowd = Crowd::connect(addr, b"", b"");
    crowd.publish(format!("msg 1869000000000000001 topic:t/p {TEXT}\n").as_bytes())
}

/// A child that ends with this value.
struct Floor(Child);

impl Drop for Floor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there are ports");
    listener.local_addr().expect("it is bound")
}

/// Members that only read, and a publisher.
struct Crowd {
    members: Vec<TcpStream>,
    publisher: TcpStream,
    poll: Poll,
    events: Events,
}

impl Crowd {
    /// Everybody connects and says its first line, which is answered where it is not empty.
    fn connect(addr: SocketAddr, first: &[u8], first_of_publisher: &[u8]) -> Self {
        let poll = Poll::new().expect("descriptors are there");
        let connect = |first: &[u8]| {
            let mut stream = TcpStream::connect(addr).expect("it listens");
            stream.set_nodelay(true).expect("it is open");
            if !first.is_empty() {
                stream.write_all(first).expect("it reads");
                let count = stream.read(&mut [0; 256]).expect("it answers");
                assert!(count > 0, "it stays open");
            }
            stream
        };
        let members: Vec<TcpStream> = (0..MEMBERS).map(|_| connect(first)).collect();
        for (number, member) in members.iter().enumerate() {
            let fd = member.as_raw_fd();
            poll.registry()
                .register(&mut SourceFd(&fd), Token(number), Interest::READABLE)
                .expect("it is a socket");
        }
        Self {
            members,
            publisher: connect(first_of_publisher),
            poll,
            events: Events::with_capacity(512),
        }
    }

    /// Says the line, and waits for every member to have something to read; several times.
    fn publish(&mut self, line: &[u8]) -> Vec<Duration> {
        (0..TIMES).map(|_| self.publish_once(line)).collect()
    }

    fn publish_once(&mut self, line: &[u8]) -> Duration {
        let began = Instant::now();
        self.publisher.write_all(line).expect("it reads");
        let mut left = MEMBERS;
        while left > 0 {
            let told = self.poll.poll(&mut self.events, Some(PATIENCE));
            told.expect("the poll works");
            assert!(!self.events.is_empty(), "{left} members have got nothing");
            for event in &self.events {
                let mut member = &self.members[event.token().0];
                let count = member.read(&mut [0; 256]).expect("the message is there");
                assert!(count > line.len() / 2, "it is whole");
                left -= 1;
            }
        }
        began.elapsed()
    }
}

/// Keeps a process (`None`: this one) to one processor, where there is one of that number.
fn pin(pid: Option<u32>, processor: usize) {
    let pid = pid.map(|pid| Pid::from_raw(pid.cast_signed()).expect("a process has a number"));
    let mut set = CpuSet::new();
    set.set(processor);
    if let Err(error) = sched_setaffinity(pid, &set) {
        println!("publish nobody is pinned to processor {processor}: {error}");
    }
}
