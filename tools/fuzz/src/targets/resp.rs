//! Answers of Redis, against a second reader that has all of the bytes before it: what one takes
//! the other takes, for the same value and of as many bytes, and what one refuses the other refuses
//! with the same word. Torn anywhere, with signals in between, the outcome is the same; memory
//! follows the limit and what has come, never what was announced; what was read can be written and
//! is read again.

use std::io::{self, BufRead, ErrorKind, Read};

use pulsegate::pool::redis::RedisError;

use crate::heap;
use crate::take::Take;

// Private to the library: the same file, compiled once more.
#[path = "../../../../src/pool/redis/resp.rs"]
#[allow(dead_code, unreachable_pub, reason = "the pool uses all of it")]
mod redis_resp;

use redis_resp::{Value, encode, read};

/// Lists within lists.
const DEPTH: u32 = 8;
/// How often the limit is held at once: what grows has twice the room it needs, and as it grows the
/// half of that beside it; a list of one value has room for four.
const HELD: usize = 8;

/// Why there is no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    Closed,
    Late,
    Garbled,
    TooLong,
}

/// A value and the bytes it was read of.
type Seen = Result<(Value, usize), Fault>;

/// Bytes that come in pieces.
struct Torn<'a> {
    rest: &'a [u8],
    step: usize,
    /// A signal comes before each piece: one did before this.
    is_interrupted: bool,
    /// Behind the last piece nothing comes in time; or there is the end.
    ends_late: bool,
}

pub(super) fn run(bytes: &[u8]) {
    let mut take = Take::new(bytes);
    let rooms = [4_096, 0, 24, 25, 60, 200, 1_000, 65_536, usize::MAX];
    let (most, pace) = (take.pick(&rooms), take.byte());
    let input = take.rest();
    let whole = ask(input, input.len().max(1), most, false);
    let step = usize::from(pace) % 32 + 1;
    assert_eq!(ask(input, step, most, false), whole, "torn by {step}");
    assert_eq!(ask(input, 1, most, false), whole, "byte by byte");
    let in_time = match &whole {
        Err(Fault::Closed) => Err(Fault::Late),
        other => other.clone(),
    };
    assert_eq!(ask(input, step, most, true), in_time, "who waits is late");
    let mut second = Second {
        rest: input,
        left: most,
    };
    let value = second.value(0);
    let right = value.map(|value| (value, input.len() - second.rest.len()));
    assert_eq!(whole, right, "by the second reader");
    if let Ok((value, consumed)) = &whole {
        assert!(depth(value) <= DEPTH, "{value:?} is deep");
        assert!(size(value) <= most, "{value:?} takes more than {most}");
        again(value, most);
        let cut = consumed * usize::from(pace) / 256;
        let torn = ask(&input[..cut], step, most, false);
        assert_eq!(torn, Err(Fault::Closed), "{cut} bytes of {consumed}");
    }
    command(input);
}

/// Asks for one value of bytes that come in pieces.
fn ask(input: &[u8], step: usize, most: usize, ends_late: bool) -> Seen {
    let mut wire = Torn {
        rest: input,
        step,
        is_interrupted: false,
        ends_late,
    };
    let (outcome, used) = heap::watch(|| read(&mut wire, most));
    let held = HELD.saturating_mul(most).min(64 * input.len());
    assert!(used.peak <= held + 64, "{} bytes of {most}", used.peak);
    let fault = match outcome {
        Ok(value) => return Ok((value, input.len() - wire.rest.len())),
        Err(RedisError::Closed) => Fault::Closed,
        Err(RedisError::Late) => Fault::Late,
        Err(RedisError::Garbled) => Fault::Garbled,
        Err(RedisError::TooLong) => Fault::TooLong,
        Err(other) => panic!("{other:?} is no fault of bytes"),
    };
    Err(fault)
}

impl Read for Torn<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Torn<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.is_interrupted = !self.is_interrupted;
        match (self.is_interrupted, self.rest.is_empty()) {
            (true, _) => Err(ErrorKind::Interrupted.into()),
            (false, true) if self.ends_late => Err(ErrorKind::WouldBlock.into()),
            (false, _) => Ok(&self.rest[..self.step.min(self.rest.len())]),
        }
    }

    fn consume(&mut self, count: usize) {
        self.rest = &self.rest[count..];
    }
}

