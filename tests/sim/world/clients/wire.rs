//! The client's side of the protocol: a writer and a small strict reader for each encoding.
//!
//! Written from the protocol's text alone and sharing no code with the server, so that a mistake
//! in one is not forgiven by the same mistake in the other. The reader panics where the server
//! sends what the protocol does not allow.

use pulsegate::codec::framing::{Endian, Framing, Layout};
use serde_json::Value;

/// What a client says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Say {
    Ping,
    Pong,
    Login(String),
    Send {
        to: String,
        text: String,
        ack: bool,
    },
    Join(String),
    Leave(String),
    Publish {
        topic: String,
        text: String,
    },
    Data(String),
    Ack(u64),
    Quit,
    /// No message of the protocol.
    Nonsense,
}

/// What a client hears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Word {
    Pong,
    Ping,
    Ok(Vec<(String, u64)>),
    Error(String),
    Message {
        id: u64,
        from: String,
        topic: Option<String>,
        text: String,
        ack: bool,
    },
    Close {
        reason: String,
        reconnect_ms: u64,
    },
}

/// Wraps a body into a frame.
pub(crate) fn frame(framing: Framing, body: &[u8], out: &mut Vec<u8>) {
    match framing {
        Framing::Raw => out.extend_from_slice(body),
        Framing::Line => {
            out.extend_from_slice(body);
            out.push(b'\n');
        }
        Framing::LenHdr { .. } => {
            out.extend_from_slice(format!("length:{:013}", body.len()).as_bytes());
            out.extend_from_slice(body);
        }
        Framing::Binary(layout) => {
            out.resize(out.len() + usize::from(layout.offset), 0);
            let field = (body.len() as i64 - i64::from(layout.adjust)) as u64;
            let width = usize::from(layout.width);
            match layout.endian {
                Endian::Big => out.extend_from_slice(&field.to_be_bytes()[8 - width..]),
                Endian::Little => out.extend_from_slice(&field.to_le_bytes()[..width]),
            }
            out.extend_from_slice(body);
        }
    }
}

/// Takes the first whole frame's body off the front.
pub(crate) fn unframe(framing: Framing, input: &mut Vec<u8>) -> Option<Vec<u8>> {
    let (from, to) = match framing {
        Framing::Raw => (0, (!input.is_empty()).then_some(input.len())?),
        Framing::Line => {
            let end = input.iter().position(|&byte| byte == b'\n')?;
            let line = input.drain(..=end).take(end).collect();
            return Some(line);
        }
        Framing::LenHdr { .. } => {
            let header = std::str::from_utf8(input.get(..20)?).expect("a header is ASCII");
            let digits = header
                .strip_prefix("length:")
                .expect("a header begins with length:");
            (
                20,
                20 + digits.parse::<usize>().expect("a header has 13 digits"),
            )
        }
        Framing::Binary(layout) => binary_bounds(layout, input)?,
    };
    if input.len() < to {
        return None;
    }
    let body = input[from..to].to_vec();
    input.drain(..to);
    Some(body)
}

fn binary_bounds(layout: Layout, input: &[u8]) -> Option<(usize, usize)> {
    let from = usize::from(layout.offset) + usize::from(layout.width);
    let field = input.get(usize::from(layout.offset)..from)?;
    let shift = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    let value = match layout.endian {
        Endian::Big => field.iter().fold(0, shift),
        Endian::Little => field.iter().rev().fold(0, shift),
    };
    let length = value as i64 + i64::from(layout.adjust);
    Some((
        from,
        from + usize::try_from(length).expect("a length is not negative"),
    ))
}

/// One message as the body of a frame.
pub(crate) fn body(framing: Framing, say: &Say, seq: Option<u64>) -> Vec<u8> {
    match framing {
        Framing::Raw | Framing::Line => line(say).into_bytes(),
        Framing::LenHdr { .. } => {
            let mut value = json(say);
            if let Some(seq) = seq {
                value["seq"] = seq.into();
            }
            value.to_string().into_bytes()
        }
        Framing::Binary(_) => binary(say),
    }
}

