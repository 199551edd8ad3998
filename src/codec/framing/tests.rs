//! Frames whole, torn and glued, and every error.

mod any_input;

use super::*;

const LEN_HDR: Framing = Framing::LenHdr { bare_ping: false };
const BEATING: Framing = Framing::LenHdr { bare_ping: true };
const PLAIN: Layout = Layout {
    width: 4,
    endian: Endian::Big,
    offset: 0,
    adjust: 0,
    strip: None,
};

/// What a connection would see: the frames so far, and the error that ended them.
#[derive(PartialEq, Eq, Debug, Default)]
struct Seen {
    frames: Vec<Option<Vec<u8>>>, // `None`: a beat
    error: Option<FrameError>,
    left: usize,
}

/// Takes every frame from `chunks`, searching after each chunk as a connection does.
fn read<'a>(
    framing: Framing,
    chunks: impl IntoIterator<Item = &'a [u8]>,
    frame_max: usize,
) -> Seen {
    let mut seen = Seen::default();
    let mut buffer = Vec::new();
    for chunk in chunks {
        buffer.extend_from_slice(chunk);
        let mut scanned = buffer.len() - chunk.len();
        let mut taken = 0;
        loop {
            let input = &buffer[taken..];
            match framing.find(input, scanned, frame_max) {
                Ok(Found::More) => break,
                Ok(Found::Frame { body, consumed }) => {
                    assert!(body.start <= body.end && body.end <= consumed && consumed > 0);
                    seen.frames.push(Some(input[body].to_vec()));
                    taken += consumed;
                }
                Ok(Found::Beat { consumed }) => {
                    seen.frames.push(None);
                    taken += consumed;
                }
                Err(error) => {
                    seen.error = Some(error);
                    return seen;
                }
            }
            scanned = 0;
        }
        buffer.drain(..taken);
    }
    seen.left = buffer.len();
    seen
}

fn whole(framing: Framing, input: &[u8], frame_max: usize) -> Seen {
    read(framing, [input], frame_max)
}

fn byte_by_byte(framing: Framing, input: &[u8], frame_max: usize) -> Seen {
    read(framing, input.chunks(1), frame_max)
}

/// Asserts that whole, byte by byte and cut in two at any place give the same; returns it.
fn seen(framing: Framing, input: &[u8], frame_max: usize) -> Seen {
    let whole = whole(framing, input, frame_max);
    assert_eq!(
        byte_by_byte(framing, input, frame_max),
        whole,
        "{framing:?} {input:?}"
    );
    for cut in 0..=input.len() {
        let (front, back) = input.split_at(cut);
        let cut_in_two = read(framing, [front, back], frame_max);
        assert_eq!(cut_in_two, whole, "{framing:?} {input:?} cut at {cut}");
    }
    whole
}

fn frames(bodies: &[&[u8]]) -> Seen {
    Seen {
        frames: bodies.iter().map(|body| Some(body.to_vec())).collect(),
        ..Seen::default()
    }
}

fn ends(error: FrameError) -> Seen {
    Seen {
        error: Some(error),
        ..Seen::default()
    }
}

fn waits(left: usize) -> Seen {
    Seen {
        left,
        ..Seen::default()
    }
}

fn binary(layout: Layout) -> Framing {
    Framing::Binary(layout)
}

#[test]
fn raw_is_whatever_came() {
    assert_eq!(Framing::Raw.find(b"", 0, 0), Ok(Found::More));
    assert_eq!(
        Framing::Raw.find(b"a\nb", 0, 1),
        Ok(Found::Frame {
            body: 0..3,
            consumed: 3
        })
    );
}

