//! The common heartbeat as bytes: the ping that nearly every client sends, and the pong it gets.
//!
//! What most frames of a gate are is recognized without being parsed, many glued ones at once, and
//! answered with one copy. Any other spelling of a ping is a request like others; who sends it
//! sees no difference.

use super::Gate;
use super::conn::Flags;
use super::end::{End, EndDetail};
use super::meter::Allowance;
use crate::codec::framing::{Foreign, Found, Framing, foreign};
use crate::codec::message::{self, Request};
use crate::codec::reply::{self, Reply};
use crate::reason::CloseReason;
use crate::settings::{Dialect, Settings};

/// Glued heartbeats that are recognized at once.
const GLUED_MAX: usize = 32;

/// A listener's heartbeat, and its answer, over and over.
#[derive(Debug)]
pub(crate) struct Beats {
    pings: Vec<u8>,
    pongs: Vec<u8>,
    ping: usize,
    pong: usize,
    /// So many answers stay below the low-water mark of the output.
    at_once: usize,
    /// The first and the last bytes of a ping that is no longer than both together.
    ends: Option<([u8; END], [u8; END])>,
}

/// Bytes that are compared at once.
const END: usize = 4;

impl Beats {
    /// `None` where the listener's rules know no ping or would not take it, or count each frame.
    pub(crate) fn of(settings: &Settings) -> Option<Self> {
        let body: &[u8] = match settings.framing {
            Framing::Raw => return None,
            Framing::Line => b"ping",
            Framing::LenHdr { .. } => br#"{"type":"ping"}"#,
            Framing::Binary(_) => &[1],
        };
        let (mut ping, mut pong) = (Vec::new(), Vec::new());
        settings.framing.encode(body, &mut ping).ok()?;
        reply::encode(&Reply::Pong, None, &settings.framing, &mut pong).ok()?;
        let is_ping = settings.dialect == Dialect::Gate
            && Allowance::of(settings).is_none()
            && foreign(&ping) == Foreign::No
            && reads_as_ping(settings, &ping);
        is_ping.then(|| Self {
            ping: ping.len(),
            pong: pong.len(),
            at_once: settings.output_low(false) / pong.len(),
            ends: ends(&ping),
            pings: ping.repeat(GLUED_MAX),
            pongs: pong.repeat(GLUED_MAX),
        })
    }

    /// How many heartbeats `bytes` begin with, up to `max`.
    #[inline]
    fn count(&self, bytes: &[u8], max: usize) -> usize {
        if bytes.len() != self.ping {
            return self.count_glued(bytes, max);
        }
        let is_ping = match self.ends {
            Some(_) => ends(bytes) == self.ends,
            None => bytes == &self.pings[..self.ping],
        };
        usize::from(is_ping).min(max)
    }

    fn count_glued(&self, bytes: &[u8], max: usize) -> usize {
        let most = (bytes.len() / self.ping).min(GLUED_MAX).min(max);
        let glued = most * self.ping;
        if bytes[..glued] == self.pings[..glued] {
            return most;
        }
        let pairs = bytes.iter().zip(&self.pings);
        pairs.take_while(|(byte, ping)| byte == ping).count() / self.ping
    }
}

/// The ends of bytes that are no longer than both together.
#[inline]
fn ends(bytes: &[u8]) -> Option<([u8; END], [u8; END])> {
    let is_short = bytes.len() <= 2 * END;
    is_short.then_some((*bytes.first_chunk()?, *bytes.last_chunk()?))
}

/// Whether the frame means a ping under every limit of the listener.
fn reads_as_ping(settings: &Settings, frame: &[u8]) -> bool {
    let frame_max = settings.frame_max.min(settings.login_frame_max);
    let Ok(Found::Frame { body, consumed }) = settings.framing.find(frame, 0, frame_max) else {
        return false;
    };
    let body = &frame[body];
    let request = match settings.framing {
        Framing::Line => std::str::from_utf8(body).ok().map(message::parse_line),
        Framing::LenHdr { .. } => message::parse_json(body).ok().map(|parsed| parsed.request),
        Framing::Binary(_) => Some(message::parse_binary(body)),
        Framing::Raw => None,
    };
    consumed == frame.len() && request == Some(Ok(Request::Ping))
}

