//! New inputs out of old ones: bits turned, bytes of note put in, pieces doubled, moved, taken out,
//! joined with other inputs, and words of the protocols put in between.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// Bytes that are seldom anything by chance.
const WORDS: &[&[u8]] = &[
    b"ping\n",
    b"login a\n",
    b"login b secret\n",
    b"send! a hi\n",
    b"pub t hi\n",
    b"join t\n",
    b"leave t\n",
    b"data x\n",
    b"ack 1\n",
    b"quit\n",
    b"\r\n",
    b"\r\n\r\n",
    b"length:0000000000015{\"type\":\"ping\"}",
    b"{\"type\":\"",
    b"\"seq\":",
    b"\\ud800",
    b"\\u0000",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /v1/push HTTP/1.1\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Type: application/json\r\n",
    b"Host: localhost\r\n",
    b"%00",
    b"?limit=",
    b"[[listener]]\n",
    b"[limits]\n",
    b"idle_timeout = \"1s\"\n",
    b"PROXY TCP4 ",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11",
    b"10.1.0.0/16\n",
    b"2001:db8::/32\n",
    b"\n#####\n",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\0\0\0\x01\x01",
    b"\x7f\xff\xff\xff\xff\xff\xff\xff",
    "\u{202e}".as_bytes(),
    "\u{85}".as_bytes(),
];

/// Bytes of note.
const BYTES: &[u8] = &[0, 1, 2, 7, 10, 13, 16, 32, 64, 127, 128, 200, 254, 255];

/// Makes inputs from a seed.
#[derive(Debug)]
pub struct Mutator(Xoshiro256PlusPlus);

impl Mutator {
    /// The same seed makes the same inputs of the same inputs.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// A number below `bound`, 0 where there is none.
    #[expect(clippy::cast_possible_truncation, reason = "it is below a usize")]
    pub fn below(&mut self, bound: usize) -> usize {
        (self.0.next_u64() % (bound.max(1) as u64)) as usize
    }

    /// A new input of at most `most` bytes, made of one of `inputs`.
    pub fn make(&mut self, inputs: &[Vec<u8>], most: usize) -> Vec<u8> {
        let mut bytes = match inputs.len() {
            0 => Vec::new(),
            count => inputs[self.below(count)].clone(),
        };
        for _ in 0..=self.below(5) {
            self.change(&mut bytes, inputs);
        }
        bytes.truncate(most);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, inputs: &[Vec<u8>]) {
        let at = self.below(bytes.len() + 1);
        let len = self.below(bytes.len() - at.min(bytes.len())).min(64) + 1;
        let end = (at + len).min(bytes.len());
        match self.below(10) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = BYTES[self.below(BYTES.len())],
            2 if at < bytes.len() => {
                let by = u8::try_from(self.below(9)).unwrap_or_default();
                bytes[at] = bytes[at].wrapping_add(by).wrapping_sub(4);
            }
            3 => drop(bytes.drain(at..end)),
            4 => {
                let piece = bytes[at..end].to_vec();
                insert(bytes, at, &piece);
            }
            5 => {
                let piece: Vec<u8> = bytes.drain(at..end).collect();
                let to = self.below(bytes.len() + 1);
                insert(bytes, to, &piece);
            }
            6 if !inputs.is_empty() => {
                let other = &inputs[self.below(inputs.len())];
                let from = self.below(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            7 => {
                let byte = BYTES[self.below(BYTES.len())];
                insert(bytes, at, &vec![byte; len]);
            }
            8 => {
                let any: Vec<u8> = (0..len.min(8))
                    .map(|_| self.0.next_u64().to_le_bytes()[0])
                    .collect();
                insert(bytes, at, &any);
            }
            _ => insert(bytes, at, WORDS[self.below(WORDS.len())]),
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    bytes.splice(at..at, piece.iter().copied());
}