#[test]
fn lines_end_at_a_line_feed_and_lose_one_carriage_return() {
    for (input, bodies) in [
        (&b"ping\n"[..], &[&b"ping"[..]][..]),
        (b"ping\r\n", &[b"ping"]),
        (b"ping\r\r\n", &[b"ping\r"]),
        (b"\n\r\n\n", &[b"", b"", b""]),
        (b"a\rb\nc\n", &[b"a\rb", b"c"]),
        ("über\0\n".as_bytes(), &["über\0".as_bytes()]),
    ] {
        assert_eq!(seen(Framing::Line, input, 8), frames(bodies), "{input:?}");
    }
    assert_eq!(seen(Framing::Line, b"pin", 8), waits(3));
}

#[test]
fn a_line_of_exactly_the_limit_is_taken_with_either_line_end() {
    let exact = frames(&[b"abcd"]);
    assert_eq!(seen(Framing::Line, b"abcd\n", 4), exact);
    assert_eq!(seen(Framing::Line, b"abcd\r\n", 4), exact);
    let too_long = ends(FrameError::TooLong);
    for input in [
        &b"abcde\n"[..],
        b"abcde\r\n",
        b"abcd\r\r\n",
        b"abcd\re\n",
        b"abcde",
        b"abcde\r",
        b"abcd\r\r",
        b"abcdefghijklm\n",
    ] {
        assert_eq!(seen(Framing::Line, input, 4), too_long, "{input:?}");
    }
    // The `\r` may still be half of a line end.
    assert_eq!(seen(Framing::Line, b"abcd\r", 4), waits(5));
    assert_eq!(seen(Framing::Line, b"\r\n", 0), frames(&[b""]));
    assert_eq!(seen(Framing::Line, b"a", 0), too_long);
}

#[test]
fn a_line_that_is_not_utf8_ends_the_connection() {
    let bad = |input: &[u8]| seen(Framing::Line, input, 8);
    assert_eq!(bad(b"a\xFF\n"), ends(FrameError::Utf8));
    assert_eq!(bad(b"\xC3\n"), ends(FrameError::Utf8));
    assert_eq!(bad(b"\xED\xA0\x80\n"), ends(FrameError::Utf8));
    let mut second = frames(&[b"ok"]);
    second.error = Some(FrameError::Utf8);
    assert_eq!(bad(b"ok\n\x80\n"), second);
    // Too long is known first, however the bytes come.
    assert_eq!(bad(b"\xFF23456789\n"), ends(FrameError::TooLong));
}

#[test]
fn a_line_is_searched_where_it_was_not_searched_before() {
    // A line end among the bytes said to be searched is not looked for again.
    assert_eq!(Framing::Line.find(b"a\nb", 3, 8), Ok(Found::More));
    let found = Framing::Line.find(b"ab\n", 99, 8);
    assert_eq!(found, Ok(Found::More), "more than there is");
}

#[test]
fn a_length_header_is_judged_byte_by_byte() {
    let found = seen(LEN_HDR, b"length:0000000000002{}length:0000000000000", 4);
    assert_eq!(found, frames(&[b"{}", b""]));
    assert_eq!(seen(LEN_HDR, b"length:000000000", 4), waits(16));
    for input in [
        &b"x"[..],
        b"Length:0000000000002{}",
        b"length 0000000000002{}",
        b"length:000000000000x",
        b"length:-000000000002{}",
        b"length:+",
        b"length: ",
        b"ping\n",
        b"\n",
    ] {
        assert_eq!(
            seen(LEN_HDR, input, 4),
            ends(FrameError::Header),
            "{input:?}"
        );
    }
}

#[test]
fn a_length_header_is_judged_before_its_body() {
    let found = seen(LEN_HDR, b"length:0000000000004 [1]", 4);
    assert_eq!(found, frames(&[b" [1]"]));
    for header in [
        &b"length:0000000000005"[..],
        b"length:9999999999999",
        b"length:4294967296000",
    ] {
        assert_eq!(seen(LEN_HDR, header, 4), ends(FrameError::TooLong));
        assert_eq!(whole(LEN_HDR, &header[..19], 4), waits(19));
    }
    #[cfg(target_pointer_width = "64")]
    {
        let huge = seen(LEN_HDR, b"length:9999999999999", usize::MAX);
        assert_eq!(huge, waits(20));
    }
}

