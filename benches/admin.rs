//! What operators cost the clients: the real daemon, real connections.
//!
//! - **metrics**: `/metrics` once a second while 15,000 connections with users are silent.
//!   Asserted: less than 2 ms of the loop's time a scrape, less than 1 % of a processor.
//! - **listing**: all 15,000 connections are listed, page after page and over again, while 3,000
//!   heartbeats a second come in. Asserted: in the median round 99 of 100 answers take at most
//!   twice as long as without, or a millisecond longer.
//! - **drain**: 10,000 clients are told to leave, spread over 20 seconds. Asserted: in each second
//!   as many leave as in the mean, give or take a fifth.
//!
//! The daemon has processor 0 for itself and the clients have processor 1, where the machine lets
//! them: what else runs there shows in the figures.
#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/http.rs"]
mod http;
#[path = "support/pin.rs"]
mod pin;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use daemon::Daemon;
use http::Http;
use mio::{Events, Interest, Poll, Token};
use pin::pin;

const CROWD: usize = 15_000;
const SCRAPES: u32 = 20;
const SECOND: Duration = Duration::from_secs(1);
/// Heartbeats a second of the whole crowd.
const BEATS: u32 = 3_000;
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(5);
/// How often the clients look whether a beat is due.
const STEP: Duration = Duration::from_millis(1);
const LEAVERS: usize = 10_000;
const DRAIN: Duration = Duration::from_secs(20);

fn main() {
    pin("admin", None, 1);
    let names: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let is_meant = |name: &str| names.is_empty() || names.iter().any(|arg| arg == name);
    if is_meant("metrics") || is_meant("listing") {
        let daemon = start();
        let crowd = connect(&daemon, CROWD);
        if is_meant("metrics") {
            metrics(&daemon);
        }
        if is_meant("listing") {
            listing(&daemon, crowd);
        }
    }
    if is_meant("drain") {
        drain();
    }
}

fn start() -> Daemon {
    let daemon = Daemon::start(&["--idle-timeout", "10m", "--admin-bind", "127.0.0.1:0"]);
    pin("admin", Some(daemon.pid()), 0);
    daemon
}

/// Everybody connects and logs in.
fn connect(daemon: &Daemon, count: usize) -> Vec<TcpStream> {
    let connect = |number: usize| {
        let mut client = TcpStream::connect(daemon.addr()).expect("the daemon accepts");
        client.set_nodelay(true).expect("an option");
        let login = format!("login user-{number:08}\n");
        client.write_all(login.as_bytes()).expect("it reads");
        let mut answer = [0; 28];
        client.read_exact(&mut answer).expect("it answers a login");
        client
    };
    (0..count).map(connect).collect()
}

/// Until `moment`.
fn sleep_until(moment: Instant) {
    while let Some(left) = moment.checked_duration_since(Instant::now())
        && !left.is_zero()
    {
        std::thread::park_timeout(left);
    }
}

fn metrics(daemon: &Daemon) {
    let idle = cpu_over(daemon, SCRAPES, |_| {});
    let mut http = Http::connect(daemon.admin());
    let (before, mut worst) = (loop_time(&mut http), Duration::ZERO);
    let mut bytes = 0;
    let busy = cpu_over(daemon, SCRAPES, |_| {
        let began = Instant::now();
        bytes = http.get("/metrics").len();
        worst = worst.max(began.elapsed());
    });
    // The last of them tells how long it took itself only in the next one.
    let spent = (loop_time(&mut http) - before) / (SCRAPES + 1);
    println!(
        "admin metrics: {CROWD} connections, {bytes} bytes, loop time a scrape={spent:.1?}, \
         longest answer={worst:.1?}"
    );
    let share = busy.as_secs_f64() * 100.0 / f64::from(SCRAPES);
    println!(
        "admin metrics: processor time in {SCRAPES} s, idle={idle:.1?}, with a scrape a \
         second={busy:.1?} ({share:.2} % of a processor in all)"
    );
    assert!(spent < Duration::from_millis(2), "2 ms of the loop's time");
    assert!(busy < SECOND * SCRAPES / 100, "a hundredth of a processor");
}

/// Does something once a second, so often; the daemon's processor time.
fn cpu_over(daemon: &Daemon, times: u32, mut act: impl FnMut(u32)) -> Duration {
    let (before, began) = (daemon.on_cpu(), Instant::now());
    for time in 0..times {
        sleep_until(began + SECOND * time);
        act(time);
    }
    sleep_until(began + SECOND * times);
    daemon.on_cpu() - before
}

