//! The frame decoder: torn anywhere the frames and the fault are the same, nothing is allocated to
//! find one, and a body that was found can be written and is found again.

use std::ops::Range;

use pulsegate::codec::framing::{Endian, Found, FrameError, Framing, Layout};
use pulsegate::codec::message::check_json;

use crate::heap;
use crate::take::Take;

/// What the bytes hold.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Seen {
    Frame(Range<usize>, usize),
    Beat(usize),
    Fault(FrameError),
}

pub(super) fn run(bytes: &[u8]) {
    let mut take = Take::new(bytes);
    let framing = framing(&mut take);
    let most = take.pick(&[16, 0, 1, 300, 65_536, usize::MAX]);
    let step = usize::from(take.byte()) % 32 + 1;
    let input = take.rest();
    let whole = walk(&framing, input, most, input.len().max(1));
    for seen in &whole {
        if let Seen::Frame(body, consumed) = seen {
            let is_raw = framing == Framing::Raw;
            // The maximum is for what follows the header, which may be left in front of it.
            let header = match framing {
                Framing::Binary(layout) => usize::from(layout.offset) + 8,
                _ => 0,
            };
            let is_within = body.len() <= most.saturating_add(header);
            assert!(is_raw || is_within, "a frame over the maximum");
            check(&framing, &input[..*consumed], &input[body.clone()], most);
        }
    }
    if framing != Framing::Raw {
        assert_eq!(walk(&framing, input, most, step), whole, "torn by {step}");
        assert_eq!(walk(&framing, input, most, 1), whole, "byte by byte");
    }
}

/// Any framing, of all that a configuration can say.
pub(super) fn framing(take: &mut Take<'_>) -> Framing {
    match take.byte() % 5 {
        0 => Framing::Line,
        1 => Framing::LenHdr { bare_ping: true },
        2 => Framing::LenHdr { bare_ping: false },
        3 => Framing::Binary(Layout {
            width: take.pick(&[4, 1, 2, 8]),
            endian: take.pick(&[Endian::Big, Endian::Little]),
            offset: take.pick(&[0, 1, 6, 300]),
            adjust: take.pick(&[0, 1, -1, -4, -8, i32::MIN, i32::MAX]),
            strip: take.pick(&[None, Some(0), Some(1), Some(4), Some(u16::MAX)]),
        }),
        _ => Framing::Raw,
    }
}

/// Reads all frames of bytes that arrive in pieces of `step`.
fn walk(framing: &Framing, input: &[u8], most: usize, step: usize) -> Vec<Seen> {
    let (mut all, mut start, mut scanned) = (Vec::new(), 0, 0);
    let pieces = input.len().div_ceil(step);
    for end in (1..=pieces).map(|piece| (piece * step).min(input.len())) {
        loop {
            let bytes = &input[start..end];
            let (found, used) = heap::watch(|| framing.find(bytes, scanned, most));
            assert_eq!(used.count, 0, "finding a frame allocates");
            let consumed = match found {
                Ok(Found::More) => {
                    scanned = bytes.len();
                    break;
                }
                Ok(Found::Beat { consumed }) => {
                    all.push(Seen::Beat(start + consumed));
                    consumed
                }
                Ok(Found::Frame { body, consumed }) => {
                    let body = start + body.start..start + body.end;
                    assert!(body.end <= start + consumed, "a body behind its frame");
                    all.push(Seen::Frame(body, start + consumed));
                    consumed
                }
                Err(fault) => {
                    all.push(Seen::Fault(fault));
                    return all;
                }
            };
            assert!((1..=bytes.len()).contains(&consumed), "{consumed} bytes");
            start += consumed;
            scanned = 0;
        }
    }
    all
}

/// A body that was found can be written, and is the same frame again where nothing but the body
/// and its length is in it.
fn check(framing: &Framing, up_to_its_end: &[u8], body: &[u8], most: usize) {
    if matches!(framing, Framing::LenHdr { .. }) {
        // It must come back, however deep; what it says is of no matter here.
        let _ = check_json(body);
    }
    let is_plain = match framing {
        Framing::Binary(layout) if layout.strip.is_some() => return,
        Framing::Binary(layout) => layout.offset == 0,
        Framing::Raw => return,
        // The CR before the end of a line is dropped: a body cannot end with one.
        Framing::Line if body.ends_with(b"\r") => return,
        _ => true,
    };
    let mut out = Vec::new();
    framing.encode(body, &mut out).expect("it has had a frame");
    let found = framing.find(&out, 0, most).expect("it is a frame");
    let Found::Frame {
        body: again,
        consumed,
    } = found
    else {
        panic!("{found:?} in what was encoded");
    };
    assert_eq!((&out[again], consumed), (body, out.len()));
    let dropped = matches!(framing, Framing::Line) && up_to_its_end.ends_with(b"\r\n");
    if is_plain && !dropped {
        assert!(up_to_its_end.ends_with(&out), "{out:?} was something else");
    }
}
