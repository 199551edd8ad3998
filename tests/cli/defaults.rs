//! What holds where nobody has told the daemon anything, seen from outside: an empty file, no
//! flags, no variables.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use landlock::{ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr};
use rustix::process::geteuid;
use serde_json::Value;

use crate::client::Client;
use crate::daemon::{Daemon, listens, sockets};
use crate::program::PATIENCE;
use crate::skip::skip;

/// One that nobody has told anything; where its own ports are taken, anything but two of them.
fn untold() -> Daemon {
    if let Some(daemon) = Daemon::untold() {
        let ports = [7373, 7374].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        assert_eq!(daemon.addrs(), ports);
        return daemon;
    }
    eprintln!("7373 or 7374 is taken on this machine: the daemon is given other ports");
    let flags = ["--bind", "127.0.0.1:0", "--admin-bind", "127.0.0.1:0"];
    Daemon::told_by_flags(&flags).unwrap()
}

/// An answer of the admin interface, asked for under this name.
fn ask(daemon: &Daemon, target: &str, host: &str) -> String {
    let mut http = TcpStream::connect_timeout(&daemon.addrs()[1], PATIENCE).unwrap();
    http.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    http.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    http.read_to_string(&mut answer).unwrap();
    answer
}

fn stats(daemon: &Daemon) -> Value {
    let answer = ask(daemon, "/v1/stats", "localhost");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
    serde_json::from_str(body).unwrap()
}

#[test]
fn told_nothing_it_listens_on_loopback_alone_gives_up_what_it_can_and_logs_no_client() {
    // P15
    let daemon = untold();
    listens_on_loopback_alone(&daemon);
    has_given_up_what_the_kernel_lets_it_give_up(&daemon);
    takes_nobodys_word_for_an_address_and_logs_no_client(&daemon);
}

fn listens_on_loopback_alone(daemon: &Daemon) {
    let [_, admin] = daemon.addrs() else {
        panic!("{:?}", daemon.addrs());
    };
    // Its descriptors are for who may trace it: root, where no container says otherwise.
    if std::fs::read_dir(format!("/proc/{}/fd", daemon.id())).is_ok() {
        let mut bound = listens(daemon.id());
        bound.sort_unstable();
        let mut told = daemon.addrs().to_vec();
        told.sort_unstable();
        assert_eq!(bound, told, "what it says is what the kernel knows of");
        let datagrams = sockets(daemon.id(), &["udp", "udp6", "raw", "raw6"]);
        assert_eq!(datagrams, []);
    } else {
        skip::<()>("only who may trace a daemon that is hardened can look into it");
    }
    assert!(daemon.addrs().iter().all(|addr| addr.ip().is_loopback()));
    // The admin interface has no token, so only this machine reaches it, and no page of a browser
    // does under another name.
    for (host, status) in [
        ("localhost", 200),
        (&admin.to_string()[..], 200),
        ("evil", 403),
    ] {
        let answer = ask(daemon, "/v1/users", host);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
    }
}

fn has_given_up_what_the_kernel_lets_it_give_up(daemon: &Daemon) {
    let hardening = stats(daemon)["hardening"].clone();
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap();
    let line = |name: &str| {
        let found = status.lines().find_map(|line| line.strip_prefix(name));
        found.map(str::trim)
    };
    assert_eq!(hardening["no_new_privs"], true, "{hardening}");
    assert_eq!(line("NoNewPrivs:"), Some("1"));
    let (seccomp, filter) = match line("Seccomp:") {
        Some(filter) => ("on", filter),
        None => ("missing", "2"),
    };
    assert_eq!((&hardening["seccomp"], filter), (&seccomp.into(), "2"));
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let ruleset = ruleset.handle_access(AccessFs::from_all(ABI::V1));
    let landlock = match ruleset.and_then(Ruleset::create) {
        Ok(_) => "on",
        Err(_) => "missing",
    };
    assert_eq!(hardening["landlock"], landlock, "{hardening}");
}

fn takes_nobodys_word_for_an_address_and_logs_no_client(daemon: &Daemon) {
    let log = daemon.log();
    let warnings = log.matches("WARN").count();
    let hardening = stats(daemon)["hardening"].clone();
    let guards = ["seccomp", "landlock"].into_iter();
    let missing = guards.filter(|guard| hardening[guard] == "missing").count();
    let alarmed = usize::from(geteuid().is_root()) + missing;
    assert_eq!(
        warnings, alarmed,
        "of root, and what the kernel lacks: {log}"
    );
    // Compression there is none, and a PROXY header is no frame.
    let mut client = daemon.client();
    client.send("PROXY TCP4 203.0.113.9 127.0.0.1 50000 7373\r\n");
    let answer = client.line();
    assert!(answer.starts_with("error bad-request "), "{answer}");
    client.login("alice");
    let row = ask(daemon, "/v1/users/alice", "localhost");
    assert!(
        row.contains("\"127.0.0.1:") && !row.contains("203.0.113.9"),
        "{row}"
    );
    for number in 0..20 {
        let mut client: Client = daemon.client();
        client.login(&format!("user-{number}"));
        client.asks("quit", "close quit");
    }
    assert_eq!(stats(daemon)["closed"]["quit"], 20);
    // A machine that is busy may make its loop lag, which is told.
    let is_of_clients = |line: &&str| !line.contains("the loop lags") && !line.contains("overload");
    let log_now = daemon.log();
    let added: Vec<&str> = log_now[log.len()..].lines().filter(is_of_clients).collect();
    assert!(added.is_empty(), "not a line for a client: {added:?}");
}
