//! What belongs to the whole process: limits, signals, clocks.

use std::io::{ErrorKind, IoSlice};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pulsegate::Token;
use pulsegate::net::mio::MioNet;
use pulsegate::net::{AcceptFault, Net, Signal};
use rustix::process::{Resource, Rlimit};
use socket2::SockRef;

use super::{CONN, LISTENER, PATIENCE, World};
use crate::child;

#[test]
fn without_descriptors_accept_says_so_and_the_backlog_waits_without_an_edge() {
    child::run(
        "kernel::process::without_descriptors_accept_says_so_and_the_backlog_waits_without_an_edge",
    );
    if !child::is_one() {
        return;
    }
    let mut world = World::new();
    let _client = TcpStream::connect(world.addr).unwrap();
    world.until(LISTENER, |ready| ready.readable);
    let tight = Rlimit {
        current: Some(64),
        ..rustix::process::getrlimit(Resource::Nofile)
    };
    rustix::process::setrlimit(Resource::Nofile, tight).unwrap();
    let copy = || rustix::io::dup(world.listener.as_fd());
    let mut spare: Vec<_> = std::iter::from_fn(|| copy().ok()).collect();
    let error = world.net.accept(&world.listener).unwrap_err();
    assert_eq!(AcceptFault::of(&error), AcceptFault::Exhausted, "{error}");
    world.quiet();
    spare.pop();
    world.quiet();
    world.net.accept(&world.listener).unwrap();
}

#[test]
fn what_hash_keys_are_made_of_never_comes_twice() {
    let mut nets = [(); 2].map(|()| MioNet::new(8).unwrap());
    let drawn = (0..1_000).map(|number: usize| nets[number % 2].entropy());
    let drawn: std::collections::BTreeSet<u64> = drawn.collect();
    assert_eq!(drawn.len(), 1_000);
    // All bits of them are used.
    let (any, all) = drawn
        .iter()
        .fold((0, u64::MAX), |(any, all), one| (any | one, all & one));
    assert_eq!((any, all), (u64::MAX, 0));
}

#[test]
fn signals_are_told_only_where_they_were_asked_for() {
    child::run("kernel::process::signals_are_told_only_where_they_were_asked_for");
    if !child::is_one() {
        return;
    }
    let mut plain = MioNet::new(8).unwrap();
    assert_eq!(plain.signal(), None);
    let mut net = MioNet::new(8).unwrap().with_signals().unwrap();
    let mut raise = |signal, wanted: &[Signal]| {
        rustix::process::kill_process(rustix::process::getpid(), signal).unwrap();
        let mut ready = Vec::new();
        // The signal may cut the wait short before its pipe is seen.
        while ready.is_empty() {
            net.wait(&mut ready, Some(PATIENCE)).unwrap();
        }
        assert_eq!(ready[0].token, Token::Signal);
        let told: Vec<_> = std::iter::from_fn(|| net.signal()).collect();
        assert_eq!(told, wanted);
    };
    raise(rustix::process::Signal::HUP, &[Signal::Reload]);
    raise(rustix::process::Signal::TERM, &[Signal::Terminate]);
    raise(rustix::process::Signal::INT, &[Signal::Terminate]);
    raise(rustix::process::Signal::HUP, &[Signal::Reload]);
    assert_eq!(plain.signal(), None);
}

#[test]
fn an_interrupted_wait_returns_with_nothing() {
    child::run("kernel::process::an_interrupted_wait_returns_with_nothing");
    if !child::is_one() {
        return;
    }
    let mut net = MioNet::new(8).unwrap();
    // Handled outside of the net, so that the poll is cut short and has nothing to tell.
    let seen = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGUSR1, Arc::clone(&seen)).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&done);
    let target = rustix::process::getpid();
    let thread = std::thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            rustix::process::kill_process(target, rustix::process::Signal::USR1).unwrap();
            std::thread::yield_now();
        }
    });
    // The kernel picks the thread that takes the signal: sooner or later it is the waiting one.
    let began = Instant::now();
    let mut waits = 0;
    while waits < 3 || !seen.load(Ordering::Relaxed) {
        let mut ready = Vec::new();
        net.wait(&mut ready, Some(Duration::from_millis(50)))
            .unwrap();
        assert_eq!(ready, []);
        waits += 1;
        assert!(began.elapsed() < PATIENCE);
    }
    done.store(true, Ordering::Relaxed);
    thread.join().unwrap();
}

#[test]
fn no_write_raises_a_signal() {
    child::run("kernel::process::no_write_raises_a_signal");
    if !child::is_one() {
        return;
    }
    let raised = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGPIPE, Arc::clone(&raised)).unwrap();
    let mut world = World::new();
    let (client, mut stream) = world.registered();
    SockRef::from(&client)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(client);
    world.until(CONN, |ready| ready.closed);
    let _ = world.net.read(&mut stream, &mut [0; 8]);
    let one = [IoSlice::new(b"x")];
    let two = [IoSlice::new(b"x"), IoSlice::new(b"y")];
    for slices in [&one[..], &two[..]] {
        let error = world.net.write(&mut stream, slices).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }
    assert!(!raised.load(Ordering::Relaxed));
}

#[test]
fn a_wait_lasts_as_long_as_asked_and_a_rest_too() {
    let mut net = MioNet::new(2).unwrap();
    let spans = [Duration::from_micros(200), Duration::from_millis(20)];
    for span in spans {
        let began = net.now();
        let mut ready = Vec::new();
        net.wait(&mut ready, Some(span)).unwrap();
        assert!(ready.is_empty());
        let waited = net.now();
        assert!(waited - began >= span);
        net.rest(span);
        assert!(net.now() - waited >= span);
    }
    net.wait(&mut Vec::new(), Some(Duration::ZERO)).unwrap();
}

#[test]
fn clocks_and_entropy_are_real() {
    let mut net = MioNet::new(2).unwrap();
    let year_2024 = Duration::from_secs(1_704_067_200);
    assert!(net.wall() > year_2024);
    let stamps: Vec<_> = (0..1_000).map(|_| net.now()).collect();
    assert!(stamps.is_sorted());
    assert!(stamps[999] > stamps[0]);
    assert_ne!(net.entropy(), net.entropy());
}
