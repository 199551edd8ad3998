//! pulsegate's own dialects, on each of its framings, through the library's codecs.

use std::ops::Range;

use pulsegate::codec::framing::{Found, Framing};
use serde::Deserialize;

use super::{Garbled, Heard, Manner, Speech, Tongue, Wire};

/// Dialect `gate`: ping and pong.
pub(super) fn talk(manner: &Manner) -> Result<Speech, String> {
    let (ping, pong): (&[u8], &[u8]) = match manner.framing {
        Wire::Raw => return Err(String::from("dialect gate is not spoken on framing raw")),
        Wire::Line => (b"ping", b"pong"),
        Wire::Lenhdr => (br#"{"type":"ping"}"#, br#"{"type":"pong"}"#),
        Wire::Binary | Wire::Binary2 => (&[0x01], &[0x81]),
    };
    let own_pong: &[u8] = match manner.framing {
        Wire::Binary | Wire::Binary2 => &[0x02],
        _ => pong,
    };
    let framing = manner.framing.framing();
    let tongue = Gate {
        framing,
        encoding: manner.framing,
        user: manner.user.clone(),
    };
    let frame = |body: &[u8]| framed(framing, body);
    Ok(Speech::new(frame(ping)?, &frame(pong)?, tongue).with_pong(&frame(own_pong)?))
}

/// Dialects `echo` (answered) and `sink`.
pub(super) fn echo(manner: &Manner, is_answered: bool) -> Result<Speech, String> {
    let size = manner.size.unwrap_or(32) as usize;
    if size == 0 || size > FRAME_MAX {
        return Err(format!("a body has 1 to {FRAME_MAX} bytes"));
    }
    let framing = manner.framing.framing();
    let body = match manner.framing {
        // A JSON string of that size.
        Wire::Lenhdr => {
            let inner = size
                .checked_sub(2)
                .ok_or("a JSON body has at least 2 bytes")?;
            format!("\"{}\"", "x".repeat(inner)).into_bytes()
        }
        _ => vec![b'x'; size],
    };
    let request = framed(framing, &body)?;
    let usual = if is_answered {
        request.clone()
    } else {
        Vec::new()
    };
    let tongue = Echo {
        framing,
        request: request.len(),
        is_answered,
    };
    Ok(Speech::new(request, &usual, tongue))
}

fn framed(framing: Framing, body: &[u8]) -> Result<Vec<u8>, String> {
    let mut frame = Vec::new();
    framing
        .encode(body, &mut frame)
        .map_err(|_| String::from("the body does not fit the framing's length"))?;
    Ok(frame)
}

struct Gate {
    framing: Framing,
    encoding: Wire,
    user: Option<String>,
}

impl Gate {
    /// Appends a message in the encoding of the framing; its texts are short enough for every
    /// length field, and need no escapes.
    fn say(&self, opcode: u8, word: &str, texts: &[(&str, &str)], out: &mut Vec<u8>) {
        let mut body = Vec::new();
        match self.encoding {
            Wire::Lenhdr => {
                body.extend(format!("{{\"type\":\"{word}\"").into_bytes());
                for (key, text) in texts {
                    body.extend(format!(",\"{key}\":\"{text}\"").into_bytes());
                }
                body.push(b'}');
            }
            Wire::Raw | Wire::Line => {
                body.extend(word.as_bytes());
                for (_, text) in texts {
                    body.push(b' ');
                    body.extend(text.as_bytes());
                }
            }
            Wire::Binary | Wire::Binary2 => {
                body.push(opcode);
                for (key, text) in texts {
                    // The last field of a message with a body has no length.
                    if *key != "body" {
                        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
                        body.extend(length.to_be_bytes());
                    }
                    body.extend(text.as_bytes());
                }
                if word == "login" {
                    // An empty token.
                    body.extend([0, 0]);
                }
            }
        }
        let _ = self.framing.encode(&body, out);
    }
}

impl Tongue for Gate {
    fn greet(&self, number: u32, out: &mut Vec<u8>) -> u32 {
        let Some(user) = &self.user else { return 0 };
        let name = format!("{user}-{number}");
        self.say(0x03, "login", &[("user", &name)], out);
        1
    }

    fn join(&self, topic: &str, out: &mut Vec<u8>) -> Option<u32> {
        self.say(0x05, "join", &[("topic", topic)], out);
        Some(1)
    }

    fn publish(&self, topic: &str, body: &[u8], out: &mut Vec<u8>) -> Option<u32> {
        let text = std::str::from_utf8(body).ok()?;
        self.say(0x07, "pub", &[("topic", topic), ("body", text)], out);
        Some(1)
    }

    fn next(&self, input: &[u8], at: usize, heard: &mut Heard) -> Result<Option<usize>, Garbled> {
        let found = self
            .framing
            .find(input, 0, FRAME_MAX)
            .map_err(|_| Garbled)?;
        let (body, consumed) = match found {
            Found::More => return Ok(None),
            Found::Beat { consumed } => (0..0, consumed),
            Found::Frame { body, consumed } => (body, consumed),
        };
        let begin = at + body.start;
        let said = match self.encoding {
            Wire::Raw | Wire::Line => of_line(&input[body]),
            Wire::Lenhdr => of_json(&input[body])?,
            Wire::Binary | Wire::Binary2 => of_binary(&input[body])?,
        };
        match said {
            Said::Answer => heard.answers += 1,
            Said::Refusal => {
                heard.answers += 1;
                heard.refused += 1;
            }
            Said::Ping => heard.pings += 1,
            Said::Goodbye => heard.goodbyes += 1,
            Said::Message(text) => heard.messages.push(begin + text.start..begin + text.end),
            Said::Nothing => return Err(Garbled),
        }
        Ok(Some(consumed))
    }
}

/// What one frame from the server is.
enum Said {
    Answer,
    Refusal,
    Ping,
    Goodbye,
    /// And where in the frame the text lies.
    Message(Range<usize>),
    Nothing,
}

fn of_line(line: &[u8]) -> Said {
    let word = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    match word {
        b"pong" | b"ok" => Said::Answer,
        b"error" => Said::Refusal,
        b"ping" => Said::Ping,
        b"close" => Said::Goodbye,
        b"msg" | b"msga" => {
            let spaces = line.iter().enumerate().filter(|(_, byte)| **byte == b' ');
            spaces
                .map(|(place, _)| place + 1)
                .nth(2)
                .map_or(Said::Nothing, |text| Said::Message(text..line.len()))
        }
        _ => Said::Nothing,
    }
}

fn of_json(body: &[u8]) -> Result<Said, Garbled> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(rename = "type")]
        word: &'a str,
    }
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(|_| Garbled)?;
    Ok(match envelope.word {
        "pong" | "ok" => Said::Answer,
        "error" => Said::Refusal,
        "ping" => Said::Ping,
        "close" => Said::Goodbye,
        "msg" => Said::Message(json_text(body)),
        _ => Said::Nothing,
    })
}

