//! Under a service manager: what it is told, and the sockets that it hands over.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::client::Client;
use crate::daemon::{Daemon, LINE};
use crate::program::{PATIENCE, eventually, program, shell};

/// A fake service manager.
struct Manager {
    socket: UnixDatagram,
    folder: TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, folder }
    }

    fn start(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Daemon {
        let mut command = program();
        command.env("NOTIFY_SOCKET", self.folder.path().join("notify"));
        command.envs(variables.iter().copied());
        Daemon::launch(command, LINE, arguments)
    }

    /// The next thing that it is told.
    fn hears(&self) -> String {
        let mut buffer = [0; 4_096];
        let count = self.socket.recv(&mut buffer).expect("a notification");
        String::from_utf8(buffer[..count].to_vec()).unwrap()
    }

    /// The next that is no sign of life.
    fn hears_news(&self) -> String {
        loop {
            let said = self.hears();
            if !said.starts_with("WATCHDOG=1\n") {
                return said;
            }
        }
    }
}

/// Microseconds on the clock that the manager compares with.
fn monotonic() -> u128 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::try_from(now).unwrap().as_micros()
}

#[test]
fn it_is_told_of_the_start_a_reload_and_the_end_in_this_order() {
    let manager = Manager::new();
    let mut daemon = manager.start(&[], &["--drain-timeout", "7s"]);
    assert_eq!(manager.hears(), "READY=1\nSTATUS=0 connections");
    let client = daemon.client();
    let before = monotonic();
    daemon.signal(Signal::HUP);
    let reloading = manager.hears();
    let stamp = reloading
        .lines()
        .nth(1)
        .and_then(|line| line.strip_prefix("MONOTONIC_USEC="));
    let stamp: u128 = stamp.expect("a stamp").parse().unwrap();
    assert!(reloading.starts_with("RELOADING=1\n"), "{reloading}");
    assert!((before..=monotonic()).contains(&stamp), "{stamp}");
    assert_eq!(
        manager.hears(),
        "READY=1\nSTATUS=reloaded, 0 settings differ"
    );
    daemon.rewrite("nothing\n");
    daemon.signal(Signal::HUP);
    assert!(manager.hears().starts_with("RELOADING=1\n"));
    let refused = manager.hears();
    assert!(
        refused.starts_with("READY=1\nSTATUS=reload refused: c.toml:1: "),
        "{refused}"
    );
    daemon.signal(Signal::TERM);
    let stopping = manager.hears();
    let told = "STOPPING=1\nEXTEND_TIMEOUT_USEC=12000000\nSTATUS=saying goodbye to 1";
    assert_eq!(stopping, told);
    assert!(daemon.exit().success());
    drop(client);
}

#[test]
fn the_loop_gives_signs_of_life_only_while_it_turns() {
    let manager = Manager::new();
    let daemon = manager.start(&[("WATCHDOG_USEC", "200000")], &[]);
    assert!(manager.hears().starts_with("READY=1\n"));
    for _ in 0..5 {
        assert_eq!(manager.hears(), "WATCHDOG=1\nSTATUS=0 connections");
    }
    daemon.signal(Signal::STOP);
    let timeout = Some(Duration::from_millis(400));
    manager.socket.set_read_timeout(timeout).unwrap();
    let mut buffer = [0; 64];
    // One may have been under way when it stopped.
    let silent = (0..2).any(|_| manager.socket.recv(&mut buffer).is_err());
    assert!(silent, "a stopped loop gives no sign of life");
    manager.socket.set_read_timeout(Some(PATIENCE)).unwrap();
    daemon.signal(Signal::CONT);
    assert!(manager.hears().starts_with("WATCHDOG=1\n"));
    daemon.signal(Signal::TERM);
    assert!(manager.hears_news().starts_with("STOPPING=1\n"));
}

#[test]
fn signs_of_life_meant_for_another_process_are_not_given() {
    let manager = Manager::new();
    let variables = [("WATCHDOG_USEC", "20000"), ("WATCHDOG_PID", "1")];
    let daemon = manager.start(&variables, &[]);
    assert!(manager.hears().starts_with("READY=1\n"));
    let mut client = daemon.client();
    for _ in 0..100 {
        client.fence();
    }
    daemon.signal(Signal::TERM);
    assert!(manager.hears().starts_with("STOPPING=1\n"));
}

