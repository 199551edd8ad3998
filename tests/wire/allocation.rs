//! What the codecs allocate: nothing for a frame, nothing for a length that is only announced.

use std::alloc::{GlobalAlloc, Layout as Block, System};
use std::cell::Cell;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use pulsegate::codec::framing::{Endian, Found, FrameError, Framing, Layout};
use pulsegate::codec::message::{Body, parse_binary, parse_json, parse_line};
use pulsegate::codec::reply::{Delivery, Fields, Reply, encode};
use pulsegate::net::mio::MioNet;
use pulsegate::{CloseReason, ErrorCode, Limits, Options, Server, Settings};

pub(crate) const JSON: Framing = Framing::LenHdr { bare_ping: true };
const BINARY: Framing = Framing::Binary(Layout {
    width: 4,
    endian: Endian::Big,
    offset: 0,
    adjust: 0,
    strip: None,
});

/// The system's allocator, counting on each thread by itself: tests run beside each other.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    /// Bytes allocated and not given back.
    static BYTES: Cell<i64> = const { Cell::new(0) };
    /// What is larger is refused.
    pub(crate) static LARGEST: Cell<usize> = const { Cell::new(usize::MAX) };
}

#[allow(unsafe_code, reason = "an allocator can not be written without")]
// SAFETY: every call is passed on as it is; the counter has no destructor and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, block: Block) -> *mut u8 {
        if block.size() > LARGEST.get() {
            return std::ptr::null_mut();
        }
        COUNT.set(COUNT.get() + 1);
        BYTES.set(BYTES.get().wrapping_add_unsigned(block.size() as u64));
        // SAFETY: the caller keeps the system allocator's contract.
        unsafe { System.alloc(block) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, block: Block) {
        BYTES.set(BYTES.get().wrapping_sub_unsigned(block.size() as u64));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, block) }
    }
}

/// Asserts that `run` does not allocate.
#[track_caller]
fn assert_free<T>(run: impl FnOnce() -> T) -> T {
    let before = COUNT.get();
    let result = run();
    assert_eq!(COUNT.get() - before, 0, "allocations");
    result
}

#[test]
fn the_counter_counts() {
    let before = COUNT.get();
    drop(black_box(Box::new(1)));
    assert_eq!(COUNT.get(), before + 1);
}

#[test]
fn finding_and_reading_frames_allocates_nothing() {
    let mut lines = Vec::new();
    let mut objects = Vec::new();
    let mut binaries = Vec::new();
    for _ in 0..1_000 {
        lines.extend(b"ping\nsend bob hello there\nlogin alice s3cret\r\n\n");
        binaries.extend(b"\0\0\0\x01\x01\0\0\0\x0b\x04\0\x03bobhello");
        objects.extend(b"ping\nlength:0000000000015{\"type\":\"ping\"}");
        let send = br#"{"type":"send","seq":5,"to":"bob","body":{"a":"b"}}"#;
        JSON.encode(send, &mut objects).unwrap();
    }
    for (framing, input, count) in [
        (Framing::Line, lines, 4_000),
        (BINARY, binaries, 2_000),
        (JSON, objects, 3_000),
    ] {
        assert_eq!(assert_free(|| read_all(framing, &input)), count);
    }
}

/// Finds and reads every frame of `input`; returns how many there were.
fn read_all(framing: Framing, input: &[u8]) -> usize {
    let mut rest = input;
    let mut count = 0;
    while let Ok(found) = framing.find(rest, 0, 1_024) {
        let consumed = match found {
            Found::More => break,
            Found::Beat { consumed } => consumed,
            Found::Frame { body, consumed } => {
                read(framing, &rest[body]);
                consumed
            }
        };
        rest = &rest[consumed..];
        count += 1;
    }
    count
}

