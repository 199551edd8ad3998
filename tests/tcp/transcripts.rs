//! The transcripts of the manual, replayed against the real daemon: what is printed there is, byte
//! for byte, what goes over the wire.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::client::{PATIENCE, readable};
use crate::daemon::Daemon;

const TOKEN: &str = "s3cret";

/// How the bytes of a transcript are written down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Notation {
    /// As text; `\n`, `\r` and `\\` are escaped.
    Text,
    /// In hex.
    Hex,
}

/// Something that is said.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    Bytes(Vec<u8>),
    /// A number by its name.
    Number(char),
}

/// A replay in progress.
struct Replay<'a> {
    daemon: &'a Daemon,
    notation: Notation,
    /// The listener of those who have none of their own.
    listener: &'static str,
    peers: HashMap<String, BufReader<TcpStream>>,
    numbers: HashMap<char, u64>,
}

impl Replay<'_> {
    fn play(&mut self, transcript: &str) {
        for (place, line) in (1..).zip(transcript.lines()) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = line.find(['<', '>']).expect(line);
            let (who, direction, what) = (&line[..at], &line[at..=at], &line[at + 2..]);
            match (direction, what) {
                ("<", "end") => self.is_at_end(who),
                ("<", _) => {
                    for piece in self.read(what) {
                        self.hear(who, &piece, &format!("line {place}: {line}"));
                    }
                }
                _ => self.say(who, what),
            }
        }
    }

    fn read(&self, text: &str) -> Vec<Piece> {
        pieces(text, self.notation)
    }

    fn say(&mut self, who: &str, what: &str) {
        let mut bytes = Vec::new();
        for piece in self.read(what) {
            match piece {
                Piece::Bytes(some) => bytes.extend(some),
                Piece::Number(name) => match self.notation {
                    Notation::Text => bytes.extend(self.numbers[&name].to_string().bytes()),
                    Notation::Hex => bytes.extend(self.numbers[&name].to_be_bytes()),
                },
            }
        }
        self.peer(who).get_mut().write_all(&bytes).unwrap();
    }

    fn hear(&mut self, who: &str, piece: &Piece, place: &str) {
        match piece {
            Piece::Bytes(wanted) => {
                let mut got = vec![0; wanted.len()];
                for (at, byte) in got.iter_mut().enumerate() {
                    let read = self.peer(who).read_exact(std::slice::from_mut(byte));
                    let left = readable(&wanted[at..]);
                    read.unwrap_or_else(|error| panic!("{place}: no {left}: {error}"));
                }
                assert_eq!(readable(&got), readable(wanted), "{place}");
            }
            Piece::Number(name) => {
                let number = self.number(who, place);
                let before = *self.numbers.entry(*name).or_insert(number);
                assert_eq!(before, number, "{place}: {{{name}}}");
            }
        }
    }

    fn number(&mut self, who: &str, place: &str) -> u64 {
        let notation = self.notation;
        let peer = self.peer(who);
        if notation == Notation::Hex {
            let mut bytes = [0; 8];
            peer.read_exact(&mut bytes).expect(place);
            return u64::from_be_bytes(bytes);
        }
        let mut digits = String::new();
        while let Some(digit) = peer.fill_buf().expect(place).first().copied()
            && digit.is_ascii_digit()
        {
            digits.push(char::from(digit));
            peer.consume(1);
        }
        digits.parse().expect(place)
    }

    fn is_at_end(&mut self, who: &str) {
        let mut rest = Vec::new();
        self.peer(who).read_to_end(&mut rest).unwrap();
        assert_eq!(readable(&rest), "", "{who}");
    }

    /// Who is named for the first time connects.
    fn peer(&mut self, who: &str) -> &mut BufReader<TcpStream> {
        if !self.peers.contains_key(who) {
            let addr = self.addr(who);
            let stream = TcpStream::connect_timeout(&addr, PATIENCE).unwrap();
            stream.set_nodelay(true).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            self.peers.insert(who.to_owned(), BufReader::new(stream));
        }
        self.peers.get_mut(who).unwrap()
    }

    fn addr(&self, who: &str) -> SocketAddr {
        match who {
            "events" | "backend" => self.daemon.addr("admin"),
            "dave" => self.daemon.addr("asks"),
            _ => self.daemon.addr(self.listener),
        }
    }
}