#[test]
fn a_bare_ping_stands_where_a_header_would() {
    let mut beats = frames(&[b"{}"]);
    beats.frames.insert(0, None);
    beats.frames.push(None);
    let input = b"ping\nlength:0000000000002{}ping\n";
    assert_eq!(seen(BEATING, input, 4), beats);
    assert_eq!(seen(BEATING, b"ping", 4), waits(4));
    for input in [&b"pong\n"[..], b"ping\r\n", b"pings", b"pl"] {
        assert_eq!(
            seen(BEATING, input, 4),
            ends(FrameError::Header),
            "{input:?}"
        );
    }
}

#[test]
fn the_default_layout_is_four_bytes_of_body_length() {
    let found = seen(binary(PLAIN), b"\0\0\0\x02ab\0\0\0\0\0\0\0\x01c\0\0", 2);
    let mut expected = frames(&[b"ab", b"", b"c"]);
    expected.left = 2;
    assert_eq!(found, expected);
}

#[test]
fn a_length_over_the_limit_is_judged_when_its_field_is_there() {
    let wide = Layout { width: 8, ..PLAIN };
    let little = Layout {
        endian: Endian::Little,
        ..wide
    };
    let max = 65_536;
    for (layout, field) in [
        (PLAIN, &0xFFFF_FFFF_u32.to_be_bytes()[..]),
        (PLAIN, &(1_u32 << 31).to_be_bytes()),
        (PLAIN, &65_537_u32.to_be_bytes()),
        (wide, &(1_u64 << 63).to_be_bytes()),
        (wide, &u64::MAX.to_be_bytes()),
        (wide, &(1_u64 << 32).to_be_bytes()),
        (little, &(1_u64 << 63).to_le_bytes()),
    ] {
        let framing = binary(layout);
        assert_eq!(seen(framing, field, max), ends(FrameError::TooLong));
        let part = field.len() - 1;
        assert_eq!(whole(framing, &field[..part], max), waits(part));
    }
    let exact = 65_536_u32.to_be_bytes();
    assert_eq!(whole(binary(PLAIN), &exact, max), waits(4));
}

#[test]
fn lengths_that_wrap_around_are_errors() {
    let layout = |adjust| Layout {
        width: 8,
        adjust,
        ..PLAIN
    };
    let find = |adjust, value: u64| {
        let input = value.to_be_bytes();
        binary(layout(adjust)).find(&input, 0, usize::MAX)
    };
    assert_eq!(find(0, u64::MAX), Err(FrameError::TooLong));
    assert_eq!(find(i32::MAX, u64::MAX), Err(FrameError::TooLong));
    assert_eq!(find(1, u64::MAX), Err(FrameError::TooLong));
    assert_eq!(find(i32::MIN, 0), Err(FrameError::Negative));
    assert_eq!(find(-1, 0), Err(FrameError::Negative));
    // With its header it has more bytes than memory has addresses.
    assert_eq!(find(-1, u64::MAX), Err(FrameError::TooLong));
    #[cfg(target_pointer_width = "64")]
    assert_eq!(find(-9, u64::MAX), Ok(Found::More));
}

#[test]
fn an_adjusted_length_may_count_the_header() {
    let layout = Layout {
        width: 2,
        endian: Endian::Little,
        offset: 1,
        adjust: -3,
        strip: None,
    };
    let find = |input: &[u8]| seen(binary(layout), input, 2);
    assert_eq!(find(b"x\x05\0abx\x03\0"), frames(&[b"ab", b""]));
    assert_eq!(find(b"x\x02\0"), ends(FrameError::Negative));
    assert_eq!(find(b"x\0\0"), ends(FrameError::Negative));
    assert_eq!(find(b"x\x06\0"), ends(FrameError::TooLong));
}

