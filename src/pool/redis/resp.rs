//! The Redis protocol (RESP2): commands to bytes, bytes to values. Knows no sockets.
//!
//! Strict: what is not exactly a value is [garbled](RedisError::Garbled), and nothing after it is
//! read. Bounded: a value takes at most so many bytes of memory as it may, whatever lengths the
//! server announces, and is nested at most [`DEPTH`] deep.

use std::io::{BufRead, Read};

use super::RedisError;

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing: what was asked for is not there.
    Nil,
    /// A number.
    Int(i64),
    /// A word that says how it went.
    Text(String),
    /// A string of bytes.
    Bytes(Vec<u8>),
    /// Several values.
    List(Vec<Self>),
    /// An error in a list, as a transaction may have one.
    Error(String),
}

/// What a [`Value`] is read as.
pub trait FromValue: Sized {
    /// Takes the value as this type.
    ///
    /// # Errors
    /// It is of another type.
    fn from_value(value: Value) -> Result<Self, RedisError>;
}

impl FromValue for Value {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        Ok(value)
    }
}

/// `OK`.
impl FromValue for () {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        match value {
            Value::Text(word) if word == "OK" => Ok(()),
            _ => Err(RedisError::Type),
        }
    }
}

impl FromValue for i64 {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        match value {
            Value::Int(number) => Ok(number),
            _ => Err(RedisError::Type),
        }
    }
}

/// 1 or 0.
impl FromValue for bool {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        match value {
            Value::Int(number @ (0 | 1)) => Ok(number == 1),
            _ => Err(RedisError::Type),
        }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        match value {
            Value::Bytes(bytes) => Ok(bytes),
            Value::Text(word) => Ok(word.into_bytes()),
            _ => Err(RedisError::Type),
        }
    }
}

impl FromValue for String {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        Self::from_utf8(Vec::from_value(value)?).map_err(|_| RedisError::Type)
    }
}

