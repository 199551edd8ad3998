//! What is told, when, and what a read or a write then finds.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use pulsegate::net::mio::MioNet;
use pulsegate::net::{AcceptFault, Ending, Net, SocketOptions};
use pulsegate::{ConnId, Token};
use socket2::SockRef;

use super::{CONN, LISTENER, PATIENCE, World};

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
fn room_is_told_however_little_may_be_unsent() {
    for most in [1, 4 << 10, 128 << 10] {
        let mut world = World::with(&SocketOptions {
            unsent_max: Some(most),
            ..SocketOptions::default()
        });
        let (mut client, mut stream) = world.registered();
        let block = vec![7_u8; 300_000];
        let mut buffer = vec![0; 1 << 16];
        let (mut written, mut read, mut blocked) = (0, 0, 0);
        while blocked < 100 {
            match world.net.write(&mut stream, &[IoSlice::new(&block)]) {
                Ok(taken) => {
                    written += taken;
                    if taken == block.len() {
                        continue;
                    }
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            blocked += 1;
            // All of it is read, or nearly all.
            let left = blocked % 3 * 1_000;
            while read + left < written {
                read += client.read(&mut buffer).unwrap();
            }
            world.until(CONN, |ready| ready.writable);
        }
    }
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
    world.net.close(stream, Ending::Abort).expect("closes");
}

#[test]
fn a_closed_token_is_never_told_again_even_where_a_copy_lives_on() {
    let mut world = World::new();
    let (mut client, stream) = world.registered();
    let copy = stream.as_fd().try_clone_to_owned().unwrap();
    world.net.close(stream, Ending::Graceful).expect("closes");
    client.write_all(b"anybody there?").unwrap();
    world.quiet();
    drop(copy);
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
fn an_urgent_byte_ends_a_read_early_and_is_told_as_a_hint_to_read_on() {
    let mut world = World::new();
    let (mut client, mut stream) = world.registered();
    client.write_all(b"before").unwrap();
    SockRef::from(&client).send_out_of_band(b"!").unwrap();
    client.write_all(b"behind").unwrap();
    world.until(CONN, |ready| ready.readable && ready.closed);
    let mut buffer = [0; 64];
    assert_eq!(world.net.read(&mut stream, &mut buffer).unwrap(), 6);
    // The byte itself is taken out of the stream.
    assert_eq!(world.net.read(&mut stream, &mut buffer).unwrap(), 6);
    assert_eq!(&buffer[..6], b"behind");
}
