//! What the codecs allocate: nothing for a frame, nothing for a length that is only announced.

use std::alloc::{GlobalAlloc, Layout as Block, System};
use std::cell::Cell;
use std::hint::black_box;

use pulsegate::CloseReason;
use pulsegate::ErrorCode;
use pulsegate::codec::framing::{Endian, Found, FrameError, Framing, Layout};
use pulsegate::codec::message::{Body, parse_binary, parse_json, parse_line};
use pulsegate::codec::reply::{Delivery, Fields, Reply, encode};

const JSON: Framing = Framing::LenHdr { bare_ping: true };
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
}

#[allow(unsafe_code, reason = "an allocator can not be written without")]
// SAFETY: every call is passed on as it is; the counter has no destructor and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, block: Block) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps the system allocator's contract.
        unsafe { System.alloc(block) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, block: Block) {
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
