//! Who does not read, or not fast enough.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use crate::client::{Client, Framing, eventually};
use crate::daemon::Daemon;
use crate::skip::skip;

/// A member of a topic that does not read.
pub struct Stuck {
    client: Client,
    name: &'static str,
}

impl Stuck {
    pub fn new(daemon: &Daemon, name: &'static str) -> Self {
        let mut client = daemon.user(name);
        // A few segments of loopback: with less the kernel crawls when it is read at last.
        let socket = socket2::SockRef::from(client.socket());
        socket.set_recv_buffer_size(256 << 10).unwrap();
        client.asks("join flood", "ok");
        Self { client, name }
    }

    /// Publishes so many blocks of 60 KB, or until the stuck member is gone.
    pub fn fill(&self, publisher: &mut Client, blocks: usize) -> bool {
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
    fn ends_by_reset(mut self) -> bool {
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
    assert!(stuck.ends_by_reset());
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
fn while_the_server_itself_does_not_read_nobody_counts_as_silent() {
    let limits = "idle_timeout = \"400ms\"\nframe_timeout = \"400ms\"\n\
                  write_timeout = \"20s\"\noutput_age = \"40s\"";
    let daemon = crate::admin::daemon("", limits);
    let mut http = daemon.http();
    let mut client = daemon.line();
    let mut writer = client.socket().try_clone().unwrap();
    let block = "ping\n".repeat(1_000);
    let thread = std::thread::spawn(move || {
        for _ in 0..2_000 {
            writer.write_all(block.as_bytes()).unwrap();
        }
        writer.shutdown(std::net::Shutdown::Write).unwrap();
    });
    // Its answers fill every buffer, so that the server stops reading it: for three times as long
    // as it may be silent. The clock is somebody who has nothing to say, again and again.
    for _ in 0..4 {
        daemon.line().closes("idle-timeout");
        let output = http.json("/v1/stats")["memory"]["output"]["now"].clone();
        assert!(output.as_u64() < Some(256 << 10), "{output}: it reads on");
    }
    let (answers, reset) = client.rest();
    thread.join().unwrap();
    assert!(!reset);
    assert!(answers.ends_with(b"pong\npong\n"));
    assert_eq!(answers.len(), 2_000 * 1_000 * 5);
}

#[test]
fn no_second_copy_is_sent_while_the_first_one_waits() {
    let limits = "outbox_max = \"64MiB\"\noutbox_soft = \"64MiB\"\nwrite_timeout = \"30s\"\n\
                  ack_timeout = \"50ms\"\nack_attempts = 200";
    let daemon = Daemon::new(limits);
    let mut alice = daemon.user("alice");
    let mut stuck = Stuck::new(&daemon, "stuck");
    stuck.fill(&mut alice, 150);
    alice.asks("asend stuck precious", "ok queued=1");
    alice.quiet(Duration::from_millis(1_000));
    while stuck.client.message().body != "precious" {}
    stuck.client.say("ping");
    let copies = std::iter::from_fn(|| {
        let line = stuck.client.hear_text();
        (line != "pong").then(|| assert!(line.ends_with(" precious"), "{line}"))
    });
    // Those that came due while the first one was being read.
    assert!(copies.count() < 10);
}

/// How many messages of 1 KB go to 50 readers that are stuck before each of them is too slow, when
/// the kernel's part of it is set so.
fn taken(send_buffer: &str) -> usize {
    const READERS: usize = 50;
    let limits = format!(
        "outbox_max = \"64KiB\"\nwrite_timeout = \"1m\"\noutput_age = \"1m\"\n\
         send_buffer = \"{send_buffer}\""
    );
    let daemon = Daemon::new(&limits);
    let mut alice = daemon.user("alice");
    let readers: Vec<_> = (0..READERS)
        .map(|number| {
            let mut reader = Client::narrow(daemon.addr("line"), Framing::Line);
            reader.login(&format!("reader{number}"));
            reader.asks("join flood", "ok");
            reader
        })
        .collect();
    let body = "x".repeat(1_000);
    let mut taken = 0;
    loop {
        alice.say(format!("pub flood {body}"));
        let answer = alice.hear_text();
        let queued: usize = answer.strip_prefix("ok queued=").unwrap().parse().unwrap();
        if queued == 0 {
            drop(readers);
            return taken;
        }
        taken += queued;
        assert!(taken < READERS * 2_000, "the kernel takes all there is");
    }
}

#[test]
fn what_the_kernel_holds_for_those_who_do_not_read_is_bounded_by_a_setting() {
    // 64 in each outbox, and what the two kernels took: the setting doubled, a packet beyond it,
    // and the reader's own little.
    let most = |kernel: usize| 50 * (66 + kernel);
    let (small, large) = (taken("4KiB"), taken("64KiB"));
    assert!(small <= most(10), "{small}");
    assert!(large <= most(100), "{large}");
    assert!(large > small, "{large} {small}: the setting has no effect");
}

/// What the kernel holds of output for each connection of a listener: with its own book-keeping,
/// and those bytes of it that were not sent yet. `None` where this machine does not tell.
fn queued(listener: SocketAddr) -> Option<Vec<(u64, u64)>> {
    let filter = format!("( sport = :{} )", listener.port());
    let mut ss = Command::new("ss");
    ss.args(["-tnmiOH", "state", "connected", &filter]);
    let Ok(output) = ss.output() else {
        return skip("the tool `ss` is not installed");
    };
    let text = String::from_utf8_lossy(&output.stdout);
    // A line ends in "skmem:(r0,rb131072,t0,tb2626560,f1024,w0,o0,bl0,d0) … notsent:64000 …".
    let number = |text: &str| text.parse().unwrap();
    let of = |line: &str| {
        let skmem = line.split_once("skmem:(").unwrap().1;
        let held = skmem.split(',').find_map(|part| part.strip_prefix('w'));
        let mut words = line.split_whitespace();
        let unsent = words.find_map(|word| word.strip_prefix("notsent:"));
        (number(held.unwrap()), unsent.map_or(0, number))
    };
    Some(text.lines().map(of).collect())
}

#[test]
fn what_the_kernel_holds_of_what_it_could_not_send_is_bounded_by_default() {
    const READERS: usize = 20;
    let held = |more: &str| {
        let daemon = Daemon::new(&format!(
            "outbox_max = \"64MiB\"\noutbox_soft = \"64MiB\"\nwrite_timeout = \"1m\"\n\
             output_age = \"1m\"\n{more}"
        ));
        let mut alice = daemon.user("alice");
        let mut readers: Vec<_> = (0..READERS)
            .map(|number| {
                let mut reader = daemon.user(&format!("reader{number}"));
                let socket = socket2::SockRef::from(reader.socket());
                socket.set_recv_buffer_size(256 << 10).unwrap();
                reader.asks("join flood", "ok");
                reader
            })
            .collect();
        let body = "x".repeat(60_000);
        for _ in 0..60 {
            alice.asks(&format!("pub flood {body}"), "ok queued=20");
        }
        alice.fence();
        let queued = queued(daemon.addr("line"));
        // They were no more than slow: all of it comes.
        for reader in &mut readers {
            for _ in 0..60 {
                assert_eq!(reader.message().body, body);
            }
        }
        queued
    };
    let most = |held: &[(u64, u64)]| {
        let unsent = held.iter().map(|(_, unsent)| *unsent).max();
        (unsent, held.iter().map(|(held, _)| held).sum::<u64>())
    };
    let Some(bounded) = held("") else {
        return;
    };
    let (unsent, sum) = most(&bounded);
    assert_eq!(bounded.len(), READERS + 1);
    assert!(
        unsent <= Some((128 + 64) << 10),
        "{unsent:?}: a packet beyond the bound"
    );
    assert!(sum <= (READERS as u64) << 20, "{sum}");
    let (unsent, others) = most(&held("unsent_max = \"auto\"").unwrap());
    assert!(unsent > Some(1 << 20), "{unsent:?}: nothing to bound");
    assert!(others > 2 * sum, "{others} {sum}");
}
