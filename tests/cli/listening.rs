//! From the start to the line that says where it listens.

use std::net::{SocketAddr, TcpListener};

use serde_json::Value;

use crate::client::Client;
use crate::daemon::{Daemon, LINE};
use crate::program::run;

/// A line without its level and its stamp: `INFO  [2026-01-01T00:00:00.000Z] text`.
#[track_caller]
fn said<'a>(line: &'a str, level: &str) -> &'a str {
    let rest = line.strip_prefix(&format!("{level:<5} [")).unwrap();
    let (stamp, text) = rest.split_once("Z] ").unwrap();
    let shape: String = stamp
        .chars()
        .map(|char| if char.is_ascii_digit() { '0' } else { char })
        .collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000", "{line}");
    text
}

/// Demands the end of a start line: `; at most N connections and M MiB of memory (PART=BYTES …);
/// hardened: …`.
#[track_caller]
fn reach(rest: &str) -> u32 {
    let rest = rest.strip_prefix("; at most ").unwrap();
    let (rest, hardened) = rest.split_once("; hardened: ").unwrap();
    let words: Vec<&str> = hardened.split(' ').collect();
    let names = words.iter().filter_map(|word| word.split_once('='));
    let names: Vec<&str> = names.map(|(name, _)| name).collect();
    assert_eq!(
        names,
        ["uid", "capabilities", "landlock", "seccomp"],
        "{hardened}"
    );
    let (connections, rest) = rest.split_once(" connections and ").unwrap();
    let (memory, rest) = rest.split_once(" MiB of memory (").unwrap();
    let memory = memory.parse::<u64>().unwrap();
    assert!(memory > 100, "{memory}");
    let parts = rest.strip_suffix(')').unwrap().split(' ');
    let bytes = parts.map(|part| part.split_once('=').unwrap().1.parse::<u64>().unwrap());
    assert_eq!(bytes.sum::<u64>().div_ceil(1 << 20), memory, "{rest}");
    connections.parse().unwrap()
}

#[test]
fn the_start_is_one_line() {
    let daemon = Daemon::start(&format!("[limits]\nconnections = 50\n{LINE}"));
    let log = daemon.log();
    let line = log.strip_suffix('\n').unwrap();
    let places = format!("listening on {} (clients: line, gate)", daemon.addrs()[0]);
    let rest = said(line, "INFO").strip_prefix(&places).unwrap();
    assert_eq!(reach(rest), 50);
    daemon.client().fence();
}

#[test]
fn the_start_tells_every_address_of_every_listener() {
    let daemon = Daemon::start(
        "\
[[listener]]
name = \"both\"
bind = [\"127.0.0.1:0\", \"[::1]:0\"]
[[listener]]
name = \"machines\"
bind = \"[::1]:0\"
framing = { binary = { width = 2 } }
dialect = \"echo\"
[[listener]]
name = \"json\"
bind = \"127.0.0.1:0\"
framing = \"lenhdr\"
[[listener]]
name = \"bytes\"
bind = \"127.0.0.1:0\"
framing = \"raw\"
dialect = \"sink\"
",
    );
    let [both4, both6, machines, json, bytes] = daemon.addrs() else {
        panic!("{:?}", daemon.addrs());
    };
    let places = format!(
        "listening on {both4} and {both6} (both: line, gate), {machines} (machines: binary, \
         echo), {json} (json: lenhdr, gate), {bytes} (bytes: raw, sink)"
    );
    let log = daemon.log();
    reach(said(log.trim_end(), "INFO").strip_prefix(&places).unwrap());
    assert_eq!(
        daemon.addrs().iter().filter(|addr| addr.is_ipv6()).count(),
        2
    );
    for addr in [both4, both6] {
        Client::connect(*addr).fence();
    }
    let mut client = Client::connect(*machines);
    client.send(b"\x00\x02hi");
    assert_eq!(client.exactly(4), b"\x00\x02hi");
    let mut client = Client::connect(*json);
    client.send("length:0000000000015{\"type\":\"ping\"}");
    assert_eq!(
        client.exactly(35),
        b"length:0000000000015{\"type\":\"pong\"}"
    );
    Client::connect(*bytes).send("whatever");
}

#[test]
fn many_listeners_are_told_whole() {
    let mut config = String::new();
    for number in 0..60 {
        config += &format!("[[listener]]\nname = \"listener-with-a-name-{number}\"\n");
        config += "bind = \"127.0.0.1:0\"\n";
    }
    config += "[[listener]]\nname = \"last\"\nbind = \"127.0.0.1:0\"\n";
    let daemon = Daemon::start(&config);
    daemon.logs(" MiB of memory");
    let log = daemon.log();
    let lines = log.lines().map(|line| said(line, "INFO"));
    let told: Vec<SocketAddr> = lines
        .flat_map(|line| line.split(' ').filter_map(|word| word.parse().ok()))
        .collect();
    assert_eq!(told.len(), 61, "{log}");
    assert!(
        log.contains("(listener-with-a-name-59: line, gate)") && !log.contains('…'),
        "{log}"
    );
    assert!(
        log.lines()
            .all(|line| line.starts_with("INFO  [") && line.contains("listening on "))
    );
    for addr in told {
        Client::connect(addr).fence();
    }
}

#[test]
fn a_log_in_json_is_json() {
    let mut daemon = Daemon::start_with(LINE, &["--log-format", "json", "-vv"]);
    daemon.client().login("al\"ice\\");
    daemon.logs("al\\\"ice");
    daemon.signal(rustix::process::Signal::TERM);
    assert!(daemon.exit().success());
    daemon.logs("\"msg\":\"done\"");
    for line in daemon.log().lines() {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(
            value["msg"].is_string() && value["ts"].is_string(),
            "{line}"
        );
        let level = value["level"].as_str().unwrap();
        assert!(["trace", "debug", "info"].contains(&level), "{line}");
    }
}

#[test]
fn the_level_decides_what_is_logged() {
    for (arguments, level) in [
        (&["-v"][..], "DEBUG"),
        (&["-vv"], "TRACE"),
        (&["--log-level", "debug"], "DEBUG"),
        (&[], "INFO"),
    ] {
        let mut daemon = Daemon::start_with(LINE, arguments);
        daemon.client().fence();
        daemon.signal(rustix::process::Signal::TERM);
        assert!(daemon.exit().success());
        daemon.logs("done");
        let log = daemon.log();
        let all = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];
        let least = all.iter().position(|known| *known == level).unwrap();
        let seen = |level: &&str| log.lines().any(|line| line.starts_with(*level));
        assert!(seen(&level), "{level}: {log}");
        assert!(!all[least + 1..].iter().any(seen), "{level}: {log}");
    }
}

