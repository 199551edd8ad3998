//! Which other protocol the first bytes of a connection open: a browser, a TLS client or an SSH
//! client that came to the wrong port gets no answer it could use.

/// What the first bytes of a connection look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Foreign {
    /// No protocol known here; this holds however many bytes follow.
    No,
    /// So far the beginning of one; the next bytes decide.
    Maybe,
    /// Another protocol.
    Yes(Guess),
}

/// A protocol that is known by its first bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Guess {
    /// A request of HTTP 1 or the preface of HTTP 2.
    Http,
    /// A ClientHello.
    Tls,
    /// The version line of SSH.
    Ssh,
}

impl Guess {
    /// Every guess, in the order of the enum.
    pub const ALL: [Self; 3] = [Self::Http, Self::Tls, Self::Ssh];

    /// The word in counters and logs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tls => "tls",
            Self::Ssh => "ssh",
        }
    }
}

/// Judges the first bytes of a connection: do they open another protocol?
///
/// At most 12 bytes are needed; no byte at all is [`Foreign::Maybe`]. As long as that is the
/// answer, a whole frame is a frame and need not wait, but an error of
/// [`find`](super::framing::Framing::find) must: torn after `G`, a browser on a `lenhdr` port would
/// else be told `close protocol` where it is to get no answer.
#[must_use]
pub fn foreign(first: &[u8]) -> Foreign {
    let mut verdict = tls_hello(first);
    for &(opening, guess) in &OPENINGS {
        if first.starts_with(opening) {
            return Foreign::Yes(guess);
        }
        if opening.starts_with(first) {
            verdict = Foreign::Maybe;
        }
    }
    verdict
}

/// Judges whether a TLS record begins here that holds a ClientHello.
fn tls_hello(first: &[u8]) -> Foreign {
    let fits = |(at, &byte): (usize, &u8)| match at {
        0 => byte == 0x16, // a record of the handshake
        1 => byte == 3,    // version 3.x, as SSL 3.0 began to count
        2 => (1..=4).contains(&byte),
        5 => byte == 1, // the handshake message is a ClientHello
        _ => true,      // the record's length
    };
    let seen = &first[..first.len().min(6)];
    match (seen.iter().enumerate().all(fits), seen.len()) {
        (false, _) => Foreign::No,
        (true, 6) => Foreign::Yes(Guess::Tls),
        (true, _) => Foreign::Maybe,
    }
}

const OPENINGS: [(&[u8], Guess); 11] = [
    (b"GET ", Guess::Http),
    (b"POST ", Guess::Http),
    (b"PUT ", Guess::Http),
    (b"HEAD ", Guess::Http),
    (b"OPTIONS ", Guess::Http),
    (b"DELETE ", Guess::Http),
    (b"CONNECT ", Guess::Http),
    (b"PATCH ", Guess::Http),
    (b"TRACE ", Guess::Http),
    (b"PRI * HTTP/2", Guess::Http),
    (b"SSH-", Guess::Ssh),
];

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

    #[test]
    fn openings_of_other_protocols_are_known() {
        for (first, guess) in [
            (&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], Guess::Http),
            (b"POST /v1/push HTTP/1.1\r\n", Guess::Http),
            (b"PUT /x HTTP/1.1\r\n", Guess::Http),
            (b"HEAD / HTTP/1.0\r\n", Guess::Http),
            (b"OPTIONS * HTTP/1.1\r\n", Guess::Http),
            (b"DELETE /x HTTP/1.1\r\n", Guess::Http),
            (b"CONNECT x:443 HTTP/1.1\r\n", Guess::Http),
            (b"PATCH /x HTTP/1.1\r\n", Guess::Http),
            (b"TRACE / HTTP/1.1\r\n", Guess::Http),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Guess::Http),
            (HELLO, Guess::Tls),
            (b"\x16\x03\x04\xff\xff\x01", Guess::Tls),
            (b"SSH-2.0-OpenSSH_9.9\r\n", Guess::Ssh),
        ] {
            assert_eq!(foreign(first), Foreign::Yes(guess), "{first:?}");
            // Dripping, it is open first and settled then, once and for all.
            let settled = (0..=first.len())
                .find(|&length| foreign(&first[..length]) != Foreign::Maybe)
                .unwrap();
            assert!((4..=12).contains(&settled), "{first:?} at {settled}");
            for length in settled..=first.len() {
                assert_eq!(foreign(&first[..length]), Foreign::Yes(guess));
            }
        }
    }

    #[test]
    fn our_own_openings_are_not_foreign() {
        for first in [
            &b"login alice\n"[..],
            b"ping\n",
            b"\n",
            b"get / HTTP/1.1",
            b"GETTING",
            b"POSTED ",
            b"Host: x\r\n",
            b"length:0000000000015",
            b"\0\0\0\x01\x01",
            b"\x16\x03\x05",
            b"\x16\x03\x00",
            b"\x16\x04",
            b"\x16\x03\x01\x02\x00\x02",
            b"PRI * HTTP/1",
            b"ssh-2.0",
        ] {
            assert_eq!(foreign(first), Foreign::No, "{first:?}");
        }
    }

    #[test]
    fn no_more_is_no_for_ever() {
        // Every first byte: where it is settled as ours, no second byte makes it foreign.
        for byte in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                if foreign(&[byte]) == Foreign::No {
                    assert_eq!(foreign(&[byte, second]), Foreign::No);
                }
            }
        }
        assert_eq!(foreign(b""), Foreign::Maybe);
    }

    #[test]
    fn guesses_have_words_of_their_own() {
        let words = Guess::ALL.map(Guess::word);
        assert_eq!(words, ["http", "tls", "ssh"]);
    }
}
