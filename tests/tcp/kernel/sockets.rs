//! Options, closing, and errors of single sockets.

use std::io::{ErrorKind, IoSlice, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use pulsegate::net::mio::MioNet;
use pulsegate::net::{AcceptFault, Ending, Net, SocketOptions};
use pulsegate::{ListenerId, Token};
use rustix::io::Errno;
use socket2::SockRef;

use super::{LISTENER, World};

#[test]
fn accepted_sockets_inherit_every_option_of_the_listener() {
    let mut world = World::with(&SocketOptions {
        backlog: 16,
        keepalive: Some(Duration::from_secs(77)),
        user_timeout: Some(Duration::from_millis(12_345)),
        send_buffer: Some(16 << 10),
        receive_buffer: Some(24 << 10),
        unsent_max: Some(20 << 10),
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
    assert_eq!(socket.tcp_notsent_lowat().unwrap(), 20 << 10);
    let flags = rustix::io::fcntl_getfd(stream.as_fd()).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
}

#[test]
fn options_that_are_off_stay_off() {
    let mut world = World::with(&SocketOptions {
        unsent_max: None,
        ..SocketOptions::default()
    });
    let (_client, stream) = world.pair();
    let socket = SockRef::from(&stream);
    assert_eq!(socket.tcp_notsent_lowat().unwrap(), 0, "the system's own");
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
    world.net.close(stream, Ending::Abort).expect("closes");
    let error = client.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_graceful_close_delivers_first() {
    let mut world = World::new();
    let (mut client, mut stream) = world.registered();
    let sent = world.net.write(&mut stream, &[IoSlice::new(b"last")]);
    assert_eq!(sent.unwrap(), 4);
    world.net.close(stream, Ending::Graceful).expect("closes");
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert_eq!(text, "last");
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
