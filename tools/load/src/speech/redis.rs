//! Redis: PING, answered by +PONG; every other simple answer is understood as well.

use super::{Garbled, Heard, Speech, Tongue, line_end};

pub(super) fn speech() -> Speech {
    Speech::new(b"*1\r\n$4\r\nPING\r\n".to_vec(), b"+PONG\r\n", Resp)
}

struct Resp;

impl Tongue for Resp {
    fn next(&self, input: &[u8], _: usize, heard: &mut Heard) -> Result<Option<usize>, Garbled> {
        let Some(end) = line_end(input) else {
            return Ok(None);
        };
        let mut consumed = end + 1;
        match input[0] {
            b'+' | b':' => {}
            b'-' => heard.refused += 1,
            b'$' => {
                let length = std::str::from_utf8(&input[1..end]).map_err(|_| Garbled)?;
                let length: i64 = length.trim_end().parse().map_err(|_| Garbled)?;
                if let Ok(length) = usize::try_from(length) {
                    consumed = length.saturating_add(consumed + 2);
                }
                if input.len() < consumed {
                    return Ok(None);
                }
            }
            _ => return Err(Garbled),
        }
        heard.answers += 1;
        Ok(Some(consumed))
    }
}