fn read(framing: Framing, body: &[u8]) {
    match framing {
        Framing::Raw => {}
        Framing::Line if body.is_empty() => {}
        Framing::Line => {
            assert!(parse_line(std::str::from_utf8(body).unwrap()).is_ok());
        }
        Framing::LenHdr { .. } => {
            assert!(parse_json(body).unwrap().request.is_ok());
        }
        Framing::Binary(_) => assert!(parse_binary(body).is_ok()),
    }
}

#[test]
fn a_length_that_is_only_announced_allocates_nothing() {
    for value in [65_537, 1 << 31, u32::MAX] {
        let header = value.to_be_bytes();
        let judged = assert_free(|| BINARY.find(&header, 0, 65_536));
        assert_eq!(judged, Err(FrameError::TooLong));
    }
    let largest = assert_free(|| BINARY.find(&[0, 1, 0, 0], 0, 65_536));
    assert_eq!(largest, Ok(Found::More));
    let judged = assert_free(|| JSON.find(b"length:9999999999999", 0, 65_536));
    assert_eq!(judged, Err(FrameError::TooLong));
}

#[test]
fn writing_replies_allocates_nothing_but_the_buffer() {
    let text = Body::Text("hello\r\n\"there\"".into());
    let json = Body::Json("{ \"a\": [1, 2] }".into());
    let bytes = Body::Bytes(b"a\xFF".into());
    let message = |body| {
        Reply::Message(Delivery {
            id: 1 << 40,
            from: Some("alice"),
            topic: Some("news"),
            body,
            ack: true,
        })
    };
    let mut out = Vec::with_capacity(4_096);
    for framing in [Framing::Line, JSON, BINARY] {
        for reply in [
            Reply::Pong,
            Reply::Ping,
            Reply::Ok(Fields::NONE.with("heartbeat", 20_000).with("proto", 1)),
            Reply::Error(ErrorCode::BadRequest, "no\nsuch message"),
            Reply::Close(CloseReason::Overloaded, 1_000),
            message(&text),
            message(&json),
            message(&bytes),
        ] {
            assert_eq!(
                assert_free(|| encode(&reply, None, &framing, &mut out)),
                Ok(())
            );
        }
    }
}

/// Turns until it is so.
fn turn_until(server: &mut Server<MioNet, ()>, is_so: impl Fn(&Server<MioNet, ()>) -> bool) {
    let began = Instant::now();
    while !is_so(server) {
        // So that no turn waits where nothing comes any more.
        server.remote().post(|_, ()| {}).unwrap();
        server.turn().unwrap();
        assert!(began.elapsed() < Duration::from_secs(20));
    }
}

#[test]
fn a_stored_message_owns_its_bytes_and_the_ledger_tells_what_it_takes() {
    const MANY: usize = 4_096;
    let limits = Limits {
        connections: 4,
        ..Limits::default()
    };
    let options = Options {
        limits,
        ..Options::default()
    };
    let mut server = Server::new(MioNet::new(16).unwrap(), (), options).unwrap();
    let settings = Settings {
        bind: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
        offline_max: 5_000,
        ..Settings::default()
    };
    let addr = server.listen(settings).unwrap()[0];
    let mut client = TcpStream::connect(addr).unwrap();
    client.write_all(b"login bob\nlogin ann\nping\n").unwrap();
    turn_until(&mut server, |server| server.gate().absent_users() == 1);
    let before = BYTES.get();
    // Many a read, each of which brings a hundred messages and more.
    let mut writer = client.try_clone().unwrap();
    let line = format!("asend bob {}\n", "x".repeat(400));
    let writing = std::thread::spawn(move || writer.write_all(line.repeat(MANY).as_bytes()));
    turn_until(&mut server, |server| server.gate().parked() == MANY);
    writing.join().unwrap().unwrap();
    turn_until(&mut server, |server| server.gate().bytes_held()[1] == 0);
    let real = BYTES.get() - before;
    let told = server.gate().bytes_held()[2] as f64;
    let error = (real as f64 - told).abs() / told;
    assert!(error < 0.1, "{real} bytes, and {told} in the ledger");
}

