//! The driver over real sockets, one round at a time.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::thread::JoinHandle;

use super::*;
use crate::client::blocking::Client;
use crate::client::options::{Login, Options, Retry};
use crate::codec::message::{Body, Request};

/// What a client and its thread have in common, without the thread.
fn shared(options: Options) -> Shared {
    let shared = Client::prepare("nowhere:1", Some(Login::new("ann")), options, None);
    shared.unwrap()
}

fn patient(seconds: u64) -> Options {
    Options {
        connect_timeout: Duration::from_secs(seconds),
        retry: Retry::NEVER,
        ..Options::default()
    }
}

/// A server that answers one login, and tells all that was said to it.
fn gate() -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let login = lines.next().unwrap().unwrap();
        stream.write_all(b"ok heartbeat=20000 proto=1\n").unwrap();
        std::iter::once(login)
            .chain(lines.map_while(Result::ok))
            .collect()
    });
    (addr, served)
}

/// Begins an attempt at these addresses, in this order.
fn begin<'a>(shared: &'a Shared, addrs: &[SocketAddr]) -> Driver<'a> {
    let mut driver = Driver::new(shared);
    assert!(shared.lock().machine.wants_dial(shared.now()));
    driver.until = shared.now() + driver.patience();
    driver.others = addrs.iter().rev().copied().collect();
    driver.dial_next(Lost::Refused);
    driver
}

fn turn_until_online(driver: &mut Driver<'_>) {
    while !driver.shared.lock().machine.is_online() {
        assert!(driver.turn(), "it has ended");
    }
}

#[test]
fn an_address_that_says_nothing_does_not_hide_the_next() {
    let (silent, _sockets) = dial::silent();
    let (addr, served) = gate();
    let shared = shared(patient(4));
    let mut driver = begin(&shared, &[silent, silent, addr]);
    turn_until_online(&mut driver);
    drop(driver);
    assert_eq!(served.join().unwrap(), ["login ann"]);
}

#[test]
fn who_is_dropped_after_quit_is_heard_out() {
    let (addr, served) = gate();
    let shared = shared(patient(10));
    let mut driver = begin(&shared, &[addr]);
    turn_until_online(&mut driver);
    {
        let mut state = shared.lock();
        let (to, body, ack) = ("bob".into(), Body::Text("bye".into()), false);
        let words = Request::Send { to, body, ack };
        state.machine.request(shared.now(), &words).unwrap();
        state.machine.quit(shared.now());
        state.is_left = true;
    }
    while driver.turn() {}
    drop(driver);
    assert_eq!(
        served.join().unwrap(),
        ["login ann", "send bob bye", "quit"]
    );
}
