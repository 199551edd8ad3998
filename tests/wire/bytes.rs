//! Bytes as the transcripts spell them, and the ways to cut them.

use proptest::prelude::*;

/// The bytes that a spelling stands for.
pub(crate) fn from_spelling(spelling: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = spelling;
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend(plain.bytes());
        let (kind, after) = escape.split_at(1);
        rest = after;
        bytes.push(match kind {
            "n" => b'\n',
            "r" => b'\r',
            "t" => b'\t',
            "0" => b'\0',
            "\\" => b'\\',
            "x" => {
                let (digits, after) = rest.split_at(2);
                rest = after;
                u8::from_str_radix(digits, 16).unwrap()
            }
            _ => panic!("no such escape: {spelling}"),
        });
    }
    bytes.extend(rest.bytes());
    bytes
}

/// Lengths to cut input into: mostly a few bytes, now and then more than a frame.
pub(crate) fn any_cuts() -> impl Strategy<Value = Vec<usize>> {
    let length = prop_oneof![4 => 1..6_usize, 2 => 1..40_usize, 1 => 1..400_usize];
    prop::collection::vec(length, 1..20)
}

/// `input` cut into pieces of these lengths, over and over.
pub(crate) fn cut<'a>(input: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut rest = input;
    for &length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

#[test]
fn spellings_are_read() {
    assert_eq!(
        from_spelling(r"a\n\r\t\0\\n\xff\x0aü"),
        b"a\n\r\t\0\\n\xff\n\xc3\xbc"
    );
}
