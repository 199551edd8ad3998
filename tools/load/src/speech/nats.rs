//! NATS: CONNECT, then PING answered by PONG; the server asks the same of us.

use super::{Garbled, Heard, Speech, Tongue, line_end};

pub(super) fn speech() -> Speech {
    Speech::new(b"PING\r\n".to_vec(), b"PONG\r\n", Nats).with_pong(b"PONG\r\n")
}

struct Nats;

impl Tongue for Nats {
    fn greet(&self, _: u32, out: &mut Vec<u8>) -> u32 {
        out.extend(b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\nPING\r\n");
        1
    }

    /// A subscription has no answer of its own: the PING behind it has.
    fn join(&self, topic: &str, out: &mut Vec<u8>) -> Option<u32> {
        out.extend(format!("SUB {topic} 1\r\nPING\r\n").into_bytes());
        Some(1)
    }

    fn publish(&self, topic: &str, body: &[u8], out: &mut Vec<u8>) -> Option<u32> {
        out.extend(format!("PUB {topic} {}\r\n", body.len()).into_bytes());
        out.extend([body, b"\r\n"].concat());
        Some(0)
    }

    fn next(&self, input: &[u8], at: usize, heard: &mut Heard) -> Result<Option<usize>, Garbled> {
        let Some(end) = line_end(input) else {
            return Ok(None);
        };
        let line = input[..end].strip_suffix(b"\r").unwrap_or(&input[..end]);
        let mut consumed = end + 1;
        match line.split(|byte| *byte == b' ').next().unwrap_or_default() {
            b"INFO" => {}
            b"+OK" | b"PONG" => heard.answers += 1,
            b"PING" => heard.pings += 1,
            b"-ERR" => {
                heard.answers += 1;
                heard.refused += 1;
            }
            b"MSG" => {
                let length = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
                let length = std::str::from_utf8(length).map_err(|_| Garbled)?;
                let length: usize = length.parse().map_err(|_| Garbled)?;
                let body = at + consumed..length.saturating_add(at + consumed);
                consumed = length.saturating_add(consumed + 2);
                if input.len() < consumed {
                    return Ok(None);
                }
                heard.messages.push(body);
            }
            _ => return Err(Garbled),
        }
        Ok(Some(consumed))
    }
}
