//! What only a network of one's own shows: a cut cable, sockets that are destroyed, addresses that
//! go. Two namespaces, one for the daemon and one for its clients, with a cable between them.
//!
//! Making them takes root and the tool `ip`; where one is missing the tests say so and do nothing,
//! or fail where `PULSEGATE_NO_SKIP` is set.

use std::fs::File;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::client::{Client, Framing, eventually};
use crate::daemon::Daemon;
use crate::skip::skip;

const LISTENER: &str = "[[listener]]\nname = \"line\"\nbind = \"10.99.7.1:7373\"\n";
const LOG: &str = "[log]\nlevel = \"debug\"\n";

/// Two namespaces and the cable between them; removed when dropped.
struct Network {
    server: String,
    clients: String,
}

impl Network {
    /// `None` where this machine lets us make none; the reason is printed.
    fn new() -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        if !rustix::process::geteuid().is_root() {
            return skip("making a network namespace takes root");
        }
        if Command::new("ip").arg("-V").output().is_err() {
            return skip("the tool `ip` is not installed");
        }
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("pulsegate-{}-{number}", std::process::id());
        let network = Self {
            server: format!("{name}-s"),
            clients: format!("{name}-c"),
        };
        let made = Command::new("ip")
            .args(["netns", "add", &network.server])
            .output()
            .unwrap();
        if String::from_utf8_lossy(&made.stderr).contains("not permitted") {
            return skip("this root may not make network namespaces");
        }
        must("ip netns add", &made);
        ip(&["netns", "add", &network.clients]);
        let (server, clients) = (network.server.as_str(), network.clients.as_str());
        let far = ["peer", "name", "cable", "netns", clients];
        ip(&[
            &["-n", server, "link", "add", "cable", "type", "veth"],
            &far[..],
        ]
        .concat());
        for (place, addr) in [(server, "10.99.7.1/24"), (clients, "10.99.7.2/24")] {
            ip(&["-n", place, "addr", "add", addr, "dev", "cable"]);
            ip(&["-n", place, "link", "set", "cable", "up"]);
        }
        ip(&["-n", server, "link", "set", "lo", "up"]);
        Some(network)
    }

    /// A daemon on the server's side that listens at 10.99.7.1:7373.
    fn daemon(&self, settings: &str) -> Daemon {
        let config = format!("{LOG}[defaults]\n{settings}\n{LISTENER}");
        let daemon = Daemon::start_in(&self.server, &config);
        daemon.logs("listening on 10.99.7.1:7373");
        daemon
    }

    /// A client on the other side.
    fn client(&self) -> Client {
        Self::client_in(&self.clients)
    }

    fn client_in(place: &str) -> Client {
        let place = File::open(format!("/run/netns/{place}")).unwrap();
        // Only the thread moves; the socket stays where it was made.
        let connect = move || {
            let network = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(place.as_fd(), network).unwrap();
            Client::connect(SocketAddr::from(([10, 99, 7, 1], 7373)), Framing::Line)
        };
        std::thread::spawn(connect).join().unwrap()
    }

    /// Pulls the cable out at the clients' end.
    fn cut(&self) {
        ip(&["-n", &self.clients, "link", "set", "cable", "down"]);
    }

    /// Destroys sockets on the server's side; `false` where the kernel can not.
    fn destroy(&self, filter: &[&str]) -> bool {
        let ss = ["netns", "exec", &self.server, "ss", "-K"];
        let done = Command::new("ip").args(ss).args(filter).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        if said.contains("not supported") || said.contains("No such file") {
            skip::<()>("no `ss`, or a kernel without CONFIG_INET_DIAG_DESTROY");
            return false;
        }
        must("ss -K", &done);
        true
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for place in [&self.server, &self.clients] {
            let _ = Command::new("ip").args(["netns", "del", place]).output();
        }
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().unwrap();
    must(&arguments.join(" "), &output);
}

#[track_caller]
fn must(what: &str, output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {said}");
}

