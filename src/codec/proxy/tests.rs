//! The examples and the rules of the specification, byte by byte.

use proptest::prelude::*;

use super::*;

fn whole(consumed: usize, source: &str) -> Result<Header, HeaderError> {
    let source = (source != "-").then(|| source.parse().unwrap());
    Ok(Header::Whole { consumed, source })
}

/// A block of version 2.
fn block(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &length, rest].concat()
}

/// 192.168.0.1:56324 to 192.168.0.11:443.
const FOUR: &[u8] = b"\xc0\xa8\x00\x01\xc0\xa8\x00\x0b\xdc\x04\x01\xbb";
/// A name of 11 bytes in `PP2_TYPE_AUTHORITY`, then `PP2_TYPE_NOOP` of 2.
const EXTENSIONS: &[u8] = b"\x02\x00\x0bexample.com\x04\x00\x02\0\0";

fn six() -> Vec<u8> {
    let ip = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
    let ends = [ip("2001:db8::1"), ip("2001:db8::2")].concat();
    [&ends[..], &[0xdc, 4, 1, 0xbb]].concat()
}

/// Headers that are right, with the client that each names.
fn good() -> Vec<(Vec<u8>, &'static str)> {
    let ffff = "ffff:f...f:ffff";
    let unknown = format!("PROXY UNKNOWN {ffff} {ffff} 65535 65535\r\n");
    let longest = format!("PROXY TCP6 {0} {0} 65535 65535\r\n", ["ffff"; 8].join(":"));
    assert_eq!(
        longest.len(),
        104,
        "as the specification counts it, without NUL"
    );
    vec![
        (
            b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n".to_vec(),
            "192.168.0.1:56324",
        ),
        (
            b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n".to_vec(),
            "255.255.255.255:65535",
        ),
        (
            b"PROXY TCP6 2001:db8::1 ::1 56324 0\r\n".to_vec(),
            "[2001:db8::1]:56324",
        ),
        (
            longest.into_bytes(),
            "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
        ),
        (b"PROXY UNKNOWN\r\n".to_vec(), "-"),
        (unknown.into_bytes(), "-"),
        (block(0x21, 0x11, FOUR), "192.168.0.1:56324"),
        (
            block(0x21, 0x11, &[FOUR, EXTENSIONS].concat()),
            "192.168.0.1:56324",
        ),
        (block(0x21, 0x21, &six()), "[2001:db8::1]:56324"),
        (
            block(0x21, 0x21, &[&six()[..], EXTENSIONS].concat()),
            "[2001:db8::1]:56324",
        ),
        // A check of the proxy's own, whatever it says besides.
        (block(0x20, 0x00, b""), "-"),
        (block(0x20, 0x11, FOUR), "-"),
        (block(0x20, 0x21, b"abc"), "-"),
        (block(0x20, 0xf0, FOUR), "-"),
        (block(0x20, 0x13, b""), "-"),
        // Datagrams, Unix sockets, and what is not specified.
        (block(0x21, 0x12, FOUR), "-"),
        (block(0x21, 0x22, &six()), "-"),
        (block(0x21, 0x31, &[b'/'; 216]), "-"),
        (block(0x21, 0x32, &[0; 216]), "-"),
        (block(0x21, 0x00, b"anything"), "-"),
    ]
}

#[test]
fn the_examples_of_the_specification_name_their_client() {
    for (header, source) in good() {
        assert_eq!(read(&header), whole(header.len(), source), "{header:?}");
        let followed = [&header[..], b"login alice\nPROXY "].concat();
        assert_eq!(read(&followed), whole(header.len(), source), "{header:?}");
    }
}

#[test]
fn a_header_is_open_until_its_last_byte() {
    for (header, _) in good() {
        for cut in 0..header.len() {
            assert_eq!(
                read(&header[..cut]),
                Ok(Header::More),
                "{cut} of {header:?}"
            );
        }
    }
}

#[test]
fn lines_that_are_not_as_specified_are_refused() {
    for line in [
        &b"PROXY \r\n"[..],
        b"PROXY TCP4\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
        b"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
        b"PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n",
        b"PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n",
        b"PROXY TCP4 ::1 ::1 1 2\r\n",
        b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        b"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXY UNKNOWNX\r\n",
        b"PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n",
        b"PROXY TCP4 1.2.3.4\t1.2.3.4 1 2\r\n",
        b"PROXY \xff\xfe\r\n",
        b"PROXY\n",
    ] {
        let wrong = read(line);
        let is_wrong = matches!(wrong, Err(HeaderError::Line | HeaderError::Missing));
        assert!(is_wrong, "{line:?}: {wrong:?}");
    }
    for line in [
        &b"PROXX"[..],
        b"proxy ",
        b"GET /",
        b"\r\n\r\n\0\r\nQUIT\r",
        b"\n",
        b"PROXYS",
    ] {
        assert_eq!(read(line), Err(HeaderError::Missing), "{line:?}");
    }
}

