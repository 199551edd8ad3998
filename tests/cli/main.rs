//! The program as a person, a script or a service manager meets it: its arguments, variables and
//! file, what it prints where, its exit codes, and how it starts, leaves and logs.
//!
//! Every socket is bound to port 0. Nothing sleeps: a test waits for the thing itself, with a
//! deadline.

#![allow(
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may fail by panic, and its modules are its own"
)]

mod accepted;
mod check;
mod client;
mod commands;
mod complaints;
mod connect;
mod daemon;
mod defaults;
mod descriptors;
mod hardening;
mod listening;
mod logging;
mod output;
mod package;
mod precedence;
mod program;
mod refusals;
mod reload;
mod scripts;
mod secrets;
mod service;
mod signals;
mod skip;
mod top;
