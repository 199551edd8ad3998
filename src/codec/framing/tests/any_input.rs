//! What holds of any framing, whatever comes and however it is cut.

use proptest::prelude::*;

use super::*;

fn any_layout() -> impl Strategy<Value = Layout> {
    let adjust = prop_oneof![4 => -12..12, 1 => any::<i32>()];
    let offset = prop_oneof![4 => 0..6_u16, 1 => any::<u16>()];
    let strip = prop_oneof![4 => 0..12_u16, 1 => any::<u16>()];
    let strip = prop::option::of(strip);
    let width = prop_oneof![8 => prop::sample::select(vec![1, 2, 4, 8]), 1 => any::<u8>()];
    (width, any::<bool>(), offset, adjust, strip).prop_map(
        |(width, is_big, offset, adjust, strip)| Layout {
            width,
            endian: if is_big { Endian::Big } else { Endian::Little },
            offset,
            adjust,
            strip,
        },
    )
}

fn any_framing() -> impl Strategy<Value = Framing> {
    prop_oneof![
        2 => Just(Framing::Line),
        1 => any::<bool>().prop_map(|bare_ping| Framing::LenHdr { bare_ping }),
        4 => any_layout().prop_map(Framing::Binary),
    ]
}

/// A stretch of input: a whole frame, a beat, or what no client should send.
fn piece(framing: Framing) -> impl Strategy<Value = Vec<u8>> {
    let body = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..24),
        3 => "[a-zü \r]{0,24}".prop_map(String::into_bytes),
    ];
    let frame = body.prop_map(move |body| {
        let mut out = Vec::new();
        let _ = framing.encode(&body, &mut out);
        out
    });
    prop_oneof![
        8 => frame,
        1 => Just(b"ping\n".to_vec()),
        1 => Just(b"length:0000000000003[1]".to_vec()),
        1 => Just(b"\r\n".to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
        1 => prop::collection::vec(0..2_u8, 0..12),
    ]
}

/// A framing, input for it, and the lengths to cut the input into.
fn any_input() -> impl Strategy<Value = (Framing, Vec<u8>, Vec<usize>)> {
    any_framing().prop_flat_map(|framing| {
        let pieces = prop::collection::vec(piece(framing), 0..6);
        let cuts = prop::collection::vec(1..9_usize, 0..40);
        (
            Just(framing),
            pieces.prop_map(|pieces| pieces.concat()),
            cuts,
        )
    })
}

fn chunks<'a>(input: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut rest = input;
    let mut chunks = Vec::new();
    for &cut in cuts {
        let (chunk, back) = rest.split_at(cut.min(rest.len()));
        chunks.push(chunk);
        rest = back;
    }
    chunks.push(rest);
    chunks
}

proptest! {
    #[test]
    fn torn_anywhere_is_the_same_as_whole(
        (framing, input, cuts) in any_input(),
        frame_max in 0..24_usize,
    ) {
        let expected = whole(framing, &input, frame_max);
        prop_assert_eq!(&byte_by_byte(framing, &input, frame_max), &expected);
        prop_assert_eq!(&read(framing, chunks(&input, &cuts), frame_max), &expected);
    }

    #[test]
    fn what_is_encoded_is_found(
        layout in any_layout(),
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
    ) {
        let framing = Framing::Binary(Layout { strip: None, ..layout });
        let mut out = Vec::new();
        let mut fitting = Vec::new();
        for body in bodies {
            if framing.encode(&body, &mut out).is_ok() {
                fitting.push(Some(body));
            }
        }
        let found = whole(framing, &out, 40);
        prop_assert_eq!(found, Seen { frames: fitting, ..Seen::default() });
    }

    #[test]
    fn no_header_makes_it_panic(
        framing in any_framing(),
        input in prop::collection::vec(any::<u8>(), 0..64),
        scanned in any::<usize>(),
        frame_max in any::<usize>(),
    ) {
        if let Ok(Found::Frame { body, consumed }) = framing.find(&input, scanned, frame_max) {
            prop_assert!(body.start <= body.end && body.end <= consumed);
            prop_assert!(consumed <= input.len());
        }
    }

    #[test]
    fn an_error_is_final(
        (framing, input, _) in any_input(),
        more in prop::collection::vec(any::<u8>(), 0..12),
        frame_max in 0..24_usize,
    ) {
        let found = whole(framing, &input, frame_max);
        if found.error.is_some() {
            let longer = [&input[..], &more].concat();
            prop_assert_eq!(whole(framing, &longer, frame_max), found);
        }
    }
}