#[test]
fn a_line_that_does_not_end_is_refused_at_its_longest() {
    let line = [OPENING, &[b'x'; 200]].concat();
    assert_eq!(read(&line[..LINE_MAX - 1]), Ok(Header::More));
    assert_eq!(read(&line[..LINE_MAX]), Err(HeaderError::Long));
    let mut ended = [OPENING, b"UNKNOWN ", &[b'x'; LINE_MAX - 16], b"\r\n"].concat();
    assert_eq!(read(&ended), whole(LINE_MAX, "-"));
    ended.insert(20, b'x');
    assert_eq!(read(&ended), Err(HeaderError::Long));
}

#[test]
fn blocks_that_lie_are_refused_by_the_first_byte_that_shows_it() {
    for (wrong, at, is) in [
        (block(0x11, 0x11, FOUR), 13, HeaderError::Unknown),
        (block(0x22, 0x11, FOUR), 13, HeaderError::Unknown),
        (block(0x2f, 0x11, FOUR), 13, HeaderError::Unknown),
        (block(0x21, 0x41, FOUR), 14, HeaderError::Unknown),
        (block(0x21, 0xf1, FOUR), 14, HeaderError::Unknown),
        (block(0x21, 0x13, FOUR), 14, HeaderError::Unknown),
        (block(0x21, 0x11, &FOUR[1..]), 16, HeaderError::Short),
        (block(0x21, 0x21, &six()[1..]), 16, HeaderError::Short),
        (block(0x21, 0x31, &[0; 215]), 16, HeaderError::Short),
        (block(0x21, 0x21, b""), 16, HeaderError::Short),
        (
            block(0x20, 0x00, &[0; HEADER_MAX - 15]),
            16,
            HeaderError::Long,
        ),
        (block(0x21, 0x11, &[0; 65_535]), 16, HeaderError::Long),
    ] {
        assert_eq!(read(&wrong[..at - 1]), Ok(Header::More));
        assert_eq!(read(&wrong[..at]), Err(is), "{:?}", &wrong[..at]);
        assert_eq!(read(&wrong), Err(is));
    }
    let longest = block(0x20, 0x00, &[0; HEADER_MAX - FIXED]);
    assert_eq!(read(&longest), whole(HEADER_MAX, "-"));
}

#[test]
fn an_extension_ends_within_its_header() {
    for wrong in [
        &b"\x04"[..],
        b"\x04\x00",
        b"\x04\x00\x01",
        b"\x04\x00\x02a",
        b"\x04\x00\x00\x04\xff\xffabc",
    ] {
        for (family, addresses) in [(0x11, FOUR), (0x21, &six()[..]), (0x31, &[0; 216][..])] {
            let header = block(0x21, family, &[addresses, wrong].concat());
            assert_eq!(read(&header), Err(HeaderError::Extension), "{wrong:?}");
        }
    }
}

fn any_header() -> impl Strategy<Value = Vec<u8>> {
    let right = (0..good().len()).prop_map(|place| good()[place].0.clone());
    let extended = proptest::collection::vec(any::<u8>(), 0..64)
        .prop_map(|rest| block(0x21, 0x11, &[FOUR, &rest].concat()));
    let torn = (right.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(
        |(mut header, place, byte)| {
            let place = place.index(header.len());
            header[place] = byte;
            header
        },
    );
    prop_oneof![
        right,
        extended,
        torn,
        proptest::collection::vec(any::<u8>(), 0..128)
    ]
}

proptest! {
    /// What a byte more says never takes back what was said.
    #[test]
    fn however_the_bytes_are_cut_the_result_is_the_same(
        header in any_header(),
        behind in proptest::collection::vec(any::<u8>(), 0..32),
    ) {
        let bytes = [&header[..], &behind].concat();
        let all = read(&bytes);
        let mut last = Ok(Header::More);
        for cut in 0..=bytes.len() {
            let part = read(&bytes[..cut]);
            if last == Ok(Header::More) {
                last = part;
            } else {
                prop_assert_eq!(part, last, "at {}", cut);
            }
        }
        prop_assert_eq!(last, all);
        if let Ok(Header::Whole { consumed, .. }) = all {
            prop_assert!(consumed <= bytes.len().min(HEADER_MAX));
        }
    }
}