fn line(say: &Say) -> String {
    match say {
        Say::Ping => "ping".into(),
        Say::Pong => "pong".into(),
        Say::Login(user) => format!("login {user}"),
        Say::Send {
            to,
            text,
            ack: false,
        } => format!("send {to} {text}"),
        Say::Send {
            to,
            text,
            ack: true,
        } => format!("asend {to} {text}"),
        Say::Join(topic) => format!("join {topic}"),
        Say::Leave(topic) => format!("leave {topic}"),
        Say::Publish { topic, text } => format!("pub {topic} {text}"),
        Say::Data(text) => format!("data {text}"),
        Say::Ack(id) => format!("ack {id}"),
        Say::Quit => "quit".into(),
        Say::Nonsense => "abracadabra".into(),
    }
}

fn json(say: &Say) -> Value {
    use serde_json::json;
    match say {
        Say::Ping => json!({"type": "ping"}),
        Say::Pong => json!({"type": "pong"}),
        Say::Login(user) => json!({"type": "login", "user": user}),
        Say::Send {
            to,
            text,
            ack: false,
        } => json!({"type": "send", "to": to, "body": text}),
        Say::Send {
            to,
            text,
            ack: true,
        } => {
            json!({"type": "send", "to": to, "body": text, "ack": true})
        }
        Say::Join(topic) => json!({"type": "join", "topic": topic}),
        Say::Leave(topic) => json!({"type": "leave", "topic": topic}),
        Say::Publish { topic, text } => json!({"type": "pub", "topic": topic, "body": text}),
        Say::Data(text) => json!({"type": "data", "body": text}),
        Say::Ack(id) => json!({"type": "ack", "id": id}),
        Say::Quit => json!({"type": "quit"}),
        Say::Nonsense => json!({"type": "abracadabra"}),
    }
}

fn binary(say: &Say) -> Vec<u8> {
    let mut out = Vec::new();
    let mut put = |code: u8, name: Option<&str>, rest: &[u8]| {
        out.push(code);
        if let Some(name) = name {
            out.extend_from_slice(&(name.len() as u16).to_be_bytes());
            out.extend_from_slice(name.as_bytes());
        }
        out.extend_from_slice(rest);
    };
    match say {
        Say::Ping => put(0x01, None, b""),
        Say::Pong => put(0x02, None, b""),
        Say::Login(user) => put(0x03, Some(user), &[0, 0]),
        Say::Send {
            to,
            text,
            ack: false,
        } => put(0x04, Some(to), text.as_bytes()),
        Say::Send {
            to,
            text,
            ack: true,
        } => put(0x0B, Some(to), text.as_bytes()),
        Say::Join(topic) => put(0x05, Some(topic), b""),
        Say::Leave(topic) => put(0x06, Some(topic), b""),
        Say::Publish { topic, text } => put(0x07, Some(topic), text.as_bytes()),
        Say::Data(text) => put(0x08, None, text.as_bytes()),
        Say::Ack(id) => put(0x09, None, &id.to_be_bytes()),
        Say::Quit => put(0x0A, None, b""),
        Say::Nonsense => put(0x7F, None, b"abracadabra"),
    }
    out
}

/// Reads the body of a frame from the server. The second value is the `seq` it repeats.
pub(crate) fn read(framing: Framing, body: &[u8]) -> (Word, Option<u64>) {
    match framing {
        Framing::LenHdr { .. } => read_json(body),
        Framing::Binary(_) => (read_binary(body), None),
        Framing::Raw | Framing::Line => (
            read_line(std::str::from_utf8(body).expect("a line is UTF-8")),
            None,
        ),
    }
}