/// How long all turns of the loop took together.
fn loop_time(http: &mut Http) -> Duration {
    const NAME: &str = "pulsegate_event_loop_iteration_seconds_sum ";
    let text = http.get("/metrics");
    let line = text.lines().find_map(|line| line.strip_prefix(NAME));
    let seconds = line.and_then(|number| number.parse().ok());
    Duration::from_secs_f64(seconds.expect("the daemon tells it"))
}

fn listing(daemon: &Daemon, crowd: Vec<TcpStream>) {
    let mut crowd = Beaters::new(crowd);
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for number in 1..=ROUNDS {
        let calm = crowd.round();
        let lister = Lister::begin(daemon);
        let busy = crowd.round();
        let listings = lister.end();
        println!(
            "admin listing round {number}: p99 alone={:.1?} beside {listings} listings={:.1?}, \
             max {:.1?} and {:.1?}",
            of_hundred(&calm, 99),
            of_hundred(&busy, 99),
            of_hundred(&calm, 100),
            of_hundred(&busy, 100)
        );
        assert!(listings > 0, "there was a whole listing");
        alone.push(of_hundred(&calm, 99));
        beside.push(of_hundred(&busy, 99));
    }
    alone.sort_unstable();
    beside.sort_unstable();
    let (alone, beside) = (alone[ROUNDS / 2], beside[ROUNDS / 2]);
    println!("admin listing: median p99 alone={alone:.1?} beside listings={beside:.1?}");
    let most = (alone * 2).max(alone + Duration::from_millis(1));
    assert!(beside <= most, "at most doubled, or a millisecond longer");
}

/// Clients that beat one after the other.
struct Beaters {
    poll: Poll,
    events: Events,
    clients: Vec<mio::net::TcpStream>,
    /// Since when each waits for its answer.
    sent: Vec<Option<Instant>>,
}

impl Beaters {
    fn new(crowd: Vec<TcpStream>) -> Self {
        let poll = Poll::new().expect("a poll");
        let mut clients = Vec::with_capacity(crowd.len());
        for (number, client) in crowd.into_iter().enumerate() {
            clients.push(registered(&poll, number, client));
        }
        Self {
            poll,
            events: Events::with_capacity(256),
            sent: vec![None; clients.len()],
            clients,
        }
    }

    /// Beats for a round, whether answers come or not; how long each took, sorted.
    fn round(&mut self) -> Vec<Duration> {
        let count = BEATS as usize * usize::try_from(ROUND.as_secs()).expect("few");
        let step = SECOND / BEATS;
        let began = Instant::now();
        let (mut next, mut took) = (0, Vec::with_capacity(count));
        while took.len() < count {
            assert!(began.elapsed() < ROUND * 5, "beats are not answered");
            let due = began.elapsed().as_nanos() / step.as_nanos() + 1;
            while next < count && (next as u128) < due {
                let client = next % self.clients.len();
                let before = self.sent[client].replace(Instant::now());
                assert!(before.is_none(), "an answer takes seconds");
                let written = self.clients[client].write(b"ping\n");
                assert_eq!(written.expect("there is room"), 5);
                next += 1;
            }
            self.hear(&mut took);
        }
        took.sort_unstable();
        took
    }

    /// Waits for a millisecond at most; whoever is answered has waited so long.
    fn hear(&mut self, took: &mut Vec<Duration>) {
        match self.poll.poll(&mut self.events, Some(STEP)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return,
            result => result.expect("the poll is sound"),
        }
        for event in &self.events {
            let number = event.token().0;
            let mut answer = [0; 64];
            match self.clients[number].read(&mut answer) {
                Ok(count) => assert_eq!(&answer[..count], b"pong\n"),
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => panic!("a client is gone: {error}"),
            }
            let sent = self.sent[number].take().expect("it has asked");
            took.push(sent.elapsed());
        }
    }
}

/// A client whose answers the poll tells.
fn registered(poll: &Poll, number: usize, client: TcpStream) -> mio::net::TcpStream {
    client.set_nonblocking(true).expect("an option");
    let mut client = mio::net::TcpStream::from_std(client);
    poll.registry()
        .register(&mut client, Token(number), Interest::READABLE)
        .expect("there is room");
    client
}

