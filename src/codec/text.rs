//! Pieces of text that several encodings write: numbers, lossy bytes, compact JSON.
//!
//! Everything is appended in place; nothing allocates but the buffer that grows.

/// Appends a number in decimal.
pub(super) fn push_number(number: u64, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20]; // u64::MAX has so many
    let mut start = digits.len();
    let mut left = number;
    loop {
        start -= 1;
        // No truncation: a remainder of ten is below ten.
        #[allow(clippy::cast_possible_truncation)]
        let value = (left % 10) as u8;
        digits[start] = b'0' + value;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends text with every control character spelled out, so that it stays one harmless line.
pub(super) fn push_printable(text: &str, out: &mut Vec<u8>) {
    each_printable(text, |part| out.extend_from_slice(part.as_bytes()));
}

/// Hands over text in parts; control characters are spelled out as in a Rust string.
pub(super) fn each_printable(text: &str, mut part: impl FnMut(&str)) {
    let mut rest = text;
    while let Some((at, char)) = rest.char_indices().find(|(_, char)| char.is_control()) {
        part(&rest[..at]);
        for spelled in char.escape_default() {
            part(spelled.encode_utf8(&mut [0; 4]));
        }
        rest = &rest[at + char.len_utf8()..];
    }
    part(rest);
}

/// Hands over bytes as text in parts; what is not UTF-8 becomes U+FFFD.
pub(super) fn each_lossy(bytes: &[u8], mut part: impl FnMut(&str)) {
    for chunk in bytes.utf8_chunks() {
        part(chunk.valid());
        if !chunk.invalid().is_empty() {
            part("\u{FFFD}");
        }
    }
}

/// Appends JSON without the white space between its tokens.
///
/// The text is known to be JSON; where it is not, the result is not either, but it holds no line
/// break in any case.
pub(super) fn push_compact(json: &str, out: &mut Vec<u8>) {
    let bytes = json.as_bytes();
    let mut start = 0;
    let mut in_string = false;
    let mut is_escaped = false;
    for (at, &byte) in bytes.iter().enumerate() {
        let drops = match byte {
            b'\r' | b'\n' => true,
            b' ' | b'\t' => !in_string,
            _ => false,
        };
        if drops {
            out.extend_from_slice(&bytes[start..at]);
            start = at + 1;
        }
        if byte == b'"' && !is_escaped {
            in_string = !in_string;
        }
        is_escaped = in_string && byte == b'\\' && !is_escaped;
    }
    out.extend_from_slice(&bytes[start..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn compact(json: &str) -> String {
        written(|out| push_compact(json, out))
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 9, 10, 12_345, u64::MAX] {
            assert_eq!(written(|out| push_number(number, out)), number.to_string());
        }
    }

    #[test]
    fn control_characters_are_spelled_out() {
        for (text, printable) in [
            ("", ""),
            ("plain ü \"quoted\" \\", "plain ü \"quoted\" \\"),
            ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("\0\u{1B}\u{7F}\u{9F}", "\\u{0}\\u{1b}\\u{7f}\\u{9f}"),
        ] {
            assert_eq!(written(|out| push_printable(text, out)), printable);
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        for bytes in [&b"ok"[..], b"a\xFFb\xC3", b"\xF0\x9F\xA6", b""] {
            let text = written(|out| each_lossy(bytes, |part| out.extend(part.bytes())));
            assert_eq!(text, String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn compact_json_keeps_every_token() {
        for (json, expected) in [
            (
                " { \"a\" : [ 1 ,\t2 ] ,\r\n\"b\":null } ",
                "{\"a\":[1,2],\"b\":null}",
            ),
            (
                r#"["a b", "\" ", "\\", " c\\\" "]"#,
                r#"["a b","\" ","\\"," c\\\" "]"#,
            ),
            ("12345678901234567890.50e+7", "12345678901234567890.50e+7"),
            ("[ ]", "[]"),
            // No JSON, but still one line.
            ("\"a\nb\r\"", "\"ab\""),
        ] {
            assert_eq!(compact(json), expected);
        }
    }

    proptest! {
        #[test]
        fn compact_json_says_the_same(
            text in ".{0,12}",
            key in ".{0,6}",
            number in any::<f64>(),
            spaces in "[ \t\r\n]{0,3}",
        ) {
            let value = serde_json::json!({ key: [text, number, null, true], "x": {} });
            let tight = value.to_string();
            let loose = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(compact(&tight), &tight[..]);
            prop_assert_eq!(compact(&format!("{spaces}{loose}{spaces}")), tight);
        }

        #[test]
        fn no_text_at_all_makes_two_lines(text in any::<String>()) {
            prop_assert!(!compact(&text).contains(['\r', '\n']));
            let printable = written(|out| push_printable(&text, out));
            prop_assert!(!printable.contains(char::is_control));
        }
    }

    #[test]
    fn compact_json_is_still_raw_json() {
        let deep = format!("{}{}", "[ ".repeat(10_000), " ]".repeat(10_000));
        let tight = compact(&deep);
        assert_eq!(tight.len(), 20_000);
        assert!(serde_json::from_str::<&RawValue>(&tight).is_ok());
    }
}
