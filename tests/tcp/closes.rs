//! Every way a connection ends, as the client sees it.

use std::io::Read;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::client::{Client, Framing, eventually, framed};
use crate::daemon::Daemon;

const MS: Duration = Duration::from_millis(1);

#[test]
fn silence_ends_with_idle_timeout_and_never_early() {
    let daemon = Daemon::new("idle_timeout = \"300ms\"");
    let began = Instant::now();
    for mut client in daemon.each() {
        client.closes("idle-timeout");
        assert!(began.elapsed() >= 300 * MS, "{:?}", began.elapsed());
    }
    let mut client = daemon.line();
    client.fence();
    let last = Instant::now();
    client.fence();
    client.closes("idle-timeout");
    assert!(last.elapsed() >= 300 * MS);
}

#[test]
fn any_byte_counts_against_idleness() {
    let daemon = Daemon::new("idle_timeout = \"300ms\"");
    let mut client = daemon.line();
    let began = Instant::now();
    // Empty lines, bare bytes of a frame, whole frames: twice the timeout in all.
    for byte in ["\n", "\n", "p", "i", "n", "g"] {
        client.send(byte);
        client.quiet(100 * MS);
    }
    client.send("\n");
    client.hears("pong");
    assert!(began.elapsed() > 600 * MS);
    client.closes("idle-timeout");
}

