//! One connection's protocol, without I/O: bytes in, one borrowed event out at a time.
//!
//! Framings and dialects so far keep no state between frames but what the connection's flags say,
//! so a session is a view of the listener's rules. A protocol with a state of its own (WebSocket,
//! MQTT) becomes a variant with a box behind it.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::codec::framing::{Foreign, Found, FrameError, Framing, Guess, foreign};
use crate::codec::message::{self, Parsed, Request};
use crate::codec::proxy::{self, Header};
use crate::gate::Gate;
use crate::gate::conn::{Conn, Flags};
use crate::memory;
use crate::settings::{Dialect, Login, Settings};

/// What the next bytes of a connection are.
#[derive(Debug)]
pub(crate) enum Step<'b> {
    /// Not a whole frame yet.
    More,
    /// A heartbeat of so many bytes that is not answered.
    Beat(usize),
    /// A frame of so many bytes, with this body.
    Frame(usize, &'b [u8]),
    /// A frame of so many bytes that says this, in dialect `gate`.
    Request(usize, Parsed<'b>),
    /// A proxy's header of so many bytes, and the client behind it where it names one.
    Header(usize, Option<SocketAddr>),
    /// Not of the protocol.
    Fault(FrameError),
    /// The first bytes are of another protocol.
    Foreign(Guess),
    /// There is no memory for what it says.
    Starved,
    /// The decoder panicked: a bug of ours.
    Panicked,
}

impl Step<'_> {
    /// Shows the frame to whoever taps its user.
    pub(crate) fn tap(&self, gate: &mut Gate, index: u32, bytes: &[u8]) {
        match self {
            // Whoever looks on learns no token, wherever it stands in the frame.
            Step::Request(
                _,
                Parsed {
                    request: Ok(Request::Login { user, token }),
                    ..
                },
            ) => {
                let token = if token.reveal().is_empty() {
                    ""
                } else {
                    " ***"
                };
                gate.tell_frame(index, "in", format!("login {user}{token}").as_bytes());
            }
            Step::Request(
                count,
                Parsed {
                    request: Err(_), ..
                },
            ) if is_like_login(gate.rules_of(index).settings.framing, &bytes[..*count]) => {
                gate.tell_frame(index, "in", b"login ***");
            }
            Step::Beat(count) | Step::Frame(count, _) | Step::Request(count, _) => {
                gate.tell_frame(index, "in", &bytes[..*count]);
            }
            Step::More
            | Step::Header(..)
            | Step::Fault(_)
            | Step::Foreign(_)
            | Step::Starved
            | Step::Panicked => {}
        }
    }
}

/// Most memory that reading JSON takes, of all parsers the one that makes copies: of texts with
/// escapes, and a list of the keys, of which each has two quotes. It doubles as it grows, so that a
/// key is there three times.
fn json_room(body: &[u8]) -> usize {
    let quotes = memchr::memchr_iter(b'"', body).count();
    2 * body.len() + 3 * (quotes / 2) * size_of::<Cow<'_, str>>()
}

/// How the bytes of a connection are to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    framing: Framing,
    dialect: Dialect,
    frame_max: usize,
    is_first: bool,
    /// A proxy's header is still to come.
    is_veiled: bool,
}

impl Session {
    pub(crate) fn of(settings: &Settings, conn: &Conn) -> Self {
        let is_stranger = settings.dialect == Dialect::Gate
            && settings.login == Login::Required
            && !conn.is_logged_in();
        let frame_max = if is_stranger {
            settings.login_frame_max.min(settings.frame_max)
        } else {
            settings.frame_max
        };
        Self {
            framing: settings.framing,
            dialect: settings.dialect,
            frame_max,
            is_first: !conn.flags.has(Flags::GREETED),
            is_veiled: conn.flags.has(Flags::VEILED),
        }
    }

