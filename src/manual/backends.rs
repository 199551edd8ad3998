//! A backend in any language, and clients of your own.
//!
//! Connections are held here; what they are about is decided elsewhere, by a program of yours. It
//! speaks to the admin interface with HTTP and JSON, so whatever can fetch a page can be a backend.
//! There is nothing to link and nothing to generate.
//!
//! | it wants to | it asks for |
//! |---|---|
//! | know what clients say, who comes and who goes | `GET /v1/events`, a stream |
//! | say something to a user, to several, to a topic, to everyone | `POST /v1/push` |
//! | know whether that was read | `GET /v1/messages/ID` |
//! | know who is here, and where | `GET /v1/users`, `/v1/users/USER`, `/v1/topics/TOPIC` |
//! | end a connection, keep somebody out | `POST /v1/kick`, `POST /v1/bans` |
//!
//! By default the interface listens on loopback: run the backend on the same machine, or give the
//! interface a token (`[admin] token_file`) and an address in a network of your own. Every write
//! must say `Content-Type: application/json`.
//!
//! # What happens: events
//! `GET /v1/events` does not end: one JSON object a line, as it happens. `types=data,login` asks
//! for some kinds only, `user=NAME` for those of one user.
//!
//! | `type` | when | has besides `time` (ms since 1970), `connection` and `user` |
//! |---|---|---|
//! | `data` | a client has sent `data` | `body`; `body_hex` where it is not UTF-8 |
//! | `login` | a connection is that user's now | `address` |
//! | `logout` | it is not any more | |
//! | `close` | a connection has ended (`user` is null without a login) | `address`, `reason` |
//! | `lost` | this reader was too slow | `count`, and nothing else |
//!
//! What a reader must know:
//! - **`seq` counts what it got or lost**, from 1 with each connection of its own. Nothing is kept
//!   for a reader that is not connected: after each new beginning ask `/v1/users` who is here.
//! - **Nobody waits for it.** Each of at most eight readers has a buffer of bounded bytes; when it
//!   is full events are lost for that reader, who finds `lost` with their number where they are
//!   missing. So read on, and work elsewhere: in another thread, or from a queue.
//! - **`data` is taken or refused.** The client's `ok` says `queued=N`, how many readers got it;
//!   without a reader it is told `no-backend`, where all buffers are full `overloaded`. `ok` says
//!   that it is in a reader's buffer, not that it was worked on: who needs that answers with a
//!   push.
//! - **A stream may be silent for long.** Set TCP keepalive, as both readers below do, or a machine
//!   that was switched off in between looks like one where nothing happens.
//! - `connection` is a number of up to 63 bits: a language that keeps numbers as doubles rounds it.
//!
//! Twenty lines of Python, with nothing but its standard library (`tools/backend/events.py`):
//! ```python
#![doc = include_str!("../../tools/backend/events.py")]
//! ```
//!
//! The same for Node, with its own modules only (`tools/backend/events.mjs`):
//! ```js
#![doc = include_str!("../../tools/backend/events.mjs")]
//! ```
//! Both come back by themselves, a second after the stream has ended. What they print beside the
//! events is `answer` with the status of a new stream (401: the token is wrong) and `gone` with the
//! reason why one has ended.
//!
//! # To say something: pushes
//! `POST /v1/push` with `{"to":{"user":"alice"},"body":…}`; `to` may be `{"users":[…]}`,
//! `{"topic":…}` or `{"everyone":true}` as well. `body` is any JSON value; a text reaches every
//! client as it is, another value reaches clients of `line` and `binary` as compact JSON.
//!
//! The answer tells what became of it at once: `queued` connections will get it, for `offline`
//! users it is kept, `dropped` users or connections got nothing. Without `"ack":true` that is all:
//! it is sent once, and never again.
//!
//! With `"ack":true` it is sent until it is acknowledged, `ack_attempts` times on a connection,
//! and waits for a user who is away, for `offline_ttl` or the `ttl_ms` of the push. Keep the `id`:
//! `GET /v1/messages/ID` tells `pending`, `acked`, `expired` or `dropped` and how many copies were
//! sent; for several users how many are in each state. It is kept for ten minutes.
//!
//! Up to 1,000 pushes fit into one request, as an array; they are judged before the first is sent,
//! and sent in order. Where one finds no room its place in the answer holds an error. 503 is an
//! answer to wait for a moment and ask again: `overloaded` is a budget that is used up.
//!
//! # To find users
//! `/v1/users` has all who are here, in pages: pass `next` of one page as `after` of the following
//! one until it is null. `/v1/users/alice` tells her connections, and is 404 where she is not here:
//! a question for one, not for all of them again and again. Who has to know of everybody reads
//! `login` and `logout`, and the pages once after each new beginning.
//!
//! # What goes over the wire
//! For those who write a client or a backend from nothing. Each of these transcripts is replayed
//! against the daemon by its tests, byte for byte. Lines that begin with `#` are remarks.
//!
//! A backend:
//! ```text
#![doc = include_str!("transcripts/backend.txt")]
//! ```
//!
//! A client, `framing = "line"`: good enough for a person with `nc`.
//! ```text
#![doc = include_str!("transcripts/line.txt")]
//! ```
//!
//! A client, `framing = "lenhdr"`:
//! ```text
#![doc = include_str!("transcripts/lenhdr.txt")]
//! ```
//!
//! A client, `framing = "binary"`:
//! ```text
#![doc = include_str!("transcripts/binary.txt")]
//! ```
//! `tests/tcp/foreign/` has whole clients for all three, in Python and for Node, with nothing but
//! what comes with the language.
