//! The manual: why things are as they are, and what a user may rely on beyond the contract.
//!
//! - [`house`]: the shape of the code, the way of one byte, where the next feature goes
//! - [`time`]: two clocks, the wheel, deadlines, what happens after a pause
//! - [`memory`]: where each byte of an idle connection goes, budgets, the ceiling
//! - [`messages`]: what becomes of a message, from the push to the last ack
//! - [`choices`]: what we do where the contract on the wire is silent
//! - [`promises`]: what is promised and what is not
//! - [`backends`]: a backend in any language: events, pushes, users; what goes over the wire
//! - [`threat_model`]: the ways in, what is defended against whom, and what is not
//! - [`operations`]: running it: health, reload, leaving, what to watch, what lines mean
//! - [`tuning`]: what the kernel around it must allow, and how to see that it does not
//! - [`testing`]: the simulation, planted bugs, the real kernel, benches
//! - [`load`]: how to measure, and how not to be fooled
//! - [`dependencies`]: each crate and why it is here

pub mod backends;
pub mod choices;
pub mod dependencies;
pub mod house;
pub mod load;
pub mod memory;
pub mod messages;
pub mod operations;
pub mod promises;
pub mod testing;
pub mod threat_model;
pub mod time;
pub mod tuning;