fn read_line(line: &str) -> Word {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    match verb {
        "pong" if rest.is_empty() => Word::Pong,
        "ping" if rest.is_empty() => Word::Ping,
        "ok" => Word::Ok(fields(rest)),
        "error" => Word::Error(rest.split(' ').next().unwrap_or("").to_owned()),
        "msg" | "msga" => {
            let mut parts = rest.splitn(3, ' ');
            let mut part = || parts.next().expect("a msg has an id, a sender and a text");
            let (id, from, text) = (number(part()), part(), part());
            message(id, from, text, verb == "msga")
        }
        "close" => {
            let (reason, ms) = rest.split_once(' ').unwrap_or((rest, "0"));
            Word::Close {
                reason: reason.to_owned(),
                reconnect_ms: number(ms),
            }
        }
        _ => panic!("no message of the protocol: {line:?}"),
    }
}

fn read_binary(body: &[u8]) -> Word {
    let (&code, rest) = body.split_first().expect("a message has an opcode");
    match code {
        0x81 if rest.is_empty() => Word::Pong,
        0x82 if rest.is_empty() => Word::Ping,
        0x83 => Word::Ok(fields(text(rest))),
        0x84 => Word::Error(string(rest).0.to_owned()),
        0x85 | 0x87 => {
            let (id, rest) = rest.split_first_chunk().expect("a msg has an id");
            let (from, rest) = string(rest);
            message(u64::from_be_bytes(*id), from, text(rest), code == 0x87)
        }
        0x86 => {
            let (reason, rest) = string(rest);
            let ms = u32::from_be_bytes(rest.try_into().expect("close ends with 4 bytes"));
            Word::Close {
                reason: reason.to_owned(),
                reconnect_ms: ms.into(),
            }
        }
        _ => panic!("no message of the protocol: {body:?}"),
    }
}

fn read_json(body: &[u8]) -> (Word, Option<u64>) {
    let value: Value = serde_json::from_slice(body).expect("a body is JSON");
    let seq = value["seq"].as_u64();
    let string = |key: &str| value[key].as_str().map(str::to_owned);
    let word = match value["type"].as_str().expect("a message has a type") {
        "pong" => Word::Pong,
        "ping" => Word::Ping,
        "ok" => Word::Ok(
            value
                .as_object()
                .expect("a message is an object")
                .iter()
                .filter(|(key, _)| *key != "type" && *key != "seq")
                .map(|(key, value)| (key.clone(), value.as_u64().expect("a number")))
                .collect(),
        ),
        "error" => Word::Error(string("code").expect("an error has a code")),
        "msg" => Word::Message {
            id: value["id"].as_u64().expect("a msg has an id"),
            from: string("from").expect("a msg has a sender"),
            topic: string("topic"),
            text: string("body").expect("clients of this world send text"),
            ack: value["ack"].as_bool().unwrap_or(false),
        },
        "close" => Word::Close {
            reason: string("reason").expect("a close has a reason"),
            reconnect_ms: value["reconnect_ms"].as_u64().unwrap_or(0),
        },
        other => panic!("no message of the protocol: {other:?}"),
    };
    (word, seq)
}

fn message(id: u64, from: &str, text: &str, ack: bool) -> Word {
    let (topic, from) = match from.strip_prefix("topic:") {
        Some(rest) => {
            let (topic, from) = rest.rsplit_once('/').expect("topic:NAME/USER");
            (Some(topic.to_owned()), from)
        }
        None => (None, from),
    };
    Word::Message {
        id,
        from: from.to_owned(),
        topic,
        text: text.to_owned(),
        ack,
    }
}

fn fields(text: &str) -> Vec<(String, u64)> {
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=').expect("ok KEY=VALUE");
        (key.to_owned(), number(value))
    };
    text.split(' ')
        .filter(|pair| !pair.is_empty())
        .map(pair)
        .collect()
}

fn string(bytes: &[u8]) -> (&str, &[u8]) {
    let (length, rest) = bytes.split_first_chunk().expect("a str has a length");
    let (name, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)));
    (text(name), rest)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text is UTF-8")
}

fn number(digits: &str) -> u64 {
    digits.parse().expect("a number")
}
