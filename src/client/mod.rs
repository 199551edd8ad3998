//! The other end: a client of a gate that logs in, says by itself that it lives, notices when the
//! server is gone, comes back, and tells what became of everything it was asked to send.
//!
//! - [`Client`]: blocking and simple, with a thread of its own that keeps the connection alive
//!   while the application does something else
//! - [`Crowd`]: very many of them on one thread, over [`Net`](crate::net::Net) and the wheel
//! - [`Machine`]: the same without sockets and clock: bytes in, bytes out, the time handed in; for
//!   an event loop, or a simulation
//! - [`Adaptive`](adapt::Adaptive): a [`Rhythm`] that learns how long a connection may be silent
//! - [`Options`], [`Login`]: what it is told once; [`Event`]: what it tells
//!
//! ```
//! # use pulsegate::{Options as Serving, Server, Settings, net::mio::MioNet};
//! use pulsegate::client::{Client, Event, Login, Options};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut server = Server::new(MioNet::new(64)?, (), Serving::default())?;
//! # let bind = vec![([127, 0, 0, 1], 0).into()];
//! # let at = server.listen(Settings { bind, ..Settings::default() })?[0].to_string();
//! # let remote = server.remote();
//! # let serving = std::thread::spawn(move || server.run());
//!
//! let ann = Client::connect(&at, Some(Login::new("ann")), Options::default())?;
//! ann.join("news")?;
//! ann.publish("news", "hello everybody")?;
//! while let Some(event) = ann.recv() {
//!     println!("{event}"); // connected, request 1: ok, message 1889… from ann, …
//!     if let Event::Message(letter) = event {
//!         assert_eq!(letter.topic.as_deref(), Some("news"));
//!         ann.quit();
//!     }
//! }
//! # remote.post(|gate, _| gate.shut_down())?;
//! # serving.join().expect("the loop does not panic")?;
//! # Ok(())
//! # }
//! ```
//!
//! # What can be relied on
//! - **Every request gets one answer** ([`Event::Answer`]): done, refused, [`Outcome::Unknown`], or
//!   [`Outcome::Unsent`]. What was sent and not answered when the connection was lost is unknown;
//!   it is never sent again. What was not sent to the last byte waits for the next connection, or
//!   is reported ([`Away`]).
//! - **A message is told once.** One that comes again with the same id, since its ack was lost, is
//!   acknowledged again and dropped. It is acknowledged when the application takes it, or says so
//!   ([`Acks`]). What is remembered is bounded: the latest 16,384 acks that the server may not have
//!   read, so many that an application has not said, and 1,024 ids that want none.
//! - **The dead are noticed.** The server owes an answer and says nothing: [`Lost::Silent`] after
//!   `read_timeout`; it takes nothing: [`Lost::Stuck`] after `write_timeout`. An idle connection is
//!   asked by each heartbeat.
//! - **It comes back** by itself after a wait that is drawn between zero and a bound that doubles
//!   ([`Retry`]), and never before the time that the server named; it logs in and joins its topics
//!   again. Not after `replaced`, `kicked`, `banned`, `login-failed`, a login that was refused for
//!   good, or `quit`: two clients of one user do not oust each other for ever. `user-taken` is for
//!   good where it is still said twice the server's idle timeout after a connection was lost, or
//!   after the client began: no old connection of its own can hold the name so long.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")
)]

pub mod adapt;
mod backoff;
mod blocking;
mod crowd;
pub(crate) mod dial;
mod event;
mod heart;
mod machine;
mod options;
mod pooled;
mod seen;
mod stamp;
mod wire;

pub use blocking::{CallError, Client, Error};
pub use crowd::{Crowd, Member};
pub use event::{Event, GaveUp, Lost, Nonsense, Outcome, Refusal, Refused, RequestId};
pub use heart::Rhythm;
pub use machine::Machine;
pub use options::{Acks, Away, Heartbeat, Login, Options, Retry};
pub use pooled::{Destination, PooledError};

pub use crate::codec::heard::{Grant, Letter};
pub use crate::codec::message::{Body, Request};
