//! How it leaves when it is told to.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use socket2::SockRef;

use crate::client::Client;
use crate::daemon::{Daemon, LINE};
use crate::program::{PATIENCE, eventually};

const ALL: &str = "\
[[listener]]
name = \"line\"
bind = \"127.0.0.1:0\"
[[listener]]
name = \"lenhdr\"
bind = \"127.0.0.1:0\"
framing = \"lenhdr\"
[[listener]]
name = \"binary\"
bind = \"127.0.0.1:0\"
framing = \"binary\"
[[listener]]
name = \"echo\"
bind = \"127.0.0.1:0\"
dialect = \"echo\"
";

/// Long deadlines of writing: only the drain ends whoever does not read.
const PATIENT: &str = "\
[[listener]]
bind = \"127.0.0.1:0\"
write_timeout = \"60s\"
output_age = \"60s\"
outbox_low = \"1MiB\"
outbox_soft = \"8MiB\"
outbox_max = \"8MiB\"
";

/// A client that does not read while messages wait for it at the server; and how many bytes do.
fn stuck(daemon: &Daemon) -> (Client, usize) {
    let stream = TcpStream::connect(daemon.addrs()[0]).unwrap();
    // A few segments of loopback: with less the kernel crawls when it is read at last.
    SockRef::from(&stream)
        .set_recv_buffer_size(256 << 10)
        .unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut client = Client::over(stream);
    client.login("stuck");
    let mut other = daemon.client();
    other.login("other");
    let body = "x".repeat(60_000);
    for _ in 0..100 {
        other.asks(&format!("send stuck {body}"), "ok queued=1");
    }
    (client, 100 * body.len())
}

/// Waits until the daemon has begun to leave.
fn leaving(daemon: &Daemon) {
    daemon.logs("shutting down connections=");
}

#[test]
fn everybody_is_told_in_their_framing() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut daemon = Daemon::start(ALL);
        let [line, lenhdr, binary, echo] = daemon.addrs() else {
            panic!("{:?}", daemon.addrs());
        };
        let mut line = Client::connect(*line);
        line.fence();
        let mut lenhdr = Client::connect(*lenhdr);
        lenhdr.send("length:0000000000015{\"type\":\"ping\"}");
        assert_eq!(
            lenhdr.exactly(35),
            b"length:0000000000015{\"type\":\"pong\"}"
        );
        let mut binary = Client::connect(*binary);
        binary.send(b"\x00\x00\x00\x01\x01");
        assert_eq!(binary.exactly(5), b"\x00\x00\x00\x01\x81");
        let mut echo = Client::connect(*echo);
        echo.asks("hello", "hello");

        let began = Instant::now();
        daemon.signal(signal);
        assert!(daemon.exit().success());
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
        // Told at once, to come back one after the other.
        assert_eq!(line.text(), "close shutdown 1250\n");
        let json = r#"{"type":"close","reason":"shutdown","reconnect_ms":1500}"#;
        assert_eq!(lenhdr.text(), format!("length:{:013}{json}", json.len()));
        assert_eq!(
            binary.rest(),
            b"\x00\x00\x00\x0f\x86\x00\x08shutdown\x00\x00\x06\xd6"
        );
        assert_eq!(echo.rest(), b"");
        daemon.logs("shutting down connections=4");
        daemon.logs("done");
    }
}

#[test]
fn what_waits_arrives_before_the_goodbye() {
    let mut daemon = Daemon::start(PATIENT);
    let (client, waits) = stuck(&daemon);
    daemon.signal(Signal::TERM);
    leaving(&daemon);
    let text = client.text();
    assert!(text.len() > waits, "{} of {waits}", text.len());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 101);
    assert!(lines[100].starts_with("close shutdown "), "{}", lines[100]);
    assert!(daemon.exit().success());
}

#[test]
fn requests_that_came_first_are_answered_first() {
    let mut daemon = Daemon::start(LINE);
    let mut client = daemon.client();
    client.login("alice");
    client.send("join t\npub t one\npub t two\n".repeat(100));
    // The last of them was handled when its answer is here.
    for _ in 0..100 {
        client.line();
    }
    daemon.signal(Signal::TERM);
    let text = client.text();
    assert!(text.ends_with("\nclose shutdown 2000\n"), "{text}");
    assert!(daemon.exit().success());
}

#[test]
fn newcomers_are_refused_while_it_leaves() {
    let daemon = Daemon::start(PATIENT);
    let addr = daemon.addrs()[0];
    let _stuck = stuck(&daemon);
    daemon.signal(Signal::TERM);
    leaving(&daemon);
    let error = eventually("connecting fails", || TcpStream::connect(addr).err());
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(
        !daemon.ends_within(Duration::from_millis(300)),
        "it waits for who does not read"
    );
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for second in [Signal::TERM, Signal::INT] {
        let mut daemon = Daemon::start(PATIENT);
        let (client, _) = stuck(&daemon);
        daemon.signal(Signal::TERM);
        leaving(&daemon);
        assert!(
            !daemon.ends_within(Duration::from_millis(200)),
            "the drain waits"
        );
        let began = Instant::now();
        daemon.signal(second);
        assert!(daemon.exit().success());
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{:?}",
            began.elapsed()
        );
        drop(client);
    }
}

#[test]
fn whoever_does_not_read_is_cut_when_the_drain_is_over() {
    let mut daemon = Daemon::start_with(PATIENT, &["--drain-timeout", "500ms"]);
    let (client, _) = stuck(&daemon);
    let began = Instant::now();
    daemon.signal(Signal::TERM);
    assert!(daemon.exit().success());
    let took = began.elapsed();
    assert!((450..5_000).contains(&took.as_millis()), "{took:?}");
    assert!(client.ends_by_reset());
}

#[test]
fn goodbyes_may_be_spread() {
    let mut daemon = Daemon::start_with(LINE, &["--drain-over", "600ms"]);
    let mut clients: Vec<Client> = (0..30).map(|_| daemon.client()).collect();
    for client in &mut clients {
        client.fence();
    }
    let began = Instant::now();
    daemon.signal(Signal::TERM);
    let mut told = Vec::new();
    for mut client in clients {
        let line = client.line();
        assert!(line.starts_with("close shutdown "), "{line}");
        told.push(began.elapsed().as_millis());
    }
    assert!(daemon.exit().success());
    assert!(told[29] - told[0] >= 300, "{told:?}");
}

#[test]
fn a_drain_without_anybody_takes_no_time() {
    let mut daemon = Daemon::start_with(LINE, &["--drain-over", "60s", "--drain-timeout", "60s"]);
    daemon.signal(Signal::TERM);
    let began = Instant::now();
    assert!(daemon.exit().success());
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn a_hang_up_ends_nothing_and_disturbs_nobody() {
    let mut daemon = Daemon::start(LINE);
    let mut client = daemon.client();
    for _ in 0..20 {
        daemon.signal(Signal::HUP);
        client.fence();
    }
    daemon.logs("reload");
    daemon.client().fence();
    daemon.signal(Signal::TERM);
    assert!(daemon.exit().success());
    assert!(client.text().starts_with("close shutdown "));
}

#[test]
fn a_port_is_free_again_at_once() {
    let mut daemon = Daemon::start(LINE);
    let addr = daemon.addrs()[0];
    let mut client = daemon.client();
    client.fence();
    daemon.signal(Signal::TERM);
    assert!(client.text().starts_with("close shutdown "));
    assert!(daemon.exit().success());
    let config = format!("[[listener]]\nbind = \"{addr}\"\n");
    let again = Daemon::start(&config);
    again.client().fence();
}
