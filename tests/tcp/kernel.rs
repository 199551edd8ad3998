//! The contract of `Net` against the real kernel: what the loop believes about edges, errors and
//! socket options is true here.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pulsegate::net::mio::MioNet;
use pulsegate::net::{AcceptFault, Ending, Net, Ready, Signal, SocketOptions};
use pulsegate::{ConnId, ListenerId, Token};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit};
use socket2::SockRef;

use crate::child;

const LISTENER: Token = Token::Listener(ListenerId(0));
const CONN: Token = Token::Conn(ConnId {
    index: 5,
    serial: 9,
});
/// How long the kernel may take for what it does at once.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing must happen where nothing may.
const QUIET: Duration = Duration::from_millis(30);

type Listener = <MioNet as Net>::Listener;
type Stream = <MioNet as Net>::Stream;

/// A net with one listener.
struct World {
    net: MioNet,
    listener: Listener,
    addr: SocketAddr,
}

impl World {
    fn new() -> Self {
        Self::with(&SocketOptions::default())
    }

    fn with(options: &SocketOptions) -> Self {
        let mut net = MioNet::new(64).unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (listener, addr) = net.listen(any, options, LISTENER).unwrap();
        Self {
            net,
            listener,
            addr,
        }
    }

    /// A client and the server's end of its connection, not registered.
    fn pair(&mut self) -> (TcpStream, Stream) {
        let client = TcpStream::connect(self.addr).unwrap();
        self.until(LISTENER, |ready| ready.readable);
        let (stream, peer) = self.net.accept(&self.listener).unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        (client, stream)
    }

    /// The same, registered as `CONN`, the first event taken.
    fn registered(&mut self) -> (TcpStream, Stream) {
        let (client, mut stream) = self.pair();
        self.net.register(&mut stream, CONN).unwrap();
        self.until(CONN, |ready| ready.writable);
        (client, stream)
    }

    /// Waits for an event that is as wanted.
    fn until(&mut self, token: Token, wanted: impl Fn(&Ready) -> bool) -> Ready {
        let deadline = Instant::now() + PATIENCE;
        let mut ready = Vec::new();
        while Instant::now() < deadline {
            ready.clear();
            self.net
                .wait(&mut ready, Some(Duration::from_millis(100)))
                .unwrap();
            let found = ready.iter().find(|one| one.token == token && wanted(one));
            if let Some(found) = found {
                return *found;
            }
        }
        panic!("no such event of {token:?}");
    }

    /// Demands that nothing is told for a while.
    fn quiet(&mut self) {
        let mut ready = Vec::new();
        self.net.wait(&mut ready, Some(QUIET)).unwrap();
        assert_eq!(ready, []);
    }
}

#[test]
fn a_new_connection_is_writable_and_nothing_else() {
    let mut world = World::new();
    let (_client, mut stream) = world.pair();
    world.net.register(&mut stream, CONN).unwrap();
    let ready = world.until(CONN, |_| true);
    assert!(ready.writable && !ready.readable && !ready.closed);
    world.quiet();
}

#[test]
fn bytes_that_came_before_the_registration_are_told() {
    let mut world = World::new();
    let (mut client, mut stream) = world.pair();
    client.write_all(b"early").unwrap();
    world.net.register(&mut stream, CONN).unwrap();
    world.until(CONN, |ready| ready.readable);
}

#[test]
fn a_short_read_means_drained_and_the_next_byte_is_told_again() {
    let mut world = World::new();
    let (mut client, mut stream) = world.registered();
    let mut buffer = [0; 64];
    for _ in 0..3 {
        client.write_all(b"0123456789").unwrap();
        world.until(CONN, |ready| ready.readable);
        assert_eq!(world.net.read(&mut stream, &mut buffer).unwrap(), 10);
        world.quiet();
    }
    let empty = world.net.read(&mut stream, &mut buffer).unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::WouldBlock);
}

#[test]
fn what_a_full_buffer_left_behind_is_not_told_again() {
    let mut world = World::new();
    let (mut client, mut stream) = world.registered();
    client.write_all(b"0123456789").unwrap();
    world.until(CONN, |ready| ready.readable);
    let mut buffer = [0; 4];
    assert_eq!(world.net.read(&mut stream, &mut buffer).unwrap(), 4);
    world.quiet();
    assert_eq!(world.net.read(&mut stream, &mut buffer).unwrap(), 4);
    assert_eq!(world.net.read(&mut stream, &mut buffer).unwrap(), 2);
}

#[test]
fn a_half_close_behind_data_is_seen_by_the_read_after_the_short_one() {
    let mut world = World::new();
    let (mut client, mut stream) = world.registered();
    client.write_all(b"bye").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    world.until(CONN, |ready| ready.readable && ready.closed);
    let mut buffer = [0; 64];
    assert_eq!(world.net.read(&mut stream, &mut buffer).unwrap(), 3);
    assert_eq!(world.net.read(&mut stream, &mut buffer).unwrap(), 0);
    // The other direction still works.
    let sent = world.net.write(&mut stream, &[IoSlice::new(b"you too")]);
    assert_eq!(sent.unwrap(), 7);
    drop(stream);
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert_eq!(text, "you too");
}