/// The answer to input that is nothing but heartbeats.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pongs<'g> {
    /// How many there are.
    pub(crate) count: u32,
    /// All of them.
    pub(crate) bytes: &'g [u8],
}

impl Gate {
    /// The answer to `bytes` where they are nothing but heartbeats, and nothing keeps it from being
    /// written at once: no input or output waits, the socket has room, no budget is passed.
    ///
    /// What is written this way is no different from what takes the way through the outbox; it
    /// only costs half as much.
    #[inline]
    pub(crate) fn pongs(&self, index: u32, bytes: &[u8]) -> Option<Pongs<'_>> {
        /// Of these a connection that can be answered at once has only that it has room.
        const FACTS: u32 = Flags::WRITABLE
            | Flags::EOF
            | Flags::CLOSED_HINT
            | Flags::CHOKED
            | Flags::OWED
            | Flags::PINGED
            | Flags::VEILED
            | Flags::COLLECTS;
        let conn = self.conns.at(index);
        let is_free = conn.flags.of(FACTS) == Flags::WRITABLE
            && conn.is_open()
            && conn.input.is_none()
            && conn.outbox.is_none();
        let beats = self.rules[usize::from(conn.listener.0)].beats.as_deref()?;
        let count = beats.count(bytes, (self.limits.frames as usize).min(beats.at_once));
        let is_all = count > 0 && count * beats.ping == bytes.len();
        (is_all && is_free).then(|| Pongs {
            count: u32::try_from(count).expect("at most a budget"),
            bytes: &beats.pongs[..count * beats.pong],
        })
    }

    /// So many heartbeats, which were all that was to be read, were answered; the socket took
    /// `written` bytes of that.
    #[inline]
    pub(crate) fn ponged(&mut self, index: u32, beats: u32, read: usize, written: usize) {
        let now = self.clock.live();
        let (beats, read, written) = (u64::from(beats), read as u64, written as u64);
        let conn = self.conns.at_mut(index);
        conn.flags.clear(Flags::READABLE);
        conn.flags.set(Flags::GREETED);
        conn.bytes_in += read;
        conn.frames_in += beats;
        conn.frames_out += beats;
        conn.bytes_out += written;
        (conn.last_in, conn.last_out) = (now, now);
        let stats = &mut self.stats;
        stats.bytes_in += read;
        stats.frames_in += beats;
        stats.frames_out += beats;
        (stats.beats, stats.beats_out) = (stats.beats + beats, stats.beats_out + beats);
        stats.bytes_out += written;
    }

    /// The socket took only `written` bytes of the answer to `count` heartbeats: the rest waits.
    #[cold]
    pub(crate) fn owe_pongs(&mut self, index: u32, count: u32, written: usize) {
        let listener = usize::from(self.conns.at(index).listener.0);
        let Some(beats) = self.rules[listener].beats.take() else {
            return;
        };
        let rest = &beats.pongs[written..count as usize * beats.pong];
        let mut held = Ok(());
        self.append_frames(index, 0, |outbox| held = outbox.copy(rest));
        self.rules[listener].beats = Some(beats);
        if held.is_err() {
            // Half a frame may have left, and no goodbye can follow that.
            let end = End::over(CloseReason::Overloaded, EndDetail::Resources);
            self.cut_at(index, end);
        }
    }

    /// Answers the heartbeats that `bytes` begin with, up to `budget` of them and until reading has
    /// to pause: how many there were, and their bytes.
    pub(crate) fn beat(&mut self, index: u32, bytes: &[u8], budget: u32) -> (u32, usize) {
        let listener = usize::from(self.conns.at(index).listener.0);
        let Some(beats) = self.rules[listener].beats.take() else {
            return (0, 0);
        };
        let conn = self.conns.at_mut(index);
        if conn.flags.has(Flags::VEILED) {
            self.rules[listener].beats = Some(beats);
            return (0, 0);
        }
        let low = self.rules[listener]
            .settings
            .output_low(conn.is_logged_in());
        // One after another, they would be answered until the output is above the low-water mark.
        let room = low.saturating_sub(conn.waiting()) / beats.pong + 1;
        let count = beats.count(bytes, room.min(budget as usize));
        let mut held = Ok(());
        if count > 0 {
            let frames = count as u64;
            conn.frames_in += frames;
            conn.flags.set(Flags::GREETED);
            self.stats.frames_in += frames;
            self.stats.beats += frames;
            let answer = &beats.pongs[..count * beats.pong];
            self.append_frames(index, frames, |outbox| held = outbox.copy(answer));
            self.stats.beats_out += frames * u64::from(held.is_ok());
        }
        let taken = count * beats.ping;
        self.rules[listener].beats = Some(beats);
        if held.is_err() {
            self.starve(index);
        }
        (u32::try_from(count).expect("at most the budget"), taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::framing::{Endian, Layout};

    const WIDE: Layout = Layout {
        width: 2,
        endian: Endian::Little,
        offset: 3,
        adjust: -1,
        strip: None,
    };

    fn settings(framing: Framing) -> Settings {
        Settings {
            framing,
            ..Settings::default()
        }
    }

    fn beats(framing: Framing) -> Beats {
        Beats::of(&settings(framing)).expect("it has pings")
    }

    #[test]
    fn heartbeats_are_counted_up_to_the_first_byte_that_differs() {
        let json = Framing::LenHdr { bare_ping: true };
        for framing in [Framing::Line, json, Framing::Binary(WIDE)] {
            let beats = beats(framing);
            let ping = beats.pings[..beats.ping].to_vec();
            for count in 0..GLUED_MAX + 3 {
                let mut bytes = ping.repeat(count);
                assert_eq!(beats.count(&bytes, 99), count.min(GLUED_MAX));
                assert_eq!(beats.count(&bytes, 2), count.min(2));
                bytes.extend_from_slice(&ping[..ping.len() - 1]);
                assert_eq!(beats.count(&bytes, 99), count.min(GLUED_MAX));
                bytes.extend_from_slice(b"\0join t\n");
                assert_eq!(beats.count(&bytes, 99), count.min(GLUED_MAX));
            }
        }
        assert_eq!(beats(Framing::Line).count(b"ping\r\nping\n", 9), 0);
        assert_eq!(beats(Framing::Line).count(b"ping\npinG\nping\n", 9), 1);
    }

    #[test]
    fn every_answer_is_the_one_that_a_parsed_ping_gets() {
        for framing in [Framing::Line, Framing::Binary(WIDE)] {
            let beats = beats(framing);
            let mut pong = Vec::new();
            reply::encode(&Reply::Pong, None, &framing, &mut pong).expect("it fits");
            assert_eq!(beats.pongs, pong.repeat(GLUED_MAX));
            assert_eq!(beats.pong, pong.len());
        }
    }

    #[test]
    fn where_the_rules_would_read_it_otherwise_there_is_none() {
        assert!(Beats::of(&settings(Framing::Raw)).is_none());
        let echo = Settings {
            dialect: Dialect::Echo,
            ..settings(Framing::Line)
        };
        assert!(Beats::of(&echo).is_none());
        for (frame_max, login_frame_max) in [(3, 99), (99, 3)] {
            let short = Settings {
                frame_max,
                login_frame_max,
                ..settings(Framing::Line)
            };
            assert!(Beats::of(&short).is_none());
        }
        let keeps_its_length = Layout {
            strip: Some(0),
            ..WIDE
        };
        assert!(Beats::of(&settings(Framing::Binary(keeps_its_length))).is_none());
    }
}
