//! A simulated world for the server: virtual time, a kernel with exact edges, faults, clients.
//!
//! Nothing here sleeps, reads a clock or asks the machine for chance: a seed is a run.

#![allow(
    clippy::needless_pass_by_ref_mut,
    reason = "what a client does to the world it may change its mind about"
)]
#![allow(
    dead_code,
    reason = "the bench and the tests each use a part of the world"
)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "slots, counts and dice of a small world fit"
)]

pub(crate) mod agenda;
pub(crate) mod clients;
pub(crate) mod cut;
mod deadline;
pub(crate) mod desk;
pub(crate) mod dice;
pub(crate) mod drain;
pub(crate) mod epoll;
pub(crate) mod facts;
pub(crate) mod faults;
pub(crate) mod guard;
pub(crate) mod judge;
pub(crate) mod kernel;
pub(crate) mod lister;
pub(crate) mod marks;
mod mischief;
pub(crate) mod net;
mod peer_end;
pub(crate) mod pipe;
pub(crate) mod plan;
pub(crate) mod quarrels;
pub(crate) mod run;
mod server_end;
pub(crate) mod socket;
pub(crate) mod speed;
pub(crate) mod trace;
mod wait;
pub(crate) mod watch;

pub(crate) use net::{Crowd, SimNet};
pub(crate) use peer_end::Path;