/// What so many of a hundred are at most.
fn of_hundred(sorted: &[Duration], share: usize) -> Duration {
    sorted[(sorted.len() * share / 100).saturating_sub(1)]
}

/// Somebody who lists all connections, over and over.
struct Lister {
    is_over: Arc<AtomicBool>,
    listings: Arc<AtomicU32>,
    thread: JoinHandle<()>,
}

impl Lister {
    fn begin(daemon: &Daemon) -> Self {
        let (is_over, listings) = (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default());
        let (over, made) = (Arc::clone(&is_over), Arc::clone(&listings));
        let mut http = Http::connect(daemon.admin());
        let thread = std::thread::spawn(move || {
            // Reading the pages must not keep the clients from their processor.
            rustix::process::nice(19).expect("less is always allowed");
            while !over.load(Ordering::Relaxed) {
                list(&mut http);
                made.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self {
            is_over,
            listings,
            thread,
        }
    }

    /// How many listings were whole by now.
    fn end(self) -> u32 {
        let made = self.listings.load(Ordering::Relaxed);
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().expect("every listing is whole");
        made
    }
}

/// Lists everybody, a thousand a page.
fn list(http: &mut Http) {
    let (mut after, mut rows) = (String::new(), 0);
    loop {
        let page = http.get(&format!("/v1/connections?limit=1000{after}"));
        rows += page.matches("\"address\":").count();
        let next = page.rsplit("\"next\":").next().expect("a page ends so");
        let next = next.trim_end().trim_end_matches('}');
        if next == "null" {
            break;
        }
        after = format!("&after={next}");
    }
    assert_eq!(rows, CROWD, "everybody is told once");
}

fn drain() {
    let mut daemon = start();
    let poll = Poll::new().expect("a poll");
    let mut clients = Vec::with_capacity(LEAVERS);
    for (number, client) in connect(&daemon, LEAVERS).into_iter().enumerate() {
        clients.push(Some(registered(&poll, number, client)));
    }
    let before = daemon.on_cpu();
    let over = DRAIN.as_millis();
    let told = Http::connect(daemon.admin()).post("/v1/drain", &format!("{{\"over_ms\":{over}}}"));
    assert!(told.contains("\"draining\":10000"), "{told}");
    let began = Instant::now();
    let seconds = watch(poll, &mut clients, began);
    let took = began.elapsed();
    let cpu = daemon.on_cpu().saturating_sub(before);
    assert!(daemon.ended(SECOND * 5), "the daemon ends");
    let mean = LEAVERS / seconds.len();
    println!("admin drain: {LEAVERS} clients in {took:.1?}, processor time {cpu:.1?}");
    println!("admin drain: departures in each second: {seconds:?}");
    for count in seconds {
        let is_even = count * 10 >= mean * 8 && count * 10 <= mean * 12;
        assert!(is_even, "{count} in a second, {mean} in the mean");
    }
}

/// Watches everybody go; how many did in each second.
fn watch(
    mut poll: Poll,
    clients: &mut [Option<mio::net::TcpStream>],
    began: Instant,
) -> Vec<usize> {
    let mut events = Events::with_capacity(256);
    let mut seconds = vec![0; usize::try_from(DRAIN.as_secs()).expect("few")];
    let mut left = clients.len();
    while left > 0 {
        match poll.poll(&mut events, Some(SECOND * 5)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result.expect("the poll is sound"),
        }
        assert!(!events.is_empty(), "{left} clients are not told");
        for event in &events {
            let client = &mut clients[event.token().0];
            if client.as_mut().is_some_and(has_ended) {
                // The last of all goes when the time is over, to the tick.
                let second = usize::try_from(began.elapsed().as_secs()).expect("few");
                let last = seconds.len() - 1;
                seconds[second.min(last)] += 1;
                *client = None;
                left -= 1;
            }
        }
    }
    seconds
}

/// Reads all there is; whether the stream ended, after a goodbye.
fn has_ended(client: &mut mio::net::TcpStream) -> bool {
    let mut buffer = [0; 64];
    loop {
        match client.read(&mut buffer) {
            Ok(0) => return true,
            Ok(count) => assert!(buffer[..count].starts_with(b"close shutdown ")),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => panic!("a goodbye ends in good order: {error}"),
        }
    }
}
