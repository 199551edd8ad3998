//! Pure codecs: bytes to frames to messages, and back. They know no socket, no clock and no
//! connection, and never keep a byte.
//!
//! - [`framing`]: where a frame ends, and how one is wrapped
//! - [`message`]: the messages of dialect `gate`, and the parser for each encoding
//! - [`reply`]: what the server says, encoded for each framing
//! - [`request`], [`heard`]: the client's side of the same: a request encoded, a reply read
//! - [`http`]: heads of requests and answers of the admin interface
//! - [`name`]: what a user or a topic may be called
//! - [`proxy`]: by which a proxy says for whom it connects
//!
//! One file for each encoding holds both of the server's directions: `line`, `binary`, and for JSON
//! `json` (what comes in) and `json_reply` (what goes out). `line_client`, `binary_client` and
//! `json_client` hold those of the client.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")
)]

mod binary;
mod binary_client;
mod foreign;
pub mod framing;
pub mod heard;
pub mod http;
mod json;
mod json_client;
mod json_reply;
mod line;
mod line_client;
pub mod message;
pub mod name;
pub mod proxy;
pub mod reply;
pub mod request;
mod room;
mod text;