#[test]
fn room_is_told_after_a_write_would_block() {
    let mut world = World::new();
    let (mut client, mut stream) = world.registered();
    let block = vec![7_u8; 1 << 16];
    let mut sent = 0;
    let error = loop {
        match world.net.write(&mut stream, &[IoSlice::new(&block)]) {
            Ok(taken) => sent += taken,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    client.read_exact(&mut vec![0; sent]).unwrap();
    world.until(CONN, |ready| ready.writable);
    let again = world.net.write(&mut stream, &[IoSlice::new(&block)]);
    assert!(again.unwrap() > 0);
}

#[test]
fn slices_arrive_in_order_and_too_many_are_taken_in_part() {
    let mut world = World::new();
    let (mut client, mut stream) = world.registered();
    let slices = [IoSlice::new(b"a"), IoSlice::new(b""), IoSlice::new(b"bc\n")];
    assert_eq!(world.net.write(&mut stream, &slices).unwrap(), 4);
    let many = vec![IoSlice::new(b"x"); 2_000];
    assert_eq!(world.net.write(&mut stream, &many).unwrap(), 1_024);
    let mut bytes = vec![0; 4 + 1_024];
    client.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes[..5], b"abc\nx");
}

#[test]
fn accepted_sockets_inherit_every_option_of_the_listener() {
    let mut world = World::with(&SocketOptions {
        backlog: 16,
        keepalive: Some(Duration::from_secs(77)),
        user_timeout: Some(Duration::from_millis(12_345)),
        send_buffer: Some(16 << 10),
        receive_buffer: Some(24 << 10),
    });
    let (_client, stream) = world.pair();
    let socket = SockRef::from(&stream);
    assert!(socket.tcp_nodelay().unwrap());
    assert!(socket.nonblocking().unwrap());
    assert!(socket.keepalive().unwrap());
    assert_eq!(
        socket.tcp_keepalive_time().unwrap(),
        Duration::from_secs(77)
    );
    let timeout = socket.tcp_user_timeout().unwrap();
    assert_eq!(timeout, Some(Duration::from_millis(12_345)));
    // The kernel doubles what was asked for, to pay for its own book-keeping.
    assert_eq!(socket.send_buffer_size().unwrap(), 32 << 10);
    assert_eq!(socket.recv_buffer_size().unwrap(), 48 << 10);
    let flags = rustix::io::fcntl_getfd(stream.as_fd()).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
}

#[test]
fn options_that_are_off_stay_off() {
    let mut world = World::new();
    let (_client, stream) = world.pair();
    let socket = SockRef::from(&stream);
    assert!(!socket.keepalive().unwrap());
    assert_eq!(socket.tcp_user_timeout().unwrap(), None);
    assert!(socket.tcp_nodelay().unwrap());
}

#[test]
fn extreme_options_are_cut_to_what_the_kernel_takes() {
    for time in [Duration::from_millis(1), Duration::from_secs(48 * 86_400)] {
        World::with(&SocketOptions {
            backlog: u32::MAX,
            keepalive: Some(time),
            user_timeout: Some(time),
            ..SocketOptions::default()
        });
    }
}

#[test]
fn both_families_share_a_port() {
    let mut net = MioNet::new(8).unwrap();
    let options = SocketOptions::default();
    let six = SocketAddr::from(([0_u16; 8], 0));
    let (listener, bound) = net.listen(six, &options, LISTENER).unwrap();
    assert!(SockRef::from(&listener).only_v6().unwrap());
    // IPv4 is refused by the v6 socket, and may be bound beside it. Where a stranger has that port
    // already the bind fails, which tells nothing: then only the refusal is checked.
    let four = SocketAddr::from(([127, 0, 0, 1], bound.port()));
    match net.listen(four, &options, Token::Listener(ListenerId(1))) {
        Ok((_, addr)) => assert_eq!(addr, four),
        Err(error) => assert_eq!(error.kind(), ErrorKind::AddrInUse),
    }
    let client = TcpStream::connect(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], bound.port())));
    assert!(client.is_ok());
}

#[test]
fn an_address_in_use_is_an_error() {
    let mut world = World::new();
    let options = SocketOptions::default();
    let again = world.net.listen(world.addr, &options, LISTENER);
    assert_eq!(again.unwrap_err().kind(), ErrorKind::AddrInUse);
}

