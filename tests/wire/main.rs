//! The protocol byte for byte: transcripts of what clients send and what they are told, and what
//! hostile bytes cost. Knows the codecs alone: no sockets, no sessions.
//!
//! The transcripts are text files: `requests/` holds bytes that come in (`>`) and what they mean
//! (`<`), `replies/` holds a reply's name and its bytes. Bytes are text with the escapes `\n`,
//! `\r`, `\t`, `\0`, `\\` and `\xNN`. Each is replayed whole, byte by byte and in random cuts.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

mod allocation;
mod bytes;
mod hostile;
mod replies;
mod requests;
mod starved;
