//! What clients send: bytes in, events out.

use proptest::prelude::*;
use pulsegate::codec::framing::{Endian, Foreign, Found, Framing, Layout, foreign};
use pulsegate::codec::message::{Request, parse_binary, parse_json, parse_line};

use crate::bytes::{any_cuts, cut, from_spelling};

/// A transcript, and the listener it was heard on.
struct Transcript {
    name: &'static str,
    text: &'static str,
    framing: Framing,
    frame_max: usize,
}

/// One connection of a transcript.
struct Connection {
    title: String,
    input: Vec<u8>,
    events: Vec<String>,
}

const PLAIN: Layout = Layout {
    width: 4,
    endian: Endian::Big,
    offset: 0,
    adjust: 0,
    strip: None,
};

const TRANSCRIPTS: [Transcript; 5] = [
    Transcript {
        name: "line",
        text: include_str!("requests/line.txt"),
        framing: Framing::Line,
        frame_max: 32,
    },
    Transcript {
        name: "lenhdr",
        text: include_str!("requests/lenhdr.txt"),
        framing: Framing::LenHdr { bare_ping: false },
        frame_max: 96,
    },
    Transcript {
        name: "lenhdr-bare-ping",
        text: include_str!("requests/lenhdr-bare-ping.txt"),
        framing: Framing::LenHdr { bare_ping: true },
        frame_max: 96,
    },
    Transcript {
        name: "binary",
        text: include_str!("requests/binary.txt"),
        framing: Framing::Binary(PLAIN),
        frame_max: 32,
    },
    Transcript {
        name: "binary-layout",
        text: include_str!("requests/binary-layout.txt"),
        framing: Framing::Binary(Layout {
            width: 2,
            endian: Endian::Little,
            offset: 3,
            adjust: -5,
            strip: Some(6),
        }),
        frame_max: 32,
    },
];

impl Transcript {
    fn connections(&self) -> Vec<Connection> {
        let mut connections: Vec<Connection> = Vec::new();
        for line in self.text.lines().filter(|line| !line.is_empty()) {
            let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
            match (mark, connections.last_mut()) {
                ("#", _) => {}
                ("==", _) => connections.push(Connection {
                    title: format!("{}: {rest}", self.name),
                    input: Vec::new(),
                    events: Vec::new(),
                }),
                (">", Some(connection)) => connection.input.extend(from_spelling(rest)),
                ("<", Some(connection)) => connection.events.push(rest.to_owned()),
                _ => panic!("{}: {line}", self.name),
            }
        }
        connections
    }

    /// The events of a connection that reads `pieces`.
    fn hear<'a>(&self, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
        let mut events = Vec::new();
        let mut buffer = Vec::new();
        let mut first = Foreign::Maybe;
        for piece in pieces {
            let mut scanned = buffer.len();
            buffer.extend_from_slice(piece);
            if first == Foreign::Maybe {
                first = foreign(&buffer);
            }
            if let Foreign::Yes(guess) = first {
                events.push(format!("closes, foreign: {}", guess.word()));
                return events;
            }
            loop {
                let consumed = match self.framing.find(&buffer, scanned, self.frame_max) {
                    Ok(Found::More) => break,
                    Ok(Found::Beat { consumed }) => {
                        events.push("beat".to_owned());
                        consumed
                    }
                    Ok(Found::Frame { body, consumed }) => {
                        events.push(self.spell(&buffer[body]));
                        consumed
                    }
                    // Another protocol is wrong here, too; which of the two it is comes next.
                    Err(_) if first == Foreign::Maybe => break,
                    Err(error) => {
                        events.push(format!("closes: {error}"));
                        return events;
                    }
                };
                if events
                    .last()
                    .is_some_and(|event| event.starts_with("closes"))
                {
                    return events;
                }
                buffer.drain(..consumed);
                scanned = 0;
                first = Foreign::No;
            }
        }
        events
    }

    /// What a frame means, in words.
    fn spell(&self, body: &[u8]) -> String {
        match self.framing {
            Framing::Line if body.is_empty() => "beat".to_owned(),
            Framing::Raw | Framing::Line => {
                spell_request(parse_line(std::str::from_utf8(body).unwrap()))
            }
            Framing::LenHdr { .. } => match parse_json(body) {
                Ok(parsed) => match parsed.seq {
                    Some(seq) => format!("{}, seq {seq:?}", spell_request(parsed.request)),
                    None => spell_request(parsed.request),
                },
                Err(error) => format!("closes: {error}"),
            },
            Framing::Binary(_) => spell_request(parse_binary(body)),
        }
    }
}

fn spell_request(request: Result<Request<'_>, impl ToString>) -> String {
    match request {
        // No token is shown by what is for logs.
        Ok(Request::Login { user, token }) => {
            let token = token.reveal();
            format!("Login {{ user: {user:?}, token: {token:?} }}")
        }
        Ok(request) => format!("{request:?}"),
        Err(bad) => format!("bad-request: {}", bad.to_string()),
    }
}

#[test]
fn transcripts_mean_what_they_say_whole_and_byte_by_byte() {
    for transcript in &TRANSCRIPTS {
        let connections = transcript.connections();
        assert!(connections.len() > 3, "{}", transcript.name);
        for Connection {
            title,
            input,
            events,
        } in &connections
        {
            assert_eq!(&transcript.hear([&input[..]]), events, "{title}");
            assert_eq!(
                &transcript.hear(input.chunks(1)),
                events,
                "{title}, byte by byte"
            );
        }
    }
}

#[test]
fn transcripts_mean_the_same_cut_in_two_anywhere() {
    for transcript in &TRANSCRIPTS {
        for connection in transcript.connections() {
            for at in 0..=connection.input.len() {
                let (front, back) = connection.input.split_at(at);
                let heard = transcript.hear([front, back]);
                assert_eq!(heard, connection.events, "{} at {at}", connection.title);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn transcripts_mean_the_same_however_they_are_cut(lengths in any_cuts()) {
        for transcript in &TRANSCRIPTS {
            for connection in transcript.connections() {
                let heard = transcript.hear(cut(&connection.input, &lengths));
                prop_assert_eq!(heard, connection.events, "{}", connection.title);
            }
        }
    }
}
