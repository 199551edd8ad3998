//! Limits by address and by rate, with real peers: loopback has very many addresses.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use serde_json::json;
use socket2::{Domain, Socket, Type};

use crate::admin::daemon;
use crate::client::{Client, Framing, PATIENCE, eventually};
use crate::daemon::Daemon;

impl Client {
    /// Connects from an address of its own.
    pub fn from(ip: Ipv4Addr, addr: SocketAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((ip, 0)).into()).unwrap();
        socket.connect_timeout(&addr.into(), PATIENCE).unwrap();
        socket.set_tcp_nodelay(true).unwrap();
        Self::over(TcpStream::from(socket), Framing::Line)
    }
}

#[test]
fn an_address_has_so_many_connections_and_another_has_its_own() {
    // 55
    let daemon = Daemon::start(
        "[limits]\nconnections_per_address = 2\n\
         [[listener]]\nname = \"line\"\nbind = \"127.0.0.1:0\"\n",
    );
    let one = Ipv4Addr::new(127, 0, 0, 2);
    let other = Ipv4Addr::new(127, 0, 0, 3);
    let addr = daemon.addr("line");
    let mut first = Client::from(one, addr);
    let mut second = Client::from(one, addr);
    first.fence();
    second.fence();
    let mut third = Client::from(one, addr);
    assert_eq!(third.goodbye(), ("overloaded".into(), Some(1_000)));
    Client::from(other, addr).fence();
    first.say("quit");
    first.closes("quit");
    Client::from(one, addr).fence();
    drop(second);
}

#[test]
fn newcomers_and_logins_have_their_rates_and_each_refusal_is_counted() {
    // 20, 61
    let daemon = daemon(
        "[limits]\naccept_rate_per_address = \"3/1h\"\nlogin_rate_per_user = \"2/1h\"\n",
        "",
    );
    let mut http = daemon.http();
    let addr = daemon.addr("line");
    let from = |host| Client::from(Ipv4Addr::new(127, 0, 1, host), addr);
    let mut clients: Vec<Client> = (0..3).map(|_| from(1)).collect();
    let mut fourth = from(1);
    fourth.closes("rate-limited");
    clients[0].login("alice");
    clients[1].login("alice");
    clients[0].closes("replaced");
    clients[2].fails("login alice", "rate-limited");
    clients[2].login("bob");
    from(2).fails("login alice", "rate-limited");
    let counters = http.json("/v1/stats")["counters"].clone();
    let told = ["hurried", "crowded", "logins_refused"].map(|name| counters[name].clone());
    assert_eq!(told, [json!(1), json!(0), json!(2)]);
    let metrics = http.get("/metrics").text();
    assert!(metrics.contains("pulsegate_connections_rejected_total{reason=\"rate\"} 1\n"));
    assert!(metrics.contains("pulsegate_logins_refused_total 2\n"));
}

#[test]
fn a_rate_is_shown_and_who_does_not_keep_to_it_is_closed() {
    // 50
    let daemon = daemon(
        "",
        "message_rate = 20\nrate_interval = \"200ms\"\nrate_strikes = 3",
    );
    let mut http = daemon.http();
    let mut alice = daemon.user("alice");
    let mut shown = 0;
    eventually("a whole interval is shown", || {
        alice.fence();
        shown = http.json("/v1/connections")["connections"][0]["frames_per_interval"]
            .as_u64()
            .unwrap();
        (shown > 0).then_some(())
    });
    assert!(shown <= 20, "{shown}");
    let mut flood = daemon.line();
    flood.send("ping\n".repeat(1_000));
    let (heard, _) = flood.rest();
    let heard = String::from_utf8(heard).unwrap();
    assert_eq!(heard, "pong\n".repeat(60) + "close rate-limited 1000\n");
    alice.fence();
}

#[test]
fn a_reload_tells_how_many_an_address_has_too_many() {
    let limited = |limit: &str| {
        format!(
            "[admin]\nbind = \"127.0.0.1:0\"\n[limits]\nconnections_per_address = {limit}\n\
             [[listener]]\nname = \"line\"\nbind = \"127.0.0.1:0\"\n"
        )
    };
    let daemon = Daemon::start(&limited("9"));
    let mut http = daemon.http();
    let from = |host| Client::from(Ipv4Addr::new(127, 0, 1, host), daemon.addr("line"));
    let mut clients: Vec<Client> = [1, 1, 1, 2, 2, 3].map(from).into();
    for client in &mut clients {
        client.fence();
    }
    for (limit, touches) in [("2", 1), ("1", 3), ("5", 0), ("12", 0)] {
        let told = http.post("/v1/check", &limited(limit)).json();
        assert_eq!(told["changes"][0]["touches"], touches, "{limit}: {told}");
    }
    // Nobody is ended for being one of too many.
    daemon.rewrite(&limited("1"));
    assert_eq!(
        http.post("/v1/reload", "").json()["changes"][0]["touches"],
        3
    );
    for client in &mut clients {
        client.fence();
    }
}

#[test]
fn rates_come_with_a_reload_and_go_with_one() {
    let config = |limits: &str| {
        format!(
            "[admin]\nbind = \"127.0.0.1:0\"\n[limits]\n{limits}\n\
             [[listener]]\nname = \"line\"\nbind = \"127.0.0.1:0\"\n"
        )
    };
    let daemon = Daemon::start(&config(""));
    let mut http = daemon.http();
    let mut alice = daemon.user("alice");
    daemon.rewrite(&config("login_rate_per_address = \"1/1h\""));
    assert_eq!(http.post("/v1/reload", "").status, 200);
    alice.login("alice");
    alice.fails("login alice", "rate-limited");
    daemon.rewrite(&config(""));
    assert_eq!(http.post("/v1/reload", "").status, 200);
    alice.login("alice");
}
