//! Where a frame ends in a stream of bytes, and how a body is wrapped into one.
//!
//! Pure functions: they keep nothing, allocate nothing to find a frame, and look at a length before
//! anybody waits for the bytes it announces. However the bytes are torn or glued, the frames and
//! the errors are the same.

use std::ops::Range;

pub use super::foreign::{Foreign, Guess, foreign};

/// How bytes become frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Framing {
    /// Whatever one read returned.
    Raw,
    /// Up to `\n`; one `\r` before it is dropped; UTF-8.
    Line,
    /// `length:` and 13 decimal digits, then that many bytes of JSON.
    LenHdr {
        /// Whether the five bytes `ping\n` in the place of a header are a heartbeat.
        bare_ping: bool,
    },
    /// A length field, then the body.
    Binary(Layout),
}

/// The layout of a binary frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Layout {
    /// Bytes of the length field: 1, 2, 4 or 8. Anything else is taken for 8.
    pub width: u8,
    /// Byte order of the length field.
    pub endian: Endian,
    /// Bytes before the length field.
    pub offset: u16,
    /// Added to the field's value to get the body's length.
    pub adjust: i32,
    /// Bytes dropped from the front of the frame; `None`: offset + width.
    pub strip: Option<u16>,
}

/// Byte order of a length field.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Endian {
    /// Most significant byte first.
    Big,
    /// Least significant byte first.
    Little,
}

/// What the bytes so far hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// No whole frame yet.
    More,
    /// A frame: where its body lies in the input, and how many bytes to consume with it.
    Frame {
        /// The body's place in the input.
        body: Range<usize>,
        /// Bytes of input that this frame takes.
        consumed: usize,
    },
    /// A heartbeat that is no frame (`bare_ping`).
    Beat {
        /// Bytes of input that it takes.
        consumed: usize,
    },
}

/// What is wrong with the bytes: the connection ends with `protocol`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrameError {
    /// The body is longer than `frame_max`.
    #[error("the frame is longer than frame_max")]
    TooLong,
    /// The length is below zero after `adjust`, or the frame is shorter than what is stripped.
    #[error("the frame's length is below zero")]
    Negative,
    /// Not `length:` and 13 digits.
    #[error("the header is not `length:` and 13 digits")]
    Header,
    /// A line that is not UTF-8.
    #[error("the line is not UTF-8")]
    Utf8,
    /// A body that is not JSON.
    #[error("the body is not JSON")]
    Json,
    /// The connection had to begin with a header of the PROXY protocol.
    #[error("PROXY header: {0}")]
    Proxy(#[from] super::proxy::HeaderError),
}

/// A body that the framing's length field can not express.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the body does not fit the width of the length field")]
pub struct Unfit;

impl Framing {
    /// Looks for the first frame in `input`.
    ///
    /// `scanned` bytes from the front are known to hold no line end (where the last call on the
    /// same bytes said [`Found::More`], its input's length): a line that drips in is searched once.
    /// Only a line needs it; the others judge a header of at most a few bytes again.
    ///
    /// `frame_max` is in bytes and counts the body alone; [`Framing::Raw`] knows no limit. An
    /// empty line is a frame with an empty body. Whether the body of [`Framing::LenHdr`] is JSON is
    /// not judged here: see [`check_json`](super::message::check_json).
    ///
    /// # Errors
    /// As soon as the bytes can not become a frame any more, whatever follows.
    #[inline]
    pub fn find(
        &self,
        input: &[u8],
        scanned: usize,
        frame_max: usize,
    ) -> Result<Found, FrameError> {
        match self {
            Self::Raw if input.is_empty() => Ok(Found::More),
            Self::Raw => Ok(Found::Frame {
                body: 0..input.len(),
                consumed: input.len(),
            }),
            Self::Line => find_line(input, scanned, frame_max),
            Self::LenHdr { bare_ping: true } if input.first() == BEAT.first() => find_beat(input),
            Self::LenHdr { .. } => find_after_header(input, frame_max),
            Self::Binary(layout) => layout.find(input, frame_max),
        }
    }