/// Waits for the end of the connection of that user in the daemon's log.
fn ends(daemon: &Daemon, user: &str, reason: &str) {
    daemon.logs(&format!("closed reason={reason} user={user} "));
}

#[test]
fn behind_a_cut_cable_the_silent_are_found_by_their_heartbeat() {
    let Some(network) = Network::new() else {
        return;
    };
    let daemon = network.daemon("idle_timeout = \"1s\"");
    let idle = daemon.descriptors();
    let mut clients: Vec<_> = (0..5).map(|_| network.client()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.login(&format!("u{number}"));
    }
    let began = Instant::now();
    network.cut();
    for number in 0..clients.len() {
        ends(&daemon, &format!("u{number}"), "idle-timeout");
    }
    assert!(began.elapsed() < Duration::from_secs(5));
    // No FIN of theirs will ever come, and the sockets are let go all the same.
    eventually("their descriptors are free", || {
        (daemon.descriptors() == idle).then_some(())
    });
}

#[test]
fn behind_a_cut_cable_output_in_flight_is_found_long_before_the_heartbeat() {
    let Some(network) = Network::new() else {
        return;
    };
    let limits = "idle_timeout = \"10m\"\nuser_timeout = \"2s\"\nwrite_timeout = \"500ms\"\n\
                  send_buffer = \"4KiB\"";
    let daemon = network.daemon(limits);
    let [mut few, mut many] = [network.client(), network.client()];
    few.login("few");
    many.login("many");
    let mut sender = Network::client_in(&network.server);
    sender.login("sender");
    network.cut();
    let began = Instant::now();
    // What the kernel took all of is given up by the kernel, what still waits by us.
    sender.asks("send few x", "ok queued=1");
    for _ in 0..3 {
        sender.asks(&format!("send many {}", "x".repeat(50_000)), "ok queued=1");
    }
    ends(&daemon, "many", "write-timeout");
    ends(&daemon, "few", "peer-reset");
    assert!(began.elapsed() < Duration::from_secs(10));
    sender.fence();
}

#[test]
fn a_destroyed_connection_is_one_end_and_disturbs_nobody() {
    let Some(network) = Network::new() else {
        return;
    };
    let daemon = network.daemon("");
    let mut canary = network.client();
    canary.login("canary");
    let mut victim = network.client();
    victim.login("victim");
    let port = victim.socket().local_addr().unwrap().port();
    let idle = daemon.descriptors();
    if !network.destroy(&["dport", "=", &format!(":{port}")]) {
        return;
    }
    ends(&daemon, "victim", "peer-reset");
    victim.gone();
    canary.fails("send victim x", "no-such-user");
    eventually("its descriptor is free", || {
        (daemon.descriptors() == idle - 1).then_some(())
    });
    network.client().fence();
}

#[test]
fn a_destroyed_listener_neither_spins_nor_costs_anybody_inside() {
    let Some(network) = Network::new() else {
        return;
    };
    let daemon = network.daemon("");
    let mut canary = network.client();
    canary.login("canary");
    if !network.destroy(&["state", "listening", "sport", "=", ":7373"]) {
        return;
    }
    // It is told, and tried again and again, at leisure.
    daemon.logs("accepting rests for ");
    let used = daemon.cpu_ticks();
    canary.quiet(Duration::from_millis(500));
    let used = daemon.cpu_ticks() - used;
    assert!(used <= 5, "the loop spins: {used} ticks in half a second");
    canary.fence();
}

#[test]
fn a_listener_survives_an_interface_that_goes_and_an_address_that_is_removed() {
    let Some(network) = Network::new() else {
        return;
    };
    let daemon = network.daemon("");
    let mut inside = network.client();
    inside.login("inside");
    let server = network.server.as_str();
    ip(&["-n", server, "link", "set", "cable", "down"]);
    ip(&["-n", server, "link", "set", "cable", "up"]);
    network.client().fence();
    for action in ["del", "add"] {
        ip(&["-n", server, "addr", action, "10.99.7.1/24", "dev", "cable"]);
    }
    network.client().fence();
    inside.fence();
    assert!(!daemon.log_text().contains("accepting rests"));
}
