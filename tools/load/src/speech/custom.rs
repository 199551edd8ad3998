//! Protocols that are a request and an answer of given bytes.

use super::{Garbled, Heard, Manner, Speech, Tongue};

/// `version`, answered by a line.
pub(super) fn memcached() -> Speech {
    let end = b"\r\n".to_vec();
    Speech::new(b"version\r\n".to_vec(), &[], Until { end })
}

/// What was given in hex.
pub(super) fn speech(manner: &Manner) -> Result<Speech, String> {
    let Some(request) = &manner.request else {
        return Err(String::from("dialect custom needs --request HEX"));
    };
    let request = read_hex(request)?;
    match (&manner.answer, &manner.answer_end) {
        (Some(_), Some(_)) => Err(String::from("give --answer or --answer-end, not both")),
        (Some(answer), None) => {
            let answer = read_hex(answer)?;
            Ok(Speech::new(request, &answer, Exactly(answer.clone())))
        }
        (None, Some(end)) => {
            let end = read_hex(end)?;
            Ok(Speech::new(request, &[], Until { end }))
        }
        (None, None) => Ok(Speech::new(request, &[], Until { end: Vec::new() })),
    }
}

fn read_hex(text: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("{text:?} is no hex: write two digits a byte, as in 70696e670a");
    if text.is_empty() || !text.len().is_multiple_of(2) || !text.is_ascii() {
        return Err(wrong());
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong()))
        .collect()
}

/// An answer is these bytes and no others; comparing them has been tried before.
struct Exactly(Vec<u8>);

impl Tongue for Exactly {
    fn next(&self, input: &[u8], _: usize, _: &mut Heard) -> Result<Option<usize>, Garbled> {
        if self.0.starts_with(input) {
            Ok(None)
        } else {
            Err(Garbled)
        }
    }
}

/// An answer ends with certain bytes; without any, whatever comes is no answer.
struct Until {
    end: Vec<u8>,
}

impl Tongue for Until {
    fn next(&self, input: &[u8], _: usize, heard: &mut Heard) -> Result<Option<usize>, Garbled> {
        if self.end.is_empty() {
            return Ok(Some(input.len()));
        }
        let found = input
            .windows(self.end.len())
            .position(|part| part == self.end);
        let Some(at) = found else { return Ok(None) };
        heard.answers += 1;
        Ok(Some(at + self.end.len()))
    }
}