    /// Appends `body` to `out` as one frame.
    ///
    /// The body is taken as it is: a `\n` in it makes two lines of one, and whether it is JSON is
    /// the caller's business.
    ///
    /// # Errors
    /// [`Unfit`] where the length field is too narrow; `out` is then as it was.
    pub fn encode(&self, body: &[u8], out: &mut Vec<u8>) -> Result<(), Unfit> {
        let start = self.open(out);
        out.extend_from_slice(body);
        self.seal(start, out)
    }

    /// Begins a frame at the end of `out`, leaving room for the length; returns where it begins.
    ///
    /// The body is appended next, then [`seal`](Self::seal) ends the frame: that way a body is
    /// written once, in its place, before its length is known.
    pub(super) fn open(&self, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        match self {
            Self::Raw | Self::Line => {}
            Self::LenHdr { .. } => {
                out.extend_from_slice(PREFIX);
                out.extend_from_slice(&[b'0'; DIGITS]);
            }
            Self::Binary(layout) => out.resize(start + layout.header(), 0),
        }
        start
    }

    /// Bytes of a frame around its body.
    pub(super) fn around(&self) -> usize {
        match self {
            Self::Raw => 0,
            Self::Line => 1,
            Self::LenHdr { .. } => PREFIX.len() + DIGITS,
            Self::Binary(layout) => layout.header(),
        }
    }

    /// Ends the frame that [`open`](Self::open) began at `start`.
    ///
    /// # Errors
    /// [`Unfit`] where the length field is too narrow; `out` then ends at `start`.
    pub(super) fn seal(&self, start: usize, out: &mut Vec<u8>) -> Result<(), Unfit> {
        let sealed = match self {
            Self::Raw => Ok(()),
            Self::Line => {
                out.push(b'\n');
                Ok(())
            }
            Self::LenHdr { .. } => write_digits(&mut out[start..]),
            Self::Binary(layout) => layout.write_length(&mut out[start..]),
        };
        if sealed.is_err() {
            out.truncate(start);
        }
        sealed
    }
}

impl Layout {
    /// Bytes of the length field.
    #[inline]
    fn field(&self) -> usize {
        match self.width {
            1 | 2 | 4 => usize::from(self.width),
            _ => 8,
        }
    }

    /// Bytes before the body.
    #[inline]
    fn header(&self) -> usize {
        usize::from(self.offset) + self.field()
    }

    /// Bytes behind the header that whoever reads such a frame drops from its body.
    pub(super) fn strip_beyond(&self) -> usize {
        let strip = self.strip.map_or(0, usize::from);
        strip.saturating_sub(self.header())
    }

    /// Looks for the first frame in `input`; judges it as soon as the length is readable.
    #[inline]
    fn find(&self, input: &[u8], frame_max: usize) -> Result<Found, FrameError> {
        let header = self.header();
        let Some(field) = input.get(usize::from(self.offset)..header) else {
            return Ok(Found::More);
        };
        let length = self.adjusted(self.read_length(field))?;
        let strip = self.strip.map_or(header, usize::from);
        // What is stripped beyond the header is no part of the body, and what is kept of the
        // header was not announced by the client: neither counts against `frame_max`.
        let beyond = strip.saturating_sub(header);
        let announced = u64::try_from(beyond)
            .ok()
            .and_then(|beyond| length.checked_sub(beyond))
            .ok_or(FrameError::Negative)?;
        let announced = within(announced, frame_max)?;
        let consumed = header
            .checked_add(beyond)
            .and_then(|front| front.checked_add(announced))
            .ok_or(FrameError::TooLong)?;
        Ok(if input.len() < consumed {
            Found::More
        } else {
            Found::Frame {
                body: strip..consumed,
                consumed,
            }
        })
    }

    /// The field's value.
    #[inline]
    fn read_length(&self, field: &[u8]) -> u64 {
        match (self.endian, field) {
            (Endian::Big, &[a, b, c, d]) => u64::from(u32::from_be_bytes([a, b, c, d])),
            (Endian::Big, _) => field.iter().fold(0, shift_in),
            (Endian::Little, _) => field.iter().rev().fold(0, shift_in),
        }
    }

    /// The length that a field's value stands for.
    #[inline]
    fn adjusted(&self, value: u64) -> Result<u64, FrameError> {
        let wrong = if self.adjust < 0 {
            FrameError::Negative
        } else {
            FrameError::TooLong
        };
        value
            .checked_add_signed(i64::from(self.adjust))
            .ok_or(wrong)
    }

