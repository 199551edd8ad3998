//! pulsegate holds very many long-lived TCP connections on one thread: it notices the dead on
//! time, knows which user is behind which connection, pushes to them, and never ends a connection
//! without a reason it can tell.
//!
//! Start reading at [`Server::turn`]: the loop, in seven phases. The rest of the house:
//!
//! - [`net`]: the world outside (sockets, clock, entropy, signals), behind the trait
//!   [`Net`](net::Net); [`net::mio`] is the real one
//! - [`Gate`]: every fact about connections, users, topics and deadlines; no sockets
//! - [`Handler`]: what an application implements; [`Remote`]: the way in from other threads
//! - [`client`]: the other end: logs in, beats, comes back
//! - [`codec`]: bytes to frames to messages and back, pure
//! - `admin`: what operators and backends ask for, by HTTP
//! - [`lists`]: who is let in, a million entries of it
//! - [`tokens`]: whether a login's token opens its name
//! - [`pool`]: for the other end: connections to a server that stay alive while nobody uses them
//! - [`wheel`], [`time`]: the timing wheel and its units
//! - [`cli`], [`config`], [`daemon`], [`mod@log`]: what makes it a program
//! - [`manual`]: why it is as it is
//!
//! # An echo server
//!
//! ```
//! use pulsegate::net::mio::MioNet;
//! use pulsegate::{Answer, ConnId, Dialect, Gate, Handler, Message, Options, Server, Settings};
//! use std::io::{Read, Write};
//!
//! struct Echo;
//!
//! impl Handler for Echo {
//!     fn on_message(&mut self, gate: &mut Gate, conn: ConnId, message: Message<'_>) -> Answer {
//!         if let Message::Frame(line) = message {
//!             gate.send(conn, line);
//!         }
//!         Answer::None
//!     }
//! }
//!
//! # fn main() -> std::io::Result<()> {
//! let mut server = Server::new(MioNet::new(1_024)?, Echo, Options::default())?;
//! let bind = vec![([127, 0, 0, 1], 0).into()];
//! let settings = Settings { bind, dialect: Dialect::Frames, ..Settings::default() };
//! let addr = server.listen(settings)?[0];
//! let remote = server.remote();
//! let loop_thread = std::thread::spawn(move || server.run());
//!
//! let mut client = std::net::TcpStream::connect(addr)?;
//! client.write_all(b"hello\n")?;
//! let mut back = [0; 6];
//! client.read_exact(&mut back)?;
//! assert_eq!(&back, b"hello\n");
//! # drop(client);
//! # remote.post(|gate, _| gate.shut_down()).expect("the loop runs");
//! # loop_thread.join().expect("the loop does not panic")?;
//! # Ok(())
//! # }
//! ```
//!
//! # A chat
//!
//! The first line is your name, each further line goes to everybody else.
//!
//! ```
//! use pulsegate::net::mio::MioNet;
//! use pulsegate::*;
//! use std::collections::HashMap;
//! use std::io::{BufRead, BufReader, Write};
//! use std::net::TcpStream;
//!
//! #[derive(Default)]
//! struct Chat {
//!     names: HashMap<ConnId, String>,
//! }
//!
//! impl Chat {
//!     fn tell_others(&self, gate: &mut Gate, from: ConnId, line: &str) {
//!         for conn in self.names.keys().filter(|conn| **conn != from) {
//!             gate.send(*conn, line.as_bytes());
//!         }
//!     }
//! }
//!
//! impl Handler for Chat {
//!     fn on_open(&mut self, gate: &mut Gate, conn: ConnId) {
//!         gate.send(conn, b"who are you?");
//!     }
//!
//!     fn on_message(&mut self, gate: &mut Gate, conn: ConnId, message: Message<'_>) -> Answer {
//!         let Message::Frame(line) = message else { return Answer::None };
//!         let line = String::from_utf8_lossy(line).into_owned();
//!         let line = match self.names.get(&conn) {
//!             Some(name) => format!("{name}: {line}"),
//!             None => {
//!                 let welcome = format!("{} are here, welcome", self.names.len());
//!                 gate.send(conn, welcome.as_bytes());
//!                 self.names.insert(conn, line.clone());
//!                 format!("{line} joins")
//!             }
//!         };
//!         self.tell_others(gate, conn, &line);
//!         Answer::None
//!     }
//!
//!     fn on_close(&mut self, gate: &mut Gate, conn: ConnId, reason: CloseReason) {
//!         if let Some(name) = self.names.remove(&conn) {
//!             self.tell_others(gate, conn, &format!("{name} leaves ({reason})"));
//!         }
//!     }
//! }
//!
//! # fn main() -> std::io::Result<()> {
//! let mut server = Server::new(MioNet::new(1_024)?, Chat::default(), Options::default())?;
//! let bind = vec![([127, 0, 0, 1], 0).into()];
//! let settings = Settings { bind, dialect: Dialect::Frames, ..Settings::default() };
//! let addr = server.listen(settings)?[0];
//! # let remote = server.remote();
//! let loop_thread = std::thread::spawn(move || server.run());
//!
//! let join = |name: &str| -> std::io::Result<_> {
//!     let mut stream = TcpStream::connect(addr)?;
//!     writeln!(stream, "{name}")?;
//!     let mut lines = BufReader::new(stream.try_clone()?).lines();
//!     assert_eq!(lines.next().transpose()?.as_deref(), Some("who are you?"));
//!     lines.next().transpose()?;
//!     Ok((stream, lines))
//! };
//! let (_ann, mut ann_hears) = join("ann")?;
//! let (mut bob, bob_hears) = join("bob")?;
//! writeln!(bob, "hello")?;
//! assert_eq!(ann_hears.next().transpose()?.as_deref(), Some("bob joins"));
//! assert_eq!(ann_hears.next().transpose()?.as_deref(), Some("bob: hello"));
//! drop((bob, bob_hears));
//! assert_eq!(ann_hears.next().transpose()?.as_deref(), Some("bob leaves (peer-closed)"));
//! # remote.post(|gate, _| gate.shut_down()).expect("the loop runs");
//! # drop((_ann, ann_hears));
//! # loop_thread.join().expect("the loop does not panic")?;
//! # Ok(())
//! # }
//! ```

mod admin;
pub mod cli;
pub mod client;
pub mod codec;
mod commands;
pub mod config;
pub mod daemon;
mod gate;
mod handler;
mod id;
mod limits;
pub mod lists;
pub mod log;
pub mod manual;
mod memory;
pub mod net;
mod network;
pub mod pool;
mod reason;
mod remote;
mod secret;
mod server;
mod session;
mod settings;
pub mod time;
pub mod tokens;
pub mod wheel;

pub use admin::{AdminAccess, AdminLimits};
pub use codec::message::Body;
pub use codec::reply::Fields;
pub use gate::{
    Ceiling, Configure, Death, EndDetail, EndedBy, Gate, Histogram, Lag, Letters, Overloads, Pace,
    Push, Receipt, RestCause, Rests, Stats, Step, Target, Ticket, TimerId, Verdict,
};
pub use handler::{Answer, Handler, Message};
pub use id::{ConnId, ListenerId, Token};
pub use limits::Limits;
pub use network::{Network, NetworkError};
pub use reason::{CloseReason, ErrorCode};
pub use remote::{Remote, RemoteError};
pub use secret::Secret;
pub use server::{Options, Server};
pub use settings::{Allow, Dialect, Login, LoginCheck, Rate, Settings, SlowConsumer, UserPolicy};
