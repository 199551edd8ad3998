//! pulsegate: a lean edge daemon that holds very many long-lived TCP connections on one thread.

pub mod codec;
mod gate;
mod handler;
mod id;
mod limits;
pub mod net;
mod reason;
mod remote;
mod server;
mod session;
mod settings;
pub mod time;
pub mod wheel;

pub use codec::message::Body;
pub use codec::reply::Fields;
pub use gate::{Ceiling, Gate, Letters, Push, Receipt, Stats, Target, TimerId};
pub use handler::{Answer, Handler, Message};
pub use id::{ConnId, ListenerId, Token};
pub use limits::Limits;
pub use reason::{CloseReason, ErrorCode};
pub use remote::{Remote, RemoteError};
pub use server::{Options, Server};
pub use settings::{Allow, Dialect, Login, Settings, SlowConsumer, UserPolicy};