    /// Writes the length of the body into the header before it.
    fn write_length(&self, frame: &mut [u8]) -> Result<(), Unfit> {
        let width = self.field();
        let body = u64::try_from(frame.len() - self.header()).map_err(|_| Unfit)?;
        let value = body
            .checked_add_signed(-i64::from(self.adjust))
            .ok_or(Unfit)?;
        if width < 8 && value >> (8 * width) != 0 {
            return Err(Unfit);
        }
        let field = &mut frame[usize::from(self.offset)..][..width];
        match self.endian {
            Endian::Big => field.copy_from_slice(&value.to_be_bytes()[8 - width..]),
            Endian::Little => field.copy_from_slice(&value.to_le_bytes()[..width]),
        }
        Ok(())
    }
}

/// Looks for a line.
#[inline]
fn find_line(input: &[u8], scanned: usize, frame_max: usize) -> Result<Found, FrameError> {
    let from = scanned.min(input.len());
    let Some(at) = memchr::memchr(b'\n', &input[from..]) else {
        // One byte above the limit may still be the `\r` of a line end.
        let above = input.len().saturating_sub(frame_max);
        return match above {
            0 => Ok(Found::More),
            1 if input.ends_with(b"\r") => Ok(Found::More),
            _ => Err(FrameError::TooLong),
        };
    };
    let line = &input[..from + at];
    let body = line.strip_suffix(b"\r").unwrap_or(line);
    if body.len() > frame_max {
        return Err(FrameError::TooLong);
    }
    if std::str::from_utf8(body).is_err() {
        return Err(FrameError::Utf8);
    }
    Ok(Found::Frame {
        body: 0..body.len(),
        consumed: line.len() + 1,
    })
}

/// Looks for the bare heartbeat, whose first byte is there.
fn find_beat(input: &[u8]) -> Result<Found, FrameError> {
    if input.starts_with(BEAT) {
        Ok(Found::Beat {
            consumed: BEAT.len(),
        })
    } else if BEAT.starts_with(input) {
        Ok(Found::More)
    } else {
        Err(FrameError::Header)
    }
}

/// Looks for a frame after `length:` and digits.
#[inline]
fn find_after_header(input: &[u8], frame_max: usize) -> Result<Found, FrameError> {
    let header = &input[..input.len().min(HEADER)];
    let (word, digits) = header.split_at(header.len().min(PREFIX.len()));
    if !PREFIX.starts_with(word) || !digits.iter().all(u8::is_ascii_digit) {
        return Err(FrameError::Header);
    }
    if digits.len() < DIGITS {
        return Ok(Found::More);
    }
    let length = digits
        .iter()
        .fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
    let consumed = HEADER
        .checked_add(within(length, frame_max)?)
        .ok_or(FrameError::TooLong)?;
    Ok(if input.len() < consumed {
        Found::More
    } else {
        Found::Frame {
            body: HEADER..consumed,
            consumed,
        }
    })
}

/// Writes the length of the body into the digits of the header before it.
fn write_digits(frame: &mut [u8]) -> Result<(), Unfit> {
    let mut left = frame.len() - HEADER;
    for digit in frame[PREFIX.len()..HEADER].iter_mut().rev() {
        // No truncation: a remainder of ten is below ten.
        #[allow(clippy::cast_possible_truncation)]
        let value = (left % 10) as u8;
        *digit = b'0' + value;
        left /= 10;
        if left == 0 {
            return Ok(());
        }
    }
    Err(Unfit)
}

/// A length as a size in memory, where the limit allows it.
#[inline]
fn within(length: u64, frame_max: usize) -> Result<usize, FrameError> {
    match usize::try_from(length) {
        Ok(length) if length <= frame_max => Ok(length),
        _ => Err(FrameError::TooLong),
    }
}

/// The value with one more byte at its low end; eight bytes fill it.
#[inline]
fn shift_in(value: u64, byte: &u8) -> u64 {
    value << 8 | u64::from(*byte)
}

const PREFIX: &[u8] = b"length:";
const DIGITS: usize = 13;
const HEADER: usize = PREFIX.len() + DIGITS;
const BEAT: &[u8] = b"ping\n";

#[cfg(test)]
mod tests;