#[test]
fn heartbeats_keep_a_connection_for_ever() {
    let daemon = Daemon::new("idle_timeout = \"200ms\"");
    let mut clients = daemon.each();
    let pings: [&[u8]; 3] = [b"ping", br#"{"type":"ping"}"#, b"\x01"];
    let began = Instant::now();
    while began.elapsed() < 1_000 * MS {
        for (client, ping) in clients.iter_mut().zip(pings) {
            client.say(ping);
            client.hear();
        }
        clients[0].quiet(30 * MS);
    }
}

#[test]
fn who_does_not_log_in_in_time_is_closed() {
    let daemon = Daemon::new("login = \"required\"\nlogin_timeout = \"300ms\"");
    let began = Instant::now();
    for mut client in daemon.each() {
        client.closes("login-timeout");
        assert!(began.elapsed() >= 300 * MS);
    }
    let mut busy = daemon.line();
    let mut user = daemon.user("alice");
    for _ in 0..5 {
        busy.fence();
    }
    busy.closes("login-timeout");
    user.fence();
}

#[test]
fn a_half_frame_ends_with_frame_timeout_however_it_drips() {
    let daemon = Daemon::new("frame_timeout = \"300ms\"");
    let halves: [&[u8]; 3] = [b"pi", b"length:00", b"\0\0"];
    for (mut client, half) in daemon.each().into_iter().zip(halves) {
        let began = Instant::now();
        client.send(half);
        client.closes("frame-timeout");
        assert!(began.elapsed() >= 300 * MS);
    }
    let mut client = daemon.line();
    let began = Instant::now();
    client.send("x");
    while began.elapsed() < 200 * MS {
        client.quiet(20 * MS);
        client.send("x");
    }
    client.closes("frame-timeout");
    assert!(began.elapsed() >= 300 * MS);
}

#[test]
fn each_frame_has_its_own_time() {
    let daemon = Daemon::new("frame_timeout = \"300ms\"");
    let mut client = daemon.line();
    let began = Instant::now();
    while began.elapsed() < 900 * MS {
        client.send("pi");
        client.quiet(50 * MS);
        client.send("ng\n");
        client.hears("pong");
    }
}

#[test]
fn a_lifetime_ends_whatever_is_sent() {
    let daemon = Daemon::new("lifetime = \"300ms\"");
    let began = Instant::now();
    for mut client in daemon.each() {
        client.closes("lifetime");
        assert!(began.elapsed() >= 300 * MS);
    }
    let mut client = daemon.line();
    loop {
        client.say("ping");
        let answer = client.hear_text();
        if answer == "close lifetime" {
            break;
        }
        assert_eq!(answer, "pong");
    }
}

#[test]
fn quit_is_answered_and_nothing_after_it() {
    let daemon = Daemon::new("");
    let mut client = daemon.line();
    client.send("ping\nquit\nping\nping\n");
    client.hears("pong");
    client.closes("quit");
}

#[test]
fn a_half_close_is_answered_to_the_last_frame_and_ends_without_goodbye() {
    let daemon = Daemon::new("");
    let pings: [&[u8]; 3] = [b"ping", br#"{"type":"ping"}"#, b"\x01"];
    for (mut client, ping) in daemon.each().into_iter().zip(pings) {
        let frames = framed(client.framing(), ping).repeat(500);
        let half = &framed(client.framing(), ping)[..3];
        client.send([&frames, half].concat());
        client.half_close();
        for _ in 0..500 {
            client.hear();
        }
        client.eof();
    }
}

#[test]
fn a_half_close_alone_is_a_close() {
    let daemon = Daemon::new("");
    for mut client in daemon.each() {
        client.half_close();
        client.eof();
    }
}

#[test]
fn one_connection_too_many_is_told_when_to_come_back() {
    let daemon = Daemon::with("[limits]\nconnections = 2", "");
    let mut first = daemon.line();
    let mut second = daemon.line();
    first.fence();
    second.fence();
    for mut client in daemon.each() {
        let (reason, ms) = client.goodbye();
        assert_eq!(reason, "overloaded");
        assert!(ms.is_some_and(|ms| ms > 0));
        client.eof();
    }
    first.fence();
    second.say("quit");
    second.closes("quit");
    eventually("there is room again", || {
        let mut client = daemon.line();
        client.try_send("ping\n").ok()?;
        (client.hear_text() == "pong").then_some(())
    });
    first.fence();
}

#[test]
fn a_storm_over_the_limit_leaves_everybody_inside_in_peace() {
    let daemon = Daemon::with("[limits]\nconnections = 20", "");
    let mut inside: Vec<_> = (0..20).map(|_| daemon.line()).collect();
    for client in &mut inside {
        client.fence();
    }
    let outside: Vec<_> = (0..200).map(|_| daemon.line()).collect();
    for client in &mut inside {
        client.fence();
    }
    for mut client in outside {
        let (rest, _) = client.rest();
        let text = String::from_utf8(rest).unwrap();
        // Where more linger than there are places to linger in, the goodbye is skipped.
        assert!(
            text.is_empty() || text.starts_with("close overloaded "),
            "{text}"
        );
    }
    for client in &mut inside {
        client.fence();
    }
}

#[test]
fn a_shutdown_says_goodbye_to_everybody_and_exits_with_zero() {
    let mut daemon = Daemon::new("");
    let mut clients = daemon.each();
    let mut user = daemon.user("alice");
    daemon.signal(Signal::TERM);
    for client in &mut clients {
        let (reason, _) = client.goodbye();
        assert_eq!(reason, "shutdown");
        client.eof();
    }
    assert_eq!(user.goodbye().0, "shutdown");
    user.eof();
    let status = daemon.exit();
    assert!(status.success(), "{status}");
}

#[test]
fn an_interrupt_is_a_shutdown_too() {
    let mut daemon = Daemon::new("");
    let mut client = daemon.line();
    client.fence();
    daemon.signal(Signal::INT);
    assert_eq!(client.goodbye().0, "shutdown");
    client.eof();
    assert!(daemon.exit().success());
}

#[test]
fn a_shutdown_delivers_what_was_queued_before() {
    let mut daemon = Daemon::new("");
    let mut alice = daemon.user("alice");
    let mut bob = daemon.user("bob");
    for number in 0..100 {
        alice.asks(&format!("send bob {number}"), "ok queued=1");
    }
    daemon.signal(Signal::TERM);
    for number in 0..100 {
        assert_eq!(bob.message().body, number.to_string());
    }
    assert_eq!(bob.goodbye().0, "shutdown");
    assert!(daemon.exit().success());
}

#[test]
fn a_shutdown_waits_for_nobody_longer_than_its_timeout() {
    let top = "[drain]\ntimeout = \"300ms\"";
    let mut daemon = Daemon::with(top, "write_timeout = \"60s\"\noutput_age = \"60s\"");
    let mut alice = daemon.user("alice");
    let stuck = Stuck::new(&daemon, "stuck");
    stuck.fill(&mut alice, 100);
    let began = Instant::now();
    daemon.signal(Signal::TERM);
    daemon.exit();
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn the_goodbyes_of_a_shutdown_may_be_spread() {
    let mut daemon = Daemon::with("[drain]\nover = \"400ms\"", "");
    let mut clients: Vec<_> = (0..20).map(|_| daemon.line()).collect();
    for client in &mut clients {
        client.fence();
    }
    let began = Instant::now();
    daemon.signal(Signal::TERM);
    let mut ends = Vec::new();
    for client in &mut clients {
        assert_eq!(client.goodbye().0, "shutdown");
        client.eof();
        ends.push(began.elapsed());
    }
    assert!(ends.iter().max() >= Some(&(200 * MS)), "{ends:?}");
    assert!(daemon.exit().success());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut daemon = Daemon::with("[drain]\nover = \"60s\"\ntimeout = \"60s\"", "");
    let mut clients: Vec<_> = (0..20).map(|_| daemon.line()).collect();
    for client in &mut clients {
        client.fence();
    }
    daemon.signal(Signal::TERM);
    // The first one was taken once somebody is told, or newcomers are refused.
    eventually("the first signal is obeyed", || {
        std::net::TcpStream::connect(daemon.addr("line"))
            .is_err()
            .then_some(())
    });
    daemon.signal(Signal::TERM);
    daemon.exit();
}

/// A member of a topic that does not read.
struct Stuck {
    client: Client,
    name: &'static str,
}

impl Stuck {
    fn new(daemon: &Daemon, name: &'static str) -> Self {
        let mut client = daemon.user(name);
        // A few segments of loopback: less room would make the kernel crawl when it is read at last.
        let socket = socket2::SockRef::from(client.socket());
        socket.set_recv_buffer_size(256 << 10).unwrap();
        client.asks("join flood", "ok");
        Self { client, name }
    }

    /// Publishes so many blocks of 60 KB, or until the stuck member is gone.
    fn fill(&self, publisher: &mut Client, blocks: usize) -> bool {
        let body = "x".repeat(60_000);
        for _ in 0..blocks {
            publisher.say(format!("pub flood {body}"));
            if publisher.hear_text() == "ok queued=0" {
                return true;
            }
        }
        false
    }

    /// Waits until the server has let it go.
    fn left(&self, watcher: &mut Client) {
        eventually("the stuck one is closed", || {
            watcher.say(format!("send {} x", self.name));
            watcher
                .hear_text()
                .starts_with("error no-such-user ")
                .then_some(())
        });
    }

    /// Reads what is left, which must be whole messages; the last line.
    fn last_words(mut self) -> String {
        let (rest, reset) = self.client.rest();
        let text = String::from_utf8(rest).unwrap();
        let mut lines: Vec<_> = text.split_terminator('\n').collect();
        let last = lines.pop().unwrap_or_default();
        for line in lines {
            assert!(line.starts_with("msg "), "{line}");
        }
        assert!(text.ends_with('\n') && !reset, "{reset} {}", last.len());
        last.to_owned()
    }

    /// Reads what the kernels still held; whether a reset ended it.
    fn is_cut(mut self) -> bool {
        self.client.rest().1
    }
}

#[test]
fn who_does_not_read_is_closed_as_a_slow_consumer() {
    let daemon = Daemon::with("[log]\nlevel = \"debug\"", "");
    let mut alice = daemon.user("alice");
    let stuck = Stuck::new(&daemon, "stuck");
    assert!(stuck.fill(&mut alice, 1_000));
    stuck.left(&mut alice);
    daemon.logs("slow-consumer");
    // It woke up within the linger: then it gets what was queued, and hears why that was all.
    assert_eq!(stuck.last_words(), "close slow-consumer");
}

#[test]
fn a_socket_that_takes_nothing_ends_with_write_timeout() {
    let limits = "outbox_max = \"64MiB\"\noutbox_soft = \"64MiB\"\nwrite_timeout = \"300ms\"";
    let daemon = Daemon::with("[log]\nlevel = \"debug\"", limits);
    let mut alice = daemon.user("alice");
    let stuck = Stuck::new(&daemon, "stuck");
    stuck.fill(&mut alice, 100);
    stuck.left(&mut alice);
    daemon.logs("write-timeout");
    // A goodbye would wait behind what was not taken: there is nothing left but to cut it.
    assert!(stuck.is_cut());
}

#[test]
fn a_byte_a_second_saves_nobody() {
    let limits = "outbox_max = \"64MiB\"\noutbox_soft = \"64MiB\"\nwrite_timeout = \"30s\"\n\
                  output_age = \"500ms\"";
    let daemon = Daemon::with("[log]\nlevel = \"debug\"", limits);
    let mut alice = daemon.user("alice");
    let stuck = Stuck::new(&daemon, "stuck");
    stuck.fill(&mut alice, 200);
    eventually("the dripping reader is closed", || {
        let read = stuck.client.socket().read(&mut [0; 100]);
        assert!(read.is_ok_and(|count| count > 0));
        alice.say("send stuck x");
        alice
            .hear_text()
            .starts_with("error no-such-user ")
            .then_some(())
    });
    daemon.logs("slow-consumer");
}

#[test]
fn an_outbox_above_the_soft_limit_has_its_time() {
    let limits = "outbox_max = \"64MiB\"\noutbox_soft = \"64KiB\"\noutbox_soft_for = \"300ms\"\n\
                  write_timeout = \"30s\"\noutput_age = \"30s\"";
    let daemon = Daemon::with("[log]\nlevel = \"debug\"", limits);
    let mut alice = daemon.user("alice");
    let stuck = Stuck::new(&daemon, "stuck");
    stuck.fill(&mut alice, 100);
    stuck.left(&mut alice);
    daemon.logs("slow-consumer");
    assert_eq!(stuck.last_words(), "close slow-consumer");
}

#[test]
fn drop_newest_keeps_the_connection_and_what_it_had() {
    let limits = "slow_consumer = \"drop-newest\"\nwrite_timeout = \"30s\"\noutput_age = \"30s\"\n\
                  outbox_soft_for = \"30s\"";
    let daemon = Daemon::new(limits);
    let mut alice = daemon.user("alice");
    let mut stuck = Stuck::new(&daemon, "stuck");
    let body = "x".repeat(60_000);
    let mut dropped = false;
    for _ in 0..2_000 {
        alice.say(format!("pub flood {body}"));
        dropped = alice.hear_text() == "ok queued=0";
        if dropped {
            break;
        }
    }
    assert!(dropped);
    // What it gets is whole messages in order, and then it is served as before.
    let mut previous = 0;
    alice.fence();
    stuck.client.say("ping");
    loop {
        let line = stuck.client.hear_text();
        if line == "pong" {
            break;
        }
        let mut words = line.splitn(4, ' ');
        assert_eq!(words.next(), Some("msg"));
        let id: u64 = words.next().unwrap().parse().unwrap();
        assert!(id > previous);
        previous = id;
        assert_eq!(words.nth(1).map(str::len), Some(60_000));
    }
    alice.asks("send stuck hi", "ok queued=1");
    assert_eq!(stuck.client.message().body, "hi");
}

#[test]
fn a_goodbye_arrives_however_much_input_was_left_unread() {
    // Closing a socket with unread input turns the FIN into a reset, which destroys what was sent.
    let daemon = Daemon::new("");
    for round in 0..100 {
        let mut client = daemon.line();
        let rest = "ping\n".repeat(round * 120);
        client.send(format!("quit\n{rest}"));
        client.closes("quit");
    }
    for round in 0..100 {
        let mut client = daemon.client(Framing::Binary);
        let mut bytes = b"\xff\xff\xff\xff".to_vec();
        bytes.resize(4 + round * 600, 0);
        client.send(bytes);
        client.closes("protocol");
    }
}

#[test]
fn a_replaced_flooder_still_hears_why() {
    let daemon = Daemon::new("");
    for _ in 0..20 {
        let mut old = daemon.user("alice");
        old.send("pong\n".repeat(10_000));
        let _new = daemon.user("alice");
        old.closes("replaced");
    }
}

#[test]
fn who_goes_on_sending_after_a_goodbye_is_cut_off() {
    let daemon = Daemon::new("");
    let mut client = daemon.line();
    client.send("quit\n");
    let block = "ping\n".repeat(10_000);
    let began = Instant::now();
    while client.try_send(&block).is_ok() {
        assert!(began.elapsed() < Duration::from_secs(10), "never cut off");
    }
}

#[test]
fn who_never_closes_after_a_goodbye_is_let_go_after_the_linger() {
    let daemon = Daemon::new("");
    let idle = daemon.descriptors();
    let mut clients: Vec<_> = (0..10).map(|_| daemon.line()).collect();
    for client in &mut clients {
        client.say("quit");
        client.hears("close quit");
    }
    eventually("their descriptors are free", || {
        (daemon.descriptors() == idle).then_some(())
    });
    drop(clients);
}

#[test]
fn no_descriptor_is_left_behind() {
    let daemon = Daemon::new("");
    let idle = daemon.descriptors();
    for round in 0..20 {
        let clients = [daemon.each(), daemon.each()].into_iter().flatten();
        for (at, mut client) in clients.enumerate() {
            match (round + at) % 4 {
                0 => client.reset(),
                1 => client.send("GET / HTTP/1.1\r\n\r\n"),
                2 => client.half_close(),
                _ => {}
            }
        }
    }
    eventually("all descriptors are free", || {
        (daemon.descriptors() == idle).then_some(())
    });
    daemon.line().fence();
}
