//! Pure codecs: bytes to frames to messages, and back. They know no socket, no clock and no
//! connection, and never keep a byte.
//!
//! - [`framing`]: where a frame ends, and how one is wrapped
//! - [`message`]: the messages of dialect `gate`, and the parser for each encoding
//! - [`reply`]: what the server says, encoded for each framing
//! - [`http`]: heads of requests and answers of the admin interface
//! - [`name`]: what a user or a topic may be called
//!
//! One file for each encoding holds both of its directions: `line`, `binary`, and for JSON `json`
//! (what comes in) and `json_reply` (what goes out).

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")
)]

mod binary;
mod foreign;
pub mod framing;
pub mod http;
mod json;
mod json_reply;
mod line;
pub mod message;
pub mod name;
pub mod reply;
mod text;