    /// Reads the first frame of `input`, of which `scanned` bytes are known to hold no end.
    ///
    /// A panic in a decoder is a bug that costs one connection, not the process.
    pub(crate) fn step<'b>(&self, input: &'b [u8], scanned: usize) -> Step<'b> {
        guarded(|| self.read(input, scanned))
    }

    fn read<'b>(&self, input: &'b [u8], scanned: usize) -> Step<'b> {
        if self.is_veiled {
            return self.read_header(input);
        }
        let found = self.framing.find(input, scanned, self.frame_max);
        if self.is_first && self.dialect == Dialect::Gate {
            match foreign(input) {
                Foreign::Yes(guess) => return Step::Foreign(guess),
                // What is no frame may still turn out to be a browser, who must get no answer.
                Foreign::Maybe if found.is_err() => return Step::More,
                Foreign::Maybe | Foreign::No => {}
            }
        }
        let found = match found {
            Ok(found) => found,
            Err(fault) => return Step::Fault(fault),
        };
        match found {
            Found::More => Step::More,
            Found::Beat { consumed } => Step::Beat(consumed),
            Found::Frame { body, consumed } => {
                let read = self.judge(&input[body], consumed);
                read.unwrap_or_else(Step::Fault)
            }
        }
    }

    #[cold]
    fn read_header(&self, input: &[u8]) -> Step<'static> {
        match proxy::read(input) {
            Ok(Header::More) => Step::More,
            Ok(Header::Whole { consumed, source }) => Step::Header(consumed, source),
            Err(wrong) => match foreign(input) {
                Foreign::Yes(guess) if self.dialect == Dialect::Gate => Step::Foreign(guess),
                Foreign::Maybe if self.dialect == Dialect::Gate => Step::More,
                _ => Step::Fault(wrong.into()),
            },
        }
    }

    fn judge<'b>(&self, body: &'b [u8], consumed: usize) -> Result<Step<'b>, FrameError> {
        if self.framing == Framing::Line && body.is_empty() {
            return Ok(Step::Beat(consumed));
        }
        if self.dialect != Dialect::Gate {
            if matches!(self.framing, Framing::LenHdr { .. }) {
                message::check_json(body)?;
            }
            return Ok(Step::Frame(consumed, body));
        }
        let parsed = match self.framing {
            Framing::Line | Framing::Raw => {
                let line = std::str::from_utf8(body).map_err(|_| FrameError::Utf8)?;
                Parsed {
                    request: message::parse_line(line),
                    seq: None,
                }
            }
            Framing::LenHdr { .. } if !memory::is_there(json_room(body)) => {
                return Ok(Step::Starved);
            }
            Framing::LenHdr { .. } => message::parse_json(body)?,
            Framing::Binary(_) => Parsed {
                request: message::parse_binary(body),
                seq: None,
            },
        };
        Ok(Step::Request(consumed, parsed))
    }
}

/// Whether a frame that is no request may have been meant as a login, and hold a token.
fn is_like_login(framing: Framing, frame: &[u8]) -> bool {
    let body = match framing.find(frame, 0, frame.len()) {
        Ok(Found::Frame { body, .. }) => &frame[body],
        _ => frame,
    };
    match framing {
        Framing::Binary(_) => body.first() == Some(&3),
        Framing::Raw | Framing::Line | Framing::LenHdr { .. } => {
            let is_word =
                |at: &[u8]| at.eq_ignore_ascii_case(b"login") || at.eq_ignore_ascii_case(b"token");
            // An escape may spell any word.
            let is_spelt = |at: &[u8]| at == b"\\u";
            body.windows(5).any(is_word) || body.windows(2).any(is_spelt)
        }
    }
}

fn guarded<'b>(read: impl FnOnce() -> Step<'b>) -> Step<'b> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or(Step::Panicked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_hold_a_token_is_like_a_login_however_it_is_spelt() {
        let json = Framing::LenHdr { bare_ping: false };
        for (body, wanted) in [
            (r#"{"type":"login","token":1}"#, true),
            (r#"{"type":"","token":"x"}"#, true),
            (r#"{"type":"l\u006fgin","user":"","t\u006fken":"x"}"#, true),
            (r#"{"type":"jion","topic":"news"}"#, false),
        ] {
            let length = u32::try_from(body.len()).expect("short");
            let mut frame = length.to_be_bytes().to_vec();
            frame.extend(body.as_bytes());
            assert_eq!(is_like_login(json, &frame), wanted, "{body}");
            assert_eq!(
                is_like_login(Framing::Line, body.as_bytes()),
                wanted,
                "{body}"
            );
        }
    }

    #[test]
    fn a_decoder_that_panics_is_a_step_like_any_other() {
        let step = guarded(|| panic!("planted"));
        assert!(matches!(step, Step::Panicked));
        assert!(matches!(guarded(|| Step::Beat(1)), Step::Beat(1)));
    }
}