#[test]
fn a_quiet_start_says_nothing() {
    for quiet in ["-q", "-qq"] {
        let mut daemon = Daemon::unheard(crate::program::program(), LINE, &[quiet]);
        daemon.client().fence();
        daemon.signal(rustix::process::Signal::TERM);
        assert!(daemon.exit().success());
        assert_eq!(daemon.log(), "");
    }
}

#[test]
fn an_address_in_use_is_told_and_nothing_is_left_half_started() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let config = format!("{LINE}[[listener]]\nname = \"b\"\nbind = \"{addr}\"\n");
    let outcome = run(&["serve", "-c", "c.toml", "--admin-bind", "off"], &config);
    let says = format!(
        "pulsegate: listener \"b\": {addr} can not be bound: Address already in use (os error \
         98); another process listens there: stop it or set another bind\n"
    );
    assert_eq!((outcome.code, outcome.stderr), (Some(1), says));
    assert_eq!(outcome.stdout, "");
}

#[test]
fn one_address_of_several_in_use_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let config = format!("[[listener]]\nname = \"b\"\nbind = [\"127.0.0.1:0\", \"{addr}\"]\n");
    let outcome = run(&["serve", "-c", "c.toml", "--admin-bind", "off"], &config);
    let says = format!(
        "pulsegate: listener \"b\": {addr} can not be bound: Address already in use (os error \
         98); another process listens there: stop it or set another bind\n"
    );
    assert_eq!((outcome.code, outcome.stderr), (Some(1), says));
}

#[test]
fn an_address_of_another_machine_is_told() {
    // Set aside for documentation: no machine has it.
    let config = "[[listener]]\nbind = \"192.0.2.1:0\"\nlogin = \"none\"\n";
    let outcome = run(&["serve", "-c", "c.toml", "--admin-bind", "off"], config);
    let says = "pulsegate: listener \"clients\": 192.0.2.1:0 can not be bound: Cannot assign \
                requested address (os error 99); this machine has no such address: set another \
                bind\n";
    assert_eq!((outcome.code, &outcome.stderr[..]), (Some(1), says));
}

#[test]
fn an_open_address_is_warned_about() {
    let daemon = Daemon::start("[[listener]]\nname = \"a\"\nbind = \"0.0.0.0:0\"\n");
    let log = daemon.log();
    let warning = log.lines().next().unwrap();
    let text = "listener \"a\" on 0.0.0.0:0 takes logins from anybody under any name: tokens \
                are not checked";
    assert_eq!(said(warning, "WARN"), text);
}

#[test]
fn a_misspelt_variable_is_warned_about() {
    let mut command = crate::program::program();
    command.env("PULSEGATE_IDLE_TIMOUT", "5s");
    // Some systems set this for a service of that name.
    command.env("PULSEGATE_SERVICE_HOST", "10.0.0.1");
    let daemon = Daemon::launch(command, LINE, &[]);
    let log = daemon.log();
    let text = "variable PULSEGATE_IDLE_TIMOUT means nothing; did you mean PULSEGATE_IDLE_TIMEOUT?";
    assert_eq!(said(log.lines().next().unwrap(), "WARN"), text);
    assert_eq!(log.lines().count(), 2, "{log}");
}
