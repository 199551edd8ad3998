//! MQTT 3.1.1: CONNECT, then PINGREQ.

use super::{Garbled, Heard, Speech, Tongue};

pub(super) fn speech() -> Speech {
    Speech::new(vec![0xC0, 0], &[0xD0, 0], Mqtt)
}

struct Mqtt;

impl Tongue for Mqtt {
    /// A clean session without a keepalive: a silent connection is let live.
    fn greet(&self, number: u32, out: &mut Vec<u8>) -> u32 {
        let client = format!("load-{}-{number}", std::process::id());
        let length = u8::try_from(client.len()).unwrap_or(u8::MAX);
        out.extend([0x10, 12 + length]);
        out.extend([0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 0, 0, length]);
        out.extend(client.as_bytes());
        1
    }

    fn join(&self, topic: &str, out: &mut Vec<u8>) -> Option<u32> {
        let length = u8::try_from(topic.len()).ok()?;
        out.extend([0x82, 5 + length, 0, 1, 0, length]);
        out.extend(topic.as_bytes());
        out.push(0);
        Some(1)
    }

    /// At most once: without an answer.
    fn publish(&self, topic: &str, body: &[u8], out: &mut Vec<u8>) -> Option<u32> {
        let length = u8::try_from(topic.len()).ok()?;
        out.push(0x30);
        let mut rest = 2 + topic.len() + body.len();
        loop {
            let low = u8::try_from(rest & 0x7F).ok()?;
            rest >>= 7;
            out.push(low | if rest > 0 { 0x80 } else { 0 });
            if rest == 0 {
                break;
            }
        }
        out.extend([0, length]);
        out.extend([topic.as_bytes(), body].concat());
        Some(0)
    }

    fn next(&self, input: &[u8], at: usize, heard: &mut Heard) -> Result<Option<usize>, Garbled> {
        let Some((header, length)) = header(input)? else {
            return Ok(None);
        };
        let consumed = header + length;
        if input.len() < consumed {
            return Ok(None);
        }
        match input[0] >> 4 {
            // CONNACK: the second byte tells why not
            2 => {
                heard.answers += 1;
                heard.refused += u32::from(input[header..consumed].get(1) != Some(&0));
            }
            // PUBLISH
            3 => {
                let topic = input.get(header..header + 2).ok_or(Garbled)?;
                let topic = usize::from(u16::from_be_bytes([topic[0], topic[1]]));
                let body = header.saturating_add(2 + topic).min(consumed);
                heard.messages.push(at + body..at + consumed);
            }
            // PUBACK, SUBACK, UNSUBACK, PINGRESP
            4 | 9 | 11 | 13 => heard.answers += 1,
            _ => return Err(Garbled),
        }
        Ok(Some(consumed))
    }
}

/// Bytes of the fixed header, and how many follow.
fn header(input: &[u8]) -> Result<Option<(usize, usize)>, Garbled> {
    let mut length = 0;
    for (place, byte) in input.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(Some((place + 2, length)));
        }
    }
    if input.len() < 5 {
        Ok(None)
    } else {
        Err(Garbled)
    }
}