#[test]
fn an_abort_resets_the_peer() {
    let mut world = World::new();
    let (mut client, mut stream) = world.registered();
    let sent = world.net.write(&mut stream, &[IoSlice::new(b"lost")]);
    assert_eq!(sent.unwrap(), 4);
    world.net.close(stream, Ending::Abort);
    let error = client.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_graceful_close_delivers_first() {
    let mut world = World::new();
    let (mut client, mut stream) = world.registered();
    let sent = world.net.write(&mut stream, &[IoSlice::new(b"last")]);
    assert_eq!(sent.unwrap(), 4);
    world.net.close(stream, Ending::Graceful);
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert_eq!(text, "last");
}

#[test]
fn a_reset_is_told_and_found_by_the_read() {
    let mut world = World::new();
    let (client, mut stream) = world.registered();
    SockRef::from(&client)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(client);
    world.until(CONN, |ready| ready.readable && ready.closed);
    let error = world.net.read(&mut stream, &mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let error = world.net.write(&mut stream, &[IoSlice::new(b"x")]);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert!(world.net.shutdown_write(&mut stream).is_err());
    world.net.close(stream, Ending::Abort);
}

#[test]
fn a_closed_token_is_never_told_again_even_where_a_copy_lives_on() {
    let mut world = World::new();
    let (mut client, stream) = world.registered();
    let copy = stream.as_fd().try_clone_to_owned().unwrap();
    world.net.close(stream, Ending::Graceful);
    client.write_all(b"anybody there?").unwrap();
    world.quiet();
    drop(copy);
}

#[test]
fn a_listener_that_is_gone_refuses() {
    let World {
        mut net,
        listener,
        addr,
    } = World::new();
    net.unlisten(listener);
    let error = TcpStream::connect(addr).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn one_edge_of_a_listener_may_stand_for_many_connections() {
    let mut world = World::new();
    let clients: Vec<_> = (0..5)
        .map(|_| TcpStream::connect(world.addr).unwrap())
        .collect();
    world.until(LISTENER, |ready| ready.readable);
    for client in &clients {
        let (_, peer) = world.net.accept(&world.listener).unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
    }
    let error = world.net.accept(&world.listener).unwrap_err();
    assert_eq!(AcceptFault::of(&error), AcceptFault::Drained);
}

#[test]
fn accept_errors_are_sorted_by_whose_fault_they_are() {
    let newcomer = [
        Errno::CONNABORTED,
        Errno::INTR,
        Errno::NETDOWN,
        Errno::PROTO,
        Errno::NOPROTOOPT,
        Errno::HOSTDOWN,
        Errno::NONET,
        Errno::HOSTUNREACH,
        Errno::OPNOTSUPP,
        Errno::NETUNREACH,
        Errno::PERM,
        Errno::TIMEDOUT,
    ];
    let exhausted = [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOMEM,
        Errno::NOBUFS,
        Errno::INVAL,
    ];
    let of = |errno: Errno| AcceptFault::of(&errno.into());
    assert_eq!(of(Errno::AGAIN), AcceptFault::Drained);
    for errno in newcomer {
        assert_eq!(of(errno), AcceptFault::Newcomer, "{errno}");
    }
    for errno in exhausted {
        assert_eq!(of(errno), AcceptFault::Exhausted, "{errno}");
    }
}

#[test]
fn without_descriptors_accept_says_so_and_the_backlog_waits_without_an_edge() {
    child::run("kernel::without_descriptors_accept_says_so_and_the_backlog_waits_without_an_edge");
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
fn a_waker_ends_a_wait_from_another_thread() {
    let mut world = World::new();
    let waker = world.net.waker().unwrap();
    let same = world.net.waker().unwrap();
    let thread = std::thread::spawn(move || waker.wake().unwrap());
    let mut ready = Vec::new();
    world.net.wait(&mut ready, None).unwrap();
    assert_eq!(ready.len(), 1);
    assert_eq!(ready[0].token, Token::Waker);
    thread.join().unwrap();
    same.wake().unwrap();
    world.until(Token::Waker, |ready| ready.readable);
    world.quiet();
}

#[test]
fn a_wake_before_the_wait_is_not_lost() {
    let mut world = World::new();
    world.net.waker().unwrap().wake().unwrap();
    world.until(Token::Waker, |_| true);
}

#[test]
fn signals_are_told_only_where_they_were_asked_for() {
    child::run("kernel::signals_are_told_only_where_they_were_asked_for");
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
    child::run("kernel::an_interrupted_wait_returns_with_nothing");
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
    child::run("kernel::no_write_raises_a_signal");
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
fn a_wait_tells_at_most_as_much_as_it_was_made_for_and_the_rest_next_time() {
    let mut net = MioNet::new(2).unwrap();
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let options = SocketOptions::default();
    let (listener, addr) = net.listen(any, &options, LISTENER).unwrap();
    let mut kept = Vec::new();
    for index in 0..5 {
        let client = TcpStream::connect(addr).unwrap();
        let mut stream = net.accept(&listener).unwrap().0;
        let token = Token::Conn(ConnId { index, serial: 0 });
        net.register(&mut stream, token).unwrap();
        kept.push((client, stream));
    }
    let mut seen = Vec::new();
    while seen.len() < kept.len() {
        let before = seen.len();
        net.wait(&mut seen, Some(PATIENCE)).unwrap();
        assert!((1..=2).contains(&(seen.len() - before)));
    }
    let mut tokens: Vec<_> = seen.iter().map(|ready| ready.token.pack()).collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), kept.len());
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
