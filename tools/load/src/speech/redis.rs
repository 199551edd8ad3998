//! Redis: PING, answered by +PONG; SUBSCRIBE and PUBLISH for messages.

use std::ops::Range;

use super::{Garbled, Heard, Speech, Tongue, line_end};

pub(super) fn speech() -> Speech {
    Speech::new(command(&[b"PING"]), b"+PONG\r\n", Resp)
}

/// A command as an array of bulk strings.
fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut command = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        command.extend(format!("${}\r\n", word.len()).into_bytes());
        command.extend_from_slice(word);
        command.extend(b"\r\n");
    }
    command
}

struct Resp;

/// One value: how many bytes it takes, and where its text lies.
struct Value {
    consumed: usize,
    text: Range<usize>,
}

impl Tongue for Resp {
    fn join(&self, topic: &str, out: &mut Vec<u8>) -> Option<u32> {
        out.extend(command(&[b"SUBSCRIBE", topic.as_bytes()]));
        Some(1)
    }

    fn publish(&self, topic: &str, body: &[u8], out: &mut Vec<u8>) -> Option<u32> {
        out.extend(command(&[b"PUBLISH", topic.as_bytes(), body]));
        Some(1)
    }

    fn next(&self, input: &[u8], at: usize, heard: &mut Heard) -> Result<Option<usize>, Garbled> {
        if input[0] == b'*' {
            return array(input, at, heard);
        }
        let Some(value) = simple(input, 0)? else {
            return Ok(None);
        };
        heard.answers += 1;
        heard.refused += u32::from(input[0] == b'-');
        Ok(Some(value.consumed))
    }
}

/// An array of simple values: a message, or the answer to a subscription.
fn array(input: &[u8], at: usize, heard: &mut Heard) -> Result<Option<usize>, Garbled> {
    let Some(head) = simple(input, 0)? else {
        return Ok(None);
    };
    let count = number(&input[head.text])?.ok_or(Garbled)?;
    let (mut place, mut kind, mut last) = (head.consumed, 0..0, 0..0);
    for element in 0..count.min(ELEMENTS) {
        let Some(value) = simple(input, place)? else {
            return Ok(None);
        };
        if element == 0 {
            kind = value.text.clone();
        }
        (place, last) = (place + value.consumed, value.text);
    }
    if &input[kind] == b"message" {
        heard.messages.push(at + last.start..at + last.end);
    } else {
        heard.answers += 1;
    }
    Ok(Some(place))
}

/// The value that begins at `place`; of an array, its head alone.
fn simple(input: &[u8], place: usize) -> Result<Option<Value>, Garbled> {
    let rest = &input[place..];
    let Some(end) = line_end(rest) else {
        return Ok(None);
    };
    let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
    let whole = |consumed: usize, text: Range<usize>| {
        let text = place + text.start..place + text.end;
        Ok((rest.len() >= consumed).then_some(Value { consumed, text }))
    };
    match line.first() {
        Some(b'+' | b'-' | b':' | b'*') => whole(end + 1, 1..line.len()),
        Some(b'$') => match number(&line[1..])? {
            None => whole(end + 1, 0..0),
            Some(length) => {
                let text = end + 1..length + end + 1;
                whole(text.end + 2, text)
            }
        },
        _ => Err(Garbled),
    }
}

/// A length; `None` for that of nothing, -1.
fn number(digits: &[u8]) -> Result<Option<usize>, Garbled> {
    let digits = std::str::from_utf8(digits).map_err(|_| Garbled)?;
    let number: i64 = digits.parse().map_err(|_| Garbled)?;
    // Something so long would not fit our buffer.
    Ok(usize::try_from(number)
        .ok()
        .map(|number| number.min(1 << 30)))
}

/// Elements of an array at most: we ask for nothing that has more than three.
const ELEMENTS: usize = 1_024;