#[test]
fn a_length_may_leave_bytes_of_the_frame_uncounted() {
    let layout = Layout {
        width: 1,
        adjust: 2,
        ..PLAIN
    };
    let found = seen(binary(layout), b"\x01abc\0de", 3);
    assert_eq!(found, frames(&[b"abc", b"de"]));
    assert_eq!(seen(binary(layout), b"\x02", 3), ends(FrameError::TooLong));
}

#[test]
fn what_is_kept_of_the_header_does_not_count_against_the_limit() {
    let layout = |strip| Layout {
        width: 2,
        offset: 1,
        strip: Some(strip),
        ..PLAIN
    };
    let input = b"x\0\x02ab";
    assert_eq!(seen(binary(layout(0)), input, 2), frames(&[input]));
    assert_eq!(seen(binary(layout(1)), input, 2), frames(&[b"\0\x02ab"]));
    assert_eq!(seen(binary(layout(3)), input, 2), frames(&[b"ab"]));
    assert_eq!(seen(binary(layout(1)), input, 1), ends(FrameError::TooLong));
}

#[test]
fn what_is_stripped_beyond_the_header_does_not_count_either() {
    let layout = Layout {
        width: 1,
        strip: Some(3),
        ..PLAIN
    };
    let find = |input: &[u8]| seen(binary(layout), input, 2);
    assert_eq!(find(b"\x04--ab\x02--"), frames(&[b"ab", b""]));
    assert_eq!(find(b"\x05"), ends(FrameError::TooLong));
    assert_eq!(find(b"\x01"), ends(FrameError::Negative));
    assert_eq!(find(b"\0"), ends(FrameError::Negative));
}

#[test]
fn a_thousand_frames_in_one_piece_come_out_in_order() {
    for framing in [Framing::Line, LEN_HDR, binary(PLAIN)] {
        let bodies: Vec<_> = (0..1_000)
            .map(|n: u32| n.to_string().into_bytes())
            .collect();
        let mut input = Vec::new();
        for body in &bodies {
            framing.encode(body, &mut input).unwrap();
        }
        let found = whole(framing, &input, 4);
        assert!(found.frames.iter().flatten().eq(&bodies), "{framing:?}");
        assert_eq!(byte_by_byte(framing, &input, 4), found);
    }
}

#[test]
fn an_outgoing_header_is_zeros_and_the_field() {
    let mut out = b"before".to_vec();
    let layout = Layout {
        width: 2,
        endian: Endian::Little,
        offset: 3,
        adjust: -5,
        strip: Some(1), // says nothing about what goes out
    };
    binary(layout).encode(b"ab", &mut out).unwrap();
    LEN_HDR.encode(b"{}", &mut out).unwrap();
    Framing::Line.encode(b"ping", &mut out).unwrap();
    Framing::Raw.encode(b"raw", &mut out).unwrap();
    assert_eq!(out, b"before\0\0\0\x07\0ablength:0000000000002{}ping\nraw");
}

#[test]
fn what_does_not_fit_the_width_leaves_nothing_behind() {
    let layout = |width, adjust| Layout {
        width,
        adjust,
        ..PLAIN
    };
    for (width, adjust, longest) in [(1, 0, 255), (1, -3, 252), (1, 3, 258), (2, 0, 65_535)] {
        let framing = binary(layout(width, adjust));
        let mut out = b"before".to_vec();
        assert_eq!(framing.encode(&vec![0; longest + 1], &mut out), Err(Unfit));
        assert_eq!(out, b"before");
        assert_eq!(framing.encode(&vec![0; longest], &mut out), Ok(()));
    }
    // A body shorter than what `adjust` adds would need a field below zero.
    let mut out = Vec::new();
    assert_eq!(binary(layout(4, 3)).encode(b"ab", &mut out), Err(Unfit));
    assert_eq!(
        binary(layout(8, i32::MAX)).encode(b"ab", &mut out),
        Err(Unfit)
    );
    assert_eq!(out, b"");
    assert_eq!(binary(layout(8, i32::MIN)).encode(b"ab", &mut out), Ok(()));
    assert_eq!(out, b"\0\0\0\0\x80\0\0\x02ab");
}
