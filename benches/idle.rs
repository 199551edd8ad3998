//! What an idle connection costs: bytes by a counting allocator, then resident memory and
//! processor time of the real daemon under 15,000 real connections.
//!
//! Asserted: resident, at most 200 bytes without a user and 256 with a user of 13 bytes; buffers
//! given back after traffic; at most 10 ms of processor time in 20 s of silence; it listens within
//! 50 ms, is smaller than 4 MB and holds less than 6 MB without clients.
#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "support/counting.rs"]
mod counting;
#[path = "support/crowd.rs"]
mod crowd;
#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/null.rs"]
mod null;

use null::NullNet;
use pulsegate::{Limits, Options, Server, Settings};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

const CONNS: u32 = 10_000;

fn main() {
    // Users' tables are reserved for all connections: allocated from the start, touched by logins.
    let with_user = bytes_per_connection();
    println!("idle allocated bytes/connection, its user's room included={with_user:.1}");
    assert!(
        with_user <= 256.0,
        "an idle connection with a user takes at most 256 bytes"
    );
    let left = bytes_left_by_traffic();
    println!("idle allocated bytes/connection left by traffic={left:.1}");
    assert!(left <= 8.0, "buffers are given back after traffic");
    crowd::report();
}

/// Live bytes per connection, compared with a server that holds one.
fn bytes_per_connection() -> f64 {
    let few = live_bytes(1);
    let many = live_bytes(CONNS);
    (many - few) as f64 / f64::from(CONNS - 1)
}

fn live_bytes(conns: u32) -> isize {
    let net = NullNet::with_backlog(conns);
    let before = counting::live();
    let mut server = server_with(net, conns);
    for conn in 0..conns {
        let login = format!("login user-{conn:08}\n");
        server.net_mut().say(conn, login.as_bytes());
        server.turn().expect("the null net never fails");
    }
    assert_eq!(server.gate().users(), conns);
    settle(&mut server);
    counting::live() - before
}

/// Live bytes per connection that remain after each has sent a torn frame and got an answer.
fn bytes_left_by_traffic() -> f64 {
    let mut server = server_with(NullNet::with_backlog(CONNS), CONNS);
    settle(&mut server);
    let before = counting::live();
    for part in [
        "data 0123456789",
        "0123456789\nping\n",
        "join t\n",
        "leave t\n",
    ] {
        for conn in 0..CONNS {
            server.net_mut().say(conn, part.as_bytes());
            if conn % 100 == 0 {
                settle(&mut server);
            }
        }
        settle(&mut server);
    }
    assert!(server.net().written() > 0, "there was traffic");
    (counting::live() - before) as f64 / f64::from(CONNS)
}

fn server_with(net: NullNet, conns: u32) -> Server<NullNet, ()> {
    let limits = Limits {
        connections: conns,
        refusals: 0,
        spare_outboxes: 16,
        ..Limits::default()
    };
    let options = Options {
        limits,
        ..Options::default()
    };
    let mut server = Server::new(net, (), options).expect("the null net has all it needs");
    server
        .listen(Settings::default())
        .expect("the null net binds anything");
    while server.gate().connections() < conns {
        server.turn().expect("the null net never fails");
    }
    server
}

fn settle(server: &mut Server<NullNet, ()>) {
    for _ in 0..8 {
        server.turn().expect("the null net never fails");
    }
}
