//! pulsegate: a lean edge daemon that holds very many long-lived TCP connections on one thread.

pub mod codec;
mod id;
mod limits;
pub mod net;
mod reason;
mod settings;
pub mod time;
pub mod wheel;

pub use id::{ConnId, ListenerId, Token};
pub use limits::Limits;
pub use reason::{CloseReason, ErrorCode};
pub use settings::{Allow, Dialect, Login, Settings, SlowConsumer, UserPolicy};