#[test]
fn a_manager_that_is_not_there_keeps_nobody_from_starting() {
    let mut command = program();
    command.env("NOTIFY_SOCKET", "/nowhere/notify");
    let daemon = Daemon::launch(command, LINE, &[]);
    daemon.logs("NOTIFY_SOCKET \"/nowhere/notify\": No such file");
    daemon.client().fence();
}

/// The program with `listener` as its descriptor 3, handed over under this name.
fn activated(listener: &TcpListener, name: &str) -> Command {
    let line = format!(
        "exec 3<&0 0</dev/null; \
         LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES={name} exec \"$0\" \"$@\""
    );
    let mut command = shell(&line);
    let socket = OwnedFd::from(listener.try_clone().unwrap());
    command.stdin(Stdio::from(socket));
    command
}

#[test]
fn a_socket_that_is_handed_over_is_used_and_no_other_bound() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    // Who came before it was there is served too.
    let mut early = Client::connect(addr);
    let config = "[[listener]]\nname = \"phones\"\nbind = \"203.0.113.1:1\"\n";
    let daemon = Daemon::launch_over(activated(&listener, "phones"), config, &[]);
    assert_eq!(daemon.addrs(), [addr]);
    early.fence();
    daemon.client().fence();
}

/// What a newcomer comes to that says one thing: an answer, or a goodbye with a time to come back.
fn visit(addr: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"ping\n")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line)
}

/// Comes again and again until it is told to stop. Complaints about those who were not served.
fn keep_coming(addr: SocketAddr, served: &AtomicUsize, stop: &Receiver<()>) -> Vec<String> {
    let mut complaints = Vec::new();
    while stop.recv_timeout(Duration::from_millis(1)) == Err(RecvTimeoutError::Timeout) {
        match visit(addr) {
            Ok(line) if line == "pong\n" => drop(served.fetch_add(1, Ordering::Relaxed)),
            Ok(line) if line.starts_with("close shutdown ") => {}
            other => complaints.push(format!("{other:?}")),
        }
    }
    complaints
}

#[test]
fn a_restart_with_a_socket_that_is_handed_over_refuses_nobody() {
    // P13
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let config = "[[listener]]\nname = \"phones\"\nbind = \"203.0.113.1:1\"\n";
    let start = || Daemon::launch_over(activated(&listener, "phones"), config, &[]);
    let served = AtomicUsize::new(0);
    let complaints = std::thread::scope(|scope| {
        let begin = |_| {
            let ((sender, stop), served) = (channel(), &served);
            let thread = scope.spawn(move || keep_coming(addr, served, &stop));
            (sender, thread)
        };
        let mut daemon = start();
        let crowd: Vec<_> = (0..4).map(begin).collect();
        for round in 1..=10 {
            let goal = served.load(Ordering::Relaxed) + 20;
            eventually("newcomers are served", || {
                (served.load(Ordering::Relaxed) >= goal).then_some(())
            });
            daemon.signal(Signal::TERM);
            assert!(daemon.exit().success(), "round {round}");
            // There is no daemon now, and who comes is let in all the same.
            let mut early: Vec<_> = (0..10).map(|_| Client::connect(addr)).collect();
            daemon = start();
            for client in &mut early {
                client.fence();
            }
        }
        let ended = crowd.into_iter().flat_map(|(sender, thread)| {
            drop(sender);
            thread.join().unwrap()
        });
        ended.collect::<Vec<_>>()
    });
    assert_eq!(complaints, [""; 0]);
}

#[test]
fn a_socket_that_no_listener_is_called_is_told_of_and_left() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let daemon = Daemon::launch_over(activated(&listener, "others"), LINE, &[]);
    assert_ne!(daemon.addrs(), [listener.local_addr().unwrap()]);
    daemon.client().fence();
    daemon.logs("handed over for \"others\": no listener is called so");
}

#[test]
fn a_hand_over_that_is_for_nobody_is_told() {
    for (sockets, process) in [("x", "$$"), ("1", "1")] {
        let line = format!("LISTEN_PID={process} LISTEN_FDS={sockets} exec \"$0\" \"$@\"");
        let daemon = Daemon::launch(shell(&line), LINE, &[]);
        daemon.logs("LISTEN_FDS is set, but hands nothing over to this process");
        daemon.client().fence();
    }
}

#[test]
fn a_configuration_that_comes_through_a_pipe_is_read_once() {
    let line = "mkfifo p; (cat c.toml > p) & shift 3; exec \"$0\" serve --config p \"$@\"";
    let daemon = Daemon::launch(shell(line), LINE, &[]);
    daemon.logs("p is a pipe: reloads will be refused");
    daemon.client().fence();
}