/// Where the text of a message lies; we publish without characters that JSON escapes.
fn json_text(body: &[u8]) -> Range<usize> {
    const KEY: &[u8] = b"\"body\":\"";
    let begin = body.windows(KEY.len()).position(|part| part == KEY);
    begin.map_or(0..0, |begin| {
        let begin = begin + KEY.len();
        let length = body[begin..].iter().position(|byte| *byte == b'"');
        begin..begin + length.unwrap_or(0)
    })
}

fn of_binary(body: &[u8]) -> Result<Said, Garbled> {
    Ok(match body.first().ok_or(Garbled)? {
        0x81 | 0x83 => Said::Answer,
        0x84 => Said::Refusal,
        0x82 => Said::Ping,
        0x86 => Said::Goodbye,
        0x85 | 0x87 => {
            let length = body.get(9..11).ok_or(Garbled)?;
            let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
            Said::Message((11 + length).min(body.len())..body.len())
        }
        _ => Said::Nothing,
    })
}

struct Echo {
    framing: Framing,
    /// Bytes of a request, where the framing has no frames.
    request: usize,
    is_answered: bool,
}

impl Tongue for Echo {
    /// What comes here is not whole yet, or not what was sent.
    fn next(&self, input: &[u8], _: usize, heard: &mut Heard) -> Result<Option<usize>, Garbled> {
        if !self.is_answered {
            return Err(Garbled);
        }
        if self.framing == Framing::Raw {
            return if input.len() < self.request {
                Ok(None)
            } else {
                Err(Garbled)
            };
        }
        match self.framing.find(input, 0, FRAME_MAX) {
            Ok(Found::More) => Ok(None),
            Ok(Found::Frame { consumed, .. } | Found::Beat { consumed }) => {
                heard.answers += 1;
                heard.refused += 1;
                Ok(Some(consumed))
            }
            Err(_) => Err(Garbled),
        }
    }
}

/// Bytes of a body at most.
const FRAME_MAX: usize = 1 << 20;