#[test]
fn memory_that_is_refused_for_what_one_sends_costs_that_connection_and_no_other() {
    // 59
    let mut server = Server::new(MioNet::new(16).unwrap(), (), Options::default()).unwrap();
    let settings = Settings {
        bind: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
        frame_max: 1 << 20,
        ..Settings::default()
    };
    let addr = server.listen(settings).unwrap()[0];
    let mut canary = TcpStream::connect(addr).unwrap();
    let mut modest = TcpStream::connect(addr).unwrap();
    modest.write_all(&[b'x'; 8_000]).unwrap();
    turn_until(&mut server, |server| server.gate().bytes_held()[0] >= 8_000);
    let mut greedy = TcpStream::connect(addr).unwrap();
    turn_until(&mut server, |server| server.gate().connections() == 3);
    LARGEST.set(16_384);
    // Where its first bytes are to be kept, and where more are.
    for (stranger, left) in [(&mut greedy, 2), (&mut modest, 1)] {
        stranger.write_all(&[b'x'; 40_000]).unwrap();
        turn_until(&mut server, |server| server.gate().connections() == left);
    }
    assert_eq!(server.gate().bytes_held()[0], 0);
    canary.write_all(b"ping\nhalf").unwrap();
    turn_until(&mut server, |server| server.gate().bytes_held()[0] > 0);
    LARGEST.set(usize::MAX);
    assert_eq!(
        server.gate().stats().closed[CloseReason::Overloaded as usize],
        2
    );
    for (mut stream, heard) in [(greedy, "close overloaded 1000\n"), (canary, "pong\n")] {
        let mut text = vec![0; heard.len()];
        stream.read_exact(&mut text).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), heard);
    }
    server.gate().check();
}

/// A server that can hold so many, and what its tables take.
fn bytes_of(limits: Limits) -> (Server<MioNet, ()>, i64) {
    let net = MioNet::new(16).unwrap();
    let options = Options {
        limits,
        ..Options::default()
    };
    let before = BYTES.get();
    let server = Server::new(net, (), options).unwrap();
    (server, BYTES.get() - before)
}

#[test]
fn limits_by_source_cost_48_bytes_an_address_and_nothing_where_there_are_none() {
    // The worst case of the index: just more than fit into so many places.
    for connections in [1_000, 16_384, 50_000, 57_345 - 64 - 1_000] {
        let plain = Limits {
            connections,
            sources: 1_000,
            ..Limits::default()
        };
        let limited = Limits {
            address_connections: Some(10),
            ..plain.clone()
        };
        let addresses = i64::from(connections + plain.refusals + plain.sources);
        let (_plain, base) = bytes_of(plain);
        let (_limited, all) = bytes_of(limited);
        let each = (all - base) / addresses;
        assert!((32..=48).contains(&each), "{each} bytes an address");
    }
}

#[test]
fn a_rate_costs_16_bytes_a_connection_and_nothing_where_there_is_none() {
    const MANY: u32 = 10_000;
    let cost = |message_rate| {
        let limits = Limits {
            connections: MANY,
            refusals: 0,
            ..Limits::default()
        };
        let (mut server, _) = bytes_of(limits);
        let settings = Settings {
            bind: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            message_rate,
            ..Settings::default()
        };
        let before = BYTES.get();
        let addr = server.listen(settings).unwrap()[0];
        let _client = TcpStream::connect(addr).unwrap();
        turn_until(&mut server, |server| server.gate().connections() == 1);
        BYTES.get() - before
    };
    let meters = cost(Some(100)) - cost(None);
    // Heartbeats are not answered the short way there, for which a few hundred bytes are kept.
    let most = 16 * i64::from(MANY);
    assert!((most - 500..=most).contains(&meters), "{meters} of {most}");
}
