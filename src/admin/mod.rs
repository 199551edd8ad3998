//! The admin interface: HTTP/1.1 in the same loop, beside the clients and never before them.
//!
//! Knows no socket: [`server`](crate::Server) moves its bytes. It has slots, bytes and a share of
//! each turn of its own ([`AdminLimits`]), so that it answers when everything else is full, and
//! disturbs nobody while it does.
//!
//! - `peer`: a connection: requests in order, answers in slices
//! - `desk`: what all of them share; who may ask (`access`)
//! - `routes`: what can be asked for; a file for each

mod access;
mod answer;
mod ask;
mod bans;
mod closes;
mod configure;
mod connections;
mod dashboard;
pub(crate) mod desk;
mod drain;
mod events;
mod exposition;
mod health;
mod kick;
mod limits;
mod messages;
mod metrics;
mod page;
pub(crate) mod peer;
mod push;
mod routes;
mod stats;
mod topics;
mod users;
mod work;

pub use self::access::AdminAccess;
pub use self::limits::AdminLimits;