/// A reader that has everything before it, and keeps the same account.
struct Second<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Second<'a> {
    /// One value that lies within so many lists.
    fn value(&mut self, within: u32) -> Result<Value, Fault> {
        self.pay(size_of::<Value>())?;
        let line = self.line()?;
        let text = line.get(1..).unwrap_or_default();
        match line.first() {
            Some(b'+') => match str::from_utf8(text) {
                Ok(text) => Ok(Value::Text(text.into())),
                Err(_) => Err(Fault::Garbled),
            },
            Some(b'-') => {
                let told = String::from_utf8_lossy(text).into_owned();
                self.pay(told.len() - text.len())?;
                Ok(Value::Error(told))
            }
            Some(b':') => number(text).map(Value::Int),
            Some(b'$' | b'*') if text == b"-1" => Ok(Value::Nil),
            Some(b'$') => self.bytes(length(text)?).map(Value::Bytes),
            Some(b'*') => self.list(length(text)?, within),
            _ => Err(Fault::Garbled),
        }
    }

    fn list(&mut self, count: usize, within: u32) -> Result<Value, Fault> {
        if within == DEPTH {
            return Err(Fault::TooLong);
        }
        let mut values = Vec::new();
        while values.len() < count {
            values.push(self.value(within + 1)?);
        }
        Ok(Value::List(values))
    }

    fn line(&mut self) -> Result<&'a [u8], Fault> {
        let mut lines = self.rest.splitn(2, |byte| *byte == b'\n');
        let (line, rest) = (lines.next().unwrap_or_default(), lines.next());
        // As many as are left, and the two that end it.
        if line.len() + usize::from(rest.is_some()) > self.left.saturating_add(2) {
            return Err(Fault::TooLong);
        }
        let Some(rest) = rest else {
            let is_full = line.len() == self.left.saturating_add(2);
            return Err(if is_full {
                Fault::TooLong
            } else {
                Fault::Closed
            });
        };
        self.rest = rest;
        let line = line.strip_suffix(b"\r").ok_or(Fault::Garbled)?;
        if line.contains(&b'\r') {
            return Err(Fault::Garbled);
        }
        self.pay(line.len())?;
        Ok(line)
    }

    fn bytes(&mut self, length: usize) -> Result<Vec<u8>, Fault> {
        self.pay(length)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Fault::Closed)?;
        let (end, rest) = rest.split_at_checked(2).ok_or(Fault::Closed)?;
        self.rest = rest;
        match end {
            b"\r\n" => Ok(bytes.to_vec()),
            _ => Err(Fault::Garbled),
        }
    }

    fn pay(&mut self, bytes: usize) -> Result<(), Fault> {
        if bytes > self.left {
            return Err(Fault::TooLong);
        }
        self.left -= bytes;
        Ok(())
    }
}

/// A sign, perhaps, and digits, of a number that 64 bits hold.
fn number(text: &[u8]) -> Result<i64, Fault> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Fault::Garbled);
    }
    let add = |sum: i128, digit: &u8| (sum * 10 + i128::from(digit - b'0')).min(1 << 80);
    let number = sign * digits.iter().fold(0, add);
    i64::try_from(number).map_err(|_| Fault::Garbled)
}

/// A number as it is always written, from zero on.
fn length(text: &[u8]) -> Result<usize, Fault> {
    let number = number(text)?;
    let is_usual = number.to_string().as_bytes() == text;
    let length = usize::try_from(number).ok().filter(|_| is_usual);
    length.ok_or(Fault::Garbled)
}

/// Lists within each other.
fn depth(value: &Value) -> u32 {
    match value {
        Value::List(values) => 1 + values.iter().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// Bytes of memory that a value is.
fn size(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::Nil | Value::Int(_) => 0,
            Value::Text(text) | Value::Error(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::List(values) => values.iter().map(size).sum(),
        }
}

/// What was read can be written, and is the same again: within the same limit, and without a byte
/// of what comes behind it.
fn again(value: &Value, most: usize) {
    let mut wire = Vec::new();
    write(value, &mut wire);
    let end = wire.len();
    wire.extend_from_slice(b"+more\r\n");
    let seen = ask(&wire, wire.len(), most, false);
    assert_eq!(seen, Ok((value.clone(), end)), "written again");
}

fn write(value: &Value, out: &mut Vec<u8>) {
    let (head, body): (String, Option<&[u8]>) = match value {
        Value::Nil => ("$-1".into(), None),
        Value::Int(number) => (format!(":{number}"), None),
        Value::Text(text) => (format!("+{text}"), None),
        Value::Error(text) => (format!("-{text}"), None),
        Value::Bytes(bytes) => (format!("${}", bytes.len()), Some(bytes)),
        Value::List(values) => (format!("*{}", values.len()), None),
    };
    for piece in [Some(head.as_bytes()), body].into_iter().flatten() {
        out.extend_from_slice(piece);
        out.extend_from_slice(b"\r\n");
    }
    if let Value::List(values) = value {
        values.iter().for_each(|value| write(value, out));
    }
}

/// A command is a list of its words, whatever they are.
fn command(input: &[u8]) {
    let words: Vec<&[u8]> = input.split(|byte| *byte == b'\n').take(32).collect();
    let mut wire = Vec::new();
    encode(&words, &mut wire);
    let values = words.iter().map(|word| Value::Bytes(word.to_vec()));
    let list = Value::List(values.collect());
    let seen = ask(&wire, wire.len(), usize::MAX, false);
    assert_eq!(seen, Ok((list, wire.len())), "a command");
}
