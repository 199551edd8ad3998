//! One bad client is one bad client: the others do not notice it.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pulsegate::{Answer, ConnId, Gate, Handler, Limits, Login, Message, Settings};
use rustix::process::Signal;

use crate::client::{Client, eventually};
use crate::daemon::Daemon;
use crate::library::House;

const MS: Duration = Duration::from_millis(1);

/// Round trips of a client that behaves, sorted.
fn round_trips(client: &mut Client, count: usize) -> Vec<Duration> {
    let mut times: Vec<_> = (0..count)
        .map(|_| {
            let began = Instant::now();
            client.fence();
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    times
}

/// A client that sends as fast as it can on a thread of its own until it is dropped, and reads
/// what comes.
struct Firehose {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Firehose {
    fn new(client: &Client, block: String) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (mut writer, mut reader) = (
            client.socket().try_clone().unwrap(),
            client.socket().try_clone().unwrap(),
        );
        let done = Arc::clone(&stop);
        let writing = std::thread::spawn(move || {
            while !done.load(Ordering::Relaxed) && writer.write_all(block.as_bytes()).is_ok() {}
            let _ = writer.shutdown(std::net::Shutdown::Both);
        });
        let reading = std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while reader.read(&mut buffer).is_ok_and(|count| count > 0) {}
        });
        Self {
            stop,
            threads: vec![writing, reading],
        }
    }
}

impl Drop for Firehose {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[test]
fn a_firehose_leaves_the_others_their_turn() {
    let daemon = Daemon::new("");
    let mut canary = daemon.line();
    let hose = daemon.line();
    let _running = Firehose::new(&hose, "ping\n".repeat(4_000));
    let times = round_trips(&mut canary, 50);
    let median = times[times.len() / 2];
    assert!(median < 250 * MS, "{times:?}");
}

#[test]
fn a_reader_that_is_stuck_delays_nobody() {
    let daemon = Daemon::new("");
    let mut alice = daemon.user("alice");
    let mut stuck = daemon.user("stuck");
    let mut member = daemon.user("member");
    stuck.asks("join t", "ok");
    member.asks("join t", "ok");
    let body = "x".repeat(50_000);
    for _ in 0..200 {
        alice.say(format!("pub t {body}"));
        alice.hears_some("ok queued=");
        assert_eq!(member.message().body.len(), body.len());
    }
    let times = round_trips(&mut member, 20);
    assert!(times[10] < 250 * MS, "{times:?}");
}

#[test]
fn a_storm_of_connections_costs_nobody_a_heartbeat() {
    let daemon = Daemon::new("idle_timeout = \"2s\"");
    let mut residents: Vec<_> = (0..50).map(|_| daemon.line()).collect();
    // Longer than anybody may be silent.
    let began = Instant::now();
    while began.elapsed() < 3_000 * MS {
        let storm: Vec<_> = (0..100).map(|_| daemon.line()).collect();
        for resident in &mut residents {
            resident.say("ping");
        }
        for resident in &mut residents {
            resident.hears("pong");
        }
        for client in storm {
            client.reset();
        }
    }
    let idle = 50 + 100;
    eventually("the storm is over", || {
        (daemon.descriptors() < idle).then_some(())
    });
}

#[test]
fn a_stopped_daemon_blames_nobody_for_its_own_silence() {
    let daemon = Daemon::new("idle_timeout = \"700ms\"");
    let mut clients: Vec<_> = (0..20).map(|_| daemon.line()).collect();
    for client in &mut clients {
        client.fence();
    }
    daemon.signal(Signal::STOP);
    // Half of them beat into the pause, the others have nothing to say before its end.
    for client in clients.iter_mut().step_by(2) {
        client.say("ping");
    }
    clients[0].quiet(1_500 * MS);
    daemon.signal(Signal::CONT);
    for client in clients.iter_mut().step_by(2) {
        client.hears("pong");
    }
    for _ in 0..5 {
        for client in &mut clients {
            client.fence();
        }
        clients[0].quiet(100 * MS);
    }
}

#[test]
fn after_a_pause_the_dead_are_found_all_the_same() {
    let daemon = Daemon::new("idle_timeout = \"700ms\"");
    let mut dead = daemon.line();
    dead.fence();
    daemon.signal(Signal::STOP);
    dead.quiet(1_000 * MS);
    daemon.signal(Signal::CONT);
    let resumed = Instant::now();
    dead.closes("idle-timeout");
    assert!(resumed.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_lifetime_goes_by_real_time_through_a_pause() {
    let daemon = Daemon::new("lifetime = \"1s\"");
    let mut client = daemon.line();
    client.fence();
    daemon.signal(Signal::STOP);
    client.quiet(1_200 * MS);
    daemon.signal(Signal::CONT);
    let resumed = Instant::now();
    client.closes("lifetime");
    assert!(resumed.elapsed() < 700 * MS, "{:?}", resumed.elapsed());
}

#[test]
fn both_families_are_served() {
    let daemon =
        Daemon::start("[[listener]]\nname = \"main\"\nbind = [\"127.0.0.1:0\", \"[::1]:0\"]\n");
    for addr in daemon.addrs("main") {
        let mut client = Client::connect(*addr, crate::client::Framing::Line);
        client.fence();
    }
}

/// Takes a while over each `data`.
struct Plodder;

impl Handler for Plodder {
    fn on_message(&mut self, gate: &mut Gate, conn: ConnId, message: Message<'_>) -> Answer {
        if matches!(message, Message::Data { .. }) {
            let began = Instant::now();
            while began.elapsed() < Duration::from_millis(1) {}
        }
        gate.obey(conn, message)
    }
}

#[test]
fn nobody_is_silent_while_the_server_is_behind_with_what_it_said() {
    let settings = Settings {
        login: Login::None,
        idle_timeout: Some(Duration::from_millis(300)),
        ..Settings::default()
    };
    let limits = Limits {
        frames: 16,
        ..Limits::default()
    };
    let house = House::new(Plodder, limits, settings);
    let mut client = house.line();
    // A second of work in one read, and signs of life in the kernel behind it.
    client.send("data \n".repeat(1_000));
    for done in 0..1_000 {
        client.hears("error no-backend no backend takes data");
        if done % 100 == 99 {
            client.send("\n");
        }
    }
    client.fence();
    client.closes("idle-timeout");
}
