//! Pure codecs: bytes to frames to messages, and back. They know no socket, no clock and no
//! connection, and never keep a byte.
//!
//! - [`framing`]: where a frame ends, and how one is wrapped
//! - [`message`]: the messages of dialect `gate`, and the parser for each encoding
//! - [`reply`]: what the server says, encoded for each framing
//! - [`name`]: what a user or a topic may be called

pub mod framing;
pub mod message;
pub mod name;
pub mod reply;