impl FromValue for Vec<Value> {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        match value {
            Value::List(values) => Ok(values),
            _ => Err(RedisError::Type),
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Result<Self, RedisError> {
        match value {
            Value::Nil => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }
}

/// Appends a command.
pub(super) fn encode(words: &[impl AsRef<[u8]>], out: &mut Vec<u8>) {
    head(b'*', words.len(), out);
    for word in words {
        let word = word.as_ref();
        head(b'$', word.len(), out);
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

fn head(kind: u8, length: usize, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(length.to_string().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Reads one value that takes at most `max` bytes.
pub(super) fn read(input: &mut impl BufRead, max: usize) -> Result<Value, RedisError> {
    Reader { input, left: max }.value(DEPTH)
}

struct Reader<'a, I> {
    input: &'a mut I,
    /// Bytes of memory that the value may still take.
    left: usize,
}

impl<I: BufRead> Reader<'_, I> {
    fn value(&mut self, depth: u32) -> Result<Value, RedisError> {
        self.charge(size_of::<Value>())?;
        let line = self.line()?;
        let (&kind, rest) = line.split_first().ok_or(RedisError::Garbled)?;
        match kind {
            b'+' => Ok(Value::Text(text(rest)?)),
            // It may repeat what it refuses, and that may be anything.
            b'-' => {
                let told = String::from_utf8_lossy(rest);
                // The sign for a byte that is no text is longer than the byte.
                self.charge(told.len() - rest.len())?;
                Ok(Value::Error(told.into_owned()))
            }
            b':' => Ok(Value::Int(number(rest)?)),
            b'$' => match length(rest)? {
                None => Ok(Value::Nil),
                Some(length) => Ok(Value::Bytes(self.bytes(length)?)),
            },
            b'*' => match length(rest)? {
                None => Ok(Value::Nil),
                Some(_) if depth == 0 => Err(RedisError::TooLong),
                // not reserved: the length is the server's word
                Some(count) => (0..count)
                    .map(|_| self.value(depth - 1))
                    .collect::<Result<_, _>>()
                    .map(Value::List),
            },
            _ => Err(RedisError::Garbled),
        }
    }

    /// A line without its end.
    fn line(&mut self) -> Result<Vec<u8>, RedisError> {
        let mut line = Vec::new();
        let max = self.left as u64 + 2;
        self.input.take(max).read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            let is_cut = line.len() as u64 == max;
            return Err(if is_cut {
                RedisError::TooLong
            } else {
                RedisError::Closed
            });
        }
        line.pop();
        if line.pop() != Some(b'\r') || line.contains(&b'\r') {
            return Err(RedisError::Garbled);
        }
        self.charge(line.len())?;
        Ok(line)
    }

    /// So many bytes and a line's end.
    fn bytes(&mut self, length: usize) -> Result<Vec<u8>, RedisError> {
        self.charge(length)?;
        let mut bytes = Vec::new();
        self.input.take(length as u64).read_to_end(&mut bytes)?;
        let mut end = [0; 2];
        if bytes.len() < length {
            return Err(RedisError::Closed);
        }
        self.input.read_exact(&mut end)?;
        if end == *b"\r\n" {
            Ok(bytes)
        } else {
            Err(RedisError::Garbled)
        }
    }

    fn charge(&mut self, bytes: usize) -> Result<(), RedisError> {
        self.left = self.left.checked_sub(bytes).ok_or(RedisError::TooLong)?;
        Ok(())
    }
}

fn text(line: &[u8]) -> Result<String, RedisError> {
    String::from_utf8(line.to_vec()).map_err(|_| RedisError::Garbled)
}

fn number(line: &[u8]) -> Result<i64, RedisError> {
    let digits = str::from_utf8(line).map_err(|_| RedisError::Garbled)?;
    digits.parse().map_err(|_| RedisError::Garbled)
}

/// A length; `None` for that of nothing, -1.
fn length(line: &[u8]) -> Result<Option<usize>, RedisError> {
    match line {
        b"-1" => Ok(None),
        // One way to write each: no sign, no zeros in front.
        b"0" | [b'1'..=b'9', ..] => usize::try_from(number(line)?)
            .map(Some)
            .map_err(|_| RedisError::Garbled),
        _ => Err(RedisError::Garbled),
    }
}

/// Lists within lists.
const DEPTH: u32 = 8;

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    const ROOM: usize = 4_096;

    fn whole(bytes: &[u8]) -> Result<Value, RedisError> {
        read(&mut &bytes[..], ROOM)
    }

    fn wire(value: &Value, out: &mut Vec<u8>) {
        match value {
            Value::Nil => out.extend_from_slice(b"$-1\r\n"),
            Value::Int(number) => out.extend_from_slice(format!(":{number}\r\n").as_bytes()),
            Value::Text(word) => out.extend_from_slice(format!("+{word}\r\n").as_bytes()),
            Value::Error(text) => out.extend_from_slice(format!("-{text}\r\n").as_bytes()),
            Value::Bytes(bytes) => {
                head(b'$', bytes.len(), out);
                out.extend_from_slice(bytes);
                out.extend_from_slice(b"\r\n");
            }
            Value::List(values) => {
                head(b'*', values.len(), out);
                values.iter().for_each(|value| wire(value, out));
            }
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            any::<i64>().prop_map(Value::Int),
            "[ -~]{0,9}".prop_map(Value::Text),
            "[ -~]{0,9}".prop_map(Value::Error),
            prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::Bytes),
        ];
        leaf.prop_recursive(3, 20, 5, |inner| {
            prop::collection::vec(inner, 0..5).prop_map(Value::List)
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_however_it_is_cut(value in value(), step in 1_usize..9) {
            let mut bytes = Vec::new();
            wire(&value, &mut bytes);
            let end = bytes.len();
            bytes.extend_from_slice(b"+more\r\n");
            let mut input = BufReader::with_capacity(step, &bytes[..]);
            prop_assert_eq!(read(&mut input, ROOM).unwrap(), value);
            prop_assert_eq!(read(&mut input, ROOM).unwrap(), Value::Text("more".into()));
            for cut in 0..end {
                let error = whole(&bytes[..cut]).unwrap_err();
                prop_assert!(matches!(error, RedisError::Closed), "{cut}: {error}");
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(
            prop_oneof![Just(b'*'), Just(b'$'), Just(b'\r'), Just(b'\n'), b'0'..=b'9', any::<u8>()],
            0..60,
        )) {
            let _ = whole(&bytes);
        }
    }

    #[test]
    fn what_is_no_value_is_garbled() {
        for bytes in [
            "\r\n",
            "+OK\n",
            "?\r\n",
            "+a\rb\r\n",
            ":1x\r\n",
            ":\r\n",
            "$-2\r\n",
            "*-2\r\n",
            "$+3\r\nabc\r\n",
            "$03\r\nabc\r\n",
            "$-0\r\n\r\n",
            "$-01\r\n",
            "*+0\r\n",
            "*\r\n",
            "$1\r\nab\r\n",
            "$2\r\nab\n\r",
            "%1\r\n",
            ":99999999999999999999\r\n",
        ] {
            let error = whole(bytes.as_bytes()).unwrap_err();
            assert!(matches!(error, RedisError::Garbled), "{bytes:?}: {error}");
        }
    }

    #[test]
    fn a_refusal_that_is_no_utf_8_is_a_refusal() {
        let refused = whole(b"-ERR unknown command '\xff'\r\n").unwrap();
        let text = "ERR unknown command '\u{fffd}'".to_owned();
        assert_eq!(refused, Value::Error(text));
        let garbled = whole(b"+\xff\r\n").unwrap_err();
        assert!(matches!(garbled, RedisError::Garbled));
    }

    #[test]
    fn a_refusal_is_as_long_as_it_is_read_and_not_as_it_is_written() {
        let refusal = [b"-".as_slice(), &[0xff; 9], b"\r\n"].concat();
        let takes = size_of::<Value>() + 1 + 3 * 9;
        let refused = read(&mut &refusal[..], takes).unwrap();
        assert_eq!(refused, Value::Error("\u{fffd}".repeat(9)));
        let error = read(&mut &refusal[..], takes - 1).unwrap_err();
        assert!(matches!(error, RedisError::TooLong), "{error}");
    }

    #[test]
    fn what_is_longer_than_it_may_be_is_not_read() {
        let deep = "*1\r\n".repeat(9) + ":1\r\n";
        let many = format!("*1000\r\n{}", ":1\r\n".repeat(1_000));
        let line = format!("+{}\r\n", "x".repeat(ROOM));
        for bytes in [
            "$9223372036854775807\r\n",
            "$4097\r\n",
            &deep,
            &many,
            &line,
            "*5000\r\n",
        ] {
            let error = whole(bytes.as_bytes()).unwrap_err();
            let expected = match bytes {
                "*5000\r\n" => matches!(error, RedisError::Closed),
                _ => matches!(error, RedisError::TooLong),
            };
            assert!(expected, "{bytes:.20?}: {error}");
        }
    }

    #[test]
    fn a_value_is_taken_as_what_it_is_and_nothing_else() {
        let bytes = |text: &str| Value::Bytes(text.into());
        assert_eq!(String::from_value(bytes("a")).unwrap(), "a");
        assert_eq!(Option::<String>::from_value(Value::Nil).unwrap(), None);
        assert_eq!(i64::from_value(Value::Int(3)).unwrap(), 3);
        assert!(bool::from_value(Value::Int(1)).unwrap());
        assert!(<()>::from_value(Value::Text("OK".into())).is_ok());
        assert!(<()>::from_value(Value::Text("QUEUED".into())).is_err());
        assert!(bool::from_value(Value::Int(2)).is_err());
        assert!(i64::from_value(bytes("3")).is_err());
        assert!(String::from_value(Value::Bytes(vec![0xff])).is_err());
    }
}