fn pieces(text: &str, notation: Notation) -> Vec<Piece> {
    let (mut pieces, mut bytes) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let mut after = rest[1..].chars();
        let (next, closes) = (after.next(), after.next() == Some('}'));
        if char == '{' && closes && next.is_some_and(|name| name.is_ascii_digit()) {
            pieces.push(Piece::Bytes(std::mem::take(&mut bytes)));
            pieces.extend(next.map(Piece::Number));
            rest = &rest[3..];
            continue;
        }
        let taken = match (notation, char, next) {
            (Notation::Hex, ' ', _) => 1,
            (Notation::Hex, ..) => {
                bytes.push(u8::from_str_radix(&rest[..2], 16).expect(text));
                2
            }
            (Notation::Text, '\\', Some(escaped)) => {
                let known = [('n', b'\n'), ('r', b'\r'), ('\\', b'\\')];
                let found = known.into_iter().find(|(name, _)| *name == escaped);
                bytes.push(found.expect(text).1);
                2
            }
            (Notation::Text, ..) => {
                bytes.extend(rest[..char.len_utf8()].bytes());
                char.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    pieces.push(Piece::Bytes(bytes));
    pieces
}

fn replay(transcript: &str, listener: &'static str, notation: Notation) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, TOKEN).unwrap();
    let framing = match notation {
        Notation::Text => listener,
        Notation::Hex => "binary",
    };
    let daemon = Daemon::start(&format!(
        "[admin]\nbind = \"127.0.0.1:0\"\ntoken_file = \"{}\"\n\
         [[listener]]\nname = \"{listener}\"\nbind = \"127.0.0.1:0\"\nframing = \"{framing}\"\n\
         [[listener]]\nname = \"asks\"\nbind = \"127.0.0.1:0\"\nframing = \"{framing}\"\n\
         ping_after = \"100ms\"\n",
        file.path().display()
    ));
    let mut replay = Replay {
        daemon: &daemon,
        notation,
        listener,
        peers: HashMap::new(),
        numbers: HashMap::new(),
    };
    replay.play(transcript);
}

fn transcript(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/manual/transcripts/");
    std::fs::read_to_string(format!("{folder}{name}.txt")).unwrap()
}

#[test]
fn the_transcript_of_lines_is_what_goes_over_the_wire() {
    replay(&transcript("line"), "line", Notation::Text);
}

#[test]
fn the_transcript_of_json_is_what_goes_over_the_wire() {
    replay(&transcript("lenhdr"), "lenhdr", Notation::Text);
}

#[test]
fn the_transcript_of_bytes_is_what_goes_over_the_wire() {
    replay(&transcript("binary"), "binary", Notation::Hex);
}

#[test]
fn the_transcript_of_a_backend_is_what_goes_over_the_wire() {
    replay(&transcript("backend"), "line", Notation::Text);
}

/// The opcodes that somebody says (`>`) or hears (`<`) in the transcript of bytes.
fn opcodes(direction: &str) -> Vec<u8> {
    let mut found = Vec::new();
    for line in transcript("binary").lines() {
        let mut words = line.split(' ');
        if words.next().is_some_and(|who| who.ends_with(direction)) && !line.ends_with(" end") {
            let opcode = &words.nth(1).unwrap()[..2];
            found.push(u8::from_str_radix(opcode, 16).unwrap());
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

#[test]
fn every_message_of_the_contract_stands_in_the_transcripts() {
    let asked: Vec<u8> = (0x01..=0x0B).chain([0x63]).collect();
    assert_eq!(opcodes(">"), asked);
    let answered: Vec<u8> = (0x81..=0x87).collect();
    assert_eq!(opcodes("<"), answered);
    let (line, lenhdr) = (transcript("line"), transcript("lenhdr"));
    for word in [
        "ping", "pong", "login", "send", "asend", "join", "leave", "pub", "data", "ack", "quit",
    ] {
        let is_said = |line: &str| line.contains(&format!("> {word}"));
        assert!(line.lines().any(is_said), "{word}");
        let kind = format!("{{\"type\":\"{word}\"");
        assert!(word == "asend" || lenhdr.contains(&kind), "{word}");
    }
    for word in ["ping", "pong", "ok", "error", "msg", "msga", "close"] {
        let is_heard = |line: &str| line.contains(&format!("< {word}"));
        assert!(line.lines().any(is_heard), "{word}");
    }
}
