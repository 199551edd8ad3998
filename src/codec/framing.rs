//! Where a frame ends in a stream of bytes, and how a body is wrapped into one.

use std::ops::Range;

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
    /// Bytes of the length field: 1, 2, 4 or 8.
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
    /// The length is below zero after `adjust`.
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
    /// The first bytes are of HTTP, TLS or SSH.
    #[error("the first bytes are of another protocol")]
    Foreign,
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
    pub fn find(
        &self,
        input: &[u8],
        scanned: usize,
        frame_max: usize,
    ) -> Result<Found, FrameError> {
        let _ = (input, scanned, frame_max);
        Ok(Found::More)
    }

    /// Appends `body` to `out` as one frame.
    pub fn encode(&self, body: &[u8], out: &mut Vec<u8>) -> Result<(), Unfit> {
        out.extend_from_slice(body);
        Ok(())
    }
}
