//! What one `pub` to 10,000 members costs without system calls: the promise is one encoding and at
//! most 100 ns per member, from the request read to the last byte handed to the socket.
#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "support/null.rs"]
mod null;

use std::hint::black_box;
use std::time::{Duration, Instant};

use null::NullNet;
use pulsegate::{Limits, Options, Server, Settings};

const MEMBERS: u32 = 10_000;
const ROUNDS: usize = 200;

fn main() {
    for body in [16, 100, 1_000, 16_000] {
        report(body);
    }
}

fn report(body: usize) {
    let mut server = server_with_members();
    let line = format!("pub news {}\n", "x".repeat(body));
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| publish(&mut server, &line)).collect();
    times.sort_unstable();
    let nanos = |at: usize| times[at].as_nanos() as f64 / f64::from(MEMBERS);
    println!(
        "fanout body={body} members={MEMBERS} ns/member median={:.1} min={:.1} p90={:.1}",
        nanos(ROUNDS / 2),
        nanos(0),
        nanos(ROUNDS * 9 / 10)
    );
}

fn server_with_members() -> Server<NullNet, ()> {
    let limits = Limits {
        connections: MEMBERS + 1,
        ..Limits::default()
    };
    let options = Options {
        limits,
        ..Options::default()
    };
    let net = NullNet::with_backlog(MEMBERS + 1);
    let mut server = Server::new(net, (), options).expect("the null net has all it needs");
    server
        .listen(Settings::default())
        .expect("the null net binds anything");
    while server.gate().connections() < MEMBERS + 1 {
        server.turn().expect("the null net never fails");
    }
    for member in 0..MEMBERS {
        server.net_mut().say(member, b"join news\n");
        if member % 64 == 0 {
            server.turn().expect("the null net never fails");
        }
    }
    server.net_mut().say(MEMBERS, b"login publisher\n");
    while server.gate().members("news") < MEMBERS as usize {
        server.turn().expect("the null net never fails");
    }
    for _ in 0..100 {
        server.turn().expect("the null net never fails");
    }
    server
}

fn publish(server: &mut Server<NullNet, ()>, line: &str) -> Duration {
    let frames = server.gate().stats().frames_out;
    server.net_mut().say(MEMBERS, line.as_bytes());
    let began = Instant::now();
    // The answer to the publisher and one frame a member.
    while server.gate().stats().frames_out < frames + 1 + u64::from(MEMBERS)
        || server.gate().bytes_held()[1] > 0
    {
        server.turn().expect("the null net never fails");
    }
    black_box(server.net().written());
    began.elapsed()
}
